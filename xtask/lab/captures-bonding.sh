# /proc/net/bonding of every mode, healthy and broken; sourced by captures-init.sh.
# shellcheck shell=bash disable=SC2154 # results, kernel: of captures-init.sh
#
# A case is a pair of network namespaces: CASE holds the ports eno1, eno2, …, cabled to p1, p2, … in CASE-far. All
# cases use the same addresses: 02:00:00:00:00:0N for port N, 02:00:00:00:fa:0N for its far end.

# One case at a time is the current one.
at= far= bond=

new_case() { # CASE PORTS
  at=$1 far=$1-far bond=bond0
  ip netns add "$at"
  ip netns add "$far"
  local n
  for n in $(seq "$2"); do
    ip -n "$at" link add "eno$n" address "02:00:00:00:00:0$n" type veth \
      peer name "p$n" address "02:00:00:00:fa:0$n" netns "$far"
    ip -n "$far" link set "p$n" up
  done
}

go_to() { # CASE
  at=$1 far=$1-far bond=bond0
}

end_case() {
  ip netns del "$at"
  ip netns del "$far"
}

add_bond() { # OPTION...: and every port of the case in it
  ip -n "$at" link add "$bond" type bond "$@"
  local port
  for port in $(ports); do ip -n "$at" link set "$port" master "$bond"; done
  ip -n "$at" link set "$bond" up
}

ports() { nsenter "--net=/run/netns/$at" ip -o link show type veth | sed -E 's/^[0-9]+: ([^@:]+)[@:].*/\1/'; }

far_bond() { # NAME PORTS OPTION...: an LACP partner
  local name=$1 list=$2 port
  shift 2
  ip -n "$far" link add "$name" type bond mode 802.3ad miimon 100 "$@"
  for port in $list; do
    ip -n "$far" link set "$port" down
    ip -n "$far" link set "$port" master "$name"
  done
  ip -n "$far" link set "$name" up
}

unplug() { local port; for port in "$@"; do ip -n "$far" link set "$port" down; done; }
plug() { local port; for port in "$@"; do ip -n "$far" link set "$port" up; done; }

text() { nsenter "--net=/run/netns/$at" cat "/proc/net/bonding/$bond"; }

says() { # COUNT PATTERN: exactly so many lines of the bond match
  [ "$(text | grep -cE -- "$2")" = "$1" ]
}

at_least() { # COUNT PATTERN
  [ "$(text | grep -cE -- "$2")" -ge "$1" ]
}

reach() { # COUNT PATTERN
  poll 60 "$at: $2 ($1 times)" says "$@"
}

shot() { # NAME
  text > "$results/bonding/lab-$kernel-$1.txt"
  say "bonding: $1"
}

# 63: active, short timeout, aggregation, in sync, collecting, distributing. Twice a port: actor and partner.
lacp_settled() { reach "$1" '^    port state: 63$'; }

capture_every_mode() {
  local mode
  for mode in balance-rr active-backup balance-xor broadcast 802.3ad balance-tlb balance-alb; do
    new_case "$mode" 2
    if [ "$mode" = 802.3ad ]; then
      far_bond b0 'p1 p2' lacp_rate fast
      add_bond mode "$mode" miimon 100 lacp_rate fast
      lacp_settled 4
      # The LACP details are for CAP_NET_ADMIN only.
      setpriv --bounding-set -net_admin --inh-caps -net_admin \
        nsenter "--net=/run/netns/$at" cat "/proc/net/bonding/$bond" 2>/dev/null \
        > "$results/bonding/lab-$kernel-$mode-without-cap-net-admin.txt" || true
    else
      add_bond mode "$mode" miimon 100
    fi
    reach 3 '^MII Status: up'
    shot "$mode-healthy"
    unplug p2
    reach 1 '^MII Status: down'
    shot "$mode-one-port-down"
    unplug p1
    reach 3 '^MII Status: down'
    shot "$mode-all-ports-down"
    plug p1 p2
    reach 3 '^MII Status: up'
    if [ "$mode" = 802.3ad ]; then lacp_settled 4; fi
    shot "$mode-ports-back"
    end_case
  done
}

