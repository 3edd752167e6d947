#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# test-unit.sh DEB
#
# Starts gradcam.service of an amd64 package under systemd, in a virtual machine (emulated, no KVM needed) with Debian, its
# kernel and the kernel's test camera: started, seen at work as a user of its own, stopped dead and started again by the
# watchdog, stopped. As root.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
cd "$(dirname "$0")/../.."
deb=${1:?usage: test-unit.sh DEB}
kernel=target/debian/vm-amd64
base=${GRADCAM_SYSTEMD_DEBIAN:-target/debian/systemd-amd64.tar}
cross/camera-vm/kernel.sh amd64 "$kernel"
if [ ! -e "$base" ]; then
  mmdebstrap --quiet --format=tar --variant=minbase --include=systemd,systemd-sysv,udev,kmod,dbus bookworm "$base.part"
  mv "$base.part" "$base"
fi
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root
mkdir "$root"
tar -C "$root" --exclude='./dev/*' -xf "$base"
dpkg-deb -x "$deb" "$root"
rm -rf "$root"/usr/share/{doc,man,locale,zoneinfo,i18n} "$root"/var/cache/apt "$root"/var/lib/{apt,dpkg}

# The drivers of the test camera.
release=$(basename "$(find "$kernel/lib/modules" -mindepth 1 -maxdepth 1 | head -n 1)")
depmod -b "$kernel" "$release"
modprobe -d "$kernel" -S "$release" --show-depends vivid | sed -n 's/^insmod \([^ ]*\).*/\1/p' |
  while read -r module; do install -D -m 644 "$module" "$root/lib/modules/$release/${module##*/}"; done
: > "$root/lib/modules/$release/modules.order"
: > "$root/lib/modules/$release/modules.builtin"
depmod -b "$root" "$release"
echo vivid > "$root/etc/modules-load.d/vivid.conf"
echo 'options vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0' > "$root/etc/modprobe.d/vivid.conf"

# A model for a processor that is emulated, and a watchdog for who does not want to wait.
mkdir -p "$root/etc/gradcam" "$root/etc/systemd/system/gradcam.service.d" \
  "$root/etc/systemd/system/multi-user.target.wants"
target/release/gradcam export tests/data/zoo/vgg_maxpool_head/model.onnx --preprocess imagenet \
  -o "$root/etc/gradcam/model.onnx" > /dev/null
echo 'GRADCAM_ARGS="--source 0 --size 320x180 --model /etc/gradcam/model.onnx --record recordings"' > "$root/etc/default/gradcam"
printf '[Service]\nWatchdogSec=20\n' > "$root/etc/systemd/system/gradcam.service.d/test.conf"

cp cross/package/check-unit.sh "$root/check"
cat > "$root/etc/systemd/system/check.service" <<'UNIT'
[Unit]
After=systemd-modules-load.service systemd-udevd.service

[Service]
Type=oneshot
ExecStart=/check
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
UNIT
ln -s ../check.service "$root/etc/systemd/system/multi-user.target.wants/check.service"
# systemd's namespaces want a root that can be left; the first one of a kernel cannot.
cat > "$root/init" <<'INIT'
#!/bin/sh
mount -t tmpfs -o size=90%,mode=755 root /mnt
for part in /*; do
  case $part in
    /mnt | /proc | /sys | /dev | /init) ;;
    *) cp -a "$part" /mnt/ ;;
  esac
done
mkdir /mnt/mnt /mnt/proc /mnt/sys /mnt/dev
exec switch_root /mnt /sbin/init
INIT
chmod 755 "$root/init" "$root/check"
(cd "$root" && find . | cpio --quiet -o -H newc) > "$work/root.cpio"
rm -rf "$root"

vmlinuz=$(find "$kernel/boot" -name 'vmlinuz-*' | sort | tail -n 1)
timeout 600 qemu-system-x86_64 -machine q35 -cpu Nehalem -accel tcg,thread=multi -smp 2 -m 2048 -display none -monitor none \
  -serial stdio -no-reboot -nic none -kernel "$vmlinuz" -initrd "$work/root.cpio" < /dev/null \
  -append 'console=ttyS0 quiet panic=-1 mitigations=off systemd.show_status=0 systemd.log_target=journal' |
  tee "$work/console"
grep -q 'VM-EXIT 0' "$work/console"
