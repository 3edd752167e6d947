//! The largest eigenvalue of a symmetric matrix, with a vector.

/// Steps of inverse iteration; each brings a vector closer by the ratio of the rounding to the gap.
const STEPS: usize = 4;
/// ‖T·v − λ·v‖ relative to λ that counts as found, some thousand times the rounding of f64.
const FOUND: f64 = 1e-12;

/// In eight partial sums, which the compiler may compute side by side.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut lanes = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        (0..8).for_each(|lane| lanes[lane] += a[lane] * b[lane]);
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f64>() + rest
}

/// The largest eigenvalue of a symmetric matrix with no negative ones, and an eigenvector of length 1. Only the lower
/// triangle of `matrix` is read; it is overwritten. `None` where the matrix is 0 or holds what is not a finite number.
///
/// Householder's tridiagonal form, then bisection for the value (Golub, Van Loan, "Matrix Computations", 4th edition,
/// sections 8.3.1 and 8.4.1), then inverse iteration for the vector. Each of them ends after a fixed number of steps
/// whatever the eigenvalues are.
pub fn leading(matrix: &mut [f64], size: usize) -> Option<(f64, Vec<f64>)> {
    // Scaled, so that no product leaves the range of f64.
    let largest = matrix.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    if largest == 0.0 || !matrix.iter().all(|value| value.is_finite()) {
        return None;
    }
    matrix.iter_mut().for_each(|value| *value /= largest);
    let (diagonal, beside, reflections) = tridiagonal(matrix, size);
    let value = largest_eigenvalue(&diagonal, &beside);
    let mut vector = eigenvector(&diagonal, &beside, value);
    // Back from the tridiagonal form: the reflections in reverse order.
    for (step, scale) in reflections.iter().enumerate().rev() {
        let normal = |row: usize| matrix[row * size + step];
        let along: f64 = (step + 1..size).map(|row| normal(row) * vector[row]).sum();
        (step + 1..size).for_each(|row| vector[row] -= scale * along * normal(row));
    }
    Some((value * largest, vector))
}

/// Reduces to tridiagonal form: the diagonal, the values beside it, and for each column the factor 2/‖n‖² of its
/// reflection, whose normal n is left in that column below the diagonal.
fn tridiagonal(matrix: &mut [f64], size: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut beside = vec![0.0; size.saturating_sub(1)];
    let mut scales = vec![0.0; size.saturating_sub(1)];
    let (mut normal, mut product) = (vec![0.0; size], vec![0.0; size]);
    for step in 0..size.saturating_sub(1) {
        let rest = step + 1..size;
        let length = rest.clone().map(|row| matrix[row * size + step].powi(2)).sum::<f64>().sqrt();
        let first = matrix[(step + 1) * size + step];
        // Away from the first value, so that nothing cancels.
        let image = if first > 0.0 { -length } else { length };
        beside[step] = image;
        let norm = 2.0 * length * (length + first.abs());
        if norm == 0.0 {
            continue;
        }
        matrix[(step + 1) * size + step] = first - image;
        let scale = 2.0 / norm;
        scales[step] = scale;
        // B − n·qᵀ − q·nᵀ with p = s·B·n and q = p − (s/2)·(pᵀn)·n. Only the lower half is kept.
        for row in rest.clone() {
            normal[row] = matrix[row * size + step];
            product[row] = 0.0;
        }
        for row in rest.clone() {
            let line = &matrix[row * size + step + 1..][..row - step];
            let (before, diagonal) = (&line[..line.len() - 1], line[line.len() - 1]);
            let columns = step + 1..row;
            product[row] += dot(before, &normal[columns.clone()]) + diagonal * normal[row];
            let across = normal[row];
            product[columns].iter_mut().zip(before).for_each(|(to, value)| *to += value * across);
        }
        let along = scale * dot(&product[rest.clone()], &normal[rest.clone()]);
        for row in rest.clone() {
            product[row] = scale * (product[row] - along / 2.0 * normal[row]);
        }
        for row in rest.clone() {
            let (n, q) = (normal[row], product[row]);
            let line = matrix[row * size + step + 1..][..row - step].iter_mut();
            let others = product[step + 1..=row].iter().zip(&normal[step + 1..=row]);
            line.zip(others).for_each(|(value, (other_q, other_n))| *value -= n * other_q + q * other_n);
        }
    }
    ((0..size).map(|at| matrix[at * size + at]).collect(), beside, scales)
}

/// By bisection between Gershgorin's bound and the largest diagonal value: the number of eigenvalues below x is the
/// number of negative pivots of T − x.
fn largest_eigenvalue(diagonal: &[f64], beside: &[f64]) -> f64 {
    let side = |at: Option<usize>| at.and_then(|at| beside.get(at)).map_or(0.0, |value| value.abs());
    let reach = |(at, value): (usize, &f64)| value + side(at.checked_sub(1)) + side(Some(at));
    let mut high = diagonal.iter().enumerate().map(reach).fold(f64::NEG_INFINITY, f64::max);
    let mut low = diagonal.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let all_below = |x: f64| {
        let mut pivot = diagonal[0] - x;
        for (value, beside) in diagonal[1..].iter().zip(beside) {
            if pivot >= 0.0 {
                return false;
            }
            pivot = value - x - beside * beside / pivot;
        }
        pivot < 0.0
    };
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return high;
        }
        if all_below(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
}

