use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use jiff::SignedDuration;
use proto::v1;
use tonic::Status;

use super::*;
use crate::host::{Host, Patience, said};
use crate::identity::fake::{COLLECTOR, FakeCollector, node};
use crate::identity::membership::Said;

/// A node of a cluster and a collector.
struct Stage {
    root: tempfile::TempDir,
    collector: FakeCollector,
    member: Membership,
}

impl Stage {
    async fn set() -> Self {
        let root = tempfile::tempdir().unwrap();
        node(root.path(), "pve-01\n");
        let host = Host::live_below(root.path(), &Patience::new(Patience::OF_A_REPORT));
        let state_dir = root.path().join("state");
        Self {
            member: Membership::of(&host, &state_dir, &Said::default()).unwrap(),
            collector: FakeCollector::start().await,
            root,
        }
    }

    fn state_dir(&self) -> PathBuf {
        self.root.path().join("state")
    }

    fn invitation(&self) -> Invitation {
        Invitation {
            address: self.collector.address(),
            token: self.collector.token(),
        }
    }

    async fn join(&self, invitation: &Invitation, replace: bool) -> Result<Joined, String> {
        let now = Timestamp::now();
        let joined = join(&self.state_dir(), &self.member, invitation, replace, now).await;
        joined.map_err(|error| said(&error))
    }

    async fn enrolled(&self) -> Enrolled {
        match self.join(&self.invitation(), false).await.unwrap() {
            Joined::Now(enrolled) => enrolled,
            Joined::Already(_) => panic!("it was enrolled before"),
        }
    }

    /// It is refused with these words, and nothing is kept.
    async fn check_refused(&self, words: &[&str]) {
        let why = self.join(&self.invitation(), false).await.unwrap_err();
        for word in words {
            assert!(why.contains(word), "{word:?} is not in: {why}");
        }
        assert_eq!(Enrolled::all(&self.state_dir()).unwrap(), []);
    }
}

const OBSERVER: &str = "aaaaaaaa-52a4-4c5c-8b8e-0d5a6a4b1c11";

fn as_observer(answer: &mut v1::EnrolResponse) {
    answer.authority = None;
    answer.is_authority = false;
}

fn invitation_of(collector: &FakeCollector) -> Invitation {
    Invitation {
        address: collector.address(),
        token: collector.token(),
    }
}

#[tokio::test]
async fn a_node_joins_and_its_key_is_for_root_alone_and_never_sent() {
    let stage = Stage::set().await;
    let enrolled = stage.enrolled().await;
    assert_eq!(enrolled.collector_id, COLLECTOR);
    assert_eq!(enrolled.cluster, stage.member.cluster);
    assert_eq!(enrolled.cluster_name, "lab");
    assert!(enrolled.is_authority);
    assert_eq!(enrolled.authority.as_ref().unwrap().epoch, 1);
    let all = Enrolled::all(&stage.state_dir()).unwrap();
    assert_eq!(all, std::slice::from_ref(&enrolled));
    enrolled.tls().unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().mode() & 0o7777;
    let dir = stage.state_dir().join("collectors").join(COLLECTOR);
    assert_eq!(dir, enrolled.dir);
    assert_eq!(mode(dir.join("key.pem")), 0o600);
    assert_eq!(mode(dir.clone()), 0o700);
    assert_eq!(mode(stage.state_dir().join("collectors")), 0o700);
    for name in ["chain.pem", "trust.pem", "collector.json"] {
        assert!(dir.join(name).is_file(), "{name}");
    }
    let key = fs::read_to_string(dir.join("key.pem")).unwrap();
    let key = pem::parse(key).unwrap();
    stage.collector.asked(|asked| {
        let request = &asked.enrol[0];
        assert_eq!(request.node, "pve-01");
        assert_eq!(request.nodelist.len(), 8);
        let sent = &request.certificate_request;
        // The scalar of the key stands in its middle; none of it is in the request.
        let secret = &key.contents()[36..68];
        assert!(!sent.windows(secret.len()).any(|part| part == secret));
    });
}

#[tokio::test]
async fn whoever_is_enrolled_is_not_enrolled_again_unless_told_to() {
    let stage = Stage::set().await;
    let first = stage.enrolled().await;
    let again = stage.join(&stage.invitation(), false).await.unwrap();
    assert!(matches!(again, Joined::Already(known) if known == first));
    assert_eq!(stage.collector.asked(|asked| asked.enrol.len()), 1);
    let replaced = stage.join(&stage.invitation(), true).await.unwrap();
    assert!(matches!(replaced, Joined::Now(_)));
    assert_eq!(Enrolled::all(&stage.state_dir()).unwrap().len(), 1);
}

