//! The collector's configuration, `/etc/quorate/collector.toml`. It works without one; a file that says something
//! unknown or impossible is an error that names file, line, key and what is allowed, all of them at once.
//! `packaging/collector.toml` is the documented example, and is held against this table by a test.

mod alerts;
mod fleetlock;
mod http;
mod receivers;
mod site;
mod value;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use settings::value::absolute;
use settings::{Contradiction, SettingsError};

use crate::notify;
use crate::notify::{Secret, secret};
use crate::serve::Listen;
use alerts::RouteRow;
use fleetlock::ClientRow;
use site::{DependencyRow, OverrideRow, SwitchRow, ThresholdTable};
use value::{addresses, socket_address};

const DEFAULT_FILE: &str = "/etc/quorate/collector.toml";
/// As the model has it for those who say nothing.
const SETTLE_MS: u32 = 300;
pub(crate) const FLEET_PORT: u16 = 7460;
pub(crate) const ENROLMENT_PORT: u16 = 7461;
/// Behind that of FleetLock in the examples.
const HTTP_PORT: u16 = 7463;

settings::keys! {
    check contradictions;
    "state_dir" => state_dir: PathBuf = PathBuf::from("/var/lib/quorate/collector"), absolute;
    "listen" => listen: SocketAddr = everywhere(FLEET_PORT), socket_address;
    /// Empty: those that `init` was told.
    "addresses" => addresses: Vec<String> = Vec::new(), addresses;
    "enrolment.listen" => enrolment_listen: SocketAddr = everywhere(ENROLMENT_PORT), socket_address;
    /// `None`: FleetLock is off.
    "fleetlock.listen" => fleetlock_listen: Option<SocketAddr> = None, fleetlock::listen;
    "fleetlock.networks" => fleetlock_networks: Vec<IpNet> = Vec::new(), fleetlock::networks;
    /// `None`: nobody is answered.
    "http.listen" => http_listen: Option<SocketAddr> = Some((Ipv4Addr::LOCALHOST, HTTP_PORT).into()), http::listen;
    /// How long anything must have been there until it opens an incident, and is told.
    "alerts.settle_ms" => alerts_settle_ms: u32 = SETTLE_MS, alerts::settle;
    /// Where the pages are. Empty: messages have no link.
    "alerts.page" => alerts_page: String = String::new(), alerts::page;
    "alerts.heartbeat_url" => heartbeat_url: Secret = Secret::Unset, secret;
    "alerts.heartbeat_every_s" => heartbeat_every_s: u32 = 60, alerts::heartbeat_every;
    table
    "thresholds" => thresholds: ThresholdTable;
    list
    "switch" => switches: SwitchRow;
    "dependency" => dependencies: DependencyRow;
    "override" => overrides: OverrideRow;
    "fleetlock.client" => fleetlock_clients: ClientRow;
    "receiver.slack" => slack: notify::SlackRow;
    "receiver.mattermost" => mattermost: notify::MattermostRow;
    "receiver.rocketchat" => rocketchat: notify::RocketChatRow;
    "receiver.discord" => discord: notify::DiscordRow;
    "receiver.teams" => teams: notify::TeamsRow;
    "receiver.telegram" => telegram: notify::TelegramRow;
    "receiver.matrix" => matrix: notify::MatrixRow;
    "receiver.ntfy" => ntfy: notify::NtfyRow;
    "receiver.gotify" => gotify: notify::GotifyRow;
    "receiver.mail" => mail: notify::MailRow;
    "receiver.alertmanager" => alertmanager: notify::AlertmanagerRow;
    "receiver.pagerduty" => pagerduty: notify::PagerDutyRow;
    "receiver.webhook" => webhook: notify::WebhookRow;
    "receiver.command" => command: notify::CommandRow;
    "route" => routes: RouteRow;
}

fn contradictions(config: &Config) -> Vec<Contradiction> {
    let mut found = site::contradictions(config);
    found.extend(fleetlock::contradictions(config));
    found.extend(receivers::contradictions(config));
    found.extend(alerts::contradictions(config));
    found
}

/// On Linux `[::]` takes IPv4 as well.
fn everywhere(port: u16) -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, port).into()
}

impl Config {
    pub(crate) fn listen(&self) -> Listen {
        Listen {
            fleet: self.listen,
            enrolment: self.enrolment_listen,
            addresses: self.addresses.clone(),
        }
    }

    /// Reads the file that `--config` names, which must be there, or else the default one, which need not.
    pub(crate) fn read(named: Option<&Path>) -> Result<Self, SettingsError> {
        settings::read(DEFAULT_FILE, named)
    }
}

#[cfg(test)]
mod tests;
