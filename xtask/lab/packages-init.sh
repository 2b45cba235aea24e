#!/bin/bash
# Runs inside the lab machine: the packages on a whole site, as an admin has them. Each node, and the collector's machine, is a
# container with a booted systemd: the packages by dpkg, the units as they are in them, one node enrolled by hand and the others by
# the timer, a port pulled, a switch killed, the next version put over all of it while lines are said, and everything purged.
#
#   init RESULTS
#
# memory: 4096
#
# What is not as it should be costs the exit code, not the steps after it. RESULTS gets `packages.txt`, what was seen.
set -eu

results=${1:?usage: init RESULTS}
here=$(cd "$(dirname "$0")" && pwd)
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC1091 # the number of nodes, and the two versions
. "$here/settings"

# shellcheck source=machine.sh
. "$here/machine.sh"
# shellcheck source=packages-node.sh
. "$here/packages-node.sh"

# One look of an emulated machine takes seconds, and all nodes have two cores together.
patience_s=900
# What comes of a failure, or of an upgrade, has come after so long.
aftermath_s=60
received=/var/lib/quorate/collector/received

tell() {
  say "$*"
  printf '%s\n' "$*" >> "$results/packages.txt"
}
ok() { tell "ok: $*"; }
not_so() {
  tell "NOT SO: $*"
  failed=1
}
check() { # WHAT COMMAND...: at once
  local what=$1
  shift
  if "$@" > /lab/said 2>&1; then ok "$what"; else
    not_so "$what"
    tail -n 20 /lab/said
  fi
}
until_so() { # WHAT COMMAND...: as soon as it is so
  local what=$1 since=$SECONDS
  shift
  until "$@" > /lab/said 2>&1; do
    if [ "$((SECONDS - since))" -ge "$patience_s" ]; then
      not_so "$what"
      tail -n 20 /lab/said
      return 0
    fi
    sleep 1
  done
  ok "$what"
}

every_node() { seq "$nodes" | while read -r n; do name_of "$n"; echo; done; }
all() { # COMMAND...: true if it is on every node
  local in
  for in in $(every_node); do "$@" "$in" || return 1; done
}

quorate() { on pve-01 quorate "$@"; }
# What is judged is an answer, too: only the exit code says what it was.
answers() { # CODE ARGUMENT...: quorate says this
  local expected=$1 code=0
  shift
  quorate "$@" || code=$?
  [ "$code" = "$expected" ]
}
status_says() { quorate status --json | jq -e "$1"; }
incident() { quorate incidents --all --json | jq -e "any(.clusters[0].incidents[]; $1)"; }
nothing_is_wrong() { quorate incidents --json | jq -e '[.clusters[0].incidents[] | select(.closed == null and .severity != "info")] == []'; }

# What the receiver was told since the last `forget`, a line for each message.
messages() { tail -n "+$((heard + 1))" "/lab/collector/root$received" 2>/dev/null | jq -r '"\(.kind) \(.incident.rule) \(.incident.subject)"'; }
forget() { heard=$(cat "/lab/collector/root$received" 2>/dev/null | wc -l); }
heard=0
was_told() { [ "$(messages)" = "$1" ]; }

# /results is the machine's, and what useradd and userdel leave beside their files is not ours.
listing() { # NAME
  on "$1" find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /packages -o -path /results \
    -o -path '/etc/*-' \
    -o -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /var/lib/apt \) -prune -o -printf '%M %u %g %p\n' | sort
}

install_on() { # VERSION NAME PACKAGE...
  local version=$1 in=$2 files=() package
  shift 2
  for package in "$@"; do files+=("/packages/${package}_${version}_amd64.deb"); done
  on "$in" env DEBIAN_FRONTEND=noninteractive dpkg --install "${files[@]}" >> "/lab/$in/dpkg" 2>&1
}
on_node() { install_on "$1" "$2" quorate-agent quorate; }
has_version() { # VERSION NAME
  [ "$(on "$2" dpkg-query -W -f '${Version}' quorate-agent)" = "$1" ]
}

build_site() {
  local n in
  # What every root has below its own.
  install -m 755 "$here/fleet" /usr/local/bin/fleet
  trust_the_clock
  have_a_quota
  make_roots
  lay_out_pve
  cable_up
  for n in $(seq "$nodes"); do make_node "$n"; done
  make_root collector
  boot collector
  for in in $(every_node); do boot "$in" "$pve:/etc/pve"; done
  say "all have booted"
  for in in $(every_node); do on "$in" systemctl start --no-block corosync.service; done
  until_so "$nodes nodes are one corosync cluster" all is_whole_at
}
is_whole_at() { on "$1" corosync-quorumtool -s | grep -q "^Nodes: *$nodes\$"; }

