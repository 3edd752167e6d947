//! Functions of one variable, element by element.

use super::{Call, Values};
use std::f64::consts::PI;

pub fn values(call: &Call) -> Values {
    let x = call.optional(0)?;
    Some(vec![match call.node.op.as_str() {
        // Casts between f32, integers and truth values: nothing is rounded that is not whole already.
        "Identity" | "Dropout" | "Cast" => x.clone(),
        "Neg" => x.mapv(|x| -x),
        "Abs" => x.mapv(f64::abs),
        "Exp" => x.mapv(f64::exp),
        "Log" => x.mapv(f64::ln),
        "Sqrt" => x.mapv(f64::sqrt),
        "Reciprocal" => x.mapv(|x| 1.0 / x),
        "Erf" => x.mapv(erf),
        _ => return None,
    }])
}

/// erf(x) = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·5···(2n+1)): all terms have one sign.
pub fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let mut term = x;
    let mut sum = 0.0;
    for n in 0..200 {
        sum += term;
        term *= 2.0 * x * x / (2.0 * f64::from(n) + 3.0);
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}
