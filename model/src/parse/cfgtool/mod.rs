//! `corosync-cfgtool -s`, `-s -b` and `-n` (corosync's tools/corosync-cfgtool.c, man corosync-cfgtool(8)).
//!
//! | version | what `-s` prints |
//! | --- | --- |
//! | 2.x | `RING ID 0`, `id = …`, `status = ring 0 active with no faults` or `Marking ringid 0 interface … FAULTY` |
//! | 3.0.0 | `LINK ID 0`, `addr = …`, then `node 0: link enabled:1 link connected:1`: places in the list, not ids |
//! | 3.0.1 | `nodeid  1: link enabled:1 link connected:1`, or `status = OK` without knet |
//! | 3.0.4 | `nodeid  1: localhost`, `connected`, `disconnected` |
//! | 3.1 | the same, and `LINK ID 0 udp`, `Local node ID 1, transport knet` |
//!
//! `-b` prints one letter a node (`status = n33`) and no node ids. `-n` (3.1) prints the links below each node, and
//! only nodes that can be reached.

mod words;

use crate::fact::corosync::{Corosync, LinkPeer, LinkPosition, LinkStatus, ReachableNode};
use crate::name::LinkNumber;
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable, lines, unended_line};

use words::{Said, after_words, brief, is_brief, split_word};

/// How many nodes of one link are kept, far over what corosync can hold (KNET_MAX_HOST is 65536, but
/// PROCESSOR_COUNT_MAX 384).
pub const MAX_NODES: usize = 1024;

/// Reads one answer. Only `node_id`, `transport`, `links` and `reachable` can be in it.
pub fn parse(text: &str) -> Result<Parsed<Corosync>, Unreadable> {
    let mut reader = Reader::default();
    let unended = unended_line(text);
    let mut bad_lines = BadLines::default();
    let mut complaint = None;
    for line in lines(text) {
        if is_complaint(line) {
            complaint.get_or_insert(line);
            bad_lines.push(BadLine::new(line, "the tool says that it failed here"));
        } else if unended == Some(line.number) && may_be_cut(line.text.trim()) {
            let why = "the text ends within this line, so that more may have stood in it";
            bad_lines.push(BadLine::new(line, why));
        } else {
            bad_lines.keep(reader.line(line));
        }
    }
    match complaint {
        _ if reader.known_lines > 0 => Ok(bad_lines.with(reader.finish())),
        Some(line) => Err(Unreadable::tool_failed(line.text)),
        None => Err(Unreadable::foreign(text)),
    }
}

/// Of a line that nothing ends: may its end be missing? Whole answers end with the status of a link or with an mtu, and
/// none that knet finds has less than four digits but the one it begins with.
fn may_be_cut(text: &str) -> bool {
    if let Some((_, mtu)) = text.rsplit_once("mtu:") {
        let digits = mtu.trim();
        return digits.len() < 4
            && digits != "469"
            && digits.bytes().all(|byte| byte.is_ascii_digit());
    }
    let is_node = text.starts_with("node") && text.contains(':');
    let is_status = text
        .split_once('=')
        .is_some_and(|(key, _)| key.trim() == "status");
    let ends_in_id = text.ends_with(|last: char| last.is_ascii_digit() || last == ':')
        && !text.contains("connected:");
    !(is_status || is_node && !ends_in_id)
        && ["addr", "id", "node", "Local", "LINK ID", "RING"]
            .iter()
            .any(|begin| text.starts_with(begin))
}

fn is_complaint(line: Line<'_>) -> bool {
    let text = line.text.trim_start();
    let begins = [
        "Could not ",
        "Cannot ",
        "Unable to ",
        "No nodes found",
        "corosync-cfgtool: ",
        "Error:",
        "Permission denied",
    ];
    let holds = ["command not found", "No such file or directory"];
    begins.iter().any(|begin| text.starts_with(begin))
        || holds.iter().any(|held| text.contains(held))
}

#[derive(Default)]
struct Reader {
    corosync: Corosync,
    /// The link whose lines follow. `None` before the first, and behind one whose number could not be read: its
    /// lines belong to nobody.
    link: Option<LinkNumber>,
    /// With `-n`: the node whose links follow.
    node: Option<u32>,
    known_lines: usize,
}

impl Reader {
    fn line(&mut self, line: Line<'_>) -> Result<(), BadLine> {
        let known = self.known_line(line);
        self.known_lines += usize::from(known.as_ref().copied().unwrap_or(true));
        known.map(|_| ())
    }

