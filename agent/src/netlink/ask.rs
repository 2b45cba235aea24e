//! One question to the kernel and its whole answer (a "dump"), bounded in time and tries.
//!
//! The kernel answers in pieces while the network goes on changing. If it changed meanwhile it says so
//! (NLM_F_DUMP_INTR), and the question is asked again, with a socket of its own: nothing of an answer that was given up can
//! come into the next one. After the last try what was read is kept and called what it is.

use std::io;
use std::time::{Duration, Instant};

use netlink_packet_core::{
    Emitable as _, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
    NLMSG_OVERRUN, NetlinkBuffer, NetlinkHeader, parse_i32,
};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt::ReceiveTimeout};
use nix::sys::time::TimeVal;

/// How long the kernel may take for one answer. It takes milliseconds, unless somebody holds its lock.
const DEADLINE: Duration = Duration::from_secs(5);
/// How often a question is asked before an answer that changed while it was given is taken as it is.
const TRIES: u32 = 4;
/// What the kernel puts into one piece of an answer, at most, for a reader who has this much room.
const ROOM_BYTES: usize = 32 << 10;
/// One interface with hundreds of virtual functions is a piece of its own; the kernel has no larger ones than this.
const MAX_ROOM_BYTES: usize = 4 << 20;
const HEADER_BYTES: usize = 16;
const SEQUENCE: u32 = 1;

