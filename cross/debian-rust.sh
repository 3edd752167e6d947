#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# debian-rust.sh DIR [ARCH…]
#
# A Rust compiler with the standard library of ARM targets, for machines on which `rustup target add` reaches nothing:
# Debian 13's rustc-web (as new as browsers need it) and its libraries for amd64, arm64 and armhf, unpacked into DIR.
# DIR/bin/rustc and DIR/bin/rustdoc start it; cargo takes them by RUSTC and RUSTDOC. ARCH is arm64 or armhf (both).
# Where the library of an ARCH cannot be had just now, its source is fetched instead (cargo -Zbuild-std compiles it).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/debian-packages.sh"

mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- arm64 armhf
suite=trixie
compiler=rustc-web
std=libstd-rust-web-dev

if [ "$(uname -m)" != x86_64 ]; then
  echo "cross: Debian's compiler is fetched for x86-64 machines only; on this one use rustup" >&2
  exit 1
fi

field() { debian_apt "$dir" amd64 apt-cache show "$1" | sed -n "s/^$2: //p" | head -n 1; }
# The name that a package's dependencies give to what is called $2 plus a version.
dependency() { field "$1" Depends | tr ',' '\n' | sed -n "s/^ *\($2[-.0-9a-z]*\).*/\1/p" | head -n 1; }

version_of() {
  debian_apt "$dir" "$1" apt-cache show "$std" | sed -n 's/^Version: //p' |
    while read -r one; do [ "${one%+b*}" != "${version%+b*}" ] || echo "$one"; done | head -n 1
}

debian_open "$dir" amd64 "$suite"
source=
version=$(field "$std" Version)
runtime=$(dependency "$std" 'libstd-rust-web-[0-9]')
llvm=$(dependency "$runtime" libllvm)
xml=$(dependency "$llvm" libxml2)

rm -rf "$dir/packages" "$dir/root" "$dir/bin"
mkdir -p "$dir/packages" "$dir/root" "$dir/bin"
cd "$dir/packages"
debian_apt "$dir" amd64 apt-get -qq download "$compiler=$version" "$runtime" "$std=$version" "$llvm" "$xml" \
  libc6 libgcc-s1 libstdc++6 zlib1g libzstd1 libffi8 libedit2 libtinfo6 libbsd0 libmd0 liblzma5
for arch in "$@"; do
  # Compiler and standard library must be of the same source; a rebuild (+b1) may be of one architecture alone.
  if debian_open "$dir" "$arch" "$suite" && there=$(version_of "$arch") && [ -n "$there" ]; then
    debian_apt "$dir" "$arch" apt-get -qq download "$std=$there"
  else
    echo "cross: no standard library ${version%+b*} for $arch on this mirror; it will be compiled from source" >&2
    source=rust-web-src=${version%+b*}
  fi
done
[ -z "$source" ] || debian_apt "$dir" amd64 apt-get -qq download "$source"
for package in *.deb; do dpkg-deb -x "$package" "$dir/root"; done
cd "$dir"
rm -rf "$dir/packages"

# The compiler wants a newer C library than older systems have: it is started with the one that came along.
root=$dir/root
loader=$(find "$root" -name ld-linux-x86-64.so.2 -path '*x86_64-linux-gnu*' | head -n 1)
sysroot=$(dirname "$(dirname "$(find "$root/usr" -path '*/bin/rustc' | head -n 1)")")
libraries=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$sysroot/lib
for tool in rustc rustdoc; do
  [ -e "$sysroot/bin/$tool" ] || continue
  cat > "$dir/bin/$tool" <<WRAPPER
#!/bin/sh
exec "$loader" --argv0 "$sysroot/bin/$tool" --library-path "$libraries" "$sysroot/bin/$tool" --sysroot "$sysroot" "\$@"
WRAPPER
  chmod +x "$dir/bin/$tool"
done
"$dir/bin/rustc" --version
