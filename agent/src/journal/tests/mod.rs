//! The follower against a real journald. These tests need root, and `systemd` and `journalctl` of Debian; they do not
//! need a running systemd.

mod journald;
mod kill;

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use model::fact::journal::Event;

use super::*;
use crate::spool::{Item, MIN_MAX_BYTES};
use journald::{Journald, send};

/// As in the default configuration.
const MAX_BYTES: u64 = 16 << 20;
const LONG: Duration = Duration::from_secs(120);

/// No test of its own: the process that [`Journald::say`] starts.
#[test]
fn a_program_that_speaks() {
    let (Ok(socket), Ok(name), Ok(lines)) = (
        std::env::var("QUORATE_SPEAKS_TO"),
        std::env::var("QUORATE_SPEAKS_AS"),
        std::env::var("QUORATE_SPEAKS"),
    ) else {
        return;
    };
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(socket).unwrap();
    for line in lines.lines() {
        send(&sender, &name, line);
    }
}

fn lines(from: u64, to: u64) -> Vec<String> {
    (from..=to).map(|number| format!("line {number}")).collect()
}

fn spool(dir: &Path) -> SharedSpool {
    Arc::new(Mutex::new(Spool::open(dir, MIN_MAX_BYTES).unwrap()))
}

struct Following {
    view: View,
    events: Receiver<JournalEvent>,
    stopper: Stopper,
    thread: JoinHandle<()>,
}

fn follow(settings: Settings, start: Start) -> Following {
    let (follower, view, stopper) = Follower::new(settings, start).unwrap();
    let (tell, events) = channel();
    let thread = follower.spawn(move |event, _| {
        let _ = tell.send(event.clone());
    });
    Following {
        view,
        events,
        stopper,
        thread: thread.unwrap(),
    }
}

impl Following {
    fn messages(&self, count: usize) -> Vec<String> {
        let next = || self.events.recv_timeout(LONG).unwrap().message;
        (0..count).map(|_| next()).collect()
    }

