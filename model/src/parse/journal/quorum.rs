//! What corosync says of quorum: its quorum service, votequorum (exec/vsf_quorum.c, exec/votequorum.c), and the
//! qdevice's own program.

use crate::fact::journal::Event;
use crate::parse::journal::scan::{Told, find, fit, leading_number, node_ids, number};

/// Builds an event of the stated length of a list and of the node ids in it.
type ListEvent = fn(u32, Vec<u32>) -> Event;

pub(super) fn tell(what: &str) -> Told {
    if what.starts_with("This node is within the non-primary component") {
        return Ok(Some(Event::QuorumLost));
    }
    if what.starts_with("This node is within the primary component") {
        return Ok(Some(Event::QuorumGained));
    }
    let lists: [(&str, ListEvent); 4] = [
        ("Members[{}]:{}", |total, members| Event::QuorumMembers {
            total,
            members,
        }),
        ("Sync members[{}]:{}", |total, members| Event::SyncMembers {
            total,
            members,
        }),
        ("Sync joined[{}]:{}", |total, members| Event::SyncJoined {
            total,
            members,
        }),
        ("Sync left[{}]:{}", |total, members| Event::SyncLeft {
            total,
            members,
        }),
    ];
    for (pattern, event) in lists {
        if let Some([total, list]) = fit(what, pattern) {
            // A backslash at the end: the list goes on in the next entry.
            let members = node_ids(list.trim_end().trim_end_matches('\\'))?;
            let total: u32 = number(total, "the count")?;
            if members.len() > total as usize {
                return Err(format!(
                    "there are {} ids in a list of {total}",
                    members.len()
                ));
            }
            return Ok(Some(event(total, members)));
        }
    }
    tell_votes(what)
}

pub(super) fn tell_votes(what: &str) -> Told {
    let lower = what.to_ascii_lowercase();
    let event = if let Some([name, ms]) = find(
        what,
        "waiting for quorum device {} poll (but maximum for {} ms)",
    ) {
        Event::QdeviceAwaited {
            name: name.to_owned(),
            at_most_ms: number(ms, "the time")?,
        }
    } else if let Some([name]) = find(what, "lost contact with quorum device {}") {
        Event::QdeviceContactLost {
            name: name.trim().to_owned(),
        }
    } else if let Some([votes, expected]) = find(what, "Current votes: {} expected_votes: {}") {
        Event::WaitingForAllNodes {
            votes: number(votes, "the vote count")?,
            expected_votes: number(expected, "the vote count")?,
        }
    } else if let Some([id]) = fit(what, "wait_for_all_status reset by user on node {}") {
        Event::WaitForAllReset {
            node_id: leading_number(id, "the node id")?,
        }
    } else if lower.starts_with("quorum lost, blocking activity") {
        Event::QuorumActivityBlocked
    } else if lower.starts_with("quorum regained, resuming activity") {
        Event::QuorumActivityResumed
    } else {
        return Ok(None);
    };
    Ok(Some(event))
}

/// corosync-qdevice (qdevices/qdevice-net-*.c).
pub(super) fn tell_qdevice(message: &str) -> Told {
    let lost = [
        "Server didn't send echo reply",
        "Can't connect to qnetd host",
        "Connect timeout",
        "Server closed connection",
    ];
    let told = lost.iter().any(|beginning| message.contains(beginning));
    Ok(told.then(|| Event::QdeviceServerLost {
        why: message.trim().to_owned(),
    }))
}
