//! What every store must do, tried on each of them.

mod history;
mod retention;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use model::finding::{Severity, Thing};
use model::gate::Action;
use model::identity::ClusterId;
use model::incident::{Closing, Said, Step, Transition};
use model::lease::{self, Leases};
use model::name::NodeName;
use model::report::Family;
use prost::Message as _;

use super::decision::{Decision, DecisionId, Revision, SpoolId, TakenEvent};
use super::memory::{Faults, Memory};
use super::sqlite::Sqlite;
use super::{Appended, EventsWanted, Ledger, LedgerError};

const SPOOL: SpoolId = SpoolId([7; 16]);

fn cluster(number: u32) -> ClusterId {
    ClusterId::new(format!("0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e{number:04x}")).unwrap()
}

fn event(node: &str, number: u64, kept_unix_ms: i64) -> TakenEvent {
    let body = proto::v1::Event {
        number,
        event: Some(proto::v1::event::Event::ChangeJson(format!("{number}"))),
    };
    TakenEvent {
        node: NodeName::new(node).unwrap(),
        spool: SPOOL,
        number,
        last: number,
        kept_unix_ms,
        body: body.encode_to_vec(),
    }
}

fn decision(number: u64, events: Vec<TakenEvent>) -> Arc<Decision> {
    let id = DecisionId {
        writer: u64::MAX,
        number,
    };
    Arc::new(Decision {
        id,
        events,
        transitions: Vec::new(),
        leases: Vec::new(),
        alerts: Vec::new(),
    })
}

fn opened(number: u64) -> Transition {
    let said = Said {
        severity: Severity::Warning,
        sentence: format!("{number}"),
        rests_on: BTreeSet::from([(NodeName::new("pve-01").unwrap(), Family::Bonds)]),
        is_over_by_any: false,
        recalls: BTreeSet::new(),
    };
    Transition {
        number,
        at_unix_ms: 5_000,
        step: Step::Opened {
            rule: "bond-degraded".to_owned(),
            subject: Thing::Guest(u32::try_from(number).unwrap()),
            said,
        },
    }
}

fn closed(number: u64) -> Transition {
    let why = Closing::NotFoundAnyMore;
    Transition {
        number,
        at_unix_ms: 6_000,
        step: Step::Closed { why },
    }
}

fn steps(number: u64, transitions: Vec<Transition>) -> Arc<Decision> {
    let whole = decision(number, vec![]);
    Arc::new(Decision {
        transitions,
        ..Decision::clone(&whole)
    })
}

fn wanted(after: u64, node: Option<&str>) -> EventsWanted {
    EventsWanted {
        cluster: cluster(1),
        node: node.map(|node| NodeName::new(node).unwrap()),
        after,
        limit: 100,
    }
}

/// Both stores, each new.
async fn on_each<F: Future<Output = ()>>(run: impl Fn(Arc<dyn Ledger>) -> F) {
    run(Arc::new(Memory::new())).await;
    let dir = tempfile::tempdir().unwrap();
    run(Arc::new(
        Sqlite::open(&dir.path().join("ledger.db")).unwrap(),
    ))
    .await;
}

async fn numbers(ledger: &dyn Ledger, wanted: &EventsWanted) -> Vec<(u64, u64)> {
    let events = ledger.events(wanted).await.unwrap();
    events
        .iter()
        .map(|kept| (kept.place, kept.event.number))
        .collect()
}

#[tokio::test]
async fn an_append_is_there_in_its_place_and_at_its_revision() {
    on_each(async |ledger| {
        let one = decision(1, vec![event("pve-01", 1, 5), event("pve-02", 1, 6)]);
        let two = decision(2, vec![event("pve-01", 2, 7)]);
        let at = ledger.append(&cluster(1), Revision(0), 1, one).await;
        assert_eq!(at, Appended::Ok(Revision(1)));
        let at = ledger
            .append(&cluster(1), Revision(1), 1, two.clone())
            .await;
        assert_eq!(at, Appended::Ok(Revision(2)));
        let records = ledger.read(&cluster(1), Revision(1)).await.unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].id, two.id);
        assert_eq!(
            numbers(&*ledger, &wanted(0, None)).await,
            [(1, 1), (2, 1), (3, 2)]
        );
        assert_eq!(
            numbers(&*ledger, &wanted(1, Some("pve-01"))).await,
            [(3, 2)]
        );
        let snapshot = ledger.snapshot(&cluster(1)).await.unwrap();
        assert_eq!((snapshot.revision, snapshot.epoch), (Revision(2), 1));
        let row = snapshot
            .kept
            .spool(&NodeName::new("pve-01").unwrap(), SPOOL);
        assert_eq!((row.up_to, row.events), (2, 2));
        // Another cluster knows nothing of it.
        assert_eq!(
            ledger.snapshot(&cluster(2)).await.unwrap().revision,
            Revision(0)
        );
    })
    .await;
}

