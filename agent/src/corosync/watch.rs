//! The thread that attends corosync.
//!
//! It sleeps until corosync says something or the next look is due. The looks are paced by what they cost: a round trip
//! is a switch of context here and one in corosync, which has better things to do.

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use model::fact::corosync::Corosync;
use model::reading::Reading;
use model::report::Fact;

use super::away::Away;
use super::connection::Connection;
use super::keys::Part;
use super::links::Seen;
use super::pause::Pause;
use super::supervisor::Life;
use crate::host::{Host, Patience};

/// Nothing tells that a link went down but looking.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many peers are looked at each time, one after the other: with more peers than that each has its turn later.
const PEERS_A_LOOK: usize = 8;
/// The counters and what knet measures; also how often everything is told anew.
const MEASURE_EVERY: Duration = Duration::from_secs(30);
/// With more links than this the measures come less often, so that they cost no more.
const LINKS_A_MEASURE: usize = 16;
/// Whatever is tracked may be missed once.
const CONFIGURATION_EVERY: Duration = Duration::from_secs(300);
/// Changes come in swarms: between two readings at least this much passes.
const BETWEEN_READINGS: Duration = Duration::from_millis(100);
/// For so long after a change it is read with each look: what belongs to the change may come later than its news.
const SETTLING: Duration = Duration::from_secs(3);

/// Longer than anybody looks at a page that stands still.
const AT_LEISURE: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) const WAKE: Token = Token(0);
const NEWS: Token = Token(1);

pub(super) struct Watch<S> {
    poll: Poll,
    events: Events,
    life: Arc<Life>,
    patience: Patience,
    sink: S,
    /// What was last said of corosync.
    said: Reading<Corosync>,
}

impl<S: FnMut(Fact, Instant)> Watch<S> {
    pub(super) fn new(poll: Poll, life: Arc<Life>, patience: Patience, sink: S) -> Self {
        Self {
            poll,
            events: Events::with_capacity(8),
            life,
            patience,
            sink,
            said: Reading::NeverHeard,
        }
    }

    /// Until nobody wants to know any more.
    pub(super) fn run(mut self) {
        let mut pause = Pause::default();
        while !self.life.is_over() {
            self.life.sign(Duration::ZERO);
            let attended = catch_unwind(AssertUnwindSafe(|| {
                let mut connection = Connection::open()?;
                pause = Pause::default();
                self.attend(&mut connection)
            }));
            let away = match attended {
                Ok(Ok(())) => return,
                Ok(Err(away)) => away,
                Err(_) => Away::Here {
                    why: "attending it panicked; this is a bug in quorate-agent".to_owned(),
                },
            };
            self.say_away(&away);
            self.rest(pause.next());
        }
    }

    fn say_away(&mut self, away: &Away) {
        let noticed = Instant::now();
        self.life.sign(Duration::ZERO);
        let (said, cmap) = if away.is_absence(&Host::live(&self.patience)) {
            (Reading::Absent, Reading::Absent)
        } else {
            let why = away.to_string();
            (
                Reading::Failed { why: why.clone() },
                Reading::Failed { why },
            )
        };
        if self.life.was_silent() || said != self.said {
            self.said = said.clone();
            self.hand_on(Fact::Corosync(said), noticed);
            self.hand_on(Fact::Cmap(cmap), noticed);
        }
    }

    /// Whoever takes the fact may let this wait, which is no silence of corosync.
    fn hand_on(&mut self, fact: Fact, noticed: Instant) {
        self.life.sign(AT_LEISURE);
        (self.sink)(fact, noticed);
        self.life.sign(Duration::ZERO);
    }

    /// Waits before corosync is tried again; whoever wakes the thread knows that it is worth trying.
    fn rest(&mut self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.life.is_over() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.wait(left) == Ok(Woken::BySomebody) {
                return;
            }
        }
    }

    /// Attends one corosync until it goes away (the error) or nobody wants to know any more.
    fn attend(&mut self, connection: &mut Connection) -> Result<(), Away> {
        connection.track()?;
        let fds = connection.fds()?;
        let attended = self
            .register(&fds)
            .and_then(|()| self.attend_registered(connection));
        for fd in fds {
            // What was not registered need not be taken away.
            let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
        }
        attended
    }

    fn register(&self, fds: &[RawFd]) -> Result<(), Away> {
        fds.iter()
            .try_for_each(|fd| {
                let registry = self.poll.registry();
                registry.register(&mut SourceFd(fd), NEWS, Interest::READABLE)
            })
            .map_err(|error| Away::here(&error))
    }

    fn attend_registered(&mut self, connection: &mut Connection) -> Result<(), Away> {
        let mut round = Round::new(Instant::now());
        connection.read(Part::Configuration)?;
        round.look_at_all(connection)?;
        self.tell(connection, Want::everything(), round.began)?;
        // What came while it was opened, before anybody waited for it.
        round.take_news(connection, Instant::now())?;
        while !self.life.is_over() {
            let wait = round.next().saturating_duration_since(Instant::now());
            let woken = self.wait(wait)?;
            let now = Instant::now();
            match woken {
                Woken::ByNews => round.take_news(connection, now)?,
                Woken::BySomebody => {
                    round.take_news(connection, now)?;
                    round.notice(now);
                }
                Woken::AtItsTime => {}
            }
            if self.life.was_silent() {
                round.notice(now);
                round.want = Want::everything();
            }
            round.come_due(connection, now)?;
            if let Some((want, noticed)) = round.take_want(now) {
                let changed = self.tell(connection, want, noticed)?;
                round.told(Instant::now(), changed);
            }
        }
        Ok(())
    }

    /// Sleeps, and says why it does no longer.
    fn wait(&mut self, wait: Duration) -> Result<Woken, Away> {
        self.life.sign(wait);
        let polled = self.poll.poll(&mut self.events, Some(wait));
        self.life.sign(Duration::ZERO);
        match polled {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
                return Ok(Woken::AtItsTime);
            }
            Err(error) => return Err(Away::here(&error)),
        }
        let tokens = || self.events.iter().map(|event| event.token());
        Ok(if tokens().any(|token| token == WAKE) {
            Woken::BySomebody
        } else if tokens().any(|token| token == NEWS) {
            Woken::ByNews
        } else {
            Woken::AtItsTime
        })
    }

    /// Reads what is wanted, and tells what of it changed, or all of it if everything was wanted.
    fn tell(
        &mut self,
        connection: &mut Connection,
        want: Want,
        noticed: Instant,
    ) -> Result<bool, Away> {
        let mut changed = false;
        for (part, is_wanted) in [
            (Part::Configuration, want.configuration),
            (Part::Members, want.state),
            (Part::LinkStates, want.state || want.measures),
        ] {
            changed |= is_wanted && connection.read(part)?;
        }
        if want.measures {
            connection.read(Part::Measures)?;
        }
        let answer = connection.answer()?;
        let is_new = !is_same(&self.said, &answer.corosync);
        if is_new || want.measures {
            self.said = answer.corosync.clone();
            self.hand_on(Fact::Corosync(answer.corosync), noticed);
        }
        if changed || want.measures {
            self.hand_on(Fact::Cmap(answer.cmap), noticed);
        }
        Ok(is_new || changed)
    }
}

