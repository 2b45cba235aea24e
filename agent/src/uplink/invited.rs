//! When the cluster's join file is seen to (`identity/join_file.rs`): where corosync says that it is up to this node,
//! when the nodelist has changed, and now and then. A corosync.conf that is not to be relied on changes nothing.

use std::time::Duration;

use model::fact::corosync::Corosync;
use model::name::NodeName;
use model::reading::Reading;
use model::report::{Fact, Family};
use tokio::time::Instant;

use super::board::Board;
use crate::identity::join_file::is_up_to_this_node;

/// Where there is nothing to do, only the file is read. What failed is tried again then.
const EVERY: Duration = Duration::from_secs(1800);

/// The join file, as one stream sees to it.
#[derive(Debug, Default)]
pub(super) struct Invited {
    nodelist: Vec<NodeName>,
    again: Option<Instant>,
}

impl Invited {
    /// What corosync says and all names of corosync.conf, if it is time to see to the file.
    pub(super) fn due(&mut self, board: &Board, now: Instant) -> Option<(Corosync, Vec<NodeName>)> {
        let nodelist = names(board)?;
        if self.again.is_some_and(|again| now < again) && self.nodelist == nodelist {
            return None;
        }
        let corosync = board.newest(Family::Corosync)?;
        let Fact::Corosync(Reading::Known { value, .. }) = &*corosync.fact else {
            return None;
        };
        if !is_up_to_this_node(value) {
            return None;
        }
        (self.nodelist, self.again) = (nodelist.clone(), Some(now + EVERY));
        Some((value.clone(), nodelist))
    }
}

/// A name that stands in a line that cannot be read would be missing, and shut its node out.
fn names(board: &Board) -> Option<Vec<NodeName>> {
    let conf = board.newest(Family::CorosyncConf)?;
    let Fact::CorosyncConf(Reading::Known {
        value, problems, ..
    }) = &*conf.fact
    else {
        return None;
    };
    let names = value.cluster.as_ref()?.node_names()?;
    (problems.is_empty() && !names.is_empty()).then_some(names)
}

#[cfg(test)]
pub(super) mod tests;
