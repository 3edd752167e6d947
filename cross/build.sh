#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# build.sh aarch64|armv7 [build|test|rustc] [CARGO OPTIONS…]
#
# Builds gradcam for an ARM board on a Debian or Ubuntu PC (or, with `test`, builds and runs a test under the
# emulator: build.sh aarch64 test --lib kernels). The standard library of the target comes from rustup if it is there
# (rustup target add TARGET), else from Debian (debian-rust.sh). What is built lies in target/cross/TARGET/release.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
cross=${1:?usage: build.sh aarch64|armv7 [build|test|rustc] [CARGO OPTIONS…]}
shift
. "$here/env.sh"
verb=build
case ${1:-} in build | test | rustc) verb=$1; shift ;; esac

has_std() { [ -n "$(find "$("$1" --print sysroot)/lib/rustlib/$target/lib" -name 'libstd-*.rlib' 2>/dev/null)" ]; }
options=()
if ! has_std "${RUSTC:-rustc}"; then
  debian=$PWD/target/debian/rust
  if [ ! -e "$debian/ready-$deb_arch" ]; then
    echo "cross: rustup has no $target here; fetching Debian's compiler" >&2
    "$here/debian-rust.sh" "$debian" arm64 armhf
    touch "$debian/ready-arm64" "$debian/ready-armhf"
  fi
  export RUSTC=$debian/bin/rustc RUSTDOC=$debian/bin/rustdoc
  if ! has_std "$RUSTC"; then
    # The library is compiled from its source, of the very version of this compiler; cargo calls that unstable.
    export RUSTC_BOOTSTRAP=1
    options+=(-Zbuild-std=std,panic_unwind)
  fi
fi
# A folder of its own: another compiler than the machine's must not rebuild what that one has built.
export CARGO_TARGET_DIR=$PWD/target/cross
[ "$verb" = test ] || options+=(--bin gradcam)
cargo "$verb" --release --locked --target "$target" "${options[@]}" "$@"
[ "$verb" = build ] || exit 0

program=$CARGO_TARGET_DIR/$target/release/gradcam
"$gnu-strip" -o "$program.stripped" "$program"
echo "target/cross/$target/release/gradcam: $(stat -c %s "$program") bytes, stripped $(stat -c %s "$program.stripped")"
"$gnu-readelf" -d "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/  needs \1/p'
echo "  needs $("$gnu-readelf" -V "$program" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)"
