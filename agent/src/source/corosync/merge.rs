//! Lays one answer upon another: what is known stays, what is not is filled in, what differs is said.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::net::IpAddr;

use model::fact::corosync::{Corosync, LinkPeer, LinkStatus, Member, Qdevice};
use model::reading::Problem;

/// How many disagreements are kept; two nodes' files in one capture differ in everything.
const MAX_DISAGREEMENTS: usize = 50;
/// How much of a differing value is said.
const MAX_VALUE_CHARS: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Merging {
    pub(super) value: Option<Corosync>,
    pub(super) disagreements: Vec<Problem>,
}

impl Merging {
    /// What was added before has precedence.
    pub(super) fn add(&mut self, source: &str, part: Corosync) {
        let mut laying = Laying {
            source,
            disagreements: &mut self.disagreements,
        };
        if let (Some(count), Some(members)) = (part.node_count, &part.members)
            && usize::try_from(count) != Ok(members.len())
        {
            let rows = members.len();
            laying.say(format!("it counts {count} nodes, but names {rows} members"));
        }
        match &mut self.value {
            None => self.value = Some(part),
            Some(known) => laying.corosync(known, part),
        }
    }
}

struct Laying<'a> {
    source: &'a str,
    disagreements: &'a mut Vec<Problem>,
}

