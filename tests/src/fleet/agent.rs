//! One simulated agent: its stream, and what it does when it loses it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use nix::time::{ClockId, clock_gettime};
use proto::dial::dial;
use proto::v1;
use proto::v1::agent_message::Message as Said;
use proto::v1::collector_message::Message as Answer;
use proto::v1::fleet_client::FleetClient;
use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::enrol::{Enrolled, software};
use super::report;
use super::spool::Spool;
use super::tally::{Counted, Tally, hex};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Messages between the agent and its connection.
const UNDER_WAY: usize = 16;
/// Messages that wait for room there; flaps beyond are left out, as an agent that reads the state instead would.
const MOST_WAITING: usize = 1_000;
const FLAP_TICK: Duration = Duration::from_millis(10);
const FLAPS_A_TICK: usize = 100;
const EVENT_TICK: Duration = Duration::from_millis(250);
const CABLE_TICK: Duration = Duration::from_millis(500);
/// One in so many ticks a cable is pulled, or plugged in.
const CABLE_CHANGES: u8 = 6;
/// Answers to more heartbeats than these are not waited for.
const MOST_HEARTBEATS: usize = 64;

/// What an agent is to play.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) events_per_second: f64,
    pub(super) flaps: bool,
    /// From the first stream on; without it they never end.
    pub(super) flaps_for: Option<Duration>,
    /// Whether the cable of its bond is pulled and plugged in again and again.
    pub(super) pulls_cables: bool,
    /// Instead of what the collector said at enrolment.
    pub(super) address: Option<String>,
    pub(super) version: String,
    /// Instead of the node that its certificate speaks for.
    pub(super) claims_node: Option<String>,
}

#[derive(Debug)]
pub(super) struct Agent {
    enrolled: Enrolled,
    addresses: Vec<String>,
    tls: Arc<ClientConfig>,
    facts: Arc<[v1::Fact]>,
    part: Part,
    tally: Arc<Tally>,
    spool: Spool,
    instance: Vec<u8>,
    authority: Option<v1::Authority>,
    /// Events owed, in parts of one.
    owed: f64,
    counted: Counted,
    flaps_until: Option<Instant>,
    /// Since it started, as an agent says it with its heartbeats.
    left_out: u64,
}

/// What holds for one stream only.
#[derive(Debug, Default)]
struct Course {
    waiting: VecDeque<v1::AgentMessage>,
    revision: u64,
    heartbeats: u64,
    sent: VecDeque<(u64, Instant)>,
    round_trip: Duration,
    answered: bool,
    carrier: bool,
    is_pulled: bool,
}

impl Agent {
    pub(super) fn new(
        enrolled: Enrolled,
        facts: Arc<[v1::Fact]>,
        part: Part,
        tally: &Arc<Tally>,
    ) -> Result<Self> {
        let tls = enrolled.tls()?;
        let address = part.address.clone();
        let addresses = address.map_or_else(|| enrolled.addresses.clone(), |one| vec![one]);
        Ok(Self {
            enrolled,
            addresses,
            tls,
            facts,
            part,
            tally: Arc::clone(tally),
            spool: Spool::new(),
            instance: std::iter::repeat_with(|| fastrand::u8(..))
                .take(16)
                .collect(),
            authority: None,
            owed: 0.0,
            counted: Counted::default(),
            flaps_until: None,
            left_out: 0,
        })
    }

