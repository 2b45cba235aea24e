//! What the HA daemons write as JSON below `/etc/pve`: each node's `lrm_status` (pve-ha-manager, PVE/HA/LRM.pm) and
//! the cluster's `ha/manager_status` (PVE/HA/Manager.pm, PVE/HA/NodeStatus.pm).
//!
//! A service or node of the wrong form does not lose the others; a service is never dropped, because a dropped one
//! would make its node look idle.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::fact::ha::{
    Disarm, FencingState, HaNodeState, HaService, LrmMode, LrmResult, LrmState, LrmStatus,
    ManagerStatus, ServiceState,
};
use crate::name::NodeName;
use crate::text::{BadLines, Parsed, Unreadable};

use crate::parse::json::{Fields, object_of};

/// Reads one node's `lrm_status`. An object without any of its keys is none.
pub fn parse(text: &str) -> Result<Parsed<LrmStatus>, Unreadable> {
    let object = object_of(text)?;
    if !["mode", "state", "timestamp"]
        .iter()
        .any(|key| object.contains_key(*key))
    {
        return Err(Unreadable::foreign(text));
    }
    let mut bad_lines = BadLines::default();
    let status = lrm_status(Fields::new(object, &mut bad_lines));
    Ok(bad_lines.with(status))
}

/// Reads `manager_status`. An object without any of its keys is none.
pub fn parse_manager_status(text: &str) -> Result<Parsed<ManagerStatus>, Unreadable> {
    let object = object_of(text)?;
    let keys = ["master_node", "timestamp", "node_status", "service_status"];
    if !keys.iter().any(|key| object.contains_key(*key)) {
        return Err(Unreadable::foreign(text));
    }
    let mut bad_lines = BadLines::default();
    let status = manager_status(Fields::new(object, &mut bad_lines));
    Ok(bad_lines.with(status))
}

pub(in crate::parse) fn lrm_status(mut fields: Fields<'_>) -> LrmStatus {
    let mut results = BTreeMap::new();
    for (uid, value) in fields.members("results").unwrap_or_default() {
        let mut result = LrmResult::default();
        if let Some(mut fields) = fields.inside(&uid, value) {
            result.service = fields.text("sid");
            result.state = fields.text("state").map(ServiceState::from);
            result.exit_code = fields.number("exit_code");
        }
        results.insert(uid, result);
    }
    LrmStatus {
        mode: fields.text("mode").map(LrmMode::from),
        state: fields.text("state").map(LrmState::from),
        timestamp: fields.timestamp("timestamp"),
        results,
        other: fields.rest(),
    }
}

pub(in crate::parse) fn manager_status(mut fields: Fields<'_>) -> ManagerStatus {
    let services = fields.members("service_status");
    ManagerStatus {
        master_node: fields.node("master_node"),
        timestamp: fields.timestamp("timestamp"),
        node_status: node_status(&mut fields),
        service_status: services.map(|services| service_status(&mut fields, services)),
        node_request: node_request(&mut fields),
        disarm: disarm(&mut fields),
        other: fields.rest(),
    }
}

fn node_status(fields: &mut Fields<'_>) -> BTreeMap<NodeName, HaNodeState> {
    let mut nodes = BTreeMap::new();
    for (name, value) in fields.members("node_status").unwrap_or_default() {
        let Some(node) = fields.node_key(&name, &value) else {
            continue;
        };
        match value.as_str() {
            Some(state) => {
                nodes.insert(node, HaNodeState::from_word(state));
            }
            None => fields.refuse(&name, &value, "it is not a node's state"),
        }
    }
    nodes
}

fn service_status(
    fields: &mut Fields<'_>,
    services: Map<String, Value>,
) -> BTreeMap<String, HaService> {
    let mut read = BTreeMap::new();
    for (id, value) in services {
        let service = fields.inside(&id, value).map(service).unwrap_or_default();
        read.insert(id, service);
    }
    read
}

fn service(mut fields: Fields<'_>) -> HaService {
    HaService {
        node: fields.node("node"),
        state: fields.text("state").map(ServiceState::from),
        uid: fields.text("uid"),
        running: fields.yes_or_no("running"),
        target: fields.node("target"),
        failed_nodes: failed_nodes(&mut fields),
        maintenance_node: fields.node("maintenance_node"),
        other: fields.rest(),
    }
}

fn failed_nodes(fields: &mut Fields<'_>) -> Vec<String> {
    let mut nodes = Vec::new();
    match fields.take("failed_nodes") {
        None => {}
        Some(Value::Array(names)) => {
            for name in names {
                match name {
                    Value::String(name) => nodes.push(name),
                    name => fields.refuse("failed_nodes", &name, "it is not a node name"),
                }
            }
        }
        Some(value) => fields.refuse("failed_nodes", &value, "it is not a list"),
    }
    nodes
}

fn node_request(fields: &mut Fields<'_>) -> BTreeMap<NodeName, BTreeMap<String, Value>> {
    let mut requests = BTreeMap::new();
    for (name, value) in fields.members("node_request").unwrap_or_default() {
        let Some(node) = fields.node_key(&name, &value) else {
            continue;
        };
        if let Some(request) = fields.inside(&name, value) {
            requests.insert(node, request.rest());
        }
    }
    requests
}

fn disarm(fields: &mut Fields<'_>) -> Option<Disarm> {
    let value = fields.take("disarm")?;
    let mut fields = fields.inside("disarm", value)?;
    Some(Disarm {
        mode: fields.text("mode"),
        state: fields.text("state").map(FencingState::from),
        other: fields.rest(),
    })
}
