//! `lldpcli -f json show neighbors [details]`, and the same with `-f json0` (lldpd: src/client/json_writer.c,
//! src/client/display.c).
//!
//! In `json` an element stands under its name and alone without brackets: one interface is an object, several are
//! an array of objects with one key each; the chassis is keyed by its system name, or stands bare where it sent
//! none. In `json0` everything is an array of objects. `{"lldp": {}}` is lldpd that runs and hears nobody.
//! `show interfaces` has the same frame around this node's *own* ports: it is told apart by `via`, and refused.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::fact::lldp::{
    Capability, Chassis, IdKind, Identifier, Neighbour, NeighbourPort, NeighbourVlan, Protocol,
};
use crate::name::{IfaceName, VlanId};
use crate::parse::json::{Document, Taker, document, items};
use crate::text::{BadLine, Parsed, Unreadable, lines};

/// Reads all neighbours of a node. An empty list is an answer: nobody is heard.
pub fn parse(text: &str) -> Result<Parsed<Vec<Neighbour>>, Unreadable> {
    let complaint = || lines(text).find(|line| is_complaint(line.text));
    let Some(document) = document(text) else {
        return Err(complaint().map_or_else(
            || Unreadable::foreign(text),
            |line| Unreadable::tool_failed(line.text),
        ));
    };
    let Document { value, around } = document?;
    let foreign = || Unreadable::foreign(text);
    let mut reader = Reader::default();
    for answer in answers(&value).ok_or_else(foreign)? {
        let answer = answer.as_object().ok_or_else(foreign)?;
        for element in items(answer.get("interface")) {
            reader.element(element);
        }
    }
    if reader.neighbours.is_empty() {
        // Nobody is heard only if nothing was said that might have been a neighbour, and nothing failed.
        if let Some(line) = around.iter().find(|line| is_complaint(line.text)) {
            return Err(Unreadable::tool_failed(line.text));
        }
        if reader.refused > 0 {
            return Err(foreign());
        }
    }
    let mut bad_lines = reader.taker.bad_lines;
    for line in around {
        bad_lines.push(BadLine::new(line, "it is not part of the JSON"));
    }
    Ok(bad_lines.with(reader.neighbours))
}

/// What stands below `lldp`: one object, or in json0 an array of them.
fn answers(value: &Value) -> Option<&[Value]> {
    match value.get("lldp")? {
        answers @ (Value::Object(_) | Value::Array(_)) => Some(items(Some(answers))),
        _ => None,
    }
}

/// lldpcli's own log lines (`2026-… [WARN/control] unable to connect to socket …`), and the shell's and sudo's.
fn is_complaint(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let signs = [
        "[warn",
        "[crit",
        "[info/lldpctl]",
        "unable to ",
        "permission denied",
        "not found",
        "no such file",
        "an error occurred",
        "connection refused",
        "unknown command",
        "lldpcli:",
        "sudo:",
    ];
    signs.iter().any(|sign| line.contains(sign))
}

#[derive(Default)]
struct Reader {
    neighbours: Vec<Neighbour>,
    taker: Taker,
    /// Elements that are no neighbour, or cannot be read as one.
    refused: usize,
}

impl Reader {
    /// json: `{"eno1": {…}}`, or several interfaces in one object. json0: `{"name": "eno1", …}`.
    fn element(&mut self, element: &Value) {
        let Value::Object(object) = element else {
            return self.refuse("interface", element, "it is not an object");
        };
        if matches!(object.get("name"), Some(Value::String(_))) {
            let name = self.taker.text(object, "name").unwrap_or_default();
            return self.neighbour(&name, element);
        }
        for (name, value) in object {
            for neighbour in items(Some(value)) {
                self.neighbour(name, neighbour);
            }
        }
    }

    fn refuse(&mut self, path: &str, value: &Value, why: &str) {
        self.refused += 1;
        self.taker.bad(path, value, why);
    }

    fn neighbour(&mut self, name: &str, value: &Value) {
        let Value::Object(object) = value else {
            return self.refuse(name, value, "it is not an object");
        };
        let heard = ["via", "rid", "age"]
            .iter()
            .any(|key| object.contains_key(*key));
        let somebody = object.contains_key("chassis") || object.contains_key("port");
        if !heard && (!somebody || object.contains_key("status")) {
            return self.refuse(name, value, "it is not a neighbour");
        }
        let taker = &mut self.taker;
        let interface = IfaceName::new(name);
        if let Err(bad) = &interface {
            taker.bad(
                "interface",
                &Value::String(name.to_owned()),
                &bad.to_string(),
            );
        }
        let vlans = vlans(taker, object);
        let pvid = vlans.iter().find(|vlan| vlan.pvid == Some(true));
        let neighbour = Neighbour {
            interface: interface.ok(),
            via: taker
                .text(object, "via")
                .map(|word| Protocol::from_word(&word)),
            remote_id: taker.number(object, "rid"),
            age: taker.text(object, "age"),
            chassis: chassis(taker, object),
            port: port(taker, object),
            pvid: pvid.and_then(|vlan| vlan.id),
            vlans,
            other: others(
                object,
                &["name", "via", "rid", "age", "chassis", "port", "vlan"],
            ),
        };
        self.neighbours.push(neighbour);
    }
}

