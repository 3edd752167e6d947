#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# test-deb.sh DEB
#
# Installs a package in a bare Debian (the essential packages and apt, nothing else), and uses what it installed: the
# program, the manual pages, the completions. Then removes it. As root; a package for another architecture is run by QEMU's
# user emulation, which the kernel has to know (binfmt_misc). The bare system is kept for the next time.
set -euo pipefail
cd "$(dirname "$0")/../.."
deb=${1:?usage: test-deb.sh DEB}
arch=$(dpkg-deb -f "$deb" Architecture)
base=${GRADCAM_BARE_DEBIAN:-target/debian/bare-$arch.tar}
if [ ! -e "$base" ]; then
  mkdir -p "$(dirname "$base")"
  mmdebstrap --quiet --arch="$arch" --variant=minbase bookworm "$base.part"
  mv "$base.part" "$base"
fi
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
tar -C "$root" --exclude='./dev/*' -xf "$base"
touch "$root/dev/null" && chmod 666 "$root/dev/null"
cp "$deb" "$root/gradcam.deb"
cp tests/data/lite0/chelsea_224.png tests/data/lite0/coffee_224.png "$root/"
inside() { chroot "$root" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
expect() { grep -q -- "$1" || { echo "test-deb: expected «$1» of: $2" >&2; exit 1; }; }

cp /etc/resolv.conf "$root/etc/resolv.conf"
before=$(inside dpkg-query -W -f '${Package}\n' | sort)
inside apt-get -qq update
inside apt-get -qq install -y --no-install-recommends /gradcam.deb > /dev/null
echo "installed on bare Debian $(cat "$root/etc/debian_version") $arch, with these others: $(
  inside dpkg-query -W -f '${Package}\n' | sort | comm -13 <(echo "$before") - | grep -v '^gradcam$' | tr '\n' ' ')"

inside gradcam --version
inside gradcam explain /chelsea_224.png /coffee_224.png -o /results --json > "$root/explained.json"
expect '"Egyptian cat"' explain < "$root/explained.json"
expect '"espresso"' explain < "$root/explained.json"
[ -s "$root/results/chelsea_224.overlay.png" ]
expect 'gradcam' completions < <(inside gradcam completions bash)
expect 'max.*inference' 'the manual' < <(zcat "$root/usr/share/man/man1/gradcam-live.1.gz")
[ -e "$root/usr/lib/systemd/system/gradcam.service" ] && [ -e "$root/etc/default/gradcam" ]
inside dpkg --purge gradcam > /dev/null
for left in /usr/bin/gradcam /etc/default/gradcam /usr/lib/systemd/system/gradcam.service; do
  [ ! -e "$root$left" ] || { echo "test-deb: $left is left" >&2; exit 1; }
done
echo "$deb: installed, explained two photographs, removed"
