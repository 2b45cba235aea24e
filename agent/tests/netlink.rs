//! The kernel's own answers against those of `ip` and `bridge`: in a network namespace of its own, with every kind of
//! interface that this kernel can make, `snapshot` asks over netlink, and `snapshot --root` parses what `capture` recorded
//! there a moment before. Both must say the same.
//!
//! Needs iproute2 and util-linux, and root or the right to make user namespaces.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may stop at once, as tests do"
)]

use std::fmt::Write as _;
use std::process::Command;

use serde_json::Value;

/// What to make; a kind that this kernel does not have is left out. `$P` is a process in another namespace.
const SETUP: &str = r#"
mount -t sysfs sysfs /sys
ip link set lo up
ip link add eno1 type veth peer name eno1p
ip link add eno2 type veth peer name eno2p
ip link add eno3 type veth peer name eno3p
ip link set eno3p netns $P
ip link add vmbr0 type bridge forward_delay 400 ageing_time 12345 priority 4097
ip link add vmbr1 type bridge vlan_filtering 1 vlan_default_pvid 3
ip link add vmbr1 type bridge
ip link set eno1 master vmbr0
ip link set eno1 type bridge_slave hairpin on guard on cost 77 priority 9 isolated on learning off flood off root_block on
ip link set eno2 master vmbr1
ip link set eno1p address 02:00:00:00:00:01
ip link set eno1 address 82:f9:af:51:0f:08
ip link add bond0 type bond mode 802.3ad miimon 100 updelay 200 downdelay 300 lacp_rate fast xmit_hash_policy layer3+4 min_links 1 ad_select bandwidth
ip link add bond1 type bond mode active-backup arp_interval 100 arp_ip_target 10.0.0.1,10.0.0.2 arp_validate active fail_over_mac active primary_reselect better
ip link add bond2 type bond mode balance-alb
for n in 1 2 3; do ip link add slave$n type dummy; ip link add slave${n}v type veth peer name slave${n}p; done
ip link set slave1 master bond0; ip link set slave2 master bond1; ip link set bond1 type bond primary slave2
ip link set slave3 master bond2
ip link add link eno2p name eno2p.30 type vlan id 30 gvrp on loose_binding on
ip link add link eno2p name eno2p.31 type vlan protocol 802.1ad id 31
ip link add link eno2p name macvlan0 type macvlan mode bridge
ip link add link eno2p name macvtap0 type macvtap mode private
ip link add link eno2p name ipvlan0 type ipvlan
ip link add vxlan9 type vxlan id 9 dev eno2p group 239.1.1.1 dstport 4789
ip link add vxlan10 type vxlan id 10 local 10.0.0.5 remote 10.0.0.6 dstport 8472
ip link add vxlan11 type vxlan id 11 local fd00::5 remote fd00::6 dstport 4789
ip link add vxlan12 type vxlan external dstport 4790
ip link set vxlan10 master vmbr0
ip link add dummy0 type dummy
ip link add ifb9 type ifb
ip link add vrf1 type vrf table 10
ip link set dummy0 master vrf1
ip link add gre9 type gre local 10.0.0.5 remote 10.0.0.6
ip link add gretap9 type gretap local 10.0.0.5 remote 10.0.0.6
ip link add ipip9 type ipip local 10.0.0.5 remote 10.0.0.6
ip link add sit9 type sit local 10.0.0.5 remote 10.0.0.6
ip link add tunnel9 type ip6tnl local fd00::5 remote fd00::6
ip link add gre69 type ip6gre local fd00::5 remote fd00::6
ip link add geneve9 type geneve id 9 remote 10.0.0.6
ip link add wg9 type wireguard
ip link add team9 type team
ip tuntap add tap100i0 mode tap
ip tuntap add tun9 mode tun
ip link set tap100i0 master vmbr0
ip link set eno2p mtu 9000 txqueuelen 0 group 7 alias 'to sw-a port 7: rack "3"	caf'$(printf '\351')' é \ /'
ip link set eno2p allmulticast on
ip link set macvlan0 promisc on
ip link property add dev eno2p altname enp3s0f0np0 altname enxaabbccddeeff
ip link set eno1 protodown on
for n in eno1 eno1p eno2 eno2p vmbr0 bond0 bond1 bond2 slave1 slave2p slave3p slave3 macvlan0 vxlan10 tap100i0 dummy0 eno2p.30; do ip link set $n up; done
ip addr add 10.0.0.5/24 brd + dev vmbr0
ip addr add 10.0.0.6/24 brd + dev vmbr0 label vmbr0:1
ip addr add 10.0.1.7/24 dev vmbr0 valid_lft 100000 preferred_lft 50000 metric 10
ip addr add 192.168.9.2 peer 192.168.9.1/32 dev eno1p scope link
ip addr add 10.0.2.7/16 dev eno2p noprefixroute scope site
ip addr add 10.0.3.7/16 dev eno2p valid_lft 100000 preferred_lft 0
ip -6 addr add fd00::5/64 dev vmbr0
ip -6 addr add fd00::7/64 dev vmbr0 valid_lft 100000 preferred_lft 50000 nodad
ip -6 addr add fd00::9/64 dev eno2p home mngtmpaddr
ip -6 addr add fd00::a peer fd00::b/128 dev eno2p
ip -6 addr add fd00::c/64 dev eno2p preferred_lft 0
bridge vlan add dev eno2 vid 5-9
bridge vlan add dev eno2 vid 10 pvid untagged
bridge vlan add dev eno2 vid 4000-4094
bridge vlan add dev vmbr1 vid 30 self
sleep 3
"#;

/// Kinds that every Linux with bridges has.
const AT_LEAST: &[&str] = &["lo", "eno1", "eno1p", "eno3", "vmbr0", "vmbr1"];

