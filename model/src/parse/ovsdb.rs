//! Open vSwitch's configuration database, asked over its socket (RFC 7047, ovs-vswitchd.conf.db(5)): the same rows and
//! columns that `ovs-vsctl show` prints. A value is an atom, `["set", […]]`, `["map", [[key, value], …]]` or
//! `["uuid", …]`; an optional column that is not set is the empty set.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::fact::ovs::{
    FailMode, Ovs, OvsBridge, OvsInterface, OvsInterfaceKind, OvsPort, OvsTarget,
};
use crate::parse::json::{Taker, object_of};
use crate::text::{Parsed, Unreadable};

pub const DATABASE: &str = "Open_vSwitch";

/// What is asked for, in this order.
pub const TABLES: &[(&str, &[&str])] = &[
    (
        "Open_vSwitch",
        &["ovs_version", "manager_options", "bridges"],
    ),
    ("Manager", &["target", "is_connected"]),
    (
        "Bridge",
        &["name", "fail_mode", "datapath_type", "controller", "ports"],
    ),
    ("Controller", &["target", "is_connected"]),
    ("Port", &["name", "tag", "trunks", "interfaces"]),
    (
        "Interface",
        &["name", "type", "options", "error", "bfd_status"],
    ),
];

/// The request whose answer [`parse`] reads.
pub fn request() -> String {
    let select = |(table, columns): &(&str, &[&str])| {
        let mut all = vec!["_uuid"];
        all.extend_from_slice(columns);
        json!({ "op": "select", "table": table, "where": [], "columns": all })
    };
    let params: Vec<Value> = std::iter::once(json!(DATABASE))
        .chain(TABLES.iter().map(select))
        .collect();
    json!({ "method": "transact", "params": params, "id": 0 }).to_string()
}

/// Reads the answer to [`request`].
pub fn parse(text: &str) -> Result<Parsed<Ovs>, Unreadable> {
    let mut answer = object_of(text)?;
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        return Err(Unreadable::tool_failed(&error.to_string()));
    }
    let Some(Value::Array(results)) = answer.remove("result") else {
        return Err(Unreadable::foreign(text));
    };
    let mut reader = Reader::default();
    for ((table, _), result) in TABLES.iter().zip(results) {
        if let Some(error) = result.get("error").filter(|error| !error.is_null()) {
            return Err(Unreadable::tool_failed(&format!("{table}: {error}")));
        }
        reader.keep(table, result);
    }
    let Some((uuid, root)) = reader.only("Open_vSwitch") else {
        return Err(Unreadable::foreign(text));
    };
    let ovs = reader.root(uuid, &root);
    Ok(reader.taker.bad_lines.with(ovs))
}

type Row = Map<String, Value>;

#[derive(Default)]
struct Reader {
    taker: Taker,
    /// By table and uuid. A row is taken out when it is referred to: no text can make it stand in two places.
    rows: BTreeMap<&'static str, BTreeMap<String, Row>>,
}

impl Reader {
    fn keep(&mut self, table: &'static str, mut result: Value) {
        let rows = result.get_mut("rows").map(Value::take);
        let Some(Value::Array(rows)) = rows else {
            self.taker.bad(table, &result, "it has no rows");
            return;
        };
        for row in rows {
            let uuid = row.get("_uuid").and_then(|uuid| uuids(uuid).pop());
            match (uuid, row) {
                (Some(uuid), Value::Object(row)) => {
                    self.rows.entry(table).or_default().insert(uuid, row);
                }
                (_, row) => self.taker.bad(table, &row, "a row without a uuid"),
            }
        }
    }

    fn only(&mut self, table: &str) -> Option<(String, Row)> {
        self.rows.get_mut(table)?.pop_first()
    }

    /// The rows that a column refers to, in its order.
    fn referred(&mut self, table: &'static str, row: &Row, column: &str) -> Vec<Row> {
        let mut found = Vec::new();
        for uuid in row.get(column).map(uuids).unwrap_or_default() {
            let rows = self.rows.get_mut(table);
            match rows.and_then(|rows| rows.remove(&uuid)) {
                Some(row) => found.push(row),
                None => self.taker.bad(
                    column,
                    &json!(uuid),
                    "there is no such row, or it is in use",
                ),
            }
        }
        found
    }

    fn root(&mut self, uuid: String, root: &Row) -> Ovs {
        let managers = self.referred("Manager", root, "manager_options");
        let bridges = self.referred("Bridge", root, "bridges");
        Ovs {
            uuid: Some(uuid),
            version: self.text(root, "ovs_version"),
            managers: managers.iter().map(|row| self.target(row)).collect(),
            bridges: bridges.iter().map(|row| self.bridge(row)).collect(),
            ..Ovs::default()
        }
    }

    fn target(&mut self, row: &Row) -> OvsTarget {
        OvsTarget {
            target: self.text(row, "target"),
            is_connected: row.get("is_connected").and_then(Value::as_bool),
            ..OvsTarget::default()
        }
    }

