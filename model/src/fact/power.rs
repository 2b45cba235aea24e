//! Is the node running, on its way up or down, or told to go down at a time? From systemd, `/run/systemd/shutdown` and
//! the kernel's boot id.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::word::words;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Power {
    /// Follows from what is below; see [`PowerState::of`].
    pub state: PowerState,
    /// Drawn by the kernel at each boot: another one means that the node was restarted in between.
    pub boot_id: Option<String>,
    /// By the node's own clock as it is set now, so it moves when the clock is set.
    pub booted_at: Option<Timestamp>,
    /// `None`: none is planned, or that could not be read (then a problem says so, and the state is not known unless the
    /// node is already on its way down).
    pub scheduled: Option<ScheduledShutdown>,
    /// `None`: systemd is not this node's init, or it did not answer (then a problem says so).
    pub systemd: Option<Systemd>,
    /// What systemd-logind announced to the running agent. `None`: nothing is announced, or nobody listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<AnnouncedShutdown>,
}

impl Power {
    /// What was announced outweighs what systemd says of itself: it is still busy with telling everybody.
    pub fn announce(&mut self, announced: Option<AnnouncedShutdown>) {
        if announced.is_some() {
            self.state = PowerState::ShuttingDown;
        } else if self.announced.is_some() {
            self.state = PowerState::of(self.scheduled.as_ref(), self.systemd.as_ref());
        }
        self.announced = announced;
    }

    /// What the node becomes behind its way down, as far as anything says.
    pub fn shutdown_kind(&self) -> ShutdownKind {
        let announced = self.announced.as_ref().and_then(|told| told.mode.clone());
        let jobs = || self.systemd.as_ref().and_then(Systemd::going_to);
        let planned = || self.scheduled.as_ref().and_then(|plan| plan.mode.clone());
        let mode = announced.or_else(jobs).or_else(planned);
        mode.map_or(ShutdownKind::Unknown, |mode| ShutdownKind::of(&mode))
    }
}

/// Does it come back by itself?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShutdownKind {
    Reboot,
    Shutdown,
    Unknown,
}

impl std::fmt::Display for ShutdownKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Reboot => "reboot",
            Self::Shutdown => "shutdown",
            Self::Unknown => "unknown",
        })
    }
}

impl ShutdownKind {
    pub fn of(mode: &ShutdownMode) -> Self {
        match mode {
            ShutdownMode::Reboot | ShutdownMode::Kexec | ShutdownMode::SoftReboot => Self::Reboot,
            ShutdownMode::PowerOff | ShutdownMode::Halt => Self::Shutdown,
            ShutdownMode::Exit | ShutdownMode::Other(_) => Self::Unknown,
        }
    }
}

/// Where the node stands between two boots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerState {
    Running,
    /// systemd has not yet started all that belongs to the boot.
    Booting,
    /// Running, and told to go down at a time.
    ShutdownScheduled,
    /// On its way down. It keeps its vote for as long as corosync runs: minutes, while guests are stopped.
    ShuttingDown,
    /// Nobody says: no systemd, or no answer from it.
    #[default]
    Unknown,
}

impl std::fmt::Display for PowerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Booting => "booting",
            Self::ShutdownScheduled => "shutdown scheduled",
            Self::ShuttingDown => "shutting down",
            Self::Unknown => "unknown",
        })
    }
}

impl PowerState {
    /// Going down outweighs the plan to, and the plan outweighs coming up: each is the later part of the story.
    pub fn of(scheduled: Option<&ScheduledShutdown>, systemd: Option<&Systemd>) -> Self {
        let state = systemd.and_then(|systemd| systemd.state.as_ref());
        if state == Some(&SystemState::Stopping) || systemd.is_some_and(Systemd::has_begun_to_end) {
            return Self::ShuttingDown;
        }
        if scheduled.is_some_and(|scheduled| !scheduled.is_only_a_rehearsal()) {
            return Self::ShutdownScheduled;
        }
        match state {
            Some(SystemState::Initializing | SystemState::Starting) => Self::Booting,
            Some(SystemState::Running | SystemState::Degraded | SystemState::Maintenance) => {
                Self::Running
            }
            Some(SystemState::Stopping | SystemState::Offline | SystemState::Other(_)) | None => {
                Self::Unknown
            }
        }
    }
}

impl PowerState {
    /// What is left of it where a shutdown may be planned, and nobody knows.
    pub fn without_the_plan(self) -> Self {
        match self {
            Self::ShuttingDown | Self::ShutdownScheduled => self,
            Self::Running | Self::Booting | Self::Unknown => Self::Unknown,
        }
    }
}

/// `/run/systemd/shutdown/scheduled`: it is there from `shutdown -r +10` until the shutdown begins or is cancelled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledShutdown {
    pub at: Option<Timestamp>,
    pub mode: Option<ShutdownMode>,
    /// Are those who are logged in told?
    pub warns: Option<bool>,
    /// What they are told, as whoever scheduled it wrote it.
    pub message: Option<String>,
}

/// PrepareForShutdown of org.freedesktop.login1(5): the shutdown begins as soon as all who hold a delay inhibitor let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncedShutdown {
    /// By the node's own clock.
    pub at: Timestamp,
    /// `None`: systemd before 255 does not say.
    pub mode: Option<ShutdownMode>,
}

impl ScheduledShutdown {
    /// `shutdown --dry-run` style modes do all but the deed.
    fn is_only_a_rehearsal(&self) -> bool {
        matches!(&self.mode, Some(ShutdownMode::Other(mode)) if mode.starts_with("dry-"))
    }
}

