//! corosync.conf, read the way corosync reads it (man corosync.conf(5), exec/coroparse.c): sections in braces,
//! `key: value` lines, `#` only at the start of a line, and of two settings of one key the later holds.
//! What corosync would refuse to start with (a number that is none, a brace too many) is a bad line here.

use std::str::FromStr;

use crate::fact::corosync_conf::{
    ConfNode, CorosyncConf, Device, QuorumSection, Totem, TotemInterface,
};
use crate::name::LinkNumber;
use crate::text::{BadLine, BadLines, Line, Parsed, SECRET, Unreadable, lines, unended_line};

/// The sections that stand in no other one; a text without any of them is no corosync.conf.
const SECTIONS: [&str; 11] = [
    "totem",
    "nodelist",
    "quorum",
    "logging",
    "resources",
    "system",
    "nozzle",
    "uidgid",
    "service",
    "aisexec",
    "amf",
];
/// How deep sections are followed; corosync knows three levels.
const MAX_DEPTH: usize = 16;

/// Reads one corosync.conf.
pub fn parse(text: &str) -> Result<Parsed<CorosyncConf>, Unreadable> {
    let mut reader = Reader {
        conf: CorosyncConf::default(),
        path: Vec::new(),
        too_deep: 0,
        has_section: false,
    };
    let mut bad_lines = BadLines::default();
    let mut last = Line {
        number: 1,
        text: "",
    };
    let unended = unended_line(text);
    for line in lines(text) {
        last = line;
        // A value at the very end of a file in an open section may be a part of one; below it is said that it was cut.
        let is_cut = unended == Some(line.number) && !reader.path.is_empty();
        if is_cut && line.key_value().is_some() {
            continue;
        }
        bad_lines.keep(reader.line(line));
    }
    if !reader.has_section {
        return Err(Unreadable::foreign(text));
    }
    if let Some(section) = reader.path.last() {
        bad_lines.push(BadLine::new(
            last,
            format!("the section {section:?} is never closed"),
        ));
    }
    Ok(bad_lines.with(reader.conf))
}

struct Reader {
    conf: CorosyncConf,
    /// The sections that are open, outermost first.
    path: Vec<String>,
    /// How many more are open, which are passed over.
    too_deep: usize,
    has_section: bool,
}

impl Reader {
    fn line(&mut self, line: Line<'_>) -> Result<(), BadLine> {
        let text = line.text.trim();
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        if let Some((section, rest)) = text.split_once('{') {
            return self.open(line, section.trim_end_matches([' ', '\t', ':']), rest);
        }
        if let Some((key, value)) = line.key_value() {
            return match self.too_deep {
                0 => self.setting(line, key, value),
                _ => Ok(()),
            };
        }
        if !text.contains('}') {
            return Err(BadLine::new(
                line,
                "it is no section, no setting and no closing brace",
            ));
        }
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return Ok(());
        }
        match self.path.pop() {
            _ if text != "}" => Err(BadLine::new(
                line,
                "there is more than a closing brace in it",
            )),
            None => Err(BadLine::new(line, "no section is open here")),
            Some(_) => Ok(()),
        }
    }

    fn open(&mut self, line: Line<'_>, section: &str, rest: &str) -> Result<(), BadLine> {
        self.has_section |= self.path.is_empty() && SECTIONS.contains(&section);
        if self.path.len() >= MAX_DEPTH {
            self.too_deep += 1;
            return Err(BadLine::new(line, "it is a section in too many others"));
        }
        self.path.push(section.to_owned());
        match self.path.join(".").as_str() {
            "nodelist.node" => self.conf.nodes.push(ConfNode::default()),
            "totem.interface" => self.conf.totem.interfaces.push(TotemInterface::default()),
            "quorum.device" => {
                self.conf.quorum.device.get_or_insert_default();
            }
            _ => {}
        }
        if section.is_empty() {
            return Err(BadLine::new(line, "the section has no name"));
        }
        if !rest.trim().is_empty() {
            return Err(BadLine::new(
                line,
                "corosync takes nothing behind an opening brace",
            ));
        }
        Ok(())
    }

    fn setting(&mut self, line: Line<'_>, key: &str, value: &str) -> Result<(), BadLine> {
        let path = self.path.join(".");
        let known = match path.as_str() {
            "totem" => totem(&mut self.conf.totem, line, key, value)?,
            "totem.interface" => match self.conf.totem.interfaces.last_mut() {
                Some(interface) => interface_setting(interface, line, key, value)?,
                None => false,
            },
            "nodelist.node" => match self.conf.nodes.last_mut() {
                Some(node) => node_setting(node, line, key, value)?,
                None => false,
            },
            "quorum" => quorum(&mut self.conf.quorum, line, key, value)?,
            "quorum.device" => device(self.device(), line, key, value)?,
            _ if path.starts_with("quorum.device.") => {
                device_model(self.device(), &path, key, value)
            }
            _ => false,
        };
        if !known {
            let value = match (path.as_str(), key) {
                ("totem", "key") => SECRET,
                _ => value,
            };
            let path = if path.is_empty() {
                key.to_owned()
            } else {
                format!("{path}.{key}")
            };
            self.conf
                .other
                .entry(path)
                .or_default()
                .push(value.to_owned());
        }
        Ok(())
    }

    fn device(&mut self) -> &mut Device {
        self.conf.quorum.device.get_or_insert_default()
    }
}

