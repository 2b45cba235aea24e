//! What chats hear of a real cluster: a switch that dies is one message, and nothing is lost or doubled while the collector is
//! killed and those who are to be told fail.
//!
//! Needs root, corosync, iproute2 and util-linux.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "all of this is tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use quorate_tests::{
    Agent, Collector, Delivery, Hook, PATIENCE, Program, Rack, Reply, give_cluster_id, wait_until,
};
use serde_json::Value;

const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const FLEET: &str = env!("CARGO_BIN_EXE_fleet");
/// As long as what comes of a dead switch keeps appearing: corosync notices last.
const AFTERWARDS: Duration = Duration::from_secs(25);
/// A tenth of what is asked for: `QUORATE_KILLS=300 cargo test -p quorate-tests --test alerts` is all of it, `QUORATE_SEED=4` begins elsewhere.
const KILLS: u64 = 30;
/// Of one collector; what it saw often lately flaps, and is not over for ten minutes.
const KILLS_A_TIME: u64 = 30;
/// The same, where it flaps, and where receivers fail so often that the pauses between two attempts become minutes.
const TOLD_WITHIN: Duration = Duration::from_secs(1_200);
/// An incident is over after 30 s of calm, and its effects first.
const OVER_WITHIN: Duration = Duration::from_secs(240);

fn kind(delivery: &Delivery) -> &str {
    delivery.body["kind"].as_str().unwrap()
}

fn webhook(name: &str, hook: &Hook) -> String {
    format!(
        "[[receiver.webhook]]\nname = \"{name}\"\nurl = \"{}\"\n",
        hook.url()
    )
}

/// Makes the collector's configuration another one, and lets the collector know.
fn configure(rack: &Rack, collector: &Collector, toml: &str) {
    let path = rack
        .path(collector.station(), "/etc/quorate/collector.toml")
        .unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, toml).unwrap();
    collector.program().unwrap().signal(Signal::SIGHUP).unwrap();
}

fn expect_log(collector: &Collector, words: &str) {
    let program = collector.program().unwrap();
    let is_it = |line: &quorate_tests::Line| line.text.contains(words);
    program.stderr.expect(words, PATIENCE, is_it).unwrap();
}

