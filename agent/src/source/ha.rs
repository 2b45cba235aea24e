//! The HA manager: its files below `/etc/pve`, how it is configured, and in a capture what `ha-manager status` said. A live
//! node is not asked for that: it costs a second of Perl, and tells what these files hold.
//! Without quorum the files are yesterday's and reading them does not fail: the time stamps inside tell.

use std::collections::BTreeMap;

use model::fact::ha::{Ha, HaStatus, LrmStatus};
use model::fact::ha_config::HaConfig;
use model::name::NodeName;
use model::parse::{ha_config, ha_status, lrm_status};
use model::reading::Reading;
use model::text::{BadLine, Line, Parsed, Unreadable};

use crate::host::{Command, Host, Text};
use crate::source::gather::Gathering;
use crate::source::members::own_name;

const STATUS: Command = Command {
    path: "/usr/sbin/ha-manager",
    args: &["status"],
    words: &["status"],
};
pub(crate) const COMMANDS: &[Command] = &[STATUS];

const NODES: &str = "etc/pve/nodes";
/// A link to the directory of this node, which a capture may hold as a directory of its own.
const LOCAL: &str = "etc/pve/local/lrm_status";
const MANAGER: &str = "etc/pve/ha/manager_status";
const RESOURCES: &str = "etc/pve/ha/resources.cfg";
const GROUPS: &str = "etc/pve/ha/groups.cfg";
const RULES: &str = "etc/pve/ha/rules.cfg";
const DATACENTER: &str = "etc/pve/datacenter.cfg";
pub(crate) const FILES: &[&str] = &[
    "etc/pve/nodes/*/lrm_status",
    LOCAL,
    MANAGER,
    RESOURCES,
    GROUPS,
    RULES,
    DATACENTER,
];

/// Absent: nobody has used HA here.
pub(crate) fn collect(host: &Host) -> Reading<Ha> {
    let mut gathering = Gathering::default();
    let mut ha = Ha {
        status: status(host, &mut gathering),
        lrm: lrms(host, &mut gathering),
        manager: gathering
            .found(MANAGER, host.read(MANAGER))
            .and_then(|text| gathering.take(&text, lrm_status::parse_manager_status(&text.text))),
        config: config(host, &mut gathering),
    };
    fill_from_verbose(&mut ha);
    let something = ha.status.is_some()
        || ha.manager.is_some()
        || !ha.lrm.is_empty()
        || ha.config != HaConfig::default();
    gathering.finish(something.then_some(ha))
}

fn config(host: &Host, gathering: &mut Gathering) -> HaConfig {
    HaConfig {
        resources: read(host, gathering, RESOURCES, ha_config::parse_resources),
        groups: read(host, gathering, GROUPS, ha_config::parse_groups),
        rules: read(host, gathering, RULES, ha_config::parse_rules),
        datacenter: read(host, gathering, DATACENTER, ha_config::parse_datacenter),
    }
}

fn read<T>(
    host: &Host,
    gathering: &mut Gathering,
    path: &str,
    parse: fn(&str) -> Result<Parsed<T>, Unreadable>,
) -> Option<T> {
    let text = gathering.found(path, host.read(path))?;
    gathering.take(&text, parse(&text.text))
}

/// Of several captured answers the one with the JSON of `--verbose` holds, else the one with the most lines.
fn status(host: &Host, gathering: &mut Gathering) -> Option<HaStatus> {
    let mut richest: Option<HaStatus> = None;
    if !host.is_captured() {
        return None;
    }
    for text in gathering.ask(host, &STATUS) {
        let read = gathering.take(&text, ha_status::parse(&text.text));
        let rank = |status: &HaStatus| {
            let lines = status.lrms.len() + status.services.len();
            (status.full.is_some(), lines)
        };
        richest = match (richest, read) {
            (Some(known), Some(read)) if rank(&read) > rank(&known) => Some(read),
            (known, read) => known.or(read),
        };
    }
    richest
}

fn lrms(host: &Host, gathering: &mut Gathering) -> BTreeMap<NodeName, LrmStatus> {
    let mut lrms = BTreeMap::new();
    for name in gathering.found(NODES, host.list(NODES)).unwrap_or_default() {
        let path = format!("{NODES}/{name}/lrm_status");
        if let Some(text) = gathering.found(&path, host.read(&path))
            && let Some((node, status)) = gathering.take(&text, named(&name, &text))
        {
            lrms.insert(node, status);
        }
    }
    // The same text as one of the above, unless the capture holds only the link.
    if lrms.is_empty()
        && let Some(text) = gathering.found(LOCAL, host.read(LOCAL))
    {
        let name = own_name(host, gathering).unwrap_or_default();
        lrms.extend(gathering.take(&text, named(&name, &text)));
    }
    lrms
}

fn named(name: &str, text: &Text) -> Result<Parsed<(NodeName, LrmStatus)>, Unreadable> {
    let line = Line {
        number: 1,
        text: &text.source,
    };
    let node = NodeName::new(name).map_err(|bad| BadLine::new(line, bad.to_string()))?;
    let status = lrm_status::parse(&text.text)?;
    Ok(status.map(|status| (node, status)))
}