fn totem(totem: &mut Totem, line: Line<'_>, key: &str, value: &str) -> Result<bool, BadLine> {
    match key {
        "version" => totem.version = Some(line.number(value, "the version")?),
        "cluster_name" => totem.cluster_name = Some(value.to_owned()),
        "config_version" => totem.config_version = Some(line.number(value, "the version")?),
        "transport" => totem.transport = Some(value.to_owned()),
        "ip_version" => totem.ip_version = Some(value.to_owned()),
        "link_mode" => totem.link_mode = Some(value.to_owned()),
        "secauth" => totem.secauth = Some(value.to_owned()),
        "token" => totem.token_ms = Some(line.number(value, "the time")?),
        "token_coefficient" => totem.token_coefficient_ms = Some(line.number(value, "the time")?),
        "consensus" => totem.consensus_ms = Some(line.number(value, "the time")?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn interface_setting(
    interface: &mut TotemInterface,
    line: Line<'_>,
    key: &str,
    value: &str,
) -> Result<bool, BadLine> {
    match key {
        "linknumber" | "ringnumber" => interface.link = Some(line.number(value, "the link")?),
        "bindnetaddr" => interface.bind_address = Some(value.to_owned()),
        "knet_link_priority" => interface.priority = Some(line.number(value, "the priority")?),
        "knet_transport" => interface.knet_transport = Some(value.to_owned()),
        _ => {
            interface.other.insert(key.to_owned(), value.to_owned());
        }
    }
    Ok(true)
}

fn node_setting(
    node: &mut ConfNode,
    line: Line<'_>,
    key: &str,
    value: &str,
) -> Result<bool, BadLine> {
    match key {
        "name" => node.name = Some(value.to_owned()),
        "nodeid" => match line.number(value, "the node id")? {
            0 => return Err(BadLine::new(line, "a node id is never zero")),
            id => node.node_id = Some(id),
        },
        "quorum_votes" => node.votes = Some(line.number(value, "the vote count")?),
        _ => match ring_number(key) {
            Some(link) => {
                node.addresses.insert(link, value.to_owned());
            }
            None => return Ok(false),
        },
    }
    Ok(true)
}

/// `ring0_addr` is link 0.
fn ring_number(key: &str) -> Option<LinkNumber> {
    LinkNumber::from_str(key.strip_prefix("ring")?.strip_suffix("_addr")?).ok()
}

fn quorum(
    quorum: &mut QuorumSection,
    line: Line<'_>,
    key: &str,
    value: &str,
) -> Result<bool, BadLine> {
    match key {
        "provider" => quorum.provider = Some(value.to_owned()),
        "expected_votes" => quorum.expected_votes = Some(line.number(value, "the vote count")?),
        "votes" => quorum.votes = Some(line.number(value, "the vote count")?),
        "two_node" => quorum.two_node = Some(switch(line, value)?),
        "wait_for_all" => quorum.wait_for_all = Some(switch(line, value)?),
        "last_man_standing" => quorum.last_man_standing = Some(switch(line, value)?),
        "last_man_standing_window" => {
            quorum.last_man_standing_window_ms = Some(line.number(value, "the time")?);
        }
        "auto_tie_breaker" => quorum.auto_tie_breaker = Some(switch(line, value)?),
        "auto_tie_breaker_node" => quorum.auto_tie_breaker_node = Some(value.to_owned()),
        "allow_downscale" => quorum.allow_downscale = Some(switch(line, value)?),
        "expected_votes_tracking" => quorum.expected_votes_tracking = Some(switch(line, value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// corosync takes a number from 0 to 255 here, and neither `yes` nor `on`.
fn switch(line: Line<'_>, value: &str) -> Result<bool, BadLine> {
    match value.parse::<u8>() {
        Ok(number) => Ok(number != 0),
        Err(_) => Err(BadLine::new(line, "corosync takes only 0 or 1 here")),
    }
}

fn device(device: &mut Device, line: Line<'_>, key: &str, value: &str) -> Result<bool, BadLine> {
    match key {
        "model" => device.model = Some(value.to_owned()),
        "votes" => device.votes = Some(line.number(value, "the vote count")?),
        "timeout" => device.timeout_ms = Some(line.number(value, "the time")?),
        "sync_timeout" => device.sync_timeout_ms = Some(line.number(value, "the time")?),
        _ => {
            device.other.insert(key.to_owned(), value.to_owned());
        }
    }
    Ok(true)
}

/// Settings of the device's model: `quorum.device.net.host`.
fn device_model(device: &mut Device, path: &str, key: &str, value: &str) -> bool {
    let value = value.to_owned();
    match (path, key) {
        ("quorum.device.net", "host") => device.host = Some(value),
        ("quorum.device.net", "algorithm") => device.algorithm = Some(value),
        ("quorum.device.net", "tie_breaker") => device.tie_breaker = Some(value),
        _ => {
            let below = path.strip_prefix("quorum.device.").unwrap_or(path);
            device.other.insert(format!("{below}.{key}"), value);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    #[test]
    fn braces_without_end_cost_no_more_than_their_lines() {
        let text = format!("totem {{\n{}version: 2\n", "a {\n".repeat(200_000));
        let parsed = super::parse(&text).unwrap();
        assert_eq!(parsed.value.totem.version, None);
        let closed = format!(
            "totem {{\n{}{}version: 2\n}}\n",
            "a {\n".repeat(50),
            "}\n".repeat(50)
        );
        assert_eq!(super::parse(&closed).unwrap().value.totem.version, Some(2));
    }

    #[test]
    fn the_key_of_the_cluster_is_no_fact() {
        let parsed = super::parse("totem {\n  key: abcdef\n  keyfile: /etc/k\n}\n").unwrap();
        assert_eq!(parsed.value.other["totem.key"], ["(secret)"]);
        assert_eq!(parsed.value.other["totem.keyfile"], ["/etc/k"]);
    }

    #[test]
    fn what_only_has_colons_and_braces_is_foreign() {
        for text in ["a: b\n", "{\"a\": 1}\n", "other {\n  a: b\n}\n"] {
            assert!(super::parse(text).is_err(), "{text}");
        }
    }

    use super::*;

    fn conf(text: &str) -> CorosyncConf {
        let parsed = parse(text).unwrap();
        assert_eq!(parsed.bad_lines, [], "{text}");
        parsed.value
    }

    #[track_caller]
    fn check_bad(text: &str, line_number: usize, why: &str) {
        let bad_lines = parse(text).unwrap().bad_lines;
        assert_eq!(bad_lines.len(), 1, "{bad_lines:?}");
        assert_eq!(bad_lines[0].line_number, line_number);
        assert!(bad_lines[0].why.contains(why), "{}", bad_lines[0]);
    }

    const PVE: &str = include_str!("../../fixtures/corosync_conf/pve-8-nodes-2-links.conf");

    #[test]
    fn a_proxmox_file_is_read_whole() {
        let conf = conf(PVE);
        assert_eq!(conf.totem.cluster_name.as_deref(), Some("lab"));
        assert_eq!(conf.totem.config_version, Some(8));
        assert_eq!(conf.nodes.len(), 8);
        assert_eq!(conf.nodes[7].name.as_deref(), Some("pve-08"));
        assert_eq!(conf.nodes[7].addresses[&1], "10.21.0.18");
        assert_eq!(conf.totem.interfaces.len(), 2);
        assert_eq!(conf.quorum.provider.as_deref(), Some("corosync_votequorum"));
        assert_eq!(conf.other["logging.to_syslog"], ["yes"]);
    }

    #[test]
    fn crlf_and_a_missing_final_newline_change_nothing() {
        assert_eq!(conf(&PVE.replace('\n', "\r\n")), conf(PVE));
        assert_eq!(conf(PVE.trim_end()), conf(PVE));
    }

    #[test]
    fn a_qdevice_is_read_with_its_host_and_algorithm() {
        let text = "quorum {\n device {\n  model: net\n  votes: 1\n  net {\n   host: 10.0.0.9\n   \
                    algorithm: ffsplit\n   tls: on\n  }\n }\n}\n";
        let device = conf(text).quorum.device.unwrap();
        assert_eq!(device.model.as_deref(), Some("net"));
        assert_eq!(device.host.as_deref(), Some("10.0.0.9"));
        assert_eq!(device.algorithm.as_deref(), Some("ffsplit"));
        assert_eq!(device.other["net.tls"], "on");
    }

    #[test]
    fn what_corosync_would_refuse_is_a_bad_line_with_its_number() {
        check_bad("quorum {\n two_node: yes\n}\n", 2, "only 0 or 1");
        check_bad("quorum {\n expected_votes: eight\n}\n", 2, "not a number");
        check_bad(
            "nodelist {\n node { name: x\n }\n}\n",
            2,
            "behind an opening brace",
        );
        check_bad("nodelist {\n node {\n  nodeid: 0\n }\n}\n", 3, "never zero");
        check_bad("totem {\n version: 2\n", 2, "never closed");
        check_bad("totem {\n}\n}\n", 3, "no section is open");
        check_bad("totem {\n just words\n}\n", 2, "no setting");
    }

    #[test]
    fn an_empty_or_foreign_text_is_no_configuration() {
        assert_eq!(parse(" \n"), Err(Unreadable::Empty));
        assert!(matches!(parse("hello"), Err(Unreadable::Foreign { .. })));
    }

    #[test]
    fn a_value_that_a_cut_file_ends_with_is_not_believed() {
        let cut = "totem {\n  version: 2\n  config_version: 1";
        let parsed = parse(cut).unwrap();
        assert_eq!(parsed.value.totem.version, Some(2));
        assert_eq!(parsed.value.totem.config_version, None);
        assert_eq!(parsed.bad_lines.len(), 1);
        let whole = parse(&format!("{cut}7\n}}")).unwrap();
        assert_eq!(whole.value.totem.config_version, Some(17));
        assert_eq!(whole.bad_lines, []);
    }
}