capture_active_backup() {
  new_case primary 2
  add_bond mode active-backup miimon 100 fail_over_mac active
  ip -n "$at" link set bond0 type bond primary eno2 primary_reselect always
  reach 1 '^Currently Active Slave: eno2'
  reach 3 '^MII Status: up'
  shot active-backup-primary-always-fom-active
  ip -n "$at" link set bond0 type bond primary_reselect failure
  unplug p2
  reach 1 '^Currently Active Slave: eno1'
  plug p2
  reach 3 '^MII Status: up'
  shot active-backup-primary-failure-stays-on-other
  end_case

  new_case follow 2
  add_bond mode active-backup miimon 100 fail_over_mac follow
  ip -n "$at" link set bond0 type bond primary eno1 primary_reselect better
  reach 3 '^MII Status: up'
  shot active-backup-primary-better-fom-follow
  ip -n "$at" link set eno2 type bond_slave queue_id 7
  ip -n "$at" link set eno2 nomaster
  ip -n "$at" link set eno1 nomaster
  shot active-backup-primary-gone-no-slaves
  end_case

  new_case arp 2
  ip -n "$far" link add br0 type bridge
  ip -n "$far" link set p1 master br0
  ip -n "$far" link set p2 master br0
  ip -n "$far" link set br0 up
  ip -n "$far" addr add 10.9.0.2/24 dev br0
  ip -n "$far" addr add 10.9.0.3/24 dev br0
  add_bond mode active-backup arp_interval 1000 arp_ip_target 10.9.0.2,10.9.0.3 arp_validate active arp_missed_max 3
  ip -n "$at" addr add 10.9.0.1/24 dev bond0
  reach 3 '^MII Status: up'
  shot active-backup-arp
  # The targets are gone, but each port hears the other's requests: the bond takes them in turn, for ever.
  ip -n "$far" addr flush dev br0
  reach 2 '^Link Failure Count: [3-9]'
  shot active-backup-arp-targets-gone-flapping
  # Nothing is heard at all, though both carriers are there.
  ip -n "$far" link set br0 down
  reach 1 '^Currently Active Slave: None'
  shot active-backup-arp-silence
  end_case

  new_case ns 2
  ip -n "$far" link add br0 type bridge
  ip -n "$far" link set p1 master br0
  ip -n "$far" link set p2 master br0
  ip -n "$far" link set br0 up
  ip -n "$far" addr add 2001:db8::2/64 dev br0 nodad
  ip -n "$far" addr add fe80::2/64 dev br0 nodad
  add_bond mode active-backup arp_interval 500 ns_ip6_target 2001:db8::2,fe80::2
  ip -n "$at" addr add 2001:db8::1/64 dev bond0 nodad
  reach 3 '^MII Status: up'
  shot active-backup-ns-ip6
  end_case

  new_case delays 2
  add_bond mode active-backup miimon 100 updelay 30000 downdelay 20000 peer_notify_delay 500
  reach 1 '^MII Status: going back'
  shot active-backup-delays-going-back
  end_case
  new_case delays 2
  add_bond mode active-backup miimon 100 downdelay 60000
  reach 3 '^MII Status: up'
  unplug p1
  reach 1 '^MII Status: going down'
  shot active-backup-going-down
  end_case

  # Nobody looks at the carrier: everything is "up" for ever.
  new_case blind 2
  add_bond mode active-backup miimon 0
  reach 3 '^MII Status: up'
  unplug p1 p2
  sleep 3
  shot active-backup-no-monitoring-all-ports-down
  end_case

  new_case admin 2
  add_bond mode active-backup miimon 100
  ip -n "$at" link set eno2 type bond_slave queue_id 7
  reach 3 '^MII Status: up'
  shot active-backup-queue-id
  ip -n "$at" link set eno2 down
  reach 1 '^MII Status: down'
  shot active-backup-port-set-down
  ip -n "$at" link set bond0 down
  shot active-backup-bond-set-down
  end_case

  new_case empty 0
  add_bond mode active-backup miimon 100
  shot active-backup-no-slaves
  end_case
}

capture_lacp() {
  new_case options 2
  far_bond b0 'p1 p2' lacp_rate slow
  add_bond mode 802.3ad miimon 100 lacp_rate slow xmit_hash_policy layer3+4 ad_select bandwidth min_links 1 \
    ad_actor_sys_prio 100 ad_actor_system 02:aa:bb:cc:dd:ee ad_user_port_key 5
  # 61 is 63 without "short timeout".
  reach 4 '^    port state: 61$'
  shot 802.3ad-slow-options
  end_case

  new_case minlinks 2
  far_bond b0 'p1 p2' lacp_rate fast
  add_bond mode 802.3ad miimon 100 lacp_rate fast min_links 2
  lacp_settled 4
  unplug p2
  reach 2 '^MII Status: down'
  shot 802.3ad-min-links-not-met
  end_case

  # The far end of p2 no longer speaks, but its carrier stays.
  new_case mute 2
  far_bond b0 'p1 p2' lacp_rate fast
  add_bond mode 802.3ad miimon 100 lacp_rate fast
  lacp_settled 4
  tc -n "$far" qdisc add dev p2 root netem loss 100%
  # 128: expired. Three seconds later the partner is given up: 64, defaulted.
  reach 1 '^    port state: 1[3-9][0-9]$'
  shot 802.3ad-one-port-mute-expired
  reach 1 '^    system mac address: 00:00:00:00:00:00'
  shot 802.3ad-one-port-mute-defaulted
  end_case

  new_case passive 2
  far_bond b0 'p1 p2' lacp_rate fast lacp_active off
  add_bond mode 802.3ad miimon 100 lacp_rate fast lacp_active off
  reach 3 '^MII Status: up'
  shot 802.3ad-lacp-active-off-both
  end_case

  new_case lonely 1
  far_bond b0 p1 lacp_rate fast
  add_bond mode 802.3ad miimon 100 lacp_rate fast
  lacp_settled 2
  shot 802.3ad-one-slave
  end_case

  new_case empty 0
  add_bond mode 802.3ad miimon 100
  shot 802.3ad-no-slaves
  nsenter "--net=/run/netns/$at" ip link set bond0 down
  shot 802.3ad-no-slaves-set-down
  end_case

  new_case notup 2
  ip -n "$at" link add bond0 type bond mode 802.3ad miimon 100
  ip -n "$at" link set eno1 master bond0
  ip -n "$at" link set eno2 master bond0
  shot 802.3ad-never-set-up
  end_case

  new_case long 4
  far_bond b0 'p1 p2 p3 p4' lacp_rate fast
  local n
  for n in 1 2 3 4; do ip -n "$at" link set "eno$n" name "enp129s0f${n}np00$n"; done
  bond=bond-storage-15
  add_bond mode 802.3ad miimon 100 lacp_rate fast xmit_hash_policy encap3+4
  lacp_settled 8
  shot 802.3ad-four-ports-long-names
  end_case
}

