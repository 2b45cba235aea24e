//! What happens to a node of the rack is printed by `quorate-agent watch --json` on it, with the right fact.
//!
//! Needs root, corosync, iproute2 and util-linux.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use std::time::Duration;

use quorate_tests::{PATIENCE, Program, Rack, wait_until};
use serde_json::Value;

const NODE: &str = "pve-02";
/// Where nobody else lives; the agent's first sign of life is that it tells of this one.
const PROBE: &str = "10.99.0.1/24";
/// Long enough for any deadline of the agent to pass while corosync stands still.
const FROZEN: Duration = Duration::from_secs(6);

/// An agent that watches, and all that it has said.
struct Watch {
    agent: Program,
    said: Vec<Value>,
    /// What was said before it is not looked at any more.
    since: usize,
}

impl Watch {
    /// Comes back when the agent has told of a first change: from here on it tells of each.
    fn start(rack: &Rack) -> Self {
        let mut watch = Self {
            agent: rack.agent(NODE, &["watch", "--json"]).unwrap(),
            said: Vec::new(),
            since: 0,
        };
        wait_until("the agent to watch", PATIENCE, || {
            rack.add_address(NODE, 0, PROBE)?;
            std::thread::sleep(Duration::from_millis(200));
            rack.remove_address(NODE, 0, PROBE)?;
            watch.listen(Duration::from_millis(200));
            Ok((!watch.said.is_empty()).then_some(()))
        })
        .unwrap();
        watch.forget();
        watch
    }

    /// Only what is said from now on counts.
    fn forget(&mut self) {
        self.listen(Duration::ZERO);
        self.since = self.said.len();
    }

    /// Takes a line if one comes within the time, and those that came before it.
    fn listen(&mut self, limit: Duration) -> bool {
        let line = self.agent.stdout.expect("anything", limit, |_| true);
        let Ok(line) = line else { return false };
        let json = line.json();
        assert!(json.is_some(), "no JSON: {}", line.text);
        self.said.extend(json);
        while self.listen(Duration::ZERO) {}
        true
    }

    /// Waits for a line, in whatever order the lines come.
    #[track_caller]
    fn expect(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) {
        let seen = wait_until(what, PATIENCE, || {
            self.listen(Duration::from_millis(100));
            Ok(self.said.iter().skip(self.since).any(&is_it).then_some(()))
        });
        let said: Vec<String> = self
            .said
            .iter()
            .skip(self.since)
            .map(Value::to_string)
            .collect();
        assert!(
            seen.is_ok(),
            "no line says {what}; said were:\n{}",
            said.join("\n")
        );
        for line in &self.said {
            check_form(line);
        }
    }

    fn expect_carrier(&mut self, card: &str, there: bool) {
        self.expect(&format!("carrier of {card} is {there}"), |line| {
            is_about(line, "links", card) && became(line, "carrier", &there.into())
        });
    }

    fn expect_link(&mut self, link: usize, connected: bool) {
        let what = format!("link {link} to a peer: connected is {connected}");
        self.expect(&what, |line| {
            is_about(line, "corosync", &format!("link {link}"))
                && became(line, "connected", &connected.into())
        });
    }

    fn expect_corosync_failed(&mut self) {
        self.expect("corosync cannot be read", |line| {
            line["family"] == "corosync" && sentence(line).contains("cannot be read")
        });
    }

    fn expect_corosync_back(&mut self) {
        self.expect("corosync can be read again", |line| {
            line["family"] == "corosync" && sentence(line).contains("can be read again")
        });
    }
}

/// Every line is a finished sentence with its facts and its times.
#[track_caller]
fn check_form(line: &Value) {
    assert!(
        line["at"].as_str().is_some_and(|at| at.contains('T')),
        "{line}"
    );
    assert!(
        line["family"].is_string() && line["subject"].is_string(),
        "{line}"
    );
    assert!(
        line["sentence"].is_string() && line["changes"].is_array(),
        "{line}"
    );
    assert!(
        line["after_ms"].as_f64().is_none_or(|ms| ms >= 0.0),
        "{line}"
    );
}

fn sentence(line: &Value) -> &str {
    line["sentence"].as_str().unwrap_or_default()
}

fn is_about(line: &Value, family: &str, subject: &str) -> bool {
    line["family"] == family && line["subject"] == subject
}

/// Did the value at a path that ends so become this?
fn became(line: &Value, path: &str, after: &Value) -> bool {
    changes(line, path).any(|change| change["after"] == *after)
}

