#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Runs in the virtual machine of test-unit.sh.
said() { journalctl -q -o cat -u gradcam; }
property() { systemctl show -P "$1" gradcam; }
end() {
  [ "$1" = 0 ] || { said | tail -n 20; systemctl status --no-pager gradcam; }
  echo "VM-EXIT $1"
  systemctl poweroff --force --force
  exit
}
fail() { echo "check: $*"; end 1; }
# Asks every second, for so many seconds.
soon() {
  seconds=$1
  shift
  while ! "$@"; do
    seconds=$((seconds - 1))
    [ $seconds -gt 0 ] || return 1
    sleep 1
  done
}
up() { cut -d ' ' -f 1 /proc/uptime; }
at_work() { [ "$(said | grep -c 'network .* fps')" -gt "$1" ]; }
restarted() { [ "$(property NRestarts)" = 1 ] && [ "$(property ActiveState)" = active ]; }

echo "systemd $(systemctl --version | sed -n '1s/[^ ]* \([0-9]*\).*/\1/p') runs after $(up) s"
soon 60 test -e /dev/video0 || fail "there is no camera"
systemctl start gradcam || fail "it does not start"
echo "ready after $(up) s: $(property StatusText)$(property ActiveState), NotifyAccess $(property NotifyAccess)"
soon 60 at_work 0 || fail "nothing is explained"
first=$(property MainPID)
user=$(sed -n 's/^Uid:\t\([0-9]*\).*/\1/p' "/proc/$first/status")
groups=$(sed -n 's/^Groups:\t//p' "/proc/$first/status")
echo "process $first of user $user ($(property User)$(getent passwd "$user" | cut -d : -f 1)), groups $groups"
[ "$user" -ge 61184 ] || fail "its user is not a dynamic one"
sleep 45
[ "$(property NRestarts)" = 0 ] && [ "$(property MainPID)" = "$first" ] || fail "the watchdog was not fed"
echo "the watchdog of $(property WatchdogUSec) is fed: 45 s without a restart"
lines=$(said | grep -c 'network .* fps')
kill -STOP "$first"
soon 90 restarted || fail "a program that hangs is not started again"
soon 60 at_work "$lines" || fail "nothing is explained after the restart"
echo "stopped dead, it was started again: $(said | grep -m 1 -i watchdog)"
before=$(up)
systemctl stop gradcam || fail "it does not stop"
echo "stop asked at $before s, ended at $(up) s: result $(property Result), status $(property ExecMainStatus)"
[ "$(property Result)" = success ] && [ "$(property ExecMainStatus)" = 0 ] || fail "it did not end well"
ls -l /var/lib/gradcam/recordings/
[ -n "$(find /var/lib/gradcam/recordings/ -name '*.mp4')" ] || fail "there is no recording"
systemd-analyze security --no-pager gradcam | tail -n 1
end 0