    fn until(&self, is_so: impl Fn(&Reading<Journal>) -> bool) -> Reading<Journal> {
        let begun = Instant::now();
        loop {
            let reading = self.view.reading();
            if is_so(&reading) {
                return reading;
            }
            assert!(begun.elapsed() < LONG, "{reading:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn stop(self) {
        drop(self.stopper);
        self.thread.join().unwrap();
    }
}

fn is_known(reading: &Reading<Journal>) -> bool {
    reading.known().is_some()
}

/// Kind and text of all records of a spool.
fn kept(spool: &SharedSpool) -> Vec<(Kind, String)> {
    let (mut spool, mut from, mut kept) = (locked(spool), 1, Vec::new());
    loop {
        let items = spool.read_from(from, 1000).unwrap();
        for item in &items {
            let Item::Record(record) = item else {
                panic!("{item:?}")
            };
            let event: Option<JournalEvent> = serde_json::from_str(&record.json).ok();
            let text = event.map_or_else(|| record.json.clone(), |event| event.message);
            kept.push((record.kind, text));
            from = record.number + 1;
        }
        if items.is_empty() {
            return kept;
        }
    }
}

fn as_kept(lines: &[String]) -> Vec<(Kind, String)> {
    let kept = lines.iter().map(|line| (Kind::Journal, line.clone()));
    kept.collect()
}

#[test]
fn what_was_written_while_the_agent_was_away_is_read_once_and_rotation_changes_nothing() {
    let journald = Journald::start();
    let dir = tempfile::tempdir().unwrap();
    journald.say("corosync", &lines(1, 20));
    let store = spool(dir.path());
    let following = follow(journald.settings(), Start::Spool(Arc::clone(&store)));
    assert_eq!(following.messages(20), lines(1, 20));
    journald.say("corosync", &lines(21, 25));
    assert_eq!(following.messages(5), lines(21, 25));
    following.stop();
    drop(store);

    journald.rotate();
    journald.say("corosync", &lines(26, 30));
    journald.rotate();
    let store = spool(dir.path());
    let following = follow(journald.settings(), Start::Spool(Arc::clone(&store)));
    assert_eq!(following.messages(5), lines(26, 30));
    let reading = following.until(is_known);
    let Reading::Known {
        value, problems, ..
    } = reading
    else {
        panic!("not known")
    };
    assert_eq!(
        value.events.len(),
        30,
        "the newest of the spool, and the new ones"
    );
    assert!(problems.is_empty(), "{problems:?}");
    following.stop();
    assert_eq!(kept(&store), as_kept(&lines(1, 30)));
}

#[test]
fn other_programs_are_neither_told_nor_kept_and_a_known_line_is_typed() {
    let journald = Journald::start();
    let dir = tempfile::tempdir().unwrap();
    journald.say("sshd", &lines(1, 3000));
    let down = "[KNET  ] link: host: 2 link: 0 is down".to_owned();
    journald.say("corosync", std::slice::from_ref(&down));
    journald.say("sshd", &lines(1, 10));
    let store = spool(dir.path());
    let following = follow(journald.settings(), Start::Spool(Arc::clone(&store)));
    let event = following.events.recv_timeout(LONG).unwrap();
    assert!(matches!(
        event.event,
        Event::KnetLinkDown { node_id: 2, .. }
    ));
    let reading = following.until(is_known);
    assert_eq!(reading.known().unwrap().entries_read, 1);
    following.stop();
    assert_eq!(kept(&store), as_kept(&[down]));
}

#[test]
fn from_now_on_there_is_no_history() {
    let journald = Journald::start();
    journald.say("corosync", &lines(1, 5));
    let following = follow(journald.settings(), Start::Now);
    following.until(is_known);
    journald.say("corosync", &lines(6, 7));
    assert_eq!(following.messages(2), lines(6, 7));
    following.stop();
}

#[test]
fn a_vacuumed_journal_is_a_gap_and_what_is_left_of_it_is_read() {
    let mut journald = Journald::start();
    let dir = tempfile::tempdir().unwrap();
    journald.say("corosync", &lines(1, 5));
    let store = spool(dir.path());
    let following = follow(journald.settings(), Start::Spool(Arc::clone(&store)));
    following.messages(5);
    following.until(is_known);
    following.stop();
    drop(store);
    // What is written, rotated and then removed, nobody has read.
    journald.say("corosync", &lines(6, 8));
    journald.stop();
    for file in journald.files() {
        std::fs::remove_file(file).unwrap();
    }
    journald.start_again();
    journald.say("corosync", &lines(9, 12));

    let store = spool(dir.path());
    let following = follow(journald.settings(), Start::Spool(Arc::clone(&store)));
    assert_eq!(following.messages(4), lines(9, 12));
    let Reading::Known { problems, .. } = following.until(is_known) else {
        panic!("not known")
    };
    assert!(
        problems[0].why.contains("was gone before it was read"),
        "{problems:?}"
    );
    following.stop();
    let kept = kept(&store);
    assert_eq!(kept.len(), 10);
    assert_eq!(kept[5].0, Kind::Gap);
    assert!(kept[5].1.contains(r#""count":null"#), "{}", kept[5].1);
    assert_eq!(kept[6..], as_kept(&lines(9, 12)));
}

/// Needs root: a small file system is mounted in a mount namespace of the follower's threads.
#[test]
fn on_a_full_disk_following_goes_on_and_later_all_of_it_is_kept_once() {
    use nix::mount::{MsFlags, mount};
    const NONE: Option<&str> = None;
    let journald = Journald::start();
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let test = scope.spawn(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
            mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).unwrap();
            let resize =
                |flags, size| mount(Some("none"), dir.path(), Some("tmpfs"), flags, Some(size));
            resize(MsFlags::empty(), "size=64k").unwrap();
            let store = spool(dir.path());
            let following = follow(journald.settings(), Start::Spool(Arc::clone(&store)));
            following.until(is_known);
            journald.say("corosync", &lines(1, 600));
            assert_eq!(following.messages(600), lines(1, 600));
            let is_told = |reading: &Reading<Journal>| match reading {
                Reading::Known { problems, .. } => problems
                    .iter()
                    .any(|problem| problem.why.contains("not kept")),
                _ => false,
            };
            following.until(is_told);
            resize(MsFlags::MS_REMOUNT, "size=8m").unwrap();
            journald.say("corosync", &lines(601, 605));
            assert_eq!(following.messages(5), lines(601, 605));
            following.until(|reading| !is_told(reading) && kept(&store).len() == 605);
            following.stop();
            assert_eq!(kept(&store), as_kept(&lines(1, 605)));
        });
        test.join().unwrap();
    });
}

#[test]
fn a_journal_that_is_not_there_is_failed_where_one_was_named() {
    let settings = Settings {
        directory: Some("/no/such/journal".into()),
        namespace: None,
    };
    let following = follow(settings, Start::Boot);
    let reading = following.until(|reading| *reading != Reading::NeverHeard);
    assert!(
        matches!(&reading, Reading::Failed { why } if why.contains("No such file")),
        "{reading:?}"
    );
    following.stop();
}
