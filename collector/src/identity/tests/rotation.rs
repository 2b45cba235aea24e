//! Another CA takes the place of the first one, and nobody is lost unless it is said.

use super::*;
use crate::identity::rotation::{RotationError, Stepped};
use crate::peer::Peer;

/// A node with a certificate, as a stream's peer.
fn peer(identities: &Identities, issued: &certificate::Issued) -> Peer {
    let known = identities.certificate(&issued.der).unwrap().unwrap();
    Peer {
        identity: known.identity,
        serial: known.serial,
        ca: known.ca,
        address: ([192, 0, 2, 1], 1).into(),
    }
}

fn renew(identities: &Identities, peer: &Peer) -> certificate::Issued {
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default();
    let request = request.serialize_request(&key).unwrap();
    let key = ca::ProvenKey::of_request(request.der()).unwrap();
    let renewed = identities.renew(&peer.identity, &peer.serial, &key, at(0));
    renewed.unwrap()
}

fn anna(identities: &Identities) {
    let anna = Identity::parse("quorate://all/operator/anna").unwrap();
    identities.add_person(&anna, at(0)).unwrap();
}

#[track_caller]
fn refused(step: Result<Stepped, RotationError>, names: &[&str]) {
    match step {
        Err(RotationError::Lost { lost }) => {
            let lost: Vec<_> = lost.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(lost, names);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_step_waits_until_nobody_is_lost_by_it() {
    let (dir, identities) = house();
    let token = identities.make_token(None, 9, HOUR, at(0)).unwrap();
    let first = enrol(&identities, &token, "pve-01", at(0)).unwrap();
    enrol(&identities, &token, "pve-02", at(0)).unwrap();
    anna(&identities);
    let old = identities.signs().unwrap();
    let speaker = peer(&identities, &first);
    identities.spoke(&speaker, &[old], at(0)).unwrap();

    assert!(matches!(
        identities.switch(false, at(0)),
        Err(RotationError::NoneWaiting)
    ));
    let new = identities.rotate(at(0)).unwrap().ca.fingerprint;
    assert!(matches!(
        identities.rotate(at(0)),
        Err(RotationError::OnItsWay)
    ));
    assert!(matches!(
        identities.retire(true, at(0)),
        Err(RotationError::NotSwitched)
    ));
    let trust = identities.trust().unwrap();
    assert_eq!((trust.signs, trust.fingerprints), (old, vec![old, new]));
    assert_eq!(
        identities
            .make_token(None, 1, HOUR, at(0))
            .unwrap()
            .token
            .ca(),
        old
    );

    // What an agent says, and not what it was sent, counts; a person needs a new file.
    refused(
        identities.switch(false, at(0)),
        &["pve-01", "pve-02", "anna"],
    );
    identities
        .keeps_trust(&speaker, &[old, new], at(0))
        .unwrap();
    anna(&identities);
    refused(identities.switch(false, at(0)), &["pve-02"]);
    // Whoever was sent away is nobody's loss.
    identities.revoke_node("pve-02", None, at(0)).unwrap();
    let stepped = identities.switch(false, at(0)).unwrap();
    assert_eq!((stepped.lost.len(), stepped.tokens), (0, 2));
    assert_eq!(identities.signs().unwrap(), new);
    let late = enrol(&identities, &token, "pve-03", at(0));
    assert!(matches!(
        late,
        Err(enrolment::NotEnrolled::RevokedToken { .. })
    ));

    // A certificate that was given out may never have arrived.
    refused(identities.retire(false, at(0)), &["pve-01"]);
    let second = renew(&identities, &speaker);
    refused(identities.retire(false, at(0)), &["pve-01"]);
    let speaker = peer(&identities, &second);
    assert_eq!(speaker.ca, new);
    identities.spoke(&speaker, &[old, new], at(0)).unwrap();
    identities.retire(false, at(0)).unwrap();
    let is_revoked = |issued: &certificate::Issued| {
        let known = identities.certificate(&issued.der).unwrap().unwrap();
        known.revoked.is_some()
    };
    assert!(is_revoked(&first) && !is_revoked(&second));
    assert_eq!(identities.trust().unwrap().fingerprints, [new]);
    assert!(!dir.path().join("ca/key.pem").exists());
    assert!(dir.path().join("ca/key-2.pem").exists());
    // It still trusts the old one, which is nobody's word any more; then it says otherwise.
    assert_eq!(identities.not_ready(at(0)).unwrap().len(), 1);
    identities.keeps_trust(&speaker, &[new], at(0)).unwrap();
    assert_eq!(identities.not_ready(at(0)).unwrap(), []);
    let late = enrol(&identities, &token, "pve-03", at(0));
    assert!(matches!(late, Err(enrolment::NotEnrolled::RetiredCa)));
    assert_eq!(identities.rotate(at(0)).unwrap().ca.number, 3);
}

#[test]
fn by_force_a_step_names_whom_it_loses() {
    let (_dir, identities) = house();
    let token = identities.make_token(None, 9, HOUR, at(0)).unwrap();
    let issued = enrol(&identities, &token, "pve-01", at(0)).unwrap();
    identities.rotate(at(0)).unwrap();
    assert_eq!(
        identities.switch(true, at(0)).unwrap().lost[0].name,
        "pve-01"
    );
    assert_eq!(
        identities.retire(true, at(0)).unwrap().lost[0].name,
        "pve-01"
    );
    let known = identities.certificate(&issued.der).unwrap().unwrap();
    assert!(known.revoked.is_some());
    // It has no certificate any more, so that the invitation of its cluster lets it in again.
    let token = identities.make_token(None, 1, HOUR, at(0)).unwrap();
    enrol(&identities, &token, "pve-01", at(0)).unwrap();
}

/// What comes late over a stream that was opened with the certificate of before.
#[test]
fn a_late_word_of_an_older_stream_changes_nothing() {
    let (_dir, identities) = house();
    let token = identities.make_token(None, 9, HOUR, at(0)).unwrap();
    let first = peer(
        &identities,
        &enrol(&identities, &token, "pve-01", at(0)).unwrap(),
    );
    identities.spoke(&first, &[], at(0)).unwrap();
    let second = peer(&identities, &renew(&identities, &first));
    identities.spoke(&second, &[], at(0)).unwrap();
    let new = identities.rotate(at(0)).unwrap().ca.fingerprint;
    identities.keeps_trust(&first, &[new], at(0)).unwrap();
    refused(identities.switch(false, at(0)), &["pve-01"]);
    identities.keeps_trust(&second, &[new], at(0)).unwrap();
    identities.switch(false, at(0)).unwrap();
}

#[test]
fn a_new_file_of_a_person_is_good_for_all_that_follows() {
    let (_dir, identities) = house();
    anna(&identities);
    let new = identities.rotate(at(0)).unwrap().ca;
    refused(identities.switch(false, at(0)), &["anna"]);
    anna(&identities);
    assert_eq!(identities.trust_of_people().unwrap().len(), 2);
    identities.switch(false, at(0)).unwrap();
    assert_eq!(identities.trust_of_people().unwrap(), [new.der]);
    identities.retire(false, at(0)).unwrap();
    let people = identities.people().unwrap();
    let good: Vec<_> = people
        .iter()
        .filter(|file| file.revoked.is_none())
        .collect();
    assert_eq!((people.len(), good.len()), (2, 1));
}

/// As collectors kept it before there could be a second CA.
#[test]
fn the_only_ca_of_an_older_collector_is_its_first() {
    let (dir, identities) = house();
    let token = identities.make_token(None, 9, HOUR, at(0)).unwrap();
    let issued = enrol(&identities, &token, "pve-01", at(0)).unwrap();
    let ca = identities.signs().unwrap();
    drop(identities);
    let database = Connection::open(dir.path().join(DATABASE)).unwrap();
    let older =
        "CREATE TABLE older AS SELECT serial, fingerprint, identity, key_hash, token, made_unix_s,
                        not_after_unix_s, revoked_unix_s, revoked_why FROM certificate;
                 DROP TABLE certificate; ALTER TABLE older RENAME TO certificate;
                 DROP TABLE spoke; DROP TABLE ca; PRAGMA user_version = 1";
    database.execute_batch(older).unwrap();
    drop(database);
    let identities = Identities::open(dir.path()).unwrap();
    assert_eq!(identities.signs().unwrap(), ca);
    assert_eq!(peer(&identities, &issued).ca, ca);
    identities.rotate(at(1)).unwrap();
    refused(identities.switch(false, at(1)), &["pve-01"]);
}
