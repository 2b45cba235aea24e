//! Health and metrics of a real collector with real agents, asked by curl, read by promtool and scraped by a real Prometheus
//! with the settings and rules that docs/metrics.md shows, as they stand there.
//!
//! Needs root, corosync, iproute2, util-linux, curl and prometheus.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is tests"
)]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use quorate_tests::truth::Stage;
use quorate_tests::{Collector, PATIENCE, Plan, Program, Rack, wait_until};
use serde_json::Value;

const PAGE: &str = include_str!("../../docs/metrics.md");
const COLLECTOR: &str = "http://127.0.0.1:7463";
const PROMETHEUS: &str = "127.0.0.1:9090";
const OPENMETRICS: &str = "application/openmetrics-text";
const TOKEN_MS: u32 = 2_000;
/// What curl says where nobody listens.
const NOBODY_LISTENS: i32 = 7;

/// A block of the page that begins with this word.
fn block(begins: &str) -> &'static str {
    let blocks = PAGE.split("```yaml\n").skip(1);
    let mut blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    blocks.find(|block| block.starts_with(begins)).unwrap()
}

fn curl(rack: &Rack, node: &str, args: &[&str]) -> Output {
    let mut curl = rack.command(node, "curl").unwrap();
    curl.args(["--silent", "--max-time", "20"]);
    curl.args(args).output().unwrap()
}

/// The body, and behind it the code and the type.
fn ask(stage: &Stage, path: &str, more: &[&str]) -> (String, String) {
    let url = format!("{COLLECTOR}/{path}");
    let told = ["--write-out", "\n%{http_code} %{content_type}", &url];
    let output = curl(
        &stage.rack,
        stage.collector.station(),
        &[more, &told].concat(),
    );
    let said = String::from_utf8(output.stdout).unwrap();
    let (body, told) = said.rsplit_once('\n').unwrap();
    (body.to_owned(), told.to_owned())
}

/// Runs `promtool check metrics` over a text; what it complains of.
fn complaints(text: &str) -> String {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]);
    promtool.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = promtool.stderr(Stdio::piped()).spawn().unwrap();
    let mut input = running.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    said(&running.wait_with_output().unwrap())
}

fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    let code = output.status.code();
    let code = code.filter(|code| *code != 0);
    let code = code.map_or(String::new(), |code| format!("exit code {code}: "));
    code + &String::from_utf8_lossy(&both)
}

fn stage() -> Stage {
    let stage = Stage::declared(Plan::new(3, 2).token_ms(TOKEN_MS)).unwrap();
    stage.collector.wait_for_agents(&stage.rack, 3).unwrap();
    stage
}

#[test]
fn health_and_metrics_are_for_the_collectors_own_machine_and_can_be_turned_off() {
    let mut rack = Rack::new(1, 1).unwrap();
    let off = "[http]\nlisten = \"\"\n";
    let collector = Collector::start_configured(&mut rack, 1, off).unwrap();
    let nobody = curl(&rack, collector.station(), &[COLLECTOR]);
    assert_eq!(nobody.status.code(), Some(NOBODY_LISTENS));
}

#[test]
fn a_real_prometheus_reads_what_the_cluster_says() {
    let mut stage = stage();
    answers_by_itself(&stage);
    let _prometheus = start_prometheus(&stage);
    check_values(&stage);
    stage.rack.stop_node("pve-03").unwrap();
    stage.bury_agents();
    wait_for(&stage, "quorate_cluster_votes", "2");
    wait_for(&stage, "quorate_cluster_votes_margin", "0");
    wait_for(&stage, "ALERTS{alertname=\"QuorateNoMargin\"}", "1");
    wait_for(&stage, "quorate_cluster_nodes{standing=\"silent\"}", "1");
}

