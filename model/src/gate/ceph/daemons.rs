//! Which daemons of Ceph are on which node. The monitors know it (`ceph node ls`), and every node that has Ceph tells what
//! they say; so it is known of a node that is silent, too.

use std::collections::BTreeSet;

use super::answers::{CephDaemons, CephQuestion};
use crate::fact::ceph::{Ceph, Daemon, DaemonKind};
use crate::gate::case::Case;
use crate::name::NodeName;
use crate::report::{Facts as _, Family};

/// What all who are heard tell, together: one that only some tell of is asked about.
#[derive(Debug, Default)]
pub(super) struct Listing<'a> {
    daemons: Vec<&'a Daemon>,
    /// Somebody's list holds every monitor and every OSD that there is.
    pub(super) is_whole: bool,
    /// Why the list is not whole of the first, by name, who has none.
    pub(super) gap: Option<String>,
}

impl<'a> Listing<'a> {
    pub(super) fn of(case: &'a Case<'_>) -> Self {
        let mut listing = Self::default();
        for node in &case.heard {
            let Some(ceph) = node.ceph() else { continue };
            listing.daemons.extend(ceph.daemons.iter().flatten());
            let gap = if case.is_whole(node, Family::Ceph) {
                gap(ceph)
            } else {
                Some("parts of what is told of Ceph could not be read".to_owned())
            };
            match gap {
                None => listing.is_whole = true,
                Some(gap) if listing.gap.is_none() => {
                    listing.gap = Some(format!("{gap}, as {} tells", node.name()));
                }
                Some(_) => {}
            }
        }
        if let Some(gap) = listing.lacks(case) {
            listing.is_whole = false;
            listing.gap = Some(gap);
        }
        listing
    }

    /// What all lists together still lack: one that is older can look whole beside one that knows of more, and a daemon whose
    /// host is no node can be on the very node that names none of its own.
    fn lacks(&self, case: &Case<'_>) -> Option<String> {
        let ids = |kind| self.of_kind(kind).map(|daemon| daemon.id.as_str());
        let told = || case.heard.iter().filter_map(|node| node.ceph());
        let totals = told().filter_map(|ceph| ceph.osds.as_ref()?.total);
        let short = totals
            .max()
            .and_then(|total| few_osds(ids(DaemonKind::Osd), total));
        if short.is_some() {
            return short;
        }
        let mons: BTreeSet<&str> = ids(DaemonKind::Mon).collect();
        let maps = told().filter_map(|ceph| ceph.quorum.as_ref()?.monmap.as_ref());
        let mut names = maps.flatten().filter_map(|mon| mon.name.as_deref());
        if let Some(name) = names.find(|name| !mons.contains(name)) {
            return Some(nowhere(name));
        }
        let names = case.names();
        let is_placed = |daemon: &Daemon| names.iter().any(|(_, name)| is_on(daemon, name));
        let stranger = self.daemons.iter().find(|daemon| !is_placed(daemon))?;
        let mut targets = case.targets().filter(|node| node.ceph().is_some());
        let bare = targets.find(|node| !self.daemons.iter().any(|it| is_on(it, node.name())))?;
        Some(format!(
            "no daemon is listed on {}, and {} on {:?}, which is no node of the cluster",
            bare.name(),
            stranger.id,
            stranger.host
        ))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.daemons.is_empty()
    }

    /// All of a kind on these nodes are one question: each alone could be spared where both together cannot.
    pub(super) fn questions(&self, nodes: &BTreeSet<NodeName>) -> Vec<CephQuestion> {
        let question = |what: CephDaemons| {
            let of_kind = self.of_kind(what.kind());
            let there = of_kind.filter(|daemon| nodes.iter().any(|node| is_on(daemon, node)));
            let ids: BTreeSet<String> = there.map(|daemon| daemon.id.clone()).collect();
            (!ids.is_empty()).then_some(CephQuestion { what, ids })
        };
        CephDaemons::ALL.into_iter().filter_map(question).collect()
    }

    /// Whether there is a manager, and none that stays.
    pub(super) fn takes_all_managers(&self, nodes: &BTreeSet<NodeName>) -> bool {
        let stays = |daemon: &Daemon| !nodes.iter().any(|node| is_on(daemon, node));
        let mut managers = self.of_kind(DaemonKind::Mgr).peekable();
        managers.peek().is_some() && !managers.any(stays)
    }

    fn of_kind(&self, kind: DaemonKind) -> impl Iterator<Item = &'a Daemon> {
        let daemons = self.daemons.iter().copied();
        daemons.filter(move |daemon| daemon.kind == kind)
    }
}

/// Ceph asks the kernel for the host's name, which may have the domain behind it.
fn is_on(daemon: &Daemon, node: &NodeName) -> bool {
    let (host, node) = (daemon.host.as_str(), node.as_str());
    let is = |host: &str| host.eq_ignore_ascii_case(node);
    is(host) || host.split_once('.').is_some_and(|(host, _)| is(host))
}

/// What keeps a list from being whole: an OSD or monitor that is counted elsewhere and not in it.
fn gap(ceph: &Ceph) -> Option<String> {
    let Some(daemons) = &ceph.daemons else {
        return Some("no list of Ceph's daemons is there".to_owned());
    };
    let of_kind = |kind: DaemonKind| {
        let of_kind = daemons.iter().filter(move |daemon| daemon.kind == kind);
        of_kind.map(|daemon| daemon.id.as_str())
    };
    let Some(total) = ceph.osds.as_ref().and_then(|osds| osds.total) else {
        return Some("how many OSDs there are is not known".to_owned());
    };
    let short = few_osds(of_kind(DaemonKind::Osd), total);
    if short.is_some() {
        return short;
    }
    let quorum = ceph.quorum.as_ref();
    let Some(mons) = quorum.and_then(|quorum| quorum.monmap.as_ref()) else {
        return Some("which monitors there are is not known".to_owned());
    };
    let listed: BTreeSet<&str> = of_kind(DaemonKind::Mon).collect();
    let mut unlisted = mons.iter().filter(|mon| {
        let name = mon.name.as_deref();
        name.is_none_or(|name| !listed.contains(name))
    });
    let unlisted = unlisted.next()?.name.as_deref();
    Some(nowhere(unlisted.unwrap_or("without a name")))
}

/// Of fewer than there are it is listed where they are.
fn few_osds<'a>(listed: impl Iterator<Item = &'a str>, total: u64) -> Option<String> {
    let listed = listed.collect::<BTreeSet<&str>>().len();
    let is_few = u64::try_from(listed).is_ok_and(|listed| listed < total);
    is_few.then(|| format!("of {total} OSDs the monitors say of {listed} where they are"))
}

fn nowhere(monitor: &str) -> String {
    format!("where the monitor {monitor} is, is not known")
}

/// Numbers as numbers: 2 before 10.
pub(super) fn sorted(ids: &BTreeSet<String>) -> Vec<&str> {
    let mut sorted: Vec<&str> = ids.iter().map(String::as_str).collect();
    if sorted.iter().all(|id| id.parse::<u64>().is_ok()) {
        sorted.sort_by_key(|id| id.len());
    }
    sorted
}