install_all() {
  local in
  for in in "$purged" collector; do listing "$in" > "/lab/$in/before"; done
  on collector cat /etc/passwd > /lab/collector/passwd
  check "dpkg installs the collector's package" install_on "$this" collector quorate-collector quorate
  check "dpkg installs the agent's on $nodes nodes" all on_node "$this"
  check "no agent runs before its node is enrolled" all agent_is inactive
}
agent_is() { [ "$(on "$2" systemctl show -P ActiveState quorate-agent.service)" = "$1" ]; }

# How quick an emulated machine is, and that stories follow each other within minutes, is no part of them.
set_up_collector() {
  cat > /lab/collector/root/etc/quorate/collector.toml <<TOML
[thresholds]
latency_warning_us = 60000000
latency_critical_us = 60000000
clock_skew_ms = 60000
retransmits = 1000000
flaps = 100

[[switch]]
name = "sw-a"
ports = ["*/eno0"]

[[switch]]
name = "sw-b"
ports = ["*/eno1", "*/eno2"]

[[dependency]]
service = "collector"
on = "external"

[[receiver.command]]
name = "lab"
program = "/bin/sh"
arguments = ["-c", "tr -d '\\\\n' >> $received; echo >> $received"]
changes = false
TOML
  check 'init sets the collector up' on collector sh -c "quorate-collector init --address $collector_address > /root/init"
  check 'what stands in collector.toml is understood' on collector quorate-collector check-config
  check 'systemctl starts the collector' on collector systemctl start quorate-collector.service
}

join_all() {
  local command
  command=$(on collector grep -o 'quorate-agent join .*' /root/init | head -n 1)
  tell "  as init prints it: ${command%%--token*}--token …${command##* }"
  # shellcheck disable=SC2086 # a command as it was printed
  check 'the command that init printed joins pve-01' on pve-01 $command
  check 'the invitation is in /etc/pve' test -s "$pve/priv/quorate/join.json"
  until_so 'the other nodes have followed by the timer, and quorate status shows all of them' status_says \
    ".clusters[0].nodes | length == $nodes and all(.[]; .standing == \"connected\" and .total_votes == $nodes and
      (.links | length == 2 and all(.[]; .peers_connected == $nodes - 1)))"
  check 'every agent runs by its unit' all agent_is active
  check 'in its sandbox' all is_confined
  check 'no node looks for an invitation any more' all timer_rests
}
timer_rests() { ! on "$1" systemctl is-active quorate-agent-join.timer; }
# No capability but CAP_NET_ADMIN, no way to new ones, system calls filtered, and / read-only.
is_confined() {
  local pid
  pid=$(on "$1" systemctl show -P MainPID quorate-agent.service)
  on "$1" grep -q '^CapBnd:.*0000000000001000$' "/proc/$pid/status" &&
    on "$1" grep -q '^NoNewPrivs:.*1$' "/proc/$pid/status" && on "$1" grep -q '^Seccomp:.*2$' "/proc/$pid/status" &&
    on "$1" sh -c "! nsenter --mount --target $pid touch /usr/written"
}

# A failure is one message and its end another, and nothing else is said. `check` is asked about a node that it did not happen to.
fails() { # WORDS RULE SUBJECT SENTENCE STRIKE... -- MEND...
  local words=$1 rule=$2 subject=$3 sentence=$4 strike=()
  shift 4
  while [ "$1" != -- ]; do strike+=("$1"); shift; done
  shift
  until_so 'nothing is wrong, and a reboot of pve-02 is a GO' is_calm
  forget
  "${strike[@]}"
  until_so "$words: one message comes" was_told "opened $rule $subject"
  tell "  $(tail -n 1 "/lab/collector/root$received" | jq -r .headline)"
  check 'quorate incidents says it' incident ".rule == \"$rule\" and .subject == \"$subject\" and .closed == null"
  check 'quorate status says it' status_prints "$sentence"
  sleep "$aftermath_s"
  check 'a reboot of pve-02 is no GO any more' is_no_go_any_more
  tell "  $(quorate check pve-02 | head -n 1)"
  check 'the message stays the only one' was_told "opened $rule $subject"
  "$@"
  until_so 'mended, it is over, and said to be' was_told "opened $rule $subject
over $rule $subject"
}
is_calm() { nothing_is_wrong && answers 0 check pve-02; }
is_no_go_any_more() { ! answers 0 check pve-02 && ! answers 3 check pve-02; }
status_prints() { quorate status | tr -s ' \n' ' ' | grep -q "$1"; }

spool_of() { ask_agent "$1" report | jq -c '.agent.known.spool'; }
# shellcheck disable=SC2016 # it is Perl
ask_agent() { # NAME QUESTION
  on "$1" perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => "/run/quorate/agent.sock") or die $!;
    print $s "$ARGV[0]\n"; print while <$s>' "$2"
}

