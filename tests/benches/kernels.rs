//! The network's kernels alone, and what a core can do at most: `cargo bench --bench kernels`.
//!
//! Elements are multiply-adds, so that criterion's Gelem/s are G multiply-adds per second.

// The program's own source, not its library: kernels are nobody else's interface.
#[allow(dead_code, unused_imports)]
#[path = "../../src/kernels/mod.rs"]
mod kernels;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kernels::Isa;
use kernels::arena::Arena;
use kernels::depthwise::{self, Depthwise, depthwise};
use kernels::finish::{Activation, Finish};
use kernels::product::{self, Product, product};
use std::hint::black_box;

const RELU6: Finish = Finish { activation: Activation::Clip { low: 0.0, high: 6.0 }, last: Activation::None };

/// Pixels, channels before and after: 1×1 convolutions of the default model, and its last layer.
const PRODUCTS: [[usize; 3]; 8] = [
    [3136, 24, 144],
    [784, 240, 40],
    [196, 80, 480],
    [196, 672, 112],
    [49, 192, 1152],
    [49, 1152, 192],
    [49, 320, 1280],
    [1, 1280, 1000],
];

/// Side, channels, kernel and stride of depthwise ones.
const DEPTHWISE: [[usize; 4]; 6] =
    [[112, 32, 3, 1], [112, 96, 3, 2], [56, 144, 3, 1], [28, 240, 5, 1], [14, 480, 3, 1], [7, 1152, 5, 1]];

fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("product");
    for [pixels, depth, outputs] in PRODUCTS {
        group.throughput(Throughput::Elements((pixels * depth * outputs) as u64));
        for isa in Isa::all() {
            let weights = product::Packed::new(*isa, &vec![0.01; depth * outputs], None, outputs);
            let output_step = outputs.next_multiple_of(isa.lanes());
            let (taps, outputs_at) = ([0], [(pixels * depth).next_multiple_of(16)]);
            let arena = Arena::new(outputs_at[0] + pixels * output_step);
            let call = Product {
                weights: &weights,
                panels: 0..weights.panels(),
                taps: &taps,
                run: depth,
                step: depth,
                outputs: &outputs_at,
                output_step,
                residuals: None,
                pixels,
                finish: RELU6,
            };
            let name = BenchmarkId::new(format!("{pixels}x{depth}x{outputs}"), isa);
            group.bench_function(name, |bencher| bencher.iter(|| product(*isa, &arena, black_box(&call))));
        }
    }
}

fn depthwise_windows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("depthwise");
    for [side, channels, kernel, stride] in DEPTHWISE {
        let pixels = side / stride;
        group.throughput(Throughput::Elements((pixels * pixels * channels * kernel * kernel) as u64));
        for isa in Isa::all() {
            let weights =
                depthwise::Packed::new(*isa, &vec![0.1; kernel * kernel * channels], None, [kernel; 2], channels);
            let step = channels.next_multiple_of(isa.lanes());
            let pitch = (side + kernel) * step;
            let rows: Vec<usize> =
                (0..pixels).flat_map(|y| (0..kernel).map(move |row| (y * stride + row) * pitch)).collect();
            let outputs: Vec<usize> = (0..pixels).map(|y| (side + kernel) * pitch + y * pixels * step).collect();
            let arena = Arena::new((side + kernel) * pitch + pixels * pixels * step);
            let call = Depthwise {
                weights: &weights,
                vectors: 0..weights.vectors(),
                rows: &rows,
                step,
                dilation: 1,
                stride,
                outputs: &outputs,
                output_step: step,
                residuals: None,
                pixels,
                finish: RELU6,
            };
            let name = BenchmarkId::new(format!("{side}x{side}x{channels}, {kernel}x{kernel}/{stride}"), isa);
            group.bench_function(name, |bencher| bencher.iter(|| depthwise(*isa, &arena, black_box(&call))));
        }
    }
}

/// As many multiply-adds as a core can do: sums that do not wait for each other, all in registers.
fn peak(criterion: &mut Criterion) {
    const ROUNDS: usize = 100_000;
    const SUMS: usize = 12;
    let mut group = criterion.benchmark_group("peak");
    macro_rules! peak {
        ($name:literal, $lanes:literal, $features:literal, $vector:ty, $splat:path, $fma:path) => {{
            #[target_feature(enable = $features)]
            fn run() -> [$vector; SUMS] {
                let (factor, term) = (black_box($splat(0.999)), black_box($splat(0.001)));
                let mut sums = [term; SUMS];
                for _ in 0..ROUNDS {
                    sums.iter_mut().for_each(|sum| *sum = $fma(*sum, factor, term));
                }
                sums
            }
            group.throughput(Throughput::Elements((ROUNDS * SUMS * $lanes) as u64));
            // SAFETY: called where the machine has the instructions.
            group.bench_function($name, |bencher| bencher.iter(|| black_box(unsafe { run() })));
        }};
    }
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{__m256, __m512, _mm256_fmadd_ps, _mm256_set1_ps, _mm512_fmadd_ps, _mm512_set1_ps};
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            peak!("AVX2", 8, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps);
        }
        if is_x86_feature_detected!("avx512f") {
            peak!("AVX-512", 16, "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps);
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        use std::arch::aarch64::{float32x4_t, vdupq_n_f32, vfmaq_f32};
        peak!("NEON", 4, "neon", float32x4_t, vdupq_n_f32, vfmaq_f32);
    }
    group.finish();
}

criterion_group!(benches, peak, products, depthwise_windows);
criterion_main!(benches);
