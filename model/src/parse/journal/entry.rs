//! One entry, of whatever format: who wrote it, and what it means.

use std::borrow::Cow;

use crate::fact::journal::{Event, HaDaemon, JournalEvent, JournalTime, MAX_MESSAGE_CHARS};
use crate::parse::journal::scan::Told;
use crate::parse::journal::{corosync, ha, kernel, pmxcfs, quorum, systemd, watchdog};

/// The fields that matter, borrowed from the text where that is possible.
#[derive(Debug, Default)]
pub(super) struct Entry<'a> {
    pub(super) time: Option<JournalTime>,
    pub(super) boot_id: Option<Cow<'a, str>>,
    pub(super) cursor: Option<Cow<'a, str>>,
    pub(super) hostname: Option<Cow<'a, str>>,
    pub(super) transport: Option<Cow<'a, str>>,
    pub(super) identifier: Option<Cow<'a, str>>,
    pub(super) unit: Option<Cow<'a, str>>,
    pub(super) comm: Option<Cow<'a, str>>,
    /// The unit that an entry of systemd is about.
    pub(super) about: Option<Cow<'a, str>>,
    pub(super) pid: Option<Cow<'a, str>>,
    pub(super) priority: Option<Cow<'a, str>>,
    pub(super) repeated: Option<u32>,
    /// `None` where the journal left a text out because it is too large.
    pub(super) message: Option<Cow<'a, str>>,
}

/// A program whose entries matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Kernel,
    Corosync,
    Qdevice,
    Pmxcfs,
    Watchdog,
    Lrm,
    Crm,
    Systemd,
}

/// What each calls itself.
const PROGRAMS: [(&str, Program); 10] = [
    ("kernel", Program::Kernel),
    ("corosync", Program::Corosync),
    ("corosync-qdevice", Program::Qdevice),
    ("pmxcfs", Program::Pmxcfs),
    ("watchdog-mux", Program::Watchdog),
    ("pve-ha-lrm", Program::Lrm),
    ("pve-ha-crm", Program::Crm),
    ("systemd", Program::Systemd),
    ("systemd-shutdown", Program::Systemd),
    ("systemd-logind", Program::Systemd),
];

/// The programs whose entries matter, by what they call themselves; entries of all others are only counted.
pub fn programs() -> impl Iterator<Item = &'static str> {
    PROGRAMS.into_iter().map(|(name, _)| name)
}

impl Program {
    fn named(identifier: &str) -> Option<Self> {
        let known = PROGRAMS.iter().find(|(name, _)| *name == identifier);
        known.map(|(_, program)| *program)
    }

    /// The service that it runs as.
    fn unit(self) -> Option<&'static str> {
        match self {
            Self::Corosync => Some("corosync.service"),
            Self::Qdevice => Some("corosync-qdevice.service"),
            Self::Pmxcfs => Some("pve-cluster.service"),
            Self::Watchdog => Some("watchdog-mux.service"),
            Self::Lrm => Some("pve-ha-lrm.service"),
            Self::Crm => Some("pve-ha-crm.service"),
            Self::Kernel | Self::Systemd => None,
        }
    }

    /// Everything that it says is kept. Of the kernel and systemd only what a rule knows.
    fn is_kept_whole(self) -> bool {
        !matches!(self, Self::Kernel | Self::Systemd)
    }

    fn tell(self, entry: &Entry<'_>, message: &str) -> Told {
        match self {
            Self::Kernel => kernel::tell(message),
            Self::Corosync => corosync::tell(message),
            Self::Qdevice => quorum::tell_qdevice(message),
            Self::Pmxcfs => pmxcfs::tell(message),
            Self::Watchdog => watchdog::tell(message),
            Self::Lrm => ha::tell(HaDaemon::Lrm, message),
            Self::Crm => ha::tell(HaDaemon::Crm, message),
            Self::Systemd => systemd::tell(entry.about.as_deref(), message),
        }
    }
}

/// What became of an entry.
pub(super) enum Heard {
    /// Another program's, or nothing that a rule knows.
    OfOthers,
    Event(JournalEvent),
    /// A rule knows the line but cannot read it: it is kept as `Other`, and the reason is told.
    Unread(JournalEvent, String),
}

impl Entry<'_> {
    pub(super) fn hear(self) -> Heard {
        let Some(program) = self.program() else {
            return Heard::OfOthers;
        };
        let message = self.message.as_deref().unwrap_or_default();
        match program.tell(&self, message) {
            Ok(Some(event)) => Heard::Event(self.into_event(event)),
            Ok(None) if program.is_kept_whole() => Heard::Event(self.into_event(Event::Other)),
            Ok(None) => Heard::OfOthers,
            Err(why) => Heard::Unread(self.into_event(Event::Other), why),
        }
    }

    /// By what the journal itself knows of the sender first; the name that the sender gives itself must agree.
    /// `logger -t kernel`, or corosync's text quoted by a shell, is not that program.
    fn program(&self) -> Option<Program> {
        let identifier = match (&self.identifier, &self.unit) {
            (Some(identifier), _) => identifier.as_ref(),
            // `journalctl -o with-unit` shows the unit in the identifier's place, old journals may lack both.
            (None, _) => self.comm.as_deref()?,
        };
        let name = match identifier {
            "pve-cluster.service" => "pmxcfs",
            "init.scope" => "systemd",
            _ => identifier.strip_suffix(".service").unwrap_or(identifier),
        };
        let program = Program::named(name)?;
        let is_it = match program {
            // Where no transport is shown, a process id gives away a sender that is none.
            Program::Kernel => match self.transport.as_deref() {
                Some(transport) => transport == "kernel",
                None => self.pid.is_none(),
            },
            // Each user has a manager too; the one of the node is process 1.
            Program::Systemd if name == "systemd" => {
                self.pid.as_deref().is_none_or(|pid| pid == "1")
            }
            Program::Systemd => self
                .unit
                .as_deref()
                .is_none_or(|unit| ["systemd-logind.service", "init.scope"].contains(&unit)),
            _ => {
                let in_unit = |unit: &Cow<'_, str>| Some(unit.as_ref()) == program.unit();
                self.unit.as_ref().is_none_or(in_unit) || self.comm.as_deref() == Some(identifier)
            }
        };
        is_it.then_some(program)
    }

    fn into_event(self, event: Event) -> JournalEvent {
        let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
        JournalEvent {
            time: self.time,
            boot_id: owned(self.boot_id),
            cursor: owned(self.cursor),
            hostname: owned(self.hostname),
            identifier: owned(self.identifier),
            unit: owned(self.unit),
            pid: self.pid.and_then(|pid| pid.parse().ok()),
            priority: self
                .priority
                .and_then(|level| level.parse().ok())
                .filter(|level| *level <= 7),
            repeated: self.repeated,
            message: cut(self.message.as_deref().unwrap_or_default()),
            event,
        }
    }
}

fn cut(message: &str) -> String {
    let message = message.trim();
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => message.get(..end).unwrap_or(message).to_owned(),
        None => message.to_owned(),
    }
}