#[tokio::test]
async fn an_append_that_builds_on_another_revision_changes_nothing() {
    on_each(async |ledger| {
        let first = decision(1, vec![event("pve-01", 1, 5)]);
        ledger.append(&cluster(1), Revision(0), 1, first).await;
        for expected in [Revision(0), Revision(2)] {
            let late = decision(2, vec![event("pve-01", 2, 5)]);
            let at = ledger.append(&cluster(1), expected, 1, late).await;
            assert_eq!(at, Appended::Conflict);
        }
        assert_eq!(numbers(&*ledger, &wanted(0, None)).await, [(1, 1)]);
    })
    .await;
}

#[tokio::test]
async fn a_writer_of_an_older_epoch_is_turned_away() {
    on_each(async |ledger| {
        ledger
            .append(&cluster(1), Revision(0), 5, decision(1, vec![]))
            .await;
        let at = ledger
            .append(&cluster(1), Revision(1), 4, decision(2, vec![]))
            .await;
        assert_eq!(at, Appended::NotLeader { epoch: 5 });
        let at = ledger
            .append(&cluster(1), Revision(1), 6, decision(3, vec![]))
            .await;
        assert_eq!(at, Appended::Ok(Revision(2)));
    })
    .await;
}

#[tokio::test]
async fn an_event_with_the_key_of_a_kept_one_is_not_kept_again() {
    on_each(async |ledger| {
        let first = decision(1, vec![event("pve-01", 1, 5)]);
        let again = decision(2, vec![event("pve-01", 1, 9), event("pve-01", 2, 9)]);
        ledger.append(&cluster(1), Revision(0), 1, first).await;
        ledger.append(&cluster(1), Revision(1), 1, again).await;
        assert_eq!(numbers(&*ledger, &wanted(0, None)).await, [(1, 1), (2, 2)]);
    })
    .await;
}

#[tokio::test]
async fn two_who_write_at_once_are_put_in_one_order() {
    on_each(async |ledger| {
        let (one, two) = (decision(1, vec![]), decision(2, vec![]));
        let id = cluster(1);
        let (one, two) = tokio::join!(
            ledger.append(&id, Revision(0), 1, one),
            ledger.append(&id, Revision(0), 1, two)
        );
        assert_eq!((one, two), (Appended::Ok(Revision(1)), Appended::Conflict));
    })
    .await;
}

/// As a writer does it: again until it is there, knowing its own decision by its id.
fn write_until_there(ledger: &Memory, number: u64, acknowledged: &mut BTreeSet<u64>) {
    let made = decision(number, vec![event("pve-01", number, 5)]);
    let mut epoch = 1;
    loop {
        let Ok(head) = ledger.snapshot_now(&cluster(1)) else {
            continue;
        };
        let Ok(all) = ledger.read_now(&cluster(1), Revision(0)) else {
            continue;
        };
        if all.iter().any(|record| record.id == made.id) {
            return;
        }
        match ledger.append_now(&cluster(1), head.revision, epoch, &made) {
            Appended::Ok(_) => {
                acknowledged.insert(number);
                return;
            }
            Appended::NotLeader { epoch: higher } => epoch = higher,
            Appended::Conflict | Appended::Unknown { .. } => {}
        }
    }
}

