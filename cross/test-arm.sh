#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# test-arm.sh [aarch64|armv7…]
#
# Runs the ARM programs under QEMU's user emulation: both photographs of tests/data/lite0 must get their class, and
# PyTorch's map within the tolerance that holds for every machine; `bench` must run; the fast kernels must equal their
# scalar twins. Leaves out, with the reason, what this machine has no emulator or compiler for.
# A cold build takes about 25 minutes of two cores for each target, the tests a few minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- aarch64 armv7
seconds=${GRADCAM_ARM_SECONDS:-600} # for each of the tests

for cross in "$@"; do
  (
    . cross/env.sh
    for tool in "${emulator[0]}" "$gnu-gcc"; do
      if ! command -v "$tool" >/dev/null; then
        echo "test-arm: $cross left out: $tool is missing (sh cross/host-packages.sh cross)"
        exit 0
      fi
    done
    cross/build.sh "$cross"
    program=$PWD/target/cross/$target/release/gradcam
    GRADCAM_TEST_PROGRAM="${emulator[*]} $program" timeout "$seconds" \
      cargo test --release --locked --test it -- --exact --nocapture cli_explain::both_photographs_have_the_maps_of_pytorch
    timeout "$seconds" "${emulator[@]}" "$program" bench --iterations 1
    timeout "$((4 * seconds))" cross/build.sh "$cross" test --lib kernels::
  )
done
