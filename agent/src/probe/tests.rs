use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::*;

fn ceph(kind: v1::ceph_ok_to_stop::Kind, ids: &[&str]) -> Result<Question, Unanswered> {
    let ids = ids.iter().map(|id| (*id).to_owned()).collect();
    let kind = kind.into();
    Question::checked(v1::probe::Question::CephOkToStop(v1::CephOkToStop {
        kind,
        ids,
    }))
}

#[test]
fn only_names_and_numbers_become_arguments() {
    use v1::ceph_ok_to_stop::Kind::{Mds, Mon, Osd, Unspecified};
    for good in [(Mon, "pve-01"), (Osd, "12"), (Mds, "pve-01.a_b")] {
        assert!(ceph(good.0, &[good.1]).is_ok(), "{good:?}");
    }
    for bad in [
        (Mon, "--yes-i-really-mean-it"),
        (Mon, ""),
        (Mon, "a b"),
        (Mon, "a/../b"),
        (Osd, "1x"),
        (Osd, "-1"),
        (Osd, "all"),
        (Mds, "$(reboot)"),
    ] {
        let id = bad.1.to_owned();
        assert_eq!(ceph(bad.0, &[bad.1]), Err(Unanswered::Id { id }));
    }
    assert_eq!(ceph(Mon, &[]), Err(Unanswered::HowMany));
    assert_eq!(ceph(Osd, &["1"; 65]), Err(Unanswered::HowMany));
    assert_eq!(ceph(Unspecified, &["1"]), Err(Unanswered::Unknown));
}

#[test]
fn a_kind_is_asked_only_so_often() {
    let (mut asked, now) = (Asked::default(), Instant::now());
    for _ in 0..MAX_OF_A_KIND {
        asked.may(Kind::PvecmStatus, now).unwrap();
    }
    let refused = asked.may(Kind::PvecmStatus, now);
    assert_eq!(refused, Err(Unanswered::TooOften));
    asked.may(Kind::RunningTasks, now).unwrap();
    for what in [DaemonKind::Mon, DaemonKind::Osd, DaemonKind::Mds] {
        asked.may(Kind::CephOkToStop(what), now).unwrap();
    }
    asked.may(Kind::PvecmStatus, now + IN).unwrap();
}

#[tokio::test]
async fn a_question_of_a_newer_collector_gets_a_sentence() {
    let prober = Prober::new(Patience::new(Patience::OF_THE_RUNNING_AGENT));
    let probe = v1::Probe {
        id: 7,
        question: None,
    };
    let answer = prober.answer(probe).await;
    assert_eq!(answer.id, 7);
    assert!(
        matches!(answer.answer, Some(v1::probe_answer::Answer::Failed(why)) if why.contains("does not know"))
    );
}

const PVE_CONF: &str = "etc/pve/ceph.conf";
const LONG: Duration = Duration::from_secs(60);
const YES: &str =
    include_str!("../../../model/fixtures/ceph/written-quincy-osd-ok-to-stop-yes.json");
/// An OSD and an MDS of the same name.
const NODE_LS: &str = "{\"mon\":{},\"osd\":{\"pve-02\":[3,4]},\"mds\":{\"pve-02\":[\"3\"]}}\n";
const QUORUM: &str = include_str!("../../../model/fixtures/ceph/written-quincy-quorum_status.json");

/// A node with a ceph that is a script.
struct Node {
    root: tempfile::TempDir,
}

impl Node {
    fn with(script: &str) -> Self {
        let node = Self::without_ceph();
        let bin = node.root.path().join("usr/bin");
        std::fs::create_dir_all(&bin).unwrap();
        let asked = node.asked_path();
        let asked = asked.display();
        let node_ls = says(NODE_LS, "", 0);
        let script = format!(
            "#!/bin/sh\necho \"$*\" >>'{asked}'\ncase \"$*\" in *'node ls'*) {{\n{node_ls}\n}} ;; esac\n{script}\n"
        );
        std::fs::write(bin.join("ceph"), script).unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(bin.join("ceph"), mode).unwrap();
        node
    }

