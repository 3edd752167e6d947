//! Pooling.

use super::reduce::mean;
use super::{Call, Values};

pub fn values(call: &Call) -> Values {
    Some(vec![match call.node.op.as_str() {
        "GlobalAveragePool" => mean(call.input(0), &(2..call.input(0).ndim()).collect::<Vec<usize>>(), true),
        _ => return None,
    }])
}
