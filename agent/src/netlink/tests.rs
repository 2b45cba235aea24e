//! The real kernel, in a network namespace of its own. A thread can be in another namespace than its process, so these
//! tests do not disturb each other; making a namespace needs root, and without it they say that they were left out.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use model::fact::link::BridgePortState;
use nix::sched::{CloneFlags, unshare};

use super::*;

/// As long as a slow machine may take; nothing here waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Does the work in a new network namespace.
fn in_namespace(work: impl FnOnce() + Send + 'static) {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("left out: a network namespace can only be made by root");
        return;
    }
    let done = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        work();
    });
    done.join().unwrap();
}

/// Runs `ip` or `bridge` with these words, in the namespace of this thread.
#[track_caller]
fn run(line: &str) {
    let mut words = line.split_whitespace();
    let done = Command::new(words.next().unwrap()).args(words).output();
    let done = done.unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{line}: {errors}");
}

#[test]
fn an_address_is_reached_by_whoever_answered_for_it() {
    in_namespace(|| {
        run("ip link add vmbr0 type bridge");
        run("ip addr add 10.0.0.1/24 dev vmbr0");
        run("ip link set vmbr0 up");
        for (address, mac) in [
            ("10.0.0.9", "02:00:00:00:00:09"),
            ("10.0.0.8", "02:00:00:00:00:08"),
            ("fd00::9", "02:00:00:00:00:07"),
        ] {
            run(&format!(
                "ip neigh add {address} lladdr {mac} dev vmbr0 nud stale"
            ));
        }
        let by = |address: &str| {
            let answer = reached_by(address.parse().unwrap()).unwrap();
            assert_eq!(answer.problems, Vec::<String>::new());
            let by: Vec<String> = answer.value.iter().map(ToString::to_string).collect();
            by.join(" ")
        };
        assert_eq!(by("10.0.0.9"), "02:00:00:00:00:09");
        assert_eq!(by("fd00::9"), "02:00:00:00:00:07");
        assert_eq!(by("10.0.0.7"), "");
        run("ip neigh change 10.0.0.9 lladdr 02:00:00:00:00:09 dev vmbr0 nud failed");
        assert_eq!(by("10.0.0.9"), "");
    });
}

#[test]
fn what_a_bridge_learnt_is_counted_by_port() {
    in_namespace(|| {
        run("ip link add vmbr0 type bridge");
        run("ip link add eno1 type veth peer name eno1p");
        run("ip link set vmbr0 up");
        run("ip link set eno1p up");
        run("ip link set eno1 master vmbr0 up");
        // Only a port that forwards can learn.
        let is_forwarding = |link: &Link| {
            let port = link
                .bridge_slave
                .as_ref()
                .and_then(|port| port.state.as_ref());
            port == Some(&BridgePortState::Forwarding)
        };
        wait_until(|| links().unwrap().value.iter().any(is_forwarding));
        let add = |mac: &str, how: &str| {
            run(&format!(
                "bridge fdb add 02:00:00:00:00:{mac} dev eno1 master {how}"
            ));
        };
        add("01", "dynamic");
        add("02", "dynamic");
        add("03", "static");
        add("04", "local");
        let found = links().unwrap();
        let names = names_of(&found.value);
        let learnt = learnt().unwrap();
        assert_eq!((found.problems, learnt.problems), (vec![], vec![]));
        let rows: Vec<String> = learnt
            .value
            .iter()
            .map(|(place, count)| {
                format!("{} {} {count}", names[&place.bridge], names[&place.port])
            })
            .collect();
        // The other end of the cable may have spoken too.
        assert!(
            ["vmbr0 eno1 2", "vmbr0 eno1 3"].contains(&rows.join("; ").as_str()),
            "{rows:?}"
        );
    });
}

#[test]
fn a_lost_carrier_wakes_the_listener_and_the_next_answer_shows_it() {
    in_namespace(|| {
        run("ip link add eno1 type veth peer name eno1p");
        run("ip link set eno1 up");
        run("ip link set eno1p up");
        let carrier = || {
            let links = links().unwrap().value;
            let eno1 = links.iter().find(|link| link.name.as_str() == "eno1");
            eno1.unwrap().carrier
        };
        wait_until(|| carrier() == Some(true));
        let heard = listening(|heard| {
            let before = heard.lock().unwrap().len();
            run("ip link set eno1p down");
            wait_until(|| heard.lock().unwrap().len() > before);
            wait_until(|| carrier() == Some(false));
            let before = heard.lock().unwrap().len();
            run("ip addr add 10.0.0.1/24 dev eno1");
            run("ip -6 addr add fd00::1/64 dev eno1");
            wait_until(|| heard.lock().unwrap().len() > before);
        });
        let last = heard.last().unwrap();
        assert!(last.messages >= 3, "{last:?}");
        assert_eq!(last.passed_over, 0);
    });
}

#[test]
fn a_flood_of_changes_costs_a_bounded_number_of_wakes() {
    in_namespace(|| {
        let began = Instant::now();
        let heard = listening(|_| {
            let mut batch = String::new();
            for number in 0..2000 {
                batch.push_str(&format!("link set lo mtu {}\n", 1500 + number % 2));
            }
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), batch).unwrap();
            run(&format!("ip -batch {}", file.path().display()));
        });
        let windows = began.elapsed().as_millis() / 100 + 1;
        let read = u128::from(heard.last().unwrap().messages);
        assert!(read <= windows * 128, "{read} in {windows} windows");
    });
}

/// Listens while `work` is done; what was heard, in order.
fn listening(work: impl FnOnce(&Mutex<Vec<Heard>>)) -> Vec<Heard> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let listener = thread::scope(|scope| {
        let writer = Arc::clone(&heard);
        // A thread begins in the namespace of the one that starts it.
        let listener = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    _ = &mut stopped => None,
                    error = listen(|what| writer.lock().unwrap().push(what)) => Some(error),
                }
            })
        });
        // It listens once it hears something.
        let mut mtu = 2000;
        wait_until(|| {
            mtu += 1;
            run(&format!("ip link set lo mtu {mtu}"));
            !heard.lock().unwrap().is_empty()
        });
        work(&heard);
        stop.send(()).unwrap();
        listener.join().unwrap()
    });
    assert!(listener.is_none(), "{listener:?}");
    let heard = heard.lock().unwrap();
    heard.clone()
}

#[track_caller]
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it never was so");
        thread::sleep(Duration::from_millis(5));
    }
}