#[test]
fn in_a_nasty_store_every_event_is_there_once_and_what_was_acknowledged_outlives_a_power_cut() {
    for seed in 0..200 {
        let faults = Faults {
            conflict: 80,
            unknown_done: 80,
            unknown_lost: 80,
            unknown_late: 80,
            not_leader: 40,
            unreadable: 80,
        };
        let ledger = Memory::nasty(seed, faults);
        let mut acknowledged = BTreeSet::new();
        for number in 1..=40 {
            write_until_there(&ledger, number, &mut acknowledged);
        }
        ledger.set_faults(Faults::default());
        let all = ledger.events_now(&wanted(0, None)).unwrap();
        let numbers: Vec<u64> = all.iter().map(|kept| kept.event.number).collect();
        assert_eq!(numbers, (1..=40).collect::<Vec<_>>(), "seed {seed}");
        ledger.power_cut();
        let left = ledger.events_now(&wanted(0, None)).unwrap();
        let left: BTreeSet<u64> = left.iter().map(|kept| kept.event.number).collect();
        assert!(left.is_superset(&acknowledged), "seed {seed}");
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let error = Sqlite::open(&path).unwrap_err();
    assert!(matches!(error, LedgerError::Newer { found: 99, .. }));
    let text = error.to_string();
    assert!(text.contains("was written by a newer version"), "{text}");
}

#[tokio::test]
async fn a_damaged_file_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    std::fs::write(&path, vec![b'x'; 8192]).unwrap();
    let error = Sqlite::open(&path).unwrap_err();
    let chain = format!("{error}: {:?}", std::error::Error::source(&error));
    assert!(chain.contains("not a database"), "{chain}");
}

#[tokio::test]
async fn a_disk_that_takes_no_more_makes_appends_unknown_and_keeps_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let ledger = Sqlite::open(&path).unwrap();
    ledger
        .append(
            &cluster(1),
            Revision(0),
            1,
            decision(1, vec![event("pve-01", 1, 5)]),
        )
        .await;
    // Whoever holds the write lock for longer than is waited for is like a disk that cannot be written.
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let at = ledger
        .append(&cluster(1), Revision(1), 1, decision(2, vec![]))
        .await;
    assert!(
        matches!(&at, Appended::Unknown { why } if why.contains("locked")),
        "{at:?}"
    );
    assert_eq!(numbers(&ledger, &wanted(0, None)).await, [(1, 1)]);
    holder.execute_batch("ROLLBACK").unwrap();
    let at = ledger
        .append(&cluster(1), Revision(1), 1, decision(2, vec![]))
        .await;
    assert_eq!(at, Appended::Ok(Revision(2)));
}

/// In the child, this path stands in the environment.
const KILLED: &str = "QUORATE_TEST_LEDGER";

/// The child of the test below: appends and prints what was acknowledged, until it is killed.
fn append_until_killed(path: &Path) {
    use std::io::Write as _;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let ledger = Sqlite::open(path).unwrap();
        let start = ledger.snapshot(&cluster(1)).await.unwrap();
        let mut revision = start.revision;
        loop {
            let number = revision.0 + 1;
            let made = decision(number, vec![event("pve-01", number, 5)]);
            match ledger.append(&cluster(1), revision, 1, made).await {
                Appended::Ok(at) => revision = at,
                other => panic!("{other:?}"),
            }
            let mut out = std::io::stdout().lock();
            writeln!(out, "acknowledged {number}").unwrap();
            out.flush().unwrap();
        }
    });
}

#[test]
fn what_was_acknowledged_is_there_after_the_process_is_killed() {
    use std::io::{BufRead as _, BufReader};

    if let Some(path) = std::env::var_os(KILLED) {
        append_until_killed(Path::new(&path));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let name = "ledger::conformance::what_was_acknowledged_is_there_after_the_process_is_killed";
    let mut last = 0;
    for round in 1..=10_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(KILLED, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = 0;
        for line in lines.map_while(Result::ok) {
            if let Some(number) = line.strip_prefix("acknowledged ") {
                last = number.parse().unwrap();
                acknowledged += 1;
            }
            if acknowledged == round * 7 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(acknowledged >= round * 7);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let ledger = Sqlite::open(&path).unwrap();
            let kept = ledger.snapshot(&cluster(1)).await.unwrap().kept;
            let row = kept.spool(&NodeName::new("pve-01").unwrap(), SPOOL);
            assert!(row.up_to >= last, "{} of {last}", row.up_to);
            assert_eq!(row.up_to, row.events);
        });
    }
}