#[tokio::test]
async fn a_second_collector_is_a_second_enrolment() {
    let stage = Stage::set().await;
    stage.enrolled().await;
    let other = FakeCollector::start().await;
    let id = OBSERVER;
    other.answers(|answers| {
        answers.collector = id.to_owned();
        answers.spoil = as_observer;
    });
    stage.join(&invitation_of(&other), false).await.unwrap();
    let all = Enrolled::all(&stage.state_dir()).unwrap();
    let ids: Vec<_> = all.iter().map(|one| one.collector_id.as_str()).collect();
    assert_eq!(ids, [COLLECTOR, id]);
    assert!(all[0].forget().unwrap());
    let left = Enrolled::all(&stage.state_dir()).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].collector_id.as_str(), &left[0].told), (id, &None));
    assert!(!all[0].forget().unwrap());
}

#[tokio::test]
async fn an_observer_is_told_who_decides_and_both_hear_the_same() {
    let stage = Stage::set().await;
    let first = stage.enrolled().await;
    assert_eq!(first.told, first.authority);
    let other = FakeCollector::start().await;
    other.answers(|answers| {
        answers.collector = OBSERVER.to_owned();
        answers.spoil = as_observer;
    });
    stage.join(&invitation_of(&other), false).await.unwrap();
    let asked = other.asked(|asked| asked.enrol[0].authority.clone().unwrap());
    assert_eq!((asked.collector.as_str(), asked.epoch), (COLLECTOR, 1));
    let all = Enrolled::all(&stage.state_dir()).unwrap();
    assert_eq!((&all[1].authority, all[1].is_authority), (&None, false));
    assert_eq!(all[1].told, first.authority);
    assert_eq!(all[0].told, first.authority);
}

#[tokio::test]
async fn a_second_collector_that_decides_is_refused_by_name() {
    let stage = Stage::set().await;
    stage.enrolled().await;
    let second = FakeCollector::start().await;
    second.answers(|answers| answers.collector = OBSERVER.to_owned());
    let why = stage
        .join(&invitation_of(&second), false)
        .await
        .unwrap_err();
    for word in [OBSERVER, COLLECTOR, "init --observer"] {
        assert!(why.contains(word), "{word:?} is not in: {why}");
    }
    let all = Enrolled::all(&stage.state_dir()).unwrap();
    assert_eq!(all.len(), 1);
    // The authority has moved: the new one says so by its epoch.
    second.answers(|answers| answers.spoil = |answer| answer.authority.as_mut().unwrap().epoch = 2);
    stage.join(&invitation_of(&second), false).await.unwrap();
    let all = Enrolled::all(&stage.state_dir()).unwrap();
    for one in &all {
        assert_eq!(one.told.as_ref().unwrap().collector, OBSERVER);
    }
}

/// As two that were joined by an agent of another version: each is told of the other, and none decides.
#[tokio::test]
async fn of_two_that_both_decide_each_is_told_of_the_other() {
    let stage = Stage::set().await;
    stage.enrolled().await;
    let second = FakeCollector::start().await;
    second.answers(|answers| {
        answers.collector = OBSERVER.to_owned();
        answers.spoil = as_observer;
    });
    stage.join(&invitation_of(&second), false).await.unwrap();
    let all = Enrolled::all(&stage.state_dir()).unwrap();
    let mut claims = all[0].authority.clone();
    claims.as_mut().unwrap().collector = OBSERVER.to_owned();
    all[1].store_authority(claims.clone(), true).unwrap();
    let claimed = Enrolled::all(&stage.state_dir()).unwrap();
    assert_eq!(claimed[0].told, claims);
    assert_eq!(claimed[1].told, all[0].authority);
    assert!(claimed[0].needs_new_stream(&all[0]), "its Hello is another");
}

#[tokio::test]
async fn the_authority_need_not_say_its_id_twice() {
    let stage = Stage::set().await;
    stage
        .collector
        .answers(|answers| answers.spoil = |answer| answer.collector.clear());
    assert_eq!(stage.enrolled().await.collector_id, COLLECTOR);
}

#[tokio::test]
async fn a_collector_that_the_token_is_not_for_gets_nothing() {
    let stage = Stage::set().await;
    let other = FakeCollector::start().await;
    let invitation = Invitation {
        address: stage.collector.address(),
        token: other.token(),
    };
    let why = stage.join(&invitation, false).await.unwrap_err();
    let begin = format!(
        "the collector at {} is not the one this token is for",
        stage.collector.address()
    );
    assert!(why.starts_with(&begin), "{why}");
    assert_eq!(stage.collector.asked(|asked| asked.enrol.len()), 0);
    assert_eq!(Enrolled::all(&stage.state_dir()).unwrap(), []);
}