fn chassis(taker: &mut Taker, neighbour: &Map<String, Value>) -> Chassis {
    let Some(object) = taker.object(neighbour, "chassis") else {
        return Chassis::default();
    };
    let (key, object) = by_system_name(object);
    let name = key
        .map(str::to_owned)
        .or_else(|| taker.text(object, "name"));
    Chassis {
        id: identifier(taker, object),
        name: name.filter(|name| !name.is_empty()),
        description: taker.text(object, "descr"),
        management_addresses: taker.texts(object, "mgmt-ip"),
        capabilities: capabilities(taker, object),
        other: others(object, &["id", "name", "descr", "mgmt-ip", "capability"]),
    }
}

/// `{"sw1": {"id": …}}` or, without a system name, `{"id": {"type": …, "value": …}, …}`. The id is mandatory in
/// LLDP, so an object alone under another key is a system's name; a system may even be called "id".
fn by_system_name(object: &Map<String, Value>) -> (Option<&str>, &Map<String, Value>) {
    let mut entries = object.iter();
    match (entries.next(), entries.next()) {
        (Some((key, Value::Object(inner))), None) if key != "id" || inner.contains_key("id") => {
            (Some(key.as_str()), inner)
        }
        _ => (None, object),
    }
}

fn identifier(taker: &mut Taker, of: &Map<String, Value>) -> Option<Identifier> {
    let id = taker.object(of, "id")?;
    Some(Identifier {
        kind: taker.text(id, "type").map(|word| IdKind::from_word(&word)),
        value: taker.text(id, "value"),
    })
}

fn capabilities(taker: &mut Taker, chassis: &Map<String, Value>) -> Vec<Capability> {
    let mut capabilities = Vec::new();
    for value in items(chassis.get("capability")) {
        let kind = value.as_object().and_then(|object| {
            let kind = taker.text(object, "type")?;
            Some((kind, taker.flag(object, "enabled")))
        });
        match kind {
            Some((kind, enabled)) => capabilities.push(Capability { kind, enabled }),
            None => taker.bad("capability", value, "it has no type"),
        }
    }
    capabilities
}

fn port(taker: &mut Taker, neighbour: &Map<String, Value>) -> NeighbourPort {
    let Some(object) = taker.object(neighbour, "port") else {
        return NeighbourPort::default();
    };
    // Before lldpd 1.0 the time to live stood beside the port.
    let ttl_seconds = match object.get("ttl") {
        Some(ttl) => taker.number_of("ttl", ttl),
        None => taker.number(neighbour, "ttl"),
    };
    NeighbourPort {
        id: identifier(taker, object),
        description: taker.text(object, "descr"),
        ttl_seconds,
        max_frame_bytes: taker.number(object, "mfs"),
        aggregation_id: taker.number(object, "aggregation"),
        other: others(object, &["id", "descr", "ttl", "mfs", "aggregation"]),
    }
}

fn vlans(taker: &mut Taker, neighbour: &Map<String, Value>) -> Vec<NeighbourVlan> {
    let mut vlans = Vec::new();
    for value in items(neighbour.get("vlan")) {
        // Kept even where nothing of it can be read: a list that is short of one VLAN would be a false fact.
        let mut vlan = NeighbourVlan::default();
        match value {
            Value::Object(object) => {
                vlan.id = vlan_id(taker, object);
                vlan.name = taker.text(object, "value").filter(|name| !name.is_empty());
                vlan.pvid = taker.flag(object, "pvid");
            }
            _ => taker.bad("vlan", value, "it is not an object"),
        }
        vlans.push(vlan);
    }
    vlans
}

fn vlan_id(taker: &mut Taker, vlan: &Map<String, Value>) -> Option<VlanId> {
    let id: u64 = taker.number(vlan, "vlan-id")?;
    match VlanId::new(id) {
        Ok(id) => Some(id),
        Err(bad) => {
            taker.bad("vlan-id", &Value::from(id), &bad.to_string());
            None
        }
    }
}

fn others(object: &Map<String, Value>, known: &[&str]) -> BTreeMap<String, Value> {
    let unknown = object
        .iter()
        .filter(|(key, _)| !known.contains(&key.as_str()));
    unknown
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests;
