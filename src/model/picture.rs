//! The picture among a classifier's inputs.

use super::metadata::Metadata;
use crate::error::{Error, Result};
use crate::onnx::few;
use crate::onnx::graph::{Attribute, ElementType, Graph, Node, Port};

/// The longest side of a picture that a network may want.
const MAX_SIDE: usize = 4096;

/// Gives the graph's input the fixed shape `[1, 3, H, W]`. The batch is set to 1, a symbolic height and width to `size`
/// (width, height) or what the metadata says. A picture whose colours come last is transposed in the graph; whether it was is
/// returned, for [`restore`].
///
/// # Errors
/// [`Error::Model`] says why the input is no picture, or that its size must be given.
pub fn fix(graph: &mut Graph, metadata: &Metadata, size: Option<(usize, usize)>) -> Result<bool> {
    let file = graph.file.clone();
    let refuse = |reason: String| Err(Error::model(&file, reason));
    let [port] = graph.inputs.as_slice() else {
        let names: Vec<&str> = graph.inputs.iter().map(|port| port.name.as_str()).collect();
        return refuse(format!(
            "a classifier has one input, the picture; this one has {}: {}",
            names.len(),
            few(&names)
        ));
    };
    let name = port.name.clone();
    if port.kind != ElementType::F32 {
        return refuse(format!(
            "its input `{name}` is {:?}; a picture of F32 values is needed: export the network without its own decoding \
             and scaling of pictures",
            port.kind
        ));
    }
    let (colours_last, height, width) = match port.shape.as_deref() {
        Some([_, Some(3), height, width]) => (false, *height, *width),
        Some([_, height, width, Some(3)]) => (true, *height, *width),
        Some([_, None, height, width]) => (false, *height, *width),
        Some(shape) => {
            let side = |side: &Option<usize>| side.map_or("?".to_owned(), |side| side.to_string());
            let sides: Vec<String> = shape.iter().map(side).collect();
            return refuse(format!(
                "its input `{name}` has shape [{}]; a picture of three colours, [1, 3, height, width] or [1, height, width, \
                 3], is needed",
                sides.join(", ")
            ));
        }
        None => {
            return refuse(format!("its input `{name}` has no shape; a picture [1, 3, height, width] is needed"));
        }
    };
    let stored = metadata.preprocessing.as_ref().map(|stored| (stored.width, stored.height));
    let wanted = size.or(stored);
    if let (Some((wide, high)), true) = (size, height.is_some() || width.is_some())
        && (width.is_some_and(|width| width != wide) || height.is_some_and(|height| height != high))
    {
        let side = |side: Option<usize>| side.map_or("any".to_owned(), |side| side.to_string());
        return refuse(format!(
            "its input `{name}` is {}×{} pixels (width×height), which cannot be made {wide}×{high}",
            side(width),
            side(height)
        ));
    }
    let height = height.or(wanted.map(|(_, height)| height));
    let width = width.or(wanted.map(|(width, _)| width));
    let (Some(height), Some(width)) = (height, width) else {
        return refuse(format!(
            "its input `{name}` takes pictures of any size; say which it was trained with, such as --input-size 224x224"
        ));
    };
    if !(1..=MAX_SIDE).contains(&height) || !(1..=MAX_SIDE).contains(&width) {
        return refuse(format!(
            "its input `{name}` wants {width}×{height} pixels; 1×1 to {MAX_SIDE}×{MAX_SIDE} are supported"
        ));
    }
    graph.inputs[0] = Port::f32(&name, &[1, 3, height, width]);
    if colours_last {
        let inside = graph.free_name(&name);
        graph.rename(&name, &inside);
        graph.inputs[0].name = name.clone();
        let transpose = Node {
            name: format!("{inside}/colours_last"),
            op: "Transpose".to_owned(),
            inputs: vec![name],
            outputs: vec![inside],
            attributes: [("perm".to_owned(), Attribute::Ints(vec![0, 2, 3, 1]))].into(),
        };
        graph.nodes.insert(0, transpose);
    }
    Ok(colours_last)
}

/// Gives a graph whose picture was transposed by [`fix`] the input `[1, H, W, 3]` that its file had.
pub fn restore(graph: &mut Graph) {
    let Some([_, _, Some(height), Some(width)]) = graph.inputs[0].shape.as_deref() else { return };
    let shape = [1, *height, *width, 3];
    let transpose = graph.nodes.remove(0);
    let (name, inside) = (&transpose.inputs[0], &transpose.outputs[0]);
    // Who reads the planes is behind the transposition.
    graph.rename(inside, name);
    graph.inputs[0] = Port::f32(name, &shape);
}
