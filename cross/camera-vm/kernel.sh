#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# kernel.sh amd64|arm64 DIR
#
# Fetches Debian's kernel with its modules (vivid, uvcvideo, vhci-hcd are among them) and unpacks it into DIR.
# Nothing is installed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../debian-packages.sh"
arch=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
suite=bookworm

[ ! -e "$dir/ready" ] || exit 0
debian_open "$dir" "$arch" "$suite"
# The package that is always the newest kernel names it as what it depends on.
kernel=$(debian_apt "$dir" "$arch" apt-cache show "linux-image-$arch" |
  sed -n 's/^Depends: *\(linux-image-[^ ,]*\).*/\1/p' | head -n 1)
cd "$dir"
debian_apt "$dir" "$arch" apt-get -qq download "$kernel"
rm -rf boot lib usr
dpkg-deb -x "$kernel"*.deb .
rm -f "$kernel"*.deb
touch ready
