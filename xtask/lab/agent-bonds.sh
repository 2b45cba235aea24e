# What the agent sees of bonds, in every mode; sourced by agent-init.sh. The cases are the pairs of network namespaces
# of captures-bonding.sh: eno1, eno2, … in CASE, cabled to p1, p2, … in CASE-far.
# shellcheck shell=bash disable=SC2154 # at, far: of captures-bonding.sh

# `ip netns exec` gives the case a /sys of its own, too.
look_at_case() { look_from ip netns exec "$at"; }

bond0='.bonds.known[] | select(.name == "bond0")'
port() { echo "$bond0 | .slaves[] | select(.name == \"$1\")"; }
line() { echo '.family == "bonds" and .subject == "bond0" and (.sentence | contains("'"$1"'"))'; }

check_every_mode() {
  local mode
  for mode in balance-rr active-backup balance-xor broadcast balance-tlb balance-alb; do
    new_case "$mode" 2
    add_bond mode "$mode" miimon 100
    reach 3 '^MII Status: up'
    look_at_case
    seen "$mode: two ports up" "[$bond0 | .slaves[] | .mii_status] == [\"up\", \"up\"]"
    start_watch
    unplug p1
    seen "$mode: one port down, the bond is up" \
      "($(port eno1) | .mii_status == \"down\") and ($bond0 | .mii_status == \"up\")"
    told "$mode: one port down" "$(line 'port eno1 is down')"
    if [ "$mode" = active-backup ]; then
      seen "$mode: the other port is the active one" "$bond0 | .active_slave == \"eno2\""
      told "$mode: the other port is the active one" "$(line 'eno2 is the active port')"
    fi
    stop_watch
    end_case
  done
}

lacp_case() { # CASE
  new_case "$1" 2
  far_bond b0 'p1 p2' lacp_rate fast
  add_bond mode 802.3ad miimon 100 lacp_rate fast
  lacp_settled 4
  look_at_case
}

nobody=00:00:00:00:00:00

check_lacp() {
  lacp_case capabilities
  seen 'LACP: the partner of both ports' "[$bond0 | .slaves[] | .partner_mac | strings] | length == 2"
  # Exactly what the unit grants.
  look_from ip netns exec "$at" setpriv --bounding-set=-all,+net_admin --inh-caps=-all "--"
  seen 'CAP_NET_ADMIN alone: the partner of both ports' \
    "[$bond0 | .slaves[] | .partner_mac | strings] | length == 2"
  look_from ip netns exec "$at" setpriv --bounding-set=-all --inh-caps=-all "--"
  seen 'no capability: the ports, but no partner' \
    "[$bond0 | .slaves[] | [.mii_status, .partner_mac]] == [[\"up\", null], [\"up\", null]]"
  seen 'no capability: it is said what cannot be seen' '.bonds | tostring | contains("CAP_NET_ADMIN")'
  look_at_case

  start_watch
  unplug p2
  seen 'LACP: one port down, the bond is up' \
    "($(port eno2) | .mii_status == \"down\") and ($bond0 | .mii_status == \"up\")"
  told 'LACP: one port down' "$(line 'port eno2 is down')"
  plug p2
  lacp_settled 4

  ip -n "$at" link set eno1 down
  seen 'LACP: a port was set down, the bond is up' \
    '(.links.known[] | select(.name == "eno1") | .admin_up == false) and '"($bond0 | .mii_status == \"up\")"
  told 'LACP: a port was set down' \
    '.family == "links" and .subject == "eno1" and (.sentence | contains("was set down"))'
  ip -n "$at" link set eno1 up
  lacp_settled 4

  # The far end speaks no more, but every carrier stays.
  tc -n "$far" qdisc add dev p1 root netem loss 100%
  tc -n "$far" qdisc add dev p2 root netem loss 100%
  seen 'LACP: the partner is lost, every port is up' \
    "[$bond0 | .slaves[] | [.mii_status, .partner_pdu.system_mac]] == [[\"up\", \"$nobody\"], [\"up\", \"$nobody\"]]"
  told 'LACP: the partner is lost' "$(line 'no LACP partner')"
  stop_watch
  end_case

  lacp_case aggregators
  start_watch
  # Somebody plugs the second cable into another switch.
  ip -n "$far" link set p2 nomaster
  far_bond b1 p2 lacp_rate fast
  seen 'LACP: a port is in another aggregator' "[$bond0 | .slaves[] | .aggregator_id] | unique | length == 2"
  told 'LACP: a port is in another aggregator' "$(line 'aggregator is')"
  stop_watch
  end_case

  check_speeds
}

# A veth has one speed only; taps take whatever they are told.
check_speeds() {
  new_case speeds 0
  hold_taps nsenter "--net=/run/netns/$at" -- eno1 eno2
  local holder=$! n
  poll 60 'two taps' ip -n "$at" link show eno2
  for n in 1 2; do
    nsenter "--net=/run/netns/$at" ethtool -s "eno$n" speed 10000 duplex full
    ip -n "$at" link set "eno$n" address "02:00:00:00:00:0$n"
  done
  ip -n "$at" link add bond0 type bond mode 802.3ad miimon 100
  for n in 1 2; do ip -n "$at" link set "eno$n" master bond0; done
  ip -n "$at" link set bond0 up
  reach 3 '^MII Status: up'
  look_at_case
  seen 'speeds: both ports alike' "[$bond0 | .slaves[] | .speed_mbps] == [10000, 10000]"
  start_watch
  # It comes back slower, as after a bad cable.
  ip -n "$at" link set eno2 down
  nsenter "--net=/run/netns/$at" ethtool -s eno2 speed 1000 duplex full
  ip -n "$at" link set eno2 up
  seen 'speeds: one port is slower than the other' "[$bond0 | .slaves[] | .speed_mbps] == [10000, 1000]"
  told 'speeds: one port is slower' "$(line 'speed is 1000')"
  stop_watch
  kill "$holder"
  end_case
}

# Churn shows only after a minute: begun first, looked at last.
start_slow_bond_cases() {
  new_case nopartner 2
  add_bond mode 802.3ad miimon 100 lacp_rate fast
  reach 3 '^MII Status: up'
}

check_slow_bond_cases() {
  go_to nopartner
  look_at_case
  seen 'LACP: churn of the partner that never came' \
    "[$bond0 | .slaves[] | .partner_churn] == [\"churned\", \"churned\"]"
  end_case
}
