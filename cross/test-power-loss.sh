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
# Seconds of recording that may be lost: what was written since the last sync (every second fragment of a second), the
# fragment that waits (1 s), and what the emulator, which draws and encodes a few frames a second, has not come to yet.
allowed=${ALLOWED:-6}
# What the random moments are drawn from.
seed=${SEED:-$RANDOM}
RANDOM=$seed
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
  # The moment counts from the first frame, in the machine's own time: in every other round within the first 3 seconds,
  # in which the first fragment is only just written, if at all; in the others up to 18.
  moment=$(awk -v seed="$RANDOM" -v early=$((round % 2)) 'BEGIN { srand(seed); printf "%.2f", early ? 3 * rand() : 3 + 15 * rand() }')
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
    debugfs -R "dump /film.$ending $work/out/film.$ending" "$disk" 2>/dev/null || true
  done
  verdict=$(python3 - "$work/console" "$work/out" "$allowed" <<'CHECK'
import json, os, re, subprocess, sys
console, out, allowed = sys.argv[1], sys.argv[2], float(sys.argv[3])
film = os.path.join(out, "film.mp4")
times = [float(time) for time in re.findall(r"VM-AT ([0-9.]+)\s", open(console, errors="replace").read())]
ran = times[-1] - times[0]
problems = []

def run(*command, more=()):
    done = subprocess.run([*command, film, *more], capture_output=True, text=True)
    if done.stderr.strip() or done.returncode:
        problems.append(f"{command[0]}: " + (done.stderr.strip().split("\n")[0] or f"status {done.returncode}"))
    return done.stdout

def verdict(kept, what):
    lost = ran - kept
    if lost > allowed:
        problems.append(f"more than {allowed} s are lost")
    print(f"{lost:.2f} ran {ran:.2f} s, kept {kept:.2f} s in {what}, lost {lost:.2f} s",
          "; ".join(["FAILED"] + problems) if problems else "ok", sep=": ")
    sys.exit()

if not os.path.exists(film) and not os.path.exists(film[:-4] + ".maps"):
    verdict(0, "no file")
if not os.path.exists(film):
    # Its name is the last thing that is written of a recording's beginning.
    verdict(0, "an empty logbook")
lines = open(os.path.join(out, "film.jsonl"), "rb").read().split(b"\n")
# What is behind the last line's end is a half line or nothing.
entries = [json.loads(line) for line in lines[:-1]]
if not entries or entries[0]["kind"] != "recording":
    problems.append("the logbook has no first line")
maps = os.path.getsize(os.path.join(out, "film.maps"))
explained = [entry for entry in entries if entry["kind"] == "explained"]
for entry in explained:
    if entry["map"]["offset"] + 4 * entry["map"]["height"] * entry["map"]["width"] > maps:
        problems.append("a line speaks of a map that is not there")
        break
packets = json.loads(run("ffprobe", "-v", "error", "-show_packets", "-of", "json") or "{}").get("packets", [])
if not packets:
    verdict(0, "a film without pictures")
run("ffmpeg", "-v", "error", "-nostdin", "-i", more=("-f", "null", "-"))
if any(entry["video"]["frame"] > len(packets) for entry in explained[:-1]):
    problems.append("lines are ahead of the video")
verdict(float(packets[-1]["pts_time"]), f"{len(packets)} frames and {len(explained)} maps")
CHECK
  )
  echo "round $round: ${verdict#* }"
  worst=$(awk -v a="$worst" -v b="${verdict%% *}" 'BEGIN { print (b > a) ? b : a }')
  case $verdict in *FAILED*)
    failed=$((failed + 1))
    if [ -n "${KEEP:-}" ]; then mkdir -p "$KEEP/$round" && cp "$work/out"/* "$KEEP/$round/"; fi ;;
  esac
done
echo "SEED=$seed: $rounds rounds, $failed failed, at most $worst s lost"
[ $failed = 0 ]
