#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# test-power-loss.sh KERNEL PROGRAM
#
# What is left of a recording when the power fails: a virtual machine that records to an ext4 disk is switched off
# without warning at a random moment, ROUNDS times (10). Then the disk is repaired as the next boot would, and the
# recording is read and played.
#
# KERNEL is where Debian's kernel package is unpacked (camera-vm/kernel.sh), PROGRAM the built gradcam. Needs no root.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
kernel=$(cd "$1" && pwd)
program=$(realpath "$2")
rounds=${ROUNDS:-10}
# Seconds of recording that may be lost: what was written since the last sync (every 3 s, with the fragment of a second
# that sees to it) and the fragment that waits (1 s), which a board loses at most. The rest is the emulator's slowness: it
# draws and encodes two to four frames a second.
allowed=${ALLOWED:-8}
PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d)
machine=
trap '[ -z "$machine" ] || kill -9 "$machine" 2>/dev/null || true; rm -rf "$work"' EXIT

# --- The machine: busybox, the program with a small model, and the modules for its disk.
initial=$work/initial
mkdir -p "$initial"/{bin,dev,proc,mnt,lib64,lib/x86_64-linux-gnu,modules}
cp "$(command -v busybox)" "$initial/bin/busybox"
strip -o "$initial/bin/gradcam" "$program"
"$program" export "$root/tests/data/zoo/vgg_maxpool_head/model.onnx" --preprocess imagenet -o "$initial/model.onnx" >/dev/null
ldd "$program" | awk '/=> \// { print $3 } /^[[:space:]]*\/.*ld-linux/ { print $1 }' | while read -r library; do
  case $library in
    */ld-linux*) cp -L "$library" "$initial/lib64/" ;;
    *) cp -L "$library" "$initial/lib/x86_64-linux-gnu/" ;;
  esac
done
release=$(ls "$kernel/lib/modules" | sort -V | tail -n 1)
mkdir -p "$work/kernel/lib"
cp -a "$kernel/lib/modules" "$work/kernel/lib/"
depmod -b "$work/kernel" "$release"
number=10
for name in virtio_pci virtio_blk crc32c_generic ext4; do
  modprobe -d "$work/kernel" -S "$release" --show-depends "$name" | awk '$1 == "insmod" { print $2 }'
done | awk '!seen[$0]++' | while read -r module; do
  cp "$module" "$initial/modules/$number-$(basename "$module")"
  number=$((number + 1))
