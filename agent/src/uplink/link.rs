//! The link to one collector: dials, drives a [`Session`] over `Fleet.Stream` for as long as it lives, and tries again.
//! Messages wait nowhere: the transport takes one at a time, and the next is only made when it has room.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proto::broken::BrokenOff;
use proto::dial::{DialError, dial};
use proto::tls::Shown;
use proto::v1;
use proto::v1::fleet_client::FleetClient;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tonic::codegen::tokio_stream::Stream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::backoff::Backoff;
use super::invited::Invited;
use super::now::Now;
use super::session::{Effect, Nonsense, Session};
use super::shared::Shared;
use super::trusting::Trusting;
use crate::identity::enrolled::{Authority, Enrolled, EnrolledError};
use crate::identity::exchange::ExchangeError;
use crate::identity::join_file::renew_join_file;
use crate::identity::renewal::{Renewal, renew};
use crate::spool::{Item, SpoolError};

/// Until the collector takes the stream.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is looked whether the certificate or the join file is to be renewed.
const BETWEEN_LOOKS: Duration = Duration::from_secs(60);
/// A reading of the spool may find a segment to go through: not more often than this.
const BETWEEN_READS: Duration = Duration::from_millis(50);
const MAX_ANSWERS: usize = 16;

/// Why a stream came to an end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the enrolment cannot be used")]
    Enrolled(#[from] EnrolledError),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the collector did not take the stream within {} s", PATIENCE.as_secs())]
    NotTaken,
    #[error("the collector refused the stream: {}", .0.message())]
    Refused(Status),
    #[error("the collector broke the stream off: {}", .0.message())]
    BrokenOff(Status),
    #[error(transparent)]
    Connection(BrokenOff),
    #[error("the collector ended the stream")]
    ByCollector,
    #[error("the collector has said nothing for {} s", .0.as_secs())]
    Silent(Duration),
    #[error(transparent)]
    Nonsense(#[from] Nonsense),
    /// There is a new certificate, or a new address: a new stream is opened at once.
    #[error("the enrolment changed")]
    Changed,
}

impl Ended {
    /// What is said of a status: that of a connection that broke was sent by nobody.
    fn by(status: Status, said: fn(Status) -> Self) -> Self {
        BrokenOff::of(&status).map_or_else(|| said(status), Self::Connection)
    }
}

/// One collector, until the task is ended.
pub(super) struct Link {
    pub(super) shared: Shared,
    pub(super) enrolled: watch::Receiver<Arc<Enrolled>>,
    pub(super) renewal: Renewal,
    /// Events that were missing on earlier streams.
    pub(super) missed: u64,
}

impl Link {
    pub(super) async fn keep_up(mut self) {
        let mut backoff = Backoff::default();
        // A way that broke is tried again after the others.
        let mut first = 0;
        loop {
            let addresses = self.enrolled.borrow_and_update().addresses.clone();
            let count = addresses.len().max(1);
            let mut lived = None;
            let ways = addresses.iter().enumerate().cycle();
            for (place, address) in ways.skip(first % count).take(addresses.len()) {
                let (ended, since) = self.once(address).await;
                let is_change = matches!(ended, Ended::Changed);
                self.shared.note_end(&self.id());
                if !is_change {
                    self.shared.note(&self.id(), &ended);
                }
                if is_change {
                    lived = Some(Duration::MAX);
                    break;
                }
                if let Some(since) = since {
                    lived = Some(since.elapsed());
                    if matches!(ended, Ended::Connection(_) | Ended::Silent(_)) {
                        first = (place + 1) % count;
                    }
                    break;
                }
            }
            let pause = backoff.pause(lived, self.shared.random());
            tokio::select! {
                () = sleep(pause) => {}
                // Whoever changed the enrolment waits for it.
                _ = self.enrolled.changed() => {}
            }
        }
    }

    fn id(&self) -> String {
        self.enrolled.borrow().collector_id.clone()
    }

    /// One stream, from dialling to its end; and when it was welcomed, if it was.
    async fn once(&mut self, address: &str) -> (Ended, Option<Instant>) {
        let mut welcomed = None;
        let ended = match self.opened(address).await {
            Ok(mut stream) => {
                let ended = self.drive(&mut stream, address).await;
                self.missed = stream.session.dropped().events;
                welcomed = stream.welcomed;
                ended
            }
            Err(ended) => ended,
        };
        (ended, welcomed)
    }

    async fn opened(&mut self, address: &str) -> Result<Open, Ended> {
        let enrolled = Arc::clone(&self.enrolled.borrow_and_update());
        let for_tls = Arc::clone(&enrolled);
        let tls = spawn_blocking(move || for_tls.tls_seeing()).await;
        let (tls, shown) = tls.map_err(|_| Ended::NotTaken)??;
        let channel = dial(address, tls).await?;
        let since = Instant::now();
        let now = Now::read(since);
        let mut session = Session::new(self.shared.hello(&enrolled).await, now);
        session.missed_before(self.missed);
        let (outgoing, messages) = mpsc::channel(1);
        if let Some(hello) = session.next(now) {
            // There is room for it, and it is what the collector waits for.
            let _ = outgoing.try_send(hello);
        }
        let mut client = FleetClient::new(channel.clone());
        let answered = timeout(PATIENCE, client.stream(Messages(messages))).await;
        let incoming = answered.map_err(|_| Ended::NotTaken)?;
        Ok(Open {
            session,
            since,
            outgoing,
            incoming: incoming
                .map_err(|status| Ended::by(status, Ended::Refused))?
                .into_inner(),
            channel,
            shown,
            enrolled,
            welcomed: None,
            seen: 0,
            handed: 0,
        })
    }

    /// Until it ends.
    async fn drive(&mut self, open: &mut Open, address: &str) -> Ended {
        let mut board = self.shared.board.listen();
        let mut spool = self.shared.spool_growth();
        let (answer, mut answers) = mpsc::channel(MAX_ANSWERS);
        let mut beside = Beside::new(open.since, answer);
        let outgoing = open.outgoing.clone();
        loop {
            open.catch_up(&self.shared);
            let now = open.now();
            if let Some(silent) = open.session.silent_for(now) {
                return Ended::Silent(silent);
            }
            self.begin_beside(open, &mut beside, now);
            let has_something = open.session.has_something(now) || open.owes_a_word();
            tokio::select! {
                permit = outgoing.reserve(), if has_something => match permit {
                    Ok(permit) => {
                        let now = open.now();
                        match open.session.next(now) {
                            Some(message) => permit.send(message),
                            // There is room again: what was sent before has been taken.
                            None => self.handed(open),
                        }
                    }
                    // What the collector said last says why.
                    Err(_) => return last_word(&mut open.incoming).await,
                },
                said = open.incoming.message() => {
                    if let Err(ended) = self.said(said, open, &mut beside, address) {
                        return ended;
                    }
                }
                found = finished(&mut beside.reading), if beside.reading.is_some() => {
                    (beside.reading, beside.last_read) = (None, Instant::now());
                    match found {
                        Some(items) => open.session.found(items),
                        None => open.session.not_found(open.now()),
                    }
                },
                Some(answer) = answers.recv() => open.session.answer(answer),
                _ = beside.tasks.join_next(), if !beside.tasks.is_empty() => {},
                Some(renewed) = beside.renewing.join_next(), if !beside.renewing.is_empty() => {
                    self.renewed(renewed.unwrap_or(Err(ExchangeError::BrokeOff)), open);
                }
                Some(stored) = beside.trusting.stored() => {
                    self.trusted(stored, open, &mut beside);
                }
                _ = board.changed() => {},
                Ok(()) = spool.changed() => open.session.spool_grew(*spool.borrow_and_update()),
                _ = self.enrolled.changed() => return Ended::Changed,
                () = sleep_until(open.since + open.session.wakes_at()) => {},
                () = sleep_until(beside.look), if open.welcomed.is_some() => {},
            }
        }
    }

    fn handed(&self, open: &mut Open) {
        open.handed = open.seen;
        self.shared
            .note_handed(&open.enrolled.collector_id, open.handed);
    }

    /// Reads the spool, and renews the certificate and the join file, if it is time for it.
    fn begin_beside(&self, open: &mut Open, beside: &mut Beside, now: Now) {
        if beside.reading.is_none()
            && let Some(from) = open.session.wants_events(now)
        {
            let not_before = beside.last_read + BETWEEN_READS;
            beside.reading = Some(self.shared.read(from, not_before));
        }
        if open.welcomed.is_some() && beside.look <= Instant::now() {
            beside.look = Instant::now() + BETWEEN_LOOKS;
            let is_due = self.renewal.is_due(&open.enrolled, Timestamp::now());
            if is_due && beside.renewing.is_empty() {
                let (channel, enrolled) = (open.channel.clone(), Arc::clone(&open.enrolled));
                let shown = open.shown.clone();
                let renewal =
                    async move { renew(channel, &enrolled, &shown, Timestamp::now()).await };
                beside.renewing.spawn(renewal);
            }
            self.invite(open, beside);
        }
    }

    /// Every collector that the other nodes were invited to, also one that only looks on.
    fn invite(&self, open: &Open, beside: &mut Beside) {
        let Some((corosync, nodelist)) = beside.invited.due(&self.shared.board, Instant::now())
        else {
            return;
        };
        let (shared, channel) = (self.shared.clone(), open.channel.clone());
        let (enrolled, shown) = (Arc::clone(&open.enrolled), open.shown.clone());
        beside.tasks.spawn(async move {
            let (host, now) = (shared.host(), Timestamp::now());
            let for_ca = Arc::clone(&enrolled);
            let ca = spawn_blocking(move || for_ca.ca_of(&shown)).await;
            // What is not known is no reason to renew.
            let ca = ca.ok().and_then(Result::ok).flatten();
            let of = (&corosync, nodelist.as_slice());
            let renewed = renew_join_file(host, channel, &enrolled, of, ca, now).await;
            shared.note_failure(&enrolled.collector_id, renewed.err());
        });
    }

    fn said(
        &self,
        said: Result<Option<v1::CollectorMessage>, Status>,
        open: &mut Open,
        beside: &mut Beside,
        address: &str,
    ) -> Result<(), Ended> {
        let said = said.map_err(|status| Ended::by(status, Ended::BrokenOff))?;
        let said = said.ok_or(Ended::ByCollector)?;
        match open.session.take(said, open.now())? {
            None => {}
            Some(Effect::Probe(probe)) => {
                let (prober, answer) = (self.shared.prober.clone(), beside.answer.clone());
                beside.tasks.spawn(async move {
                    // The stream that asked may be gone.
                    let _ = answer.send(prober.answer(probe).await).await;
                });
            }
            Some(Effect::Trust(new)) => beside.trusting.begin(new, open),
            Some(effect) => self.effect(open, effect, address),
        }
        Ok(())
    }

    fn renewed(&mut self, renewed: Result<Enrolled, ExchangeError>, open: &Open) {
        match renewed {
            Ok(_) => {
                self.renewal.succeeded();
                self.shared.look_again.notify_one();
            }
            Err(error) => {
                self.renewal.failed(&open.enrolled, Timestamp::now());
                self.shared.note(&open.enrolled.collector_id, &error);
            }
        }
    }

    /// What the collector said is kept in threads that may wait for the disk.
    fn effect(&self, open: &mut Open, effect: Effect, address: &str) {
        let enrolled = Arc::clone(&open.enrolled);
        let shared = self.shared.clone();
        let id = enrolled.collector_id.clone();
        match effect {
            Effect::Welcomed(welcome) => {
                open.welcomed = Some(Instant::now());
                self.shared
                    .note_welcome(&id, address, open.session.dropped());
                if welcome.events_kept_up_to > 0 {
                    self.shared
                        .acknowledge(id.clone(), welcome.events_kept_up_to);
                }
                let is_authority = welcome.is_authority;
                self.shared.note_authority(&id, is_authority);
                let authority = welcome.authority.map(Authority::from);
                let store = move || {
                    let stored = enrolled.store_authority(authority, is_authority);
                    shared.note_failure(&id, stored.err());
                };
                spawn_blocking(store);
            }
            Effect::Kept { up_to } => {
                self.shared.note_dropped(&id, open.session.dropped());
                self.shared.acknowledge(id, up_to);
            }
            // Not kept: an agent that lies to the collector must not make all others write.
            Effect::Authority { is_authority } => self.shared.note_authority(&id, is_authority),
            Effect::Trust(_) | Effect::Probe(_) => {}
        }
    }
}

type Reading = JoinHandle<Result<Vec<Item>, SpoolError>>;

/// What goes on beside the stream, and ends with it.
pub(super) struct Beside {
    reading: Option<Reading>,
    last_read: Instant,
    /// When the certificate is looked at next.
    pub(super) look: Instant,
    /// Answers to probes, and the care for the join file.
    tasks: JoinSet<()>,
    invited: Invited,
    answer: mpsc::Sender<v1::ProbeAnswer>,
    renewing: JoinSet<Result<Enrolled, ExchangeError>>,
    trusting: Trusting,
}

impl Beside {
    fn new(now: Instant, answer: mpsc::Sender<v1::ProbeAnswer>) -> Self {
        Self {
            reading: None,
            last_read: now,
            look: now,
            tasks: JoinSet::new(),
            invited: Invited::default(),
            answer,
            renewing: JoinSet::new(),
            trusting: Trusting::default(),
        }
    }
}

/// One stream, open.
pub(super) struct Open {
    pub(super) session: Session,
    since: Instant,
    outgoing: mpsc::Sender<v1::AgentMessage>,
    incoming: Streaming<v1::CollectorMessage>,
    channel: Channel,
    /// The collector's certificate on this connection.
    pub(super) shown: Shown,
    pub(super) enrolled: Arc<Enrolled>,
    welcomed: Option<Instant>,
    /// The board was read up to this count.
    seen: u64,
    /// And all that is to be told of it was taken up to this one.
    handed: u64,
}

impl Open {
    fn now(&self) -> Now {
        Now::read(self.since)
    }

    /// Whether it is still to be said that all was handed over.
    fn owes_a_word(&self) -> bool {
        self.welcomed.is_some() && self.handed < self.seen
    }

    fn catch_up(&mut self, shared: &Shared) {
        let (facts, count) = shared.board.since(self.seen);
        for fact in facts {
            self.session.heard(fact);
        }
        self.seen = count;
        let dropped = shared.board.dropped_announcements();
        self.session.announcements_dropped(dropped);
    }
}

/// Where nothing is read, nothing is ever found.
async fn finished(reading: &mut Option<Reading>) -> Option<Vec<Item>> {
    match reading {
        Some(reading) => reading.await.ok()?.ok(),
        None => std::future::pending().await,
    }
}

async fn last_word(incoming: &mut Streaming<v1::CollectorMessage>) -> Ended {
    loop {
        match timeout(PATIENCE, incoming.message()).await {
            Ok(Ok(Some(_))) => {}
            Ok(Err(status)) => return Ended::by(status, Ended::BrokenOff),
            Ok(Ok(None)) | Err(_) => return Ended::ByCollector,
        }
    }
}

/// The messages to be sent, as tonic takes them.
struct Messages(mpsc::Receiver<v1::AgentMessage>);

impl Stream for Messages {
    type Item = v1::AgentMessage;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
