//! What the operator declares of the site, and the thresholds of the rules: for all clusters of this collector. Patterns and
//! overrides name nodes, whichever cluster these are in.

use std::collections::BTreeMap;

use model::name::IfaceName;
use model::rule::{Override, Thresholds};
use model::topology::{DeclaredSwitch, Dependency, Place, PortPattern, Service, Site};
use settings::value::{refused, text, texts, whole_number};
use settings::{Contradiction, Settings, Taken, Value};

use super::Config;
use super::value::node;

/// The longest name of a switch; it stands in sentences.
const MAX_NAME_LETTERS: usize = 100;
/// No threshold is of use beyond it.
const MAX_THRESHOLD: u32 = 1_000_000_000;

settings::keys! {
    struct SwitchRow;
    check switch_is_whole;
    "name" => name: String = String::new(), switch_name;
    "ports" => ports: Vec<PortPattern> = Vec::new(), ports;
}

settings::keys! {
    struct DependencyRow;
    check dependency_is_whole;
    "service" => service: Option<Service> = None, service;
    "on" => on: Option<Place> = None, place;
}

/// `[thresholds]`; the keys are those of the model's table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ThresholdTable(Thresholds);

impl Settings for ThresholdTable {
    const KEYS: &'static [&'static str] = Thresholds::KEYS;

    fn take(&mut self, key: &str, value: &Value<'_>) -> Option<Taken<()>> {
        if !Self::KEYS.contains(&key) {
            return None;
        }
        Some(threshold(key, value).map(|value| {
            self.0.set(key, value);
        }))
    }

    fn contradictions(&self) -> Vec<Contradiction> {
        let is_turned = self.0.latency_critical_us < self.0.latency_warning_us;
        let why = format!(
            "must be no less than `thresholds.latency_warning_us`, which is {}",
            self.0.latency_warning_us
        );
        let found = is_turned.then(|| Contradiction::new("latency_critical_us", why));
        found.into_iter().collect()
    }
}

/// One `[[override]]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OverrideRow(Override);

impl Settings for OverrideRow {
    const KEYS: &'static [&'static str] = Override::KEYS;

    fn take(&mut self, key: &str, value: &Value<'_>) -> Option<Taken<()>> {
        let taken = match key {
            "node" => node(value).map(|node| self.0.node = Some(node)),
            "interface" => interface(value).map(|iface| self.0.interface = Some(iface)),
            key if Thresholds::KEYS.contains(&key) => threshold(key, value).map(|value| {
                self.0.set(key, value);
            }),
            _ => return None,
        };
        Some(taken)
    }

    fn contradictions(&self) -> Vec<Contradiction> {
        let mut found = Vec::new();
        if self.0.node.is_none() && self.0.interface.is_none() {
            let why = "is missing: name a node, an interface or both; for all nodes there is [thresholds]";
            found.push(Contradiction::new("node", why));
        }
        if self.0.is_empty() {
            let why = "stands without any threshold: name one of [thresholds] beside it";
            let key = if self.0.node.is_some() {
                "node"
            } else {
                "interface"
            };
            found.push(Contradiction::new(key, why));
        }
        found
    }
}

impl Config {
    /// The declarations, for the topology.
    pub(crate) fn site(&self) -> Site {
        let switches = self.switches.iter().map(|row| DeclaredSwitch {
            name: row.name.clone(),
            ports: row.ports.clone(),
        });
        let dependencies = self.dependencies.iter().filter_map(|row| {
            Some(Dependency {
                service: row.service?,
                on: row.on.clone()?,
            })
        });
        Site {
            switches: switches.collect(),
            dependencies: dependencies.collect(),
            ..Site::default()
        }
    }

    pub(crate) fn thresholds(&self) -> Thresholds {
        let overrides = self.overrides.iter().map(|row| row.0.clone());
        Thresholds {
            overrides: overrides.collect(),
            ..self.thresholds.0.clone()
        }
    }
}

