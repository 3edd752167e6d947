//! Well-formed graphs of about a kilobyte that ask for terabytes, hours or the impossible.

use super::graphs::Builder;
use gradcam::onnx::Attribute::{self, Int, Ints, String as Text};
use gradcam::onnx::{Graph, Port, Tensor};

/// `features` → `warm`, to which something hostile is added.
fn start() -> Builder {
    Builder::new(13, 8, 3).with("w", &[3, 4], &[0.5; 12]).node("Relu", &["features"], "warm", &[])
}

/// Scores that depend on the wire `more`, of whatever shape it is.
fn scores(builder: Builder) -> Graph {
    let builder = builder
        .node("ReduceMean", &["more"], "mean", &[("keepdims", Int(0))])
        .node("GlobalAveragePool", &["warm"], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[])
        .node("MatMul", &["flat", "w"], "own", &[])
        .node("Add", &["own", "mean"], "scores", &[]);
    let mut graph = builder.graph;
    graph.outputs = vec![Port::f32("scores", &[1, 4])];
    graph
}

fn with(builder: Builder, op: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> Graph {
    scores(builder.node(op, inputs, "more", attributes))
}

/// A node on the picture's side, one on constants, and one on a size that is computed.
pub fn graphs() -> Vec<(&'static str, Graph)> {
    const T: i64 = 1 << 20;
    let vast = || start().with_integers("vast", &[T, T]).with_integers("vast4", &[1, 3, T, T]);
    let computed = || start().with_integers("half", &[T / 2]).node("Add", &["half", "half"], "side", &[]);
    let shape_of = || start().node("Shape", &["image"], "sides", &[]).node("Mul", &["sides", "sides"], "squares", &[]);
    let ints = |values: &[i64]| Ints(values.to_vec());
    let spot = || vast().with("spot", &[1, 1], &[1.0]).with("weights", &[3, 3, 1, 1], &[1.0; 9]);
    let scales = || vast().with("scales", &[4], &[1.0, 1.0, 1e6, 1e6]).with("no_region", &[0], &[]);
    let borders = |large: i64| vast().with_integers("borders", &[0, 0, 0, 0, 0, 0, large, large]);
    let mut graphs = vec![
        ("sound", with(start(), "Identity", &["warm"], &[])),
        ("Expand of a constant", with(spot(), "Expand", &["spot", "vast"], &[])),
        ("Expand of features", with(vast(), "Expand", &["warm", "vast4"], &[])),
        ("Expand to a computed size", with(computed(), "Expand", &["warm", "side"], &[])),
        ("ConstantOfShape", with(vast(), "ConstantOfShape", &["vast"], &[])),
        ("ConstantOfShape, computed", with(computed(), "ConstantOfShape", &["side"], &[])),
        ("ConstantOfShape, from the picture", with(shape_of(), "ConstantOfShape", &["squares"], &[])),
        ("Expand of a column", {
            let column = start().with("column", &[1 << 16, 1], &[1.0; 1 << 16]).with_integers("wide", &[1, T]);
            with(column, "Expand", &["column", "wide"], &[])
        }),
        ("Expand of a column, computed", {
            let column = computed().with("column", &[1 << 16, 1], &[1.0; 1 << 16]).with_integers("one", &[1]);
            let column = column.node("Concat", &["one", "side"], "wide", &[("axis", Int(0))]);
            with(column, "Expand", &["column", "wide"], &[])
        }),
        ("Pad of a computed size", {
            let given = start().with_integers("given", &[1, 0, 2, 3]).with_integers("both_ends", &[8]);
            let given = given.node("Shape", &["given"], "count", &[]).node("Sub", &["both_ends", "count"], "size", &[]);
            with(bordered(given), "Identity", &["wide"], &[])
        }),
        ("Pad from the picture", {
            let given = start().node("Shape", &["image"], "given", &[]).with_integers("size", &[4]);
            with(bordered(given), "Identity", &["wide"], &[])
        }),
        ("weights that are normalised", normalised(1)),
        ("weights that are normalised again and again", normalised(300)),
        ("Conv of constants", {
            let map = start().with("map", &[1, 1, 64, 64], &[0.5; 1 << 12]).with("windows", &[9, 1, 3, 3], &[0.5; 81]);
            with(map, "Conv", &["map", "windows"], &[("pads", ints(&[1, 1, 1, 1]))])
        }),
        ("CumSum of constants", {
            let steps = start().with_integers("steps", &[1, 2, 3, 4, 5, 6, 7, 8]);
            let axis = Attribute::Tensor(Tensor { shape: Vec::new(), ..Tensor::i64(&[0]) });
            let steps = steps.node("Constant", &[], "axis", &[("value", axis)]);
            with(steps, "CumSum", &["steps", "axis"], &[("reverse", Int(1))])
        }),
        ("Pad of features", with(borders(T), "Pad", &["warm", "borders"], &[])),
        ("Pad beyond numbers", with(borders(i64::MAX), "Pad", &["warm", "borders"], &[])),
        ("Pad cuts all off", with(borders(-T), "Pad", &["warm", "borders"], &[])),
        ("Pad of a constant", with(spot().with_integers("rim", &[0, 0, T, T]), "Pad", &["spot", "rim"], &[])),
        ("Reshape", with(vast(), "Reshape", &["warm", "vast"], &[])),
        ("Reshape below zero", with(start().with_integers("to", &[-1, -1, -5]), "Reshape", &["warm", "to"], &[])),
        ("Reshape beyond numbers", with(start().with_integers("to", &[1 << 62, 16]), "Reshape", &["warm", "to"], &[])),
        ("Tile of features", with(vast(), "Tile", &["warm", "vast4"], &[])),
        ("Tile of a constant", with(spot(), "Tile", &["spot", "vast"], &[])),
        ("Tile, computed", with(computed(), "Tile", &["warm", "side"], &[])),
        ("Resize by factors", with(scales(), "Resize", &["warm", "no_region", "scales"], &[])),
        ("Resize to sizes", with(vast(), "Resize", &["warm", "", "", "vast4"], &[])),
        ("ConvTranspose", with(spot(), "ConvTranspose", &["warm", "weights"], &[("strides", ints(&[T, T]))])),
        (
            "ConvTranspose to a shape",
            with(spot(), "ConvTranspose", &["warm", "weights"], &[("output_shape", ints(&[T, T]))]),
        ),
        ("Conv without groups", with(spot(), "Conv", &["warm", "weights"], &[("group", Int(0))])),
        ("Conv that stands still", with(spot(), "Conv", &["warm", "weights"], &[("strides", ints(&[0, 0]))])),
        ("Conv below zero", with(spot(), "Conv", &["warm", "weights"], &[("dilations", ints(&[-1, -1]))])),
        ("MaxPool of a vast window", with(start(), "MaxPool", &["warm"], &[("kernel_shape", ints(&[1 << 31, 2]))])),
        (
            "MaxPool with vast borders",
            with(
                start(),
                "MaxPool",
                &["warm"],
                &[("kernel_shape", ints(&[4096, 256])), ("pads", ints(&[4000, 4000, 4000, 4000]))],
            ),
        ),
        ("LRN over all", with(start(), "LRN", &["warm"], &[("size", Int(i64::MAX))])),
        ("LRN over nothing", with(start(), "LRN", &["warm"], &[("size", Int(0))])),
        ("DepthToSpace by nothing", with(start(), "DepthToSpace", &["warm"], &[("blocksize", Int(0))])),
        ("SpaceToDepth by much", with(start(), "SpaceToDepth", &["warm"], &[("blocksize", Int(1 << 62))])),
        ("Einsum of nonsense", with(start(), "Einsum", &["warm"], &[("equation", Text(b"aaaa->b".to_vec()))])),
        ("Einsum of outer products", {
            let equation = Text(b"abcd,efgh,ijkl->abcdefghijkl".to_vec());
            with(start(), "Einsum", &["warm", "warm", "warm"], &[("equation", equation)])
        }),
        ("Gather beyond the end", with(start().with_integers("at", &[i64::MAX]), "Gather", &["warm", "at"], &[])),
        ("Gather of many", {
            with(start().with_integers("at", &[0; 30_000]), "Gather", &["warm", "at"], &[("axis", Int(1))])
        }),
        ("Slice of strange steps", {
            let builder = start().with_integers("from", &[i64::MIN]).with_integers("to", &[i64::MAX]);
            let builder = builder.with_integers("axis", &[3]).with_integers("step", &[i64::MIN]);
            with(builder, "Slice", &["warm", "from", "to", "axis", "step"], &[])
        }),
        ("Slice without a step", {
            let builder = start().with_integers("from", &[0]).with_integers("to", &[5]);
            let builder = builder.with_integers("axis", &[2]).with_integers("step", &[0]);
            with(builder, "Slice", &["warm", "from", "to", "axis", "step"], &[])
        }),
        ("Split that does not add up", {
            with(start().with_integers("parts", &[-1, i64::MAX]), "Split", &["warm", "parts"], &[("axis", Int(1))])
        }),
        ("Unsqueeze at the end of numbers", {
            with(start().with_integers("axis", &[i64::MIN]), "Unsqueeze", &["warm", "axis"], &[])
        }),
        ("integers divided by zero", {
            let builder = start().with_integers("one", &[1]).with_integers("zero", &[0]);
            with(builder.node("Div", &["one", "zero"], "all", &[]), "Expand", &["warm", "all"], &[])
        }),
        ("integers beyond the last", {
            let builder = start().with_integers("most", &[i64::MIN]).with_integers("less", &[-1]);
            with(builder.node("Div", &["most", "less"], "all", &[]), "Expand", &["warm", "all"], &[])
        }),
        ("the remainder of nothing", {
            let builder = start().with_integers("one", &[i64::MIN]).with_integers("zero", &[0]);
            with(builder.node("Mod", &["one", "zero"], "all", &[]), "Expand", &["warm", "all"], &[])
        }),
    ];
    graphs.extend(chains());
    graphs.extend(miswired());
    graphs
}

/// Weights that as many batch norms in training form have normalised.
fn normalised(times: usize) -> Graph {
    let mut builder = start().with("normal0", &[1, 3, 4], &[0.5; 12]).with("three", &[3], &[1.0; 3]);
    builder.graph.opset = 15;
    for step in 0..times {
        let (from, to) = (format!("normal{step}"), format!("normal{}", step + 1));
        let inputs = [from.as_str(), "three", "three", "three", "three"];
        builder = builder.node("BatchNormalization", &inputs, &to, &[("training_mode", Int(1))]);
    }
    with(builder, "Identity", &[&format!("normal{times}")], &[])
}

/// `wide`: a border of the widths `given` and of zeros at `size` other sides, as TorchScript's exporter writes it.
fn bordered(builder: Builder) -> Builder {
    builder
        .with_integers("pairs", &[-1, 2])
        .with_integers("front", &[0])
        .with_integers("last", &[-1])
        .with_integers("before", &[i64::MIN + 1])
        .node("ConstantOfShape", &["size"], "zeros", &[("value", Attribute::Tensor(Tensor::i64(&[0])))])
        .node("Concat", &["given", "zeros"], "all", &[("axis", Int(0))])
        .node("Reshape", &["all", "pairs"], "paired", &[])
        .node("Slice", &["paired", "last", "before", "front", "last"], "turned", &[])
        .node("Transpose", &["turned"], "sides", &[("perm", Ints(vec![1, 0]))])
        .node("Reshape", &["sides", "last"], "pads", &[])
        .node("Pad", &["warm", "pads"], "wide", &[])
}

/// Nodes in a row, each of which makes more of what it gets.
fn chains() -> Vec<(&'static str, Graph)> {
    let chain =
        |builder: Builder, from: &str, length: usize, op: &str, second: &str, attributes: &[(&str, Attribute)]| {
            let mut builder = builder;
            let mut wire = from.to_owned();
            for step in 0..length {
                let next = if step + 1 == length { "more".to_owned() } else { format!("step{step}") };
                let inputs = match second {
                    "" => vec![wire.as_str()],
                    "itself" => vec![wire.as_str(), wire.as_str()],
                    other => vec![wire.as_str(), other],
                };
                builder = builder.node(op, &inputs, &next, attributes);
                wire = next;
            }
            scores(builder)
        };
    let axis = [("axis", Int(1))];
    let twice = start().with("two", &[4], &[1.0, 1.0, 2.0, 2.0]);
    let numbers = || start().with_integers("number", &[1; 16]);
    vec![
        ("a doubling Concat of features", chain(start(), "warm", 60, "Concat", "itself", &axis)),
        ("a doubling Concat of constants", chain(numbers(), "number", 40, "Concat", "itself", &[("axis", Int(0))])),
        ("a doubling Resize", chain(twice.with("none", &[0], &[]), "warm", 30, "Upsample", "two", &[])),
        ("a doubling Add of numbers", chain(numbers(), "number", 100, "Add", "itself", &[])),
        ("a growing Unsqueeze", chain(start().with_integers("first", &[0]), "warm", 3000, "Unsqueeze", "first", &[])),
        ("a growing Unsqueeze of constants", {
            chain(numbers().with_integers("first", &[0]), "number", 3000, "Unsqueeze", "first", &[])
        }),
        ("a long row of Relu", chain(start(), "warm", 1500, "Relu", "", &[])),
        ("a long row of Add", chain(start(), "warm", 1000, "Add", "itself", &[])),
        ("a long row of Mul", chain(start(), "warm", 200, "Mul", "itself", &[])),
        ("a long row of Softmax", chain(start(), "warm", 400, "Softmax", "", &axis)),
        ("a long row of Transpose", {
            chain(start(), "warm", 1001, "Transpose", "", &[("perm", Ints(vec![0, 2, 3, 1]))])
        }),
        ("many nodes on shapes", {
            let shape = start().node("Shape", &["image"], "sides", &[]);
            chain(shape, "sides", 2000, "Mul", "itself", &[])
        }),
        ("too many nodes", chain(start(), "warm", 5000, "Identity", "", &[])),
    ]
}

/// Wires that lead nowhere, in circles, or have a name that another has.
fn miswired() -> Vec<(&'static str, Graph)> {
    let sound = || with(start(), "Sigmoid", &["warm"], &[]);
    let changed = |change: fn(&mut Graph)| {
        let mut graph = sound();
        change(&mut graph);
        graph
    };
    vec![
        ("a cycle of two", changed(|graph| graph.nodes[1].inputs[0] = "more".into())),
        ("a cycle of one", changed(|graph| graph.nodes[2].inputs[0] = "more".into())),
        ("a wire made twice", changed(|graph| graph.nodes[2].outputs[0] = "warm".into())),
        ("a wire from nowhere", changed(|graph| graph.nodes[2].inputs[0] = "ghost".into())),
        ("nodes of one name", changed(|graph| graph.nodes.iter_mut().for_each(|node| node.name = "same".into()))),
        ("nodes without names", changed(|graph| graph.nodes.iter_mut().for_each(|node| node.name.clear()))),
        ("a node named as a wire", changed(|graph| graph.nodes[2].name = "warm".into())),
        ("a wire named as weights", changed(|graph| graph.nodes[2].outputs[0] = "w".into())),
        ("wires with reserved names", changed(|graph| graph.rename("warm", "gradients"))),
        ("a picture named target", changed(|graph| graph.rename("image", "target"))),
        ("scores named activations", changed(|graph| graph.rename("scores", "activations"))),
        ("weights that are an output", changed(|graph| graph.outputs[0].name = "w".into())),
        ("the picture is the output", changed(|graph| graph.outputs[0].name = "image".into())),
        ("a name with a line break", changed(|graph| graph.rename("more", "a\n\u{1b}[31mb"))),
        ("a vast picture", changed(|graph| graph.inputs[0] = Port::f32("image", &[1, 3, 4096, 4096]))),
        ("a picture beyond numbers", changed(|graph| graph.inputs[0] = Port::f32("image", &[1, 3, 1 << 40, 1 << 40]))),
        (
            "weights for another shape",
            changed(|graph| {
                graph
                    .initializers
                    .insert("w".into(), Tensor { shape: vec![1 << 40, 1 << 40], ..Tensor::f32(&[1], &[0.0]) });
            }),
        ),
        (
            "weights that are empty",
            changed(|graph| {
                graph.initializers.insert("w".into(), Tensor::f32(&[0, 4], &[]));
            }),
        ),
        (
            "metadata of nonsense",
            changed(|graph| {
                let text = r#"{"width":0,"height":-1,"order":"rgb","mean":[1e999,0,0],"scale":[0,0,0],"resize":"centre-crop"}"#;
                graph.metadata.insert("gradcam.preprocessing".into(), text.into());
            }),
        ),
        (
            "a head that is none",
            changed(|graph| {
                graph.inputs.push(Port::f32("target", &[1, 4]));
                graph.outputs.push(Port::f32("activations", &[1, 3, 8, 8]));
                graph.outputs.push(Port::f32("gradients", &[1, 3, 8, 8]));
                graph.rename("warm", "activations");
                graph.rename("more", "gradients");
            }),
        ),
    ]
}