    fn without_ceph() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("etc/pve")).unwrap();
        std::fs::write(root.path().join(PVE_CONF), "[global]\n").unwrap();
        Self { root }
    }

    fn asked_path(&self) -> std::path::PathBuf {
        self.root.path().join("asked")
    }

    /// With which arguments it was run, a line each.
    fn asked(&self) -> String {
        std::fs::read_to_string(self.asked_path()).unwrap_or_default()
    }

    fn answer(&self, what: DaemonKind, ids: &[&str], patience: Duration) -> Result<Value, String> {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let host = Host::live_below(self.root.path(), &Patience::new(patience));
        let answer = ok_to_stop(&host, what, &ids);
        answer
            .map(|json| serde_json::from_str(&json).unwrap())
            .map_err(|why| why.to_string())
    }
}

/// Prints this to standard output and that to standard error.
fn says(out: &str, err: &str, code: u8) -> String {
    format!("cat <<'END'\n{out}END\ncat >&2 <<'END'\n{err}END\nexit {code}")
}

#[track_caller]
fn check(what: DaemonKind, script: &str, ok: &Value, part: &str) {
    let answer = Node::with(script).answer(what, &["3"], LONG).unwrap();
    assert_eq!(answer["ok"], *ok, "{answer}");
    assert!(answer.to_string().contains(part), "{answer}");
}

#[track_caller]
fn check_no_answer(script: &str, part: &str) {
    let why = Node::with(script).answer(DaemonKind::Osd, &["3"], LONG);
    let why = why.unwrap_err();
    assert!(why.contains(part), "{why}");
}

#[test]
fn a_yes_and_a_no_are_told_as_ceph_prints_them() {
    use DaemonKind::{Mds, Osd};
    let no = "{\"ok_to_stop\":false,\"osds\":[3],\"num_ok_pgs\":21,\"num_not_ok_pgs\":2,\
              \"bad_become_inactive\":[\"1.2\",\"1.9\"],\"ok_become_degraded\":[\"1.0\"]}\n";
    let busy =
        "Error EBUSY: unsafe to stop osd(s) at this time (2 PGs are or would become offline)\n";
    check(Osd, &says(YES, "", 0), &json!(true), "\"3\"");
    check(Osd, &says(no, busy, 16), &json!(false), "1.9");
    // Before pacific all of it is words, on standard error.
    let words = "OSD(s) 3 are ok to stop without reducing availability or risking data, provided there are no other \
                 concurrent failures or interventions.\n2 PGs are likely to be degraded (but remain available) as a \
                 result.\n";
    check(Osd, &says("", words, 0), &json!(true), "ok to stop");
    let words = "Error EBUSY: 4 PGs are already too degraded, would become too degraded or might become \
                 unavailable\n";
    check(Osd, &says("", words, 16), &json!(false), "4 PGs");
    check(
        Mds,
        &says("", "should be safe to stop mds.3\n", 0),
        &json!(true),
        "safe",
    );
    // Ceph does not know the state of all placement groups.
    let again = "Error EAGAIN: 5 pgs have unknown state; cannot draw any conclusions\n";
    check(Osd, &says("", again, 11), &Value::Null, "unknown state");
}

#[test]
fn what_ceph_does_not_name_is_not_named() {
    let said = [
        (DaemonKind::Osd, says(YES, "", 0), json!(["3"])),
        (
            DaemonKind::Mds,
            says("", "should be safe to stop\n", 0),
            json!([]),
        ),
        (
            DaemonKind::Osd,
            says("{\"ok_to_stop\":true}\n", "", 0),
            json!([]),
        ),
    ];
    for (what, script, ids) in said {
        let answer = Node::with(&script).answer(what, &["3"], LONG).unwrap();
        assert_eq!(answer["ids"], ids, "{answer}");
    }
}

