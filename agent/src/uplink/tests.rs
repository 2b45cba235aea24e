//! Links over real TLS, against a collector made in the test.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use model::fact::lldp::Neighbour;
use model::reading::Reading;
use model::report::Fact;
use proto::fact::ReadFact;
use proto::v1;
use proto::v1::agent_message::Message;
use proto::v1::collector_message::Message as Said;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Status, Streaming};

use super::*;
use crate::host::{Host, Patience};
use crate::identity::enrolled::Enrolled;
use crate::identity::exchange::Invitation;
use crate::identity::fake::{COLLECTOR, FakeCollector, node};
use crate::identity::join::{Joined, join};
use crate::identity::join_file::{self, JoinFile};
use crate::identity::membership::{self, Membership};
use crate::spool::{Kind, MIN_MAX_BYTES, New, Spool};

/// Nothing here takes long; on a busy machine it may.
const LONG: Duration = Duration::from_secs(60);

/// A node that is enrolled, or not yet.
struct Stage {
    root: tempfile::TempDir,
    collector: FakeCollector,
    spool: SharedSpool,
    board: Board,
}

impl Stage {
    async fn set() -> Self {
        let root = tempfile::tempdir().unwrap();
        node(root.path(), "pve-01\n");
        let spool = Spool::open(&root.path().join("spool"), MIN_MAX_BYTES).unwrap();
        Self {
            collector: FakeCollector::start().await,
            spool: Arc::new(Mutex::new(spool)),
            board: Board::default(),
            root,
        }
    }

    fn state_dir(&self) -> &Path {
        self.root.path()
    }

    async fn join(&self) -> Enrolled {
        let host = Host::live_below(self.root.path(), &Patience::new(Patience::OF_A_REPORT));
        let said = membership::Said::default();
        let member = Membership::of(&host, self.state_dir(), &said).unwrap();
        let invitation = Invitation {
            address: self.collector.address(),
            token: self.collector.token(),
        };
        let now = Timestamp::now();
        match join(self.state_dir(), &member, &invitation, false, now).await {
            Ok(Joined::Now(enrolled)) => enrolled,
            other => panic!("{other:?}"),
        }
    }

    fn begin(&self) -> Uplinks {
        Uplinks::begin(Opening {
            state_dir: self.state_dir().to_owned(),
            root: self.root.path().to_owned(),
            patience: Patience::new(Patience::OF_THE_RUNNING_AGENT),
            board: self.board.clone(),
            spool: Some(Arc::clone(&self.spool)),
        })
    }

    fn post(&self, name: &str) {
        let mut neighbour = Neighbour::default();
        neighbour.chassis.name = Some(name.to_owned());
        self.board.post(ReadFact {
            fact: Arc::new(Fact::Lldp(Reading::Known {
                value: vec![neighbour],
                at: Timestamp::now(),
                problems: Vec::new(),
            })),
            read_at_boottime_ms: boottime_ms(),
        });
    }

    fn happen(&self, count: usize) {
        let record = New {
            kind: Kind::Change,
            cursor: None,
            json: "{}".to_owned(),
        };
        let mut spool = self.spool.lock().unwrap();
        spool.append(&vec![record; count]).unwrap();
    }

    async fn stream(&mut self, kept: u64) -> Stream {
        let opened = timeout(LONG, self.collector.stream()).await.unwrap();
        let mut stream = Stream {
            said: opened.0,
            answer: opened.1,
            spool_id: Vec::new(),
        };
        let Message::Hello(hello) = stream.next().await else {
            panic!("no Hello");
        };
        assert_eq!(hello.node, "pve-01");
        assert_eq!((hello.spool_id.len(), hello.instance.len()), (16, 16));
        stream.spool_id = hello.spool_id;
        let welcome = v1::Welcome {
            heartbeat_ms: 200,
            events_kept_up_to: kept,
            authority: hello.authority,
            is_authority: true,
            ..v1::Welcome::default()
        };
        stream.say(Said::Welcome(welcome)).await;
        stream
    }
}

/// The collector's end of one stream.
struct Stream {
    said: Streaming<v1::AgentMessage>,
    answer: mpsc::Sender<Result<v1::CollectorMessage, Status>>,
    spool_id: Vec<u8>,
}

impl Stream {
    async fn next(&mut self) -> Message {
        let said = timeout(LONG, self.said.message()).await.unwrap();
        said.unwrap().unwrap().message.unwrap()
    }

    async fn say(&self, message: Said) {
        let message = Some(message);
        let said = v1::CollectorMessage { message };
        self.answer.send(Ok(said)).await.unwrap();
    }

    /// Waits for the first message of which `look` makes something.
    async fn wait<T>(&mut self, mut look: impl FnMut(Message) -> Option<T>) -> T {
        loop {
            if let Some(found) = look(self.next().await) {
                return found;
            }
        }
    }

