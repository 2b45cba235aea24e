//! What every store must say to whoever reads its history.

use super::*;
use crate::ledger::{Mark, Newest, NewestWanted};

fn newest(node: Option<&str>, since_unix_ms: Option<i64>, last: Option<usize>) -> NewestWanted {
    NewestWanted {
        cluster: cluster(1),
        node: node.map(|node| NodeName::new(node).unwrap()),
        since_unix_ms,
        last,
    }
}

/// Four events of two nodes, and three steps of two incidents about the first one.
async fn fill(ledger: &dyn Ledger) {
    let events = vec![
        event("pve-01", 1, 1_000),
        event("pve-02", 2, 2_000),
        event("pve-01", 3, 3_000),
        event("pve-02", 4, 4_000),
    ];
    let first = decision(1, events);
    ledger.append(&cluster(1), Revision(0), 1, first).await;
    let second = steps(2, vec![opened(1), opened(2), closed(1)]);
    ledger.append(&cluster(1), Revision(1), 1, second).await;
    let other = steps(1, vec![opened(9)]);
    ledger.append(&cluster(2), Revision(0), 1, other).await;
}

fn places(marks: &[Mark]) -> Vec<u64> {
    marks.iter().map(|mark| mark.place).collect()
}

#[tokio::test]
async fn steps_stand_in_their_order_each_with_what_its_incident_opened_with() {
    on_each(async |ledger| {
        fill(&*ledger).await;
        let all = ledger.steps(&cluster(1), 0).await.unwrap();
        let told: Vec<(u64, u64)> = all
            .iter()
            .map(|kept| (kept.place, kept.step.number))
            .collect();
        assert_eq!(told, [(1, 1), (2, 2), (3, 1)]);
        assert_eq!(all[2].opening, opened(1));
        assert!(all[2].is_about(&NodeName::new("pve-01").unwrap()));
        assert!(!all[2].is_about(&NodeName::new("pve-02").unwrap()));
        let rest = ledger.steps(&cluster(1), 2).await.unwrap();
        assert_eq!(rest, all[2..]);
        assert!(ledger.steps(&cluster(3), 0).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_newest_are_marked_from_the_last_one_back() {
    on_each(async |ledger| {
        fill(&*ledger).await;
        let asked = async |wanted| {
            let Newest {
                events,
                steps,
                last_event,
                last_step,
            } = ledger.newest(&wanted).await.unwrap();
            assert_eq!((last_event, last_step), (4, 3));
            (places(&events), places(&steps))
        };
        assert_eq!(
            asked(newest(None, None, Some(2))).await,
            (vec![4, 3], vec![3, 2])
        );
        assert_eq!(asked(newest(None, None, Some(0))).await, (vec![], vec![]));
        // Without a number, the oldest that fits.
        assert_eq!(asked(newest(None, None, None)).await, (vec![1], vec![1]));
        assert_eq!(
            asked(newest(None, Some(3_000), None)).await,
            (vec![3], vec![1])
        );
        assert_eq!(
            asked(newest(None, Some(6_000), Some(9))).await,
            (vec![], vec![3])
        );
        assert_eq!(
            asked(newest(Some("pve-02"), None, Some(9))).await,
            (vec![4, 2], vec![])
        );
        assert_eq!(
            asked(newest(Some("pve-01"), None, Some(2))).await,
            (vec![3, 1], vec![3, 2])
        );
    })
    .await;
}
