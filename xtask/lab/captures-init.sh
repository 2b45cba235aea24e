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

# shellcheck source=machine.sh
. "$here/machine.sh"
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
