//! `/etc/pve/priv/quorate/join.json`: the invitation that one node leaves for all others of its cluster, which Proxmox VE
//! itself carries to them.
//!
//! Its token is good only for names in the cluster's corosync.conf, for each once. While the cluster is quorate, the
//! agent on the node with the lowest id asks for a new token when half of the old one's life is over, or when
//! corosync.conf lists other nodes than it was made for, so that a node that is added next year enrols, too. What somebody removed (`quorate-agent leave --cluster`) is not made again.

use jiff::Timestamp;
use model::fact::corosync::Corosync;
use model::identity::ClusterId;
use model::name::NodeName;
use proto::token::{BadToken, Fingerprint, JoinToken};
use serde::{Deserialize, Serialize};
use tokio::task::JoinError;
use tonic::transport::Channel;

use super::enrolled::Enrolled;
use super::exchange::{ClusterToken, ExchangeError, cluster_token, connect_enrolled};
use crate::host::{Edit, Host, HostError};

const PATH: &str = "etc/pve/priv/quorate/join.json";
/// More collectors than that no cluster has.
const MAX_COLLECTORS: usize = 8;

#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinFileError {
    #[error("the join file is not to be had")]
    Read(#[source] HostError),
    #[error("the join file cannot be changed; writing to /etc/pve needs a quorate cluster")]
    Write(#[source] HostError),
    #[error(
        "the join file /{PATH} makes no sense; write it anew with `quorate-agent join ... --cluster`"
    )]
    Damaged(#[source] serde_json::Error),
    #[error("the join file holds invitations of {MAX_COLLECTORS} collectors, and takes no more")]
    Full,
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error("the thread for it broke off")]
    Thread(#[from] JoinError),
}

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JoinFile {
    pub(crate) cluster: ClusterId,
    pub(crate) collectors: Vec<Standing>,
}

/// A standing invitation of one collector. The fingerprint of its CA is in the token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// The collector's id.
    pub(crate) collector: String,
    /// HOST:PORT of its Enrolment listener, to be tried in this order.
    pub(crate) enrolment_addresses: Vec<String>,
    token: String,
    /// Whom the token is good for.
    nodelist: Vec<NodeName>,
    made_unix_s: i64,
    not_after_unix_s: i64,
}

/// Hides the token.
impl std::fmt::Debug for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Standing({}, ..)", self.collector)
    }
}

impl Standing {
    pub(crate) fn token(&self) -> Result<JoinToken, BadToken> {
        self.token.parse()
    }

    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.not_after_unix_s <= now.as_second()
    }

    /// Is half of its life over, is it for others than these, or does it name another CA than the one that signs?
    fn wants_renewal(
        &self,
        nodelist: &[NodeName],
        ca: Option<Fingerprint>,
        now: Timestamp,
    ) -> bool {
        let is_of = |token: &JoinToken| ca.is_none_or(|ca| token.ca() == ca);
        if !self.token().is_ok_and(|token| is_of(&token)) {
            return true;
        }
        let life_s = self.not_after_unix_s.saturating_sub(self.made_unix_s);
        self.nodelist != nodelist || self.made_unix_s.saturating_add(life_s / 2) <= now.as_second()
    }
}

impl JoinFile {
    /// `None`: there is none.
    pub(crate) fn read(host: &Host) -> Result<Option<Self>, JoinFileError> {
        let text = host.read(PATH).map_err(JoinFileError::Read)?;
        let parsed = text.map(|text| serde_json::from_str(&text.text));
        parsed.transpose().map_err(JoinFileError::Damaged)
    }

    fn standing(&self, collector_id: &str) -> Option<&Standing> {
        let mut all = self.collectors.iter();
        all.find(|standing| standing.collector == collector_id)
    }

    fn to_edit(&self) -> Edit {
        // A struct of texts and numbers can always be written; if not, what is there stays.
        serde_json::to_vec_pretty(self).map_or(Edit::Leave, Edit::Write)
    }
}

/// What became of the join file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewed {
    /// The cluster is not known to be quorate, or another node sees to it.
    NotOurs,
    /// There is no invitation of this collector, and none is wanted.
    NoInvitation,
    /// It is good for a while.
    NotYet,
    Until(Timestamp),
}

/// Asks the collector for an invitation, and lays it where all nodes of the cluster find it; hands out when it ends.
pub(crate) async fn ask(
    enrolled: &Enrolled,
    nodelist: &[NodeName],
    now: Timestamp,
) -> Result<Standing, JoinFileError> {
    let (address, channel) = connect_enrolled(enrolled, now).await?;
    let token = cluster_token(channel, &address, nodelist).await?;
    Ok(standing(enrolled, token, nodelist, now))
}

