//! The keeper of one cluster, for those who speak to it. What it does stands in `turns.rs`.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use model::alert::{Ask, Policy, Step};
use model::identity::ClusterId;
use model::name::NodeName;
use proto::v1;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use tonic::Status;

use super::cache::Cache;
use super::core::{AlertAnswer, Core, LeaseAsk, NoAnswer, Told};
use super::hello::Greeting;
use super::mailbox::Letters;
use super::turns;
use super::view::ClusterView;
use super::{Now, Own};
use crate::ceph;
use crate::declared::Declared;
use crate::ledger::{Ledger, Snapshot};

/// Messages to one agent that it has not taken yet. With one more its stream is ended.
const MAX_UNSENT: usize = 64;
/// What others ask of the actor and it has not done yet.
const MAX_COMMANDS: usize = 256;
/// A lease is answered within this time, or not known to be given.
const LEASE_PATIENCE: Duration = Duration::from_secs(8);
/// What is sent to an agent, and how its stream ends.
pub type ToAgent = Result<v1::CollectorMessage, Status>;

/// The collector's clocks. Copies of it show the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    pub(super) start: Instant,
}

impl Clock {
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub fn now(&self) -> Now {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            mono_ms: u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
            unix_ms: i64::try_from(unix.as_millis()).unwrap_or(i64::MAX),
        }
    }

    pub(super) fn instant(&self, mono_ms: u64) -> Instant {
        self.start + Duration::from_millis(mono_ms)
    }
}

pub(super) enum Command {
    Open {
        greeting: Box<Greeting>,
        to_agent: mpsc::Sender<ToAgent>,
        opened: oneshot::Sender<Letters>,
    },
    Ask {
        node: NodeName,
        question: v1::probe::Question,
        answer: oneshot::Sender<Result<String, NoAnswer>>,
    },
    Lease {
        ask: Box<LeaseAsk>,
        answer: oneshot::Sender<Told>,
    },
    Alerts {
        ask: Box<Ask>,
        answer: oneshot::Sender<AlertAnswer>,
    },
    /// A message arrived, or never will.
    Settled(Box<Step>),
    AlertBy(Arc<Policy>),
    Called(String),
    Enrolled(NodeName),
    Revoked(NodeName),
    Forgotten(NodeName),
    NewTrust(Box<v1::NewTrust>),
    /// Somebody wants to know that it still takes its turns.
    Turn(oneshot::Sender<()>),
}

/// The way to an agent, for [`Keeper::open`].
pub fn way_to_agent() -> (mpsc::Sender<ToAgent>, mpsc::Receiver<ToAgent>) {
    mpsc::channel(MAX_UNSENT + 1)
}

/// What an actor needs to begin.
pub struct Beginning {
    pub cluster: ClusterId,
    pub own: Own,
    /// The collector's own.
    pub version: &'static str,
    pub ledger: Arc<dyn Ledger>,
    pub cache: Option<Cache>,
    pub clock: Clock,
    /// Random, of this run of the collector.
    pub writer: u64,
    pub declared: Declared,
    /// Who is told what.
    pub policy: Arc<Policy>,
    /// What the ledger adds up to now, or why it cannot be read: then it is read as soon as it can be.
    pub snapshot: Result<Snapshot, String>,
}

impl std::fmt::Debug for Beginning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Beginning")
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

/// The keeper of one cluster. All copies speak to the same one; it ends with the last of them.
#[derive(Debug, Clone)]
pub struct Keeper {
    commands: mpsc::Sender<Command>,
    view: watch::Receiver<Arc<ClusterView>>,
    clock: Clock,
    ceph: Arc<ceph::Asked>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

impl Keeper {
    /// Starts the actor. `remembered`: when reports were copied before this start.
    pub fn start(beginning: Beginning, remembered: &[(NodeName, Timestamp)]) -> Option<Self> {
        let clock = beginning.clock;
        let mut core = Core::new(
            beginning.cluster.clone(),
            beginning.own.clone(),
            beginning.version,
            beginning.writer,
            beginning.snapshot.clone().unwrap_or_default(),
        );
        core.declare(beginning.declared.clone());
        core.alert_by(Arc::clone(&beginning.policy));
        if let Err(why) = &beginning.snapshot {
            core.ledger_is_unread(why);
        }
        for (node, before) in remembered {
            core.remembered(node, *before);
        }
        // A new core has something to show.
        let (publish, view) = watch::channel(Arc::new(core.view(clock.now())?));
        let (commands, to_do) = mpsc::channel(MAX_COMMANDS);
        let Beginning { ledger, cache, .. } = beginning;
        turns::begin(core, clock, ledger, cache, publish, to_do);
        Some(Self {
            commands,
            view,
            clock,
            ceph: Arc::default(),
        })
    }