/// Is it the same but for when it was read?
fn is_same(one: &Reading<Corosync>, other: &Reading<Corosync>) -> bool {
    match (one, other) {
        (
            Reading::Known {
                value, problems, ..
            },
            Reading::Known {
                value: other,
                problems: others,
                ..
            },
        ) => value == other && problems == others,
        _ => one == other,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    AtItsTime,
    ByNews,
    BySomebody,
}

/// What is to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Want {
    configuration: bool,
    state: bool,
    measures: bool,
}

impl Want {
    fn everything() -> Self {
        Self {
            configuration: true,
            state: true,
            measures: true,
        }
    }
}

/// What is due when, while one corosync is attended.
struct Round {
    began: Instant,
    look: Instant,
    measures: Instant,
    configuration: Instant,
    settled: Instant,
    /// When it was last read.
    last_read: Instant,
    want: Want,
    /// When that was noticed which is to be read.
    noticed: Option<Instant>,
    seen: HashMap<u32, Option<Seen>>,
    turn: usize,
}

impl Round {
    fn new(now: Instant) -> Self {
        Self {
            began: now,
            look: now + LOOK_EVERY,
            measures: now + MEASURE_EVERY,
            configuration: now + CONFIGURATION_EVERY,
            settled: now + SETTLING,
            last_read: now,
            want: Want::default(),
            noticed: None,
            seen: HashMap::new(),
            turn: 0,
        }
    }

    fn next(&self) -> Instant {
        let reading = self.noticed.map(|_| self.last_read + BETWEEN_READINGS);
        let next = self.look.min(self.measures).min(self.configuration);
        reading.map_or(next, |reading| reading.min(next))
    }

    fn notice(&mut self, now: Instant) {
        self.want.state = true;
        self.noticed.get_or_insert(now);
    }

    fn take_news(&mut self, connection: &mut Connection, now: Instant) -> Result<(), Away> {
        let heard = connection.dispatch()?;
        if heard.anything {
            self.notice(now);
            self.settled = now + SETTLING;
        }
        self.want.configuration |= heard.configuration;
        Ok(())
    }

    fn come_due(&mut self, connection: &Connection, now: Instant) -> Result<(), Away> {
        if now >= self.look {
            self.look = now + LOOK_EVERY;
            if self.look_at_some(connection)? || now < self.settled {
                self.notice(now);
            }
        }
        if now >= self.measures {
            let share = connection.link_count().div_ceil(LINKS_A_MEASURE).max(1);
            self.measures = now + MEASURE_EVERY * u32::try_from(share).unwrap_or(u32::MAX);
            self.want.measures = true;
            self.noticed.get_or_insert(now);
        }
        if now >= self.configuration {
            self.configuration = now + CONFIGURATION_EVERY;
            self.want.configuration = true;
            self.notice(now);
        }
        Ok(())
    }

    /// What is to be read now, if enough time has passed since the last reading.
    fn take_want(&mut self, now: Instant) -> Option<(Want, Instant)> {
        if now < self.last_read + BETWEEN_READINGS {
            return None;
        }
        let noticed = self.noticed.take()?;
        Some((std::mem::take(&mut self.want), noticed))
    }

    fn told(&mut self, now: Instant, changed: bool) {
        self.last_read = now;
        if changed {
            self.settled = now + SETTLING;
        }
    }

    fn look_at_all(&mut self, connection: &Connection) -> Result<(), Away> {
        for peer in connection.peers() {
            self.seen.insert(peer, connection.look_at(peer)?);
        }
        Ok(())
    }

    /// Did anything change about the links to the peers whose turn it is?
    fn look_at_some(&mut self, connection: &Connection) -> Result<bool, Away> {
        let peers = connection.peers();
        let count = peers.len().min(PEERS_A_LOOK);
        let turns = peers.iter().cycle().skip(self.turn).take(count);
        let mut changed = false;
        for &peer in turns {
            let seen = connection.look_at(peer)?;
            let before = self.seen.insert(peer, seen.clone());
            changed |= before != Some(seen);
        }
        self.turn = (self.turn + count).checked_rem(peers.len()).unwrap_or(0);
        self.seen.retain(|peer, _| peers.contains(peer));
        Ok(changed)
    }
}