#[derive(Debug, thiserror::Error)]
pub(crate) enum NetlinkError {
    #[error("a netlink socket cannot be opened")]
    Open { source: io::Error },
    #[error("the kernel cannot be asked for {what}")]
    Ask {
        what: &'static str,
        source: io::Error,
    },
    #[error("the kernel refused to list {what}")]
    Refused {
        what: &'static str,
        source: io::Error,
    },
    #[error("the kernel did not list {what} within {} s", DEADLINE.as_secs())]
    Deadline { what: &'static str },
    #[error("the list of {what} was lost {TRIES} times: the socket's buffer overflowed")]
    Overrun { what: &'static str },
    #[error("one piece of the list of {what} is larger than {} MiB", MAX_ROOM_BYTES >> 20)]
    TooLarge { what: &'static str },
}

/// What is asked.
#[derive(Debug)]
pub(super) struct Question {
    what: &'static str,
    message_type: u16,
    answer_type: u16,
    family: u8,
    /// How long the fixed part of the request is, the family first and all else zero.
    fixed_bytes: usize,
    /// RTEXT_FILTER_*: what else links are to tell.
    filter: Option<u32>,
}

const RTEXT_FILTER_VF: u32 = 1;
const RTEXT_FILTER_BRVLAN_COMPRESSED: u32 = 4;
/// sizeof(struct ifinfomsg), ifaddrmsg, ndmsg
const LINK_BYTES: usize = 16;
const ADDRESS_BYTES: usize = 8;
const NEIGHBOUR_BYTES: usize = 12;

impl Question {
    pub(super) const LINKS: Self = Self {
        what: "links",
        message_type: libc::RTM_GETLINK,
        answer_type: libc::RTM_NEWLINK,
        family: libc::AF_UNSPEC as u8,
        fixed_bytes: LINK_BYTES,
        filter: Some(RTEXT_FILTER_VF),
    };
    pub(super) const ADDRESSES: Self = Self {
        what: "addresses",
        message_type: libc::RTM_GETADDR,
        answer_type: libc::RTM_NEWADDR,
        family: libc::AF_UNSPEC as u8,
        fixed_bytes: ADDRESS_BYTES,
        filter: None,
    };
    pub(super) const BRIDGE_VLANS: Self = Self {
        what: "VLANs of bridges",
        message_type: libc::RTM_GETLINK,
        answer_type: libc::RTM_NEWLINK,
        family: libc::AF_BRIDGE as u8,
        fixed_bytes: LINK_BYTES,
        filter: Some(RTEXT_FILTER_BRVLAN_COMPRESSED),
    };
    pub(super) const FORWARDING: Self = Self {
        what: "learnt addresses",
        message_type: libc::RTM_GETNEIGH,
        answer_type: libc::RTM_NEWNEIGH,
        family: libc::AF_BRIDGE as u8,
        fixed_bytes: NEIGHBOUR_BYTES,
        filter: None,
    };
    pub(super) const NEIGHBOURS: Self = Self {
        what: "neighbours",
        message_type: libc::RTM_GETNEIGH,
        answer_type: libc::RTM_NEWNEIGH,
        family: libc::AF_UNSPEC as u8,
        fixed_bytes: NEIGHBOUR_BYTES,
        filter: None,
    };

    fn bytes(&self) -> Vec<u8> {
        let mut body = vec![0; self.fixed_bytes];
        if let Some(first) = body.first_mut() {
            *first = self.family;
        }
        if let Some(filter) = self.filter {
            const ATTRIBUTE_BYTES: u16 = 8;
            body.extend(ATTRIBUTE_BYTES.to_ne_bytes());
            body.extend(libc::IFLA_EXT_MASK.to_ne_bytes());
            body.extend(filter.to_ne_bytes());
        }
        let mut header = NetlinkHeader::default();
        let length = HEADER_BYTES + body.len();
        header.length = u32::try_from(length).unwrap_or(u32::MAX);
        header.message_type = self.message_type;
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        header.sequence_number = SEQUENCE;
        let mut bytes = vec![0; HEADER_BYTES];
        header.emit(&mut bytes);
        bytes.append(&mut body);
        bytes
    }
}

/// A whole answer, and in words if it is not to be trusted wholly.
pub(super) struct Whole<T> {
    pub(super) value: T,
    pub(super) problems: Vec<String>,
}

/// How one try ended.
enum Try {
    Done,
    /// The answer is whole, but the network changed meanwhile.
    Changed,
    /// Something of it was lost.
    Lost,
}

/// Asks, and gives every message of the answer to `take`; each try begins with a new `start`.
pub(super) fn ask<T>(
    question: &Question,
    start: impl Fn() -> T,
    mut take: impl FnMut(&mut T, &[u8]),
) -> Result<Whole<T>, NetlinkError> {
    let what = question.what;
    let end = Instant::now() + DEADLINE;
    let mut room = Vec::with_capacity(ROOM_BYTES);
    let mut kept = None;
    for _ in 0..TRIES {
        let mut value = start();
        match one_try(question, end, &mut room, |message| {
            take(&mut value, message)
        })? {
            Try::Done => {
                let problems = Vec::new();
                return Ok(Whole { value, problems });
            }
            Try::Changed => kept = Some(value),
            Try::Lost => {}
        }
    }
    let value = kept.ok_or(NetlinkError::Overrun { what })?;
    let why = format!(
        "{what} changed each of {TRIES} times while the kernel listed them; the list may not fit together"
    );
    let problems = vec![why];
    Ok(Whole { value, problems })
}

fn one_try(
    question: &Question,
    end: Instant,
    room: &mut Vec<u8>,
    mut take: impl FnMut(&[u8]),
) -> Result<Try, NetlinkError> {
    let what = question.what;
    let failed = |source| NetlinkError::Ask { what, source };
    let socket = open(end)?;
    socket
        .send_to(&question.bytes(), &SocketAddr::new(0, 0), 0)
        .map_err(failed)?;
    let mut reading = Reading {
        question,
        changed: false,
    };
    while Instant::now() < end {
        room.clear();
        let (length, from) = match socket.recv_from(room, libc::MSG_TRUNC) {
            Ok(received) => received,
            Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EINTR) => continue,
                Some(Errno::EAGAIN) => break,
                Some(Errno::ENOBUFS) => return Ok(Try::Lost),
                _ => return Err(failed(error)),
            },
        };
        if from.port_number() != 0 {
            // Only the kernel is believed.
            continue;
        }
        if length > room.len() {
            if length > MAX_ROOM_BYTES {
                return Err(NetlinkError::TooLarge { what });
            }
            room.clear();
            room.reserve(length);
            return Ok(Try::Lost);
        }
        if let Some(ended) = reading.piece(room, &mut take)? {
            return Ok(ended);
        }
    }
    Err(NetlinkError::Deadline { what })
}

fn open(end: Instant) -> Result<Socket, NetlinkError> {
    let failed = |source| NetlinkError::Open { source };
    let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
    socket.bind_auto().map_err(failed)?;
    let left = end.saturating_duration_since(Instant::now());
    let left = left.max(Duration::from_millis(1));
    let left = TimeVal::new(
        left.as_secs().try_into().unwrap_or(i64::MAX),
        left.subsec_micros().into(),
    );
    setsockopt(&socket, ReceiveTimeout, &left).map_err(|errno| failed(errno.into()))?;
    Ok(socket)
}

struct Reading<'a> {
    question: &'a Question,
    changed: bool,
}