    async fn keep(&self, up_to: u64) {
        let spool_id = self.spool_id.clone();
        let kept = v1::EventsKept { spool_id, up_to };
        self.say(Said::EventsKept(kept)).await;
    }

    async fn events(&mut self, up_to: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.last() != Some(&up_to) {
            let events = self.wait(|message| match message {
                Message::Events(events) => Some(events.events),
                _ => None,
            });
            numbers.extend(events.await.iter().map(|event| event.number));
        }
        numbers
    }
}

fn acknowledged(uplinks: &Uplinks) -> u64 {
    let json: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&uplinks.to_json()).unwrap();
    json[COLLECTOR]["acknowledged"].as_u64().unwrap()
}

#[tokio::test]
async fn all_goes_over_the_stream_and_goes_on_where_it_broke_off() {
    let mut stage = Stage::set().await;
    stage.join().await;
    stage.happen(10);
    stage.post("switch-1");
    let uplinks = stage.begin();
    let mut stream = stage.stream(0).await;
    let report = stream.wait(|message| match message {
        Message::Report(report) => Some(report),
        _ => None,
    });
    let report = report.await;
    assert_eq!((report.revision, report.facts.len()), (1, 1));
    let first: Vec<u64> = (1..=10).collect();
    assert_eq!(stream.events(10).await, first);
    stage.post("switch-2");
    stage.happen(5);
    let delta = stream.wait(|message| match message {
        Message::Delta(delta) => Some(delta),
        _ => None,
    });
    assert_eq!(delta.await.base, 1);
    // Not kept yet when the stream breaks: sent again behind what is.
    stream.keep(7).await;
    while acknowledged(&uplinks) < 7 {
        stream.next().await;
    }
    drop(stream);
    let mut stream = stage.stream(7).await;
    let again: Vec<u64> = (8..=15).collect();
    assert_eq!(stream.events(15).await, again);
    // Heartbeats, answered, and a question.
    let number = stream.wait(|message| match message {
        Message::Heartbeat(heartbeat) => Some(heartbeat.number),
        _ => None,
    });
    let number = number.await;
    let answer = v1::HeartbeatAnswer { number };
    stream.say(Said::HeartbeatAnswer(answer)).await;
    let unknown = v1::Probe {
        id: 3,
        question: None,
    };
    stream.say(Said::Probe(unknown)).await;
    let answer = stream.wait(|message| match message {
        Message::ProbeAnswer(answer) => Some(answer.id),
        _ => None,
    });
    assert_eq!(answer.await, 3);
    let measured = stream.wait(|message| match message {
        Message::Heartbeat(heartbeat) if heartbeat.round_trip_us > 0 => Some(()),
        _ => None,
    });
    measured.await;
}

#[tokio::test]
async fn a_collector_that_says_nonsense_is_left_and_that_is_said() {
    let mut stage = Stage::set().await;
    stage.join().await;
    let uplinks = stage.begin();
    let mut stream = stage.stream(0).await;
    stream.keep(99).await;
    while timeout(LONG, stream.said.message())
        .await
        .unwrap()
        .is_ok_and(|said| said.is_some())
    {}
    stage.stream(0).await;
    assert!(
        uplinks
            .to_json()
            .contains("event 99, which there never was")
    );
}

#[tokio::test]
async fn a_certificate_that_is_due_is_renewed_and_a_new_stream_opened_with_it() {
    let mut stage = Stage::set().await;
    let day = jiff::SignedDuration::from_hours(24);
    stage
        .collector
        .answers(|answers| answers.certificate_life = (-day * 29, day));
    let old = stage.join().await;
    stage
        .collector
        .answers(|answers| answers.certificate_life = (-day, day * 29));
    let _uplinks = stage.begin();
    let _first = stage.stream(0).await;
    let _second = stage.stream(0).await;
    assert_eq!(stage.collector.asked(|asked| asked.renewed), 1);
    let new = Enrolled::all(stage.state_dir()).unwrap();
    assert!(new[0].not_after() > old.not_after());
}

#[tokio::test]
async fn a_collector_that_takes_nothing_does_not_hold_up_the_agent() {
    let mut stage = Stage::set().await;
    stage.join().await;
    stage.happen(1);
    let _uplinks = stage.begin();
    let mut stream = stage.stream(0).await;
    // Nobody reads. What waits is the newest, and one message or two on the way.
    for number in 0..2000 {
        stage.post(&format!("switch-{number} {}", "x".repeat(10_000)));
        if number % 50 == 0 {
            stage.happen(50);
            tokio::task::yield_now().await;
        }
    }
    let mut deltas = 0;
    stream
        .wait(|message| {
            let text = format!("{message:?}");
            deltas += u32::from(matches!(message, Message::Delta(_)));
            text.contains("switch-1999 ").then_some(())
        })
        .await;
    assert!(deltas < 100, "{deltas} deltas were kept for it");
}

