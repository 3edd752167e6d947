//! The values of a graph that do not depend on its inputs.

use std::collections::HashMap;
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::change_axes::AxisOp;
use tract_onnx::tract_core::ops::konst::Const;

pub(super) struct Constants(HashMap<OutletId, Arc<Tensor>>);

impl Constants {
    /// Those that the file holds, and what tract's reader makes of them: casts, other axes, arithmetic.
    pub fn of(model: &TypedModel) -> TractResult<Constants> {
        let mut known: HashMap<OutletId, Arc<Tensor>> = HashMap::new();
        for node in model.eval_order()?.into_iter().map(|id| model.node(id)) {
            let outlet = OutletId::new(node.id, 0);
            if let Some(constant) = node.outputs.first().and_then(|output| output.fact.konst.clone()) {
                known.insert(outlet, constant);
                continue;
            }
            let computable = node.op_is::<Cast>() || node.op_is::<AxisOp>() || node.op_is::<TypedBinOp>();
            let inputs: Option<TVec<TValue>> =
                node.inputs.iter().map(|input| Some(TValue::from_const(known.get(input)?.clone()))).collect();
            if let Some(inputs) = inputs.filter(|inputs| computable && !inputs.is_empty())
                && let Some(outputs) = node.op.eval_out_of_plan(inputs)?
            {
                known.extend(outputs.into_iter().map(|value| (outlet, value.into_arc_tensor())));
            }
        }
        Ok(Constants(known))
    }

    pub fn get(&self, outlet: OutletId) -> Option<&Tensor> {
        self.0.get(&outlet).map(Arc::as_ref)
    }

    /// How many elements they have in all.
    pub fn size(&self) -> usize {
        self.0.values().map(|constant| constant.len()).sum()
    }

    /// Whether a node makes a constant.
    pub fn made_by(&self, node: &TypedNode) -> bool {
        node.op_is::<Const>() || self.0.contains_key(&OutletId::new(node.id, 0))
    }

    /// The elements of a constant of f32, in their order.
    pub fn numbers(&self, outlet: OutletId) -> Result<Vec<f32>, String> {
        let tensor = self.get(outlet).ok_or("its weights are computed")?;
        let view = tensor.to_plain_array_view::<f32>().map_err(|_| "its weights are not float32".to_owned())?;
        Ok(view.iter().copied().collect())
    }
}
