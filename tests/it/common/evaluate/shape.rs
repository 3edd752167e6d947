//! Operators that move elements without changing them.

use super::{Call, Values, reshaped};

pub fn values(call: &Call) -> Values {
    Some(vec![match call.node.op.as_str() {
        "Flatten" => {
            let x = call.input(0);
            let axis = call.node.int("axis").unwrap_or(1) as usize;
            let rows = x.shape()[..axis].iter().product::<usize>();
            reshaped(x, &[rows, x.len() / rows])
        }
        "Reshape" => {
            let x = call.input(0);
            let sides = call.integers(1).expect("Reshape has a shape");
            let known: i64 = sides.iter().filter(|side| **side > 0).product();
            let free = x.len() as i64 / known;
            let side = |side: &i64| if *side < 0 { free as usize } else { *side as usize };
            reshaped(x, &sides.iter().map(side).collect::<Vec<usize>>())
        }
        _ => return None,
    }])
}
