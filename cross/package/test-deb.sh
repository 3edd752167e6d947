#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# test-deb.sh PACKAGE
#
# Installs a package (or unpacks a tarball, for armhf) in a bare Debian (the essential packages and apt, nothing else), and
# uses what it installed: the program, the manual pages, the completions. Then removes it. As root; a package for another
# architecture is run by QEMU's user emulation. The bare system is kept for the next time.
set -euo pipefail
cd "$(dirname "$0")/../.."
package=${1:?usage: test-deb.sh PACKAGE}
case $package in
  *.deb) arch=$(dpkg-deb -f "$package" Architecture) ;;
  *) arch=${package##*_} arch=${arch%%.*} ;;
esac

# The kernel must know by what foreign programs are run. systemd tells it at boot; where there is none, it is told here.
if ! arch-test "$arch" > /dev/null; then
  case $arch in
    arm64) emulator=qemu-aarch64 ;;
    armhf) emulator=qemu-arm ;;
    *) echo "test-deb: no emulator for $arch is known" >&2; exit 1 ;;
  esac
  register=/proc/sys/fs/binfmt_misc/register
  [ -e "$register" ] || mount -t binfmt_misc binfmt_misc "${register%/*}"
  cat "/usr/lib/binfmt.d/$emulator.conf" > "$register"
fi
base=${GRADCAM_BARE_DEBIAN:-target/debian/bare-$arch.tar}
if [ ! -e "$base" ]; then
  mkdir -p "$(dirname "$base")"
  # One mirror, the machine's own: the updates of some architectures are at times out of step.
  . cross/debian-packages.sh
  mmdebstrap --quiet --format=tar --arch="$arch" --variant=minbase bookworm "$base.part" "$(debian_mirror)"
  mv "$base.part" "$base"
fi
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
tar -C "$root" --exclude='./dev/*' -xf "$base"
mknod -m 666 "$root/dev/null" c 1 3
cp tests/data/lite0/chelsea_224.png tests/data/lite0/coffee_224.png "$root/"
inside() { chroot "$root" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
expect() { grep -q -- "$1" || { echo "test-deb: expected «$1» of: $2" >&2; exit 1; }; }

system="bare Debian $(cat "$root/etc/debian_version") $arch"
case $package in
  *.deb)
    cp "$package" "$root/gradcam.deb"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    before=$(inside dpkg-query -W -f '${Package}\n' | sort)
    inside apt-get -qq update
    inside apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends /gradcam.deb > /dev/null
    others=$(inside dpkg-query -W -f '${Package}\n' | sort | comm -13 <(echo "$before") - | sed '/^gradcam$/d' | tr '\n' ' ')
    echo "installed on $system, with these others: ${others:-none}"
    ;;
  *)
    tar --no-overwrite-dir -C "$root" -xzf "$package"
    echo "unpacked on $system"
    ;;
esac

inside gradcam --version
inside gradcam explain /chelsea_224.png /coffee_224.png -o /results --json > "$root/explained.json"
expect '"Egyptian cat"' explain < "$root/explained.json"
expect '"espresso"' explain < "$root/explained.json"
[ -s "$root/results/chelsea_224.overlay.png" ]
expect 'gradcam' completions < <(inside gradcam completions bash)
expect 'max.*inference' 'the manual' < <(zcat "$root/usr/share/man/man1/gradcam-live.1.gz")
[ -e "$root/usr/lib/systemd/system/gradcam.service" ] && [ -e "$root/etc/default/gradcam" ]
if [ "$package" = "${package%.deb}" ]; then
  echo "$package: unpacked, explained two photographs"
  exit 0
fi
inside dpkg --purge gradcam > /dev/null
for left in /usr/bin/gradcam /etc/default/gradcam /usr/lib/systemd/system/gradcam.service; do
  [ ! -e "$root$left" ] || { echo "test-deb: $left is left" >&2; exit 1; }
done
echo "$package: installed, explained two photographs, removed"
