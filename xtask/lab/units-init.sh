#!/bin/bash
# Runs inside the lab machine: agent and collector by the units that are shipped. What the agent knows below its unit is held
# against what the same agent knows without a sandbox, on the same node at the same time.
#
#   init RESULTS
set -eu

results=${1:?usage: init RESULTS}
here=$(dirname "$0")
cluster_id=0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c

# shellcheck source=machine.sh
. "$here/machine.sh"
# shellcheck source=captures-node.sh
. "$here/captures-node.sh"

check() { # WHAT COMMAND...: at once
  local what=$1
  shift
  if "$@" >/dev/null 2>&1; then
    say "so: $what"
  else
    say "NOT SO: $what"
    failed=1
  fi
}

# shellcheck disable=SC2016 # it is Perl
ask() { # SOCKET QUESTION
  perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$ARGV[0]: $!";
    print $s "$ARGV[1]\n"; print while <$s>' "$@"
}

install_all() {
  install -m 755 "$here/quorate-agent" "$here/quorate-collector" /usr/bin/
  install -m 644 "$here"/quorate-{agent,agent-pve,collector}.service /etc/systemd/system/
  install -D -m 755 "$here/pve-dropin.sh" /usr/libexec/quorate/pve-dropin
  install -D -m 644 "$here/quorate.sysusers" /usr/lib/sysusers.d/quorate.conf
  install -D -m 644 "$here/quorate.tmpfiles" /usr/lib/tmpfiles.d/quorate.conf
  systemd-sysusers
  mkdir -p /etc/quorate
  echo '[alerts]' > /etc/quorate/collector.toml
  systemd-tmpfiles --create /usr/lib/tmpfiles.d/quorate.conf
  # It is enrolled with nobody yet, which the unit waits for otherwise.
  add_to_agent lab '[Unit]\nConditionPathExistsGlob=\n'
}

add_to_agent() { # NAME TEXT
  mkdir -p /etc/systemd/system/quorate-agent.service.d
  printf '%b' "$2" > "/etc/systemd/system/quorate-agent.service.d/$1.conf"
  systemctl daemon-reload
}

take_from_agent() { # NAME
  rm "/etc/systemd/system/quorate-agent.service.d/$1.conf"
  systemctl daemon-reload
}

start_outside() {
  cat > /run/outside.toml <<'TOML'
state_dir = "/var/lib/outside"
socket = "/run/outside.sock"
TOML
  mkdir -p /var/lib/outside
  quorate-agent run --config /run/outside.toml >/run/outside.log 2>&1 &
}

reports() {
  ask /run/quorate/agent.sock report > "$results/inside.json" && ask /run/outside.sock report > "$results/outside.json"
}

# Every value that is known outside and not inside, by its place. Left out is what speaks of the agent itself, what the two have
# read at different moments (lines of the journal, tasks), and what was wrong with a reading: there it is the other way round.
missing='
  def known: [paths(type != "object" and type != "array" and . != null)
    | select(.[0] != "agent" and .[0] != "tasks" and .[0:3] != ["journal", "known", "events"])
    | select(any(.[]; . == "problems" or . == "failed") | not)];
  ($outside[0] | known) - ($inside[0] | known) | map(map(tostring) | join("."))'
missing_inside() {
  reports && jq -cn --slurpfile outside "$results/outside.json" --slurpfile inside "$results/inside.json" "$missing"
}
nothing_is_missing() { [ "$(missing_inside)" = "[]" ]; }
is_missing() { missing_inside | jq -e "any(.[]; $1)"; }
inside_says() { reports && jq -e "$1" "$results/inside.json"; }

agent_pid() { systemctl show -P MainPID quorate-agent.service; }
within() { nsenter --mount --target "$(agent_pid)" "$@"; }
mount_pve() { # STORAGE
  mount -t tmpfs pve /etc/pve
  printf 'dir: %s\n\tpath /var/lib/vz\n' "$1" > /etc/pve/storage.cfg
}


