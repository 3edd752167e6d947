#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# zigbuild.sh aarch64|armv7 [GLIBC]
#
# Links gradcam for systems with an older C library than that of this machine's cross compiler: GLIBC (2.31, the one of
# Raspberry Pi OS bullseye). zig brings the symbols of every version; cargo-zigbuild makes a linker of it. Both come from
# PyPI, into target/zig. The program itself is compiled as build.sh compiles it, and what that has compiled is used.
# What was linked lies in target/cross/TARGET/release/gradcam-glibc-GLIBC.
set -euo pipefail
cd "$(dirname "$0")/.."
cross=${1:?usage: zigbuild.sh aarch64|armv7 [GLIBC]}
glibc=${2:-2.31}
. cross/env.sh

if [ ! -e target/zig/ready ]; then
  rm -rf target/zig
  python3 -m venv target/zig
  target/zig/bin/python -m pip install --quiet --disable-pip-version-check ziglang==0.15.2 cargo-zigbuild==0.24.1
  touch target/zig/ready
fi
linker=$PWD/target/zig/link-$cross-$glibc
cat > "$linker" <<LINKER
#!/bin/sh
PATH=$PWD/target/zig/bin:\$PATH
exec cargo-zigbuild zig cc -- -target $zig.$glibc "\$@"
LINKER
chmod +x "$linker"
cross/build.sh "$cross" rustc -- -C "linker=$linker"

# Moved away, so that the usual name is always what build.sh makes: cargo links again when it is asked for that.
folder=target/cross/$target/release
program=$folder/gradcam-glibc-$glibc
mv "$folder/gradcam" "$program"
"$gnu-strip" "$program"
needs=$("$gnu-readelf" -V "$program" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
echo "$program: $(stat -c %s "$program") bytes, needs $needs"
newest=$(printf '%s\n' "$needs" "GLIBC_$glibc" | sort -V | tail -n 1)
if [ "$newest" != "GLIBC_$glibc" ]; then
  echo "zigbuild: $glibc was asked for, but the program needs $needs" >&2
  exit 1
fi
