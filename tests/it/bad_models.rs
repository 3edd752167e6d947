//! Model files that are broken, hostile or of another kind: refused in one sentence that says what is wrong.

use crate::common::graphs::Builder;
use gradcam::model::{DEFAULT_MODEL, Model, Options};
use gradcam::onnx::graph::Attribute::{self, Int, Ints};
use gradcam::onnx::graph::{ElementType, Graph, Port, Tensor};
use gradcam::onnx::to_bytes;

/// A sound classifier of 4 classes, to be broken.
fn sound() -> Builder {
    Builder::new(13, 4, 3)
        .with("w", &[3, 4], &[1.0; 12])
        .node("Relu", &["features"], "warm", &[])
        .node("GlobalAveragePool", &["warm"], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[])
}

fn broken(change: impl FnOnce(&mut Graph)) -> Vec<u8> {
    let mut builder = sound();
    builder.graph.outputs = vec![Port::f32("scores", &[1, 4])];
    change(&mut builder.graph);
    to_bytes(&builder.graph)
}

#[track_caller]
fn refused(bytes: &[u8], options: &Options, words: &[&str]) {
    let text = Model::load("bad.onnx", bytes, options).expect_err("it is refused").to_string();
    assert!(text.contains("bad.onnx"), "the file is not named: {text}");
    assert!(!text.contains('\n'), "more than one line: {text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

#[track_caller]
fn says(bytes: &[u8], words: &[&str]) {
    refused(bytes, &Options::default(), words);
}

#[test]
fn the_sound_one_is_accepted() {
    Model::load("good.onnx", &sound().bytes(4), &Options::default()).expect("nothing is wrong with it");
}

#[test]
fn what_is_not_onnx() {
    says(b"", &["empty"]);
    says(b"this is a text file, not a model\n", &["not an ONNX"]);
    says(&[0xff; 4096], &["not an ONNX"]);
}

#[test]
fn every_truncation_is_refused() {
    let bytes = sound().bytes(4);
    for length in 0..bytes.len() {
        assert!(Model::load("cut.onnx", &bytes[..length], &Options::default()).is_err(), "{length} of {}", bytes.len());
    }
    says(&DEFAULT_MODEL[..DEFAULT_MODEL.len() / 2], &["cut short"]);
}

#[test]
fn a_picture_of_another_rank_or_type() {
    says(
        &broken(|graph| graph.inputs[0] = Port::f32("image", &[1, 48])),
        &["image", "[1, 48]", "[1, 3, height, width]"],
    );
    says(&broken(|graph| graph.inputs[0].kind = ElementType::U8), &["image", "U8"]);
    says(&broken(|graph| graph.inputs[0].shape = None), &["image", "no shape"]);
    says(
        &broken(|graph| graph.inputs[0].shape = Some(vec![Some(1), Some(3), None, None])),
        &["any size", "--input-size"],
    );
    says(&broken(|graph| graph.inputs[0] = Port::f32("image", &[1, 3, 100_000, 100_000])), &["more than"]);
}

#[test]
fn an_output_that_does_not_exist() {
    says(&broken(|graph| graph.outputs[0].name = "nowhere".to_owned()), &["output `nowhere`", "does not exist"]);
}

#[test]
fn scores_of_another_shape() {
    says(&broken(|graph| graph.outputs[0].name = "features".to_owned()), &["features", "4×4 cells", "segmentation"]);
    let two = broken(|graph| graph.outputs.push(Port::f32("flat", &[1, 3])));
    says(&two, &["one output", "scores", "flat"]);
}

#[test]
fn a_cycle() {
    let cycle = broken(|graph| graph.nodes[1].inputs[0] = "pooled".to_owned());
    says(&cycle, &["cycle"]);
    let pair = broken(|graph| {
        graph.nodes[1].op = "Add".to_owned();
        graph.nodes[1].inputs.push("pooled".to_owned());
    });
    says(&pair, &["cycle", "node_"]);
}

#[test]
fn wires_that_nothing_makes_or_two_nodes_make() {
    says(&broken(|graph| graph.nodes[1].inputs[0] = "ghost".to_owned()), &["node_warm", "`ghost`", "nothing makes"]);
    says(&broken(|graph| graph.nodes[2].outputs[0] = "warm".to_owned()), &["`warm`", "twice"]);
}

#[test]
fn weights_that_are_not_numbers() {
    let nan = broken(|graph| {
        graph.initializers.insert("w".to_owned(), Tensor::f32(&[3, 4], &[f32::NAN; 12]));
    });
    says(&nan, &["weights `w`", "not a number"]);
}

#[test]
fn weights_whose_size_does_not_fit() {
    let short = broken(|graph| {
        let tensor = graph.initializers.get_mut("w").expect("it is there");
        tensor.shape = vec![3, 400];
    });
    says(&short, &["`w`", "1200", "12"]);
    let vast = broken(|graph| {
        let tensor = graph.initializers.get_mut("w").expect("it is there");
        tensor.shape = vec![1 << 40, 1 << 40];
    });
    says(&vast, &["`w`", "more than"]);
}

#[test]
fn a_small_file_that_asks_for_terabytes() {
    let vast = sound().with_integers("vast", &[1 << 20, 1 << 20]);
    let vast = vast.node("ConstantOfShape", &["vast"], "huge", &[]).node("ReduceMean", &["huge"], "mean", &[]);
    says(&vast.node("Add", &["scores", "mean"], "more", &[]).bytes(4), &["node_huge", "more than"]);
}

#[test]
fn versions_and_operators_from_elsewhere() {
    says(&broken(|graph| graph.opset = 7), &["operator set 7", "9 to 21"]);
    says(&broken(|graph| graph.opset = 99), &["operator set 99"]);
    says(&broken(|graph| graph.ir_version = 1), &["IR version is 1"]);
    says(&broken(|graph| graph.nodes[1].op = "NoSuchThing".to_owned()), &["NoSuchThing"]);
}

#[test]
fn a_network_without_convolutions() {
    let bytes = broken(|graph| {
        graph.nodes.remove(0);
        graph.nodes[0].inputs[0] = "image".to_owned();
    });
    says(&bytes, &["no convolution"]);
}

#[test]
fn labels_that_do_not_match() {
    let labels = |count: usize| Options { labels: Some(vec!["thing".to_owned(); count]), ..Options::default() };
    let bytes = sound().bytes(4);
    refused(&bytes, &labels(5), &["5 labels", "4 classes", "background"]);
    refused(&bytes, &labels(3), &["3 labels", "4 classes", "background"]);
    refused(&bytes, &labels(80), &["80 labels", "4 classes", "another model"]);
}

#[test]
fn a_layer_that_cannot_be_cut() {
    let layer = |name: &str| Options { layer: Some(name.to_owned()), ..Options::default() };
    let bytes = sound().bytes(4);
    refused(&bytes, &layer("nothing"), &["no layer `nothing`", "inspect"]);
    refused(&bytes, &layer("flat"), &["flat", "[1, 3]"]);
}

#[test]
fn metadata_that_cannot_be_read() {
    let bytes = broken(|graph| {
        graph.metadata.insert("gradcam.preprocessing".to_owned(), "{\"width\": true}".to_owned());
    });
    says(&bytes, &["gradcam.preprocessing"]);
}

#[test]
fn hostile_shapes_do_not_panic() {
    // Nodes whose attributes make no sense, in places where an engine may trust them.
    let strange: [(&str, &[(&str, Attribute)]); 4] = [
        ("Flatten", &[("axis", Int(-900))]),
        ("MaxPool", &[("kernel_shape", Attribute::Ints(vec![0, 0]))]),
        ("Transpose", &[("perm", Attribute::Ints(vec![9, 9, 9, 9]))]),
        ("Concat", &[("axis", Int(77))]),
    ];
    for (op, attributes) in strange {
        let builder = Builder::new(13, 4, 3).node(op, &["features"], "strange", attributes);
        let builder = builder.node("GlobalAveragePool", &["strange"], "pooled", &[]);
        let bytes = builder.node("Flatten", &["pooled"], "scores", &[]).bytes(3);
        says(&bytes, &[]);
    }
}

#[test]
fn small_files_that_take_all_memory_while_shapes_are_looked_for() {
    let ints = |values: &[i64]| Attribute::Ints(values.to_vec());
    let with = |builder: Builder| builder.node("Add", &["scores", "more"], "sum", &[]).bytes(4);
    // A border around a constant, computed at once.
    let padded = sound().with("spot", &[1, 1], &[1.0]).with_integers("border", &[0, 0, 4096, 4096]);
    says(&with(padded.node("Pad", &["spot", "border"], "more", &[])), &["node_more", "Pad", "constants"]);
    // A table of products, from two small constants.
    let side = vec![1.0; 1 << 13];
    let table = sound().with("row", &[1, 1 << 13], &side).with("column", &[1 << 13, 1], &side);
    says(&with(table.node("Mul", &["row", "column"], "more", &[])), &["node_more", "Mul", "too much"]);
    // A window of 2^32 cells.
    let window = sound().node("MaxPool", &["warm"], "more", &[("kernel_shape", ints(&[1 << 31, 2]))]);
    says(&with(window), &["node_more", "kernel_shape"]);
    // Constants whose size is computed: 2^21 elements, 2^12 times 2^12, 2^8 axes, and a thousand times each side of the
    // picture. What they are is known as late as shapes are looked for, so the scores must need them.
    let computed = |builder: Builder, op: &str, inputs: &[&str], words: &[&str]| {
        let bytes = reaching_the_scores(builder.node(op, inputs, "more", &[]), "more");
        says(&bytes, &[&["node_more", op], words].concat());
    };
    let long = sound().with_integers("side", &[1 << 20]).node("Add", &["side", "side"], "sides", &[]);
    computed(long, "ConstantOfShape", &["sides"], &["2097152", "computed"]);
    let tall = sound().with("tall", &[1 << 12, 1], &[1.0; 1 << 12]).with_integers("half", &[1, 1 << 11]);
    let tall = tall.with_integers("twice", &[1, 2]).node("Mul", &["half", "twice"], "sides", &[]);
    computed(tall, "Expand", &["tall", "sides"], &["16777216", "computed"]);
    let axes = sound().with_integers("row", &[1; 1 << 8]).node("Mul", &["row", "row"], "sides", &[]);
    computed(axes, "ConstantOfShape", &["sides"], &["256 axes"]);
    let shape = sound().node("Shape", &["image"], "picture", &[]).with_integers("thousand", &[1000]);
    let shape = shape.node("Mul", &["picture", "thousand"], "sides", &[]);
    computed(shape, "ConstantOfShape", &["sides"], &["[1000, 3000, 4000, 4000]", "more than"]);
    // A row of 2^13, taken as often.
    let rows = sound().with("row", &[1, 1 << 13], &side).with_integers("zeros", &[0; 1 << 13]);
    says(&with(rows.node("Gather", &["row", "zeros"], "more", &[])), &["node_more", "Gather", "too much"]);
    // A convolution of constants with 2^33 products: a map of 2^7 squared cells, by a window of half the side, to 2^7 maps.
    let map = sound().with("map", &[1, 1, 1 << 7, 1 << 7], &[1.0; 1 << 14]);
    let map = map.with("windows", &[1 << 7, 1, 1 << 6, 1 << 6], &vec![1.0; 1 << 19]);
    says(&with(map.node("Conv", &["map", "windows"], "more", &[])), &["node_more", "Conv", "size"]);
    // A row and a column of 2^13, the one repeated along the other.
    let grown = sound().with("column", &[1 << 13, 1], &side).with_integers("sides", &[1, 1 << 13]);
    says(&with(grown.node("Expand", &["column", "sides"], "more", &[])), &["node_more", "Expand", "too much"]);
}

#[test]
fn operators_that_no_classifier_has() {
    let node = |op: &str| sound().node(op, &["warm", "w"], "strange", &[]).bytes(4);
    for op in ["GatherND", "DFT", "Loop", "NonMaxSuppression"] {
        says(&node(op), &["node_strange", op]);
    }
}

#[test]
fn transposed_convolutions_that_make_no_sense() {
    let ints = |values: &[i64]| Attribute::Ints(values.to_vec());
    let with = |side: usize, shape: &[usize], attributes: &[(&str, Attribute)]| {
        Builder::new(13, side, 3)
            .with("turned", shape, &vec![0.5; shape.iter().product()])
            .node("ConvTranspose", &["features", "turned"], "wide", attributes)
            .node("GlobalAveragePool", &["wide"], "means", &[])
            .node("Flatten", &["means"], "scores", &[])
            .bytes(2)
    };
    let sense = [("strides", ints(&[2, 2])), ("output_padding", ints(&[1, 0])), ("pads", ints(&[0, 1, 0, 1]))];
    let layer = Options { layer: Some("wide".to_owned()), ..Options::default() };
    Model::load("good.onnx", &with(4, &[3, 2, 3, 3], &sense), &layer).expect("this one makes sense");

    let cases: [(&[usize], (&str, Attribute), &str); 14] = [
        (&[3, 2, 3, 3], ("strides", ints(&[0, 1])), "strides"),
        (&[3, 2, 3, 3], ("strides", ints(&[1])), "strides"),
        (&[3, 2, 3, 3], ("dilations", ints(&[0, 1])), "dilations"),
        (&[3, 2, 3, 3], ("dilations", ints(&[1, 1 << 40])), "dilations"),
        (&[3, 2, 3, 3], ("pads", ints(&[-1, 0, 0, 0])), "pads"),
        (&[3, 2, 3, 3], ("pads", ints(&[0, 0])), "pads"),
        (&[3, 2, 3, 3], ("output_padding", ints(&[4097, 0])), "output_padding"),
        (&[3, 2, 3, 3], ("output_padding", Int(1)), "output_padding"),
        (&[3, 2, 3, 3], ("group", Int(2)), "groups"),
        (&[3, 2, 3, 3], ("group", Int(0)), "groups"),
        (&[3, 2, 3, 3], ("kernel_shape", ints(&[3, 2])), "kernel_shape"),
        (&[3, 2, 3, 3], ("output_shape", ints(&[9, 9, 9, 9])), "output_shape"),
        (&[3, 2, 3, 3], ("auto_pad", Attribute::String(b"SAME_UPPER".to_vec())), "auto_pad"),
        (&[3, 2], ("group", Int(1)), "form"),
    ];
    for (shape, attribute, word) in cases {
        says(&with(4, shape, &[attribute]), &["node_wide", word]);
    }
    // A border wider than what it is cut from.
    says(&with(4, &[3, 2, 3, 3], &[("pads", ints(&[9, 9, 9, 9]))]), &[]);
    // 2^17 weights for each map of the picture's 2^12 cells make 2^29 products, cut down to 2 × 2 × 2 sums.
    let vast = with(64, &[3, 2, 256, 256], &[("pads", ints(&[158, 158, 159, 159]))]);
    says(&vast, &["node_wide", "products"]);
    // Weights that depend on the picture.
    let moving = sound().node("ConvTranspose", &["warm", "warm"], "wide", &[]).bytes(4);
    says(&moving, &["node_wide", "constant weights"]);
}

#[test]
fn windows_of_other_axes_than_the_maps_that_they_go_over() {
    let ints = |values: &[i64]| Attribute::Ints(values.to_vec());
    let flat = |op: &str, attributes: &[(&str, Attribute)]| {
        let builder = sound().node("Flatten", &["features"], "row", &[]).node(op, &["row"], "odd", attributes);
        reaching_the_scores(builder.node("ReduceMean", &["odd"], "last", &[("axes", ints(&[1]))]), "last")
    };
    // The inference engine reads beyond its lists here, and sometimes dies of it.
    let none = [("kernel_shape", ints(&[]))];
    says(&flat("AveragePool", &none), &["node_odd", "AveragePool", "2 axes"]);
    says(&flat("MaxPool", &none), &["node_odd", "MaxPool", "2 axes"]);
    says(&flat("GlobalAveragePool", &[]), &["node_odd", "GlobalAveragePool", "2 axes"]);
    says(&flat("GlobalMaxPool", &[]), &["node_odd", "GlobalMaxPool", "2 axes"]);

    let with = |op: &str, inputs: &[&str], attributes: &[(&str, Attribute)]| {
        let builder = sound().with("row", &[2, 4, 1], &[0.5; 8]).with("square", &[2, 4, 1, 1], &[0.5; 8]);
        reaching_the_scores(builder.node(op, inputs, "odd", attributes), "odd")
    };
    let pool = |attributes: &[(&str, Attribute)]| with("MaxPool", &["warm"], attributes);
    let square = || ("kernel_shape", ints(&[2, 2]));
    says(&pool(&[("kernel_shape", ints(&[]))]), &["node_odd", "kernel_shape of 0 numbers for 2 axes"]);
    says(&pool(&[("kernel_shape", ints(&[2]))]), &["node_odd", "kernel_shape of 1 numbers"]);
    says(&pool(&[square(), ("strides", ints(&[1]))]), &["node_odd", "strides of 1 numbers"]);
    says(&pool(&[square(), ("pads", ints(&[0, 0]))]), &["node_odd", "pads of 2 numbers"]);
    says(&pool(&[square(), ("strides", ints(&[0, 1]))]), &["node_odd", "strides [0, 1]"]);
    says(&pool(&[("kernel_shape", ints(&[0, 1]))]), &["node_odd", "kernel_shape [0, 1]"]);
    // Windows that lie outside the picture.
    says(&pool(&[square(), ("pads", ints(&[0, 2, 0, 0]))]), &["node_odd", "pads", "[2, 2]"]);
    says(&with("Conv", &["warm", "row"], &[]), &["node_odd", "weights of 3 axes"]);
    says(&with("Conv", &["warm", "square"], &[square()]), &["node_odd", "kernel_shape [2, 2]"]);
    says(&with("Conv", &["warm", "square"], &[("dilations", ints(&[1]))]), &["node_odd", "dilations of 1 numbers"]);
}

#[test]
fn a_batch_norm_of_what_is_no_feature_map() {
    let four = &[1.0; 4];
    let builder =
        sound().with("one", &[4], four).with_integers("line", &[4]).node("Reshape", &["scores", "line"], "row", &[]);
    let builder = builder.node("BatchNormalization", &["row", "one", "one", "one", "one"], "normed", &[]);
    let mut builder = builder.with_integers("sides", &[1, 4]).node("Reshape", &["normed", "sides"], "last", &[]);
    builder.graph.rename("scores", "before");
    builder.graph.rename("last", "scores");
    let bytes = builder.bytes(4);
    says(&bytes, &["node_normed", "BatchNormalization"]);
}

#[test]
fn weights_that_hold_nothing_or_have_no_name() {
    let empty = sound().with("nothing", &[0], &[]).node("Add", &["scores", "nothing"], "sum", &[]).bytes(4);
    says(&empty, &["node_sum", "`nothing`"]);
    says(&sound().with("", &[1], &[1.0]).bytes(4), &["no name"]);
}

#[test]
fn graphs_without_end() {
    let mut long = sound();
    for step in 0..5000 {
        let from = if step == 0 { "scores".to_owned() } else { format!("step{step}") };
        long = long.node("Identity", &[&from], &format!("step{}", step + 1), &[]);
    }
    says(&long.bytes(4), &["5005 nodes", "at most"]);
}

#[test]
fn operators_used_in_ways_that_have_no_meaning() {
    // Runtimes ignore a fourth input of Gemm, and bounds of Clip in the form of another operator set.
    let pooled = || Builder::new(13, 4, 3).node("GlobalAveragePool", &["features"], "pooled", &[]);
    let gemm =
        pooled().node("Flatten", &["pooled"], "flat", &[]).with("w", &[3, 3], &[1.0; 9]).with("b", &[3], &[0.0; 3]);
    let gemm = gemm.node("Gemm", &["flat", "w", "b", "features"], "scores", &[]).bytes(3);
    let layer = Options { layer: Some("features".to_owned()), ..Options::default() };
    refused(&gemm, &layer, &["node_scores", "Gemm", "4 inputs instead of 2 to 3"]);
    let clip = pooled().node("Clip", &["pooled"], "bent", &[("min", Attribute::Float(0.0))]);
    let clip = clip.node("Flatten", &["bent"], "scores", &[]).bytes(3);
    refused(&clip, &layer, &["node_bent", "Clip", "operator set 11"]);
}

#[test]
fn names_that_a_terminal_would_obey() {
    says(&broken(|graph| graph.rename("warm", "\u{1b}[2J")), &["control characters"]);
    says(&broken(|graph| graph.nodes[1].op = "Re\nlu".to_owned()), &["control characters"]);
    says(&broken(|graph| graph.nodes[1].name = "n".repeat(5000)), &["5000 bytes"]);
}

#[test]
fn tensors_of_many_axes() {
    let axes = broken(|graph| {
        graph.initializers.insert("w".to_owned(), Tensor::f32(&[1; 17], &[1.0]));
    });
    says(&axes, &["`w`", "17 axes"]);
    // Each node adds one: the lists of axes took half a gigabyte and more.
    for start in ["warm", "line"] {
        let mut grown = sound().with_integers("line", &[1]).with_integers("first", &[0]);
        for step in 0..3000 {
            let from = if step == 0 { start.to_owned() } else { format!("grown{step}") };
            grown = grown.node("Unsqueeze", &[&from, "first"], &format!("grown{}", step + 1), &[]);
        }
        says(&grown.bytes(4), &["Unsqueeze", "17 axes"]);
    }
    let list = broken(|graph| {
        let pads = Attribute::Ints(vec![0; 100_000]);
        graph.nodes[1].attributes.insert("pads".to_owned(), pads);
    });
    says(&list, &["pads", "100000"]);
}

#[test]
fn axes_and_parts_that_an_engine_would_count_up_to() {
    let one = &[1.0; 3];
    for axis in [i64::MIN, 1 << 32] {
        let normed = sound().with("one", &[3], one);
        let normed = normed.node("LayerNormalization", &["warm", "one", "one"], "normed", &[("axis", Int(axis))]);
        says(&normed.bytes(4), &["node_normed", "LayerNormalization", "axis"]);
    }
    let squeezed = sound().with_integers("axes", &[i64::MIN]).node("Squeeze", &["warm", "axes"], "squeezed", &[]);
    says(&squeezed.bytes(4), &["node_squeezed", "axis"]);
    let group = sound().node("Conv", &["image", "mix"], "again", &[("group", Int(0))]);
    says(&group.bytes(4), &["node_again", "group 0"]);
    let turned = sound().node("Transpose", &["warm"], "turned", &[("perm", Ints(vec![0, 1, 1, 3]))]);
    says(&turned.bytes(4), &["node_turned", "no order of axes"]);
    let blocks = sound().node("DepthToSpace", &["warm"], "deep", &[("blocksize", Int(0))]);
    says(&blocks.bytes(4), &["node_deep", "blocksize 0"]);
}

/// What the scores do not need is left out before an engine looks at it: here they do.
fn reaching_the_scores(builder: Builder, wire: &str) -> Vec<u8> {
    let builder = builder.node("ReduceMax", &[wire], "most", &[("keepdims", Int(0))]);
    let mut builder = builder.node("Add", &["scores", "most"], "sum", &[]);
    builder.graph.outputs = vec![Port::f32("sum", &[1, 4])];
    to_bytes(&builder.graph)
}

#[test]
fn a_layer_norm_of_a_single_number() {
    // Axis −1 of no axes: the engine counted to the end of numbers.
    let alone = sound().with("one", &[1], &[1.0]).node("ReduceMin", &["warm"], "alone", &[("keepdims", Int(0))]);
    let normed = alone.node("LayerNormalization", &["alone", "one", "one"], "normed", &[]);
    says(&reaching_the_scores(normed, "normed"), &["node_normed", "LayerNormalization", "0 axes"]);
}

#[test]
fn wires_that_hold_nothing() {
    // 3 maps make no whole block of 9; [1, 0, 4, 4] is cut out.
    let deep = sound().node("DepthToSpace", &["warm"], "deep", &[("blocksize", Int(3))]);
    says(&reaching_the_scores(deep, "deep"), &["`deep`", "holds nothing"]);
    let cut = sound().with_integers("from", &[0]).with_integers("to", &[0]).with_integers("axis", &[1]);
    let cut = cut.node("Slice", &["warm", "from", "to", "axis"], "cut", &[]);
    says(&reaching_the_scores(cut, "cut"), &["`cut`", "holds nothing"]);
}

#[test]
fn borders_beyond_numbers() {
    // The sides wrapped around.
    let padded = sound().with_integers("far", &[0, 0, 0, 0, 0, 0, i64::MAX, 1 << 40]);
    says(&padded.node("Pad", &["warm", "far"], "wide", &[]).bytes(4), &["node_wide", "Pad", "border"]);
}

#[test]
fn a_head_that_makes_the_graph_too_long_to_be_read_again() {
    let mut long = sound();
    long.graph.nodes[1].outputs[0] = "step0".to_owned();
    for step in 0..2500 {
        let next = if step == 2499 { "warm".to_owned() } else { format!("step{}", step + 1) };
        long = long.node("Relu", &[&format!("step{step}")], &next, &[]);
    }
    let layer = Options { layer: Some("features".to_owned()), ..Options::default() };
    refused(&long.bytes(4), &layer, &["gradient head", "4096", "nearer"]);
}

#[test]
fn a_layer_norm_without_its_scale() {
    let normed = sound().node("LayerNormalization", &["warm"], "normed", &[]);
    says(&reaching_the_scores(normed, "normed"), &["node_normed", "LayerNormalization", "1 inputs instead of 2 to 3"]);
}

#[test]
fn attributes_that_are_not_numbers() {
    for (op, name) in [("Selu", "alpha"), ("LRN", "beta"), ("Elu", "alpha")] {
        let attributes = [(name, Attribute::Float(f32::NAN)), ("size", Int(3))];
        let bent = sound().node(op, &["warm"], "bent", &attributes);
        says(&reaching_the_scores(bent, "bent"), &["node_bent", op, name, "not a number"]);
    }
}

#[test]
fn nodes_with_too_few_or_too_many_inputs_or_outputs() {
    let wires = |count: usize| vec!["warm"; count];
    let with = |opset: i64, op: &str, inputs: &[&str], outputs: &[&str]| {
        let mut builder = sound().node_with_outputs(op, inputs, outputs, &[]);
        builder.graph.opset = opset;
        builder.bytes(4)
    };
    for (opset, op, count, needed) in [
        (13, "Relu", 0, "1"),
        (13, "Relu", 2, "1"),
        (13, "Mul", 1, "2"),
        (13, "Mul", 3, "2"),
        (13, "Where", 2, "3"),
        (13, "Concat", 0, "1 or more"),
        (13, "Constant", 1, "0"),
        (13, "BatchNormalization", 4, "5"),
        // What is an attribute in one operator set is an input in another.
        (17, "ReduceMean", 2, "1"),
        (18, "ReduceMean", 3, "1 to 2"),
        (9, "Slice", 3, "1"),
        (10, "Slice", 2, "3 to 5"),
        (10, "Clip", 3, "1"),
        (12, "Unsqueeze", 2, "1"),
        (13, "Unsqueeze", 1, "2"),
        (9, "Gemm", 2, "3"),
    ] {
        let text = format!("{count} inputs instead of {needed}");
        says(&with(opset, op, &wires(count), &["odd"]), &["node_odd", op, &text]);
    }
    says(&with(13, "Mul", &["", "warm"], &["odd"]), &["node_odd", "Mul", "input number 0"]);
    says(&with(13, "Relu", &["warm"], &["odd", "more"]), &["node_odd", "Relu", "2 outputs instead of 1"]);
    says(&with(13, "MaxPool", &["warm"], &["odd", "more", "most"]), &["node_odd", "3 outputs instead of 1 to 2"]);
}

#[test]
fn sides_that_cannot_be_broadcast_in_a_long_graph() {
    // 3 against 4: the engine wrote this down as an expression, which each of the 200 nodes behind it doubled.
    let mut row = sound().with("three", &[3], &[1.0; 3]).node("Mul", &["warm", "three"], "step0", &[]);
    for step in 0..200 {
        let wire = format!("step{step}");
        row = row.node("Mul", &[&wire, &wire], &format!("step{}", step + 1), &[]);
    }
    says(&reaching_the_scores(row, "step200"), &["node_step0", "Mul", "broadcast"]);
}

#[test]
fn inputs_of_different_types() {
    let builder = || {
        let truth = Tensor { kind: ElementType::Bool, shape: vec![1], bytes: vec![1].into() };
        let mut builder = sound().with_integers("number", &[2]).with("float", &[1], &[2.0]);
        builder.constant("truth", truth);
        builder
    };
    for (op, inputs, words) in [
        ("Mul", &["warm", "number"][..], &["F32", "I64"][..]),
        ("PRelu", &["warm", "number"], &["F32", "I64"]),
        ("PRelu", &["warm", "truth"], &["F32", "Bool"]),
        ("Max", &["warm", "float", "number"], &["F32", "I64"]),
        ("Clip", &["warm", "", "number"], &["F32", "I64"]),
        ("Where", &["truth", "warm", "number"], &["F32", "I64"]),
        ("Where", &["warm", "warm", "warm"], &["F32", "Bool"]),
        ("Or", &["warm", "warm"], &["F32", "truth values"]),
    ] {
        let built = builder().node(op, inputs, "mixed", &[]).node("Cast", &["mixed"], "cast", &[("to", Int(1))]);
        let words = [words, &["node_mixed", op]].concat();
        says(&reaching_the_scores(built, "cast"), &words);
    }
}

#[test]
fn values_that_are_computed_and_are_not_numbers() {
    // The mean of a tensor with a side of negative length, and 0 / 0.
    let wide = sound().with("spot", &[1, 1], &[1.0]).with_integers("to", &[4, i64::MIN]);
    let wide = wide.node("Expand", &["spot", "to"], "wide", &[]);
    says(&reaching_the_scores(wide, "wide"), &["node_wide", "Expand", "side of -9223372036854775808"]);
    let zero = sound().with("zero", &[1], &[0.0]).node("Div", &["zero", "zero"], "nothing", &[]);
    says(&reaching_the_scores(zero, "nothing"), &["node_nothing", "Div", "not a number", "constants"]);
    // Halves become floats when they are read: 0x7e00 is none.
    let half = broken(|graph| {
        let bytes = [0u16, 0x7e00].repeat(6).iter().flat_map(|half| half.to_le_bytes()).collect::<Vec<u8>>();
        let tensor = Tensor { kind: ElementType::F16, shape: vec![3, 4], bytes: bytes.into() };
        graph.initializers.insert("w".to_owned(), tensor);
    });
    says(&half, &["weights `w`", "not a number (element 1)"]);
}

#[test]
fn names_of_choices_are_quoted_whatever_they_hold() {
    let pads = ("pads", Attribute::Ints(vec![1, 1, 1, 1]));
    let choice = ("auto_pad", Attribute::String(b"\x1b[2J\0".to_vec()));
    let bytes =
        sound().node("MaxPool", &["warm"], "small", &[("kernel_shape", Ints(vec![2, 2])), pads, choice]).bytes(4);
    says(&bytes, &["node_small", "auto_pad", r"\u{1b}[2J\0"]);
}

#[test]
fn long_lists_are_cut_short_in_errors() {
    let axes = ("axes", Ints(vec![1; 4000]));
    let bytes = Builder::new(13, 4, 3)
        .with("w", &[1, 4], &[1.0; 4])
        .node("ReduceMax", &["features"], "small", &[axes])
        .node("GlobalAveragePool", &["small"], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[])
        .bytes(4);
    let text = Model::load("bad.onnx", &bytes, &Options::default()).map(|_| ()).expect_err("it is refused").to_string();
    assert!(text.len() < 400, "{} bytes: {text}", text.len());
}
