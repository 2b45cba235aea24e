//! What agents are told.

use std::collections::BTreeSet;

use model::name::NodeName;
use proto::token::{Fingerprint, fingerprint};
use proto::v1;
use v1::collector_message::Message;

use super::{Core, Output};
use crate::keeper::hello::Greeting;
use crate::keeper::intake::Heartbeat;
use crate::keeper::{ANSWER_EVERY_MS, HEARTBEAT_MS, Now, StreamId};

impl Core {
    /// The CAs to trust from now on, for all who are connected and who will be.
    pub fn new_trust(&mut self, trust: v1::NewTrust) {
        if self.trust.as_ref() == Some(&trust) {
            return;
        }
        let streams: Vec<StreamId> = self.streams.keys().copied().collect();
        for stream in streams {
            self.send(stream, Message::NewTrust(trust.clone()));
        }
        self.trust = Some(trust);
    }

    /// To an agent that trusts others, or whose certificate is of another one than the CA that signs: it may have been
    /// away when that was told.
    pub(super) fn tell_trust(&mut self, stream: StreamId, greeting: &Greeting) {
        let Some(trust) = &self.trust else {
            return;
        };
        let wanted: BTreeSet<Fingerprint> = trust.trust.iter().map(|ca| fingerprint(ca)).collect();
        let said: BTreeSet<Fingerprint> = greeting.trust.iter().copied().collect();
        let is_signed = greeting.ca.is_none_or(|ca| trust.signs == ca);
        if said != wanted || !is_signed {
            let trust = trust.clone();
            self.send(stream, Message::NewTrust(trust));
        }
    }

    pub(super) fn welcome(&mut self, stream: StreamId, events_kept_up_to: u64) {
        let welcome = v1::Welcome {
            collector: Some(v1::Software {
                version: self.version.clone(),
                capabilities: Vec::new(),
            }),
            authority: self.own.authority(),
            is_authority: self.is_authority(),
            heartbeat_ms: HEARTBEAT_MS,
            events_kept_up_to,
        };
        self.send(stream, Message::Welcome(welcome));
    }

    pub(super) fn tell_authority(&mut self, is_authority: bool) {
        let streams: Vec<StreamId> = self.streams.keys().copied().collect();
        for stream in streams {
            let authority = self.own.authority();
            let changed = v1::AuthorityChanged {
                authority,
                is_authority,
            };
            self.send(stream, Message::AuthorityChanged(changed));
        }
    }

    pub(super) fn answer_heartbeat(
        &mut self,
        stream: StreamId,
        name: &NodeName,
        heartbeat: &Heartbeat,
        now: Now,
    ) {
        let Some(open) = self.node(name).stream.as_mut() else {
            return;
        };
        // Half a heartbeat early is on time: else every answer would be one heartbeat late.
        let early_ms = u64::from(HEARTBEAT_MS / 2);
        let is_due = open
            .answered_ms
            .is_none_or(|at_ms| now.mono_ms.saturating_add(early_ms) >= at_ms + ANSWER_EVERY_MS);
        if is_due {
            open.answered_ms = Some(now.mono_ms);
            let number = heartbeat.number;
            self.send(
                stream,
                Message::HeartbeatAnswer(v1::HeartbeatAnswer { number }),
            );
        }
    }

    pub(super) fn send_kept(&mut self, stream: StreamId, spool: [u8; 16], up_to: u64) {
        let spool_id = spool.to_vec();
        self.send(
            stream,
            Message::EventsKept(v1::EventsKept { spool_id, up_to }),
        );
    }

    pub(super) fn send(&mut self, stream: StreamId, message: Message) {
        let message = v1::CollectorMessage {
            message: Some(message),
        };
        self.outputs.push_back(Output::Send { stream, message });
    }
}
