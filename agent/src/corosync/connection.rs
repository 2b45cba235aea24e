//! One connection to each of corosync's services, and what is read through them.
//!
//! Notifications come through plain functions without a closure, on the thread that dispatches: they leave what they
//! heard in a variable of that thread. The libraries put a buffer of 1 MiB on the stack for it, which a compiler that
//! probes the stack makes resident: so it is done on a thread that ends at once, and its stack with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use model::fact::cmap::Cmap;
use model::fact::corosync::Corosync;
use model::reading::{Problem, Reading};
use rust_corosync::{CsError, DispatchFlags, NodeId, TrackFlags, cfg, cmap, quorum, votequorum};

use super::away::Away;
use super::keys::{Keys, Maps, Part, PeerLink, asked};
use super::links::{self, Seen};
use super::votes;
use crate::host::{Host, said};
use crate::source::corosync::map;

/// How long, in looks, the first word on the membership is waited for; it comes with the answer to the request.
const FIRST_LOOKS: u32 = 100;
const BETWEEN_FIRST_LOOKS: Duration = Duration::from_millis(10);
/// Twice the buffer that the libraries put on it.
const DISPATCH_STACK_BYTES: usize = 2 << 20;
/// How many members are asked for their votes; corosync can hold no more (PROCESSOR_COUNT_MAX).
const MAX_MEMBERS: usize = 384;

/// The keys that corosync tells when they change; the statistics it does not (CS_ERR_NOT_SUPPORTED). Of `totem.` only
/// the version: a branch with a secret in it would hand it over.
const TRACKED_BELOW: &[&str] = &["nodelist.", "runtime.votequorum.", "runtime.members."];
const TRACKED: &[&str] = &["totem.config_version"];

/// Who is in the membership, as libquorum last told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Membership {
    pub(super) ring_node: u32,
    pub(super) ring_sequence: u64,
    pub(super) members: Vec<u32>,
}

/// What the notifications told since the last time.
#[derive(Debug, Default)]
pub(super) struct Heard {
    membership: Option<Membership>,
    /// Something changed, whatever it is.
    pub(super) anything: bool,
    pub(super) configuration: bool,
}

thread_local! {
    static HEARD: RefCell<Heard> = RefCell::default();
}

fn hear(note: impl FnOnce(&mut Heard)) {
    HEARD.with_borrow_mut(|heard| {
        heard.anything = true;
        note(heard);
    });
}

fn hear_membership(ring: &quorum::RingId, members: &[NodeId]) {
    let membership = Membership {
        ring_node: ring.nodeid.into(),
        ring_sequence: ring.seq,
        members: members.iter().map(|&id| id.into()).collect(),
    };
    hear(|heard| heard.membership = Some(membership));
}

const OF_QUORUM: quorum::ModelData = quorum::ModelData::ModelV1(quorum::Model1Data {
    flags: quorum::Model1Flags::None,
    quorum_notification_fn: Some(|_, _, ring, members| hear_membership(&ring, &members)),
    nodelist_notification_fn: Some(|_, ring, members, _, _| hear_membership(&ring, &members)),
});

const OF_VOTES: votequorum::Callbacks = votequorum::Callbacks {
    quorum_notification_fn: Some(|_, _, _, _| hear(|_| ())),
    nodelist_notification_fn: None,
    expectedvotes_notification_fn: Some(|_, _, _| hear(|_| ())),
};

const OF_KEYS: cmap::NotifyCallback = cmap::NotifyCallback {
    notify_fn: Some(|_, _, _, key, _, _, _| {
        let is_runtime = key.starts_with("runtime.");
        hear(|heard| heard.configuration |= !is_runtime);
    }),
};

/// What corosync said, all of it at one time.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) corosync: Reading<Corosync>,
    pub(crate) cmap: Reading<Cmap>,
}

/// Asks once, under the host's deadline.
pub(crate) fn read_once(host: &Host) -> Answer {
    match host.ask_corosync(read_all) {
        Ok(Ok(answer)) => answer,
        Ok(Err(away)) if away.is_absence(host) => Answer {
            corosync: Reading::Absent,
            cmap: Reading::Absent,
        },
        Ok(Err(away)) => Answer::failed(said(&away)),
        Err(error) => Answer::failed(said(&error)),
    }
}

impl Answer {
    fn failed(why: String) -> Self {
        Self {
            corosync: Reading::Failed { why: why.clone() },
            cmap: Reading::Failed { why },
        }
    }
}