fn answers_by_itself(stage: &Stage) {
    let elsewhere = stage.rack.address("collector", 0).unwrap();
    let elsewhere = format!("http://{elsewhere}:7463/metrics");
    let outside = curl(&stage.rack, "pve-01", &[&elsewhere]);
    assert_eq!(outside.status.code(), Some(NOBODY_LISTENS));

    let (alive, told) = ask(stage, "healthz", &[]);
    assert_eq!(told, "200 text/plain; charset=utf-8", "{alive}");
    let (ready, told) = ask(stage, "readyz", &[]);
    assert_eq!(told, "200 text/plain; charset=utf-8", "{ready}");
    let (_, told) = ask(stage, "readyz", &["--request", "POST"]);
    assert!(told.starts_with("405 "), "{told}");
    let (what, told) = ask(stage, "", &[]);
    assert!(
        told.starts_with("404 ") && what.contains("/metrics"),
        "{what}"
    );

    let (plain, told) = ask(stage, "metrics", &[]);
    assert_eq!(told, "200 text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(complaints(&plain), "", "{plain}");
    assert!(plain.contains("\nquorate_cluster_votes{"), "{plain}");
    let accept = format!("accept: {OPENMETRICS}");
    let (open, told) = ask(stage, "metrics", &["--header", &accept]);
    let kind = format!("200 {OPENMETRICS}; version=1.0.0; charset=utf-8");
    assert_eq!(told, kind);
    assert!(open.ends_with("\n# EOF\n"), "{open}");
}

/// Beside the collector, with the page's settings and rules, only quicker.
fn start_prometheus(stage: &Stage) -> Program {
    let station = stage.collector.station();
    let dir = stage.rack.path(station, "/etc/prometheus").unwrap();
    fs::create_dir_all(&dir).unwrap();
    let quick = "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yml]\n";
    let settings = format!("{quick}{}", block("scrape_configs"));
    fs::write(dir.join("prometheus.yml"), settings).unwrap();
    fs::write(dir.join("rules.yml"), block("groups")).unwrap();
    let listen = format!("--web.listen-address={PROMETHEUS}");
    let args = [
        "--config.file=/etc/prometheus/prometheus.yml",
        "--storage.tsdb.path=/var/lib/prometheus",
        &listen,
    ];
    stage.rack.start(station, "prometheus", &args).unwrap()
}

fn api(stage: &Stage, path: &str, more: &[&str]) -> Value {
    let url = format!("http://{PROMETHEUS}/api/v1/{path}");
    let output = curl(
        &stage.rack,
        stage.collector.station(),
        &[more, &[&url]].concat(),
    );
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// What a query gives.
fn query(stage: &Stage, query: &str) -> Value {
    let query = format!("query={query}");
    let said = api(stage, "query", &["--get", "--data-urlencode", &query]);
    said["data"]["result"].clone()
}

/// Until the one value of a query is this.
fn wait_for(stage: &Stage, what: &str, value: &str) {
    wait_until(&format!("{what} to be {value}"), PATIENCE, || {
        let found = query(stage, what);
        Ok((found[0]["value"][1] == value).then_some(()))
    })
    .unwrap();
}

fn check_values(stage: &Stage) {
    let up = wait_until("a scrape", PATIENCE, || {
        let up = query(stage, "up");
        Ok((up[0]["value"][1] == "1").then_some(up))
    })
    .unwrap();
    assert_eq!(up[0]["metric"]["job"], "quorate");
    let status = stage.collector.status(&stage.rack).unwrap();
    let cluster = &status["clusters"][0];
    wait_for(stage, "quorate_cluster_votes", "3");
    wait_for(stage, "quorate_cluster_votes_needed", "2");
    wait_for(stage, "quorate_cluster_votes_margin", "1");
    wait_for(stage, "quorate_cluster_quorate", "1");
    wait_for(stage, "quorate_cluster_nodes{standing=\"connected\"}", "3");
    wait_for(stage, "quorate_ledger_writable", "1");
    wait_for(stage, "quorate_connections >= bool 3", "1");
    wait_for(stage, "quorate_ledger_size_bytes > bool 4096", "1");
    wait_for(
        stage,
        "count(quorate_node_last_heard_age_seconds < 10)",
        "3",
    );
    let labels = query(stage, "quorate_cluster_lease_held")[0]["metric"].clone();
    assert_eq!(labels["cluster"], cluster["name"], "{labels} {cluster:#}");
    assert_eq!(labels["cluster_id"], cluster["id"], "{labels} {cluster:#}");

    // A verdict is counted as what it is.
    let check = ["check", "pve-01", "--json"];
    let checked = stage.collector.asked(&stage.rack, &check).unwrap();
    let verdict: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let answer = verdict["answer"].as_str().unwrap();
    let counted = format!("quorate_verdicts_total{{answer=\"{answer}\"}}");
    wait_for(stage, &counted, "1");

    // As it came: OpenMetrics, which names a family without the suffix of its values.
    let known = api(stage, "metadata", &[]);
    assert_eq!(
        known["data"]["quorate_verdicts"][0]["type"], "counter",
        "{known:#}"
    );
    let kind = &known["data"]["quorate_ledger_size_bytes"][0];
    assert_eq!(
        (&kind["type"], &kind["unit"]),
        (&"gauge".into(), &"bytes".into())
    );
    let rules = api(stage, "rules", &[]);
    let rules = rules["data"]["groups"][0]["rules"]
        .as_array()
        .unwrap()
        .clone();
    assert!(
        rules.iter().all(|rule| rule["health"] == "ok"),
        "{rules:#?}"
    );
    // Before the first scrape there was reason for one.
    wait_until("no alert", PATIENCE, || {
        let alerts = query(stage, "ALERTS");
        Ok((alerts == Value::Array(Vec::new())).then_some(()))
    })
    .unwrap();
}

fn promtool(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("promtool")
        .args(args)
        .current_dir(dir)
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

#[test]
fn the_pages_rules_are_good_and_call_when_they_say() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("rules.yml"), block("groups")).unwrap();
    fs::write(dir.path().join("tests.yml"), STORIES).unwrap();
    let checked = promtool(dir.path(), &["check", "rules", "--lint-fatal", "rules.yml"]);
    let rules = block("groups").matches("- alert: ").count();
    assert!(
        checked.contains(&format!("SUCCESS: {rules} rules found")),
        "{checked}"
    );
    promtool(dir.path(), &["test", "rules", "tests.yml"]);
}

/// All goes wrong; all is well; of two collectors one is away.
const STORIES: &str = r#"
rule_files: [rules.yml]
evaluation_interval: 30s
tests:
  - interval: 30s
    input_series:
      - {series: 'up{job="quorate", instance="c"}', values: '0x60'}
      - {series: 'quorate_ledger_writable{instance="c"}', values: '0x60'}
      - {series: 'quorate_node_last_heard_age_seconds{cluster="a", node="pve-03"}', values: '0+30x60'}
      - {series: 'quorate_cluster_nodes{cluster="a", standing="never-heard"}', values: '1x60'}
      - {series: 'quorate_cluster_votes_margin{cluster="a"}', values: '0x60'}
      - {series: 'quorate_cluster_quorate{cluster="a", cluster_id="1"}', values: '0x60'}
      - {series: 'quorate_receiver_failing{receiver="mail-ops"}', values: '1x60'}
      - {series: 'quorate_cluster_authority{cluster="a", cluster_id="1"}', values: '1x60'}
      - {series: 'quorate_cluster_authority{cluster="b", cluster_id="2"}', values: '1x60'}
    promql_expr_test:
      - expr: count by (alertname) (ALERTS{alertstate="firing"})
        eval_time: 30s
        exp_samples:
          - {labels: '{alertname="QuorateNoQuorum"}', value: 1}
      - expr: count by (alertname) (ALERTS{alertstate="firing"})
        eval_time: 20m
        exp_samples:
          - {labels: '{alertname="QuorateNotScraped"}', value: 1}
          - {labels: '{alertname="QuorateLedgerNotWritable"}', value: 1}
          - {labels: '{alertname="QuorateAgentSilent"}', value: 1}
          - {labels: '{alertname="QuorateAgentNeverHeard"}', value: 1}
          - {labels: '{alertname="QuorateNoMargin"}', value: 1}
          - {labels: '{alertname="QuorateNoQuorum"}', value: 1}
          - {labels: '{alertname="QuorateReceiverFailing"}', value: 1}
          - {labels: '{alertname="QuorateQuorumUnknown"}', value: 1}
  - interval: 30s
    input_series:
      - {series: 'up{job="quorate", instance="c"}', values: '1x60'}
      - {series: 'quorate_ledger_writable{instance="c"}', values: '1x60'}
      - {series: 'quorate_node_last_heard_age_seconds{cluster="a", node="pve-03"}', values: '2x60'}
      - {series: 'quorate_cluster_nodes{cluster="a", standing="never-heard"}', values: '0x60'}
      - {series: 'quorate_cluster_votes_margin{cluster="a"}', values: '3x60'}
      - {series: 'quorate_cluster_quorate{cluster="a", cluster_id="1"}', values: '1x60'}
      - {series: 'quorate_receiver_failing{receiver="mail-ops"}', values: '0x60'}
      - {series: 'quorate_cluster_authority{cluster="a", cluster_id="1"}', values: '1x60'}
    promql_expr_test:
      - {expr: ALERTS, eval_time: 20m, exp_samples: []}
  - interval: 30s
    input_series:
      - {series: 'up{job="quorate", instance="decides"}', values: '0x60'}
      - {series: 'up{job="quorate", instance="observes"}', values: '1x60'}
    promql_expr_test:
      - expr: count by (alertname, instance) (ALERTS{alertstate="firing"})
        eval_time: 20m
        exp_samples:
          - {labels: '{alertname="QuorateNotScraped", instance="decides"}', value: 1}
"#;