#[tokio::test]
async fn a_refusal_is_said_with_what_to_do() {
    let stage = Stage::set().await;
    let refuse = |status: Status| stage.collector.answers(|all| all.refusal = Some(status));
    refuse(Status::unauthenticated("the token is used up"));
    stage
        .check_refused(&["the token is used up", "quorate-collector token create"])
        .await;
    refuse(Status::already_exists("pve-01 has a living certificate"));
    stage
        .check_refused(&["living", "quorate-collector node replace pve-01"])
        .await;
    refuse(Status::failed_precondition(
        "the CA of the cluster has changed",
    ));
    stage
        .check_refused(&["the CA of the cluster has changed"])
        .await;
    refuse(Status::internal("disk full"));
    stage
        .check_refused(&["could not answer", "disk full"])
        .await;
}

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_again_with_the_same_key() {
    let stage = Stage::set().await;
    let lost = Status::unavailable("the connection broke");
    stage.collector.answers(|all| all.refusal = Some(lost));
    let invitation = stage.invitation();
    stage.join(&invitation, false).await.unwrap_err();
    stage.join(&invitation, false).await.unwrap_err();
    stage.join(&stage.invitation(), false).await.unwrap_err();
    let keys = |asked: &crate::identity::fake::Asked| {
        let keys = asked.enrol.iter().map(|asked| {
            let der = asked.certificate_request.clone();
            let request = rcgen::CertificateSigningRequestParams::from_der(&der.into());
            rcgen::PublicKeyData::der_bytes(&request.unwrap().public_key).to_vec()
        });
        keys.collect::<Vec<_>>()
    };
    let keys = stage.collector.asked(keys);
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2], "another token, another key");
    stage.collector.answers(|all| all.refusal = None);
    stage.enrolled().await;
    let left = fs::read_dir(stage.state_dir().join("collectors")).unwrap();
    assert_eq!(left.count(), 3, "lock, link and one state");
}

#[tokio::test]
async fn where_nobody_answers_it_is_said_when_a_collector_listens() {
    let stage = Stage::set().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let invitation = Invitation {
        address,
        token: stage.collector.token(),
    };
    let why = stage.join(&invitation, false).await.unwrap_err();
    assert!(why.contains("only while a token is valid"), "{why}");
    assert!(why.contains("refused"), "{why}");
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_not_kept() {
    let stage = Stage::set().await;
    let day = SignedDuration::from_hours(24);
    let spoil = |spoil| stage.collector.answers(|answers| answers.spoil = spoil);
    spoil(|answer| answer.credentials = None);
    stage.check_refused(&["the certificate is missing"]).await;
    spoil(|answer| answer.addresses.clear());
    stage
        .check_refused(&["the collector's address is missing"])
        .await;
    spoil(|answer| answer.collector = "../../etc".to_owned());
    stage
        .check_refused(&["the collector's id", "makes no sense"])
        .await;
    spoil(|answer| {
        answer.collector.clear();
        answer.is_authority = false;
    });
    stage
        .check_refused(&["the collector's id", "makes no sense"])
        .await;
    spoil(|answer| answer.authority = None);
    stage.check_refused(&["the authority is missing"]).await;
    spoil(|answer| answer.credentials.as_mut().unwrap().trust.clear());
    stage.check_refused(&["no trusted CA"]).await;
    spoil(|answer| {
        let credentials = answer.credentials.as_mut().unwrap();
        credentials.chain = credentials.trust.clone();
    });
    stage.check_refused(&["its certificate is for"]).await;
    spoil(|_| {});
    stage
        .collector
        .answers(|answers| answers.certificate_life = (day, day * 30));
    stage.check_refused(&["this node's clock says"]).await;
}

#[tokio::test]
async fn an_enrolment_that_has_ended_is_made_anew() {
    let stage = Stage::set().await;
    stage.enrolled().await;
    let later = Timestamp::now() + SignedDuration::from_hours(24 * 40);
    let all = Enrolled::all(&stage.state_dir()).unwrap();
    assert!(all[0].not_after() < later);
    let (from, to) = (
        SignedDuration::from_hours(24 * 39),
        SignedDuration::from_hours(24 * 69),
    );
    stage
        .collector
        .answers(|answers| answers.certificate_life = (from, to));
    let invitation = stage.invitation();
    let joined = join(&stage.state_dir(), &stage.member, &invitation, false, later).await;
    assert!(matches!(joined, Ok(Joined::Now(_))));
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_named() {
    let stage = Stage::set().await;
    let late = FakeCollector::start_until(2001).await;
    let invitation = Invitation {
        address: late.address(),
        token: late.token(),
    };
    let why = stage.join(&invitation, false).await.unwrap_err();
    let begin = "by the clock of this node (20";
    assert!(why.starts_with(begin), "{why}");
    assert!(why.contains("set the clock"), "{why}");
}
