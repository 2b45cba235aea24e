use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use jiff::SignedDuration;
use model::fact::corosync::Member;

use super::*;
use crate::host::Patience;
use crate::identity::exchange::Invitation;
use crate::identity::fake::{CLUSTER, COLLECTOR, FakeCollector, node};
use crate::identity::join::{Joined, join};
use crate::identity::membership::{Membership, Said};

fn host(root: &Path) -> Host {
    Host::live_below(root, &Patience::new(Patience::OF_A_REPORT))
}

async fn enrolled(root: &Path, collector: &FakeCollector) -> (Enrolled, Membership) {
    node(root, "pve-01\n");
    let state_dir = root.join("state");
    let member = Membership::of(&host(root), &state_dir, &Said::default()).unwrap();
    let invitation = Invitation {
        address: collector.address(),
        token: collector.token(),
    };
    match join(&state_dir, &member, &invitation, false, Timestamp::now()).await {
        Ok(Joined::Now(enrolled)) => (enrolled, member),
        other => panic!("{other:?}"),
    }
}

fn corosync(quorate: Option<bool>, own: u32, members: &[u32]) -> Corosync {
    let member = |id: &u32| Member {
        node_id: *id,
        ..Member::default()
    };
    Corosync {
        quorate,
        node_id: Some(own),
        members: Some(members.iter().map(member).collect()),
        ..Corosync::default()
    }
}

#[tokio::test]
async fn an_invitation_is_written_read_renewed_and_removed() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let collector = FakeCollector::start().await;
    let (enrolled, member) = enrolled(root, &collector).await;
    let host = || host(root);
    let now = Timestamp::now();
    assert_eq!(JoinFile::read(&host()).unwrap(), None);
    let made = ask(&enrolled, &member.nodelist, now).await.unwrap();
    collector.asked(|asked| assert_eq!(asked.cluster_token[0].nodelist.len(), 8));
    put(&host(), &enrolled.cluster, made.clone()).unwrap();
    let file = JoinFile::read(&host()).unwrap().unwrap();
    assert_eq!(file.cluster.as_str(), CLUSTER);
    assert_eq!(file.collectors, std::slice::from_ref(&made));
    assert!(!format!("{file:?}").contains(&made.token));
    let path = root.join(PATH);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let dir: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(dir.len(), 1, "nothing is left of the writing");

    let (_, channel) = connect_enrolled(&enrolled, now).await.unwrap();
    let half = now + SignedDuration::from_hours(13);
    let signed_by = async |ca, nodes: &[NodeName], corosync: &Corosync, now| {
        let of = (corosync, nodes);
        let renewed = renew_join_file(host(), channel.clone(), &enrolled, of, ca, now);
        renewed.await.unwrap()
    };
    let ca = Some(collector.token().ca());
    let renew_for = async |nodes: &[NodeName], corosync: &Corosync, now| {
        signed_by(ca, nodes, corosync, now).await
    };
    let renew = async |corosync: &Corosync, now| renew_for(&member.nodelist, corosync, now).await;
    let lowest = corosync(Some(true), 1, &[1, 2, 3]);
    assert_eq!(renew(&lowest, now).await, Renewed::NotYet);
    for other in [
        corosync(Some(true), 2, &[1, 2, 3]),
        corosync(Some(false), 1, &[1]),
        corosync(None, 1, &[1, 2]),
        corosync(Some(true), 1, &[]),
    ] {
        assert_eq!(renew(&other, half).await, Renewed::NotOurs);
    }
    assert_eq!(collector.asked(|asked| asked.cluster_token.len()), 1);
    assert!(matches!(renew(&lowest, half).await, Renewed::Until(_)));
    let file = JoinFile::read(&host()).unwrap().unwrap();
    assert_ne!(file.collectors, [made]);
    assert_eq!(renew(&lowest, half).await, Renewed::NotYet);
    // A node was added.
    let mut nodes = member.nodelist.clone();
    nodes.push(NodeName::new("pve-09").unwrap());
    let renewed = renew_for(&nodes, &lowest, half).await;
    assert!(matches!(renewed, Renewed::Until(_)));
    collector.asked(|asked| assert_eq!(asked.cluster_token[2].nodelist.len(), 9));
    assert_eq!(renew_for(&nodes, &lowest, half).await, Renewed::NotYet);

    // Nobody could join with a token that names another CA than the collector shows.
    assert_eq!(
        signed_by(None, &nodes, &lowest, half).await,
        Renewed::NotYet
    );
    let renewed = signed_by(Some([7; 32]), &nodes, &lowest, half).await;
    assert!(matches!(renewed, Renewed::Until(_)));

    assert!(remove(&host(), None).unwrap());
    assert!(!remove(&host(), None).unwrap());
    let later = half + SignedDuration::from_hours(1000);
    assert_eq!(renew(&lowest, later).await, Renewed::NoInvitation);
    assert!(!path.exists(), "what was removed is not made again");
}

#[tokio::test]
async fn invitations_of_several_collectors_stand_side_by_side() {
    let root = tempfile::tempdir().unwrap();
    node(root.path(), "pve-01\n");
    let host = host(root.path());
    let cluster = ClusterId::new(CLUSTER).unwrap();
    let of = |collector: &str| Standing {
        collector: collector.to_owned(),
        enrolment_addresses: vec!["c:7461".to_owned()],
        token: "t".to_owned(),
        nodelist: Vec::new(),
        made_unix_s: 0,
        not_after_unix_s: 10,
    };
    for collector in [COLLECTOR, "b", COLLECTOR] {
        put(&host, &cluster, of(collector)).unwrap();
    }
    let file = JoinFile::read(&host).unwrap().unwrap();
    assert_eq!(file.collectors, [of("b"), of(COLLECTOR)]);
    assert!(!remove(&host, Some("c")).unwrap());
    assert!(remove(&host, Some("b")).unwrap());
    assert!(remove(&host, Some(COLLECTOR)).unwrap());
    assert_eq!(JoinFile::read(&host).unwrap(), None);
    for number in 0..MAX_COLLECTORS {
        put(&host, &cluster, of(&number.to_string())).unwrap();
    }
    let full = put(&host, &cluster, of("one more"));
    assert!(matches!(full, Err(JoinFileError::Full)));
}

#[test]
fn where_etc_pve_is_not_mounted_nothing_is_written_in_its_place() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("etc/pve")).unwrap();
    let host = host(root.path());
    let standing = Standing {
        collector: COLLECTOR.to_owned(),
        enrolment_addresses: Vec::new(),
        token: String::new(),
        nodelist: Vec::new(),
        made_unix_s: 0,
        not_after_unix_s: 0,
    };
    let cluster = ClusterId::new(CLUSTER).unwrap();
    let refused = put(&host, &cluster, standing).unwrap_err();
    assert!(refused.to_string().contains("quorate"), "{refused}");
    assert!(!root.path().join("etc/pve/priv").exists());
}