words! {
    /// What the node is to become, in logind's words.
    pub enum ShutdownMode {
        Reboot = "reboot",
        PowerOff = "poweroff",
        Halt = "halt",
        Kexec = "kexec",
        /// All but the kernel is started anew.
        SoftReboot = "soft-reboot",
        Exit = "exit",
    }
}

words! {
    /// systemd's own word for itself: `systemctl is-system-running`.
    pub enum SystemState {
        Initializing = "initializing",
        Starting = "starting",
        Running = "running",
        /// Running, with at least one failed unit.
        Degraded = "degraded",
        /// In the rescue or emergency shell.
        Maintenance = "maintenance",
        Stopping = "stopping",
        Offline = "offline",
    }
}

/// The manager of the node's services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Systemd {
    pub version: Option<String>,
    pub state: Option<SystemState>,
    pub failed_units: Option<u32>,
    pub queued_jobs: Option<u32>,
    /// `None` where they could not be listed.
    pub jobs: Option<Jobs>,
}

/// What systemd has begun or still has to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jobs {
    pub listed: Vec<Job>,
    /// How many more there were than a report may hold.
    #[serde(default)]
    pub not_kept: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub unit: String,
    pub verb: JobVerb,
    pub state: JobState,
}

words! {
    pub enum JobVerb {
        Start = "start",
        Stop = "stop",
        Restart = "restart",
        Reload = "reload",
        TryRestart = "try-restart",
        VerifyActive = "verify-active",
        Nop = "nop",
    }
}

words! {
    pub enum JobState {
        Waiting = "waiting",
        Running = "running",
    }
}

/// The targets that a node goes down through, and what it becomes behind each.
const TARGETS: &[(&str, ShutdownMode)] = &[
    ("reboot.target", ShutdownMode::Reboot),
    ("poweroff.target", ShutdownMode::PowerOff),
    ("halt.target", ShutdownMode::Halt),
    ("kexec.target", ShutdownMode::Kexec),
    ("soft-reboot.target", ShutdownMode::SoftReboot),
    ("exit.target", ShutdownMode::Exit),
];

impl Systemd {
    /// What the node is going down to, as far as the jobs tell.
    pub fn going_to(&self) -> Option<ShutdownMode> {
        let named = |target: &str| self.starts().any(|unit| unit == target);
        let found = TARGETS.iter().find(|(target, _)| named(target));
        found.map(|(_, mode)| mode.clone())
    }

    /// The units that are being stopped right now: what a shutdown waits for.
    pub fn being_stopped(&self) -> impl Iterator<Item = &str> {
        let jobs = self.jobs.iter().flat_map(|jobs| &jobs.listed);
        jobs.filter(|job| job.verb == JobVerb::Stop && job.state == JobState::Running)
            .map(|job| job.unit.as_str())
    }

    fn has_begun_to_end(&self) -> bool {
        self.going_to().is_some() || self.starts().any(|unit| unit == "shutdown.target")
    }

    fn starts(&self) -> impl Iterator<Item = &str> {
        let jobs = self.jobs.iter().flat_map(|jobs| &jobs.listed);
        jobs.filter(|job| job.verb == JobVerb::Start)
            .map(|job| job.unit.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mode: Option<&str>, state: &str, starts: &[&str], expect: PowerState) {
        let scheduled = mode.map(|mode| ScheduledShutdown {
            mode: Some(ShutdownMode::from_word(mode)),
            ..ScheduledShutdown::default()
        });
        let systemd = Systemd {
            state: Some(SystemState::from_word(state)),
            jobs: Some(Jobs {
                listed: starts.iter().map(|unit| start(unit)).collect(),
                not_kept: 0,
            }),
            ..Systemd::default()
        };
        assert_eq!(PowerState::of(scheduled.as_ref(), Some(&systemd)), expect);
    }

    fn start(unit: &str) -> Job {
        Job {
            unit: unit.to_owned(),
            verb: JobVerb::Start,
            state: JobState::Waiting,
        }
    }

    #[test]
    fn going_down_outweighs_the_plan_and_the_plan_outweighs_running() {
        check(None, "running", &[], PowerState::Running);
        check(
            None,
            "degraded",
            &["apt-daily.service"],
            PowerState::Running,
        );
        check(
            None,
            "starting",
            &["multi-user.target"],
            PowerState::Booting,
        );
        check(
            Some("reboot"),
            "running",
            &[],
            PowerState::ShutdownScheduled,
        );
        check(Some("reboot"), "stopping", &[], PowerState::ShuttingDown);
        check(
            None,
            "running",
            &["shutdown.target"],
            PowerState::ShuttingDown,
        );
        check(
            None,
            "starting",
            &["poweroff.target"],
            PowerState::ShuttingDown,
        );
    }

    #[test]
    fn a_rehearsed_shutdown_is_none() {
        check(Some("dry-reboot"), "running", &[], PowerState::Running);
    }

    #[test]
    fn what_was_announced_outweighs_all_until_it_is_taken_back() {
        let running = Systemd {
            state: Some(SystemState::Running),
            ..Systemd::default()
        };
        let mut power = Power {
            state: PowerState::Running,
            systemd: Some(running),
            ..Power::default()
        };
        assert_eq!(power.shutdown_kind(), ShutdownKind::Unknown);
        power.announce(Some(AnnouncedShutdown {
            at: Timestamp::UNIX_EPOCH,
            mode: Some(ShutdownMode::Reboot),
        }));
        assert_eq!(power.state, PowerState::ShuttingDown);
        assert_eq!(power.shutdown_kind(), ShutdownKind::Reboot);
        power.announce(None);
        assert_eq!(power.state, PowerState::Running);
    }

    #[test]
    fn without_systemd_nothing_is_said_of_the_state() {
        assert_eq!(PowerState::of(None, None), PowerState::Unknown);
        check(None, "a new word", &[], PowerState::Unknown);
    }
}