/// The one message that came of it.
fn check_dead_switch(hook: &Hook) -> Delivery {
    let heard = hook.deliveries();
    let told: Vec<String> = heard.iter().map(|one| one.body.to_string()).collect();
    assert_eq!(heard.len(), 1, "{told:#?}");
    assert_eq!(kind(&heard[0]), "opened");
    let sentence = heard[0].body["incident"]["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("switch sw-b is down"), "{sentence}");
    let headline = heard[0].body["headline"].as_str().unwrap();
    let locked: String = headline.chars().take(80).collect();
    assert!(locked.contains("switch sw-b is down"), "{headline}");
    assert_eq!(
        heard[0].body["quorum"],
        "quorate: 4 of 4 votes, 3 needed, 1 may be lost"
    );
    heard[0].clone()
}

#[test]
fn a_dead_switch_is_one_message_to_each_receiver_and_its_return_another() {
    let (nodes, links) = (4, 2);
    let mut rack = Rack::new(nodes, links).unwrap();
    give_cluster_id(&rack, CLUSTER).unwrap();
    // Agents reach it over the first network alone: the other is the one that dies.
    let mut collector = Collector::start(&mut rack, 1).unwrap();
    let _agents = Agent::on_every_node(&rack, &collector).unwrap();
    rack.wait_for_cluster().unwrap();
    let init = rack.init(collector.station()).unwrap();
    let hooks: Vec<Hook> = (0..3)
        .map(|_| Hook::listen(init, |_| Reply::Status(200)).unwrap())
        .collect();
    let receivers: String = hooks
        .iter()
        .enumerate()
        .map(|(at, hook)| webhook(&format!("hook-{at}"), hook))
        .collect();
    // A file with a mistake changes nothing, and says which.
    configure(&rack, &collector, "[[route]]\nto = [\"nobody\"]\n");
    expect_log(&collector, "no receiver is called so");
    let switch = "[[switch]]\nname = \"sw-b\"\nports = [\"*/eth1\"]\n";
    // How fast corosync is on a busy machine is no part of this.
    let route = "[[route]]\nto = [\"*\"]\nrules = [\"switch-*\", \"link-*\", \"node-silent\", \"corosync-[a-km-qs-z]*\", \"corosync-link-*\"]\n";
    configure(&rack, &collector, &format!("{switch}{receivers}{route}"));
    expect_log(&collector, "the configuration was read again");
    // Switches take effect with the next start.
    collector.end().unwrap();
    collector.run(&rack).unwrap();
    collector.wait_for_agents(&rack, nodes).unwrap();
    std::thread::sleep(Duration::from_secs(8));
    for hook in &hooks {
        hook.forget();
    }

    let before = Instant::now();
    rack.kill_switch(1).unwrap();
    std::thread::sleep(AFTERWARDS);
    let mut keys = BTreeSet::new();
    for hook in &hooks {
        let first = check_dead_switch(hook);
        let after = first.arrived.duration_since(before);
        eprintln!("carrier loss to request: {after:?}");
        keys.insert(first.key);
    }
    assert_eq!(keys.len(), 3, "each receiver has a key of its own");

    rack.revive_switch(1).unwrap();
    for hook in &hooks {
        wait_until("the end", OVER_WITHIN, || {
            Ok((hook.deliveries().len() > 1).then_some(()))
        })
        .unwrap();
    }
    std::thread::sleep(Duration::from_secs(3));
    for hook in &hooks {
        let kinds: Vec<String> = hook
            .deliveries()
            .iter()
            .map(|one| kind(one).to_owned())
            .collect();
        assert_eq!(kinds, ["opened", "over"]);
    }
}

/// Answers that fail more often than not, and now and then none.
fn moody(seed: u64) -> impl Fn(usize) -> Reply + Send + Sync {
    move |before| {
        let mut random = fastrand::Rng::with_seed(seed ^ (before as u64).wrapping_mul(0x9E37));
        match random.u8(0..10) {
            0 => Reply::Hang(Duration::from_secs(3)),
            1 | 2 => Reply::Status(500),
            3 => Reply::Status(429),
            _ => Reply::Status(200),
        }
    }
}

#[test]
fn every_beginning_and_every_end_arrives_in_order_while_the_collector_is_killed_again_and_again() {
    let number = |name: &str| std::env::var(name).ok()?.parse().ok();
    let kills = number("QUORATE_KILLS").unwrap_or(KILLS);
    let first = number("QUORATE_SEED").unwrap_or(1);
    let (mut killed, mut threads, mut messages, mut again) = (0, 0, 0, 0);
    for seed in first.. {
        let more = (kills - killed).min(KILLS_A_TIME);
        if more == 0 {
            break;
        }
        for (taken, all, of) in while_killed(seed, more) {
            (threads, messages, again) = (threads + of, messages + taken, again + all - taken);
        }
        killed += more;
    }
    eprintln!(
        "{killed} kills: {messages} messages of {threads} threads arrived at three receivers, {again} requests more with a key of theirs"
    );
}

/// One collector and eight clusters. For each of three receivers: messages that arrived, requests, threads.
fn while_killed(seed: u64, kills: u64) -> Vec<(usize, usize, usize)> {
    let mut rack = Rack::new(1, 1).unwrap();
    let mut collector = Collector::start(&mut rack, 1).unwrap();
    let init = rack.init(collector.station()).unwrap();
    let hooks: Vec<Hook> = (1..=3)
        .map(|hook| Hook::listen(init, moody(seed * 3 + hook)).unwrap())
        .collect();
    let mut toml: String = hooks
        .iter()
        .enumerate()
        .map(|(at, hook)| webhook(&format!("hook-{at}"), hook))
        .collect();
    toml += "[[route]]\nto = [\"*\"]\nrules = [\"bond-*\", \"link-*\"]\n";
    configure(&rack, &collector, &toml);
    expect_log(&collector, "the configuration was read again");
    let mut random = fastrand::Rng::with_seed(seed);
    let _mended = break_and_mend(&rack, &mut collector, kills, &mut random);
    let waited = wait_until("the end of all of it to have arrived", TOLD_WITHIN, || {
        Ok(is_all_told(&collector, &rack).then_some(()))
    });
    if let Err(error) = waited {
        let status = collector.status(&rack).unwrap();
        panic!("seed {seed}: {error}: {status:#}");
    }
    let heard: Vec<BTreeMap<String, Vec<String>>> = hooks.iter().map(check_order).collect();
    assert!(heard[0].len() >= 4, "something was told: {heard:?}");
    for (thread, kinds) in &heard[0] {
        let last = kinds.last().map(String::as_str);
        assert_eq!(last, Some("over"), "seed {seed}: {thread}: {kinds:?}");
    }
    for other in &heard[1..] {
        assert_eq!(&heard[0], other, "all three heard the same");
    }
    let threads = heard[0].len();
    let counted = hooks
        .iter()
        .map(|hook| (hook.taken().len(), hook.deliveries().len(), threads));
    counted.collect()
}

/// Nothing that is told is open, and nobody is owed anything.
fn is_all_told(collector: &Collector, rack: &Rack) -> bool {
    let status = collector.status(rack).unwrap();
    let clusters = status["clusters"].as_array().unwrap();
    let is_told = |incident: &Value| {
        let rule = incident["rule"].as_str().unwrap();
        rule.starts_with("bond-") || rule.starts_with("link-")
    };
    clusters.iter().all(|cluster| {
        let mut incidents = cluster["incidents"].as_array().unwrap().iter();
        let mut receivers = cluster["receivers"].as_array().unwrap().iter();
        !incidents.any(is_told) && receivers.all(|receiver| receiver["owed"] == 0)
    })
}

/// Agents of eight clusters lose ports while the collector is killed again and again, and have them back for good, as long as what
/// is given back lives.
fn break_and_mend(
    rack: &Rack,
    collector: &mut Collector,
    kills: u64,
    random: &mut fastrand::Rng,
) -> Program {
    let invitation = collector.token(rack, &["--uses", "8"]).unwrap();
    let identities = tempfile::tempdir().unwrap();
    let place = identities.path().to_string_lossy().into_owned();
    let words = [
        "--agents",
        "8",
        "--per-cluster",
        "1",
        "--identities",
        &place,
    ];
    let (enrolment, token) = (&invitation.enrolment, &invitation.token);
    let enrol = ["--enrolment", enrolment, "--token", token, "--pull-cables"];
    let start = |words: &[&str]| rack.start(collector.station(), FLEET, words).unwrap();
    let breaking = start(&[&words[..], &enrol].concat());
    breaking
        .expect_line("all", |line| line["event"] == "all_answered")
        .unwrap();
    // The next start has the agents with all their ports.
    for _ in 0..kills {
        // What it finds is told after three seconds.
        std::thread::sleep(Duration::from_millis(random.u64(1_500..6_000)));
        collector.kill().unwrap();
        collector.run(rack).unwrap();
    }
    std::thread::sleep(Duration::from_secs(6));
    breaking.signal(Signal::SIGTERM).unwrap();
    let mended = rack.start(collector.station(), FLEET, &words).unwrap();
    // Near the moment at which all of it is over.
    std::thread::sleep(Duration::from_millis(random.u64(29_000..34_000)));
    collector.kill().unwrap();
    collector.run(rack).unwrap();
    mended
}

/// Thread by thread what was taken: each begins with a beginning, and after an end comes only that it is there again. The
/// same key is the same message.
fn check_order(hook: &Hook) -> BTreeMap<String, Vec<String>> {
    let mut bodies: BTreeMap<String, String> = BTreeMap::new();
    for one in hook.deliveries() {
        assert!(!one.key.is_empty());
        let said = format!("{} {}", kind(&one), one.body["incident"]);
        let before = bodies.insert(one.key.clone(), said.clone());
        assert!(before.is_none_or(|before| before == said), "{}", one.key);
    }
    let mut threads: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in hook.taken() {
        let thread = one.body["thread"].as_str().unwrap().to_owned();
        let of = threads.entry(thread).or_default();
        let is_open = of.last().map(|last| last != "over" && last != "joined");
        let fits = match kind(&one) {
            "opened" => is_open.is_none(),
            "again" => is_open == Some(false),
            _ => is_open == Some(true),
        };
        assert!(fits, "{} behind {of:?}: {}", kind(&one), one.body);
        of.push(kind(&one).to_owned());
    }
    threads
}