/// Writes it; invitations of other collectors to the same cluster stay.
pub(crate) fn put(
    host: &Host,
    cluster: &ClusterId,
    standing: Standing,
) -> Result<Timestamp, JoinFileError> {
    let cluster = cluster.clone();
    let until = Timestamp::from_second(standing.not_after_unix_s).unwrap_or(Timestamp::MAX);
    let put = host.edit(PATH, move |text| {
        // What makes no sense, or is of a cluster that this one was made from, is written over.
        let file = text.and_then(|text| serde_json::from_str::<JoinFile>(text).ok());
        let file = file.filter(|file| file.cluster == cluster);
        let mut collectors = file.map(|file| file.collectors).unwrap_or_default();
        collectors.retain(|other| other.collector != standing.collector);
        if collectors.len() >= MAX_COLLECTORS {
            return (Edit::Leave, Err(JoinFileError::Full));
        }
        collectors.push(standing);
        let file = JoinFile {
            cluster,
            collectors,
        };
        (file.to_edit(), Ok(until))
    });
    put.map_err(JoinFileError::Write)?
}

/// Removes the file, or of several invitations that of one collector; false if there was nothing to remove.
pub(crate) fn remove(host: &Host, collector_id: Option<&str>) -> Result<bool, JoinFileError> {
    let wanted = collector_id.map(str::to_owned);
    let removed = host.edit(PATH, move |text| {
        let Some(text) = text else {
            return (Edit::Leave, Ok(false));
        };
        let Some(wanted) = wanted else {
            return (Edit::Remove, Ok(true));
        };
        let mut file: JoinFile = match serde_json::from_str(text) {
            Ok(file) => file,
            Err(error) => return (Edit::Leave, Err(JoinFileError::Damaged(error))),
        };
        let before = file.collectors.len();
        file.collectors.retain(|one| one.collector != wanted);
        match file.collectors.len() {
            0 => (Edit::Remove, Ok(true)),
            left if left == before => (Edit::Leave, Ok(false)),
            _ => (file.to_edit(), Ok(true)),
        }
    });
    removed.map_err(JoinFileError::Write)?
}

/// Renews the invitation of this collector if it is time and up to this node. To be called now and then by the running
/// agent; it asks nobody and reads only the file where there is nothing to do. `ca` signed what the collector showed on
/// this channel, if that is known.
pub(crate) async fn renew_join_file(
    host: Host,
    channel: Channel,
    enrolled: &Enrolled,
    (corosync, nodelist): (&Corosync, &[NodeName]),
    ca: Option<Fingerprint>,
    now: Timestamp,
) -> Result<Renewed, JoinFileError> {
    if !is_up_to_this_node(corosync) {
        return Ok(Renewed::NotOurs);
    }
    let read = move || (JoinFile::read(&host), host);
    let (file, host) = tokio::task::spawn_blocking(read).await?;
    let file = file?.filter(|file| file.cluster == enrolled.cluster);
    match file
        .as_ref()
        .and_then(|file| file.standing(&enrolled.collector_id))
    {
        None => return Ok(Renewed::NoInvitation),
        Some(standing) if !standing.wants_renewal(nodelist, ca, now) => return Ok(Renewed::NotYet),
        Some(_) => {}
    }
    let address = enrolled.addresses.first().map_or("", String::as_str);
    let token = cluster_token(channel, address, nodelist).await?;
    let new = standing(enrolled, token, nodelist, now);
    tokio::task::spawn_blocking(move || swap(&host, new)).await?
}

/// Puts the new invitation in the place of the old one, if that is still there.
fn swap(host: &Host, new: Standing) -> Result<Renewed, JoinFileError> {
    let until = Timestamp::from_second(new.not_after_unix_s).unwrap_or(Timestamp::MAX);
    let done = host.edit(PATH, move |text| {
        let file = text.and_then(|text| serde_json::from_str::<JoinFile>(text).ok());
        let Some(mut file) = file else {
            return (Edit::Leave, Renewed::NoInvitation);
        };
        let mut all = file.collectors.iter_mut();
        let Some(old) = all.find(|old| old.collector == new.collector) else {
            return (Edit::Leave, Renewed::NoInvitation);
        };
        *old = new;
        (file.to_edit(), Renewed::Until(until))
    });
    done.map_err(JoinFileError::Write)
}

fn standing(
    enrolled: &Enrolled,
    token: ClusterToken,
    nodelist: &[NodeName],
    now: Timestamp,
) -> Standing {
    let ClusterToken {
        token,
        not_after,
        enrolment_addresses,
    } = token;
    Standing {
        collector: enrolled.collector_id.clone(),
        enrolment_addresses,
        token,
        nodelist: nodelist.to_vec(),
        made_unix_s: now.as_second(),
        not_after_unix_s: not_after.as_second(),
    }
}

/// One node is enough: of those that are together, the one with the lowest id. Where quorum or members are not known,
/// it is up to nobody.
pub(crate) fn is_up_to_this_node(corosync: &Corosync) -> bool {
    let members = corosync.members.as_deref().unwrap_or_default();
    let lowest = members.iter().map(|member| member.node_id).min();
    corosync.quorate == Some(true) && lowest.is_some() && lowest == corosync.node_id
}

#[cfg(test)]
mod tests;
