use std::collections::BTreeMap;
use std::sync::Arc;

use model::cluster::{Cluster, Held, Now, Seen};
use model::fleet::Hearing;
use model::gate::{Action, Basis, Request};
use model::name::NodeName;
use model::report::Family;
use serde_json::Value;

use super::file::File;
use super::*;
use crate::declared::Declared;

const HOUR_MS: i64 = 3_600_000;
const BEGIN_MS: i64 = 1_800_000_000_000;

fn cluster_id() -> ClusterId {
    ClusterId::new("11111111-2222-3333-4444-555555555555").unwrap()
}

/// Nodes of which something failed that has these words.
fn cluster(words: &str) -> Cluster {
    let mut cluster = Cluster::default();
    for name in ["pve-01", "pve-02"] {
        let fact = Family::Ceph.failed(words.to_owned());
        let held = Held {
            fact: Arc::new(fact),
            read_at_ms: 5,
        };
        let seen = Seen {
            hearing: Hearing::Connected,
            facts: BTreeMap::from([(Family::Ceph, held)]),
            ..Seen::never_heard()
        };
        let name = NodeName::new(name).unwrap();
        let now = Now {
            mono_ms: 10,
            unix_ms: BEGIN_MS,
        };
        cluster.apply(&name, seen, now);
    }
    cluster
}

fn given(cluster: &Cluster, at_unix_ms: i64) -> Given {
    let now = Now {
        mono_ms: 10,
        unix_ms: at_unix_ms,
    };
    let nodes = [NodeName::new("pve-01").unwrap()];
    let request = Request::of_nodes(nodes, Action::Reboot);
    let basis = Basis {
        cluster: cluster.clone(),
        ..Declared::default().basis(request, now)
    };
    let verdict = basis.judge();
    Given {
        cluster: cluster_id(),
        asker: "operator anna".to_owned(),
        asked: Asked::Check,
        version: "0.1.0",
        revision: Revision(7),
        epoch: 1,
        basis,
        verdict,
    }
}

fn json(file: &File, id: &str) -> Value {
    let text = file.read(&cluster_id(), id).unwrap().unwrap();
    serde_json::from_str(&text).unwrap()
}

fn pieces(path: &Path) -> i64 {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection
        .query_row("SELECT COUNT(*) FROM piece", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn what_is_kept_is_judged_again_with_the_same_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = File::open(&dir.path().join("v")).unwrap();
    let given = given(&cluster("no monitor answers"), BEGIN_MS);
    file.keep("a", &given).unwrap();
    let json = json(&file, "a");
    assert_eq!(
        (&json["id"], &json["asked"], &json["revision"]),
        (&"a".into(), &"check".into(), &7.into())
    );
    let again = Basis::from_json(json["basis"].clone()).unwrap();
    assert_eq!(again, given.basis);
    assert_eq!(
        serde_json::to_value(again.judge()).unwrap(),
        json["verdict"]
    );
    assert_eq!(file.read(&cluster_id(), "b").unwrap(), None);
    let line = file.list(&cluster_id(), 9).unwrap();
    assert_eq!(line[0].sentence, given.verdict.sentence);
}

#[test]
fn what_does_not_change_is_kept_once_and_outlives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v");
    let mut file = File::open(&path).unwrap();
    let same = cluster("no monitor answers");
    file.keep("a", &given(&same, BEGIN_MS)).unwrap();
    let first = pieces(&path);
    file.keep("b", &given(&same, BEGIN_MS + 1)).unwrap();
    // The same words, read again, and by a process that begins anew.
    let again = cluster("no monitor answers");
    file.keep("c", &given(&again, BEGIN_MS + 2)).unwrap();
    drop(file);
    let mut file = File::open(&path).unwrap();
    file.keep("d", &given(&again, BEGIN_MS + 3)).unwrap();
    assert_eq!(pieces(&path), first);
    file.keep("e", &given(&cluster("another word"), BEGIN_MS + 4))
        .unwrap();
    assert_eq!(pieces(&path), first + 1);
    for id in ["a", "b", "c", "d", "e"] {
        Basis::from_json(json(&file, id)["basis"].clone()).unwrap();
    }
}

#[test]
fn the_oldest_go_and_what_the_others_rest_on_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v");
    let mut file = File::open(&path).unwrap();
    let stays = cluster("no monitor answers");
    let days = |days: i64| BEGIN_MS + days * 24 * HOUR_MS;
    file.keep("a", &given(&cluster("long ago"), days(0)))
        .unwrap();
    for hour in 0..48 {
        let at = days(29) + hour * HOUR_MS;
        file.keep(&format!("b{hour:02}"), &given(&stays, at))
            .unwrap();
    }
    assert_eq!(file.read(&cluster_id(), "a").unwrap(), None);
    for line in file.list(&cluster_id(), 100).unwrap() {
        Basis::from_json(json(&file, &line.id)["basis"].clone()).unwrap();
    }
    let before = pieces(&path);
    file.tidy(days(31), 1).unwrap();
    assert_eq!(file.list(&cluster_id(), 100).unwrap(), []);
    assert!(pieces(&path) <= before);
    file.keep("c", &given(&stays, days(31))).unwrap();
    Basis::from_json(json(&file, "c")["basis"].clone()).unwrap();
}

#[test]
fn a_file_that_cannot_be_used_is_no_reason_not_to_judge() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v");
    std::fs::write(
        &path,
        "this is no database, and it is long enough to be taken for one",
    )
    .unwrap();
    let verdicts = Verdicts::open(&path);
    assert_eq!(verdicts.keep(given(&cluster(""), BEGIN_MS)), "");
    let newer = dir.path().join("w");
    let connection = rusqlite::Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    assert!(matches!(
        File::open(&newer),
        Err(VerdictsError::Newer { found: 2, .. })
    ));
}

#[tokio::test]
async fn a_verdict_can_be_read_as_soon_as_it_has_its_id() {
    let dir = tempfile::tempdir().unwrap();
    let verdicts = Verdicts::open(&dir.path().join("v"));
    let id = verdicts.keep(given(&cluster("x"), BEGIN_MS));
    assert_eq!(id.len(), 16);
    let read = verdicts.read(cluster_id(), id.clone()).await.unwrap();
    assert!(read.is_some());
    let listed = verdicts.list(cluster_id(), 20).await.unwrap();
    assert_eq!(listed[0].id, id);
}
