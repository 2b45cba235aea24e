#!/bin/bash
# Runs inside the lab machine: a cluster of three with real bonds, VLANs, corosyncs and agents, and a collector. Each story
# is one failure, and what is told of it: one incident that stands by itself, of the right rule and subject, and no other.
#
#   init RESULTS
#
# nodes: 3
#
# A story that is told otherwise costs the exit code, not the other stories. RESULTS gets `stories.txt`, what was told of
# each; and of those that were told otherwise all incidents.
# shellcheck disable=SC2329 # a story is played by the names of its functions
set -eu

results=${1:?usage: init RESULTS}
here=$(dirname "$0")
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# shellcheck source=machine.sh
. "$here/machine.sh"
# shellcheck source=captures-node.sh
. "$here/captures-node.sh"
# shellcheck source=stories-node.sh
. "$here/stories-node.sh"

# An emulated machine needs some seconds for one look.
patience_s=420
# What comes of a failure has come after so long.
aftermath_s=45
# What is so by the plan has been told when nothing changed for so long.
calm_s=45

mkdir -p /lab
install -m 755 "$here"/quorate* /usr/local/bin/
before=/lab/before.json
after=/lab/after.json

ask() { quorate "$@" --json --identity "$operator"; }
incidents() { ask incidents --all; }

is_whole() {
  ask status | jq -e '.clusters[0].nodes | length == 3 and all(.[]; .standing == "connected" and .total_votes == 3
    and (.links | length == 2 and all(.[]; .peers_connected == 2)))'
}

# What is told and was not before: opened since, or come back. Information is no story.
# shellcheck disable=SC2016 # it is jq's
told='
  ($before[0].clusters[0].incidents | map({key: (.number | tostring), value: .}) | from_entries) as $was
  | [.clusters[0].incidents[] | select(.severity != "info")
     | $was[.number | tostring] as $old
     | select($old == null or ($old.closed != null and (.closed == null or .returns > $old.returns)))]'
look() { # FILTER: of the incidents that are new
  incidents > "$after" && jq -re --slurpfile before "$before" "$told | $1" "$after"
}
root='[.[] | select(.cause == null)]'
words='.[] | "  \(.number), \(if .cause then "under \(.cause)" else "alone" end), \(if .closed then "over" else "open" end), "
  + "\(.severity): \(.rule) \(.subject): \(.sentence)"'

all_over() { look 'all(.[]; .closed != null)'; }

# What stands by plan is told once, and then nothing changes.
wait_for_calm() {
  local standing='' now since=$SECONDS end=$((SECONDS + patience_s))
  until [ "$((SECONDS - since))" -ge "$calm_s" ]; do
    if [ "$SECONDS" -ge "$end" ]; then
      say "NOT REACHED: calm"
      failed=1
      return 0
    fi
    now=$(incidents | jq -c '[.clusters[0].incidents[] | select(.closed == null) | [.rule, .subject]] | sort')
    if [ "$now" != "$standing" ]; then
      standing=$now
      since=$SECONDS
    fi
    sleep 2
  done
}

tell() {
  say "$*"
  printf '%s\n' "$*" >> "$results/stories.txt"
}

play() { # NAME WORDS RULE SUBJECT: functions NAME_strikes and NAME_is_mended do it
  local name=$1 rule=$3 subject=$4 since end
  tell "$2"
  since=$SECONDS
  end=$((SECONDS + patience_s))
  "${name}_strikes"
  local is_it=".rule == \"$rule\" and .subject == \"$subject\" and .cause == null"
  until look "any(.[]; $is_it)" >/dev/null; do
    if [ "$SECONDS" -ge "$end" ]; then break; fi
    sleep 1
  done
  since=$((SECONDS - since))
  sleep "$aftermath_s"
  if look "$root | length == 1 and all(.[]; $is_it)" >/dev/null; then
    tell "  after $since s:"
  else
    tell "  TOLD OTHERWISE, not $rule $subject alone:"
    cp "$after" "$results/$name.json"
    failed=1
  fi
  tell "$(look "$words" || true)"
  "${name}_is_mended"
  since=$SECONDS
  poll "$patience_s" 'the cluster as it was' is_whole
  poll "$patience_s" 'the end of all that was told' all_over
  # That it is mended is no second message.
  if ! look "$root | all(.[]; $is_it)" >/dev/null; then
    tell "  TOLD OTHERWISE while it was mended:"
    tell "$(look "$root | $words" || true)"
    cp "$after" "$results/$name-mended.json"
    failed=1
  fi
  say "over after $((SECONDS - since)) s"
  wait_for_calm
  incidents > "$before"
}

vlan_strikes() { bridge -n far vlan del dev far-b2 vid 30; }
vlan_is_mended() { bridge -n far vlan add dev far-b2 vid 30; }

switch_strikes() { set_link off {1,2,3}-{0,1}; }
switch_is_mended() { set_link on {1,2,3}-{0,1}; }

# Its links stay up, and nothing comes out of it.
mute() { # ADD-OR-DEL
  local n port
  for n in "${nodes[@]}"; do
    for port in 0 1; do echo "qdisc $1 dev far-p$n-$port root netem loss 100%"; done
  done | tc -n far -batch -
}
mute_strikes() { mute add; }
mute_is_mended() { mute del; }

cable_strikes() { set_link off 3-1; }
cable_is_mended() { set_link on 3-1; }

finish() {
  if [ "$failed" != 0 ]; then tail -n 30 /lab/collector /lab/pve-0*/agent /lab/pve-0*/corosync || true; fi
  say "end, failed=$failed"
  exit "$failed"
}

build_site
if [ "$failed" != 0 ]; then finish; fi
wait_for_calm
incidents > "$before"
say "so by the plan:"
jq -r ".clusters[0].incidents | $words" "$before"

play vlan 'VLAN 30 is taken off the port of pve-02 on the switch' corosync-link-down pve-02
play switch 'the switch dies' switch-down "switch $switch_mac"
play mute 'the switch keeps its links and passes nothing' switch-down "switch $switch_mac"
play cable 'one cable of pve-03 is cut' bond-degraded pve-03/bond0

finish