# pmxcfs has died: whoever serves the file system is gone, and it is still mounted. The numbers are mount(2)'s.
# shellcheck disable=SC2016 # it is Perl
kill_pve() {
  modprobe fuse
  perl -e 'open(my $fuse, "+<", "/dev/fuse") or die "/dev/fuse: $!";
    my ($source, $target, $type) = ("pmxcfs", "/etc/pve", "fuse");
    my $options = "fd=" . fileno($fuse) . ",rootmode=40000,user_id=0,group_id=0";
    syscall(165, $source, $target, $type, 0, $options) == 0 or die "mount: $!";'
}

status_says() { systemctl show -P StatusText "$1" | grep -q "$2"; }

install_all
mkdir -p /etc/pve
systemctl start dbus.service systemd-logind.service
# systemctl comes back when the agent has said that it is ready: corosync and /etc/pve are not there yet.
systemctl start quorate-agent.service
check 'the agent is ready before there is a corosync' systemctl is-active quorate-agent.service
start_outside
build_cluster
mount_pve first
poll 200 'corosync, seen from below the unit' inside_says '.corosync.known.quorate == true'
check '/etc/pve, mounted after the start, is seen from below the unit' within grep -q first /etc/pve/storage.cfg
check 'and can be written' within touch /etc/pve/invitation
check 'while /etc cannot' sh -c "! nsenter --mount --target $(agent_pid) touch /etc/written"
poll 200 'LACP partners, seen from below the unit' \
  inside_says '[.bonds.known[] | .slaves[] | .partner_mac | strings] | length == 2'
poll 100 'PSI, seen from below the unit' inside_says '.host.known.pressure != null'
poll 100 'that / can be written' inside_says '.boot.known.file_systems[] | select(.mount_point == "/") | .read_only == false'
poll 100 'the journal, seen from below the unit' inside_says '.journal.known.events | length > 0'
poll 300 'all that is known outside, inside' nothing_is_missing
say "missing inside: $(missing_inside)"
say "known values outside: $(jq -c '[paths(type != "object" and type != "array" and . != null)] | length' "$results/outside.json"), inside: $(jq -c '[paths(type != "object" and type != "array" and . != null)] | length' "$results/inside.json")"
say "failed outside: $(jq -c '[to_entries[] | select(.value.failed?) | .key]' "$results/outside.json"), inside: $(jq -c '[to_entries[] | select(.value.failed?) | .key]' "$results/inside.json")"
say "problems inside: $(jq -c '[to_entries[] | select((.value.problems? // []) != []) | {(.key): .value.problems}]' "$results/inside.json")"
say "blind spots inside: $(jq -c .agent.known.blind_spots "$results/inside.json")"
cp "$results/inside.json" "$results/inside-first.json"
check 'the agent does not keep /etc/pve busy' umount /etc/pve

# pve-cluster is started anew below an agent that was started after it.
mount_pve second
systemctl restart quorate-agent.service
check '/etc/pve, mounted before the start, is seen' within grep -q second /etc/pve/storage.cfg
check 'and can be written, too' within touch /etc/pve/invitation
check 'and is not kept busy, either' umount /etc/pve
check 'it is gone below the unit' sh -c "! nsenter --mount --target $(agent_pid) grep -q second /etc/pve/storage.cfg"
mount_pve third
check '/etc/pve, mounted anew, is seen' within grep -q third /etc/pve/storage.cfg
umount /etc/pve

# The agent is needed most where pmxcfs is dead.
kill_pve
check 'a dead /etc/pve cannot be looked at' sh -c 'stat /etc/pve 2>&1 | grep -q "not connected"'
check 'the agent starts all the same' systemctl restart quorate-agent.service
check 'and runs' systemctl is-active quorate-agent.service
check 'and did so at the first try' sh -c '[ "$(systemctl show -P NRestarts quorate-agent.service)" = 0 ]'
umount /etc/pve
mount_pve fourth
check '/etc/pve, alive again below it, is seen' within grep -q fourth /etc/pve/storage.cfg
check 'and can be written' within touch /etc/pve/invitation
systemctl restart quorate-agent.service
check 'started anew, it has its own setting again' sh -c '[ "$(systemctl show -P ReadWritePaths quorate-agent.service)" = -/etc/pve ]'
check 'and can write /etc/pve' within touch /etc/pve/invitation
umount /etc/pve

