# A cluster of three with an agent on each node; sourced by stories-init.sh.
# shellcheck shell=bash
#
# A node is a room: namespaces of its own, held open by a process, with its own /run, /dev/shm, state, configuration and
# host name. The namespace `far` is the one switch of the site: an LACP bond for each node, all in one bridge that tells
# VLANs apart. vmbr0 has link 0 of corosync, VLAN 30 on the same bond has link 1 and passes jumbo frames. The collector runs
# on the machine itself, in a management network of its own, so that no failure of the switch silences an agent.

nodes=(1 2 3)
# A switch is one system to all its groups.
switch_mac=02:00:00:00:fa:ff
cluster_id=0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c
collector_address=10.99.0.1
operator=/lab/operator.json

in_room() { # NODE-NUMBER COMMAND...
  local init
  init=$(cat "/lab/pve-0$1/init")
  shift
  nsenter --target "$init" --mount --uts --ipc --net --pid --wd=/ "$@"
}

# /proc is still the one of outside when init reads its number there.
open_room() { # NODE-NUMBER
  local name=pve-0$1
  mkdir -p "/lab/$name/disk"
  # shellcheck disable=SC2016 # it is the room's own shell
  unshare --fork --kill-child --propagation private --pid --mount --net --uts --ipc sh -eu -c '
    read -r init rest </proc/self/stat
    disk=/lab/$1/disk
    hostname "$1"
    echo "$1" > "$disk/hostname"
    printf %s "$1" | md5sum | cut -d" " -f1 > "$disk/machine-id"
    for dir in etc/corosync etc/quorate var/lib/corosync var/lib/quorate var/log; do
      mkdir -p "/$dir" "$disk/$dir"
      mount --bind "$disk/$dir" "/$dir"
    done
    mkdir /var/log/corosync
    mount --bind "$disk/hostname" /etc/hostname
    mount --bind "$disk/machine-id" /etc/machine-id
    mount -t tmpfs tmpfs /dev/shm
    mount -t sysfs sysfs /sys
    ip link set lo up
    echo "$init" > "/lab/$1/init.new"
    mount -t proc proc /proc
    mount -t tmpfs tmpfs /run
    mv "/lab/$1/init.new" "/lab/$1/init"
    exec sleep infinity
  ' room "$name" &
  poll 60 "the room of $name" test -s "/lab/$name/init"
  ip netns attach "$name" "$(cat "/lab/$name/init")"
}

set_up_switch() {
  # What QEMU's monitor said until here went back to it as an echo: that line ends now. What it answers is not read.
  stty -F /dev/ttyS2 raw -echo
  echo > /dev/ttyS2
  ip netns add far
  ip -n far link add far-core type bridge vlan_filtering 1
  ip -n far link set far-core up
  ip link add mgmt type bridge
  ip link set mgmt up
  ip addr add "$collector_address/24" dev mgmt
}

# QEMU has cabled them; here one comes to its place.
plug() { # MAC NETNS NAME
  ip link set "$(ip -j link | jq -r ".[] | select(.address == \"$1\") | .ifname")" netns "$2" name "$3"
}

# Takes the carrier from both ends of a cable, or gives it back.
set_link() { # ON-OR-OFF NODE-PORT...
  local how=$1 cable
  shift
  for cable in "$@"; do printf 'set_link eno-p%s %s\nset_link far-p%s %s\n' "$cable" "$how" "$cable" "$how"; done > /dev/ttyS2
}

set_up_node() { # NODE-NUMBER
  local n=$1 in=pve-0$1 port
  for port in 0 1; do
    plug "02:00:00:00:0$n:0$port" "$in" "eno$port"
    plug "02:00:00:00:fa:$n$port" far "far-p$n-$port"
  done
  ip -n far -batch - <<BATCH
link add far-b$n type bond mode 802.3ad miimon 100 lacp_rate fast ad_actor_system $switch_mac
link set far-p$n-0 master far-b$n
link set far-p$n-1 master far-b$n
link set far-b$n mtu 9000
link set far-b$n master far-core
link set far-b$n up
BATCH
  bridge -n far vlan add dev "far-b$n" vid 30
  ip -n "$in" -batch - <<BATCH
link add bond0 type bond mode 802.3ad miimon 100 lacp_rate fast
link set eno0 master bond0
link set eno1 master bond0
link set bond0 mtu 9000
link add vmbr0 mtu 1500 type bridge vlan_filtering 1
link set bond0 master vmbr0
link set vmbr0 mtu 1500
link add link bond0 name bond0.30 type vlan id 30
link set bond0 up
link set bond0.30 up
link set vmbr0 up
addr add 10.20.0.1$n/24 dev vmbr0
addr add 10.30.0.1$n/24 dev bond0.30
BATCH
  ip link add "mgmt$n" type veth peer name mgmt0 netns "$in"
  ip link set "mgmt$n" master mgmt up
  ip -n "$in" link set mgmt0 up
  ip -n "$in" addr add "10.99.0.1$n/24" dev mgmt0
}

start_corosync() { # NODE-NUMBER
  cp /etc/corosync/{corosync.conf,authkey} "/lab/pve-0$1/disk/etc/corosync/"
  in_room "$1" corosync -f > "/lab/pve-0$1/corosync" 2>&1 &
}

# Emulation is slow, and rooms have no journal to log to.
slow_corosync_conf() {
  write_corosync_conf
  sed -i -e 's/^totem {/&\n  token: 5000/' \
    -e 's,to_syslog: yes,to_syslog: no\n  to_logfile: yes\n  logfile: /var/log/corosync/corosync.log,' /etc/corosync/corosync.conf
}

# How quick an emulated machine is, is no part of any story.
start_collector() {
  mkdir -p /etc/quorate
  cat > /etc/quorate/collector.toml <<'TOML'
[thresholds]
latency_warning_us = 60000000
latency_critical_us = 60000000
clock_skew_ms = 60000
retransmits = 1000000
# Stories follow each other within minutes: what each of them changes is told by itself.
flaps = 100
TOML
  quorate-collector init --address "$collector_address" > /lab/collector.init
  quorate-collector operator add lab --role viewer --out "$operator" >/dev/null
  quorate-collector run > /lab/collector 2>&1 &
  poll 120 'the collector' listens 7460
}
listens() { (exec 3<>"/dev/tcp/$collector_address/$1") 2>/dev/null; }

start_agents() {
  local token n
  token=$(quorate-collector token create --json | jq -r .token)
  poll 60 'the enrolment' listens 7461
  for n in "${nodes[@]}"; do
    in_room "$n" quorate-agent join "$collector_address" --token "$token" --cluster-id "$cluster_id" >/dev/null
    in_room "$n" quorate-agent run > "/lab/pve-0$n/agent" 2>&1 &
  done
}

members_of() { in_room "$1" corosync-quorumtool -s 2>/dev/null | grep -q "^Nodes: *$2\$"; }

build_site() {
  local n
  set_up_switch
  slow_corosync_conf
  for n in "${nodes[@]}"; do
    open_room "$n"
    set_up_node "$n"
  done
  for n in "${nodes[@]}"; do poll 120 "LACP of pve-0$n" lacp_up "pve-0$n"; done
  say "the network is up"
  for n in "${nodes[@]}"; do start_corosync "$n"; done
  for n in "${nodes[@]}"; do poll 300 "a cluster of three at pve-0$n" members_of "$n" 3; done
  say "corosync is up"
  start_collector
  start_agents
  poll 300 'the collector to see the cluster as it is' is_whole
  say "the agents are heard"
}
