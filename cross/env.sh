# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
#
# Sourced, with `cross` set to aarch64 or armv7. Tells cargo and build scripts which C compiler links and compiles for
# the target, bindgen where its headers are, and `cargo test` and `cargo run` how to start what was built.
# Sets `target` (Rust's name), `gnu` (of the C compiler), `zig`, `deb_arch` (Debian's) and `emulator` (an array).

case ${cross:?} in
  aarch64)
    target=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu deb_arch=arm64 zig=aarch64-linux-gnu
    emulator=(qemu-aarch64-static -cpu cortex-a72 -L "/usr/$gnu")
    ;;
  armv7)
    target=armv7-unknown-linux-gnueabihf gnu=arm-linux-gnueabihf deb_arch=armhf zig=arm-linux-gnueabihf
    emulator=(qemu-arm-static -cpu cortex-a15 -L "/usr/$gnu")
    # The inference engine looks for NEON in /proc/cpuinfo, which under the emulator is the host's.
    export TRACT_CPU_ARM32_NEON=${TRACT_CPU_ARM32_NEON:-true}
    ;;
  *) echo "cross: unknown target $cross (aarch64 or armv7)" >&2; exit 2 ;;
esac

lower=${target//-/_}
upper=$(printf '%s' "$lower" | tr '[:lower:]' '[:upper:]')
export "CC_$lower=$gnu-gcc" "CXX_$lower=$gnu-g++" "AR_$lower=$gnu-ar" "CARGO_TARGET_${upper}_LINKER=$gnu-gcc"
export "BINDGEN_EXTRA_CLANG_ARGS_$lower=-isystem /usr/$gnu/include"
export "CARGO_TARGET_${upper}_RUNNER=${emulator[*]}"