    /// For ever: a lost stream is opened again, later each time it could not be.
    pub(super) async fn live(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let mut course = Course::default();
            match self.stream(&mut course).await {
                Ok(never) => match never {},
                Err(error) => self.tally.error(format!("{error:#}")),
            }
            if course.revision > 0 {
                self.tally.lost(course.answered);
                pause = FIRST_PAUSE;
            }
            // Somewhere in the pause, so that they do not come back all at once.
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn stream(&mut self, course: &mut Course) -> Result<std::convert::Infallible> {
        let (sender, mut answers) = self.open().await?;
        self.welcome(course, &mut answers).await?;
        let begun = tokio::time::Instant::now();
        let first = HEARTBEAT.mul_f64(fastrand::f64());
        let mut heartbeats = every(begun + first, HEARTBEAT);
        let mut events = every(begun + EVENT_TICK.mul_f64(fastrand::f64()), EVENT_TICK);
        let mut flaps = every(begun, FLAP_TICK);
        let mut cables = every(begun + CABLE_TICK.mul_f64(fastrand::f64()), CABLE_TICK);
        let flaps_until = self.part.flaps_for.map(|time| Instant::now() + time);
        self.flaps_until = self.flaps_until.or(flaps_until);
        let tells = self.part.events_per_second > 0.0;
        loop {
            tokio::select! {
                answer = answers.message() => {
                    let answer = answer?.context("the collector ended the stream")?;
                    self.take(course, answer)?;
                }
                room = sender.reserve(), if !course.waiting.is_empty() => {
                    let room = room.context("the connection ended")?;
                    if let Some(message) = course.waiting.pop_front() {
                        room.send(message);
                    }
                }
                _ = heartbeats.tick() => self.heartbeat(course)?,
                _ = events.tick(), if tells => self.tell(course)?,
                _ = flaps.tick(), if self.part.flaps => self.flap(course)?,
                _ = cables.tick(), if self.part.pulls_cables => self.pull_or_plug(course)?,
            }
        }
    }

    async fn open(
        &self,
    ) -> Result<(
        mpsc::Sender<v1::AgentMessage>,
        Streaming<v1::CollectorMessage>,
    )> {
        let address = fastrand::choice(&self.addresses).context("no address is known")?;
        let channel = dial(address, Arc::clone(&self.tls)).await?;
        let (sender, receiver) = mpsc::channel(UNDER_WAY);
        let node = self.part.claims_node.as_ref();
        let node = node.unwrap_or(&self.enrolled.node);
        let hello = v1::Hello {
            cluster: Some(v1::Cluster {
                id: self.enrolled.cluster.clone(),
                name: self.enrolled.cluster_name.clone(),
            }),
            node: node.clone(),
            agent: Some(software(&self.part.version)),
            boot_id: "52612c47-9840-4c46-a922-27f771b61824".to_owned(),
            spool_id: self.spool.id.clone(),
            spool_first: self.spool.first(),
            spool_next: self.spool.next(),
            authority: self.authority.clone(),
            instance: self.instance.clone(),
            trust: Vec::new(),
        };
        sender.send(message(Said::Hello(hello))?).await?;
        let answers = FleetClient::new(channel)
            .stream(ReceiverStream::new(receiver))
            .await?;
        Ok((sender, answers.into_inner()))
    }

    /// Takes the collector's welcome and tells everything.
    async fn welcome(
        &mut self,
        course: &mut Course,
        answers: &mut Streaming<v1::CollectorMessage>,
    ) -> Result<()> {
        let first = answers
            .message()
            .await?
            .context("the collector said nothing")?;
        let Some(Answer::Welcome(welcome)) = first.message else {
            bail!("the collector did not begin with Welcome");
        };
        self.authority = welcome.authority;
        self.tally.welcomed();
        self.keep(welcome.events_kept_up_to);
        self.spool.rewind();
        self.report(course)?;
        self.heartbeat(course)?;
        self.send_events(course)
    }

    fn take(&mut self, course: &mut Course, answer: v1::CollectorMessage) -> Result<()> {
        match answer.message {
            Some(Answer::HeartbeatAnswer(answer)) => self.heartbeat_answered(course, answer.number),
            Some(Answer::EventsKept(kept)) if kept.spool_id == self.spool.id => {
                self.keep(kept.up_to);
                self.send_events(course)?;
            }
            Some(Answer::SendReport(_)) => {
                self.tally.report_asked_for();
                self.report(course)?;
            }
            Some(Answer::Probe(probe)) => {
                let failed = "a simulated agent runs no programs".to_owned();
                let answer = v1::ProbeAnswer {
                    id: probe.id,
                    answer: Some(v1::probe_answer::Answer::Failed(failed)),
                };
                course
                    .waiting
                    .push_back(message(Said::ProbeAnswer(answer))?);
            }
            // A newer collector may say what nobody here knows.
            Some(
                Answer::Welcome(_)
                | Answer::EventsKept(_)
                | Answer::NewTrust(_)
                | Answer::AuthorityChanged(_),
            )
            | None => {}
        }
        Ok(())
    }

    fn heartbeat_answered(&self, course: &mut Course, number: u64) {
        while let Some((sent, at)) = course.sent.pop_front() {
            if sent > number {
                course.sent.push_front((sent, at));
                break;
            }
            if sent == number {
                course.round_trip = at.elapsed();
                self.tally.round_trip(course.round_trip);
            }
        }
        // The first heartbeat went behind the report.
        if !course.answered {
            course.answered = true;
            self.tally.answered();
        }
    }

    fn keep(&mut self, up_to: u64) {
        let events = self.spool.kept(up_to);
        if events > 0 {
            let Enrolled { cluster, node, .. } = &self.enrolled;
            self.tally
                .kept(cluster, node, &hex(&self.spool.id), up_to, events);
        }
    }

    fn report(&self, course: &mut Course) -> Result<()> {
        course.revision += 1;
        let report = v1::Report {
            revision: course.revision,
            facts: report::sent(&self.facts, boottime_ms()?),
        };
        course.waiting.push_back(message(Said::Report(report))?);
        Ok(())
    }

    fn heartbeat(&mut self, course: &mut Course) -> Result<()> {
        self.tally.add(&mut self.counted);
        course.heartbeats += 1;
        if course.sent.len() < MOST_HEARTBEATS {
            course.sent.push_back((course.heartbeats, Instant::now()));
        }
        let heartbeat = v1::Heartbeat {
            number: course.heartbeats,
            unix_ms: unix_ms()?,
            revision: course.revision,
            round_trip_us: u32::try_from(course.round_trip.as_micros()).unwrap_or(u32::MAX),
            dropped: (self.left_out > 0).then_some(v1::Dropped {
                events: 0,
                announcements: self.left_out,
            }),
            ..Default::default()
        };
        course
            .waiting
            .push_back(message(Said::Heartbeat(heartbeat))?);
        Ok(())
    }

    fn tell(&mut self, course: &mut Course) -> Result<()> {
        self.owed += self.part.events_per_second * EVENT_TICK.as_secs_f64();
        while self.owed >= 1.0 {
            self.owed -= 1.0;
            if self.spool.tell(&self.enrolled.node) {
                self.counted.events_made += 1;
            } else {
                self.counted.events_not_made += 1;
            }
        }
        self.send_events(course)
    }

    fn send_events(&mut self, course: &mut Course) -> Result<()> {
        while course.waiting.len() < UNDER_WAY {
            let Some(events) = self.spool.batch() else {
                break;
            };
            course.waiting.push_back(message(Said::Events(events))?);
        }
        Ok(())
    }

    fn flap(&mut self, course: &mut Course) -> Result<()> {
        if self.flaps_until.is_some_and(|end| end <= Instant::now()) {
            self.part.flaps = false;
            self.tell_carrier(course)?;
            self.tally.flapped(&self.enrolled.node, course.carrier);
            return Ok(());
        }
        for _ in 0..FLAPS_A_TICK {
            course.carrier = !course.carrier;
            if course.waiting.len() >= MOST_WAITING {
                self.counted.deltas_left_out += 1;
                self.left_out += 1;
                continue;
            }
            self.tell_carrier(course)?;
        }
        Ok(())
    }

    fn pull_or_plug(&mut self, course: &mut Course) -> Result<()> {
        if fastrand::u8(0..CABLE_CHANGES) > 0 {
            return Ok(());
        }
        course.is_pulled = !course.is_pulled;
        let change = report::cable(!course.is_pulled, boottime_ms()?, unix_ms()?);
        self.tell_change(course, change)
    }

    fn tell_carrier(&mut self, course: &mut Course) -> Result<()> {
        let change = report::flap(course.carrier, boottime_ms()?, unix_ms()?);
        self.tell_change(course, change)
    }

    fn tell_change(&mut self, course: &mut Course, change: v1::FactChange) -> Result<()> {
        let delta = v1::Delta {
            base: course.revision,
            revision: course.revision + 1,
            changes: vec![change],
        };
        course.revision += 1;
        self.counted.deltas += 1;
        course.waiting.push_back(message(Said::Delta(delta))?);
        Ok(())
    }
}

fn every(from: tokio::time::Instant, period: Duration) -> Interval {
    let mut ticks = interval_at(from, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

fn message(said: Said) -> Result<v1::AgentMessage> {
    Ok(v1::AgentMessage {
        boottime_ms: boottime_ms()?,
        message: Some(said),
    })
}

fn boottime_ms() -> Result<u64> {
    let now = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME)?);
    Ok(u64::try_from(now.as_millis())?)
}

fn unix_ms() -> Result<i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(i64::try_from(now.as_millis())?)
}