#[tokio::test]
async fn a_damaged_enrolment_is_named_and_does_not_hold_up_the_others() {
    const OTHER: &str = "00000000-0000-4000-8000-000000000000";
    let mut stage = Stage::set().await;
    stage.join().await;
    let damaged = stage.state_dir().join("collectors").join(OTHER);
    std::fs::create_dir(&damaged).unwrap();
    std::fs::write(damaged.join("collector.json"), "{").unwrap();
    let uplinks = stage.begin();
    stage.stream(0).await;
    let json: serde_json::Value = serde_json::from_str(&uplinks.to_json()).unwrap();
    let why = json[OTHER]["last_error"].as_str().unwrap();
    assert!(why.contains("collector.json is damaged"), "{why}");
}

#[tokio::test]
async fn an_invitation_for_other_nodes_than_the_clusters_is_replaced_by_the_link() {
    let mut stage = Stage::set().await;
    let enrolled = stage.join().await;
    let root = stage.root.path().to_owned();
    let host = || Host::live_below(&root, &Patience::new(Patience::OF_A_REPORT));
    let alone = [enrolled.node.clone()];
    let standing = join_file::ask(&enrolled, &alone, Timestamp::now()).await;
    join_file::put(&host(), &enrolled.cluster, standing.unwrap()).unwrap();
    let before = JoinFile::read(&host()).unwrap().unwrap();
    invited::tests::lowest_of_two(&stage.board);
    let _uplinks = stage.begin();
    let mut stream = stage.stream(0).await;
    while JoinFile::read(&host()).unwrap().unwrap() == before {
        stream.next().await;
    }
    let asked = stage
        .collector
        .asked(|asked| asked.cluster_token[1].nodelist.clone());
    assert_eq!(asked, ["a", "b"]);
}

/// The collector's words of the CAs are kept before they are confirmed, and what would lose the collector is not kept.
#[tokio::test]
async fn the_cas_that_the_collector_tells_of_are_kept_and_confirmed_and_others_are_not() {
    let mut stage = Stage::set().await;
    stage.join().await;
    let other = FakeCollector::start().await;
    let (own, new) = (stage.collector.ca(), other.ca());
    let print = |ca: &[u8]| proto::token::fingerprint(ca).to_vec();
    let tell = |trust: Vec<Vec<u8>>| {
        let signs = print(&own);
        Said::NewTrust(v1::NewTrust { trust, signs })
    };
    let state = stage.state_dir().to_owned();
    let kept = || Enrolled::all(&state).unwrap()[0].trust();
    let uplinks = stage.begin();
    let mut stream = stage.stream(0).await;
    for bad in [vec![], vec![new.clone()], vec![b"nonsense".to_vec()]] {
        stream.say(tell(bad)).await;
    }
    stream.say(tell(vec![own.clone(), new.clone()])).await;
    let confirmed = stream.wait(|message| match message {
        Message::TrustKept(kept) => Some(kept.trust),
        _ => None,
    });
    assert_eq!(
        confirmed.await,
        [print(&own), print(&new)],
        "the first word"
    );
    assert_eq!(kept(), [print(&own), print(&new)], "on the disk");
    stream.say(tell(vec![new.clone()])).await;
    let json = async |what: &str| {
        let found = timeout(LONG, async {
            while !uplinks.to_json().contains(what) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        found.await.unwrap();
    };
    json("none signed the certificate that it shows").await;
    assert_eq!(kept(), [print(&own), print(&new)]);
    // Said with the next Hello; a stream that is open goes on.
    stream.say(tell(vec![own.clone()])).await;
    let confirmed = stream.wait(|message| match message {
        Message::TrustKept(kept) => Some(kept.trust),
        _ => None,
    });
    assert_eq!(confirmed.await, [print(&own)]);
    assert_eq!(kept(), [print(&own)]);
}

/// Another collector under the same address, with a CA of its own, is not spoken to, whatever it would say.
#[tokio::test]
async fn whoever_is_not_of_a_trusted_ca_is_not_listened_to() {
    let stage = Stage::set().await;
    let enrolled = stage.join().await;
    let mut stranger = FakeCollector::start().await;
    let about = enrolled.dir.join("collector.json");
    let text = std::fs::read_to_string(&about).unwrap();
    let text = text.replace(&enrolled.addresses[0], &stranger.fleet_address());
    std::fs::write(&about, text).unwrap();
    let uplinks = stage.begin();
    let refused = timeout(LONG, async {
        while !uplinks.to_json().contains("no connection to") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    refused.await.unwrap();
    let opened = timeout(Duration::from_millis(200), stranger.stream()).await;
    assert!(opened.is_err(), "it was spoken to");
    let now = Enrolled::all(stage.state_dir()).unwrap();
    assert_eq!(now[0].trust(), enrolled.trust());
}
