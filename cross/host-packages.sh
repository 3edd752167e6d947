#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# host-packages.sh build | test | memcheck | recording | http | browser | cross | camera | package
#
# Sees to it that this machine has what gradcam needs to be built and shown (build), to be tested (test), under valgrind
# (memcheck), with recordings under hardship (recording), with the clients that people have (http), in a browser
# (browser), to be built for ARM boards and tried under an emulator (cross), to be tested with cameras in a virtual
# machine (camera), or to be packed for Debian (package).
# On Debian and Ubuntu the missing packages are installed, through sudo where not root; where nothing is missing,
# nothing is asked and apt is not called. On other systems they are named, and the build goes on.
set -eu

purpose=${1:-}
case $purpose in
  build | test | memcheck | recording | http | browser | cross | camera | package) ;;
  *) echo "usage: host-packages.sh build | test | memcheck | recording | http | browser | cross | camera | package" >&2; exit 2 ;;
esac
cd "$(dirname "$0")/.."

say() { printf 'gradcam: %s\n' "$*" >&2; }

# cargo comes from rustup, not from the distribution, whose own is often older than this package needs.
need_rust=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' Cargo.toml)
have_rust=
if command -v cargo >/dev/null 2>&1; then
  have_rust=$(rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p')
fi
if [ -z "$have_rust" ]; then
  say "cargo is missing; Rust $need_rust or newer is needed. Install it and try again:"
  say "    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh        (see https://rustup.rs)"
  exit 1
fi
older=$(printf '%s\n%s\n' "$have_rust" "$need_rust" | sort -t . -k 1,1n -k 2,2n | head -n 1)
if [ "$older" != "$need_rust" ]; then
  say "Rust $have_rust is too old; $need_rust or newer is needed. With rustup:"
  say "    rustup update stable"
  say "without it (see https://rustup.rs):"
  say "    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
  exit 1
fi

on_debian=no
if command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1; then on_debian=yes; fi

missing=
lack() { case " $missing " in *" $1 "*) ;; *) missing="$missing $1" ;; esac; }
# A program is looked for by its command: it may have come from somewhere else than the package.
program() { command -v "$1" >/dev/null 2>&1 || lack "$2"; }
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | head -n 1)" = installed ]; }
package() { if [ $on_debian = no ] || ! installed "$1"; then lack "$1"; fi; }
# The user's own Python needs no venv.
venv_possible() { [ -n "${GRADCAM_TEST_PYTHON:-}" ] || python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }

# To build: some crates compile C, the video encoder C++ (and assembly, where nasm is there: it is three times faster
# with it), and the camera's bindings are made with libclang.
program cc gcc
program c++ g++
program nasm nasm
package libc6-dev
program pkg-config pkg-config
[ -n "${LIBCLANG_PATH:-}" ] || package libclang-dev
# To show a window: opened at run time.
package libx11-6
package libxcursor1
package libxkbcommon0

if [ "$purpose" = test ]; then
  # The window test: a screen, keys, a screenshot and its reading.
  program Xvfb xvfb
  program xdotool xdotool
  program xwd x11-apps
  program import imagemagick
  # Videos: made, decoded and read by others.
  program ffmpeg ffmpeg
  program mediainfo mediainfo
  # The reference tests.
  program python3 python3
  venv_possible || lack python3-venv
fi

if [ "$purpose" = memcheck ]; then
  program valgrind valgrind
fi

if [ "$purpose" = recording ]; then
  # A slow disk, and a machine that is switched off.
  program strace strace
  program ffmpeg ffmpeg
  program python3 python3
  program qemu-system-x86_64 qemu-system-x86
  program busybox busybox-static
  program cpio cpio
  package kmod
  package e2fsprogs
  package debian-archive-keyring
fi

if [ "$purpose" = http ]; then
  program curl curl
  program ffmpeg ffmpeg
  program promtool prometheus
  program python3 python3
  venv_possible || lack python3-venv
fi

if [ "$purpose" = browser ]; then
  [ -n "${GRADCAM_CHROMIUM:-}" ] || program chromium chromium
  program node nodejs
  program npm npm
  # Stands in for a camera's decoder, and looks at what was recorded.
  program ffmpeg ffmpeg
fi

if [ "$purpose" = cross ]; then
  program aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
  program aarch64-linux-gnu-g++ g++-aarch64-linux-gnu
  package libc6-dev-arm64-cross
  program arm-linux-gnueabihf-gcc gcc-arm-linux-gnueabihf
  program arm-linux-gnueabihf-g++ g++-arm-linux-gnueabihf
  package libc6-dev-armhf-cross
  program qemu-aarch64-static qemu-user-static
  package debian-archive-keyring
fi

if [ "$purpose" = camera ]; then
  program qemu-system-x86_64 qemu-system-x86
  program qemu-system-aarch64 qemu-system-arm
  package debian-archive-keyring
fi

if [ "$purpose" = package ]; then
  program dpkg-shlibdeps dpkg-dev
  program lintian lintian
  # The bare systems that install it, and the virtual machine that starts its service.
  program mmdebstrap mmdebstrap
  program arch-test arch-test
  program qemu-aarch64-static qemu-user-static
  program qemu-system-x86_64 qemu-system-x86
  package kmod
  program cpio cpio
  package debian-archive-keyring
fi

[ -n "$missing" ] || exit 0
if [ $on_debian = no ]; then
  say "this is neither Debian nor Ubuntu. What is needed, by the names it has there (some may be installed already):"
  say "   $missing"
  exit 0
fi

as_root=
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    say "these packages are missing and there is no sudo; as root, run: apt-get install$missing"
    exit 1
  fi
  as_root=sudo
fi
say "installing$missing"
# An index that cannot be refreshed (one broken mirror among several) need not stop the install.
$as_root apt-get -q update || say "apt-get update failed; trying with what is known"
# shellcheck disable=SC2086 # a list of words, and a prefix that may be empty
if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing; then
  say "could not install$missing"
  exit 1
fi
if [ "$purpose" = test ] && ! venv_possible; then
  say "$(command -v python3 || echo python3) has no venv module, even with the package python3-venv;"
  say "put another python3 first in PATH, or set GRADCAM_TEST_PYTHON to one with the packages of tests/requirements.txt"
  exit 1
fi