#[test]
fn a_yes_that_ends_with_an_error_is_no_answer() {
    check_no_answer(&says(YES, "", 1), "ends with an error");
    check_no_answer(
        &says(YES, "Error EBUSY: unsafe\n", 16),
        "ends with an error",
    );
}

#[test]
fn what_is_no_answer_is_told_as_that() {
    check_no_answer(
        &says("", "Error ENOENT: osd.3 does not exist\n", 2),
        "ENOENT",
    );
    check_no_answer(
        &says(
            "",
            "[errno 110] RADOS timed out (error connecting to the cluster)\n",
            1,
        ),
        "timed out",
    );
    check_no_answer(&says("yes\n", "", 0), "");
    check_no_answer(&says("", "", 0), "");
    check_no_answer("head -c 64 /dev/urandom", "");
    check_no_answer(&says("{\"ok_to_stop\":tru\n", "", 0), "");
    check_no_answer("kill -SEGV $$", "signal 11");
    // One more than is read of any tool.
    check_no_answer(
        "head -c 33554433 /dev/zero | tr '\\0' 'x'",
        "larger than 32 MiB",
    );
}

#[test]
fn without_ceph_there_is_no_answer() {
    let answer = Node::without_ceph().answer(DaemonKind::Osd, &["3"], LONG);
    assert_eq!(answer, Err(Unanswered::NoCeph.to_string()));
    let node = Node::with(&says(YES, "", 0));
    std::fs::remove_file(node.root.path().join(PVE_CONF)).unwrap();
    let answer = node.answer(DaemonKind::Osd, &["3"], LONG);
    assert_eq!(answer, Err(Unanswered::NoCeph.to_string()));
    assert_eq!(
        node.asked(),
        "",
        "it would wait for monitors that are not there"
    );
}

#[test]
fn a_ceph_that_does_not_answer_is_ended_and_not_asked_twice_in_one_look() {
    let node = Node::with("sleep 600");
    let why = node.answer(DaemonKind::Mon, &["pve-01"], Duration::from_millis(300));
    let why = why.unwrap_err();
    assert!(why.contains("ceph did not answer within 0.3 s"), "{why}");
    assert_eq!(node.asked().lines().count(), 1);
}

#[test]
fn a_monitor_is_looked_up_before_ceph_says_yes_to_any_name() {
    let quorum = says(QUORUM, "", 0);
    let yes = says(
        "",
        "quorum should be preserved (pve-01,pve-03) after stopping [pve-02]\n",
        0,
    );
    let script = format!("case \"$*\" in *quorum_status*) {{\n{quorum}\n}} ;; esac\n{yes}");
    let node = Node::with(&script);
    let answer = node.answer(DaemonKind::Mon, &["pve-02"], LONG).unwrap();
    assert_eq!(answer["ok"], true, "{answer}");
    let asked =
        "--connect-timeout 3 quorum_status -f json\n--connect-timeout 3 mon ok-to-stop pve-02\n";
    assert_eq!(node.asked(), asked);
    let node = Node::with(&script);
    let why = node.answer(DaemonKind::Mon, &["pve-99"], LONG).unwrap_err();
    assert!(why.contains("do not name \"pve-99\""), "{why}");
    assert_eq!(
        node.asked().lines().count(),
        1,
        "nothing was asked about it"
    );
}

#[test]
fn osds_and_mds_are_looked_up_too_because_ceph_says_yes_to_any_number() {
    // As ceph 16.2.15 says it to an OSD that is not there.
    let yes = include_str!(
        "../../../model/fixtures/ceph/captured-pacific-16.2.15-osd-ok-to-stop-unknown.json"
    );
    for (what, id) in [(DaemonKind::Osd, "99"), (DaemonKind::Mds, "nobody")] {
        let node = Node::with(&says(yes, "", 0));
        let why = node.answer(what, &[id], LONG).unwrap_err();
        assert!(why.contains(&format!("do not name {id:?}")), "{why}");
        assert_eq!(node.asked(), "--connect-timeout 3 node ls -f json\n");
    }
}