#[tokio::test]
async fn incidents_are_what_their_steps_add_up_to_in_every_store() {
    on_each(async |ledger| {
        let first = steps(1, vec![opened(1), opened(2)]);
        ledger.append(&cluster(1), Revision(0), 1, first).await;
        let second = steps(2, vec![closed(1)]);
        ledger.append(&cluster(1), Revision(1), 1, second).await;
        let late = steps(3, vec![opened(3)]);
        let refused = ledger.append(&cluster(1), Revision(1), 1, late).await;
        assert_eq!(refused, Appended::Conflict);
        let incidents = ledger.snapshot(&cluster(1)).await.unwrap().kept.incidents;
        let open: Vec<u64> = incidents.open().map(|open| open.number).collect();
        let closed: Vec<u64> = incidents.closed().map(|over| over.number).collect();
        assert_eq!((open, closed, incidents.last()), (vec![2], vec![1], 2));
    })
    .await;
}

/// A file as the first form has it, with one event in it.
fn of_the_first_form(path: &Path) {
    let old = rusqlite::Connection::open(path).unwrap();
    old.execute_batch(super::sqlite_schema::STEPS[0]).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    let (id, one) = (cluster(1), event("pve-01", 1, 5));
    old.execute("INSERT INTO head VALUES (?1, 1, 1, 1)", [id.as_str()])
        .unwrap();
    old.execute(
        "INSERT INTO event VALUES (?1, 1, 'pve-01', ?2, 1, 1, 5, ?3)",
        rusqlite::params![id.as_str(), SPOOL.0, one.body],
    )
    .unwrap();
}

#[tokio::test]
async fn leases_are_what_their_steps_add_up_to_in_every_store() {
    on_each(async |ledger| {
        let grant = lease::Grant {
            nodes: BTreeSet::from([NodeName::new("pve-01").unwrap()]),
            action: Action::Reboot,
            owner: "anna".to_owned(),
            reason: "new kernel".to_owned(),
            planned_s: 600,
            overrode: None,
            stood_against: BTreeSet::new(),
            waits_for_end: false,
            request_id: String::new(),
            before: BTreeMap::new(),
        };
        let steps = [lease::Step::Granted(Box::new(grant)), lease::Step::Departed];
        let mut leases = Leases::default();
        for (revision, step) in (0..).zip(steps) {
            let step = lease::Transition {
                number: 1,
                at_unix_ms: 1_700_000_000_000,
                step,
            };
            leases.fold(&step);
            let made = decision(revision + 1, vec![]);
            let made = Arc::new(Decision {
                leases: vec![step],
                ..Decision::clone(&made)
            });
            let appended = ledger
                .append(&cluster(1), Revision(revision), 1, made)
                .await;
            assert_eq!(appended, Appended::Ok(Revision(revision + 1)));
            let kept = ledger.snapshot(&cluster(1)).await.unwrap().kept;
            assert_eq!(*kept.leases, leases);
        }
        let other = ledger.snapshot(&cluster(2)).await.unwrap().kept;
        assert_eq!(*other.leases, Leases::default());
    })
    .await;
}

#[tokio::test]
async fn an_older_file_is_copied_before_its_form_is_changed_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    of_the_first_form(&path);
    // A copy that a former attempt did not finish is not taken for one.
    let part = dir.path().join("ledger.db.form-1.part");
    std::fs::write(&part, "half").unwrap();
    let ledger = Sqlite::open(&path).unwrap();
    assert_eq!(numbers(&ledger, &wanted(0, None)).await, [(1, 1)]);
    let first = steps(1, vec![opened(1)]);
    let at = ledger.append(&cluster(1), Revision(1), 1, first).await;
    assert_eq!(at, Appended::Ok(Revision(2)));
    assert!(!part.exists());
    let copy = rusqlite::Connection::open(dir.path().join("ledger.db.form-1")).unwrap();
    let form: i64 = copy
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    let events: i64 = copy
        .query_row("SELECT COUNT(*) FROM event", [], |row| row.get(0))
        .unwrap();
    assert_eq!((form, events), (1, 1));
}
