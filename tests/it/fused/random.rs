//! Random graphs: those of all operators, and deep ones of what regions are made of.

use super::{agree, conv, model_at, noise, pads, pair, start};
use crate::common::Noise;
use crate::common::graphs::Builder;
use crate::gradients::{ramp, weighed};
use crate::random_graphs::grown;
use gradcam::onnx::graph::Attribute::{self, Float, Int};

#[test]
fn random_graphs_of_all_operators_are_equal_to_tract() {
    let mut fused = 0;
    for seed in 0..120 {
        let model = model_at("features", grown(seed));
        let parts = agree(&format!("seed {seed}"), &model, &noise(&model));
        fused += parts.of("tail").fused.len();
    }
    assert!(fused > 200, "only {fused} nodes of the tails were fused: the test is blind");
}

#[test]
fn random_convolutional_networks_are_equal_to_tract() {
    let (mut fused, mut others) = (0, Vec::new());
    for seed in 0..150 {
        let (builder, say) = network(seed);
        let model = model_at("y", builder);
        let parts = agree(&say, &model, &noise(&model));
        fused += parts.of("backbone").fused.len();
        others.extend(parts.of("backbone").others.iter().map(|other| other.reason.clone()));
    }
    others.sort_unstable();
    others.dedup();
    println!("{fused} nodes fused; left to tract: {others:?}");
    assert!(fused > 1500, "only {fused}");
}

/// Grows a network of blocks, of which each reads any of the wires before it.
pub fn network(seed: u64) -> (Builder, String) {
    let mut random = Noise::new(seed + 1000);
    let mut below = |count: usize| ((random.uniform() * count as f32) as usize).min(count - 1);
    let mut builder = start();
    let mut wires = vec![("features".to_owned(), [6, 9, 9])];
    let mut kinds = Vec::new();
    for number in 0..4 + below(10) {
        let near = wires.len().saturating_sub(3);
        let (x, shape) = wires[near + below(wires.len() - near)].clone();
        let y = format!("wire_{number}");
        let partners: Vec<String> = wires.iter().filter(|wire| wire.1 == shape).map(|wire| wire.0.clone()).collect();
        let partner = partners[below(partners.len())].clone();
        let choice = [below(12), below(4), below(2), below(3)];
        kinds.push(choice[0].to_string());
        let (next, made) = block(builder, [&x, &partner, &y], shape, choice);
        builder = next;
        wires.push((y, made));
    }
    // A last one without a pattern, whose size is known.
    let (last, [maps, height, width]) = wires.last().expect("there is one").clone();
    builder = conv(builder, [&last, "y"], [5, maps, 1, 1], &[]);
    (weighed(builder, "y", 5 * height * width), format!("seed {seed}, {}", kinds.join(" ")))
}

fn block(
    builder: Builder,
    [x, partner, y]: [&str; 3],
    [maps, height, width]: [usize; 3],
    [kind, a, b, c]: [usize; 4],
) -> (Builder, [usize; 3]) {
    let shape = [maps, height, width];
    let constant = format!("{y}_constant");
    let per_map = |builder: Builder, low: f32| {
        let values: Vec<f32> = ramp(maps).iter().map(|value| value.abs() + low).collect();
        builder.with(&constant, &[1, maps, 1, 1], &values)
    };
    let function = ["Relu", "Sigmoid", "HardSigmoid", "LeakyRelu"][a];
    let attributes: &[(&str, Attribute)] = if a == 3 { &[("alpha", Float(0.1))] } else { &[] };
    match kind {
        0 | 1 => {
            let (kernel, stride) = (1 + 2 * b, if height > 4 { 1 + a % 2 } else { 1 });
            let sides = [b as i64, b as i64, (b * (c % 2)) as i64, b as i64];
            if height + b + b * (c % 2) < kernel {
                return (builder.node("Relu", &[x], y, &[]), shape);
            }
            let to = [4, maps, 6, 8][a];
            let builder =
                conv(builder, [x, y], [to, maps, kernel, kernel], &[pads(sides), pair("strides", stride as i64)]);
            (builder, [to, (height + b + b * (c % 2) - kernel) / stride + 1, (width + 2 * b - kernel) / stride + 1])
        }
        2 | 3 => {
            let attributes = [pads([1; 4]), ("group", Int(maps as i64))];
            (conv(builder, [x, y], [maps, 1, 3, 3], &attributes), shape)
        }
        4 => (builder.node(function, &[x], y, attributes), shape),
        5 => {
            let op = ["Mul", "Add", "Sub", "Div"][a];
            let inputs = if b == 0 || op == "Div" { [x, &constant] } else { [&constant, x] };
            (per_map(builder, 0.5).node(op, &inputs, y, &[]), shape)
        }
        6 => (builder.node("Add", &[x, partner], y, &[]), shape),
        7 => {
            // x · f(x) in several forms.
            let inner = format!("{y}_inner");
            let builder = builder.node(function, &[x], &inner, attributes);
            (builder.node("Mul", &if b == 0 { [x, &inner] } else { [&inner, x] }, y, &[]), shape)
        }
        8 => {
            let [pooled, gate] = ["pooled", "gate"].map(|what| format!("{y}_{what}"));
            let builder = builder.node("GlobalAveragePool", &[x], &pooled, &[]);
            let builder = conv(builder, [&pooled, &gate], [maps, maps, 1, 1], &[]);
            let open = format!("{y}_open");
            let builder = builder.node(function, &[&gate], &open, attributes);
            (builder.node("Mul", &[x, &open], y, &[]), shape)
        }
        9 => {
            let op = ["MaxPool", "AveragePool"][b];
            let attributes = [pair("kernel_shape", 2), pads([0, 0, 1, 1])];
            let counted = [&attributes[..], &[("count_include_pad", Int((c % 2) as i64))]].concat();
            (builder.node(op, &[x], y, if b == 1 { &counted } else { &attributes }), shape)
        }
        10 if maps <= 12 => (builder.node("Concat", &[x, partner], y, &[("axis", Int(1))]), [2 * maps, height, width]),
        _ => {
            let [from, to, axis] = ["from", "to", "axis"].map(|what| format!("{y}_{what}"));
            let count = (maps - a.min(maps - 1)).max(1);
            let builder = builder
                .with_integers(&from, &[(maps - count) as i64])
                .with_integers(&to, &[maps as i64])
                .with_integers(&axis, &[1]);
            (builder.node("Slice", &[x, &from, &to, &axis], y, &[]), [count, height, width])
        }
    }
}
