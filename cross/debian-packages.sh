# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
#
# Sourced. Fetches packages of any Debian suite and architecture without root rights and without a change to the
# machine: apt is given a state folder of its own, and packages are unpacked, not installed.
#
#   debian_open DIR ARCH SUITE     ask for the package lists of one architecture (each has a folder of its own in DIR:
#                                  a mirror whose lists for one architecture are broken must not spoil the others)
#   debian_apt DIR ARCH COMMAND…   an apt command that sees these lists
#
# Needs apt, dpkg-deb and the package debian-archive-keyring (Ubuntu has it too).

DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# The mirror that the machine uses itself; GRADCAM_DEBIAN_MIRROR names another.
debian_mirror() {
  local found
  found=$(sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\/debian\)\/*[[:space:]]*$/\1/p' \
    /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
  printf '%s\n' "${GRADCAM_DEBIAN_MIRROR:-${found:-http://deb.debian.org/debian}}"
}

debian_open() {
  local root=$1/apt-$2 arch=$2 suite=$3 attempt
  if [ ! -r "$DEBIAN_KEYRING" ]; then
    echo "cross: $DEBIAN_KEYRING is missing; install the package debian-archive-keyring" >&2
    return 1
  fi
  mkdir -p "$root"/etc/apt.conf.d "$root"/etc/preferences.d "$root"/etc/sources.list.d \
    "$root"/lists/partial "$root"/archives/partial
  : > "$root/status"
  echo "deb [arch=$arch signed-by=$DEBIAN_KEYRING] $(debian_mirror) $suite main" > "$root/etc/sources.list"
  cat > "$root/apt.conf" <<CONF
Dir::Etc "$root/etc";
Dir::State::lists "$root/lists";
Dir::State::status "$root/status";
Dir::Cache "$root";
Dir::Cache::archives "$root/archives";
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
  for attempt in 1 2 3; do
    debian_apt "$1" "$arch" apt-get -qq -o APT::Update::Error-Mode=any update && return 0
    echo "cross: the package lists of $suite for $arch could not be fetched (attempt $attempt of 3)" >&2
    sleep 5
  done
  return 1
}

debian_apt() {
  local conf=$1/apt-$2/apt.conf
  shift 2
  APT_CONFIG=$conf "$@"
}
