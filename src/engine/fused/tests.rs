//! Programs by hand: what becomes one step, and that it still computes the same.

use super::merge::{merge, prune};
use super::naive::Runner;
use super::program::{Activation, Bounds, Program, Shape, Step, Term, Value, Window, Work};

const MAPS: Shape = Shape { height: 1, width: 2, channels: 2 };

fn step(work: Work, output: Value) -> Step {
    let (bias, residual) = (None, None);
    Step { name: String::new(), work, bias, activation: Activation::None, residual, last: Activation::None, output }
}

fn scale(input: Value, factors: Option<[f32; 2]>, output: Value) -> Step {
    step(Work::Scale { input, factors: factors.map(Vec::from) }, output)
}

fn function(input: Value, activation: Activation, output: Value) -> Step {
    Step { activation, ..scale(input, None, output) }
}

fn sum(a: Value, b: Value, output: Value) -> Step {
    Step { residual: Some(b), ..scale(a, None, output) }
}

/// A convolution that adds up both channels, the second time with a minus, and adds 1 and −2.
fn mixed(input: Value, output: Value) -> Step {
    let weights = vec![1.0, 1.0, 1.0, -1.0];
    Step { bias: Some(vec![1.0, -2.0]), ..step(Work::Dense { input, window: Window::POINT, weights }, output) }
}

const RELU: Activation = Activation::Clip { low: 0.0, high: f32::INFINITY };

/// Merges a program over one input, value 0; its outputs for the input 1, 2 and 3, −4 (channels 0 and 1) must not change.
fn merged(steps: Vec<Step>, outputs: &[Value]) -> Program {
    let values = vec![MAPS; 10];
    let program = Program { values, inputs: vec![0], outputs: outputs.to_vec(), steps, ..Program::default() };
    let run = |program: &Program| -> Vec<Vec<f32>> {
        let mut results = vec![vec![0.0; 4]; outputs.len()];
        let mut views: Vec<&mut [f32]> = results.iter_mut().map(Vec::as_mut_slice).collect();
        Runner::new(program).run(&[&[1.0, 2.0, 3.0, -4.0]], &mut views);
        results
    };
    let mut short = program.clone();
    prune(&mut short);
    let mut short = merge(short);
    prune(&mut short);
    // But for the rounding of a result to f32 between two steps.
    let pairs = std::iter::zip(run(&short).concat(), run(&program).concat());
    pairs.for_each(|(a, b)| assert!(a == b || (a - b).abs() <= 1e-6 * b.abs(), "{a} and {b}: {short:?}"));
    short
}

#[test]
fn the_plain_interpreter_by_hand() {
    // Cells (1, 3) and (2, −4): sums 1 + 3 + 1 = 5 and 2 − 4 + 1 = −1, differences 1 − 3 − 2 = −4 and 2 + 4 − 2 = 4.
    let program = Program {
        values: vec![MAPS; 3],
        inputs: vec![0],
        outputs: vec![1, 2],
        steps: vec![mixed(0, 1), Step { activation: RELU, residual: Some(0), ..scale(1, Some([2.0, 3.0]), 2) }],
        ..Program::default()
    };
    let (mut first, mut second) = ([0.0; 4], [0.0; 4]);
    Runner::new(&program).run(&[&[1.0, 2.0, 3.0, -4.0]], &mut [&mut first, &mut second]);
    assert_eq!(first, [5.0, -1.0, -4.0, 4.0]);
    // relu(2·5) + 1, relu(−2) + 2, relu(−12) + 3, relu(12) − 4.
    assert_eq!(second, [11.0, 2.0, 3.0, 8.0]);
    // The same, given and taken cell by cell.
    let program = Program { channels_last: [0, 1].into(), ..program };
    Runner::new(&program).run(&[&[1.0, 3.0, 2.0, -4.0]], &mut [&mut first, &mut second]);
    assert_eq!(first, [5.0, -4.0, -1.0, 4.0]);
    assert_eq!(second, [11.0, 2.0, 3.0, 8.0]);
}

#[test]
fn scales_and_functions_go_into_the_convolution() {
    let steps = vec![
        mixed(0, 1),
        scale(1, Some([2.0, -3.0]), 2),
        Step { bias: Some(vec![0.5, 0.25]), ..scale(2, None, 3) },
        function(3, RELU, 4),
        function(4, Activation::Clip { low: -1.0, high: 6.0 }, 5),
    ];
    let program = merged(steps, &[5]);
    let [step] = program.steps.as_slice() else { panic!("{program:?}") };
    let Work::Dense { weights, .. } = &step.work else { panic!("{step:?}") };
    assert_eq!(*weights, [2.0, 2.0, -3.0, 3.0]);
    // 2·1 + 0.5 and −3·−2 + 0.25.
    assert_eq!(step.bias, Some(vec![2.5, 6.25]));
    assert_eq!(step.activation, Activation::Clip { low: 0.0, high: 6.0 });
}

#[test]
fn what_is_read_twice_or_is_an_output_is_kept() {
    assert_eq!(merged(vec![mixed(0, 1), function(1, RELU, 2)], &[1, 2]).steps.len(), 2);
    let twice = vec![mixed(0, 1), function(1, RELU, 2), scale(1, Some([2.0; 2]), 3), sum(2, 3, 4)];
    assert_eq!(merged(twice, &[4]).steps.len(), 3);
}

