//! pmxcfs's lines (pve-cluster: dfsm.c, dcdb.c, status.c, quorum.c). Each names its part and level first:
//! `[status] notice: node lost quorum`.

use crate::fact::journal::{CpgMember, Event};
use crate::parse::journal::scan::{Told, find, fit, leading_number, number};

/// The libraries of corosync whose calls it reports by name: `cpg_dispatch failed: 2`.
const LIBRARIES: [&str; 4] = ["cpg_", "quorum_", "votequorum_", "cmap_"];

pub(super) fn tell(message: &str) -> Told {
    let (domain, what) = domain(message.trim());
    if let Some(event) = call(domain.clone(), what)? {
        return Ok(Some(event));
    }
    let event = match what {
        "node lost quorum" => Event::PmxcfsQuorumLost,
        "node has quorum" => Event::PmxcfsQuorumGained,
        "all data is up to date" => Event::PmxcfsUpToDate { domain },
        // Spelled so by the program.
        "starting data syncronisation" | "starting data synchronization" => {
            Event::PmxcfsSyncStarted { domain }
        }
        _ if what.starts_with("received write while not quorate") => {
            Event::PmxcfsWriteWithoutQuorum { domain }
        }
        _ if what.starts_with("leaving CPG group") || what.ends_with(" left the process group") => {
            Event::PmxcfsLeftGroup { domain }
        }
        _ if what.starts_with("wrong checksum ") => Event::PmxcfsChecksumDiffers { domain },
        _ => return with_values(domain, what),
    };
    Ok(Some(event))
}

fn with_values(domain: Option<String>, what: &str) -> Told {
    let event = if let Some([list]) = fit(what, "members: {}") {
        Event::PmxcfsMembers {
            domain,
            members: members(list)?,
        }
    } else if let Some([list]) = fit(what, "synced members: {}") {
        Event::PmxcfsSynced {
            domain,
            members: members(list)?,
        }
    } else if let Some([name, version]) = find(what, "cluster info (cluster name {}, version = {})")
    {
        Event::PmxcfsClusterConfig {
            name: name.trim().to_owned(),
            version: number(version, "the version")?,
        }
    } else {
        return Ok(None);
    };
    Ok(Some(event))
}

/// Calls to corosync that were repeated or that failed.
fn call(domain: Option<String>, what: &str) -> Told {
    if !LIBRARIES.iter().any(|library| what.starts_with(library)) {
        return Ok(None);
    }
    let event = if let Some([times]) = fit(what, "cpg_send_message retried {} times") {
        Event::PmxcfsSendRetried {
            domain,
            times: number(times, "the count")?,
        }
    } else if let Some([retry]) = fit(what, "cpg_send_message retry {}") {
        Event::PmxcfsSendRetry {
            domain,
            retry: leading_number(retry, "the count")?,
        }
    } else if let Some([retry]) = fit(what, "cpg_join retry {}") {
        Event::PmxcfsJoinRetry {
            domain,
            retry: leading_number(retry, "the count")?,
        }
    } else if let Some([call, error]) = fit(what, "{} failed{}") {
        let error = error.trim_start_matches([':', ' ']).to_owned();
        match call {
            "cpg_send_message" => Event::PmxcfsSendFailed { domain, error },
            "cpg_join" => Event::PmxcfsJoinFailed { domain, error },
            _ => Event::PmxcfsCallFailed {
                domain,
                call: call.to_owned(),
                error,
            },
        }
    } else {
        return Ok(None);
    };
    Ok(Some(event))
}

/// `[dcdb] crit: what`; some outputs leave the bracket out.
fn domain(message: &str) -> (Option<String>, &str) {
    let (domain, rest) = match fit(message, "[{}] {}") {
        Some([domain, rest]) => (Some(domain.to_owned()), rest),
        None => (None, message),
    };
    let what = match rest.split_once(": ") {
        Some(("notice" | "crit" | "critical" | "error" | "warning" | "info" | "debug", what)) => {
            what
        }
        _ => rest,
    };
    (domain, what.trim())
}

/// `1/1234, 2/2345`: node id and process id.
fn members(list: &str) -> Result<Vec<CpgMember>, String> {
    list.split(',')
        .map(|member| {
            let (node_id, pid) = member
                .split_once('/')
                .ok_or_else(|| format!("{member:?} is not a node id and a process id"))?;
            Ok(CpgMember {
                node_id: number(node_id, "the node id")?,
                pid: number(pid, "the process id")?,
            })
        })
        .collect()
}
