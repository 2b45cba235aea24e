//! Open vSwitch, where it runs: its configuration database (OVSDB over `db.sock`), and its bonds as ovs-vswitchd knows
//! them (its control socket, which `ovs-appctl` speaks to as well). In a capture: what `ovs-vsctl show` and
//! `ovs-appctl bond/show` printed.

mod monitor;
#[cfg(test)]
mod tests;

use model::fact::ovs::{Ovs, OvsBond};
use model::parse::{ovs_bond, ovs_vsctl, ovsdb};
use model::reading::Reading;
use serde_json::Value;

use crate::host::{Command, Host, Text};
use crate::source::gather::Gathering;

pub(crate) use monitor::listen;

pub(crate) const COMMANDS: &[Command] = &[SHOW, BOND_SHOW];

/// Its deadline is the host's: with `--timeout` a captured file would not be named as everybody names it.
const SHOW: Command = Command {
    path: "/usr/bin/ovs-vsctl",
    args: &["show"],
    words: &["show"],
};

const BOND_SHOW: Command = Command {
    path: "/usr/bin/ovs-appctl",
    args: &["bond/show"],
    words: &["bond%show", "bond-show", "bond"],
};

pub(crate) const DATABASE_SOCKET: &str = "run/openvswitch/db.sock";
/// Holds the number in the name of its control socket.
const VSWITCHD_PID: &str = "run/openvswitch/ovs-vswitchd.pid";
const ASK_BONDS: &str = r#"{"method":"bond/show","params":[],"id":0}"#;

/// Absent: Open vSwitch does not run here. Failed: it does, but its database does not answer.
pub(crate) fn collect(host: &Host) -> Reading<Ovs> {
    let mut gathering = Gathering::default();
    let ovs = if host.is_captured() {
        captured(host, &mut gathering)
    } else {
        live(host, &mut gathering)
    };
    gathering.finish(ovs)
}

fn live(host: &Host, gathering: &mut Gathering) -> Option<Ovs> {
    let found = host.call(DATABASE_SOCKET, &ovsdb::request());
    let text = gathering.found(DATABASE_SOCKET, found)?;
    let mut ovs = gathering.take(&text, ovsdb::parse(&text.text))?;
    ovs.bonds = live_bonds(host, gathering, &ovs);
    Some(ovs)
}

fn live_bonds(host: &Host, gathering: &mut Gathering, ovs: &Ovs) -> Option<Vec<OvsBond>> {
    let text = gathering.found(VSWITCHD_PID, host.read(VSWITCHD_PID));
    let pid = text.and_then(|text| text.text.trim().parse::<u32>().ok());
    let Some(pid) = pid else {
        gathering.remark(
            VSWITCHD_PID,
            "ovs-vswitchd does not run: bonds stay unknown",
        );
        return None;
    };
    let socket = format!("run/openvswitch/ovs-vswitchd.{pid}.ctl");
    let Some(mut text) = gathering.found(&socket, host.call(&socket, ASK_BONDS)) else {
        gathering.remark(&socket, "ovs-vswitchd cannot be asked: bonds stay unknown");
        return None;
    };
    match result_of(&text.text) {
        Ok(said) => text.text = said,
        Err(why) => {
            gathering.remark(&socket, why);
            return None;
        }
    }
    bonds(gathering, &text, ovs)
}

/// The text in an answer such as `{"id":0,"result":"---- bond0 ----\n…","error":null}`.
fn result_of(answer: &str) -> Result<String, String> {
    let answer: Value = serde_json::from_str(answer).map_err(|error| error.to_string())?;
    match (answer.get("result"), answer.get("error")) {
        (Some(Value::String(text)), _) => Ok(text.clone()),
        (_, Some(error)) if !error.is_null() => Err(format!("ovs-vswitchd refused: {error}")),
        _ => Err("ovs-vswitchd gave an answer without a result".to_owned()),
    }
}

/// An empty text is no bond, unless the database holds one.
fn bonds(gathering: &mut Gathering, text: &Text, ovs: &Ovs) -> Option<Vec<OvsBond>> {
    let mut ports = ovs.bridges.iter().flat_map(|bridge| &bridge.ports);
    if text.text.trim().is_empty() && !ports.any(|port| port.interfaces.len() > 1) {
        return Some(Vec::new());
    }
    gathering.take(text, ovs_bond::parse(&text.text))
}

fn captured(host: &Host, gathering: &mut Gathering) -> Option<Ovs> {
    let mut ovs: Option<Ovs> = None;
    for text in gathering.ask(host, &SHOW) {
        // One node has one database; of several captures the one with more bridges is the whole one.
        let read = gathering.take(&text, ovs_vsctl::parse(&text.text));
        if let Some(read) = read
            && ovs
                .as_ref()
                .is_none_or(|ovs| ovs.bridges.len() < read.bridges.len())
        {
            ovs = Some(read);
        }
    }
    let texts = gathering.ask(host, &BOND_SHOW);
    // Bonds without the database are still known.
    let mut ovs = match (ovs, texts.is_empty()) {
        (None, true) => return None,
        (ovs, _) => ovs.unwrap_or_default(),
    };
    for text in texts {
        ovs.bonds = bonds(gathering, &text, &ovs).or(ovs.bonds.take());
    }
    Some(ovs)
}