impl Reading<'_> {
    /// Reads one piece; with the last one comes how the try ended.
    fn piece(
        &mut self,
        mut rest: &[u8],
        take: &mut impl FnMut(&[u8]),
    ) -> Result<Option<Try>, NetlinkError> {
        while !rest.is_empty() {
            let Ok(message) = NetlinkBuffer::new_checked(rest) else {
                return Ok(Some(Try::Lost));
            };
            let length = (message.length() as usize).next_multiple_of(4);
            rest = rest.get(length..).unwrap_or_default();
            if message.sequence_number() != SEQUENCE {
                continue;
            }
            self.changed |= message.flags() & NLM_F_DUMP_INTR != 0;
            match message.message_type() {
                NLMSG_DONE => {
                    self.refusal(message.payload())?;
                    let ended = if self.changed {
                        Try::Changed
                    } else {
                        Try::Done
                    };
                    return Ok(Some(ended));
                }
                NLMSG_ERROR => self.refusal(message.payload())?,
                NLMSG_OVERRUN => return Ok(Some(Try::Lost)),
                message_type if message_type == self.question.answer_type => {
                    take(message.payload());
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Both the end of an answer and an error begin with the kernel's error number, negative; zero is none.
    fn refusal(&self, payload: &[u8]) -> Result<(), NetlinkError> {
        let number = payload.get(..4).and_then(|bytes| parse_i32(bytes).ok());
        match number {
            None | Some(0..) => Ok(()),
            Some(number) => Err(NetlinkError::Refused {
                what: self.question.what,
                source: io::Error::from_raw_os_error(number.saturating_neg()),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with this type, flags and payload, as in the answer to our question.
    fn message(message_type: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let mut header = NetlinkHeader::default();
        header.length = (HEADER_BYTES + payload.len()) as u32;
        header.message_type = message_type;
        header.flags = flags;
        header.sequence_number = SEQUENCE;
        let mut bytes = vec![0; HEADER_BYTES];
        header.emit(&mut bytes);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[track_caller]
    fn check(piece: &[u8], expect: &str) {
        let mut reading = Reading {
            question: &Question::LINKS,
            changed: false,
        };
        let mut taken = 0;
        let ended = match reading.piece(piece, &mut |_| taken += 1) {
            Ok(None) => "more".to_owned(),
            Ok(Some(Try::Done)) => "done".to_owned(),
            Ok(Some(Try::Changed)) => "changed".to_owned(),
            Ok(Some(Try::Lost)) => "lost".to_owned(),
            Err(error) => crate::host::said(&error),
        };
        assert_eq!(format!("{taken} {ended}"), expect);
    }

    #[test]
    fn the_ends_of_an_answer_are_told_apart() {
        let link = message(libc::RTM_NEWLINK, 0, &[0; 17]);
        let done = message(NLMSG_DONE, 0, &0_i32.to_ne_bytes());
        check(&[link.clone(), link.clone()].concat(), "2 more");
        check(&[link.clone(), done.clone()].concat(), "1 done");
        let changed = message(libc::RTM_NEWLINK, NLM_F_DUMP_INTR, &[]);
        check(&[changed, done].concat(), "1 changed");
        let interrupted = message(NLMSG_DONE, NLM_F_DUMP_INTR, &0_i32.to_ne_bytes());
        check(&[link.clone(), interrupted].concat(), "1 changed");
        check(
            &[link.clone(), message(NLMSG_OVERRUN, 0, &[])].concat(),
            "1 lost",
        );
        let denied = message(NLMSG_ERROR, 0, &(-1_i32).to_ne_bytes());
        let said = "0 the kernel refused to list links: Operation not permitted (os error 1)";
        check(&denied, said);
        check(&message(NLMSG_DONE, 0, &(-1_i32).to_ne_bytes()), said);
        check(&link[..20], "0 lost");
        check(&[1, 2, 3], "0 lost");
    }

    #[test]
    fn another_questions_answer_is_not_taken() {
        let mut stale = message(libc::RTM_NEWLINK, 0, &[]);
        stale[8] = 9;
        check(&stale, "0 more");
        check(&message(libc::RTM_NEWADDR, 0, &[]), "0 more");
    }
}
