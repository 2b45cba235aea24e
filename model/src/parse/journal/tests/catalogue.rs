//! Every line that the catalogue knows, in every spelling, with what it means.

use super::{event, read};
use crate::fact::journal::{Event, JournalEvent};

/// One line of a program means this event.
#[track_caller]
fn check(identifier: &str, message: &str, expected: &str) {
    let line = format!("Nov 21 03:46:01 pve-01 {identifier}: {message}\n");
    let parsed = read(&line);
    assert_eq!(parsed.bad_lines, [], "{message}");
    assert_eq!(parsed.value.events.len(), 1, "{message}");
    let found = &parsed.value.events[0];
    assert_eq!(event(found), format!(r#"{{"event":{expected}}}"#), "{message}");
    let json = serde_json::to_string(found).unwrap();
    assert_eq!(&serde_json::from_str::<JournalEvent>(&json).unwrap(), found, "{json}");
}

#[track_caller]
fn kernel(message: &str, expected: &str) {
    check("kernel", message, expected);
}

#[track_caller]
fn corosync(message: &str, expected: &str) {
    check("corosync[1234]", &format!("  {message}"), expected);
}

/// The program is known, the line is not an event.
#[track_caller]
fn silent(identifier: &str, message: &str) {
    let parsed = read(&format!("Nov 21 03:46:01 pve-01 {identifier}: {message}\n"));
    assert_eq!(parsed.bad_lines, []);
    assert_eq!(parsed.value.events, [], "{message}");
    assert_eq!(parsed.value.entries_of_others, 1);
}

#[test]
fn bonds_of_kernels_since_4_19() {
    let at = |event: &str| format!(r#""{event}","bond":"bond0","port":"eno1""#);
    let of = |what: &str| format!("bond0: (slave eno1): {what}");
    let down = at("bond_port_down");
    kernel(&of("link status definitely down, disabling slave"), &down);
    kernel(&of("interface is now down"), &down);
    kernel(&of("backup interface is now down"), &down);
    let up = at("bond_port_up");
    kernel(&of("link status definitely up, 1000 Mbps full duplex"), &format!(r#"{up},"speed_mbps":1000,"duplex":"full""#));
    kernel(&of("link status definitely up, 0 Mbps half duplex"), &format!(r#"{up},"speed_mbps":null,"duplex":"half""#));
    kernel(&of("link status definitely up, 4294967295 Mbps full duplex"), &format!(r#"{up},"speed_mbps":null,"duplex":"full""#));
    kernel(&of("link status definitely up"), &format!(r#"{up},"speed_mbps":null,"duplex":null"#));
    kernel(&of("link status down for active interface, disabling it in 200 ms"), &format!(r#"{},"delay_ms":200"#, at("bond_port_going_down")));
    kernel(&of("link status down for interface, disabling it in 200 ms"), &format!(r#"{},"delay_ms":200"#, at("bond_port_going_down")));
    kernel(&of("link status up, enabling it in 300 ms"), &format!(r#"{},"delay_ms":300"#, at("bond_port_going_up")));
    kernel(&of("link status up again after 100 ms"), &format!(r#"{},"after_ms":100"#, at("bond_port_up_again")));
    kernel(&of("link status down again after 100 ms"), &format!(r#"{},"after_ms":100"#, at("bond_port_down_again")));
    kernel(&of("making interface the new active one"), &at("bond_new_active_port"));
    kernel(&of("making interface the new active one 100 ms earlier"), &at("bond_new_active_port"));
    kernel(&of("Enslaving as a backup interface with an up link"), &format!(r#"{},"backup":true,"link_up":true"#, at("bond_port_added")));
    kernel(&of("Enslaving as an active interface with a down link"), &format!(r#"{},"backup":false,"link_up":false"#, at("bond_port_added")));
    kernel(&of("Releasing backup interface"), &at("bond_port_removed"));
    kernel(&of("failed to get link speed/duplex"), &at("bond_port_speed_unreadable"));
    kernel(&of("An illegal loopback occurred on slave"), &at("bond_port_loopback"));
    kernel("bond0: now running without any active interface!", r#""bond_no_active_port","bond":"bond0""#);
    kernel("bond0: now running without any active interface", r#""bond_no_active_port","bond":"bond0""#);
    kernel("bond0: active interface up!", r#""bond_active_port_up","bond":"bond0""#);
    kernel("bond0: Warning: No 802.3ad response from the link partner for any adapters in the bond", r#""bond_no_lacp_partner","bond":"bond0""#);
    // rsyslog's copy of a kernel line carries the kernel's own stamp.
    kernel("[12345.678901] bond0: active interface up!", r#""bond_active_port_up","bond":"bond0""#);
}

#[test]
fn bonds_of_older_kernels() {
    let at = |event: &str| format!(r#""{event}","bond":"bond0","port":"eth2""#);
    kernel("bonding: bond0: link status definitely down for interface eth2, disabling it", &at("bond_port_down"));
    kernel("bond0: link status definitely up for interface eth2, 10000 Mbps full duplex", &format!(r#"{},"speed_mbps":10000,"duplex":"full""#, at("bond_port_up")));
    kernel("bond0: link status down for active interface eth2, disabling it in 100 ms", &format!(r#"{},"delay_ms":100"#, at("bond_port_going_down")));
    kernel("bond0: link status up for interface eth2, enabling it in 200 ms", &format!(r#"{},"delay_ms":200"#, at("bond_port_going_up")));
    kernel("bond0: link status up again after 100 ms for interface eth2", &format!(r#"{},"after_ms":100"#, at("bond_port_up_again")));
    kernel("bond0: making interface eth2 the new active one", &at("bond_new_active_port"));
    kernel("bond0: first active interface up!", r#""bond_active_port_up","bond":"bond0""#);
    kernel("bond0: Enslaving eth2 as a backup interface with a down link", &format!(r#"{},"backup":true,"link_up":false"#, at("bond_port_added")));
    kernel("bond0: Releasing active interface eth2", &at("bond_port_removed"));
}

#[test]
fn cards_of_every_driver() {
    let up = |driver: &str, speed: &str, duplex: &str| format!(r#""nic_link_up","iface":"eno1","driver":"{driver}","speed_mbps":{speed},"duplex":{duplex}"#);
    let full = r#""full""#;
    for (line, expected) in [
        ("tg3 0000:02:00.0 eno1: Link is up at 100 Mbps, full duplex", up("tg3", "100", full)),
        ("tg3 0000:02:00.0: eno1: Link is up at 100 Mbps, full duplex", up("tg3", "100", full)),
        ("igb 0000:01:00.0 eno1: igb: eno1 NIC Link is Up 10 Mbps Half Duplex, Flow Control: None", up("igb", "10", r#""half""#)),
        ("igb: eno1 NIC Link is Up 1000 Mbps Full Duplex, Flow Control: RX/TX", up("igb", "1000", full)),
        ("igc 0000:01:00.0 eno1: NIC Link is Up 2500 Mbps Full Duplex, Flow Control: RX/TX", up("igc", "2500", full)),
        ("e1000e: eno1 NIC Link is Up 1000 Mbps Full Duplex, Flow Control: Rx/Tx", up("e1000e", "1000", full)),
        ("ixgbe 0000:03:00.0 eno1: NIC Link is Up 10 Gbps, Flow Control: RX/TX", up("ixgbe", "10000", "null")),
        ("ixgbe 0000:03:00.0 eno1: NIC Link is Up 2.5 Gbps, Flow Control: None", up("ixgbe", "2500", "null")),
        ("ixgbe 0000:03:00.0 eno1: NIC Link is Up unknown speed, Flow Control: None", up("ixgbe", "null", "null")),
        ("i40e 0000:03:00.0 eno1: NIC Link is Up, 10 Gbps Full Duplex, Flow Control: None", up("i40e", "10000", full)),
        ("i40e 0000:03:00.0 eno1: NIC Link is Up, 1000 Mbps Full Duplex, Requested FEC: None, Flow Control: None", up("i40e", "1000", full)),
        ("ice 0000:03:00.0 eno1: NIC Link is up 25 Gbps Full Duplex, Requested FEC: RS-FEC, Flow Control: None", up("ice", "25000", full)),
        ("bnx2 0000:02:00.0 eno1: NIC Copper Link is Up, 1000 Mbps full duplex, receive & transmit flow control ON", up("bnx2", "1000", full)),
        ("bnx2x 0000:02:00.0 eno1: NIC Link is Up, 10000 Mbps full duplex, Flow control: ON - receive & transmit", up("bnx2x", "10000", full)),
        ("bnxt_en 0000:02:00.0 eno1: NIC Link is Up, 25000 Mbps (NRZ) full duplex, Flow control: none", up("bnxt_en", "25000", full)),
        ("bnxt_en 0000:02:00.0 eno1: NIC Link is Up, speed unknown", up("bnxt_en", "null", "null")),
        ("r8169 0000:01:00.0 eno1: Link is Up - 1Gbps/Full - flow control rx/tx", up("r8169", "1000", full)),
        ("r8169 0000:01:00.0 eno1: Link is Up - 2.5Gbps/Full - flow control off", up("r8169", "2500", full)),
        ("r8169 0000:01:00.0 eno1: link up", up("r8169", "null", "null")),
        ("mlx5_core 0000:05:00.0 eno1: Link up", up("mlx5_core", "null", "null")),
        ("mlx4_en: eno1: Link Up", up("mlx4_en", "null", "null")),
        ("cxgb4 0000:05:00.4 eno1: link up, 10Gbps, full-duplex, Tx/Rx PAUSE", up("cxgb4", "10000", full)),
        ("[qede_link_update:2451(eno1)]Link is up", up("qede", "null", "null")),
        ("atlantic 0000:05:00.0 eno1: atlantic: link change old 0 new 10000", up("atlantic", "10000", "null")),
    ] {
        kernel(line, &expected);
    }
    for (line, driver) in [
        ("tg3 0000:02:00.0 eno1: Link is down", "tg3"),
        ("i40e 0000:03:00.0 eno1: NIC Link is Down", "i40e"),
        ("igb 0000:01:00.0 eno1: igb: eno1 NIC Link is Down", "igb"),
        ("e1000e 0000:00:1f.6 eno1: NIC Link is Down", "e1000e"),
        ("bnx2 0000:02:00.0 eno1: NIC Copper Link is Down", "bnx2"),
        ("r8169 0000:01:00.0 eno1: Link is Down", "r8169"),
        ("mlx5_core 0000:05:00.0 eno1: Link down", "mlx5_core"),
        ("atlantic 0000:05:00.0 eno1: atlantic: link change old 10000 new 0", "atlantic"),
    ] {
        kernel(line, &format!(r#""nic_link_down","iface":"eno1","driver":"{driver}""#));
    }
}

#[test]
fn cards_in_trouble() {
    kernel("e1000e 0000:00:1f.6 eno1: Detected Hardware Unit Hang:", r#""nic_hang","iface":"eno1","driver":"e1000e""#);
    kernel("igb 0000:01:00.0 eno1: Link Speed was downgraded by SmartSpeed", r#""nic_speed_downgraded","iface":"eno1","driver":"igb""#);
    kernel("NETDEV WATCHDOG: eno1 (e1000e): transmit queue 0 timed out", r#""nic_transmit_timeout","iface":"eno1","driver":"e1000e","queue":0,"after_ms":null"#);
    kernel("e1000e 0000:00:1f.6 eno1: NETDEV WATCHDOG: CPU: 3: transmit queue 1 timed out 5376 ms", r#""nic_transmit_timeout","iface":"eno1","driver":"e1000e","queue":1,"after_ms":5376"#);
    kernel("e1000e 0000:00:1f.6 eno1: Reset adapter unexpectedly", r#""nic_reset","iface":"eno1","driver":"e1000e""#);
    kernel("igb 0000:01:00.0 enp1s0: renamed from eth0", r#""nic_renamed","iface":"enp1s0","from":"eth0","driver":"igb""#);
}

#[test]
fn bridges_and_the_node_itself() {
    kernel("vmbr2: port 2(eno3) entered disabled state", r#""bridge_port_state","bridge":"vmbr2","port":"eno3","port_number":2,"state":"disabled""#);
    kernel("vmbr0: received packet on bond0 with own address as source address (addr:00:1c:73:aa:01:10, vlan:30)", r#""bridge_own_address","bridge":"vmbr0","port":"bond0","address":"00:1c:73:aa:01:10","vlan":30"#);
    kernel("vmbr0: received packet on bond0 with own address as source address", r#""bridge_own_address","bridge":"vmbr0","port":"bond0","address":null,"vlan":null"#);
    kernel("received packet on bond3 with own address as source address", r#""bridge_own_address","bridge":null,"port":"bond3","address":null,"vlan":null"#);
    kernel("vmbr0: topology change detected, propagating", r#""bridge_topology_change","bridge":"vmbr0""#);
    kernel("softdog: Initiating system reboot", r#""watchdog_reset""#);
    kernel("watchdog: watchdog0: watchdog did not stop!", r#""watchdog_not_stopped","device":"watchdog0""#);
    kernel("INFO: task kworker/u8:2:1234 blocked for more than 120 seconds.", r#""task_hung","task":"kworker/u8:2","task_pid":1234,"seconds":120"#);
    kernel("watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [corosync:1234]", r#""cpu_stuck","cpu":3,"seconds":22"#);
    kernel("Out of memory: Killed process 1234 (corosync) total-vm:1kB", r#""out_of_memory_kill","task":"corosync","task_pid":1234"#);
}

#[test]
fn other_lines_of_the_kernel_are_no_events() {
    for line in [
        "audit: rate limit exceeded",
        "e1000e 0000:00:1f.6 eno1: Link down for VF 3",
        "ata1: SATA link up 6.0 Gbps (SStatus 133 SControl 300)",
        "ata1: SATA link down (SStatus 0 SControl 300)",
        "pcieport 0000:00:1c.0: Link is up",
        "IPv6: ADDRCONF(NETDEV_CHANGE): eno1: link becomes ready",
        "usb 1-1: reset high-speed USB device number 2 using xhci_hcd",
        "",
        ": ",
        "é: (slave é): é",
    ] {
        silent("kernel", line);
    }
}

#[test]
fn corosync_of_knet() {
    let link = |event: &str| format!(r#""{event}","node_id":2,"link":0"#);
    corosync("[KNET  ] link: host: 2 link: 0 is down", &link("knet_link_down"));
    corosync("[KNET  ] rx: host: 2 link: 0 is up", &link("knet_link_up"));
    corosync("[KNET  ] link: host: 2 link: 0 is up", &link("knet_link_up"));
    corosync("[KNET  ] host: host: 2 has no active links", r#""knet_no_active_links","node_id":2"#);
    corosync("[KNET  ] host: host: 2 has 1 active links", r#""knet_active_links","node_id":2,"links":1"#);
    corosync("[KNET  ] host: host: 2 (passive) best link: 1 (pri: 1)", r#""knet_best_link","node_id":2,"link":1,"link_priority":1"#);
    corosync("[KNET  ] pmtud: possible MTU misconfiguration detected. kernel is reporting MTU: 9000 bytes for host 2 link 0 but the other node is not acknowledging packets of this size. ", &format!(r#"{},"kernel_mtu_bytes":9000"#, link("knet_mtu_misconfigured")));
    corosync("[KNET  ] pmtud: PMTUD link change for host: 2 link: 0 from 469 to 1397", &format!(r#"{},"from_bytes":469,"to_bytes":1397"#, link("knet_link_mtu")));
    corosync("[KNET  ] pmtud: Global data MTU changed to: 1397", r#""knet_data_mtu","mtu_bytes":1397"#);
    corosync("[KNET  ] link: Resetting MTU for link 0 because host 2 joined", &link("knet_mtu_reset"));
    corosync("[KNET  ] rx: Packet rejected from 10.20.0.9:5405", r#""knet_packet_rejected","from":"10.20.0.9:5405""#);
    corosync("notice  [KNET  ] libknet.h:763 link: host: 2 link: 0 is down", &link("knet_link_down"));
}

#[test]
fn corosync_of_totem() {
    corosync("[TOTEM ] Token has not been received in 2250 ms ", r#""totem_token_late","after_ms":2250"#);
    corosync("[TOTEM ] A processor failed, forming new configuration: token timed out (3000ms), waiting 3600ms for consensus.", r#""totem_processor_failed","token_ms":3000,"consensus_ms":3600"#);
    corosync("[TOTEM ] A processor failed, forming new configuration.", r#""totem_processor_failed","token_ms":null,"consensus_ms":null"#);
    corosync("[TOTEM ] The consensus timeout expired (3600ms).", r#""totem_consensus_timeout","after_ms":3600"#);
    corosync("[TOTEM ] Retransmit List: 7c9a61 7c9a62 ", r#""totem_retransmit","messages":2,"list":["7c9a61","7c9a62"]"#);
    corosync("[TOTEM ] A new membership (2.1e) was formed. Members left: 1", r#""totem_membership","ring_id":"2.1e","joined":[],"left":[1]"#);
    corosync("[TOTEM ] A new membership (1.11) was formed. Members joined: 2 3 left: 4", r#""totem_membership","ring_id":"1.11","joined":[2,3],"left":[4]"#);
    corosync("[TOTEM ] A new membership (10.0.0.1:1234) was formed. Members", r#""totem_membership","ring_id":"10.0.0.1:1234","joined":[],"left":[]"#);
    corosync("[TOTEM ] Failed to receive the leave message. failed: 1 2", r#""totem_leave_message_missed","failed":[1,2]"#);
    corosync("[TOTEM ] Process pause detected for 3456 ms, flushing membership messages.", r#""totem_pause","pause_ms":3456"#);
    corosync("[TOTEM ] FAILED TO RECEIVE", r#""totem_failed_to_receive""#);
    corosync("[TOTEM ] Marking ringid 1 interface 10.0.0.1 FAULTY", r#""ring_faulty","ring":1,"address":"10.0.0.1""#);
    corosync("[TOTEM ] Automatically recovered ring 1", r#""ring_recovered","ring":1"#);
    corosync("[TOTEM ] The network interface [10.0.0.1] is now up.", r#""totem_interface_up","address":"10.0.0.1""#);
    corosync("[TOTEM ] The network interface is down.", r#""totem_interface_down""#);
    corosync("[TOTEM ] The token was lost in the OPERATIONAL state.", r#""totem_token_lost","state":"OPERATIONAL""#);
}

#[test]
fn corosync_of_quorum() {
    corosync("[QUORUM] This node is within the non-primary component and will NOT provide any services.", r#""quorum_lost""#);
    corosync("[QUORUM] This node is within the primary component and will provide service.", r#""quorum_gained""#);
    corosync("[QUORUM] Members[8]: 1 2 3 4 5 6 7 8", r#""quorum_members","total":8,"members":[1,2,3,4,5,6,7,8]"#);
    corosync(r"[QUORUM] Members[40]: 1 2 3\", r#""quorum_members","total":40,"members":[1,2,3]"#);
    corosync("[QUORUM] Sync members[2]: 1 3", r#""sync_members","total":2,"members":[1,3]"#);
    corosync("[QUORUM] Sync joined[1]: 2", r#""sync_joined","total":1,"members":[2]"#);
    corosync("[QUORUM] Sync left[1]: 2", r#""sync_left","total":1,"members":[2]"#);
    corosync("[VOTEQ ] waiting for quorum device Qdevice poll (but maximum for 30000 ms)", r#""qdevice_awaited","name":"Qdevice","at_most_ms":30000"#);
    corosync("[VOTEQ ] lost contact with quorum device Qdevice", r#""qdevice_contact_lost","name":"Qdevice""#);
    corosync("[VOTEQ ] Waiting for all cluster members. Current votes: 1 expected_votes: 3", r#""waiting_for_all_nodes","votes":1,"expected_votes":3"#);
    corosync("[VOTEQ ] wait_for_all_status reset by user on node 1.", r#""wait_for_all_reset","node_id":1"#);
    corosync("[VOTEQ ] quorum lost, blocking activity", r#""quorum_activity_blocked""#);
    check("corosync-qdevice[900]", "Server didn't send echo reply message on time", r#""qdevice_server_lost","why":"Server didn't send echo reply message on time""#);
}

#[test]
fn corosync_of_itself_and_its_configuration() {
    corosync("[MAIN  ] Corosync main process was not scheduled (@1700000000000) for 4321.1234 ms (threshold is 800.0000 ms). Consider token timeout increase.", r#""corosync_not_scheduled","pause_ms":4321.1234,"threshold_ms":800.0"#);
    corosync("[MAIN  ] Corosync main process was not scheduled for 4321.1234 ms (threshold is 800.0000 ms).", r#""corosync_not_scheduled","pause_ms":4321.1234,"threshold_ms":800.0"#);
    corosync("[MAIN  ] Process pause detected for 3456 ms, flushing membership messages.", r#""totem_pause","pause_ms":3456"#);
    corosync("[MAIN  ] Corosync Cluster Engine 3.1.9 starting up", r#""corosync_started","version":"3.1.9""#);
    corosync("[MAIN  ] Corosync Cluster Engine ('2.4.4'): started and ready to provide service.", r#""corosync_started","version":"2.4.4""#);
    corosync("[MAIN  ] Completed service synchronization, ready to provide service.", r#""corosync_synchronized""#);
    corosync("[MAIN  ] Node was shut down by a signal", r#""corosync_shut_down_by_signal""#);
    corosync("[MAIN  ] Corosync Cluster Engine exiting normally", r#""corosync_exiting","status":null"#);
    corosync("[MAIN  ] Corosync Cluster Engine exiting with status 8 at main.c:1444.", r#""corosync_exiting","status":8"#);
    corosync("[CFG   ] Node 3 was shut down by sysadmin", r#""node_shut_down_by_admin","node_id":3"#);
    corosync("[CFG   ] Config reload requested by node 1", r#""config_reload","node_id":1"#);
    corosync("[CFG   ] Killed by node 2 : because", r#""corosync_killed_by_node","node_id":2,"why":"because""#);
    corosync("[CFG   ] Modified entry 'totem.crypto_hash' in corosync.conf cannot be changed at run-time", r#""config_key_ignored","key":"totem.crypto_hash""#);
    corosync("[CMAP  ] Received config version (11) is different than my config version (7)! Exiting", r#""config_version_differs","received":11,"own":7"#);
    corosync("[CMAP  ] new config has different address for link 5 (addr changed from 10.0.0.1 to 10.0.0.2). Internal value was NOT changed.", r#""config_address_ignored","link":5,"running":"10.0.0.1","configured":"10.0.0.2""#);
    corosync("[CFG   ] Cannot configure new interface definitions: new config has different address for link 5 (addr changed from 10.0.0.1 to 10.0.0.2). Internal value was NOT changed.", r#""config_address_ignored","link":5,"running":"10.0.0.1","configured":"10.0.0.2""#);
    corosync("[TOTEM ] new config has different address for link 5. Internal value was NOT changed.", r#""config_address_ignored","link":5,"running":null,"configured":null"#);
    corosync("[SERV  ] Service engine loaded: corosync profile loading service [4]", r#""other""#);
}

#[test]
fn pmxcfs() {
    let tell = |message: &str, expected: &str| check("pmxcfs[1500]", message, expected);
    tell("[status] notice: node lost quorum", r#""pmxcfs_quorum_lost""#);
    tell("[status] notice: node has quorum", r#""pmxcfs_quorum_gained""#);
    tell("[dcdb] crit: received write while not quorate - trigger resync", r#""pmxcfs_write_without_quorum","domain":"dcdb""#);
    tell("[status] crit: cpg_send_message failed: CS_ERR_TRY_AGAIN", r#""pmxcfs_send_failed","domain":"status","error":"CS_ERR_TRY_AGAIN""#);
    tell("[status] crit: cpg_send_message failed: 6", r#""pmxcfs_send_failed","domain":"status","error":"6""#);
    tell("[status] notice: cpg_send_message retry 80", r#""pmxcfs_send_retry","domain":"status","retry":80"#);
    tell("cpg_send_message retry 80", r#""pmxcfs_send_retry","domain":null,"retry":80"#);
    tell("[status] notice: cpg_send_message retried 100 times", r#""pmxcfs_send_retried","domain":"status","times":100"#);
    tell("[dcdb] crit: cpg_join failed: CS_ERR_EXIST", r#""pmxcfs_join_failed","domain":"dcdb","error":"CS_ERR_EXIST""#);
    tell("[quorum] crit: quorum_dispatch failed: 2", r#""pmxcfs_call_failed","domain":"quorum","call":"quorum_dispatch","error":"2""#);
    tell("[dcdb] notice: all data is up to date", r#""pmxcfs_up_to_date","domain":"dcdb""#);
    tell("[dcdb] notice: members: 1/1500, 2/1477", r#""pmxcfs_members","domain":"dcdb","members":[{"node_id":1,"pid":1500},{"node_id":2,"pid":1477}]"#);
    tell("[dcdb] notice: starting data syncronisation", r#""pmxcfs_sync_started","domain":"dcdb""#);
    tell("[dcdb] crit: leaving CPG group", r#""pmxcfs_left_group","domain":"dcdb""#);
    tell("[status] notice: update cluster info (cluster name  lab, version = 8)", r#""pmxcfs_cluster_config","name":"lab","version":8"#);
    tell("[main] notice: teardown filesystem", r#""other""#);
}

#[test]
fn ha_services() {
    let lrm = |message: &str, expected: &str| check("pve-ha-lrm[1700]", message, expected);
    let crm = |message: &str, expected: &str| check("pve-ha-crm[1690]", message, expected);
    lrm("status change active => lost_agent_lock", r#""ha_status_change","daemon":"lrm","from":"active","to":"lost_agent_lock""#);
    crm("status change wait_for_quorum => slave", r#""ha_status_change","daemon":"crm","from":"wait_for_quorum","to":"slave""#);
    lrm("lost lock 'ha_agent_pve1_lock - cfs lock update failed - Permission denied", r#""ha_lock_lost","daemon":"lrm","lock":"ha_agent_pve1_lock","why":"cfs lock update failed - Permission denied""#);
    lrm("lost lock 'ha_agent_pve1_lock' - cfs lock update failed - No such file", r#""ha_lock_lost","daemon":"lrm","lock":"ha_agent_pve1_lock","why":"cfs lock update failed - No such file""#);
    lrm("successfully acquired lock 'ha_agent_pve1_lock'", r#""ha_lock_acquired","daemon":"lrm","lock":"ha_agent_pve1_lock""#);
    lrm("node need to be fenced - releasing agent_lock", r#""ha_fence_self","daemon":"lrm""#);
    crm("node needs to be fenced - releasing agent_lock", r#""ha_fence_self","daemon":"crm""#);
    crm("Try to fence node 'pve-03'", r#""ha_fencing","node":"pve-03""#);
    crm("FENCE: Try to fence node 'pve-03'", r#""ha_fencing","node":"pve-03""#);
    crm("fencing: acknowledged - got agent lock for node 'pve-03'", r#""ha_fenced","node":"pve-03""#);
    crm("fencing: acknowleged - got agent lock for node 'pve-03'", r#""ha_fenced","node":"pve-03""#);
    crm("node 'pve-03': state changed from 'online' => 'unknown'", r#""ha_node_state","node":"pve-03","from":"online","to":"unknown""#);
    crm("service 'vm:100': state changed from 'started' to 'fence'", r#""ha_service_state","service":"vm:100","from":"started","to":"fence""#);
    lrm("watchdog active", r#""ha_watchdog_opened","daemon":"lrm""#);
    lrm("watchdog closed (disabled)", r#""ha_watchdog_closed","daemon":"lrm""#);
    lrm("node had no service configured for 60 rounds, going idle.", r#""ha_idle","daemon":"lrm""#);
    lrm("loop take too long (65 seconds)", r#""ha_loop_slow","daemon":"lrm","seconds":65"#);
    lrm("reboot LRM, stop and freeze all services", r#""ha_shutdown","action":"reboot""#);
    lrm("got shutdown request with shutdown policy 'conditional'", r#""ha_shutdown_policy","policy":"conditional""#);
    lrm("unable to write lrm status file - unable to open file", r#""ha_status_write_failed","daemon":"lrm","why":"unable to open file""#);
}

#[test]
fn the_watchdog_multiplexer_old_and_new() {
    let tell = |message: &str, expected: &str| check("watchdog-mux[900]", message, expected);
    for (client, pid) in [("client", "null"), ("client (PID 1234)", "1234")] {
        let of = |event: &str| format!(r#""{event}","client_pid":{pid}"#);
        tell(&format!("{client} watchdog is about to expire"), &of("watchdog_about_to_expire"));
        tell(&format!("{client} watchdog was updated before expiring"), &of("watchdog_updated_in_time"));
        tell(&format!("{client} watchdog expired - disable watchdog updates"), &of("watchdog_expired"));
        tell(&format!("{client} did not stop watchdog - disable watchdog updates"), &of("watchdog_client_did_not_stop"));
    }
    tell("exit watchdog-mux with active connections", r#""watchdog_mux_exit_active""#);
    tell("clean exit", r#""watchdog_mux_exit_clean""#);
    tell("Watchdog driver 'Software Watchdog', version 0", r#""watchdog_mux_started","device":"Software Watchdog","version":"0""#);
}

#[test]
fn systemd() {
    check("systemd-shutdown[1]", "Rebooting.", r#""node_going_down","action":"reboot""#);
    check("systemd[1]", "Shutting down.", r#""node_going_down","action":"shut_down""#);
    check("systemd-logind[700]", "The system will power off now!", r#""node_going_down","action":"power_off""#);
    check("systemd[1]", "Startup finished in 5s (kernel) + 20s (userspace) = 25s.", r#""node_started""#);
    check("systemd[1]", "corosync.service: Main process exited, code=exited, status=8/n/a", r#""unit_exited","of_unit":"corosync.service","code":"exited","status":"8/n/a""#);
    check("systemd[1]", "watchdog-mux.service: Failed with result 'core-dump'.", r#""unit_failed","of_unit":"watchdog-mux.service","result":"core-dump""#);
    check("systemd[1]", "Stopped corosync.service - Corosync Cluster Engine.", r#""unit_stopped","of_unit":"corosync.service""#);
    check("systemd[1]", "Failed to start pve-cluster.service - The Proxmox VE cluster filesystem.", r#""unit_failed","of_unit":"pve-cluster.service","result":null"#);
    silent("systemd[1]", "Started session-4.scope - Session 4 of User root.");
    silent("systemd[2345]", "Shutting down.");
}

#[test]
fn a_known_line_with_an_unreadable_value_is_a_bad_line_and_keeps_its_text() {
    for (identifier, message) in [
        ("corosync[1]", "[KNET  ] link: host: two link: 0 is down"),
        ("corosync[1]", "[KNET  ] link: host: 2 link: 999 is down"),
        ("corosync[1]", "[TOTEM ] Token has not been received in many ms"),
        ("corosync[1]", "[TOTEM ] Retransmit List: 7c9a61 zz"),
        ("corosync[1]", "[QUORUM] Members[1]: 1 2 3"),
        ("corosync[1]", "[MAIN  ] Corosync main process was not scheduled for inf ms"),
        ("pmxcfs[1]", "[dcdb] notice: members: 1/15x"),
        ("watchdog-mux[1]", "client (PID many) watchdog expired - disable watchdog updates"),
        ("kernel", "bond0: (slave a-name-that-is-too-long): link status definitely down, disabling slave"),
        ("kernel", "bond0: (slave eno1): link status definitely up, fast Mbps full duplex"),
        ("kernel", "tg3 0000:02:00.0 eno1: Link is up at 100 furlongs, full duplex"),
    ] {
        let parsed = read(&format!("Nov 21 03:46:01 pve-01 {identifier}: {message}\n"));
        assert_eq!(parsed.bad_lines.len(), 1, "{message}");
        assert_eq!(parsed.bad_lines[0].line, message);
        assert_eq!(parsed.value.events[0].event, Event::Other);
        assert_eq!(parsed.value.events[0].message, message);
    }
}

#[test]
fn the_same_text_of_another_program_is_not_that_event() {
    for line in [
        "logger: bond0: active interface up!",
        "kernel[4002]: bond0: active interface up!",
        "sshd[9]: [KNET  ] link: host: 2 link: 0 is down",
        "pvedaemon[9]: status change active => lost_agent_lock",
    ] {
        let parsed = read(&format!("Nov 21 03:46:01 pve-01 {line}\n"));
        assert_eq!((parsed.value.events.len(), parsed.value.entries_of_others), (0, 1), "{line}");
    }
    let borrowed = r#"{"SYSLOG_IDENTIFIER":"systemd-logind","_SYSTEMD_UNIT":"session-4.scope","_COMM":"logger","MESSAGE":"System is rebooting."}"#;
    assert_eq!(read(borrowed).value.events, []);
}