/// What each row alone is right about, and all together are not.
pub(super) fn contradictions(config: &Config) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let mut named = BTreeMap::new();
    let mut of_port: BTreeMap<String, &str> = BTreeMap::new();
    for (row, switch) in config.switches.iter().enumerate() {
        if !switch.name.is_empty() && named.insert(&switch.name, row).is_some() {
            let why = format!(
                "{:?} is named by two [[switch]]: put all of its ports into one",
                switch.name
            );
            found.push(Contradiction::new("switch.name", why).in_row(row));
        }
        for port in &switch.ports {
            if let Some(other) = of_port.insert(port.to_string(), &switch.name) {
                let why = format!("names {port}, which stands below switch {other:?} already");
                found.push(Contradiction::new("switch.ports", why).in_row(row));
            }
        }
    }
    let mut placed = Vec::new();
    for (row, dependency) in config.dependencies.iter().enumerate() {
        let Some(service) = dependency.service else {
            continue;
        };
        if placed.contains(&service) {
            let why = format!("is {service} in two [[dependency]]: it runs in one place");
            found.push(Contradiction::new("dependency.service", why).in_row(row));
        }
        placed.push(service);
    }
    found
}

fn switch_is_whole(row: &SwitchRow) -> Vec<Contradiction> {
    let name = row
        .name
        .is_empty()
        .then(|| Contradiction::new("name", "is missing"));
    let ports = row
        .ports
        .is_empty()
        .then(|| Contradiction::new("ports", "is missing"));
    name.into_iter().chain(ports).collect()
}

fn dependency_is_whole(row: &DependencyRow) -> Vec<Contradiction> {
    let service = row
        .service
        .is_none()
        .then(|| Contradiction::new("service", "is missing"));
    let on = row
        .on
        .is_none()
        .then(|| Contradiction::new("on", "is missing"));
    service.into_iter().chain(on).collect()
}

fn switch_name(value: &Value<'_>) -> Taken<String> {
    const ALLOWED: &str = "a name in quotes, of at most 100 letters";
    let name = text(value, ALLOWED)?;
    let is_name = name.trim() == name
        && (1..=MAX_NAME_LETTERS).contains(&name.chars().count())
        && !name.chars().any(char::is_control);
    if is_name {
        Ok(name.to_owned())
    } else {
        Err(refused(ALLOWED, format_args!("{name:?}")))
    }
}

fn ports(value: &Value<'_>) -> Taken<Vec<PortPattern>> {
    const ALLOWED: &str = "a list of ports in quotes, such as [\"pve-0[1-8]/eno1\"]";
    let mut ports = Vec::new();
    for port in texts(value, ALLOWED)? {
        ports.push(PortPattern::new(port).map_err(|bad| format!("must be {ALLOWED}: {bad}"))?);
    }
    if ports.is_empty() {
        return Err(refused(ALLOWED, "an empty list"));
    }
    Ok(ports)
}

fn service(value: &Value<'_>) -> Taken<Option<Service>> {
    const ALLOWED: &str = "\"qdevice\" or \"collector\"";
    match text(value, ALLOWED)? {
        "qdevice" => Ok(Some(Service::Qdevice)),
        "collector" => Ok(Some(Service::Collector)),
        other => Err(refused(ALLOWED, format_args!("{other:?}"))),
    }
}

fn place(value: &Value<'_>) -> Taken<Option<Place>> {
    const ALLOWED: &str = "\"external\", the name of a node, or \"guest 105\"";
    let place = Place::try_from(text(value, ALLOWED)?.to_owned());
    place
        .map(Some)
        .map_err(|bad| format!("must be {ALLOWED}: {bad}"))
}

fn interface(value: &Value<'_>) -> Taken<IfaceName> {
    const ALLOWED: &str = "the name of an interface in quotes";
    IfaceName::new(text(value, ALLOWED)?).map_err(|bad| format!("must be {ALLOWED}: {bad}"))
}

/// The unit is in the name.
fn threshold(key: &str, value: &Value<'_>) -> Taken<u32> {
    let unit = match key.rsplit('_').next() {
        Some("us") => "microseconds".to_owned(),
        Some("ms") => "milliseconds".to_owned(),
        Some("s") => "seconds".to_owned(),
        Some("days") => "days".to_owned(),
        _ => key.replace('_', " "),
    };
    whole_number(value, &unit, &(1..=MAX_THRESHOLD))
}