impl Laying<'_> {
    fn say(&mut self, why: String) {
        if self.disagreements.len() < MAX_DISAGREEMENTS {
            self.disagreements.push(Problem::whole(self.source, why));
        }
    }

    fn differ(&mut self, what: &str, known: &dyn Debug, other: &dyn Debug) {
        let short = |value: &dyn Debug| {
            let said = format!("{value:?}");
            said.chars().take(MAX_VALUE_CHARS).collect::<String>()
        };
        let (known, other) = (short(known), short(other));
        self.say(format!(
            "{what} is {other} here, but {known} in an answer that comes before"
        ));
    }

    /// Fills what is not known; what is known must be the same.
    fn fill<T: PartialEq + Debug>(&mut self, what: &str, known: &mut Option<T>, other: Option<T>) {
        match (&known, other) {
            (None, other) => *known = other,
            (Some(known), Some(other)) if *known != other => self.differ(what, known, &other),
            (Some(_), _) => {}
        }
    }

    fn corosync(&mut self, known: &mut Corosync, other: Corosync) {
        let Corosync {
            cluster_name,
            config_version,
            quorate,
            node_id,
            ring_id,
            expected_votes,
            highest_expected,
            total_votes,
            quorum,
            activity_blocked,
            flags,
            quorum_provider,
            node_count,
            date,
            members,
            not_members,
            qdevice,
            transport,
            secure_auth,
            links,
            reachable,
        } = other;
        self.fill("the cluster's name", &mut known.cluster_name, cluster_name);
        self.fill(
            "the configuration's version",
            &mut known.config_version,
            config_version,
        );
        self.fill("quorate", &mut known.quorate, quorate);
        self.fill("this node's id", &mut known.node_id, node_id);
        self.fill("the ring id", &mut known.ring_id, ring_id);
        self.fill(
            "the number of expected votes",
            &mut known.expected_votes,
            expected_votes,
        );
        self.fill(
            "the highest expected",
            &mut known.highest_expected,
            highest_expected,
        );
        self.fill("the total of votes", &mut known.total_votes, total_votes);
        self.fill("the quorum", &mut known.quorum, quorum);
        self.fill(
            "activity blocked",
            &mut known.activity_blocked,
            activity_blocked,
        );
        self.fill("the list of flags", &mut known.flags, flags);
        self.fill(
            "the quorum provider",
            &mut known.quorum_provider,
            quorum_provider,
        );
        self.fill("the number of nodes", &mut known.node_count, node_count);
        self.fill("the transport", &mut known.transport, transport);
        self.fill("secure auth", &mut known.secure_auth, secure_auth);
        // Two runs of one tool are a moment apart.
        known.date = known.date.take().or(date);
        known.not_members = known.not_members.take().or(not_members);
        known.reachable = known.reachable.take().or(reachable);
        self.members(&mut known.members, members);
        self.qdevice(&mut known.qdevice, qdevice);
        self.links(&mut known.links, links);
    }

    /// Who is a member is told by one text alone: two together would name more than ever were there at once.
    fn members(&mut self, known: &mut Option<Vec<Member>>, other: Option<Vec<Member>>) {
        let Some(known) = known else {
            *known = other;
            return;
        };
        let Some(other) = other else { return };
        let ids = |rows: &[Member]| rows.iter().map(|row| row.node_id).collect::<BTreeSet<_>>();
        let (these, those) = (ids(known), ids(&other));
        if these != those {
            self.differ("the set of members", &these, &those);
        }
        let mut other: HashMap<u32, Member> =
            other.into_iter().map(|row| (row.node_id, row)).collect();
        for row in known {
            if let Some(other) = other.remove(&row.node_id) {
                self.member(row, other);
            }
        }
    }

    fn member(&mut self, known: &mut Member, other: Member) {
        let Member {
            node_id,
            votes,
            name,
            addresses,
            local,
            qdevice_flags,
            state,
            joined,
            config_version,
        } = other;
        let node = format!("of node {node_id}");
        self.fill(&format!("the vote count {node}"), &mut known.votes, votes);
        self.fill(
            &format!("whether it is local {node}"),
            &mut known.local,
            local,
        );
        let flags = format!("the qdevice's flags {node}");
        self.fill(&flags, &mut known.qdevice_flags, qdevice_flags);
        let version = format!("the configuration's version {node}");
        self.fill(&version, &mut known.config_version, config_version);
        // With `-i` the tool prints an address instead of the name: the name says more.
        match (known.name.as_deref(), name) {
            (Some(address), Some(name)) if is_address(address) && !is_address(&name) => {
                known.name = Some(name);
            }
            (Some(_), Some(name)) if is_address(&name) => {}
            (_, name) => self.fill(&format!("the name {node}"), &mut known.name, name),
        }
        for address in addresses.into_iter().flatten() {
            let kept = known.addresses.get_or_insert_default();
            if !kept.contains(&address) {
                kept.push(address);
            }
        }
        known.state = known.state.take().or(state);
        known.joined = known.joined.take().or(joined);
    }

    fn qdevice(&mut self, known: &mut Option<Qdevice>, other: Option<Qdevice>) {
        let (Some(known), Some(other)) = (&mut *known, &other) else {
            *known = known.take().or(other);
            return;
        };
        let other = other.clone();
        self.fill("the qdevice's vote count", &mut known.votes, other.votes);
        self.fill(
            "the qdevice's vote count if cast",
            &mut known.votes_if_cast,
            other.votes_if_cast,
        );
        self.fill("the qdevice's name", &mut known.name, other.name);
        self.fill(
            "the list of the qdevice's flags",
            &mut known.flags,
            other.flags,
        );
    }

    fn links(&mut self, known: &mut Option<Vec<LinkStatus>>, other: Option<Vec<LinkStatus>>) {
        for other in other.into_iter().flatten() {
            let links = known.get_or_insert_default();
            match links.binary_search_by_key(&other.link, |link| link.link) {
                Ok(at) => {
                    if let Some(link) = links.get_mut(at) {
                        self.link(link, other);
                    }
                }
                Err(at) => links.insert(at, other),
            }
        }
    }

    fn link(&mut self, known: &mut LinkStatus, other: LinkStatus) {
        let LinkStatus {
            link,
            transport,
            address,
            status,
            faulty,
            peers,
            positions,
        } = other;
        self.address(
            &format!("this node's address on link {link}"),
            &mut known.address,
            address,
        );
        self.fill(
            &format!("whether link {link} is faulty"),
            &mut known.faulty,
            faulty,
        );
        known.transport = known.transport.take().or(transport);
        known.status = known.status.take().or(status);
        known.positions = known.positions.take().or(positions);
        let Some(rows) = &mut known.peers else {
            known.peers = peers;
            return;
        };
        let mut peers: BTreeMap<u32, LinkPeer> = peers
            .into_iter()
            .flatten()
            .map(|peer| (peer.node_id, peer))
            .collect();
        for row in &mut *rows {
            if let Some(other) = peers.remove(&row.node_id) {
                self.peer(link, row, other);
            }
        }
        rows.extend(peers.into_values());
        rows.sort_by_key(|peer| peer.node_id);
    }

    fn peer(&mut self, link: u8, known: &mut LinkPeer, other: LinkPeer) {
        let LinkPeer {
            node_id,
            connected,
            enabled,
            address,
            mtu_bytes,
            local,
            status,
        } = other;
        let peer = format!("node {node_id} on link {link}");
        self.fill(
            &format!("connected of {peer}"),
            &mut known.connected,
            connected,
        );
        self.fill(&format!("enabled of {peer}"), &mut known.enabled, enabled);
        self.address(
            &format!("the address of {peer}"),
            &mut known.address,
            address,
        );
        self.fill(&format!("local of {peer}"), &mut known.local, local);
        // knet measures the MTU again and again.
        known.mtu_bytes = known.mtu_bytes.or(mtu_bytes);
        known.status = known.status.take().or(status);
    }

    /// The nodelist may hold a host's name where the tools print its address: only two addresses can differ.
    fn address(&mut self, what: &str, known: &mut Option<String>, other: Option<String>) {
        let address = |text: &Option<String>| text.as_ref()?.parse::<IpAddr>().ok();
        match (address(known), address(&other)) {
            (Some(these), Some(those)) if these != those => self.differ(what, &these, &those),
            (None, Some(_)) => *known = other,
            _ => *known = known.take().or(other),
        }
    }
}

