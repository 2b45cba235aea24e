use std::fs;
use std::path::Path;

use clap::Parser as _;
use jiff::SignedDuration;
use tonic::Status;

use super::*;
use crate::identity::fake::{CLUSTER, COLLECTOR, FakeCollector, node};
use crate::leave;

#[derive(Debug, clap::Parser)]
struct Join {
    #[command(flatten)]
    args: Args,
}

#[derive(Debug, clap::Parser)]
struct Leave {
    #[command(flatten)]
    args: leave::Args,
}

/// Nodes of one cluster: `etc/pve` is the same on all.
struct Cluster {
    dir: tempfile::TempDir,
}

impl Cluster {
    fn new(names: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let shared = dir.path().join("shared");
        node(&shared, "");
        for name in names {
            let root = dir.path().join(name);
            fs::create_dir_all(root.join("etc")).unwrap();
            fs::create_dir_all(root.join("proc/sys/kernel")).unwrap();
            fs::write(root.join("proc/sys/kernel/hostname"), name).unwrap();
            std::os::unix::fs::symlink(shared.join("etc/pve"), root.join("etc/pve")).unwrap();
        }
        Self { dir }
    }

    fn root(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn join(&self, name: &str, flags: &[&str]) -> Result<String, String> {
        let root = self.root(name);
        let words = ["join", "--root", &root].into_iter();
        let args = Join::parse_from(words.chain(flags.iter().copied())).args;
        let done = match (&args.address, &args.token) {
            (Some(address), Some(token)) => invited(&args, address, token),
            _ => found(&args),
        };
        said_of(done)
    }

    fn found(&self, name: &str) -> Result<String, String> {
        self.join(name, &["--found"])
    }

    fn leave(&self, name: &str, flags: &[&str]) -> Result<String, String> {
        let root = self.root(name);
        let words = ["leave", "--root", &root].into_iter();
        let args = Leave::parse_from(words.chain(flags.iter().copied())).args;
        said_of(leave::leave(&args))
    }

    fn enrolled(&self, name: &str) -> Vec<Enrolled> {
        let state_dir = Path::new(&self.root(name)).join("var/lib/quorate/agent");
        Enrolled::all(&state_dir).unwrap()
    }

    fn join_file(&self) -> std::path::PathBuf {
        let shared = self.dir.path().join("shared");
        shared.join("etc/pve/priv/quorate/join.json")
    }
}

fn said_of(done: anyhow::Result<Vec<String>>) -> Result<String, String> {
    done.map(|lines| lines.join("\n"))
        .map_err(|error| format!("{error:#}"))
}

#[test]
fn one_node_joins_by_hand_and_the_others_by_what_it_left_for_them() {
    let cluster = Cluster::new(&["pve-01", "pve-02", "pve-03"]);
    let collector = FakeCollector::in_thread();
    assert_eq!(cluster.found("pve-02").unwrap(), "");
    let token = collector.token().to_text();
    let by_hand = [&collector.address(), "--token", &token, "--cluster"];
    let said = cluster.join("pve-01", &by_hand).unwrap();
    assert!(said.starts_with("pve-01 of lab is enrolled"), "{said}");
    assert!(said.contains("are invited until"), "{said}");
    for name in ["pve-02", "pve-03"] {
        let said = cluster.found(name).unwrap();
        assert!(
            said.starts_with(&format!("{name} of lab is enrolled")),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1);
        assert_eq!(cluster.found(name).unwrap(), "");
        let all = cluster.enrolled(name);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].cluster.as_str(), CLUSTER);
        assert_eq!(all[0].node.as_str(), name);
    }
    assert_eq!(cluster.found("pve-01").unwrap(), "");
    let names = |asked: &crate::identity::fake::Asked| {
        let names = asked.enrol.iter().map(|asked| asked.node.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(collector.asked(names), ["pve-01", "pve-02", "pve-03"]);
    // To say it again does no harm.
    let said = cluster.join("pve-01", &by_hand).unwrap();
    assert!(
        said.starts_with("pve-01 of lab is already enrolled"),
        "{said}"
    );
}

#[test]
fn leaving_is_said_and_an_invitation_that_stands_takes_the_node_back() {
    let cluster = Cluster::new(&["pve-01"]);
    let collector = FakeCollector::in_thread();
    let token = collector.token().to_text();
    let by_hand = [&collector.address(), "--token", &token, "--cluster"];
    cluster.join("pve-01", &by_hand).unwrap();
    assert!(cluster.leave("pve-01", &["ffff"]).is_err());
    let said = cluster.leave("pve-01", &[&COLLECTOR[..6]]).unwrap();
    assert!(said.contains("node revoke pve-01"), "{said}");
    assert!(said.contains("still stands"), "{said}");
    assert_eq!(cluster.enrolled("pve-01"), []);
    assert!(!cluster.found("pve-01").unwrap().is_empty());
    let said = cluster.leave("pve-01", &["--cluster"]).unwrap();
    assert!(said.starts_with("The invitation is removed"), "{said}");
    assert!(!cluster.join_file().exists());
    assert_eq!(cluster.enrolled("pve-01").len(), 1, "it stays enrolled");
    let said = cluster.leave("pve-01", &[]).unwrap();
    assert!(!said.contains("still stands"), "{said}");
    assert_eq!(cluster.found("pve-01").unwrap(), "");
}

#[test]
fn an_invitation_that_is_no_good_is_an_error_and_enrols_nobody() {
    let cluster = Cluster::new(&["pve-01", "pve-02", "web"]);
    let collector = FakeCollector::in_thread();
    collector.answers(|answers| answers.token_life = SignedDuration::from_hours(-1));
    let token = collector.token().to_text();
    let by_hand = [&collector.address(), "--token", &token, "--cluster"];
    cluster.join("pve-01", &by_hand).unwrap();
    let why = cluster.found("pve-02").unwrap_err();
    assert!(
        why.contains("the invitation in /etc/pve has ended"),
        "{why}"
    );

    collector.answers(|answers| answers.token_life = SignedDuration::from_hours(1));
    cluster.join("pve-01", &by_hand).unwrap();
    collector.answers(|answers| answers.refusal = Some(Status::already_exists("pve-02 lives")));
    let why = cluster.found("pve-02").unwrap_err();
    assert!(why.contains("node replace pve-02"), "{why}");
    let why = cluster.found("web").unwrap_err();
    assert!(why.contains("this machine is called web"), "{why}");

    fs::write(cluster.join_file(), "{").unwrap();
    let why = cluster.found("pve-02").unwrap_err();
    assert!(why.contains("makes no sense"), "{why}");
    assert_eq!(cluster.enrolled("pve-02"), []);
}

#[test]
fn an_invitation_of_another_cluster_is_refused() {
    let cluster = Cluster::new(&["pve-01", "pve-02"]);
    let collector = FakeCollector::in_thread();
    let token = collector.token().to_text();
    let by_hand = [&collector.address(), "--token", &token, "--cluster"];
    cluster.join("pve-01", &by_hand).unwrap();
    let text = fs::read_to_string(cluster.join_file()).unwrap();
    let other = "aaaaaaaa-6a36-4d0a-9f3c-0c6f7f1e2d3c";
    fs::write(cluster.join_file(), text.replace(CLUSTER, other)).unwrap();
    let why = cluster.found("pve-02").unwrap_err();
    assert!(why.contains(CLUSTER), "{why}");
    assert_eq!(cluster.enrolled("pve-02"), []);
}

#[test]
fn without_proxmox_the_other_nodes_are_told_the_clusters_id() {
    let dir = tempfile::tempdir().unwrap();
    let conf = include_str!("../../../model/fixtures/corosync_conf/pve-8-nodes-2-links.conf");
    let path = dir.path().join("etc/corosync/corosync.conf");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, conf).unwrap();
    let collector = FakeCollector::in_thread();
    let token = collector.token().to_text();
    let address = collector.address();
    let root = dir.path().to_str().unwrap();
    let words = [
        "join", "--root", root, &address, "--token", &token, "--node", "pve-03",
    ];
    let args = Join::parse_from(words).args;
    let said = said_of(invited(&args, &address, &token)).unwrap();
    assert!(said.contains("add --cluster-id"), "{said}");
    let args = Join::parse_from(words.into_iter().chain(["--cluster"])).args;
    let why = said_of(invited(&args, &address, &token)).unwrap_err();
    assert!(why.contains("--cluster needs Proxmox VE"), "{why}");
}
