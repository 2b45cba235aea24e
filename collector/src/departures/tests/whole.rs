//! The whole way, in virtual time: reports over streams, identity.db on disk, and the stream of whoever has left.

use proto::v1;
use tokio::sync::mpsc;
use v1::agent_message::Message as FromAgent;

use super::*;
use crate::authority::Duty;
use crate::identity::ca::ProvenKey;
use crate::identity::enrolment::Applicant;
use crate::identity::node::{Cluster, NodeStanding};
use crate::keeper::actor::{Keeper, ToAgent, way_to_agent};
use crate::keeper::hello;
use crate::keeper::intake::Intake;
use crate::keeper::mailbox::Letters;
use crate::ledger::memory::Memory;
use crate::roster::Roster;

const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const BOOT: &str = "11111111-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const FIVE: [&str; 5] = ["pve-01", "pve-02", "pve-03", "pve-04", "pve-05"];
const FOUR: [&str; 4] = ["pve-01", "pve-02", "pve-03", "pve-04"];

fn cluster() -> ClusterId {
    ClusterId::new(CLUSTER).unwrap()
}

fn enrol(identities: &Identities) {
    let now = Timestamp::now();
    let lifetime = Duration::from_secs(3_600);
    let token = identities.make_token(None, 9, lifetime, now).unwrap();
    for node in FIVE {
        let key = rcgen::KeyPair::generate().unwrap();
        let request = rcgen::CertificateParams::default()
            .serialize_request(&key)
            .unwrap();
        let applicant = Applicant {
            token: token.token.clone(),
            cluster: Cluster {
                id: cluster(),
                name: "pve".to_owned(),
            },
            node: name(node),
            nodelist: BTreeSet::new(),
            key: ProvenKey::of_request(request.der()).unwrap(),
            authority: None,
        };
        identities.enrol(&applicant, now).unwrap();
    }
}

struct Agent {
    intake: Intake,
    letters: Letters,
    heard: mpsc::Receiver<ToAgent>,
    revision: u64,
    boottime_ms: u64,
}

impl Agent {
    async fn connect(keeper: &Keeper, node: &str) -> Self {
        let hello = v1::Hello {
            cluster: Some(v1::Cluster {
                id: CLUSTER.to_owned(),
                name: "pve".to_owned(),
            }),
            node: node.to_owned(),
            agent: Some(v1::Software {
                version: "0.1.0".to_owned(),
                capabilities: Vec::new(),
            }),
            boot_id: BOOT.to_owned(),
            spool_id: vec![9; 16],
            spool_first: 1,
            spool_next: 1,
            authority: None,
            instance: vec![1],
            trust: Vec::new(),
        };
        let boottime_ms = 1_000;
        let message = v1::AgentMessage {
            boottime_ms,
            message: Some(FromAgent::Hello(hello)),
        };
        let greeting = hello::check(message, &cluster(), &name(node), "0.1.0").unwrap();
        let intake = Intake::new(greeting.version.clone(), greeting.spool);
        let (to_agent, heard) = way_to_agent();
        Self {
            intake,
            letters: keeper.open(greeting, to_agent).await.unwrap(),
            heard,
            revision: 0,
            boottime_ms,
        }
    }

    async fn report(&mut self, says: &Says, keeper: &Keeper) {
        self.revision += 1;
        let node = node(says);
        let facts = node.facts.values().map(|aged| {
            let mut fact = aged.fact.to_wire().unwrap();
            fact.read_at_boottime_ms = self.boottime_ms;
            fact
        });
        let report = v1::Report {
            revision: self.revision,
            facts: facts.collect(),
        };
        let message = v1::AgentMessage {
            boottime_ms: self.boottime_ms,
            message: Some(FromAgent::Report(report)),
        };
        let arrived = self.intake.take(message, keeper.now()).unwrap();
        self.letters.send(arrived, 1).await;
        // What it is told meanwhile fits into the way to it.
        while self.heard.try_recv().is_ok() {}
    }
}

/// All tell for so long what they say.
async fn pass(seconds: u64, keeper: &Keeper, agents: &mut [(Agent, Says)]) {
    const EVERY_S: u64 = 5;
    for _ in 0..seconds / EVERY_S {
        for (agent, says) in agents.iter_mut() {
            agent.report(says, keeper).await;
            agent.boottime_ms += EVERY_S * 1_000;
        }
        tokio::time::sleep(Duration::from_secs(EVERY_S)).await;
    }
}

fn standings(identities: &Identities) -> Vec<(String, NodeStanding)> {
    let nodes = identities.nodes(Timestamp::now()).unwrap();
    nodes
        .into_iter()
        .map(|node| (node.name.to_string(), node.standing))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_removed_is_revoked_and_its_stream_ended_whatever_one_other_says() {
    let dir = tempfile::tempdir().unwrap();
    let identities = Identities::init(dir.path(), &[], Duty::Authority, Timestamp::now()).unwrap();
    enrol(&identities);
    let identities = Arc::new(identities);
    let own = |_: &ClusterId| Own {
        collector: BOOT.to_owned(),
        epoch: 1,
        is_authority: true,
    };
    let keepers = Keepers::new(Arc::new(Memory::new()), None, "0.1.0", 7, own);
    let keepers = Arc::new(keepers);
    let mut roster = Roster::new(Arc::clone(&identities), Arc::clone(&keepers));
    roster.tell().await.unwrap();
    let keeper = keepers.keeper(&cluster()).await.unwrap();
    // As it was called when it joined: nobody has spoken yet.
    let mut views = keeper.views();
    views.wait_for(|view| view.name == "pve").await.unwrap();
    let departures = Departures::new(Arc::clone(&identities), Arc::clone(&keepers));
    let looking = tokio::spawn(departures.run());

    let mut agents = Vec::new();
    for node in FIVE {
        let says = match node {
            // It lies, or was left behind in another world.
            "pve-01" => says(99, &["pve-01", "pve-02"]),
            _ => says(3, &FIVE),
        };
        agents.push((Agent::connect(&keeper, node).await, says));
    }
    pass(180, &keeper, &mut agents).await;
    let all = FIVE.map(|node| (node.to_owned(), NodeStanding::Enrolled));
    assert_eq!(standings(&identities), all);

    for (_, said) in &mut agents[1..4] {
        *said = says(4, &FOUR);
    }
    agents[4].1.quorate = Some(false);
    // Not at once: what is known is young.
    pass(45, &keeper, &mut agents).await;
    assert_eq!(standings(&identities), all);
    pass(60, &keeper, &mut agents).await;
    let mut expect = all;
    expect[4].1 = NodeStanding::Removed;
    assert_eq!(standings(&identities), expect);

    roster.tell().await.unwrap();
    let (mut gone, _) = agents.pop().unwrap();
    let why = loop {
        match gone.heard.recv().await.unwrap() {
            Ok(_) => {}
            Err(why) => break why,
        }
    };
    assert_eq!(why.message(), "the certificate of pve-05 was revoked");
    assert!(!keeper.view().nodes.contains_key(&name("pve-05")));
    pass(10, &keeper, &mut agents).await;
    assert_eq!(keeper.view().nodes.len(), 4);
    looking.abort();
}