capture_oddities() {
  new_case names 2
  ip -n "$at" link set eno1 name 'eth-ä'
  ip -n "$at" link set eno2 name "$(printf 'p\377"\\')"
  ip -n "$at" link add bond0 type bond mode active-backup miimon 100
  ip -n "$at" link set 'eth-ä' master bond0
  ip -n "$at" link set "$(printf 'p\377"\\')" master bond0
  ip -n "$at" link set bond0 up
  reach 3 '^MII Status: up'
  shot active-backup-odd-port-names
  end_case

  # A dummy has no speed to tell.
  new_case dummies 0
  ip -n "$at" link add eno1 address 02:00:00:00:00:01 type dummy
  ip -n "$at" link add eno2 address 02:00:00:00:00:02 type dummy
  ip -n "$at" link add bond0 type bond mode active-backup miimon 100
  ip -n "$at" link set eno1 master bond0
  ip -n "$at" link set eno2 master bond0
  ip -n "$at" link set bond0 up
  reach 3 '^MII Status: up'
  shot active-backup-speed-unknown
  ip -n "$at" link set eno1 nomaster
  ip -n "$at" link set eno2 nomaster
  ip -n "$at" link set bond0 down
  ip -n "$at" link set bond0 type bond mode 802.3ad
  ip -n "$at" link set eno1 master bond0
  ip -n "$at" link set eno2 master bond0
  ip -n "$at" link set bond0 up
  sleep 2
  shot 802.3ad-speed-unknown
  end_case

  # Taps take whatever speed they are told: ports of different speed cannot share an aggregator.
  new_case speeds 0
  hold_taps nsenter "--net=/run/netns/$at" -- eno1 eno2 eno3
  local holder=$!
  poll 30 'three taps' ip -n "$at" link show eno3
  nsenter "--net=/run/netns/$at" ethtool -s eno1 speed 1000 duplex full
  nsenter "--net=/run/netns/$at" ethtool -s eno2 speed 10000 duplex full
  nsenter "--net=/run/netns/$at" ethtool -s eno3 speed 100 duplex half
  local n
  for n in 1 2 3; do ip -n "$at" link set "eno$n" address "02:00:00:00:00:0$n"; done
  ip -n "$at" link add bond0 type bond mode 802.3ad miimon 100 xmit_hash_policy layer2+3
  for n in 1 2 3; do ip -n "$at" link set "eno$n" master bond0; done
  ip -n "$at" link set bond0 up
  reach 4 '^MII Status: up'
  sleep 2
  shot 802.3ad-speeds-differ
  for n in 1 2 3; do ip -n "$at" link set "eno$n" nomaster; done
  ip -n "$at" link del bond0
  ip -n "$at" link add bond0 type bond mode balance-xor miimon 100 xmit_hash_policy vlan+srcmac
  for n in 1 2 3; do ip -n "$at" link set "eno$n" master bond0; done
  ip -n "$at" link set bond0 up
  reach 4 '^MII Status: up'
  shot balance-xor-speeds-differ
  kill "$holder"
  end_case
}

# Churn shows only after 60 s: these are begun first and captured last.
start_slow_cases() {
  new_case nopartner 2
  add_bond mode 802.3ad miimon 100 lacp_rate fast
  reach 3 '^MII Status: up'
  shot 802.3ad-no-partner

  new_case twopartners 2
  far_bond b1 p1 lacp_rate fast
  far_bond b2 p2 lacp_rate fast
  add_bond mode 802.3ad miimon 100 lacp_rate fast
  reach 3 '^MII Status: up'
  reach 2 '^    system mac address: 02:00:00:00:fa:0'
  # Of the two, the port in the active aggregator.
  poll 60 'one aggregator at work' at_least 2 '^    port state: 63$'
  shot 802.3ad-two-aggregators
}

capture_slow_cases() {
  go_to nopartner
  poll 150 'churn without a partner' says 2 '^Partner Churn State: churned'
  shot 802.3ad-no-partner-churned
  end_case
  go_to twopartners
  poll 150 'churn of the idle aggregator' says 1 '^Actor Churn State: churned'
  shot 802.3ad-two-aggregators-churned
  end_case
}