/// What netlink always tells and iproute2 only in newer versions, or only when asked more (`-s -s`).
const TOLD_BY_NETLINK_ONLY: &[&str] = &["allmulti", "protocol"];

/// How long `capture` may take, by which lifetimes of addresses may differ.
const LONGEST_S: i64 = 60;

#[test]
fn netlink_and_the_outputs_of_ip_and_bridge_say_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (live, captured) = both(dir.path());
    let mut said = String::new();
    for family in ["links", "bridges"] {
        let (live, captured) = (&live[family], &captured[family]);
        assert!(live["problems"].is_null(), "{}", live["problems"]);
        compare(family, &live["known"], &captured["known"], &mut said);
    }
    assert_eq!(said, "");
    let links = live["links"]["known"].as_array().unwrap();
    let names: Vec<_> = links
        .iter()
        .filter_map(|link| link["name"].as_str())
        .collect();
    for name in AT_LEAST {
        assert!(names.contains(name), "{name} could not be made: {names:?}");
    }
    let aliased = links.iter().find(|link| link["name"] == "eno2p").unwrap();
    assert_eq!(
        aliased["alias"],
        "to sw-a port 7: rack \"3\"\tcaf\u{fffd} é \\ /"
    );
}

#[test]
fn without_any_capability_the_same_is_seen_of_links() {
    let dir = tempfile::tempdir().unwrap();
    let own = env!("CARGO_BIN_EXE_quorate-agent");
    let bare = format!(
        "{own} snapshot --json >{0}/full.json; setpriv --bounding-set -all --inh-caps -all --no-new-privs {own} \
         snapshot --json >{0}/bare.json",
        dir.path().display()
    );
    in_namespace(&bare);
    let read = |name: &str| -> Value {
        let text = std::fs::read_to_string(dir.path().join(name)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let (full, bare) = (read("full.json"), read("bare.json"));
    let mut said = String::new();
    for family in ["links", "bridges"] {
        assert!(bare[family]["problems"].is_null(), "{}", bare[family]);
        let only_with = |path: &str| {
            path.ends_with("bond.system_priority") || path.ends_with("bond.system_mac")
        };
        let mut differences = String::new();
        compare(
            family,
            // The later one first: counters have grown, and lifetimes shrunk.
            &bare[family]["known"],
            &full[family]["known"],
            &mut differences,
        );
        for line in differences.lines().filter(|line| {
            let path = line.split(' ').next().unwrap_or_default();
            !only_with(path)
        }) {
            let _ = writeln!(said, "{line}");
        }
    }
    assert_eq!(said, "");
}

/// Runs a script behind the setup, in namespaces that go with it.
fn in_namespace(script: &str) {
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount", "--fork", "--kill-child"]);
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|about| {
        use std::os::unix::fs::MetadataExt as _;
        about.uid() == 0
    });
    if !is_root {
        unshare.args(["--user", "--map-root-user"]);
    }
    // What this kernel cannot make is said on standard error, and is no failure.
    let script = format!(
        "unshare --net sleep 600 & P=$!\nsleep 0.2\n{SETUP}\n{script}\nend=$?\nkill $P\nexit $end"
    );
    let done = unshare.args(["sh", "-c", &script]).output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{errors}");
}

/// What the node says itself, and what its capture says.
fn both(dir: &std::path::Path) -> (Value, Value) {
    let own = env!("CARGO_BIN_EXE_quorate-agent");
    let dir = dir.display();
    in_namespace(&format!(
        "{own} capture --out {dir}/tree >/dev/null && {own} snapshot --json >{dir}/live.json"
    ));
    let live = std::fs::read_to_string(format!("{dir}/live.json")).unwrap();
    let captured = Command::new(own)
        .args(["snapshot", "--json", "--root"])
        .arg(format!("{dir}/tree"))
        .output()
        .unwrap();
    let captured = String::from_utf8(captured.stdout).unwrap();
    let read = |text: &str| serde_json::from_str(text).unwrap();
    (read(&live), read(&captured))
}

/// Writes down where what netlink says is not what the text says, which is of a moment before. Where the text is silent netlink may tell more, but
/// only of what is named above. Counters may have grown, and lifetimes shrunk.
fn compare(path: &str, live: &Value, text: &Value, said: &mut String) {
    let key = path.rsplit('.').next().unwrap_or(path);
    match (live, text) {
        (Value::Object(live), Value::Object(text)) => {
            for (key, live) in live {
                compare(&format!("{path}.{key}"), live, &text[key], said);
            }
        }
        (Value::Array(live), Value::Array(text)) if live.len() == text.len() => {
            for (index, (live, text)) in live.iter().zip(text).enumerate() {
                let name = live["name"].as_str().map(str::to_owned);
                let place = name.unwrap_or_else(|| index.to_string());
                compare(&format!("{path}.{place}"), live, text, said);
            }
        }
        (Value::Number(live), Value::Number(text)) if path.contains(".statistics.") => {
            if live.as_u64() < text.as_u64() {
                let _ = writeln!(said, "{path} netlink {live}, text {text}");
            }
        }
        (Value::Number(live), Value::Number(text)) if key == "seconds" => {
            let passed = text.as_i64().unwrap() - live.as_i64().unwrap();
            if !(0..LONGEST_S).contains(&passed) {
                let _ = writeln!(said, "{path} netlink {live}, text {text}");
            }
        }
        (_, Value::Null)
            if TOLD_BY_NETLINK_ONLY.contains(&key) || path.contains(".statistics.") => {}
        (_, Value::Null) if key == "seen" => {}
        (live, text) if live == text => {}
        (live, text) => {
            let _ = writeln!(said, "{path} netlink {live}, text {text}");
        }
    }
}