fn changes<'a>(line: &'a Value, path: &'a str) -> impl Iterator<Item = &'a Value> {
    let is_there = move |change: &&Value| {
        let whole = change["path"].as_str().unwrap_or_default();
        whole
            .strip_suffix(path)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    line["changes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(is_there)
}

#[test]
fn a_pulled_cable_is_a_lost_carrier_and_a_link_that_is_not_connected() {
    let mut rack = Rack::new(3, 2).unwrap();
    let mut watch = Watch::start(&rack);
    rack.cut_cable(NODE, 0).unwrap();
    watch.expect_carrier("eth0", false);
    watch.expect_link(0, false);

    watch.forget();
    rack.plug_cable(NODE, 0).unwrap();
    watch.expect_carrier("eth0", true);
    watch.expect_link(0, true);
}

#[test]
fn a_dead_switch_is_told_by_every_card_on_it_and_a_mute_one_by_corosync_alone() {
    let mut rack = Rack::new(3, 2).unwrap();
    let mut watch = Watch::start(&rack);
    rack.kill_switch(1).unwrap();
    watch.expect_carrier("eth1", false);
    watch.expect_link(1, false);
    rack.revive_switch(1).unwrap();
    watch.expect_carrier("eth1", true);
    watch.expect_link(1, true);

    watch.forget();
    rack.mute_switch(1).unwrap();
    watch.expect_link(1, false);
    let lost = |line: &Value| line["family"] == "links" && became(line, "carrier", &false.into());
    assert!(!watch.said.iter().skip(watch.since).any(lost));
}

#[test]
fn a_node_without_power_is_a_member_less_on_the_others() {
    let mut rack = Rack::new(3, 1).unwrap();
    let mut watch = Watch::start(&rack);
    rack.stop_node("pve-03").unwrap();
    watch.expect("pve-03 left the membership", |line| {
        is_about(line, "corosync", "membership") && sentence(line).contains("left")
    });
    watch.forget();
    rack.start_node("pve-03").unwrap();
    watch.expect("pve-03 joined the membership", |line| {
        is_about(line, "corosync", "membership") && sentence(line).contains("joined")
    });
}

#[test]
fn an_address_and_an_mtu_are_told_when_they_change() {
    let rack = Rack::new(2, 1).unwrap();
    let mut watch = Watch::start(&rack);
    let address = |line: &Value, word: &str| {
        is_about(line, "links", "eth0")
            && sentence(line).contains(word)
            && sentence(line).contains("10.9.0.1/24")
    };
    rack.add_address(NODE, 0, "10.9.0.1/24").unwrap();
    watch.expect("eth0 got an address", |line| address(line, "got"));
    rack.remove_address(NODE, 0, "10.9.0.1/24").unwrap();
    watch.expect("eth0 lost an address", |line| address(line, "lost"));
    rack.set_mtu(NODE, 0, 1400).unwrap();
    watch.expect("the MTU of eth0 is 1400", |line| {
        is_about(line, "links", "eth0") && became(line, "mtu_bytes", &1400.into())
    });
}

#[test]
fn corosync_stopped_killed_and_restarted_is_told_each_time() {
    let rack = Rack::new(3, 1).unwrap();
    let mut watch = Watch::start(&rack);
    rack.stop_corosync(NODE).unwrap();
    watch.expect_corosync_failed();
    watch.forget();
    rack.start_corosync(NODE).unwrap();
    watch.expect_corosync_back();
    rack.wait_for_cluster().unwrap();

    watch.forget();
    rack.kill_corosync(NODE).unwrap();
    watch.expect_corosync_failed();
    watch.forget();
    rack.start_corosync(NODE).unwrap();
    watch.expect_corosync_back();
    rack.wait_for_cluster().unwrap();

    watch.forget();
    rack.restart_corosync(NODE).unwrap();
    watch.expect_corosync_failed();
    watch.expect_corosync_back();
}

#[test]
fn a_corosync_that_stands_still_fails_by_its_deadline_and_stalls_nothing_else() {
    let mut rack = Rack::new(3, 2).unwrap();
    let mut watch = Watch::start(&rack);
    rack.freeze_corosync(NODE).unwrap();
    rack.cut_cable(NODE, 1).unwrap();
    watch.expect_carrier("eth1", false);
    watch.expect_corosync_failed();
    std::thread::sleep(FROZEN);
    // It has been failed for a while, and the kernel is heard as before.
    watch.forget();
    rack.plug_cable(NODE, 1).unwrap();
    watch.expect_carrier("eth1", true);
    rack.thaw_corosync(NODE).unwrap();
    watch.expect_corosync_back();
}
