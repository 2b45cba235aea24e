//! Against real corosyncs.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use model::fact::cmap::Cmap;
use model::fact::corosync::Corosync;
use model::reading::Reading;
use model::report::Fact;
use nix::sys::signal::Signal;

use super::rack::{Rack, ip};
use super::supervisor::{Supervisor, run};
use crate::host::{Host, Patience};
use crate::source::corosync::{cmap, collect};

/// So long may a machine that is busy with other tests take.
const PATIENCE: Duration = Duration::from_secs(60);
/// One rack at a time: they count what this process has open.
static ALONE: Mutex<()> = Mutex::new(());

/// What the tools say on a node, as it would be captured.
fn captured(rack: &Rack, node: usize) -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    fs::create_dir(tree.path().join("commands")).unwrap();
    for words in [
        &["corosync-quorumtool", "-s"][..],
        &["corosync-quorumtool", "-siH"],
        &["corosync-cfgtool", "-n"],
        &["corosync-cfgtool", "-s"],
        &["corosync-cmapctl"],
        &["corosync-cmapctl", "-m", "stats"],
    ] {
        let file = tree.path().join("commands").join(words.join("_"));
        fs::write(file, rack.tool(node, words)).unwrap();
    }
    tree
}

fn of_tools(tree: &Path) -> (Corosync, Cmap) {
    let host = Host::captured(tree).unwrap();
    let (
        Reading::Known {
            value, problems, ..
        },
        Reading::Known { value: map, .. },
    ) = (collect(&host), cmap(&host))
    else {
        panic!("the tools said nothing");
    };
    assert_eq!(problems, []);
    (value, map)
}

fn of_libraries(rack: &mut Rack, node: usize) -> (Corosync, Cmap) {
    let answer = rack.on(node, |_| super::connection::read_all().unwrap());
    let (
        Reading::Known {
            value, problems, ..
        },
        Reading::Known { value: map, .. },
    ) = (answer.corosync, answer.cmap)
    else {
        panic!("the libraries said nothing");
    };
    assert_eq!(problems, []);
    (value, map)
}

/// What only the tools say, and say of nothing but themselves: their clock and their words for what is said already.
fn without_the_tools_own_words(mut corosync: Corosync) -> Corosync {
    corosync.date = None;
    // libcfg would tell it at the price of a round trip a peer; it follows from the links.
    corosync.reachable = None;
    for link in corosync.links.iter_mut().flatten() {
        // cfgtool says `udp` of every link that is not told otherwise.
        link.transport = None;
        for peer in link.peers.iter_mut().flatten() {
            peer.status = None;
        }
    }
    corosync
}

#[track_caller]
fn check_same(rack: &mut Rack, node: usize) {
    // The tools ask one after the other: what changes in between is asked again.
    let began = Instant::now();
    let (said, read) = loop {
        let said = without_the_tools_own_words(of_tools(captured(rack, node).path()).0);
        let (read, _) = of_libraries(rack, node);
        if said == read || began.elapsed() > PATIENCE / 2 {
            break (said, read);
        }
        thread::sleep(Duration::from_millis(500));
    };
    assert_eq!(read, said);
}

#[test]
fn the_libraries_say_what_the_tools_say() {
    let _alone = ALONE.lock();
    let mut rack = Rack::start(3, "");
    check_same(&mut rack, 0);

    // Every key that is read is there with the same type; the values of the others change under our eyes.
    let (_, said) = of_tools(captured(&rack, 0).path());
    let (_, read) = of_libraries(&mut rack, 0);
    for (key, value) in &read.keys {
        let known = said
            .keys
            .get(key)
            .unwrap_or_else(|| panic!("the tools do not know {key}"));
        assert!(key.starts_with("stats.") || known == value, "{key}");
        assert_eq!(
            std::mem::discriminant(known),
            std::mem::discriminant(value),
            "{key}"
        );
    }
    for branch in [
        "nodelist.",
        "totem.",
        "quorum.",
        "runtime.members.",
        "runtime.votequorum.",
        "runtime.config.",
    ] {
        assert_eq!(
            read.below(branch).count(),
            said.below(branch).count(),
            "{branch}"
        );
    }

    let fabric = rack.fabric();
    ip(&["-n", &fabric, "link", "set", "p2-1", "down"]);
    let is_cut = |rack: &mut Rack| {
        let map = of_libraries(rack, 0).1;
        map.count("stats.knet.node2.link1.connected") == Some(0)
    };
    let began = Instant::now();
    while !is_cut(&mut rack) {
        assert!(began.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(200));
    }
    check_same(&mut rack, 0);

    rack.kill(2);
    rack.wait_until(0, |said| said.contains("Total votes:      2"));
    check_same(&mut rack, 0);
    rack.kill(1);
    rack.wait_until(0, |said| said.contains("Activity blocked"));
    check_same(&mut rack, 0);
}

