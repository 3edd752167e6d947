//! How operators are used: what they read, and their attributes.

use crate::random::Random;
use gradcam::onnx::{Attribute, ElementType, Tensor};

/// Operator, inputs (behind `?` each may be left out), attributes with their kinds.
///
/// Inputs: `x` the wire so far; `y` one that broadcasts with it; `b` truth values of its shape; `w` weights of a
/// convolution; `m` a matrix; `c` one value per map; `s` a scalar; `a` axes; `h` a shape; `p` borders; `i` an integer;
/// `r` factors of size; `e` left out. Kinds of attributes: see [`hostile_value`].
const FORMS: &[(&str, &str, &str)] = &[
    ("AveragePool", "x", "kernel_shape:l strides:l pads:l dilations:l auto_pad:s ceil_mode:i count_include_pad:i"),
    ("BatchNormalization", "xcccc", "epsilon:f momentum:f training_mode:i spatial:i"),
    ("Cast", "x", "to:i saturate:i"),
    ("Celu", "x", "alpha:f"),
    ("Clip", "x?ss", "min:f max:f"),
    ("Concat", "xx?yy", "axis:i"),
    ("Constant", "", "value:t value_float:f value_floats:g value_int:i value_ints:l value_string:s value_strings:n"),
    ("ConstantOfShape", "h", "value:t"),
    ("Conv", "xw?c", "kernel_shape:l strides:l pads:l dilations:l group:i auto_pad:s"),
    (
        "ConvTranspose",
        "xw?c",
        "kernel_shape:l strides:l pads:l dilations:l group:i auto_pad:s output_padding:l output_shape:l",
    ),
    ("DepthToSpace", "x", "blocksize:i mode:s"),
    ("DequantizeLinear", "xs?s", "axis:i block_size:i"),
    ("Dropout", "x?sb", "ratio:f seed:i"),
    ("Einsum", "xy", "equation:s"),
    ("Elu", "x", "alpha:f"),
    ("Expand", "xh", ""),
    ("Flatten", "x", "axis:i"),
    ("Gather", "xi", "axis:i"),
    ("GatherElements", "xi", "axis:i"),
    ("Gelu", "x", "approximate:s"),
    ("Gemm", "xm?c", "alpha:f beta:f transA:i transB:i"),
    ("GlobalLpPool", "x", "p:i"),
    ("GroupNormalization", "xcc", "epsilon:f num_groups:i stash_type:i"),
    ("HardSigmoid", "x", "alpha:f beta:f"),
    ("InstanceNormalization", "xcc", "epsilon:f"),
    ("LRN", "x", "alpha:f beta:f bias:f size:i"),
    ("LayerNormalization", "xc?c", "axis:i epsilon:f stash_type:i"),
    ("LeakyRelu", "x", "alpha:f"),
    ("LogSoftmax", "x", "axis:i"),
    ("LpNormalization", "x", "axis:i p:i"),
    ("LpPool", "x", "kernel_shape:l strides:l pads:l dilations:l auto_pad:s ceil_mode:i p:i"),
    ("MatMul", "xm", ""),
    ("MaxPool", "x", "kernel_shape:l strides:l pads:l dilations:l auto_pad:s ceil_mode:i storage_order:i"),
    ("Mod", "xy", "fmod:i"),
    ("PRelu", "xc", ""),
    ("Pad", "xp?sa", "pads:l mode:s value:f"),
    ("QuantizeLinear", "xs?s", "axis:i block_size:i output_dtype:i saturate:i"),
    ("ReduceL1", "x?a", "axes:l keepdims:i noop_with_empty_axes:i"),
    ("ReduceL2", "x?a", "axes:l keepdims:i noop_with_empty_axes:i"),
    ("ReduceMax", "x?a", "axes:l keepdims:i noop_with_empty_axes:i"),
    ("ReduceMean", "x?a", "axes:l keepdims:i noop_with_empty_axes:i"),
    ("ReduceMin", "x?a", "axes:l keepdims:i noop_with_empty_axes:i"),
    ("ReduceProd", "x?a", "axes:l keepdims:i noop_with_empty_axes:i"),
    ("ReduceSum", "x?a", "axes:l keepdims:i noop_with_empty_axes:i"),
    ("ReduceSumSquare", "x?a", "axes:l keepdims:i noop_with_empty_axes:i"),
    ("ReduceLogSum", "x?a", "axes:l keepdims:i noop_with_empty_axes:i"),
    ("ReduceLogSumExp", "x?a", "axes:l keepdims:i noop_with_empty_axes:i"),
    ("Reshape", "xh", "allowzero:i"),
    (
        "Resize",
        "xer?h",
        "mode:s coordinate_transformation_mode:s nearest_mode:s cubic_coeff_a:f antialias:i axes:l \
         keep_aspect_ratio_policy:s exclude_outside:i extrapolation_value:f",
    ),
    ("Selu", "x", "alpha:f gamma:f"),
    ("Shape", "x", "start:i end:i"),
    ("Slice", "xaa?aa", "starts:l ends:l axes:l"),
    ("Softmax", "x", "axis:i"),
    ("SpaceToDepth", "x", "blocksize:i"),
    ("Split", "x?a", "axis:i split:l num_outputs:i"),
    ("Squeeze", "x?a", "axes:l"),
    ("ThresholdedRelu", "x", "alpha:f"),
    ("Tile", "xh", ""),
    ("Transpose", "x", "perm:l"),
    ("Unsqueeze", "xa", "axes:l"),
    ("Upsample", "xr", "mode:s scales:g"),
    ("Where", "bxy", ""),
];
/// Those that work on one, two and any number of inputs element by element.
const TWO: &[&str] = &[
    "Add",
    "And",
    "Div",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Mul",
    "Or",
    "Pow",
    "Sub",
    "Xor",
];
const SOME: &[&str] = &["Max", "Mean", "Min", "Sum"];

