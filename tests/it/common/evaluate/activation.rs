//! Activation functions, as the ONNX standard defines them.

use super::pointwise::erf;
use super::{Call, Values};
use gradcam::onnx::graph::Attribute;
use std::f64::consts::PI;

pub fn values(call: &Call) -> Values {
    let x = call.optional(0)?;
    let given = |name: &str, default: f64| call.node.float(name).map_or(default, f64::from);
    Some(vec![match call.node.op.as_str() {
        "Relu" => x.mapv(|x| x.max(0.0)),
        "Clip" => {
            let bound = |at: usize, name: &str| {
                call.optional(at).map(|bound| bound.sum()).or(call.node.float(name).map(f64::from))
            };
            let (low, high) = (bound(1, "min"), bound(2, "max"));
            x.mapv(|x| x.max(low.unwrap_or(f64::MIN)).min(high.unwrap_or(f64::MAX)))
        }
        "LeakyRelu" => {
            let alpha = given("alpha", 0.01);
            x.mapv(|x| if x < 0.0 { alpha * x } else { x })
        }
        "PRelu" => {
            let leak = x * call.input(1);
            let mut y = x.clone();
            y.zip_mut_with(&leak, |y, leak| *y = if *y < 0.0 { *leak } else { *y });
            y
        }
        "ThresholdedRelu" => {
            let alpha = given("alpha", 1.0);
            x.mapv(|x| if x > alpha { x } else { 0.0 })
        }
        "Elu" => {
            let alpha = given("alpha", 1.0);
            x.mapv(|x| if x < 0.0 { alpha * (x.exp() - 1.0) } else { x })
        }
        "Celu" => {
            let alpha = given("alpha", 1.0);
            x.mapv(|x| x.max(0.0) + (alpha * ((x / alpha).exp() - 1.0)).min(0.0))
        }
        "Selu" => {
            let (alpha, gamma) = (given("alpha", 1.673_263_192_176_818_8), given("gamma", 1.050_701_022_148_132_3));
            x.mapv(|x| gamma * if x > 0.0 { x } else { alpha * x.exp() - alpha })
        }
        "Sigmoid" => x.mapv(|x| 1.0 / (1.0 + (-x).exp())),
        "HardSigmoid" => {
            let (alpha, beta) = (given("alpha", 0.2), given("beta", 0.5));
            x.mapv(|x| (alpha * x + beta).clamp(0.0, 1.0))
        }
        "HardSwish" => x.mapv(|x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        "Tanh" => x.mapv(f64::tanh),
        "Softplus" => x.mapv(|x| x.exp().ln_1p()),
        "Softsign" => x.mapv(|x| x / (1.0 + x.abs())),
        "Mish" => x.mapv(|x| x * x.exp().ln_1p().tanh()),
        "Gelu" => match call.node.attributes.get("approximate") {
            Some(Attribute::String(name)) if name == b"tanh" => {
                x.mapv(|x| 0.5 * x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh()))
            }
            _ => x.mapv(|x| 0.5 * x * (1.0 + erf(x / 2f64.sqrt()))),
        },
        _ => return None,
    }])
}
