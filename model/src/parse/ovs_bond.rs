//! `ovs-appctl bond/show` (Open vSwitch: ofproto/bond.c `bond_print_details`): what ovs-vswitchd knows of its bonds.
//!
//! A line `---- bond0 ----` begins a bond, `member eno1: enabled` a member of it; before version 2.15 members were
//! called slaves. What only counts down (`next rebalance`) or says how hashing works is skipped.

use crate::fact::ovs::{OvsBond, OvsBondMember, OvsBondMode, OvsLacpStatus};
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable, lines};

/// Nobody has so many; what comes behind is a bad line.
const MAX_BONDS: usize = 256;
const MAX_MEMBERS: usize = 256;

/// Reads one answer. An empty one is none: without a bond ovs-vswitchd says nothing, as does a capture that failed.
pub fn parse(text: &str) -> Result<Parsed<Vec<OvsBond>>, Unreadable> {
    let mut bonds: Vec<OvsBond> = Vec::new();
    let mut bad_lines = BadLines::default();
    for line in lines(text).filter(|line| !line.is_blank()) {
        bad_lines.keep(take(&mut bonds, line));
    }
    if bonds.is_empty() {
        return Err(Unreadable::complaint_in(text, |line| {
            line.starts_with("ovs-appctl:") || line.ends_with("command not found")
        }));
    }
    Ok(bad_lines.with(bonds))
}

fn take(bonds: &mut Vec<OvsBond>, line: Line<'_>) -> Result<(), BadLine> {
    let text = line.text.trim();
    if let Some(name) = text.strip_prefix("---- ") {
        let name = name.strip_suffix(" ----").filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| BadLine::new(line, "the name of the bond is cut off"))?;
        if bonds.len() >= MAX_BONDS {
            return Err(BadLine::new(line, "too many bonds"));
        }
        bonds.push(OvsBond::new(name));
        return Ok(());
    }
    // Before the first bond stands nothing that is ours.
    let Some(bond) = bonds.last_mut() else {
        return Ok(());
    };
    if matches!(text, "active member" | "active slave") {
        bond.active_member = bond.members.last().map(|member| member.name.clone());
        return Ok(());
    }
    let Some((key, value)) = line.key_value() else {
        return Ok(());
    };
    let member = key
        .strip_prefix("member ")
        .or(key.strip_prefix("slave "))
        .map(str::trim);
    match (member, key) {
        (Some(name), _) => {
            if bond.members.len() >= MAX_MEMBERS {
                return Err(BadLine::new(line, "too many members"));
            }
            bond.members.push(OvsBondMember {
                name: name.to_owned(),
                enabled: None,
                may_enable: None,
            });
            let enabled = either(line, value, "enabled", "disabled")?;
            if let Some(member) = bond.members.last_mut() {
                member.enabled = Some(enabled);
            }
        }
        (None, "may_enable") => {
            let may_enable = either(line, value, "true", "false")?;
            let member = bond.members.last_mut();
            member
                .ok_or_else(|| BadLine::new(line, "no member stands before it"))?
                .may_enable = Some(may_enable);
        }
        (None, "bond_mode") => bond.mode = Some(OvsBondMode::from_word(value)),
        (None, "lacp_status") => bond.lacp_status = Some(OvsLacpStatus::from_word(value)),
        _ => {}
    }
    Ok(())
}

fn either(line: Line<'_>, value: &str, yes: &str, no: &str) -> Result<bool, BadLine> {
    match value {
        _ if value == yes => Ok(true),
        _ if value == no => Ok(false),
        _ => Err(BadLine::new(line, format!("it is neither {yes} nor {no}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEGOTIATED: &str =
        include_str!("../../fixtures/ovs_bond/ovs-3.1.0-two-bonds-negotiated.txt");
    const ONE_DOWN: &str = include_str!("../../fixtures/ovs_bond/ovs-3.1.0-one-member-down.txt");
    const BACKUP: &str =
        include_str!("../../fixtures/ovs_bond/ovs-3.1.0-active-backup-no-device.txt");

    #[track_caller]
    fn bond(text: &str, name: &str) -> OvsBond {
        let parsed = parse(text).unwrap();
        assert_eq!(parsed.bad_lines, [], "{text}");
        let mut bonds = parsed.value.into_iter();
        bonds.find(|bond| bond.name == name).unwrap()
    }

    fn members(bond: &OvsBond) -> Vec<(&str, Option<bool>, Option<bool>)> {
        let members = bond.members.iter();
        members
            .map(|member| (member.name.as_str(), member.enabled, member.may_enable))
            .collect()
    }

    #[test]
    fn a_bond_says_its_mode_its_lacp_and_which_member_is_active() {
        let bond0 = bond(NEGOTIATED, "bond0");
        assert_eq!(bond0.mode, Some(OvsBondMode::BalanceTcp));
        assert_eq!(bond0.lacp_status, Some(OvsLacpStatus::Negotiated));
        assert_eq!(bond0.active_member.as_deref(), Some("a0"));
        let up = (Some(true), Some(true));
        assert_eq!(members(&bond0), [("a0", up.0, up.1), ("a1", up.0, up.1)]);
        let bond1 = bond(NEGOTIATED, "bond1");
        assert_eq!(bond1.mode, Some(OvsBondMode::BalanceSlb));
        assert_eq!(bond1.active_member.as_deref(), Some("b0"));
        let backup = bond(BACKUP, "bond0");
        assert_eq!(backup.mode, Some(OvsBondMode::ActiveBackup));
        assert_eq!(backup.lacp_status, Some(OvsLacpStatus::Off));
    }

    #[test]
    fn a_member_that_is_down_is_disabled() {
        let bond0 = bond(ONE_DOWN, "bond0");
        assert_eq!(members(&bond0)[1], ("a1", Some(false), Some(false)));
        assert_eq!(members(&bond0)[0].1, Some(true));
    }

    #[test]
    fn members_were_called_slaves_before() {
        let old = NEGOTIATED.replace("member", "slave");
        assert_eq!(bond(&old, "bond0"), bond(NEGOTIATED, "bond0"));
    }

    #[test]
    fn no_answer_is_not_no_bond() {
        assert_eq!(parse(""), Err(Unreadable::Empty));
        let said = "ovs-appctl: cannot read pidfile \"/run/openvswitch/ovs-vswitchd.pid\"";
        assert_eq!(parse(said), Err(Unreadable::tool_failed(said)));
        let torn = "---- bond0 ----\nbond_mode: balance-new\nmember eno1: enab\n";
        let parsed = parse(torn).unwrap();
        assert_eq!(parsed.bad_lines.len(), 1);
        assert_eq!(parsed.value[0].members[0].enabled, None);
        assert!(matches!(parsed.value[0].mode, Some(OvsBondMode::Other(_))));
    }
}