# What must not be in the unit: the comparison sees it.
add_to_agent blind '[Service]\nPrivateUsers=yes\n'
systemctl restart quorate-agent.service
poll 200 'that PrivateUsers= hides LACP partners' is_missing '(contains("bonds") and contains("partner"))'
add_to_agent blind '[Service]\nProcSubset=pid\n'
systemctl restart quorate-agent.service
poll 200 'that ProcSubset=pid hides the bonds' is_missing 'contains("bonds")'
take_from_agent blind

# An agent that stands still is started anew.
add_to_agent watchdog '[Service]\nWatchdogSec=15\n'
systemctl restart quorate-agent.service
kill -STOP "$(systemctl show -P MainPID quorate-agent.service)"
restarted() { [ "$(systemctl show -P NRestarts quorate-agent.service)" -ge 1 ] && systemctl is-active quorate-agent.service; }
poll 120 'an agent that stands still is started anew' restarted
take_from_agent watchdog
systemctl restart quorate-agent.service

# The collector, made by root.
check 'the collector does not start before it is made' sh -c 'systemctl start quorate-collector.service && ! systemctl is-active quorate-collector.service'
quorate-collector init --address 127.0.0.1 > /run/collector.init
systemctl start quorate-collector.service
check 'the collector is ready' systemctl is-active quorate-collector.service
check 'it runs as its own user' sh -c '[ "$(ps -o user= -p "$(systemctl show -P MainPID quorate-collector.service)")" = quorate ]'
check 'it owns what root made' sh -c '[ -z "$(find /var/lib/quorate/collector ! -user quorate)" ]'
check 'its configuration is closed to others' sh -c '[ "$(stat -c %U:%G:%a /etc/quorate/collector.toml)" = root:quorate:640 ]'
check 'it reads its configuration again' systemctl reload quorate-collector.service
poll 60 'it says so' status_says quorate-collector.service 'read its configuration again\|Waits for the first'
token=$(quorate-collector token create --json | jq -r .token)
listens() { (exec 3<>/dev/tcp/127.0.0.1/7461) 2>/dev/null; }
poll 60 'the enrolment' listens
quorate-agent join 127.0.0.1 --token "$token" --cluster-id "$cluster_id" >/dev/null
poll 120 'the agent says that its collector is connected' status_says quorate-agent.service 'its collector is connected'
poll 120 'the collector says that it hears the node' status_says quorate-collector.service 'Hears 1 of'
kill -KILL "$(systemctl show -P MainPID quorate-agent.service)"
of_the_node() { journalctl -u quorate-collector.service QUORATE_NODE=pve-01 -o json | jq -e 'select(.MESSAGE | contains("stream ended"))'; }
poll 120 'the journal finds what was said of a node by its field' of_the_node
check 'a line of the collector says all of it' sh -c "journalctl -u quorate-collector.service -o cat | grep -q 'stream ended.*node=\"pve-01\"'"
level() { journalctl -u "$1" -o json | jq -se "any(.[]; .PRIORITY == \"$2\" and .SYSLOG_IDENTIFIER == \"$3\")"; }
check 'lines of the agent have their level' level quorate-agent.service 6 quorate-agent
check 'and none has it in its text' sh -c "! journalctl -u quorate-agent.service -o cat | grep -q '^<[0-9]>'"
check 'lines of the collector have their level' level quorate-collector.service 6 quorate-collector
say "$(journalctl -u quorate-agent.service -u quorate-collector.service --no-pager -o short-precise | tail -n 40)"
systemctl stop quorate-collector.service quorate-agent.service

say "end, failed=$failed"
exit "$failed"
