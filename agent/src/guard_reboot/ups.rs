//! Services that shut a node down when the battery of its UPS runs out. A block inhibitor stops that, too.

use std::collections::BTreeSet;

use crate::host::{Command, Host, HostError};

/// Each that is there is one block of lines; of an alias systemd tells the unit behind it.
const SHOW: Command = Command {
    path: "/usr/bin/systemctl",
    args: &[
        "show",
        "-p",
        "Id",
        "-p",
        "ActiveState",
        "-p",
        "UnitFileState",
        "nut-monitor.service",
        "nut-client.service",
        "upsmon.service",
        "apcupsd.service",
    ],
    words: &["apcupsd.service"],
};

/// Those that run, or are started with the node.
pub(super) fn services(host: &Host) -> Result<Vec<String>, HostError> {
    let mut found = BTreeSet::new();
    for answer in host.ask(&SHOW)? {
        let text = answer.map_err(|(_, error)| error)?;
        found.extend(in_use(&text.text));
    }
    Ok(found.into_iter().collect())
}

fn in_use(text: &str) -> Vec<String> {
    let units = text.split("\n\n").filter_map(|unit| {
        let value = |key: &str| {
            let mut lines = unit.lines();
            lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        };
        let is_active = matches!(
            value("ActiveState"),
            Some("active" | "activating" | "reloading")
        );
        let is_enabled = value("UnitFileState").is_some_and(|state| state.starts_with("enabled"));
        let state = match (is_active, is_enabled) {
            (true, _) => "active",
            (false, true) => "enabled",
            (false, false) => return None,
        };
        Some(format!("{} ({state})", value("Id")?))
    });
    units.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_or_starts_with_the_node_is_named_and_what_is_not_installed_is_not() {
        let text = "Id=nut-monitor.service\nActiveState=active\nUnitFileState=enabled\n\n\
                    Id=upsmon.service\nActiveState=inactive\nUnitFileState=\n\n\
                    Id=apcupsd.service\nActiveState=failed\nUnitFileState=enabled\n";
        let expect = ["nut-monitor.service (active)", "apcupsd.service (enabled)"];
        assert_eq!(in_use(text), expect);
        assert!(in_use("").is_empty());
    }
}
