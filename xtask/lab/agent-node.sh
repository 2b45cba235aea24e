# What the agent sees of a whole node: bridges, VLANs, MTU, corosync over bonds, and the journal; sourced by
# agent-init.sh. The machine is pve-01 of the cluster of three that captures-node.sh builds.
# shellcheck shell=bash

vmbr0='.bridges.known[] | select(.name == "vmbr0")'
entry() { # EVENT PORT: a typed line of the kernel
  echo 'any(.journal.known.events[]; .identifier == "kernel" and .event == "'"$1"'" and .port == "'"$2"'")'
}
connected='[.corosync.known.links[] | .link as $link | .peers[] | select(.connected) | $link]'

check_node() {
  build_cluster
  look_from
  seen 'node: three members, quorate, every link connected' \
    "(.corosync.known | .quorate and (.members | length) == 3) and ($connected == [0, 0, 1, 1])"
  start_watch

  bridge vlan del dev bond0 vid 30
  seen 'node: a trunk port lost VLAN 30' \
    "$vmbr0 | .ports[] | select(.name == \"bond0\") | all(.vlans[]; .first > 30 or .last < 30)"
  told 'node: a trunk port lost VLAN 30' \
    '.family == "bridges" and .subject == "vmbr0" and (.sentence | contains("port bond0 lost VLAN 30"))'
  bridge vlan add dev bond0 vid 30

  ip link set vmbr0 mtu 1400
  seen 'node: the MTU of one bridge is lower' \
    '(.links.known[] | select(.name == "vmbr0") | .mtu_bytes == 1400) and (.links.known[] | select(.name == "bond0") | .mtu_bytes == 1500)'
  told 'node: the MTU of one bridge is lower' \
    '.family == "links" and .subject == "vmbr0" and (.sentence | contains("MTU is 1400 bytes"))'
  ip link set vmbr0 mtu 1500

  ip -n far link set far-p1-1 down
  seen 'node: one port of the bond is down, and the kernel said so' \
    "($(port eno1) | .mii_status == \"down\") and $(entry bond_port_down eno1)"
  told 'node: the line of the kernel' \
    '.family == "journal" and .subject == "kernel" and (.sentence | contains("slave eno1"))'
  seen 'node: corosync keeps its links over the other port' "$connected == [0, 0, 1, 1]"

  # The last port: all links of corosync go over this bond.
  ip -n far link set far-p1-0 down
  seen 'node: without the bond no link is connected, and quorum is lost' \
    "($connected == []) and .corosync.known.quorate == false"
  told 'node: quorum is lost' '.family == "corosync" and .subject == "quorum" and (.sentence | contains("lost"))'
  ip -n far link set far-p1-0 up
  ip -n far link set far-p1-1 up
  seen 'node: three members again' '.corosync.known | .quorate and (.members | length) == 3'
  stop_watch
  systemctl stop corosync
  seen 'node: corosync stopped is failed, not empty' '.corosync | has("failed")'
}