    fn known_line(&mut self, line: Line<'_>) -> Result<bool, BadLine> {
        let text = line.text.trim();
        if let Some(rest) = after_words(text, &["local", "node", "id"]) {
            self.local_node(line, rest)?;
        } else if let Some(rest) =
            after_words(text, &["link", "id"]).or_else(|| after_words(text, &["ring", "id"]))
        {
            self.begin_link(line, rest)?;
        } else if let Some(rest) = after_words(text, &["link:"]) {
            self.link_of_node(line, rest)?;
        } else if let Some(rest) = text.strip_prefix("nodeid") {
            self.node(line, rest.trim_start_matches([':', ' ', '\t']))?;
        } else if let Some(rest) = after_words(text, &["node"]) {
            self.position(line, rest)?;
        } else if let Some((key, value)) = text.split_once('=') {
            return self.setting(line, key.trim(), value.trim());
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// `1` or `1, transport knet`.
    fn local_node(&mut self, line: Line<'_>, rest: &str) -> Result<(), BadLine> {
        let (id, words) = rest.split_once(',').unwrap_or((rest, ""));
        if let Some(transport) = after_words(words.trim(), &["transport"])
            && !transport.is_empty()
        {
            self.corosync.transport = Some(transport.to_owned());
        }
        self.corosync.node_id = Some(node_id(line, id)?);
        Ok(())
    }

    /// `0` or `0 udp`.
    fn begin_link(&mut self, line: Line<'_>, rest: &str) -> Result<(), BadLine> {
        self.link = None;
        self.node = None;
        let (number, transport) = split_word(rest);
        let number = line.number(number, "the link")?;
        self.link = Some(number);
        let link = self.link_mut(number);
        if !transport.is_empty() {
            link.transport = Some(transport.to_owned());
        }
        Ok(())
    }

    /// `addr = …`, `id = …` (before 3.0) and `status = …`.
    fn setting(&mut self, line: Line<'_>, key: &str, value: &str) -> Result<bool, BadLine> {
        if !matches!(key, "addr" | "id" | "status") {
            return Ok(false);
        }
        let number = self.link.ok_or_else(|| BadLine::new(line, ORPHAN))?;
        if value.is_empty() {
            return Err(BadLine::new(line, "the value is missing"));
        }
        let link = self.link_mut(number);
        if key != "status" {
            link.address = Some(value.to_owned());
            return Ok(true);
        }
        if value == "OK" || value.contains("no faults") {
            link.faulty = Some(false);
        } else if value.contains("FAULTY") {
            link.faulty = Some(true);
        } else if is_brief(value) {
            if value.len() > MAX_NODES {
                return Err(too_many(line));
            }
            link.positions = Some(brief(value));
        }
        link.status = Some(value.to_owned());
        Ok(true)
    }

    /// Of `-s`: `1: localhost`. Of `-n`: `2 reachable   onwire (min/max/cur): 0, 1, 1`.
    fn node(&mut self, line: Line<'_>, rest: &str) -> Result<(), BadLine> {
        let end = rest
            .find(|letter: char| letter == ':' || letter.is_whitespace())
            .unwrap_or(rest.len());
        let (id, words) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let Some(status) = words.trim_start().strip_prefix(':') else {
            return self.begin_node(line, id, words);
        };
        let number = self.link.ok_or_else(|| BadLine::new(line, ORPHAN))?;
        let id = node_id(line, id)?;
        let said = Said::read(status);
        let peer = self.peer_mut(line, number, id)?;
        peer.connected = said.connected;
        peer.enabled = said.enabled;
        peer.local = said.local;
        peer.status = Some(said.words);
        Ok(())
    }

    /// Of 3.0.0: `0: link enabled:1 link connected:1`.
    fn position(&mut self, line: Line<'_>, rest: &str) -> Result<(), BadLine> {
        let number = self.link.ok_or_else(|| BadLine::new(line, ORPHAN))?;
        let (place, status) = rest
            .split_once(':')
            .ok_or_else(|| BadLine::new(line, "there is no colon behind the place"))?;
        let position = line.number(place, "the place of the node")?;
        let positions = self.link_mut(number).positions.get_or_insert_default();
        if positions.len() >= MAX_NODES {
            return Err(too_many(line));
        }
        let said = Said::read(status);
        positions.push(LinkPosition {
            position,
            status: said.words,
            connected: said.connected,
            enabled: said.enabled,
            local: said.local,
        });
        Ok(())
    }

    fn begin_node(&mut self, line: Line<'_>, id: &str, words: &str) -> Result<(), BadLine> {
        self.link = None;
        self.node = None;
        let id = node_id(line, id)?;
        self.node = Some(id);
        let reachable = self.corosync.reachable.get_or_insert_default();
        if reachable.len() >= MAX_NODES {
            return Err(too_many(line));
        }
        let (words, versions) = words.split_once("onwire").unwrap_or((words, ""));
        let mut node = ReachableNode {
            node_id: id,
            words: words.split_whitespace().map(str::to_owned).collect(),
            ..ReachableNode::default()
        };
        let mut numbers = Ok(Vec::new());
        if let Some((_, versions)) = versions.split_once(':') {
            numbers = versions
                .split(',')
                .take(3)
                .map(|version| line.number(version, "the onwire version"))
                .collect::<Result<Vec<u32>, _>>();
        }
        if let Ok([min, max, current]) = numbers.as_deref() {
            (node.onwire_min, node.onwire_max) = (Some(*min), Some(*max));
            node.onwire = Some(*current);
        }
        reachable.push(node);
        numbers.map(|_| ())
    }

    /// `0 udp (10.0.0.1->10.0.0.2) enabled connected mtu: 1397`, below a node of `-n`. The protocol is missing in
    /// the manual page's example; without knet there is one address only, and it is that of the other node.
    fn link_of_node(&mut self, line: Line<'_>, rest: &str) -> Result<(), BadLine> {
        let id = self
            .node
            .ok_or_else(|| BadLine::new(line, "no node stands before it"))?;
        let (number, rest) = split_word(rest);
        let number = line.number(number, "the link")?;
        let (transport, addresses, words) = match rest.split_once('(') {
            Some((transport, rest)) => {
                let (addresses, words) = rest
                    .split_once(')')
                    .ok_or_else(|| BadLine::new(line, "the bracket is never closed"))?;
                (transport.trim(), addresses.trim(), words)
            }
            None => ("", "", rest),
        };
        let (own, other) = match addresses.split_once("->") {
            Some((own, other)) => (own.trim(), other.trim()),
            None => ("", addresses),
        };
        let text = |word: &str| (!word.is_empty()).then(|| word.to_owned());
        // `mtu: N` ends the line: without it the line was cut, and a missing word means nothing.
        let (words, mtu) = words
            .split_once("mtu:")
            .ok_or_else(|| BadLine::new(line, "there is no mtu at its end"))?;
        let mtu = line.number(mtu, "the mtu");

        let link = self.link_mut(number);
        link.transport = text(transport).or(link.transport.take());
        link.address = text(own).or(link.address.take());
        let peer = self.peer_mut(line, number, id)?;
        peer.local = Some(false);
        peer.address = text(other);
        peer.status = text(words.trim());
        // The tool leaves a word out where its link is not so; copies by hand say the opposite.
        let known = [
            "enabled",
            "connected",
            "dynconnected",
            "disabled",
            "disconnected",
        ];
        let said = |word: &str| words.split_whitespace().any(|said| said == word);
        if words.split_whitespace().all(|word| known.contains(&word)) {
            peer.enabled = Some(said("enabled") && !said("disabled"));
            peer.connected = Some(said("connected") && !said("disconnected"));
        }
        peer.mtu_bytes = Some(mtu?);
        Ok(())
    }

    fn link_mut(&mut self, number: LinkNumber) -> &mut LinkStatus {
        let links = self.corosync.links.get_or_insert_default();
        // Ordered by number; a link can be met again under every node of `-n`.
        let at = match links.binary_search_by_key(&number, |link| link.link) {
            Ok(at) => at,
            Err(at) => {
                links.insert(
                    at,
                    LinkStatus {
                        link: number,
                        ..LinkStatus::default()
                    },
                );
                at
            }
        };
        #[expect(
            clippy::indexing_slicing,
            reason = "the link at `at` was found or made just now"
        )]
        &mut links[at]
    }

