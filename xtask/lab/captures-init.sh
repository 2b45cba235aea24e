#!/bin/bash
# Runs inside the lab machine: makes the captures of model/fixtures/ (bonds, and whole trees of a node).
#
#   init RESULTS
#
# Nothing here is a test: what the kernel and the tools print is kept as it is. It fails only where a state that a
# capture is named after was not reached in time. Times are generous, because the machine may be emulated.
set -eu

results=${1:?usage: init RESULTS}
here=$(dirname "$0")
kernel=$(uname -r | cut -d. -f1,2)
failed=0

say() { echo "[$(cut -d' ' -f1 /proc/uptime)] $*"; }

# A state that was not reached costs the exit code, not the other captures.
poll() { # SECONDS WHAT COMMAND...: runs the command until it succeeds
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      say "NOT REACHED: $what"
      failed=1
      return 0
    fi
    sleep 0.3
  done
}

# Tap devices have carrier only while a program holds them; this one holds them for good.
hold_taps() { # NETNS-COMMAND... -- NAME...
  local within=()
  while [ "$1" != -- ]; do within+=("$1"); shift; done
  shift
  # shellcheck disable=SC2016 # it is Perl: 0x400454ca is TUNSETIFF, 0x1002 is IFF_TAP | IFF_NO_PI
  "${within[@]}" perl -e 'for (@ARGV) {
      open(my $tun, "+<", "/dev/net/tun") or die "tun: $!"; push @held, $tun;
      ioctl($tun, 0x400454ca, pack("a16 S x22", $_, 0x1002)) or die "$_: $!";
    } sleep' "$@" &
}

modprobe -a bonding 8021q bridge veth sch_netem dummy tun
# Loading the driver makes a bond0 of its own accord, which nobody asked for.
ip link del bond0 2>/dev/null || true

# shellcheck source=captures-bonding.sh
. "$here/captures-bonding.sh"
# shellcheck source=captures-node.sh
. "$here/captures-node.sh"

mkdir -p "$results/bonding"
start_slow_cases
capture_node_trees
capture_every_mode
capture_active_backup
capture_lacp
capture_oddities
capture_slow_cases

{
  echo "kernel      $(uname -sr) ($(uname -v))"
  echo "iproute2    $(ip -V)"
  dpkg-query -W -f '${Package} ${Version}\n' corosync libknet1t64 systemd ifupdown2 ethtool
  echo "date        $(date -u +%F)"
} > "$results/versions"
cat "$results/versions"
say "end, $(find "$results" -type f | wc -l) files, failed=$failed"
exit "$failed"