/// What a watch told.
struct Told {
    supervisor: Supervisor,
    facts: Receiver<(Fact, Instant)>,
    corosync: Reading<Corosync>,
}

impl Told {
    fn start() -> Self {
        let (sender, facts) = mpsc::channel();
        let patience = Patience::new(Patience::OF_THE_RUNNING_AGENT);
        let supervisor = run(patience, move |fact, noticed| {
            let _ = sender.send((fact, noticed));
        });
        Self {
            supervisor: supervisor.unwrap(),
            facts,
            corosync: Reading::NeverHeard,
        }
    }

    /// As the hub does: takes facts, and looks whether they are overdue.
    #[track_caller]
    fn wait_until(&mut self, is_so: impl Fn(&Reading<Corosync>) -> bool) -> Duration {
        let began = Instant::now();
        while !is_so(&self.corosync) {
            assert!(began.elapsed() < PATIENCE, "{:?}", self.corosync);
            if let Ok((fact, noticed)) = self.facts.recv_timeout(Duration::from_millis(20)) {
                assert!(noticed <= Instant::now());
                if let Fact::Corosync(reading) = fact {
                    self.corosync = reading;
                }
            }
            if let Some([Fact::Corosync(reading), Fact::Cmap(_)]) =
                self.supervisor.overdue(Instant::now())
            {
                self.corosync = reading;
            }
        }
        began.elapsed()
    }
}

fn votes(reading: &Reading<Corosync>) -> Option<u32> {
    reading.known()?.total_votes
}

fn failed_with(reading: &Reading<Corosync>, words: &str) -> bool {
    matches!(reading, Reading::Failed { why } if why.starts_with(words))
}

/// How many mappings of corosync's shared memory this process has: they come and go with the connections. Other tests of
/// this process have none.
fn shared_memory_mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("/qb-")).count()
}

#[test]
fn the_watch_tells_of_every_change_and_of_a_corosync_that_hangs_or_goes() {
    let _alone = ALONE.lock();
    let mut rack = Rack::start(3, "");
    rack.on(0, |rack| {
        let mut told = Told::start();
        told.wait_until(|reading| votes(reading) == Some(3));

        rack.kill(2);
        told.wait_until(|reading| votes(reading) == Some(2));
        let fabric = rack.fabric();
        ip(&["-n", &fabric, "link", "set", "p2-1", "down"]);
        told.wait_until(|reading| {
            let links = reading.known().and_then(|known| known.links.as_ref());
            let peers = links.and_then(|links| links[1].peers.as_ref());
            peers.is_some_and(|peers| peers[1].connected == Some(false))
        });

        rack.signal(0, Signal::SIGSTOP);
        let silence =
            told.wait_until(|reading| failed_with(reading, "corosync has not answered for 5 s"));
        assert!(silence >= Duration::from_secs(4), "{silence:?}");
        rack.signal(0, Signal::SIGCONT);
        told.wait_until(|reading| reading.known().is_some());

        let before = shared_memory_mappings();
        for _ in 0..5 {
            rack.kill(0);
            told.wait_until(|reading| failed_with(reading, "corosync "));
            assert_eq!(shared_memory_mappings(), 0);
            rack.start_again(0);
            told.wait_until(|reading| reading.known().is_some());
            assert_eq!(shared_memory_mappings(), before);
        }
    });
}
