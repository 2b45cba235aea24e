//! The same pull told by Quorate, and by Prometheus and Alertmanager as Debian has them: a node exporter on every node, one alert
//! for a card without carrier, one group for a switch's cards, and the same webhook.
//!
//! It takes the programs that were built beside this one: `cargo build --profile bench --workspace --bins &&
//! target/release/xtask rack compare`.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use quorate_tests::{Hook, PATIENCE, Program, Rack, Reply, wait_until};
use serde_json::Value;

use super::alert::{self, LINKS, NODES};
use super::latency::summary;
use crate::{record, shell};

/// What is needed, and its package.
pub(crate) const PROGRAMS: [(&str, &str); 4] = [
    ("prometheus", "prometheus"),
    ("prometheus-alertmanager", "prometheus-alertmanager"),
    ("prometheus-node-exporter", "prometheus-node-exporter"),
    ("curl", "curl"),
];
const STATION: &str = "monitor";
const PROMETHEUS: &str = "127.0.0.1:9090";
const ALERTMANAGER: &str = "127.0.0.1:9093";
const EXPORTER_PORT: u16 = 9_100;
const SEED: u64 = 1;

/// Times the same dead switch with Quorate, and with Prometheus and Alertmanager
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How often a switch dies, for each of the four
    #[arg(long, default_value_t = 7)]
    pulls: usize,
    /// Keeps the result in docs/measured
    #[arg(long)]
    record: bool,
}

struct Settings {
    what: &'static str,
    scrape_s: u64,
    evaluation_s: u64,
    group_wait_s: u64,
}

/// The files of Debian's packages say so.
const STOCK: Settings = Settings {
    what: "Prometheus and Alertmanager, stock settings (15 s, 15 s, 30 s)",
    scrape_s: 15,
    evaluation_s: 15,
    group_wait_s: 30,
};

/// As fast as their settings go without parts of a second.
const TUNED: Settings = Settings {
    what: "Prometheus and Alertmanager, 1 s scrape, 1 s evaluation, no group wait",
    scrape_s: 1,
    evaluation_s: 1,
    group_wait_s: 0,
};

pub(super) fn run(args: &Args) -> Result<()> {
    shell::need(&PROGRAMS)?;
    let mut lines = vec![format!(
        "{NODES} nodes; ports of a switch dark (before the kernel is told) to request read at the webhook:"
    )];
    let mut say = |what: &str, mut ms: Vec<f64>| {
        let line = format!("{what}: {}", summary(&mut ms)?);
        println!("{line}");
        lines.push(line);
        anyhow::Ok(())
    };
    say("Quorate, as shipped", alert::measure(args.pulls, 300)?)?;
    say("Quorate, settle_ms = 0", alert::measure(args.pulls, 0)?)?;
    for settings in [TUNED, STOCK] {
        say(settings.what, settings.measure(args.pulls)?)?;
    }
    if args.record {
        let command = format!("cargo xtask rack compare --pulls {}", args.pulls);
        record::keep("compare", &command, &lines.join("\n"))?;
    }
    Ok(())
}

impl Settings {
    fn measure(&self, pulls: usize) -> Result<Vec<f64>> {
        let mut random = fastrand::Rng::with_seed(SEED);
        let mut ms = Vec::new();
        while ms.len() < pulls {
            let mut rack = Rack::new(NODES, LINKS)?;
            rack.add_station(STATION)?;
            let hook = Hook::listen(rack.init(STATION)?, |_| Reply::Status(200))?;
            let _running = self.start(&rack, &hook)?;
            for switch in (1..LINKS).take(pulls - ms.len()) {
                // At any moment between two scrapes.
                thread::sleep(Duration::from_millis(
                    random.u64(1_000..1_000 + self.scrape_s * 1_000),
                ));
                let (took_ms, told) = alert::pull(&rack, &hook, switch)?;
                let card = told.pointer("/groupLabels/device").and_then(Value::as_str);
                ensure!(
                    card == Some(&format!("eth{switch}")),
                    "another message came: {told}"
                );
                ms.push(took_ms);
            }
        }
        Ok(ms)
    }

    /// All programs, and every card seen with its carrier.
    fn start(&self, rack: &Rack, hook: &Hook) -> Result<Vec<Program>> {
        let mut running = Vec::new();
        let mut targets = Vec::new();
        for node in rack.nodes() {
            let listen = format!("--web.listen-address=:{EXPORTER_PORT}");
            running.push(rack.start(node, "prometheus-node-exporter", &[&listen])?);
            targets.push(format!("'{}:{EXPORTER_PORT}'", rack.address(node, 0)?));
        }
        let dir = rack.path(STATION, "/etc/prometheus")?;
        fs::create_dir_all(&dir).context("no folder for the settings")?;
        fs::write(dir.join("rules.yml"), RULES)?;
        fs::write(dir.join("prometheus.yml"), self.prometheus(&targets))?;
        fs::write(dir.join("alertmanager.yml"), self.alertmanager(hook))?;
        let listen = format!("--web.listen-address={ALERTMANAGER}");
        let args = [
            "--config.file=/etc/prometheus/alertmanager.yml",
            "--storage.path=/var/lib/alertmanager",
            "--cluster.listen-address=",
            &listen,
        ];
        running.push(rack.start(STATION, "prometheus-alertmanager", &args)?);
        let listen = format!("--web.listen-address={PROMETHEUS}");
        let args = [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/var/lib/prometheus",
            &listen,
        ];
        running.push(rack.start(STATION, "prometheus", &args)?);
        wait_until("Prometheus to see every card", PATIENCE, || {
            let query = "count(node_network_carrier{device=~\"eth.+\"} == 1)";
            let seen = ask(rack, query)?;
            Ok((seen == Some(NODES * LINKS)).then_some(()))
        })?;
        Ok(running)
    }

    fn prometheus(&self, targets: &[String]) -> String {
        format!(
            "global: {{scrape_interval: {}s, evaluation_interval: {}s}}\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{ALERTMANAGER}']}}]}}]}}\n\
             rule_files: [/etc/prometheus/rules.yml]\n\
             scrape_configs: [{{job_name: node, static_configs: [{{targets: [{}]}}]}}]\n",
            self.scrape_s,
            self.evaluation_s,
            targets.join(", ")
        )
    }

    fn alertmanager(&self, hook: &Hook) -> String {
        format!(
            "route: {{receiver: hook, group_by: [alertname, device], group_wait: {}s}}\n\
             receivers: [{{name: hook, webhook_configs: [{{url: '{}'}}]}}]\n",
            self.group_wait_s,
            hook.url()
        )
    }
}

const RULES: &str = "groups: [{name: cards, rules: [{alert: NoCarrier, expr: 'node_network_carrier{device=~\"eth.+\"} == 0'}]}]\n";

/// The one number that a query gives; `None`: it gives none yet.
fn ask(rack: &Rack, query: &str) -> Result<Option<usize>> {
    let output = rack
        .command(STATION, "curl")?
        .args(["-s", "--get", "--data-urlencode"])
        .arg(format!("query={query}"))
        .arg(format!("http://{PROMETHEUS}/api/v1/query"))
        .output()?;
    let Ok(answer) = serde_json::from_slice::<Value>(&output.stdout) else {
        return Ok(None);
    };
    let value = answer.pointer("/data/result/0/value/1");
    Ok(value
        .and_then(Value::as_str)
        .and_then(|count| count.parse().ok()))
}