    pub fn view(&self) -> Arc<ClusterView> {
        Arc::clone(&self.view.borrow())
    }

    /// For those who wait for the next one.
    pub fn views(&self) -> watch::Receiver<Arc<ClusterView>> {
        self.view.clone()
    }

    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// What Ceph was asked last; shared by all copies.
    pub(crate) fn asked_ceph(&self) -> &ceph::Asked {
        &self.ceph
    }

    /// Opens a stream whose Hello was checked; `None` while the collector ends.
    pub async fn open(
        &self,
        greeting: Greeting,
        to_agent: mpsc::Sender<ToAgent>,
    ) -> Option<Letters> {
        let (opened, wait) = oneshot::channel();
        let command = Command::Open {
            greeting: Box::new(greeting),
            to_agent,
            opened,
        };
        self.commands.send(command).await.ok()?;
        wait.await.ok()
    }

    /// Asks a node, and waits for its answer.
    pub async fn ask(
        &self,
        node: &NodeName,
        question: v1::probe::Question,
    ) -> Result<String, NoAnswer> {
        let (answer, wait) = oneshot::channel();
        let node = node.clone();
        let command = Command::Ask {
            node,
            question,
            answer,
        };
        self.commands
            .send(command)
            .await
            .map_err(|_| NoAnswer::Ends)?;
        wait.await.map_err(|_| NoAnswer::Ends)?
    }

    /// Asks for something of the lease, and waits until it is on the disk. `None`: nobody knows what became of it.
    pub async fn lease(&self, ask: LeaseAsk) -> Option<Told> {
        let (answer, wait) = oneshot::channel();
        let ask = Box::new(ask);
        self.commands
            .send(Command::Lease { ask, answer })
            .await
            .ok()?;
        timeout(LEASE_PATIENCE, wait).await.ok()?.ok()
    }

    /// Asks for a silence or an acknowledgement, and waits until it is on the disk. `None`: nobody knows what became of it.
    pub async fn alerts(&self, ask: Ask) -> Option<AlertAnswer> {
        let (answer, wait) = oneshot::channel();
        let ask = Box::new(ask);
        self.commands
            .send(Command::Alerts { ask, answer })
            .await
            .ok()?;
        timeout(LEASE_PATIENCE, wait).await.ok()?.ok()
    }

    /// A message arrived, or never will.
    pub async fn settled(&self, step: Step) {
        self.tell(Command::Settled(Box::new(step))).await;
    }

    /// Who is told what, from now on.
    pub async fn alert_by(&self, policy: Arc<Policy>) {
        self.tell(Command::AlertBy(policy)).await;
    }

    /// What the cluster was called when it joined.
    pub async fn called(&self, name: String) {
        self.tell(Command::Called(name)).await;
    }

    /// A node was given a certificate, or had one when the collector started.
    pub async fn enrolled(&self, node: NodeName) {
        self.tell(Command::Enrolled(node)).await;
    }

    /// A node has no living certificate any more: its stream is ended.
    pub async fn revoked(&self, node: NodeName) {
        self.tell(Command::Revoked(node)).await;
    }

    /// The node is not part of the cluster any more.
    pub async fn forgotten(&self, node: NodeName) {
        self.tell(Command::Forgotten(node)).await;
    }

    /// The CAs that agents are to trust from now on, and which of them signs.
    pub async fn new_trust(&self, trust: v1::NewTrust) {
        self.tell(Command::NewTrust(Box::new(trust))).await;
    }

    /// Waits until the actor has taken a turn. False: it has ended, and takes none any more.
    pub async fn takes_a_turn(&self) -> bool {
        let (taken, wait) = oneshot::channel();
        self.tell(Command::Turn(taken)).await;
        wait.await.is_ok()
    }

    async fn tell(&self, command: Command) {
        // An actor that has ended has nobody left who would have to know.
        let _ = self.commands.send(command).await;
    }
}
