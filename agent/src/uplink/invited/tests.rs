use std::sync::Arc;

use jiff::Timestamp;
use model::fact::corosync::Member;
use model::fact::corosync_conf::{ConfNode, CorosyncConf, CorosyncConfFiles};
use model::reading::Problem;
use proto::fact::ReadFact;

use super::*;

fn post(board: &Board, fact: Fact) {
    board.post(ReadFact {
        fact: Arc::new(fact),
        read_at_boottime_ms: 0,
    });
}

fn known<T>(value: T, problems: Vec<Problem>) -> Reading<T> {
    Reading::Known {
        value,
        at: Timestamp::UNIX_EPOCH,
        problems,
    }
}

fn conf(board: &Board, names: &[&str], problems: Vec<Problem>) {
    let node = |name: &&str| ConfNode {
        name: Some((*name).to_owned()),
        ..ConfNode::default()
    };
    let files = CorosyncConfFiles {
        cluster: Some(CorosyncConf {
            nodes: names.iter().map(node).collect(),
            ..CorosyncConf::default()
        }),
        local: None,
    };
    post(board, Fact::CorosyncConf(known(files, problems)));
}

fn corosync(board: &Board, node_id: u32) {
    let member = |node_id| Member {
        node_id,
        ..Member::default()
    };
    let corosync = Corosync {
        quorate: Some(true),
        node_id: Some(node_id),
        members: Some(vec![member(1), member(2)]),
        ..Corosync::default()
    };
    post(board, Fact::Corosync(known(corosync, Vec::new())));
}

pub(in crate::uplink) fn lowest_of_two(board: &Board) {
    conf(board, &["a", "b"], Vec::new());
    corosync(board, 1);
}

#[tokio::test]
async fn the_join_file_is_seen_to_when_the_nodelist_changes_and_now_and_then() {
    let (board, mut invited) = (Board::default(), Invited::default());
    let now = Instant::now();
    let mut due = |board: &Board, at| invited.due(board, at).map(|(_, names)| names.len());
    assert_eq!(due(&board, now), None, "nothing is known");
    lowest_of_two(&board);
    corosync(&board, 2);
    assert_eq!(due(&board, now), None, "it is up to another node");
    corosync(&board, 1);
    assert_eq!(due(&board, now), Some(2));
    assert_eq!(due(&board, now), None);
    assert_eq!(due(&board, now + EVERY), Some(2));
    conf(&board, &["a", "b", "c"], Vec::new());
    assert_eq!(due(&board, now + EVERY), Some(3));
    let bad = Problem::whole("etc/pve/corosync.conf", "a line".to_owned());
    conf(&board, &["a"], vec![bad]);
    assert_eq!(due(&board, now + EVERY * 3), None, "a name may be missing");
}