fn is_address(name: &str) -> bool {
    let without_zone = name.split_once('%').map_or(name, |(address, _)| address);
    without_zone.parse::<IpAddr>().is_ok()
}

/// Takes the links' own addresses from `better` where it has them.
pub(super) fn prefer_addresses(part: &mut Corosync, better: Option<&Corosync>) {
    let better: HashMap<u8, &String> = better
        .and_then(|better| better.links.as_ref())
        .into_iter()
        .flatten()
        .filter_map(|link| Some((link.link, link.address.as_ref()?)))
        .collect();
    for link in part.links.iter_mut().flatten() {
        if let Some(address) = better.get(&link.link) {
            link.address = Some((*address).clone());
        }
    }
}

/// Gives the nodes that a text only counted (`status = n33`) their ids, if it counted as many as are configured and
/// found this node at its own place.
pub(super) fn name_positions(corosync: &mut Corosync, nodelist: &BTreeSet<u32>) {
    let own_id = corosync.node_id;
    for link in corosync.links.iter_mut().flatten() {
        let Some(positions) = &link.positions else {
            continue;
        };
        let named: Vec<_> = nodelist.iter().copied().zip(positions).collect();
        let fits = positions.len() == nodelist.len()
            && named.iter().zip(0_u32..).all(|((id, at), place)| {
                at.position == place
                    && (at.local.is_none() || at.local == Some(own_id == Some(*id)))
            });
        if !fits {
            continue;
        }
        let peers = link.peers.get_or_insert_default();
        for (node_id, at) in named {
            let local = at.local.or(own_id.map(|own| own == node_id));
            // The loopback of this node itself says nothing of the network.
            let of_peer = |bit: Option<bool>| bit.filter(|_| local != Some(true));
            let found = peers.iter_mut().find(|peer| peer.node_id == node_id);
            let peer = match found {
                Some(peer) => peer,
                None => peers.push_mut(LinkPeer {
                    node_id,
                    ..LinkPeer::default()
                }),
            };
            peer.local = peer.local.or(local);
            peer.connected = peer.connected.or(of_peer(at.connected));
            peer.enabled = peer.enabled.or(of_peer(at.enabled));
            peer.status = peer.status.take().or(Some(at.status.clone()));
        }
    }
}
