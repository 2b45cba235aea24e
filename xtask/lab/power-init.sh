#!/bin/bash
# Runs inside the lab machine in place of systemd: a collector whose state lies on a disk of its own, and simulated
# agents that tell it events, pull and plug cables, and print what it says that it has. The power goes when it goes; in the last life, told by
# `last` on the kernel's command line, what is kept is printed instead.
#
# Everything that is said goes to the second serial port, a line of JSON each, or a line that begins with "power:".
exec >/dev/ttyS1 2>&1
set -eu

here=/lab
state=/mnt
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link set lo up
mount -t ext4 /dev/vdc "$state"

collector() { "$here/quorate-collector" "$@" --config "$state/collector.toml"; }

# A machine that is cut before it is ready begins anew.
if [ ! -e "$state/ready" ]; then
  rm -rf "$state/collector" "$state/fleet" "$state/viewer.json"
  cat > "$state/collector.toml" <<TOML
state_dir = "$state/collector"
listen = "127.0.0.1:7460"
enrolment.listen = "127.0.0.1:7461"
TOML
  collector init --address 127.0.0.1 > /dev/null
  collector token create --uses 100 --json > "$state/token.json"
  collector operator add lab --role viewer --out "$state/viewer.json" >/dev/null
  sync
fi
collector run &
running=$!
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
until listens 7460; do sleep 0.1; done

fleet() { "$here/fleet" --agents 8 --address 127.0.0.1:7460 --identities "$state/fleet" "$@"; }

if grep -qw last /proc/cmdline; then
  fleet --watch-incidents "$state/viewer.json" &
  fleet --audit "$state/viewer.json"
  sleep 3
  echo "power: audited"
  kill "$running"
  wait "$running" || true
  sync
  echo o > /proc/sysrq-trigger
  sleep 60
fi
if [ ! -e "$state/ready" ]; then
  until listens 7461; do sleep 0.1; done
  fleet --enrolment 127.0.0.1:7461 --token "$(jq -r .token "$state/token.json")" --seconds 5
  touch "$state/ready"
  sync
fi
fleet --watch-incidents "$state/viewer.json" &
fleet --events-per-second 50 --print-acks --pull-cables
