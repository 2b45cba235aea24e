//! `/etc/pve/.members`, as pmxcfs prints it (pve-cluster, src/status.c: cfs_create_memberlist_msg).
//!
//! On a node that is in no cluster it holds only `nodename` and `version`. `nodes` is a number, `nodelist` the
//! nodes by name; `ip` is missing where pmxcfs could not learn it.

use core::net::IpAddr;

use serde_json::{Map, Value};

use crate::fact::members::{MemberNode, Members, MembersCluster};
use crate::name::NodeId;
use crate::parse::json::{Fields, object_of};
use crate::text::{BadLines, Parsed, Unreadable};

/// Reads the list. An object without any of its keys is none.
pub fn parse(text: &str) -> Result<Parsed<Members>, Unreadable> {
    let object = object_of(text)?;
    if !["nodename", "cluster", "nodelist"]
        .iter()
        .any(|key| object.contains_key(*key))
    {
        return Err(Unreadable::foreign(text));
    }
    let mut bad_lines = BadLines::default();
    let members = members(&mut Fields::new(object, &mut bad_lines));
    Ok(bad_lines.with(members))
}

fn members(fields: &mut Fields<'_>) -> Members {
    let nodes = fields.members("nodelist").unwrap_or_default();
    Members {
        node_name: fields.node("nodename"),
        version: fields.number("version"),
        cluster: cluster(fields),
        nodes: node_list(fields, nodes),
    }
}

fn cluster(fields: &mut Fields<'_>) -> Option<MembersCluster> {
    let value = fields.take("cluster")?;
    let mut fields = fields.inside("cluster", value)?;
    Some(MembersCluster {
        name: fields.text("name"),
        config_version: fields.number("version"),
        nodes: fields.number("nodes"),
        quorate: fields.yes_or_no("quorate"),
    })
}

fn node_list(fields: &mut Fields<'_>, list: Map<String, Value>) -> Vec<MemberNode> {
    let mut nodes = Vec::new();
    for (key, value) in list {
        let Some(name) = fields.node_key(&key, &value) else {
            continue;
        };
        let mut node = MemberNode {
            name,
            id: None,
            online: None,
            ip: None,
        };
        if let Some(mut fields) = fields.inside(&key, value) {
            node.id = id(&mut fields);
            node.online = fields.yes_or_no("online");
            node.ip = ip(&mut fields);
        }
        nodes.push(node);
    }
    // Nodes whose id is unknown come last.
    nodes.sort_by(|a, b| (a.id.is_none(), a.id, &a.name).cmp(&(b.id.is_none(), b.id, &b.name)));
    nodes
}

fn id(fields: &mut Fields<'_>) -> Option<NodeId> {
    let id: u32 = fields.number("id")?;
    let read = NodeId::new(id).ok();
    if read.is_none() {
        fields.refuse("id", &Value::from(id), "a node id is never zero");
    }
    read
}

fn ip(fields: &mut Fields<'_>) -> Option<IpAddr> {
    let text = fields.text("ip")?;
    let read = text.parse().ok();
    if read.is_none() {
        fields.refuse("ip", &Value::from(text), "it is not an IP address");
    }
    read
}

#[cfg(test)]
mod tests {
    //! The fixtures are written after what pmxcfs' source prints; none is a capture.

    use super::*;

    const FOUR: &str = include_str!("../../fixtures/members/written-four-nodes");
    const ALONE: &str = include_str!("../../fixtures/members/written-standalone");

    #[track_caller]
    fn read(text: &str) -> Members {
        let parsed = parse(text).unwrap();
        assert_eq!(parsed.bad_lines, [], "{text}");
        parsed.value
    }

    #[track_caller]
    fn check_bad(text: &str, quoted: &str) -> Members {
        let parsed = parse(text).unwrap();
        let quotes: Vec<_> = parsed
            .bad_lines
            .iter()
            .map(|bad| bad.line.as_str())
            .collect();
        assert_eq!(quotes, [quoted]);
        parsed.value
    }

