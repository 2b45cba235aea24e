use std::fs;
use std::path::Path;

use proto::dial::dial;

use super::*;
use crate::host::{Host, Patience};
use crate::identity::enrolled::{EnrolledError, MAX_CAS};
use crate::identity::exchange::Invitation;
use crate::identity::fake::{FakeCollector, node};
use crate::identity::join::{Joined, join};
use crate::identity::membership::{Membership, Said};

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn enrolled(root: &Path, collector: &FakeCollector) -> Enrolled {
    node(root, "pve-01\n");
    let host = Host::live_below(root, &Patience::new(Patience::OF_A_REPORT));
    let state_dir = root.join("state");
    let member = Membership::of(&host, &state_dir, &Said::default()).unwrap();
    let invitation = Invitation {
        address: collector.address(),
        token: collector.token(),
    };
    match join(&state_dir, &member, &invitation, false, Timestamp::now()).await {
        Ok(Joined::Now(enrolled)) => enrolled,
        other => panic!("{other:?}"),
    }
}

/// As the node of this enrolment, with what the collector shows on the connection.
async fn connected(enrolled: &Enrolled) -> (Channel, Shown) {
    let (tls, shown) = enrolled.tls_seeing().unwrap();
    let channel = dial(&enrolled.addresses[0], tls).await.unwrap();
    (channel, shown)
}

#[tokio::test]
async fn a_certificate_is_renewed_with_a_new_key_and_the_old_one_goes() {
    let root = tempfile::tempdir().unwrap();
    let collector = FakeCollector::start().await;
    let old = enrolled(root.path(), &collector).await;
    let key = |enrolled: &Enrolled| fs::read_to_string(enrolled.dir.join("key.pem")).unwrap();
    let old_key = key(&old);
    collector.answers(|answers| answers.certificate_life = (-DAY, DAY * 60));
    let now = Timestamp::now();
    let (channel, shown) = connected(&old).await;
    let new = renew(channel.clone(), &old, &shown, now).await.unwrap();
    assert!(old.not_after() < new.not_after());
    assert_ne!(old_key, key(&new));
    new.tls().unwrap();
    // The connection of before goes on, and a new one uses the new certificate.
    assert!(renew(channel, &old, &shown, now).await.is_ok());
    let (channel, shown) = connected(&new).await;
    assert!(renew(channel, &new, &shown, now).await.is_ok());
    assert_eq!(collector.asked(|asked| asked.renewed), 3);
    let collectors = fs::read_dir(root.path().join("state/collectors")).unwrap();
    assert_eq!(collectors.count(), 3, "lock, link and one state");
}

#[tokio::test]
async fn an_answer_that_is_not_for_this_key_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let collector = FakeCollector::start().await;
    let old = enrolled(root.path(), &collector).await;
    collector.answers(|answers| answers.certificate_life = (DAY, DAY * 60));
    let now = Timestamp::now();
    let (channel, shown) = connected(&old).await;
    assert!(renew(channel, &old, &shown, now).await.is_err());
    let kept = Enrolled::all(&root.path().join("state")).unwrap();
    assert_eq!(kept, [old]);
}

#[tokio::test]
async fn it_is_time_after_two_thirds_and_failures_make_it_later() {
    let root = tempfile::tempdir().unwrap();
    let collector = FakeCollector::start().await;
    let enrolled = enrolled(root.path(), &collector).await;
    // From a day ago for 30 days, and up to 1.5 days later by its spread.
    let begun = enrolled.not_after() - DAY * 30;
    let mut renewal = Renewal::default();
    assert!(!renewal.is_due(&enrolled, begun + DAY * 20 - SignedDuration::from_secs(1)));
    let now = begun + DAY * 22;
    assert!(renewal.is_due(&enrolled, now));
    renewal.failed(&enrolled, now);
    assert!(!renewal.is_due(&enrolled, now + SignedDuration::from_secs(59)));
    let again = now + SignedDuration::from_secs(75);
    assert!(renewal.is_due(&enrolled, again));
    renewal.failed(&enrolled, again);
    assert!(!renewal.is_due(&enrolled, again + SignedDuration::from_secs(119)));
    renewal.succeeded();
    assert!(renewal.is_due(&enrolled, now));
}