done
cat > "$initial/init" <<'INIT'
#!/bin/busybox sh
busybox mount -t proc proc /proc
busybox mount -t devtmpfs dev /dev 2>/dev/null
for module in /modules/*; do busybox insmod "$module"; done
busybox mount -t ext4 /dev/vda /mnt || echo "VM-FAILED no disk"
# Each map is on its own frame, so that the printed times are those of the video.
gradcam live --headless --sync --json --source demo --model /model.onnx --record-size 160x120 --record /mnt/film.mp4 |
  while read -r line; do
    time=${line#*'"time":'}
    echo "VM-AT ${time%%\}*}"
  done
echo "VM-FAILED it ended"
busybox sleep 1000
INIT
chmod +x "$initial/init"
(cd "$initial" && find . | cpio --quiet -o -H newc) > "$work/initial.cpio"

failed=0
worst=0
for round in $(seq "$rounds"); do
  disk=$work/disk.img
  rm -rf "$disk" "$work/out"
  mkdir "$work/out"
  truncate -s 64M "$disk"
  mke2fs -q -t ext4 -F "$disk"
  : > "$work/console"
  qemu-system-x86_64 -machine q35 -cpu Nehalem -accel tcg,thread=multi -smp 2 -m 512 -display none -monitor none \
    -serial "file:$work/console" -no-reboot -nic none -append "console=ttyS0 quiet panic=-1 mitigations=off" \
    -kernel "$kernel/boot/vmlinuz-$release" -initrd "$work/initial.cpio" \
    -drive "file=$disk,format=raw,if=virtio,cache=writethrough" &
  machine=$!
  # The moment counts from the first frame, in the machine's own time: 6 to 20 seconds. Before the first sync there is
  # nothing to be kept, and the emulator takes its time to get there.
  moment=$(awk -v seed="$RANDOM" 'BEGIN { srand(seed); printf "%.2f", 6 + 14 * rand() }')
  for _ in $(seq 3000); do
    if awk -v moment="$moment" '/VM-AT/ { if (!n++) first = $2; last = $2 } END { exit !(n && last - first >= moment) }' \
      "$work/console" || grep -q VM-FAILED "$work/console"; then
      break
    fi
    sleep 0.1
  done
  kill -9 "$machine"
  wait "$machine" 2>/dev/null || true
  machine=
  if grep -q VM-FAILED "$work/console" || ! grep -q VM-AT "$work/console"; then
    echo "round $round: the machine did not record:"
    tail -n 20 "$work/console"
    exit 1
  fi
  # As the next boot: the journal is replayed. 1 says that something was repaired.
  e2fsck -fy "$disk" > "$work/fsck" 2>&1 || [ $? = 1 ] || { cat "$work/fsck"; exit 1; }
  for ending in mp4 jsonl maps; do
    debugfs -R "dump /film.$ending $work/out/film.$ending" "$disk" 2>/dev/null
  done
  verdict=$(python3 - "$work/console" "$work/out" "$allowed" <<'CHECK'
import json, os, re, subprocess, sys
console, out, allowed = sys.argv[1], sys.argv[2], float(sys.argv[3])
film = os.path.join(out, "film.mp4")
times = [float(time) for time in re.findall(r"VM-AT ([0-9.]+)\s", open(console, errors="replace").read())]
ran = times[-1] - times[0]
lines = open(os.path.join(out, "film.jsonl"), "rb").read().split(b"\n")
# What is behind the last line's end is a half line or nothing.
entries = [json.loads(line) for line in lines[:-1]]
maps = os.path.getsize(os.path.join(out, "film.maps"))
explained = [entry for entry in entries if entry["kind"] == "explained"]
problems = []
for entry in explained:
    if entry["map"]["offset"] + 4 * entry["map"]["height"] * entry["map"]["width"] > maps:
        problems.append("a line speaks of a map that is not there")
        break
# At its own times: else ffmpeg counts in a guessed rate of frames, in which some of a slow machine's fall on one number.
own_times = ["-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-"]
played = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", film] + own_times, capture_output=True, text=True)
if played.stderr.strip() or played.returncode:
    problems.append("ffmpeg: " + played.stderr.strip().split("\n")[0])
probe = subprocess.run(["ffprobe", "-v", "error", "-show_packets", "-of", "json", film], capture_output=True, text=True)
packets = json.loads(probe.stdout or "{}").get("packets", [])
kept = float(packets[-1]["pts_time"]) if packets else 0.0
lost = ran - kept
if lost > allowed:
    problems.append(f"more than {allowed} s are lost")
if any(entry["video"]["frame"] > len(packets) for entry in explained[:-1]):
    problems.append("lines are ahead of the video")
print(f"{lost:.2f} ran {ran:.2f} s, kept {kept:.2f} s in {len(packets)} frames and {len(explained)} maps, lost {lost:.2f} s",
      "; ".join(["FAILED"] + problems) if problems else "ok", sep=": ")
CHECK
  )
  echo "round $round: ${verdict#* }"
  worst=$(awk -v a="$worst" -v b="${verdict%% *}" 'BEGIN { print (b > a) ? b : a }')
  case $verdict in *FAILED*)
    failed=$((failed + 1))
    if [ -n "${KEEP:-}" ]; then mkdir -p "$KEEP/$round" && cp "$work/out"/* "$KEEP/$round/"; fi ;;
  esac
done
echo "$rounds rounds, $failed failed, at most $worst s lost"
[ $failed = 0 ]
