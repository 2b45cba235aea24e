//! What goes from the file when it is too old, too many or too large, and what stays.

use crate::ledger::sqlite_retention::Retention;

use super::*;

#[tokio::test]
async fn events_that_are_too_old_or_too_many_go_and_their_keys_stay() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Sqlite::open(&dir.path().join("ledger.db")).unwrap();
    let events = (1..=10).map(|number| event("pve-01", number, number.cast_signed() * 1000));
    let all = decision(1, events.collect());
    ledger
        .append(&cluster(1), Revision(0), 1, all.clone())
        .await;
    let old = Retention {
        max_age: Duration::from_secs(6),
        ..Retention::default()
    };
    assert_eq!(ledger.retain(old, 10_000).await.unwrap(), 3);
    let many = Retention {
        max_events: 2,
        ..Retention::default()
    };
    assert_eq!(ledger.retain(many, 10_000).await.unwrap(), 5);
    assert_eq!(numbers(&ledger, &wanted(0, None)).await, [(9, 9), (10, 10)]);
    let again = decision(2, all.events.clone());
    ledger.append(&cluster(1), Revision(1), 1, again).await;
    assert_eq!(numbers(&ledger, &wanted(0, None)).await, [(9, 9), (10, 10)]);
}

#[tokio::test]
async fn a_file_that_is_too_large_loses_the_oldest_events_of_the_largest_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Sqlite::open(&dir.path().join("ledger.db")).unwrap();
    let few = decision(1, vec![event("pve-01", 1, 5)]);
    ledger.append(&cluster(2), Revision(0), 1, few).await;
    for part in 0..12 {
        let events =
            (part * 1_000 + 1..=part * 1_000 + 1_000).map(|number| event("pve-01", number, 5));
        let many = decision(part + 1, events.collect());
        ledger.append(&cluster(1), Revision(part), 1, many).await;
    }
    let small = Retention {
        max_bytes: 512 << 10,
        ..Retention::default()
    };
    let mut gone = 0;
    while let removed @ 1.. = ledger.retain(small, 10).await.unwrap() {
        gone += removed;
    }
    let left = numbers(&ledger, &wanted(0, None)).await;
    assert!((5_000..12_000).contains(&gone), "{gone}");
    assert_eq!(left.first().map(|(place, _)| *place), Some(gone + 1));
    let snapshot = ledger.snapshot(&cluster(2)).await.unwrap();
    assert_eq!(snapshot.revision, Revision(1));
}

#[tokio::test]
async fn an_incident_goes_as_a_whole_once_it_is_over_for_long_and_its_number_is_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let ledger = Sqlite::open(&path).unwrap();
    let all = steps(
        1,
        vec![opened(1), opened(2), closed(1), opened(3), closed(3)],
    );
    ledger.append(&cluster(1), Revision(0), 1, all).await;
    let retention = Retention {
        max_age: Duration::from_secs(6),
        ..Retention::default()
    };
    let numbers = async || {
        let kept = ledger.snapshot(&cluster(1)).await.unwrap().kept.incidents;
        let closed: Vec<u64> = kept.closed().map(|over| over.number).collect();
        (kept.open().count(), closed, kept.last())
    };
    ledger.retain(retention, 11_000).await.unwrap();
    assert_eq!(numbers().await, (1, vec![1, 3], 3));
    ledger.retain(retention, 13_000).await.unwrap();
    assert_eq!(numbers().await, (1, vec![], 3));
}
