//! The table of receivers: which chats there are, and the rows of the configuration that name them.

use super::{Chat, Receiver, SecretError};
use crate::config::Config;

/// A receiver that is ready to send.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) chat: Box<dyn Chat>,
    /// Another one where the configuration names another service, server or channel: receipts of one place mean nothing in another.
    pub(crate) place: String,
}

/// One row of the configuration.
pub(crate) struct Named<'a> {
    pub(crate) kind: &'static str,
    /// `receiver.slack.name`
    pub(crate) name_key: &'static str,
    /// Among those of its kind.
    pub(crate) row: usize,
    pub(crate) receiver: &'a dyn Receiver,
}

impl std::fmt::Debug for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.receiver.name())
    }
}

/// For each chat the name of its table, `[[receiver.NAME]]`, which is that of the configuration's field as well.
macro_rules! receivers {
    ($($kind:ident),+ $(,)?) => {
        /// All rows, chat by chat, in the order of the file.
        pub(crate) fn named(config: &Config) -> Vec<Named<'_>> {
            let mut named = Vec::new();
            $(for (row, receiver) in config.$kind.iter().enumerate() {
                named.push(Named {
                    kind: stringify!($kind),
                    name_key: concat!("receiver.", stringify!($kind), ".name"),
                    row,
                    receiver,
                });
            })+
            named
        }

        #[cfg(test)]
        pub(crate) const KINDS: &[&str] = &[$(stringify!($kind)),+];
    };
}

receivers! {
    slack, mattermost, rocketchat, discord, teams, telegram, matrix, ntfy, gotify, mail, alertmanager, pagerduty, webhook,
    command,
}

/// Opens all: their secrets are read.
pub(crate) fn open_all(config: &Config) -> Result<Vec<Opened>, SecretError> {
    named(config).iter().map(Named::open).collect()
}

impl Named<'_> {
    fn place(&self) -> String {
        let row = format!("{} {:?}", self.kind, self.receiver);
        let digest = ring::digest::digest(&ring::digest::SHA256, row.as_bytes());
        let bytes = digest.as_ref().iter().take(6);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn open(&self) -> Result<Opened, SecretError> {
        Ok(Opened {
            name: self.receiver.name().to_owned(),
            kind: self.kind,
            chat: self.receiver.open()?,
            place: self.place(),
        })
    }
}