/// A vector of length 1 with T·v = λ·v. The starts are the axes; of these one at least is not at right angles to it.
fn eigenvector(diagonal: &[f64], beside: &[f64], value: f64) -> Vec<f64> {
    let size = diagonal.len();
    let mut best = (f64::INFINITY, vec![0.0; size]);
    for start in 0..size {
        let mut vector = vec![0.0; size];
        vector[start] = 1.0;
        for _ in 0..STEPS {
            solve(diagonal, beside, value, &mut vector);
            let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
            vector.iter_mut().for_each(|x| *x /= length);
        }
        let row = |at: usize| {
            let before = if at > 0 { beside[at - 1] * vector[at - 1] } else { 0.0 };
            let after = if at + 1 < size { beside[at] * vector[at + 1] } else { 0.0 };
            before + (diagonal[at] - value) * vector[at] + after
        };
        let residual = (0..size).map(|at| row(at).powi(2)).sum::<f64>().sqrt();
        if residual < best.0 {
            best = (residual, vector);
        }
        if best.0 <= FOUND * value {
            break;
        }
    }
    best.1
}

/// (T − λ)⁻¹·b into `b`, by elimination with exchange of rows; a pivot of 0 is replaced by a tiny one, since only the
/// direction counts.
fn solve(diagonal: &[f64], beside: &[f64], value: f64, b: &mut [f64]) {
    let size = diagonal.len();
    let tiny = f64::EPSILON * value.abs().max(f64::MIN_POSITIVE);
    // Each row holds its pivot and the two values to the right of it.
    let mut rows = vec![[0.0; 3]; size];
    let right = |at: usize| beside.get(at).copied().unwrap_or(0.0);
    let mut current = [diagonal[0] - value, right(0), 0.0];
    for at in 0..size - 1 {
        let mut below = [beside[at], diagonal[at + 1] - value, right(at + 1)];
        if below[0].abs() > current[0].abs() {
            std::mem::swap(&mut below, &mut current);
            b.swap(at, at + 1);
        }
        if current[0].abs() < tiny {
            current[0] = tiny;
        }
        let factor = below[0] / current[0];
        rows[at] = current;
        b[at + 1] -= factor * b[at];
        current = [below[1] - factor * current[1], below[2] - factor * current[2], 0.0];
    }
    if current[0].abs() < tiny {
        current[0] = tiny;
    }
    rows[size - 1] = current;
    for at in (0..size).rev() {
        let known = |step: usize| b.get(at + step).map_or(0.0, |x| rows[at][step] * x);
        b[at] = (b[at] - known(1) - known(2)) / rows[at][0];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// ‖M·v − λ·v‖ and the largest Rayleigh quotient over random directions, relative to λ.
    fn check(matrix: &[f64], size: usize) {
        let (value, vector) = leading(&mut matrix.to_vec(), size).expect("the matrix is not 0");
        let times = |v: &[f64]| -> Vec<f64> {
            (0..size).map(|row| (0..size).map(|column| matrix[row * size + column] * v[column]).sum()).collect()
        };
        let residual = times(&vector).iter().zip(&vector).map(|(m, v)| (m - value * v).powi(2)).sum::<f64>().sqrt();
        assert!(residual <= 1e-11 * value, "residual {residual:e} at {value}");
        assert!((vector.iter().map(|v| v * v).sum::<f64>() - 1.0).abs() < 1e-12);
        for axis in 0..size {
            assert!(matrix[axis * size + axis] <= value * (1.0 + 1e-12), "an axis has a larger quotient");
        }
    }

    proptest! {
        #[test]
        fn the_pair_is_one_of_the_matrix_and_no_power_finds_a_larger(size in 1usize..14, columns in 1usize..14, values in prop::collection::vec(-3i8..4, 196)) {
            let x = |row: usize, column: usize| f64::from(values[row * 14 + column]);
            let gram: Vec<f64> = (0..size * size).map(|at| (0..columns).map(|c| x(at / size, c) * x(at % size, c)).sum()).collect();
            if gram.iter().any(|value| *value != 0.0) {
                check(&gram, size);
                let (value, _) = leading(&mut gram.clone(), size).expect("the matrix is not 0");
                // λ is the largest where M/λ to a high power stays bounded: its trace is at most the size.
                let mut power: Vec<f64> = gram.iter().map(|entry| entry / (value * (1.0 + 1e-9))).collect();
                for _ in 0..20 {
                    let square = |at: usize| (0..size).map(|k| power[at / size * size + k] * power[k * size + at % size]).sum();
                    power = (0..size * size).map(square).collect();
                }
                let trace: f64 = (0..size).map(|at| power[at * size + at]).sum();
                prop_assert!(trace <= size as f64);
            }
        }
    }

    #[test]
    fn equal_and_split_eigenvalues_have_a_vector_too() {
        let identity: Vec<f64> = (0..25).map(|at| f64::from(u8::from(at % 6 == 0))).collect();
        check(&identity, 5);
        // Blocks [[2,1],[1,2]] twice: 3 is an eigenvalue twice.
        check(&[2.0, 1.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 2.0, 1.0, 0.0, 0.0, 1.0, 2.0], 4);
        check(&[7.0], 1);
        assert_eq!(leading(&mut [0.0; 9], 3), None);
        assert_eq!(leading(&mut [f64::NAN, 0.0, 0.0, 1.0], 2), None);
    }
}
