//! Network interfaces, as `ip` shows them.

use std::cmp::Reverse;

use model::fact::link::Link;
use model::parse::ip;
use model::reading::Reading;

use crate::host::{Command, Host};
use crate::source::gather::Gathering;

/// `ip addr` with details knows all that `ip link` knows, and the addresses.
const IP: Command = Command {
    path: "/usr/sbin/ip",
    args: &["-j", "-d", "-s", "addr"],
    words: &[
        "addr",
        "address",
        "addresses",
        "a",
        "ad",
        "link",
        "links",
        "l",
        "li",
    ],
};
pub(crate) const COMMANDS: &[Command] = &[IP];

/// Absent: `ip` is not installed, or its output was not captured. A capture can hold several outputs of `ip`: they are
/// merged, and where two of them speak of the same thing the one that tells most (the longest) holds.
pub(crate) fn collect(host: &Host) -> Reading<Vec<Link>> {
    let mut gathering = Gathering::default();
    let mut texts = gathering.found("commands/ip", host.ask(&IP));
    texts.sort_by_key(|text| Reverse(text.text.len()));
    let mut links: Option<Vec<Link>> = None;
    for text in &texts {
        if let Some(more) = gathering.take(text, ip::parse(&text.text)) {
            ip::merge(links.get_or_insert_default(), more);
        }
    }
    if let Some(links) = &mut links {
        // Indices are in the order in which interfaces were made, and so is every output of `ip`.
        links.sort_by_key(|link| link.ifindex.unwrap_or(u32::MAX));
    }
    gathering.finish(links)
}
