//! corosync's lines (exec/*.c of corosync 2.4 and 3.1, libknet's logging). Each names its subsystem first:
//! `[KNET  ] link: host: 2 link: 0 is down`.

use crate::fact::journal::Event;
use crate::parse::journal::quorum;
use crate::parse::journal::scan::{Told, decimal, find, fit, leading_number, node_ids, number};

pub(super) fn tell(message: &str) -> Told {
    let Some((subsystem, what)) = subsystem(message) else {
        return Ok(None);
    };
    match subsystem {
        "KNET" => knet(what),
        "TOTEM" => totem(what),
        "QUORUM" => quorum::tell(what),
        "VOTEQ" => quorum::tell_votes(what),
        "MAIN" | "SERV" => main(what),
        "CFG" => cfg(what),
        "CMAP" => cmap(what),
        _ => Ok(None),
    }
}

/// `[KNET  ] text`, behind a level in some outputs (`notice  [KNET  ] text`), with `file.c:123 ` before the text
/// where the configuration says `fileline: on`.
fn subsystem(message: &str) -> Option<(&str, &str)> {
    let message = message.trim_start();
    let from_bracket = match message.split_once('[') {
        Some(("", rest)) => rest,
        Some((level, rest))
            if level
                .trim_end()
                .bytes()
                .all(|byte| byte.is_ascii_lowercase()) =>
        {
            rest
        }
        _ => return None,
    };
    let (subsystem, what) = from_bracket.split_once(']')?;
    let what = what.trim_start();
    let what = match what.split_once(' ') {
        Some((place, rest)) if is_file_line(place) => rest,
        _ => what,
    };
    Some((subsystem.trim_end(), what))
}