/// The inputs and attributes of an operator; of one that is not listed, those of a function of one wire.
pub fn of(op: &str) -> (&'static str, Vec<(&'static str, char)>) {
    if let Some((_, inputs, attributes)) = FORMS.iter().find(|(known, ..)| *known == op) {
        let attribute = |text: &'static str| {
            let (name, kind) = text.split_once(':').expect("the table has name:kind");
            (name, kind.chars().next().expect("the table has a kind"))
        };
        return (inputs, attributes.split_whitespace().map(attribute).collect());
    }
    (
        if TWO.contains(&op) {
            "xy"
        } else if SOME.contains(&op) {
            "xy?yy"
        } else {
            "x"
        },
        Vec::new(),
    )
}

/// An attribute of this operator, or of another one.
pub fn any_attribute(op: &str, random: &mut Random) -> (&'static str, char) {
    let own = of(op).1;
    if own.is_empty() || random.percent(15) {
        let other = of(random.pick(FORMS).0).1;
        return if other.is_empty() { ("axis", 'i') } else { *random.pick(&other) };
    }
    *random.pick(&own)
}

/// Any value of a kind: `i` integer, `f` number, `l` integers, `g` numbers, `s` text, `n` texts, `t` tensor.
pub fn hostile_value(kind: char, random: &mut Random) -> Attribute {
    let count = random.below(6);
    match kind {
        'i' => Attribute::Int(random.boundary()),
        'f' => Attribute::Float(random.boundary_float()),
        'l' => Attribute::Ints((0..count).map(|_| random.boundary()).collect()),
        'g' => Attribute::Floats((0..count).map(|_| random.boundary_float()).collect()),
        's' => Attribute::String(text("", random)),
        'n' => Attribute::Strings((0..count).map(|_| text("", random)).collect()),
        _ => Attribute::Tensor(match random.below(4) {
            0 => Tensor::f32(&[1], &[random.boundary_float()]),
            1 => Tensor::i64(&[random.boundary()]),
            2 => Tensor { kind: ElementType::F32, shape: vec![0, 4], bytes: Default::default() },
            _ => Tensor::f32(&[2, 2], &[0.5; 4]),
        }),
    }
}

/// A value that makes sense for most uses on a wire of `rank` axes.
pub fn sane_value(op: &str, name: &str, kind: char, rank: usize, random: &mut Random) -> Attribute {
    let rank = rank.max(1) as i64;
    let small = |random: &mut Random, first, last, count| {
        Attribute::Ints((0..count).map(|_| random.within(first, last)).collect())
    };
    match (name, kind) {
        ("axis", _) => Attribute::Int(random.within(-rank, rank - 1)),
        ("axes", 'l') => small(random, -rank, rank - 1, 1),
        ("perm", _) => {
            let mut order: Vec<i64> = (0..rank).collect();
            (1..order.len()).for_each(|at| order.swap(at, random.below(at + 1)));
            Attribute::Ints(order)
        }
        ("kernel_shape", _) => small(random, 1, 3, rank - 2),
        ("strides" | "dilations", _) => small(random, 1, 2, rank - 2),
        ("pads", _) if op == "Pad" => small(random, 0, 2, 2 * rank),
        ("pads", _) => small(random, 0, 1, 2 * (rank - 2)),
        ("to", _) => Attribute::Int(*random.pick(&[1, 1, 1, 6, 7, 9, 10, 11])),
        ("blocksize" | "p" | "num_groups" | "num_outputs", _) => Attribute::Int(random.within(1, 3)),
        ("size", _) => Attribute::Int(random.within(1, 5)),
        ("group", _) => Attribute::Int(*random.pick(&[1, 1, 2, 4])),
        (_, 'i') => Attribute::Int(random.within(0, 1)),
        (_, 'l') => small(random, 0, 3, rank),
        (_, 'f') if name == "epsilon" => Attribute::Float(1e-5),
        (_, 'f') => Attribute::Float(random.float()),
        (_, 'g') => Attribute::Floats((0..rank).map(|_| 1.0 + random.below(2) as f32).collect()),
        (_, 's') => Attribute::String(text(name, random)),
        _ => hostile_value(kind, random),
    }
}

/// A text that some attribute has; mostly one of `name`.
fn text(name: &str, random: &mut Random) -> Vec<u8> {
    let own: &[&str] = match name {
        "auto_pad" => &["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"],
        "mode" => &["nearest", "linear", "cubic", "constant", "edge", "reflect", "wrap", "DCR", "CRD"],
        "coordinate_transformation_mode" => {
            &["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "tf_crop_and_resize"]
        }
        "nearest_mode" => &["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"],
        "approximate" => &["none", "tanh"],
        "equation" => &["bchw,kc->bkhw", "bchw,bchw->bc", "...ij,jk->...ik", "ij,jk->ik", "ij->ji", "ii", "a->aaaa"],
        _ => &["", "NOTSET", "->", "...", "i,j,k,l->ijkl", "aaaaaaaaaaaaaaaaaaaaaaaa", "ij,jk->ik", "\u{1F600}", "\0"],
    };
    random.pick(own).as_bytes().to_vec()
}