    fn peer_mut(
        &mut self,
        line: Line<'_>,
        number: LinkNumber,
        node_id: u32,
    ) -> Result<&mut LinkPeer, BadLine> {
        let peers = self.link_mut(number).peers.get_or_insert_default();
        if peers.len() >= MAX_NODES {
            return Err(too_many(line));
        }
        if peers.iter().any(|peer| peer.node_id == node_id) {
            return Err(BadLine::new(
                line,
                "the node has a row on this link already",
            ));
        }
        Ok(peers.push_mut(LinkPeer {
            node_id,
            ..LinkPeer::default()
        }))
    }

    /// Where the rows do not say which node is this one, `Local node ID` does; and `localhost` where that is missing.
    fn finish(self) -> Corosync {
        let mut corosync = self.corosync;
        let mut peers = corosync
            .links
            .iter()
            .flatten()
            .flat_map(|link| link.peers.iter().flatten());
        let localhost = peers
            .find(|peer| peer.local == Some(true))
            .map(|peer| peer.node_id);
        corosync.node_id = corosync.node_id.or(localhost);
        let links = corosync.links.iter_mut().flatten();
        for peer in links.flat_map(|link| link.peers.iter_mut().flatten()) {
            if peer.local.is_none() {
                peer.local = corosync.node_id.map(|id| id == peer.node_id);
            }
            if peer.local == Some(true) {
                // knet's loopback: always connected, and never a sign of anything.
                peer.connected = None;
                peer.enabled = None;
            }
        }
        corosync
    }
}

const ORPHAN: &str = "it belongs to a link, but no readable `LINK ID` stands before it";

fn too_many(line: Line<'_>) -> BadLine {
    BadLine::new(line, format!("more than {MAX_NODES} nodes"))
}

fn node_id(line: Line<'_>, text: &str) -> Result<u32, BadLine> {
    match line.number(text, "the node id")? {
        // Printed for a node whose status could not be asked.
        0 => Err(BadLine::new(line, "a node id is never zero")),
        id => Ok(id),
    }
}

#[cfg(test)]
mod tests;
