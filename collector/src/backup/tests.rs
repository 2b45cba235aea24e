use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::identity::ClusterId;
use model::name::NodeName;
use prost::Message as _;

use super::restore::{GAP, RestoreError, restore};
use super::*;
use crate::authority::Duty;
use crate::identity::Identities;
use crate::ledger::decision::{Decision, DecisionId, Revision, SpoolId, TakenEvent};
use crate::ledger::sqlite::Sqlite;
use crate::ledger::{Appended, EventsWanted, Ledger as _};

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn cluster() -> ClusterId {
    ClusterId::new("0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c").unwrap()
}

fn made(dir: &Path) -> Identities {
    Identities::init(dir, &[], Duty::Authority, now()).unwrap()
}

fn decision(number: u64) -> Arc<Decision> {
    let body = proto::v1::Event {
        number,
        event: Some(proto::v1::event::Event::ChangeJson("x".repeat(500))),
    };
    Arc::new(Decision {
        id: DecisionId { writer: 1, number },
        events: vec![TakenEvent {
            node: NodeName::new("pve-01").unwrap(),
            spool: SpoolId([1; 16]),
            number,
            last: number,
            kept_unix_ms: 1,
            body: body.encode_to_vec(),
        }],
        transitions: vec![],
        leases: vec![],
        alerts: vec![],
    })
}

/// Appends until it is told to end; gives the last revision.
async fn append(ledger: &Sqlite, from: Revision, is_over: &AtomicBool) -> Revision {
    let mut at = from;
    while !is_over.load(Ordering::Relaxed) {
        let next = decision(at.next().0);
        match ledger.append(&cluster(), at, 1, next).await {
            Appended::Ok(revision) => at = revision,
            other => panic!("{other:?}"),
        }
    }
    at
}

async fn numbers(ledger: &Sqlite) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        let wanted = EventsWanted {
            cluster: cluster(),
            node: None,
            after: all.len() as u64,
            limit: 500,
        };
        let more = ledger.events(&wanted).await.unwrap();
        if more.is_empty() {
            return all;
        }
        all.extend(more.iter().map(|kept| kept.event.number));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_made_while_events_arrive_and_what_is_put_back_has_all_up_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let (state, file) = (dir.path().join("state"), dir.path().join("backup.tar"));
    let identities = made(&state);
    let ledger = Arc::new(Sqlite::open(&state.join(LEDGER)).unwrap());
    let mut before = Revision(0);
    for number in 1..=300 {
        let appended = ledger.append(&cluster(), before, 1, decision(number)).await;
        before = Revision(number);
        assert_eq!(appended, Appended::Ok(before));
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let writer = {
        let (ledger, is_over) = (Arc::clone(&ledger), Arc::clone(&is_over));
        tokio::spawn(async move { append(&ledger, before, &is_over).await })
    };
    let (from, to) = (state.clone(), file.clone());
    let bytes = tokio::task::spawn_blocking(move || write(&from, &to, now(), |_| {}));
    let bytes = bytes.await.unwrap().unwrap();
    is_over.store(true, Ordering::Relaxed);
    let last = writer.await.unwrap();

    assert_eq!(file.metadata().unwrap().len(), bytes);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");

    let again = dir.path().join("again");
    restore(&file, &again, now()).unwrap();
    assert_eq!(
        again.metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );
    let key = again.join("ca/key.pem").metadata().unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let back = Identities::open(&again).unwrap();
    assert_eq!(
        (back.id(), back.cas().unwrap()),
        (identities.id(), identities.cas().unwrap())
    );
    assert!(back.epoch() > identities.epoch());
    let ledger = Sqlite::open(&again.join(LEDGER)).unwrap();
    let snapshot = ledger.snapshot(&cluster()).await.unwrap();
    assert!(before <= snapshot.revision && snapshot.revision <= last);
    assert_eq!(
        snapshot.kept.incidents.last(),
        GAP,
        "numbers given since are not given again"
    );
    let kept = numbers(&ledger).await;
    assert_eq!(kept, (1..=snapshot.revision.0).collect::<Vec<_>>());
}

#[test]
fn a_file_that_is_there_is_not_written_over_and_neither_is_a_collector() {
    let dir = tempfile::tempdir().unwrap();
    let (state, file) = (dir.path().join("state"), dir.path().join("backup.tar"));
    let error = write(&state, &file, now(), |_| {}).unwrap_err();
    assert!(matches!(error, BackupError::NoCollector { .. }), "{error}");
    made(&state);
    fs::write(&file, "mine").unwrap();
    let error = write(&state, &file, now(), |_| {}).unwrap_err();
    assert!(matches!(error, BackupError::There { .. }), "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    fs::remove_file(&file).unwrap();
    write(&state, &file, now(), |_| {}).unwrap();
    let error = restore(&file, &state, now()).unwrap_err();
    assert!(matches!(error, RestoreError::There { .. }), "{error}");
    // A collector that never ran has no ledger, and can be put back all the same.
    let again = dir.path().join("again");
    restore(&file, &again, now()).unwrap();
    Identities::open(&again).unwrap();
}

#[test]
fn what_is_no_backup_is_refused_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (file, into) = (dir.path().join("file"), dir.path().join("state"));
    let check = |what: &str| {
        let error = restore(&file, &into, now()).unwrap_err();
        assert!(
            matches!(
                error,
                RestoreError::NoBackup { .. } | RestoreError::Identity(_)
            ),
            "{what}: {error}"
        );
        assert_eq!(fs::read_dir(&into).unwrap().count(), 0, "{what}");
    };
    fs::write(&file, vec![b'x'; 2_048]).unwrap();
    check("no archive");
    fs::write(&file, vec![0; 1_024]).unwrap();
    check("an empty one");
    for name in ["ledger.db-wal", "ca/deep/key.pem", "etc"] {
        let mut tar = tar::Builder::new(File::create(&file).unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        tar.append_data(&mut header, name, &b"text"[..]).unwrap();
        tar.finish().unwrap();
        check(name);
    }
}

#[test]
fn a_damaged_ledger_is_not_backed_up_as_if_it_were_good() {
    let dir = tempfile::tempdir().unwrap();
    let (state, file) = (dir.path().join("state"), dir.path().join("backup.tar"));
    made(&state);
    fs::write(state.join(LEDGER), vec![b'x'; 8_192]).unwrap();
    write(&state, &file, now(), |_| {}).unwrap_err();
    assert!(!file.exists());
}
