#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# deb.sh amd64|arm64|armhf [PROGRAM]
#
# Packs gradcam for Debian and its relatives: target/package/gradcam_VERSION_ARCH.deb, for armhf a tarball of the same
# files. PROGRAM is the one to pack, by default what `cargo build --release` or cross/build.sh has built. The manual pages
# and the completions come from the program of this machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
arch=${1:?usage: deb.sh amd64|arm64|armhf [PROGRAM]}
case $arch in
  amd64) target=x86_64-unknown-linux-gnu gnu=x86_64-linux-gnu built=target/release/gradcam ;;
  arm64) target=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu built=target/cross/$target/release/gradcam ;;
  armhf) target=armv7-unknown-linux-gnueabihf gnu=arm-linux-gnueabihf built=target/cross/$target/release/gradcam ;;
  *) echo "deb.sh: unknown architecture $arch" >&2; exit 2 ;;
esac
program=${2:-$built}
strip=$gnu-strip
command -v "$strip" > /dev/null || strip=strip
version=$(sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n 1)
stage=target/package
rm -rf "$stage/man" "$stage/completions" "$stage/doc"
mkdir -p "$stage/completions" "$stage/doc" "$stage/$target/release"

target/release/examples/man "$stage/man"
target/release/gradcam completions bash > "$stage/completions/gradcam.bash"
target/release/gradcam completions zsh > "$stage/completions/_gradcam"
target/release/gradcam completions fish > "$stage/completions/gradcam.fish"
cp cross/package/gradcam.default "$stage/default"
gzip -9n < CHANGELOG.md > "$stage/doc/changelog.gz"
cp README.md docs/hardware.md docs/troubleshooting.md docs/how-it-works.md docs/models.md docs/glossary.md "$stage/doc"
{
  echo "gradcam ($version-1) unstable; urgency=medium"
  printf '\n  * What changed and why: changelog.gz in this folder.\n\n'
  echo " -- $(sed -n 's/^maintainer = "\(.*\)"/\1/p' Cargo.toml)  $(date -uR -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}")"
} > "$stage/changelog"
# What is compiled in, with its licence.
cargo tree --locked --prefix none --edges normal --target "$target" --format '{p} {l}' |
  grep -v '^gradcam ' | sed 's/ (\*)$//' | sort -u > "$stage/doc/libraries.txt"
"$strip" --strip-unneeded -R .comment -o "$stage/$target/release/gradcam" "$program"

deb=$stage/gradcam_${version}_$arch.deb
CARGO_TARGET_DIR=$PWD/$stage cargo deb --no-build --no-strip --locked --target "$target" --output "$deb"
[ "$arch" != armhf ] || {
  dpkg-deb --fsys-tarfile "$deb" | gzip -9n > "$stage/gradcam_${version}_$arch.tar.gz"
  rm "$deb"
  deb=$stage/gradcam_${version}_$arch.tar.gz
}
echo "$deb: $(stat -c %s "$deb") bytes"