/// On the calling thread, which may hang for as long as corosync does.
pub(super) fn read_all() -> Result<Answer, Away> {
    let mut connection = Connection::open()?;
    for part in [
        Part::Configuration,
        Part::Members,
        Part::LinkStates,
        Part::Measures,
    ] {
        connection.read(part)?;
    }
    connection.answer()
}

pub(super) struct Connection {
    maps: Maps,
    quorum: quorum::Handle,
    /// None where corosync runs without votequorum.
    votes: Option<votequorum::Handle>,
    cfg: cfg::Handle,
    tracks: Vec<cmap::TrackHandle>,
    own_id: u32,
    membership: Membership,
    keys: Keys,
    links: Vec<PeerLink>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The library keeps a list of them; a corosync that has gone has forgotten them already.
        for track in self.tracks.drain(..) {
            let _ = cmap::track_delete(&self.maps.icmap, track);
        }
    }
}

impl Connection {
    pub(super) fn open() -> Result<Self, Away> {
        let maps = Maps::open()?;
        let (quorum, _) = quorum::initialize(&OF_QUORUM, 0).map_err(Away::closed("quorum"))?;
        let votes = match votequorum::initialize(&OF_VOTES) {
            Ok(votes) => Some(votes),
            // There is no such socket where another provider, or none, is configured.
            Err(_) if !has_votequorum(&maps)? => None,
            Err(error) => return Err(Away::closed("votequorum")(error)),
        };
        let callbacks = cfg::Callbacks {
            corosync_cfg_shutdown_callback_fn: None,
        };
        let cfg = cfg::initialize(&callbacks).map_err(Away::closed("cfg"))?;
        let own_id =
            asked(|| cfg::local_get(&cfg)).map_err(Away::lost("corosync_cfg_local_get"))?;
        let mut connection = Self {
            maps,
            quorum,
            votes,
            cfg,
            tracks: Vec::new(),
            own_id: own_id.into(),
            membership: Membership::default(),
            keys: Keys::default(),
            links: Vec::new(),
        };
        asked(|| quorum::trackstart(&connection.quorum, TrackFlags::Changes))
            .map_err(Away::lost("quorum_trackstart"))?;
        for _ in 0..FIRST_LOOKS {
            connection.dispatch()?;
            if !connection.membership.members.is_empty() {
                return Ok(connection);
            }
            thread::sleep(BETWEEN_FIRST_LOOKS);
        }
        Err(Away::NoMembership)
    }

    /// Has corosync tell what of votes and keys changes; who is a member it tells already.
    pub(super) fn track(&mut self) -> Result<(), Away> {
        if let Some(votes) = &self.votes {
            asked(|| votequorum::trackstart(votes, 0, TrackFlags::Changes))
                .map_err(Away::lost("votequorum_trackstart"))?;
        }
        let any = || cmap::TrackType::ADD | cmap::TrackType::MODIFY | cmap::TrackType::DELETE;
        let below = || any() | cmap::TrackType::PREFIX;
        let branches = TRACKED_BELOW.iter().map(|key| (key, below()));
        for (key, kind) in branches.chain(TRACKED.iter().map(|key| (key, any()))) {
            let kind = || cmap::TrackType::from_bits_retain(kind.bits());
            let track = asked(|| cmap::track_add(&self.maps.icmap, key, kind(), &OF_KEYS, 0));
            self.tracks
                .push(track.map_err(Away::lost("cmap_track_add"))?);
        }
        Ok(())
    }

    /// What becomes readable when there is news.
    pub(super) fn fds(&self) -> Result<Vec<RawFd>, Away> {
        let mut fds = vec![quorum::fd_get(&self.quorum), cmap::fd_get(&self.maps.icmap)];
        fds.extend(self.votes.as_ref().map(votequorum::fd_get));
        let fds: Result<Vec<RawFd>, CsError> = fds.into_iter().collect();
        fds.map_err(Away::lost("fd_get"))
    }

    /// Takes all news that there are.
    pub(super) fn dispatch(&mut self) -> Result<Heard, Away> {
        let this = &*self;
        let mut heard = thread::scope(|scope| {
            let thread = thread::Builder::new()
                .name("corosync-news".to_owned())
                .stack_size(DISPATCH_STACK_BYTES);
            let thread = thread
                .spawn_scoped(scope, || this.take_news())
                .map_err(|error| Away::here(&error))?;
            thread.join().unwrap_or_else(|_| {
                Err(Away::Here {
                    why: "taking its news panicked; this is a bug in quorate-agent".to_owned(),
                })
            })
        })?;
        if let Some(membership) = heard.membership.take() {
            self.membership = membership;
        }
        Ok(heard)
    }

