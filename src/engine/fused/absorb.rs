//! A step that works on each element, made part of the step whose result it reads.

use super::program::{Activation, Step, Work};
use super::uniform;

/// Makes `into` do what `step` does to its result; changes nothing and returns false where it cannot.
///
/// `step` is a [`Work::Scale`]: last(activation(factors · y + bias) + residual) of the result y of `into`.
pub(super) fn absorb(into: &mut Step, step: &Step) -> bool {
    let Work::Scale { factors, .. } = &step.work else { return false };
    if into.residual.is_some() && step.residual.is_some() {
        return false;
    }
    let Some(scaled) = scaled(into, factors.as_deref(), step.bias.as_deref()) else { return false };
    // After a residual sum only `last` is left.
    let before = if into.residual.is_some() { into.last } else { scaled.activation };
    let Some(function) = chained(before, step.activation) else { return false };
    if let Some(numbers) = scaled.numbers {
        match &mut into.work {
            Work::Dense { weights, .. } | Work::Depthwise { weights, .. } => *weights = numbers,
            Work::Scale { factors, .. } => *factors = Some(numbers),
            _ => {}
        }
    }
    into.bias = scaled.bias;
    into.activation = scaled.activation;
    match into.residual {
        Some(_) => into.last = function,
        None => {
            into.activation = function;
            into.residual = step.residual;
            into.last = step.last;
        }
    }
    true
}

/// A step whose result is multiplied and shifted before what else follows.
struct Scaled {
    /// Weights or factors, where they change.
    numbers: Option<Vec<f32>>,
    bias: Option<Vec<f32>>,
    activation: Activation,
}

fn scaled(into: &Step, factors: Option<&[f32]>, offsets: Option<&[f32]>) -> Option<Scaled> {
    let unchanged = Scaled { numbers: None, bias: into.bias.clone(), activation: into.activation };
    let activation = match (into.activation, factors, offsets) {
        (_, None, None) => return Some(unchanged),
        // The residual would have to be scaled, or shifted in its stead.
        (Activation::None, None, Some(_)) if into.last == Activation::None => Activation::None,
        _ if into.residual.is_some() => return None,
        (Activation::None, _, _) => Activation::None,
        // c · clip(y, low, high) = clip(c · y, c · low, c · high) for c > 0.
        (Activation::Clip { low, high }, Some(factors), None) => {
            let factor = uniform(factors).filter(|factor| *factor > 0.0)?;
            Activation::Clip { low: low * factor, high: high * factor }
        }
        _ => return None,
    };
    let numbers = match factors {
        Some(factors) => Some(multiplied(&into.work, factors)?),
        None => None,
    };
    let mut bias = into.bias.clone();
    if let (Some(factors), Some(bias)) = (factors, &mut bias) {
        *bias = products(bias, |at| factors[at])?;
    }
    if let Some(offsets) = offsets {
        bias = Some(match bias {
            Some(bias) => bias.iter().zip(offsets).map(|(bias, offset)| bias + offset).collect(),
            None => offsets.to_vec(),
        });
    }
    let finite = bias.iter().flatten().all(|bias| bias.is_finite());
    finite.then_some(Scaled { numbers, bias, activation })
}

/// The weights or factors that give a result multiplied by `factors`, channel by channel.
fn multiplied(work: &Work, factors: &[f32]) -> Option<Vec<f32>> {
    match work {
        Work::Dense { weights, .. } => {
            let terms = weights.len() / factors.len();
            products(weights, |at| factors[at / terms])
        }
        Work::Depthwise { weights, .. } => products(weights, |at| factors[at % factors.len()]),
        Work::Scale { factors: Some(earlier), .. } => products(earlier, |at| factors[at]),
        Work::Scale { factors: None, .. } => Some(factors.to_vec()),
        _ => None,
    }
}

/// Nothing where products leave the range in which f32 has all its digits.
fn products(numbers: &[f32], factor: impl Fn(usize) -> f32) -> Option<Vec<f32>> {
    let product = |(at, number): (usize, &f32)| {
        let (factor, number) = (factor(at), *number);
        let product = factor * number;
        (product.is_normal() || factor == 0.0 || number == 0.0).then_some(product)
    };
    numbers.iter().enumerate().map(product).collect()
}

/// One function after another, as one.
fn chained(first: Activation, then: Activation) -> Option<Activation> {
    match (first, then) {
        (function, Activation::None) | (Activation::None, function) => Some(function),
        // The second is monotonic, so that the bounds are where it takes those of the first.
        (Activation::Clip { low: a, high: b }, Activation::Clip { low, high }) => {
            Some(Activation::Clip { low: a.max(low).min(high), high: b.max(low).min(high) })
        }
        _ => None,
    }
}
