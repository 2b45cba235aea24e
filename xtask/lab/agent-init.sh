#!/bin/bash
# Runs inside the lab machine: puts the agent before real bonds, bridges, a real corosync and a real journal, changes
# something, and looks whether the agent sees it.
#
#   init RESULTS
#
# A case that is not seen within a generous time costs the exit code, not the other cases. RESULTS gets the last
# snapshot of each case that was not seen.
set -eu

results=${1:?usage: init RESULTS}
here=$(dirname "$0")

# shellcheck source=machine.sh
. "$here/machine.sh"
# shellcheck source=captures-bonding.sh
. "$here/captures-bonding.sh"
# shellcheck source=captures-node.sh
. "$here/captures-node.sh"
# shellcheck source=agent-bonds.sh
. "$here/agent-bonds.sh"
# shellcheck source=agent-node.sh
. "$here/agent-node.sh"

# An emulated machine needs some seconds for one look.
patience_s=150
agent=/usr/local/bin/quorate-agent
install -m 755 "$here/quorate-agent" "$agent"
now=$results/now.json
lines=/run/lab-watch.lines
watcher=

# An agent that does not know the word answers with the exit code of wrong usage.
has_watch=yes
status=0
"$agent" watch --help >/dev/null 2>&1 || status=$?
if [ "$status" = 64 ]; then
  has_watch=no
  say "this agent has no watch: what it tells is not checked, only what it sees"
fi

# Where the agent looks from: nothing is the machine itself.
from=()
look_from() { from=("$@"); }

snapshot() { "${from[@]}" "$agent" snapshot --json > "$now" 2>/run/lab-snapshot.errors; }

seen() { # WHAT FILTER: jq finds it in a snapshot
  local end=$((SECONDS + patience_s))
  until snapshot && jq -e "$2" "$now" >/dev/null; do
    if [ "$SECONDS" -ge "$end" ]; then
      say "NOT SEEN: $1"
      cp "$now" "$results/$(printf '%s' "$1" | tr -c 'A-Za-z0-9' '-').json"
      cat /run/lab-snapshot.errors
      failed=1
      return 0
    fi
    sleep 0.5
  done
  say "seen: $1"
}

start_watch() {
  [ "$has_watch" = yes ] || return 0
  : > "$lines"
  "${from[@]}" "$agent" watch --json > "$lines" 2>/run/lab-watch.errors &
  watcher=$!
  # Its first sign of life is that it tells of this one.
  local end=$((SECONDS + patience_s))
  until [ -s "$lines" ]; do
    if [ "$SECONDS" -ge "$end" ]; then
      say "NOT TOLD: anything"
      cat /run/lab-watch.errors
      failed=1
      return 0
    fi
    "${from[@]}" ip link add probe type dummy
    sleep 0.5
    "${from[@]}" ip link del probe
    sleep 0.5
  done
}

stop_watch() {
  [ -n "$watcher" ] || return 0
  kill "$watcher" 2>/dev/null || true
  wait "$watcher" 2>/dev/null || true
  watcher=
}

# The last line may be half written: it counts at the next look.
says_line() { sed '$!b; /}$/!d' "$lines" | jq -se "any(.[]; $1)"; }

told() { # WHAT FILTER: jq finds it in a line of the watch
  [ "$has_watch" = yes ] || return 0
  local end=$((SECONDS + patience_s))
  until says_line "$2" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      say "NOT TOLD: $1; the last lines were:"
      tail -n 5 "$lines"
      failed=1
      return 0
    fi
    sleep 0.5
  done
  say "told: $1"
}

start_slow_bond_cases
check_every_mode
check_lacp
check_node
check_slow_bond_cases

rm -f "$now"
say "end, failed=$failed"
exit "$failed"