/// What the tool read from the same files serves where a file itself is not there.
fn fill_from_verbose(ha: &mut Ha) {
    let Some(full) = ha.status.as_ref().and_then(|status| status.full.as_ref()) else {
        return;
    };
    if ha.manager.is_none() {
        ha.manager.clone_from(&full.manager);
    }
    for (node, status) in &full.lrm {
        ha.lrm.entry(node.clone()).or_insert_with(|| status.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use model::fact::ha::{Armed, LrmState};

    use super::*;

    #[track_caller]
    fn read(files: &[(&str, &str)]) -> Reading<Ha> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let full = root.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, text).unwrap();
        }
        collect(&Host::captured(root.path()).unwrap())
    }

    #[track_caller]
    fn known(files: &[(&str, &str)]) -> Ha {
        match read(files) {
            Reading::Known {
                value, problems, ..
            } => {
                assert_eq!(problems, []);
                value
            }
            other => panic!("{other:?}"),
        }
    }

    fn node(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    const ACTIVE: &str = r#"{"mode":"active","state":"active","timestamp":1700000000}"#;
    const IDLE: &str = r#"{"mode":"active","state":"wait_for_agent_lock","timestamp":1700000000}"#;

    #[test]
    fn every_node_is_read_from_its_own_directory() {
        let ha = known(&[
            ("etc/pve/nodes/pve1/lrm_status", ACTIVE),
            ("etc/pve/nodes/pve2/lrm_status", IDLE),
            ("etc/pve/nodes/pve3/config", ""),
            ("etc/pve/local/lrm_status", ACTIVE),
            ("commands/ha-manager_status", "quorum OK\n"),
            ("commands/ha-manager_config", "vm:100\n"),
        ]);
        assert_eq!(ha.lrm.len(), 2);
        assert_eq!(ha.armed(&node("pve1")), Armed::Yes);
        assert_eq!(ha.armed(&node("pve2")), Armed::No);
        assert_eq!(ha.armed(&node("pve3")), Armed::Unknown);
    }

    #[test]
    fn a_captured_link_is_given_to_the_node_itself() {
        for whose in [
            ("etc/pve/.members", "{\"nodename\":\"pve7\",\"version\":1}"),
            ("etc/hostname", "pve7.example.org\n"),
        ] {
            let ha = known(&[("etc/pve/local/lrm_status", ACTIVE), whose]);
            assert_eq!(ha.lrm[&node("pve7")].state, Some(LrmState::Active));
        }
        let nobodys = read(&[("etc/pve/local/lrm_status", ACTIVE)]);
        assert!(matches!(nobodys, Reading::Failed { .. }));
    }

    #[test]
    fn the_verbose_answer_fills_what_no_file_tells() {
        let verbose = format!(
            "quorum OK\nfull cluster state:\n{{\"lrm_status\":{{\"pve1\":{IDLE},\"pve2\":{IDLE}}},\
             \"manager_status\":{{\"master_node\":\"pve1\"}}}}"
        );
        let ha = known(&[
            ("etc/pve/nodes/pve1/lrm_status", ACTIVE),
            (
                "commands/ha-manager_status",
                "quorum OK\nservice vm:1 (pve1, started)\n",
            ),
            ("commands/ha-manager_status_-v", &verbose),
        ]);
        assert_eq!(ha.armed(&node("pve1")), Armed::Yes);
        assert_eq!(ha.armed(&node("pve2")), Armed::No);
        assert_eq!(ha.manager.unwrap().master_node, Some(node("pve1")));
    }

    #[test]
    fn the_configuration_is_read_with_the_shutdown_policy() {
        let ha = known(&[
            ("etc/pve/ha/resources.cfg", "vm: 100\n\tstate started\n"),
            (
                "etc/pve/ha/rules.cfg",
                "node-affinity: a\n\tnodes pve1\n\tresources vm:100\n",
            ),
            ("etc/pve/datacenter.cfg", "ha: shutdown_policy=migrate\n"),
        ]);
        assert_eq!(ha.config.resources.unwrap()[0].id, "vm:100");
        assert_eq!(ha.config.rules.unwrap()[0].resources, ["vm:100"]);
        assert_eq!(ha.config.groups, None);
        let policy = ha.config.datacenter.unwrap().shutdown_policy.unwrap();
        assert_eq!(policy.as_str(), "migrate");
    }

    #[test]
    fn an_lrm_in_mode_disarm_is_disarmed_once_the_manager_says_so() {
        let lrm = ACTIVE.replace(r#""mode":"active""#, r#""mode":"disarm""#);
        for (state, armed) in [("disarming", Armed::Unknown), ("disarmed", Armed::No)] {
            let manager =
                format!(r#"{{"timestamp":1,"disarm":{{"mode":"freeze","state":"{state}"}}}}"#);
            let ha = known(&[
                ("etc/pve/nodes/pve1/lrm_status", &lrm),
                ("etc/pve/nodes/pve2/lrm_status", ACTIVE),
                ("etc/pve/ha/manager_status", &manager),
            ]);
            assert_eq!(ha.armed(&node("pve1")), armed, "{state}");
            assert_eq!(ha.armed(&node("pve2")), Armed::Yes, "{state}");
        }
    }

    #[test]
    fn an_error_is_not_taken_for_a_node_without_ha() {
        assert_eq!(read(&[]), Reading::Absent);
        let refused = read(&[(
            "commands/ha-manager_status",
            "ipcc_send_rec[1] failed: Connection refused\n",
        )]);
        assert!(matches!(refused, Reading::Failed { .. }));
        let broken = read(&[("etc/pve/nodes/pve1/lrm_status", "{\"mode\":")]);
        assert!(matches!(broken, Reading::Failed { .. }));
    }
}