    fn take_news(&self) -> Result<Heard, Away> {
        let all = DispatchFlags::All;
        taken(quorum::dispatch(&self.quorum, all)).map_err(Away::lost("quorum_dispatch"))?;
        if let Some(votes) = &self.votes {
            taken(votequorum::dispatch(votes, all)).map_err(Away::lost("votequorum_dispatch"))?;
        }
        taken(cmap::dispatch(&self.maps.icmap, all)).map_err(Away::lost("cmap_dispatch"))?;
        Ok(HEARD.take())
    }

    /// Reads one part of the maps anew, and tells whether it changed.
    pub(super) fn read(&mut self, part: Part) -> Result<bool, Away> {
        let changed = self.keys.read(&self.maps, part, &self.links)?;
        if part == Part::Configuration {
            self.links = links::to_peers(&self.keys.known, self.own_id);
        }
        Ok(changed)
    }

    /// How many links the measures are read of.
    pub(super) fn link_count(&self) -> usize {
        self.links.len()
    }

    /// The peers, of which each has a link.
    pub(super) fn peers(&self) -> Vec<u32> {
        let mut peers: Vec<u32> = self.links.iter().map(|(node_id, _)| *node_id).collect();
        peers.dedup();
        peers
    }

    /// How the links to one peer are, in one round trip: to be compared with how they were.
    pub(super) fn look_at(&self, peer: u32) -> Result<Option<Seen>, Away> {
        let version = cfg::NodeStatusVersion::V1;
        match asked(|| cfg::node_status_get(&self.cfg, NodeId::from(peer), version)) {
            Ok(status) => Ok(Some(Seen::of(&status))),
            // Corosync does not speak with this node (yet), or is too old to say how.
            Err(
                CsError::CsErrNotExist
                | CsError::CsErrInvalidParam
                | CsError::CsErrNotSupported
                | CsError::CsErrTryAgain,
            ) => Ok(None),
            Err(error) => Err(Away::lost("corosync_cfg_node_status_get")(error)),
        }
    }

    /// Everything that was read of the maps so far, with what the other libraries say now.
    pub(super) fn answer(&self) -> Result<Answer, Away> {
        let quorate = asked(|| quorum::getquorate(&self.quorum));
        let quorate = quorate.map_err(Away::lost("quorum_getquorate"))?;
        let mut problems: Vec<Problem> = self.keys.problems().collect();
        let at = Timestamp::now();
        let map = Cmap {
            keys: self.keys.known.clone(),
        };
        let mut corosync = map::corosync(&map, Some(self.own_id));
        let votes = self.votes_of_members(&mut problems)?;
        let (membership, own_id) = (&self.membership, self.own_id);
        votes::lay(
            &mut corosync,
            membership,
            quorate,
            own_id,
            &votes,
            &mut problems,
        );
        Ok(Answer {
            cmap: Reading::Known {
                value: map,
                at,
                problems: self.keys.problems().collect(),
            },
            corosync: Reading::Known {
                value: corosync,
                at,
                problems,
            },
        })
    }

    fn votes_of_members(
        &self,
        problems: &mut Vec<Problem>,
    ) -> Result<BTreeMap<u32, votequorum::NodeInfo>, Away> {
        let mut known = BTreeMap::new();
        let Some(votes) = &self.votes else {
            return Ok(known);
        };
        let others = self.membership.members.iter().copied();
        let others = others.filter(|node_id| *node_id != self.own_id);
        for node_id in std::iter::once(self.own_id).chain(others.take(MAX_MEMBERS)) {
            match asked(|| votequorum::get_info(votes, NodeId::from(node_id))) {
                Ok(info) => {
                    known.insert(node_id, info);
                }
                Err(error @ (CsError::CsErrNotExist | CsError::CsErrTryAgain)) => {
                    let why = format!("it did not tell the votes of node {node_id}: {error}");
                    problems.push(Problem::whole("libvotequorum", why));
                }
                Err(error) => return Err(Away::lost("votequorum_getinfo")(error)),
            }
        }
        Ok(known)
    }
}

/// Nothing to take is no error.
fn taken(dispatched: rust_corosync::Result<()>) -> rust_corosync::Result<()> {
    match dispatched {
        Err(CsError::CsErrTryAgain) => Ok(()),
        other => other,
    }
}

fn has_votequorum(maps: &Maps) -> Result<bool, Away> {
    // Only votequorum itself writes this key.
    let own_id = maps.count("runtime.votequorum.this_node_id")?;
    Ok(own_id.is_some())
}
