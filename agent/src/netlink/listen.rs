//! Listens to the kernel's announcements of changed links, addresses and VLANs, and says that something changed: not
//! what. What is there now a fresh answer tells ([`super::links`]), so nothing of an announcement is kept, and one that was
//! lost has lost nothing: an overrun of the socket's buffer (ENOBUFS) is one more reason to ask.
//!
//! That bounds the work. Up to [`BUDGET`] announcements in each [`WINDOW`] are read at once, as they come; beyond that the
//! rest of the window is slept, the kernel drops what the buffer cannot hold, and tells so. 10,000 flaps a second cost no
//! more than 1,280.
//!
//! Listened to are the groups of links (to which bonds and the ports of bridges belong, also their LACP and STP state), IPv4
//! and IPv6 addresses, and VLANs of bridges. Counters have no announcements. Those of wireless events, which a WLAN card
//! makes at each scan, are passed over.

use std::io;
use std::time::{Duration, Instant};

use netlink_packet_core::NetlinkBuffer;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket as _, AsyncSocketExt as _, SocketAddr, TokioSocket};
use nix::errno::Errno;
use nix::libc;
use tokio::time::sleep_until;

use super::attribute::each;
use super::link::index_and_attributes;

const GROUPS: &[u32] = &[
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_BRVLAN,
];
/// How many announcements are read in one window.
const BUDGET: u32 = 128;
const WINDOW: Duration = Duration::from_millis(100);
/// An announcement that is longer is cut: only its beginning is looked at.
const ROOM_BYTES: usize = 4 << 10;

/// Something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    /// When the first announcement since the last word was taken out of the socket, or its loss was learnt.
    pub(crate) at: Instant,
    /// How many announcements were read, since listening began.
    pub(crate) messages: u64,
    /// How many of them were passed over.
    pub(crate) passed_over: u64,
    /// How often announcements were lost.
    pub(crate) overruns: u64,
}

/// Says `woke` whenever something changed, at most once for all that was waiting; returns when the socket fails. Whoever
/// listens must ask for the state once after the first poll of this future: changes before it were not heard.
pub(crate) async fn listen(woke: impl FnMut(Heard)) -> io::Error {
    match open() {
        Ok(socket) => hear(&socket, woke).await,
        Err(error) => error,
    }
}

fn open() -> io::Result<TokioSocket> {
    let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
    socket.socket_mut().bind(&SocketAddr::new(0, 0))?;
    for group in GROUPS {
        match socket.socket_mut().add_membership(*group) {
            // Kernels before 5.6 have no group of their own for VLANs; there the links' group tells of them.
            Err(_) if *group == libc::RTNLGRP_BRVLAN => {}
            joined => joined?,
        }
    }
    Ok(socket)
}

async fn hear(socket: &TokioSocket, mut woke: impl FnMut(Heard)) -> io::Error {
    let mut room = Vec::with_capacity(ROOM_BYTES);
    let mut heard = Heard {
        at: Instant::now(),
        messages: 0,
        passed_over: 0,
        overruns: 0,
    };
    let mut window = Window::begin(Instant::now());
    loop {
        room.clear();
        let mut next = socket.recv(&mut room).await;
        let mut first = None;
        // All that waits already is one piece of news.
        loop {
            match next {
                Ok(()) => {
                    heard.messages += 1;
                    if is_noise(&room) {
                        heard.passed_over += 1;
                    } else {
                        first.get_or_insert_with(Instant::now);
                    }
                }
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::ENOBUFS) => {
                        heard.overruns += 1;
                        first.get_or_insert_with(Instant::now);
                    }
                    Some(Errno::EINTR) => {}
                    Some(Errno::EAGAIN) => break,
                    _ => return error,
                },
            }
            if !window.has_room(Instant::now()) {
                break;
            }
            room.clear();
            next = socket
                .socket_ref()
                .recv_from(&mut room, libc::MSG_DONTWAIT)
                .map(|_| ());
        }
        if let Some(at) = first {
            heard.at = at;
            woke(heard);
        }
        if let Some(end) = window.is_spent() {
            sleep_until(end.into()).await;
        }
    }
}

/// How much was read lately.
struct Window {
    began: Instant,
    read: u32,
}

impl Window {
    fn begin(now: Instant) -> Self {
        Self {
            began: now,
            read: 0,
        }
    }

    /// Counts one that was read; may another be?
    fn has_room(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.began) >= WINDOW {
            *self = Self::begin(now);
        }
        self.read += 1;
        self.read < BUDGET
    }

    /// When the next one may be read, if not now.
    fn is_spent(&self) -> Option<Instant> {
        (self.read >= BUDGET).then(|| self.began + WINDOW)
    }
}

/// Does this announcement say nothing of what is kept? Only what is surely noise is.
fn is_noise(bytes: &[u8]) -> bool {
    // A long one may be cut; its header says the whole length, so it is not checked against the room.
    if bytes.len() < HEADER_BYTES {
        return false;
    }
    let message = NetlinkBuffer::new(bytes);
    if message.message_type() != libc::RTM_NEWLINK {
        return false;
    }
    let end = usize::try_from(message.length()).unwrap_or(usize::MAX);
    let payload = bytes.get(HEADER_BYTES..end.min(bytes.len()));
    let Some((_, attributes)) = payload.and_then(index_and_attributes) else {
        return false;
    };
    let mut wireless = false;
    each(
        attributes,
        |attribute| {
            wireless |= attribute.kind == libc::IFLA_WIRELESS;
            Ok(())
        },
        |_| {},
    );
    wireless
}

const HEADER_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_read_by_the_window() {
        let began = Instant::now();
        let mut window = Window::begin(began);
        let read = (1..=BUDGET).take_while(|_| window.has_room(began)).count();
        assert_eq!(read + 1, BUDGET as usize);
        assert_eq!(window.is_spent(), Some(began + WINDOW));
        assert!(window.has_room(began + WINDOW));
        assert_eq!(window.is_spent(), None);
    }

    #[test]
    fn only_a_wireless_event_is_noise() {
        let mut message = vec![44, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        message.extend([0; 16]);
        let mtu = [8, 0, 4, 0, 220, 5, 0, 0];
        assert!(!is_noise(&[&message[..], &mtu].concat()));
        let wireless = [&message[..], &[8, 0, 11, 0, 0, 0, 0, 0]].concat();
        assert!(!is_noise(&wireless[..20]));
        let mut whole = wireless;
        whole[0] = whole.len() as u8;
        assert!(is_noise(&whole));
        assert!(!is_noise(&[1, 2]));
    }
}
