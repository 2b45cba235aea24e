use std::collections::BTreeSet;

use model::identity::{ClusterId, Identity};
use model::name::NodeName;

use super::token::{NewToken, TokenStanding};
use super::*;

mod rotation;

const HOUR: Duration = Duration::from_secs(3_600);

fn at(hours: u64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + Duration::from_secs(hours * 3_600)
}

fn house() -> (tempfile::TempDir, Identities) {
    let dir = tempfile::tempdir().unwrap();
    let identities = Identities::init(dir.path(), &[], Duty::Authority, at(0)).unwrap();
    (dir, identities)
}

fn cluster() -> ClusterId {
    ClusterId::new("0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c").unwrap()
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn enrol(
    identities: &Identities,
    token: &NewToken,
    node: &str,
    now: Timestamp,
) -> Result<certificate::Issued, enrolment::NotEnrolled> {
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    let applicant = enrolment::Applicant {
        token: token.token.clone(),
        cluster: node::Cluster {
            id: cluster(),
            name: "pve".to_owned(),
        },
        node: name(node),
        nodelist: BTreeSet::new(),
        authority: None,
        key: ca::ProvenKey::of_request(request.der()).unwrap(),
    };
    identities.enrol(&applicant, now)
}

#[test]
fn an_id_is_a_uuid() {
    for _ in 0..100 {
        let id = uuid().unwrap();
        assert!(model::identity::is_uuid(&id), "{id}");
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
    }
}

#[test]
fn what_was_made_is_there_after_a_restart_and_only_for_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let (dir, identities) = house();
    let (id, ca) = (identities.authority(), identities.signs().unwrap());
    let path = dir.path().join(DATABASE);
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(identities);
    let again = Identities::open(dir.path()).unwrap();
    assert_eq!((again.authority(), again.signs().unwrap()), (id, ca));
    let twice = Identities::init(dir.path(), &[], Duty::Authority, at(1)).unwrap_err();
    assert!(matches!(twice, IdentityError::MadeAlready { .. }));
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let (dir, identities) = house();
    drop(identities);
    let database = Connection::open(dir.path().join(DATABASE)).unwrap();
    database.execute_batch("PRAGMA user_version = 99").unwrap();
    let refused = Identities::open(dir.path()).unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("its format is 99, and 2 is known here"),
        "{text}"
    );
}

#[test]
fn no_secret_is_in_the_database() {
    let (dir, identities) = house();
    let new = identities.make_token(None, 1, HOUR, at(0)).unwrap();
    let (_, key) = identities
        .add_person(
            &Identity::parse("quorate://all/operator/anna").unwrap(),
            at(0),
        )
        .unwrap();
    drop(identities);
    let secret = new.token.to_text();
    for file in [DATABASE, "identity.db-wal"] {
        let Ok(bytes) = std::fs::read(dir.path().join(file)) else {
            continue;
        };
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(!holds(secret.as_bytes()) && !holds(key.serialized_der()));
    }
}

#[test]
fn enrolment_is_open_exactly_while_somebody_could_enrol() {
    let (_dir, identities) = house();
    let is_open = |hours| identities.is_enrolment_open(at(hours)).unwrap();
    assert!(!is_open(0));
    let short = identities.make_token(None, 2, HOUR, at(0)).unwrap();
    assert!(is_open(0));
    assert!(!is_open(1));
    let issued = enrol(&identities, &short, "pve-01", at(0)).unwrap();
    assert!(is_open(0));
    enrol(&identities, &short, "pve-02", at(0)).unwrap();
    assert!(!is_open(0));

    let names = BTreeSet::from([name("pve-01"), name("pve-02")]);
    let make = |names: &BTreeSet<NodeName>| {
        identities.make_cluster_token(&issued.serial, &cluster(), names, at(1))
    };
    make(&names).unwrap();
    assert!(!is_open(1), "all of its names are enrolled");
    // 30 days later their certificates are over, and so is the token.
    assert!(!is_open(721));
    make(&BTreeSet::from([name("pve-01"), name("pve-09")])).unwrap();
    assert!(is_open(1));
    identities.revoke_node("pve-02", None, at(1)).unwrap();
    let token = make(&names).unwrap();
    identities.replace_node("pve-02", None, at(1)).unwrap();
    enrol(&identities, &token, "pve-02", at(1)).unwrap();
}

#[test]
fn a_revoked_node_can_neither_renew_nor_ask_for_a_token() {
    let (_dir, identities) = house();
    let token = identities.make_token(None, 2, HOUR, at(0)).unwrap();
    let issued = enrol(&identities, &token, "pve-01", at(0)).unwrap();
    identities.revoke_node("pve-01", None, at(0)).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    let key = ca::ProvenKey::of_request(request.der()).unwrap();
    let identity = Identity::node(cluster(), name("pve-01"));
    let renewed = identities.renew(&identity, &issued.serial, &key, at(0));
    assert!(matches!(renewed, Err(certificate::NotRenewed::NotLiving)));
    let names = BTreeSet::from([name("pve-01")]);
    let asked = identities.make_cluster_token(&issued.serial, &cluster(), &names, at(0));
    assert!(matches!(asked, Err(token::TokenError::NotLiving)));
}

#[test]
fn whoever_asks_for_tokens_without_end_ends_its_own_oldest() {
    let (_dir, identities) = house();
    let token = identities.make_token(None, 1, HOUR, at(0)).unwrap();
    let issued = enrol(&identities, &token, "pve-01", at(0)).unwrap();
    let names = BTreeSet::from([name("pve-01")]);
    for _ in 0..70 {
        let made = identities.make_cluster_token(&issued.serial, &cluster(), &names, at(0));
        made.unwrap();
    }
    let tokens = identities.tokens().unwrap();
    let good = tokens
        .iter()
        .filter(|token| token.standing(at(0)) == TokenStanding::Good);
    assert_eq!(good.count(), 64);
}
