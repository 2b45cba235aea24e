//! How HA is configured: `/etc/pve/ha/resources.cfg`, `groups.cfg` and `rules.cfg` (pve-ha-manager, PVE/HA/Config.pm and
//! PVE/HA/Rules), and of `/etc/pve/datacenter.cfg` what decides about shutdowns and migrations (pve-cluster,
//! PVE/DataCenterConfig.pm).

use crate::fact::ha_config::{
    Affinity, Datacenter, HaGroup, HaResource, HaRule, HaRuleKind, RequestedState, ShutdownPolicy,
};
use crate::parse::section_config::{property, sections};
use crate::text::{BadLines, Parsed, Unreadable, lines};

/// The keys of `datacenter.cfg` that are read; others can hold a password.
pub const DATACENTER_KEYS: &[&str] = &[
    "ha",
    "migration",
    "migration_unsecure",
    "replication",
    "max_workers",
    "crs",
    "fencing",
];

pub fn parse_resources(text: &str) -> Result<Parsed<Vec<HaResource>>, Unreadable> {
    let mut bad_lines = BadLines::default();
    let mut resources = Vec::new();
    for section in sections(text, &mut bad_lines)? {
        resources.push(HaResource {
            id: format!("{}:{}", section.kind, section.id),
            group: section.text("group"),
            state: section.text("state").map(RequestedState::from),
            max_restart: section.number("max_restart", &mut bad_lines),
            max_relocate: section.number("max_relocate", &mut bad_lines),
            failback: section.flag("failback", &mut bad_lines),
        });
    }
    Ok(bad_lines.with(resources))
}

pub fn parse_groups(text: &str) -> Result<Parsed<Vec<HaGroup>>, Unreadable> {
    let mut bad_lines = BadLines::default();
    let mut groups = Vec::new();
    for section in sections(text, &mut bad_lines)? {
        groups.push(HaGroup {
            id: section.id.to_owned(),
            nodes: section.nodes("nodes", &mut bad_lines).unwrap_or_default(),
            restricted: section.flag("restricted", &mut bad_lines) == Some(true),
            no_failback: section.flag("nofailback", &mut bad_lines) == Some(true),
        });
    }
    Ok(bad_lines.with(groups))
}

pub fn parse_rules(text: &str) -> Result<Parsed<Vec<HaRule>>, Unreadable> {
    let mut bad_lines = BadLines::default();
    let mut rules = Vec::new();
    for section in sections(text, &mut bad_lines)? {
        rules.push(HaRule {
            id: section.id.to_owned(),
            kind: HaRuleKind::from_word(section.kind),
            resources: section.list("resources"),
            disabled: section.flag("disable", &mut bad_lines) == Some(true),
            nodes: section.nodes("nodes", &mut bad_lines).unwrap_or_default(),
            strict: section.flag("strict", &mut bad_lines) == Some(true),
            affinity: section.text("affinity").map(Affinity::from),
        });
    }
    Ok(bad_lines.with(rules))
}

/// Reads `datacenter.cfg`: `key: value` lines, of which each is optional. Lines with other keys are skipped.
pub fn parse_datacenter(text: &str) -> Result<Parsed<Datacenter>, Unreadable> {
    let mut bad_lines = BadLines::default();
    let mut datacenter = Datacenter::default();
    let mut anything = false;
    for line in lines(text) {
        if line.is_blank() || line.text.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.key_value() else {
            continue;
        };
        anything |= !key.contains(' ');
        let part = |name: &str| property(value, name).map(str::to_owned);
        match key {
            "ha" => datacenter.shutdown_policy = part("shutdown_policy").map(ShutdownPolicy::from),
            "migration" => {
                datacenter.migration_type = part("type").or(part(""));
                datacenter.migration_network = part("network");
            }
            "migration_unsecure" if value == "1" && datacenter.migration_type.is_none() => {
                datacenter.migration_type = Some("insecure".to_owned());
            }
            "replication" => datacenter.replication_network = part("network"),
            "max_workers" => {
                datacenter.max_workers = bad_lines.keep(line.number(value, "the number"));
            }
            "crs" => datacenter.scheduler = part("ha"),
            "fencing" => datacenter.fencing = Some(value.to_owned()),
            _ => {}
        }
    }
    if !anything && lines(text).any(|line| !line.is_blank() && !line.text.starts_with('#')) {
        return Err(Unreadable::foreign(text));
    }
    Ok(bad_lines.with(datacenter))
}