upgrade_all() {
  local in before
  forget
  for in in $(every_node); do speak "$in"; done
  for in in $(every_node); do
    check "dpkg puts the next version on $in while its journal is written" on_node "$next" "$in"
  done
  # The collector goes and comes while a port is out.
  before=$(collector_pid)
  set_ports down p2-1
  check 'dpkg puts the next version of the collector over this one' install_on "$next" collector quorate-collector quorate
  check 'it was started anew' was_restarted "$before"
  set_ports up p2-1
  check 'all nodes have the next version' all has_version "$next"
  until_so 'the collector hears all of them' status_says ".clusters[0].nodes | length == $nodes and all(.[]; .standing == \"connected\")"
  until_so 'they are all whole' nothing_is_wrong
  sleep "$aftermath_s"
  check 'nobody was told of a silent node, or anything but the port' told_of_nothing_but_the_port
  say "$(messages)"
}
collector_pid() { on collector systemctl show -P MainPID quorate-collector.service; }
was_restarted() { [ "$(collector_pid)" != "$1" ] && on collector systemctl is-active quorate-collector.service; }
told_of_nothing_but_the_port() { ! messages | grep -v ' bond-degraded pve-02/bond0$'; }

audit_all() {
  local in
  for in in $(every_node); do
    fall_silent "$in" > "/lab/$in/lines"
    spool_of "$in" > "/lab/$in/spool"
  done
  on collector quorate-collector operator add lab --role viewer --out /root/lab.json
  until_so 'every event of every spool is with the collector, once and without a gap' all has_all_of
  quorate events --json --lines all > "$results/events.jsonl"
  check 'every line that was said meanwhile is among them, once' all lines_are_kept
  check 'and that the port was pulled, and plugged in' port_is_told
  check 'no agent had to let anything go' all nothing_was_lost
  for in in $(every_node); do
    tell "  $in: events 1 to $(jq .last "/lab/$in/spool") of spool $(jq -r '.id[0:8]' "/lab/$in/spool"), $(cat "/lab/$in/lines") lines said meanwhile"
  done
}
kept() { on collector fleet --audit /root/lab.json; }
has_all_of() {
  kept | jq -se --argjson spool "$(cat "/lab/$1/spool")" --arg node "$1" '[.[] | select(.node == $node)] |
    length == 1 and all(.[]; .spool == $spool.id and .first == 1 and .last >= $spool.last and .count == .last)'
}
lines_are_kept() {
  jq -se --arg node "$1" --argjson said "$(cat "/lab/$1/lines")" '
    [.[] | select(.node == $node) | .sentence | capture("line (?<n>[0-9]+) of the lab") | .n | tonumber] | sort == [range(1; $said + 1)]' \
    "$results/events.jsonl"
}
port_is_told() { jq -se '[.[] | select(.node == "pve-02" and (.sentence | test("eno1")))] | length >= 2' "$results/events.jsonl"; }
nothing_was_lost() { jq -e '.records_dropped == 0 and .records_damaged == 0 and .overflows == 0' "/lab/$1/spool"; }

purge_all() {
  check "dpkg purges $purged" on "$purged" dpkg --purge quorate-agent quorate
  listing "$purged" > "/lab/$purged/after"
  check "and leaves nothing there" diff "/lab/$purged/before" "/lab/$purged/after"
  check "nor in /run" on "$purged" test ! -e /run/quorate
  check "dpkg purges the collector" on collector dpkg --purge quorate-collector quorate
  on collector rm -f /root/init /root/lab.json
  listing collector > /lab/collector/after
  check "and leaves nothing there" diff /lab/collector/before /lab/collector/after
  on collector cat /etc/passwd > /lab/collector/passwd.after
  check "nor a user" diff /lab/collector/passwd /lab/collector/passwd.after
}

purged=$(name_of "$nodes")
build_site
if [ "$failed" = 0 ]; then
  install_all
  set_up_collector
  join_all
fi
if [ "$failed" = 0 ]; then
  fails 'a port of pve-03 is pulled' bond-degraded pve-03/bond0 'bond0 of pve-03 runs on 1 of 2 ports' set_ports down p3-1 -- set_ports up p3-1
  fails 'the switch sw-a is killed' switch-down 'switch sw-a' 'switch sw-a is down' set_switch down sw-a -- set_switch up sw-a
fi
if [ "$failed" = 0 ]; then
  upgrade_all
  audit_all
  purge_all
fi
[ "$failed" = 0 ] || on collector journalctl --no-pager -n 100 -u quorate-collector.service || true
say "end, failed=$failed"
exit "$failed"