/// Whatever is left of its life; and not all nodes at once.
#[tokio::test]
async fn it_is_time_soon_once_another_ca_signs() {
    let root = tempfile::tempdir().unwrap();
    let collector = FakeCollector::start().await;
    let enrolled = enrolled(root.path(), &collector).await;
    let now = Timestamp::now();
    let mut renewal = Renewal::default();
    assert!(!renewal.is_due(&enrolled, now));
    let pause = renewal.ask(&enrolled, now);
    assert!(
        (SOONEST..=SOONEST + ASKED_WITHIN).contains(&pause),
        "{pause:?}"
    );
    let pause = SignedDuration::try_from(pause).unwrap();
    assert!(!renewal.is_due(&enrolled, now + pause - SignedDuration::from_millis(1)));
    assert!(renewal.is_due(&enrolled, now + pause));
    // Said again, it is not put off.
    renewal.ask(&enrolled, now + pause);
    assert!(renewal.is_due(&enrolled, now + pause));
    renewal.succeeded();
    assert!(!renewal.is_due(&enrolled, now + pause));
}

#[test]
fn pauses_grow_to_an_hour_and_a_quarter_and_not_beyond() {
    assert_eq!(pause(0, 0), FIRST_PAUSE);
    assert_eq!(pause(3, 0), FIRST_PAUSE * 8);
    assert_eq!(pause(u32::MAX, 0), LONGEST_PAUSE);
    assert_eq!(pause(60, u8::MAX), Duration::from_secs(4500));
}

#[tokio::test]
async fn trust_is_replaced_only_by_what_can_be_trusted() {
    let root = tempfile::tempdir().unwrap();
    let collector = FakeCollector::start().await;
    let enrolled = enrolled(root.path(), &collector).await;
    let (_, shown) = connected(&enrolled).await;
    let check = |trust: &[Vec<u8>], expect: &str| {
        let refused = enrolled.store_trust(trust, &shown).unwrap_err();
        assert!(crate::host::said(&refused).contains(expect), "{refused}");
        let kept = Enrolled::all(&root.path().join("state")).unwrap();
        assert_eq!(kept, std::slice::from_ref(&enrolled));
    };
    let other = FakeCollector::start().await;
    check(&[], "sent no CA");
    check(&[vec![1, 2, 3]], "the trusted CA cannot be used");
    check(&[other.ca()], "none signed the certificate that it shows");
    check(&vec![collector.ca(); MAX_CAS + 1], "sent 9 CAs");
    // Nothing was shown, so that nothing is known of who says it.
    let nothing = enrolled.store_trust(&[collector.ca()], &Shown::default());
    assert!(matches!(nothing, Err(EnrolledError::OtherTrust)));

    let both = [collector.ca(), other.ca()];
    let with_both = enrolled.store_trust(&both, &shown).unwrap();
    assert!(with_both.trusts(other.token().ca()));
    assert!(with_both.trusts(collector.token().ca()));
    let again = Enrolled::all(&root.path().join("state")).unwrap();
    assert_eq!(again, std::slice::from_ref(&with_both), "on the disk");
    assert!(!with_both.needs_new_stream(&enrolled));
    with_both.tls().unwrap();
    let mut moved = enrolled.authority.clone().unwrap();
    moved.epoch = 2;
    let moved = Some(moved);
    let told = with_both.store_authority(moved.clone(), false).unwrap();
    assert_eq!((&told.authority, told.is_authority), (&moved, false));
    assert_eq!(told.told, moved);
    assert!(told.trusts(other.token().ca()));
}