#[cfg(test)]
mod tests {
    //! The fixtures are written after what Proxmox VE's sources read; none is a capture.

    use super::*;
    use crate::name::NodeName;

    const RESOURCES: &str = include_str!("../../fixtures/ha_config/written-resources.cfg");
    const GROUPS: &str = include_str!("../../fixtures/ha_config/written-pve8-groups.cfg");
    const RULES: &str = include_str!("../../fixtures/ha_config/written-pve9-rules.cfg");
    const DATACENTER: &str = include_str!("../../fixtures/ha_config/written-datacenter.cfg");

    #[track_caller]
    fn whole<T>(parsed: Result<Parsed<T>, Unreadable>) -> T {
        let parsed = parsed.unwrap();
        assert_eq!(parsed.bad_lines, []);
        parsed.value
    }

    fn node(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    #[test]
    fn resources_are_read() {
        let resources = whole(parse_resources(RESOURCES));
        assert_eq!(
            (resources[0].id.as_str(), resources[0].group.as_deref()),
            ("vm:100", Some("east"))
        );
        assert_eq!(resources[0].state, Some(RequestedState::Started));
        assert_eq!(
            (resources[1].max_restart, resources[1].failback),
            (Some(3), Some(false))
        );
        assert_eq!(
            (resources[2].id.as_str(), resources[2].state.clone()),
            ("vm:102", None)
        );
    }

    #[test]
    fn groups_and_rules_are_read() {
        let groups = whole(parse_groups(GROUPS));
        assert_eq!(
            groups[0].nodes,
            [(node("pve-01"), Some(2)), (node("pve-02"), None)]
        );
        assert!(groups[0].restricted && !groups[0].no_failback && groups[1].no_failback);
        let rules = whole(parse_rules(RULES));
        assert_eq!(rules[0].kind, HaRuleKind::NodeAffinity);
        assert_eq!((rules[0].strict, rules[0].disabled), (true, false));
        assert_eq!(rules[0].nodes[1], (node("pve-02"), Some(1)));
        assert_eq!(rules[1].affinity, Some(Affinity::Negative));
        assert_eq!(rules[1].resources, ["vm:100", "ct:101"]);
        assert!(rules[1].disabled);
    }

    #[test]
    fn of_the_datacenters_options_only_those_that_decide_are_kept() {
        let datacenter = whole(parse_datacenter(DATACENTER));
        assert_eq!(datacenter.shutdown_policy, Some(ShutdownPolicy::Migrate));
        assert_eq!(datacenter.migration_type.as_deref(), Some("secure"));
        assert_eq!(
            datacenter.migration_network.as_deref(),
            Some("10.60.0.0/24")
        );
        assert_eq!(
            (datacenter.max_workers, datacenter.scheduler.as_deref()),
            (Some(4), Some("static"))
        );
        assert!(DATACENTER.contains("hunter2"));
        assert!(
            !serde_json::to_string(&datacenter)
                .unwrap()
                .contains("hunter2")
        );
        assert_eq!(
            whole(parse_datacenter("keyboard: de\n")),
            Datacenter::default()
        );
        assert_eq!(whole(parse_datacenter("")), Datacenter::default());
        let short = whole(parse_datacenter("migration: insecure\n"));
        assert_eq!(short.migration_type.as_deref(), Some("insecure"));
    }

    #[test]
    fn one_bad_line_does_not_lose_the_others() {
        let parsed =
            parse_groups("group: a\n\tnodes a b,x!y:1,c:two\n\trestricted maybe\n").unwrap();
        assert_eq!(parsed.bad_lines.len(), 3);
        assert_eq!(parsed.value[0].nodes.len(), 3);
        let parsed = parse_datacenter("max_workers: many\nha: shutdown_policy=freeze\n").unwrap();
        assert_eq!(parsed.bad_lines.len(), 1);
        assert_eq!(parsed.value.shutdown_policy, Some(ShutdownPolicy::Freeze));
        assert!(parse_datacenter("Transport endpoint is not connected\n").is_err());
    }
}