#[test]
fn a_sum_goes_into_the_later_term() {
    let program = merged(vec![mixed(0, 1), mixed(1, 2), mixed(2, 3), sum(3, 1, 4), function(4, RELU, 5)], &[5]);
    let last = program.steps.last().expect("there are steps");
    assert_eq!(program.steps.len(), 3);
    assert_eq!((last.residual, last.activation, last.last), (Some(program.steps[0].output), Activation::None, RELU));
    // A function before the sum and one after it; then a factor, which both terms would need, and its own step.
    let program = merged(
        vec![mixed(0, 1), function(1, RELU, 2), sum(0, 2, 3), function(3, RELU, 4), scale(4, Some([2.0, 3.0]), 5)],
        &[5],
    );
    assert_eq!(program.steps.len(), 2);
    assert_eq!((program.steps[0].activation, program.steps[0].last), (RELU, RELU));
}

#[test]
fn products_with_a_function_of_the_same_maps_are_one_function() {
    let swish = |gate: Vec<Step>, of: Value| {
        let product = step(Work::Gate { input: 1, gate: of }, 8);
        merged([vec![mixed(0, 1)], gate, vec![product]].concat(), &[8])
    };
    let program = swish(vec![function(1, Activation::Sigmoid, 2)], 2);
    assert_eq!((program.steps.len(), program.steps[0].activation), (1, Activation::Silu));
    let bounds = Activation::Clip { low: 0.0, high: 1.0 };
    let offset = Step { bias: Some(vec![0.5; 2]), ..scale(2, None, 3) };
    let program = swish(vec![scale(1, Some([0.25; 2]), 2), offset, function(3, bounds, 4)], 4);
    let expected = Activation::HardSwish { slope: 0.25, offset: 0.5 };
    assert_eq!((program.steps.len(), program.steps[0].activation), (1, expected));
    // Another slope for each channel is no such function.
    assert_eq!(swish(vec![scale(1, Some([0.25, 0.5]), 2), function(2, bounds, 3)], 3).steps.len(), 3);
}

#[test]
fn a_factor_of_a_product_goes_to_the_gate() {
    // x · clip(x + 3, 0, 8) / 8 is x · clip(x/8 + 3/8, 0, 1).
    let program = merged(
        vec![
            mixed(0, 1),
            Step { bias: Some(vec![3.0; 2]), ..scale(1, None, 2) },
            function(2, Activation::Clip { low: 0.0, high: 8.0 }, 3),
            step(Work::Gate { input: 1, gate: 3 }, 4),
            scale(4, Some([0.125; 2]), 5),
        ],
        &[5],
    );
    let expected = Activation::HardSwish { slope: 0.125, offset: 0.375 };
    assert_eq!((program.steps.len(), program.steps[0].activation), (1, expected));
}

#[test]
fn choices_of_channels_are_looked_through() {
    let pick = |channels: &[(Value, u32)], output| step(Work::Pick { channels: channels.to_vec() }, output);
    // Swapped, and swapped back: nothing to do.
    let program =
        merged(vec![mixed(0, 1), pick(&[(1, 1), (1, 0)], 2), pick(&[(2, 1), (2, 0)], 3), function(3, RELU, 4)], &[4]);
    assert_eq!(program.steps.len(), 1);
    let program =
        merged(vec![mixed(0, 1), function(0, RELU, 2), pick(&[(1, 1), (2, 0)], 3), pick(&[(3, 1), (3, 1)], 4)], &[4]);
    // Nobody needs the convolution then.
    assert_eq!(program.steps.len(), 2);
}

#[test]
fn numbers_that_leave_the_range_of_f32_are_not_multiplied_together() {
    for (first, second) in [(1e30, 1e30), (1e-30, 1e-30)] {
        let steps = vec![scale(0, Some([first; 2]), 1), scale(1, Some([second; 2]), 2)];
        assert_eq!(merged(steps, &[2]).steps.len(), 2);
    }
}

/// The derivative of a clip: 2·x where x lies between 0 and 2.5, else 0.
#[test]
fn a_choice_by_two_bounds_is_one() {
    let choice = |within: Bounds, yes: Value, output: Value| {
        step(Work::Where { input: 0, within, yes: Term::Maps(yes), no: Term::Number(0.0) }, output)
    };
    let none = Bounds::default();
    let above = choice(Bounds { above: Some(0.0), ..none }, 1, 2);
    let below = choice(Bounds { below: Some(2.5), ..none }, 2, 3);
    let program = merged(vec![scale(0, Some([2.0, 2.0]), 1), above, below.clone()], &[3]);
    let within = Bounds { above: Some(0.0), below: Some(2.5) };
    assert!(matches!(&program.steps[..], [_, Step { work: Work::Where { within: both, .. }, .. }] if *both == within));
    let mut result = vec![0.0; 4];
    Runner::new(&program).run(&[&[1.0, 2.0, 3.0, -4.0]], &mut [&mut result]);
    assert_eq!(result, [2.0, 4.0, 0.0, 0.0]);
    // What is read elsewhere stays, and so does what is zero otherwise for one bound only.
    let above = choice(Bounds { above: Some(0.0), ..none }, 1, 2);
    assert_eq!(merged(vec![scale(0, Some([2.0, 2.0]), 1), above.clone(), below.clone()], &[2, 3]).steps.len(), 3);
    let one = Step {
        work: Work::Where {
            input: 0,
            within: Bounds { above: Some(0.0), ..none },
            yes: Term::Maps(1),
            no: Term::Number(1.0),
        },
        ..above
    };
    assert_eq!(merged(vec![scale(0, Some([2.0, 2.0]), 1), one, below], &[3]).steps.len(), 3);
}
