//! Operators that work element by element.

use super::{Call, Values};
use ndarray::IxDyn;

pub fn values(call: &Call) -> Values {
    let x = call.optional(0)?;
    Some(vec![match call.node.op.as_str() {
        "Identity" | "Dropout" => x.clone(),
        "Relu" => x.mapv(|x| x.max(0.0)),
        "Clip" => {
            let given = |at: usize, name: &str| {
                call.optional(at).map(|bound| bound[IxDyn(&[])]).or(call.node.float(name).map(f64::from))
            };
            let (low, high) = (given(1, "min"), given(2, "max"));
            x.mapv(|x| x.max(low.unwrap_or(f64::MIN)).min(high.unwrap_or(f64::MAX)))
        }
        "Add" => x + call.input(1),
        _ => return None,
    }])
}