    #[test]
    fn a_cluster_is_read_whole() {
        let members = read(FOUR);
        assert_eq!(members.node_name.unwrap().as_str(), "pve-01");
        assert_eq!(members.version, Some(23));
        let cluster = members.cluster.unwrap();
        assert_eq!(cluster.name.as_deref(), Some("lab"));
        assert_eq!(cluster.config_version, Some(8));
        assert_eq!((cluster.nodes, cluster.quorate), (Some(4), Some(true)));
        let nodes: Vec<_> = members
            .nodes
            .iter()
            .map(|node| {
                (
                    node.name.as_str(),
                    node.id.unwrap().get(),
                    node.online.unwrap(),
                )
            })
            .collect();
        let expected = [
            ("pve-01", 1, true),
            ("pve-02", 2, true),
            ("pve-03", 3, false),
            ("pve-04", 4, true),
        ];
        assert_eq!(nodes, expected);
        assert_eq!(members.nodes[3].ip.unwrap().to_string(), "2001:db8::14");
        assert_eq!(members.nodes[2].ip, None);
    }

    #[test]
    fn a_node_alone_has_no_cluster_and_that_is_known() {
        let members = read(ALONE);
        assert_eq!(members.node_name.unwrap().as_str(), "pve");
        assert_eq!((members.cluster, members.nodes.len()), (None, 0));
    }

    #[test]
    fn one_bad_node_does_not_lose_the_others() {
        let members = check_bad(
            r#"{"nodelist":{"a":{"id":1,"online":1},"b":"gone","c":{"id":3,"online":0}}}"#,
            r#"b: "gone""#,
        );
        assert_eq!(members.nodes.len(), 3);
        assert_eq!(members.nodes[2].online, None);
        check_bad(r#"{"nodelist":{"a b":{"id":1}}}"#, "a b: an object");
    }

    #[test]
    fn a_bad_value_is_unknown_and_said() {
        let nodes = check_bad(r#"{"nodelist":{"a":{"id":0,"online":1}}}"#, "a.id: 0").nodes;
        assert_eq!((nodes[0].id, nodes[0].online), (None, Some(true)));
        check_bad(r#"{"nodelist":{"a":{"ip":"ten"}}}"#, r#"a.ip: "ten""#);
        check_bad(r#"{"nodelist":{"a":{"online":2}}}"#, "a.online: 2");
        check_bad(r#"{"nodelist":{"a":{"id":-1}}}"#, "a.id: -1");
        let members = check_bad(
            r#"{"nodename":"a","cluster":{"quorate":"\ufffd"}}"#,
            "cluster.quorate: \"\u{fffd}\"",
        );
        assert_eq!(members.cluster.unwrap().quorate, None);
        check_bad(r#"{"nodename":"a","cluster":1}"#, "cluster: 1");
        check_bad(r#"{"nodename":"a","nodelist":[]}"#, "nodelist: a list of 0");
    }

    #[test]
    fn numbers_may_be_texts() {
        let text = r#"{"nodename":"a","version":"7","cluster":{"nodes":"2","quorate":"0"},"nodelist":{"a":{"id":"1","online":true}}}"#;
        let members = read(text);
        assert_eq!(members.version, Some(7));
        assert_eq!(members.cluster.unwrap().quorate, Some(false));
        assert_eq!(members.nodes[0].online, Some(true));
    }

    #[test]
    fn blanks_and_line_ends_change_nothing() {
        assert_eq!(read(&FOUR.replace('\n', "\r\n")), read(FOUR));
        assert_eq!(read(&FOUR.replace(' ', "\t")), read(FOUR));
        assert_eq!(read(FOUR.trim_end()), read(FOUR));
    }

    #[test]
    fn what_is_broken_or_something_else_is_no_member_list() {
        assert_eq!(parse(""), Err(Unreadable::Empty));
        let half: String = FOUR.chars().take(120).collect();
        assert!(matches!(parse(&half), Err(Unreadable::BadLine(_))));
        for foreign in [
            "{}",
            "[1]",
            "{\"version\":1}",
            "cat: /etc/pve/.members: No such file or directory",
        ] {
            assert!(
                matches!(parse(foreign), Err(Unreadable::Foreign { .. })),
                "{foreign}"
            );
        }
    }
}