    fn bridge(&mut self, row: &Row) -> OvsBridge {
        let controllers = self.referred("Controller", row, "controller");
        let ports = self.referred("Port", row, "ports");
        let fail_mode = self.text(row, "fail_mode");
        OvsBridge {
            name: self.text(row, "name"),
            fail_mode: fail_mode.map(|word| FailMode::from_word(&word)),
            datapath_type: self.text(row, "datapath_type"),
            controllers: controllers.iter().map(|row| self.target(row)).collect(),
            ports: ports.iter().map(|row| self.port(row)).collect(),
            ..OvsBridge::default()
        }
    }

    fn port(&mut self, row: &Row) -> OvsPort {
        let interfaces = self.referred("Interface", row, "interfaces");
        let trunks = self.vlans(row, "trunks");
        OvsPort {
            name: self.text(row, "name"),
            tag: self.vlans(row, "tag").into_iter().next(),
            trunks: (!trunks.is_empty()).then_some(trunks),
            interfaces: interfaces.iter().map(|row| self.interface(row)).collect(),
            ..OvsPort::default()
        }
    }

    fn interface(&mut self, row: &Row) -> OvsInterface {
        let kind = self.text(row, "type");
        OvsInterface {
            name: self.text(row, "name"),
            kind: kind.map(|word| OvsInterfaceKind::from_word(&word)),
            options: self.texts_by_key(row, "options"),
            error: self.text(row, "error"),
            bfd_status: self.texts_by_key(row, "bfd_status"),
            ..OvsInterface::default()
        }
    }

    /// A text; the empty one is as good as none.
    fn text(&mut self, row: &Row, column: &str) -> Option<String> {
        let value = row.get(column)?;
        match atoms(value).as_slice() {
            [] => None,
            [Value::String(text)] => (!text.is_empty()).then(|| text.clone()),
            _ => {
                self.taker.bad(column, value, "it is not one text");
                None
            }
        }
    }

    fn vlans(&mut self, row: &Row, column: &str) -> Vec<u16> {
        let Some(value) = row.get(column) else {
            return Vec::new();
        };
        let mut vlans = Vec::new();
        for atom in atoms(value) {
            let id = atom.as_u64().and_then(|id| u16::try_from(id).ok());
            match id.filter(|id| *id <= 4095) {
                Some(id) => vlans.push(id),
                None => self.taker.bad(column, atom, "a VLAN is 0 to 4095"),
            }
        }
        vlans
    }

    fn texts_by_key(&mut self, row: &Row, column: &str) -> BTreeMap<String, String> {
        let Some(value) = row.get(column) else {
            return BTreeMap::new();
        };
        let pairs = match value.as_array().map(Vec::as_slice) {
            Some([Value::String(kind), Value::Array(pairs)]) if kind == "map" => pairs.as_slice(),
            _ => {
                self.taker.bad(column, value, "it is no map");
                &[]
            }
        };
        let mut texts = BTreeMap::new();
        for pair in pairs {
            match pair.as_array().map(Vec::as_slice) {
                Some([Value::String(key), Value::String(text)]) => {
                    texts.insert(key.clone(), text.clone());
                }
                _ => self.taker.bad(column, pair, "it is no pair of texts"),
            }
        }
        texts
    }
}

/// What a value holds: of a set each element, of an atom itself.
fn atoms(value: &Value) -> Vec<&Value> {
    match value.as_array().map(Vec::as_slice) {
        Some([Value::String(kind), Value::Array(set)]) if kind == "set" => set.iter().collect(),
        _ => vec![value],
    }
}

fn uuids(value: &Value) -> Vec<String> {
    let uuid = |value: &Value| match value.as_array()?.as_slice() {
        [Value::String(kind), Value::String(uuid)] if kind == "uuid" => Some(uuid.clone()),
        _ => None,
    };
    atoms(value).into_iter().filter_map(uuid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::ovs_vsctl;

    const ANSWER: &str = include_str!("../../fixtures/ovsdb/ovs-3.1.0-bonds-tags-tunnels.json");
    /// What `ovs-vsctl show` printed of the same database in the same second.
    const SHOWN: &str = include_str!("../../fixtures/ovsdb/ovs-3.1.0-bonds-tags-tunnels.txt");

    #[test]
    fn the_database_says_the_same_as_ovs_vsctl_prints() {
        let parsed = parse(ANSWER).unwrap();
        assert_eq!(parsed.bad_lines, []);
        let shown = ovs_vsctl::parse(SHOWN).unwrap().value;
        assert_eq!(shown.bridges.len(), 2);
        assert_eq!(parsed.value.in_order(), shown.in_order());
    }

    #[test]
    fn an_error_is_no_empty_database() {
        let refused = r#"{"id":0,"result":null,"error":"unknown database"}"#;
        assert!(parse(refused).is_err());
        let old =
            r#"{"id":0,"error":null,"result":[{"error":"unknown column","details":"x"},null]}"#;
        assert!(parse(old).is_err());
        assert_eq!(parse(""), Err(Unreadable::Empty));
        assert!(parse(r#"{"id":0,"error":null,"result":[]}"#).is_err());
    }

    #[test]
    fn a_value_of_a_wrong_kind_costs_itself() {
        let odd = ANSWER
            .replace(r#""tag":30"#, r#""tag":70000"#)
            .replace(r#"["map",[["peer","p1"]]]"#, "7");
        let parsed = parse(&odd).unwrap();
        assert_eq!(parsed.bad_lines.len(), 2);
        assert_eq!(parsed.value.bridges.len(), 2);
    }
}