fn is_file_line(word: &str) -> bool {
    word.split_once(':').is_some_and(|(file, line)| {
        (file.ends_with(".c") || file.ends_with(".h"))
            && line.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn knet(what: &str) -> Told {
    // libknet's own part stands first: `link: `, `rx: `, `host: `, `pmtud: `, `udp: `.
    let (part, what) = what.split_once(": ").unwrap_or(("", what));
    if part == "pmtud" {
        return path_mtu(what);
    }
    let event = if let Some([host, link]) = fit(what, "host: {} link: {} is down") {
        Event::KnetLinkDown {
            node_id: node(host)?,
            link: number(link, "the link")?,
        }
    } else if let Some([host, link]) = fit(what, "host: {} link: {} is up") {
        Event::KnetLinkUp {
            node_id: node(host)?,
            link: number(link, "the link")?,
        }
    } else if let Some([host]) = fit(what, "host: {} has no active links") {
        Event::KnetNoActiveLinks {
            node_id: node(host)?,
        }
    } else if let Some([host, links]) = fit(what, "host: {} has {} active links") {
        Event::KnetActiveLinks {
            node_id: node(host)?,
            links: number(links, "the count")?,
        }
    } else if let Some([host, _, link, priority]) =
        fit(what, "host: {} ({}) best link: {} (pri: {})")
    {
        Event::KnetBestLink {
            node_id: node(host)?,
            link: number(link, "the link")?,
            link_priority: number(priority, "the priority")?,
        }
    } else if let Some([link, host]) = fit(what, "Resetting MTU for link {} because host {} joined")
    {
        Event::KnetMtuReset {
            node_id: node(host)?,
            link: number(link, "the link")?,
        }
    } else if let Some([from]) = fit(what, "Packet rejected from {}") {
        Event::KnetPacketRejected {
            from: from.trim().to_owned(),
        }
    } else {
        return Ok(None);
    };
    Ok(Some(event))
}

fn path_mtu(what: &str) -> Told {
    let event = if let Some([mtu, host, link]) = find(
        what,
        "kernel is reporting MTU: {} bytes for host {} link {} but the other node",
    ) {
        Event::KnetMtuMisconfigured {
            node_id: node(host)?,
            link: number(link, "the link")?,
            kernel_mtu_bytes: number(mtu, "the MTU")?,
        }
    } else if let Some([host, link, from, to]) = fit(
        what,
        "PMTUD link change for host: {} link: {} from {} to {}",
    ) {
        Event::KnetLinkMtu {
            node_id: node(host)?,
            link: number(link, "the link")?,
            from_bytes: number(from, "the MTU")?,
            to_bytes: number(to, "the MTU")?,
        }
    } else if let Some([mtu]) = fit(what, "Global data MTU changed to: {}") {
        Event::KnetDataMtu {
            mtu_bytes: number(mtu, "the MTU")?,
        }
    } else {
        return Ok(None);
    };
    Ok(Some(event))
}

fn totem(what: &str) -> Told {
    if let Some([list]) = fit(what, "Retransmit List:{}") {
        return retransmit(list);
    }
    if let Some([ring_id, changes]) = fit(what, "A new membership ({}) was formed. Members{}") {
        return membership(ring_id, changes);
    }
    let event = if let Some([ms]) = fit(what, "Token has not been received in {} ms") {
        Event::TotemTokenLate {
            after_ms: number(ms, "the time")?,
        }
    } else if let Some([token, consensus]) = fit(
        what,
        "A processor failed, forming new configuration: token timed out ({}ms), waiting {}ms for consensus",
    ) {
        Event::TotemProcessorFailed {
            token_ms: Some(number(token, "the time")?),
            consensus_ms: Some(number(consensus, "the time")?),
        }
    } else if what.starts_with("A processor failed, forming new configuration") {
        Event::TotemProcessorFailed {
            token_ms: None,
            consensus_ms: None,
        }
    } else if let Some([ms]) = fit(what, "The consensus timeout expired ({}ms)") {
        Event::TotemConsensusTimeout {
            after_ms: Some(number(ms, "the time")?),
        }
    } else if what.starts_with("The consensus timeout expired") {
        Event::TotemConsensusTimeout { after_ms: None }
    } else if let Some([state]) = fit(what, "The token was lost in the {} state") {
        Event::TotemTokenLost {
            state: state.to_owned(),
        }
    } else if let Some([failed]) = fit(what, "Failed to receive the leave message.{}") {
        let failed = failed
            .trim_start()
            .strip_prefix("failed:")
            .unwrap_or(failed);
        Event::TotemLeaveMessageMissed {
            failed: node_ids(failed)?,
        }
    } else if let Some([ms]) = fit(what, "Process pause detected for {} ms") {
        Event::TotemPause {
            pause_ms: number(ms, "the time")?,
        }
    } else if what.starts_with("FAILED TO RECEIVE") {
        Event::TotemFailedToReceive
    } else if let Some([ring, address]) = fit(what, "Marking ringid {} interface {} FAULTY") {
        Event::RingFaulty {
            ring: number(ring, "the ring")?,
            address: address.to_owned(),
        }
    } else if let Some([ring]) = fit(what, "Automatically recovered ring {}") {
        Event::RingRecovered {
            ring: leading_number(ring, "the ring")?,
        }
    } else if what.starts_with("The network interface is down") {
        Event::TotemInterfaceDown
    } else if let Some([address]) = fit(what, "The network interface [{}] is now up") {
        Event::TotemInterfaceUp {
            address: address.to_owned(),
        }
    } else {
        return cfg(what);
    };
    Ok(Some(event))
}

fn retransmit(list: &str) -> Told {
    let list: Vec<String> = list.split_ascii_whitespace().map(str::to_owned).collect();
    if let Some(odd) = list
        .iter()
        .find(|number| !number.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return Err(format!("{odd:?} is not a sequence number"));
    }
    let messages = u32::try_from(list.len()).unwrap_or(u32::MAX);
    Ok(Some(Event::TotemRetransmit { messages, list }))
}

/// ` joined: 2 3 left: 1`, either part or both missing.
fn membership(ring_id: &str, changes: &str) -> Told {
    let (joined, left) = match changes.split_once("left:") {
        Some((joined, left)) => (joined, left),
        None => (changes, ""),
    };
    let joined = joined.trim().trim_start_matches("joined:");
    Ok(Some(Event::TotemMembership {
        ring_id: ring_id.to_owned(),
        joined: node_ids(joined)?,
        left: node_ids(left)?,
    }))
}

fn main(what: &str) -> Told {
    let event = if let Some([rest]) = fit(what, "Corosync main process was not scheduled {}") {
        return not_scheduled(rest);
    } else if let Some([version]) = fit(what, "Corosync Cluster Engine {} starting up") {
        Event::CorosyncStarted {
            version: Some(version.to_owned()),
        }
    } else if let Some([version]) = fit(what, "Corosync Cluster Engine ('{}'): started and ready") {
        Event::CorosyncStarted {
            version: Some(version.to_owned()),
        }
    } else if what.starts_with("Completed service synchronization") {
        Event::CorosyncSynchronized
    } else if what.starts_with("Node was shut down by a signal") {
        Event::CorosyncShutDownBySignal
    } else if what.starts_with("Corosync Cluster Engine exiting normally") {
        Event::CorosyncExiting { status: None }
    } else if let Some([status]) = fit(what, "Corosync Cluster Engine exiting with status {} at ") {
        Event::CorosyncExiting {
            status: Some(number(status, "the status")?),
        }
    } else if let Some([why]) = fit(what, "Totem is unable to form a cluster because of {}") {
        Event::TotemCannotForm {
            why: why.to_owned(),
        }
    } else if let Some([ms]) = fit(what, "Process pause detected for {} ms") {
        Event::TotemPause {
            pause_ms: number(ms, "the time")?,
        }
    } else {
        return Ok(None);
    };
    Ok(Some(event))
}

/// `(@1700000000000) for 4321.1234 ms (threshold is 800.0000 ms). …`; without the stamp before corosync 3.1.
fn not_scheduled(rest: &str) -> Told {
    let Some([pause, rest]) = find(rest, "for {} ms{}") else {
        return Err("it states no time".to_owned());
    };
    let threshold = find(rest, "threshold is {} ms").map(|[threshold]| threshold);
    Ok(Some(Event::CorosyncNotScheduled {
        pause_ms: decimal(pause, "the time")?,
        threshold_ms: threshold.map(|ms| decimal(ms, "the time")).transpose()?,
    }))
}

fn cfg(what: &str) -> Told {
    if let Some([link, rest]) = find(what, "ew config has different address for link {} {}") {
        let [running, configured] = find(rest, "addr changed from {} to {})")
            .map_or([None, None], |found: [&str; 2]| {
                found.map(|address| Some(address.to_owned()))
            });
        let link = leading_number(link, "the link")?;
        return Ok(Some(Event::ConfigAddressIgnored {
            link,
            running,
            configured,
        }));
    }
    let event = if let Some([id]) = fit(what, "Node {} was shut down by sysadmin") {
        Event::NodeShutDownByAdmin { node_id: node(id)? }
    } else if let Some([id]) = fit(what, "Config reload requested by node {}") {
        Event::ConfigReload {
            node_id: leading_number(id, "the node id")?,
        }
    } else if let Some([id, why]) =
        fit(what, "Killed by node {} : {}").or_else(|| fit(what, "Killed by node {}: {}"))
    {
        Event::CorosyncKilledByNode {
            node_id: node(id)?,
            why: why.trim().to_owned(),
        }
    } else if let Some([key]) = fit(
        what,
        "Modified entry '{}' in corosync.conf cannot be changed",
    ) {
        Event::ConfigKeyIgnored {
            key: key.to_owned(),
        }
    } else {
        return Ok(None);
    };
    Ok(Some(event))
}

fn cmap(what: &str) -> Told {
    if let Some([received, own]) = fit(
        what,
        "Received config version ({}) is different than my config version ({})",
    ) {
        return Ok(Some(Event::ConfigVersionDiffers {
            received: number(received, "the version")?,
            own: number(own, "the version")?,
        }));
    }
    if let Some([version, id]) = fit(what, "Received config version {} from node {}") {
        return Ok(Some(Event::ConfigVersionReceived {
            version: number(version, "the version")?,
            node_id: leading_number(id, "the node id")?,
        }));
    }
    // TOTEM, CFG and CMAP have each spoken of a changed configuration in some version.
    cfg(what)
}

fn node(id: &str) -> Result<u32, String> {
    number(id, "the node id")
}
