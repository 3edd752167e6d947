#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# test-arm.sh [aarch64|armv7…]
#
# Builds for both ARM targets (or those named) and runs under QEMU's user emulation, on this machine's processor:
#
#   maps      both photographs of tests/data/lite0 get their class, and PyTorch's map within 1e-4 relative L2
#   vectors   which vector instructions were reached, and in whose functions: our NEON kernels on aarch64, tract's on armv7
#   bench     `gradcam bench` runs, with the engine and the kernels that are meant for the processor
#   kernels   every kernel equals its scalar twin, and the fused engine the plain interpreter on random programs
#   models    aarch64: the default model and the zoo against PyTorch, and the fused engine against tract and ONNX Runtime
#
# Needs GRADCAM_TEST_PYTHON, as all reference tests do (`make test-arm` sees to it).
# A cold build takes about 25 minutes of one core for each target. The tests of a target may take GRADCAM_ARM_SECONDS
# (2400); what does not fit is named, and fails. A target that this machine has no emulator or compiler for is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- aarch64 armv7
budget=${GRADCAM_ARM_SECONDS:-2400}
failed=()

# Runs the function of this name.
check() {
  local begin=$SECONDS said=ok
  if [ "$begin" -ge "$deadline" ]; then
    said="NOT RUN: the $budget s are over (GRADCAM_ARM_SECONDS=… gives more)"
  else
    "$1" || said=FAILED
    [ "$SECONDS" -lt "$deadline" ] || said="CUT OFF: the $budget s are over (GRADCAM_ARM_SECONDS=… gives more)"
  fi
  echo "test-arm: $cross $1: $said, $((SECONDS - begin)) s"
  [ "$said" = ok ] || failed+=("$cross $1")
}

# Functions that `check` runs have no `set -e`: each is one chain of commands.
limited() { timeout --foreground "$((deadline - SECONDS))" "$@"; }

maps() {
  GRADCAM_TEST_PROGRAM="${emulator[*]} $program" limited cargo test --quiet --release --locked --test it -- \
    --exact --nocapture cli_explain::both_photographs_have_the_maps_of_pytorch
}

# The emulator lists each piece of code when it is reached first. Whose it is tell the program's symbols: those of assembly
# have no length, so that a place belongs to the last one before it. `.name` is a label within a function.
vectors() {
  limited "${emulator[0]}" -d in_asm,page -D "$scratch/log" "${emulator[@]:1}" "$program" explain \
    tests/data/lite0/chelsea_224.png -o "$scratch" >/dev/null &&
    { functions && reached; } | sort |
    awk -v whose="$whose" '$2 == "f" { of = $3 } $2 == "v" && of ~ whose { found[of]++ }
      END { for (of in found) print found[of], of }' | sort -rn >"$scratch/vectors" &&
    head -n 5 "$scratch/vectors" && [ -s "$scratch/vectors" ]
}

functions() {
  "$gnu-nm" --defined-only "$program" |
    awk '$2 ~ /^[tTwW]$/ && $3 !~ /^[.$]/ { at = "0000000000000000" $1; print substr(at, length(at) - 15), "f", $3 }'
}

reached() {
  local begin end at
  begin=$(sed -n 's/^start_code *//p' "$scratch/log" | tail -n 1)
  end=$(sed -n 's/^end_code *//p' "$scratch/log" | tail -n 1)
  grep -E "$vector" "$scratch/log" | sed 's/:.*//' | sort -u | while read -r at; do
    if ((at >= begin && at < end)); then printf '%016x v\n' $((at - begin)); fi
  done
}

bench() {
  limited "${emulator[@]}" "$program" bench --iterations 1 --json >"$scratch/bench" &&
    grep -E '"(engine|instructions|fps)"' "$scratch/bench" &&
    grep -q "\"engine\": \"$engine\"" "$scratch/bench" && grep -q "\"instructions\": \"$kernels\"" "$scratch/bench"
}

kernels() { limited cross/build.sh "$cross" test --quiet --lib -- kernels:: engine::; }

models() { limited cross/build.sh "$cross" test --quiet --test it -- --nocapture golden:: fused::zoo::; }

for cross in "$@"; do
  . cross/env.sh
  lacking=
  for tool in "${emulator[0]}" "$gnu-gcc"; do command -v "$tool" >/dev/null || lacking="$lacking $tool"; done
  if [ -n "$lacking" ]; then
    echo "test-arm: $cross: skipped, this machine has no$lacking (sh cross/host-packages.sh cross)"
    continue
  fi
  case $cross in
    # A product by a vector, or by one lane of it, in functions of ours.
    aarch64) tests=(--lib --test it) engine=fused kernels=NEON vector='fmla' whose='gradcam.*(kernels|fused)' ;;
    armv7) tests=(--lib) engine=tract kernels=scalar vector='vmla.f32.*q[0-9]' whose='neon' ;;
  esac
  cross/build.sh "$cross"
  cross/build.sh "$cross" test "${tests[@]}" --no-run
  cargo test --release --locked --test it --no-run
  program=$PWD/target/cross/$target/release/gradcam
  scratch=$(mktemp -d)
  deadline=$((SECONDS + budget))
  check maps
  check vectors
  check bench
  check kernels
  if [ "$cross" = aarch64 ]; then
    check models
  else
    echo "test-arm: $cross models: skipped, they run the same Rust code as on aarch64, two to three times as long"
  fi
  rm -rf "$scratch"
done
[ ${#failed[@]} -eq 0 ] || { printf 'test-arm: not shown: %s\n' "${failed[@]}"; exit 1; }
