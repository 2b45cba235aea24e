//! A real collector in a room of its own on the switches of a rack, with an operator who asks it.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use proto::dial::dial;
use proto::tls;
use proto::v1;
use proto::v1::gate_client::GateClient;
use proto::v1::query_client::QueryClient;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::binary::{collector_binary, terminal_binary};
use crate::cable::in_network_of;
use crate::clock::{PATIENCE, wait_until};
use crate::disk::Disk;
use crate::program::Program;
use crate::rack::Rack;

const STATION: &str = "collector";
const OBSERVER: &str = "observer";
const FLEET_PORT: u16 = 7460;
const ENROLMENT_PORT: u16 = 7461;
/// The operator's file, in the collector's room.
const OPERATOR: &str = "/var/lib/quorate/operator.json";
const CONFIG: &str = "/etc/quorate/collector.toml";
const STATE: &str = "/var/lib/quorate/collector";
const TOKEN_PREFIX: &str = "quorate1_";

/// A collector; it is killed when this is dropped, and what it wrote stays as long as the rack.
#[derive(Debug)]
pub struct Collector {
    station: &'static str,
    running: Option<Program>,
}

impl Collector {
    /// Makes its room, its CA and an operator, and runs it.
    pub fn start(rack: &mut Rack, links: usize) -> Result<Self> {
        rack.add_station(STATION)?;
        Self::begin(STATION, rack, links, &["init"])
    }

    /// The same with this text as its collector.toml.
    pub fn start_configured(rack: &mut Rack, links: usize, toml: &str) -> Result<Self> {
        rack.add_station(STATION)?;
        let path = rack.path(STATION, CONFIG)?;
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        std::fs::write(&path, toml).with_context(|| format!("cannot write {}", path.display()))?;
        Self::begin(STATION, rack, links, &["init"])
    }

    /// The same, with what it keeps on a disk of so many MiB.
    pub fn start_on_disk(rack: &mut Rack, links: usize, mib: u32) -> Result<(Self, Disk)> {
        rack.add_station(STATION)?;
        let disk = Disk::mount(rack, STATION, STATE, mib)?;
        Ok((Self::begin(STATION, rack, links, &["init"])?, disk))
    }

    /// The same of one that only looks on, in another room.
    pub fn start_observer(rack: &mut Rack, links: usize) -> Result<Self> {
        rack.add_station(OBSERVER)?;
        Self::begin(OBSERVER, rack, links, &["init", "--observer"])
    }

    /// The same of one more that decides, in a room of this name.
    pub fn start_second(rack: &mut Rack, links: usize, station: &'static str) -> Result<Self> {
        rack.add_station(station)?;
        Self::begin(station, rack, links, &["init"])
    }

    fn begin(station: &'static str, rack: &Rack, links: usize, init: &[&str]) -> Result<Self> {
        let mut collector = Self {
            station,
            running: None,
        };
        let mut init: Vec<String> = init.iter().map(|word| (*word).to_owned()).collect();
        for link in 0..links {
            init.extend(["--address".to_owned(), rack.address(station, link)?]);
        }
        let init: Vec<&str> = init.iter().map(String::as_str).collect();
        collector.command(rack, &init)?;
        collector.command(rack, &["operator", "add", "anna", "--out", OPERATOR])?;
        collector.run(rack)?;
        Ok(collector)
    }

    /// A file of what it keeps, as a path of outside.
    pub fn state(&self, rack: &Rack, file: &str) -> Result<PathBuf> {
        Ok(rack.path(STATION, STATE)?.join(file))
    }

    /// What grpc.health.v1 says of a service, asked as the operator.
    pub fn is_serving(&self, rack: &Rack, service: &str) -> Result<bool> {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        self.ask(rack, async |channel| {
            let answer = HealthClient::new(channel).check(request).await?;
            Ok(answer.into_inner().status() == ServingStatus::Serving)
        })
    }

    /// The name of its room.
    #[must_use]
    pub fn station(&self) -> &'static str {
        self.station
    }

    /// The process.
    pub fn program(&self) -> Result<&Program> {
        self.running.as_ref().context("the collector does not run")
    }

    /// Runs it, and waits until it takes connections.
    pub fn run(&mut self, rack: &Rack) -> Result<()> {
        let binary = collector_binary()?;
        let program = rack.start(self.station, &binary.to_string_lossy(), &["run"])?;
        self.wait_for_port(rack, FLEET_PORT, &program)?;
        self.running = Some(program);
        Ok(())
    }

    /// Kills it with SIGKILL, wherever it is.
    pub fn kill(&mut self) -> Result<()> {
        self.stop(Signal::SIGKILL)
    }

    /// Has it end in order.
    pub fn end(&mut self) -> Result<()> {
        self.stop(Signal::SIGTERM)
    }

    fn stop(&mut self, signal: Signal) -> Result<()> {
        let Some(program) = self.running.take() else {
            bail!("the collector does not run");
        };
        program.signal(signal)?;
        program.wait()?;
        Ok(())
    }

    /// Runs one of its other commands beside it; gives what that printed.
    pub fn command(&self, rack: &Rack, args: &[&str]) -> Result<String> {
        let binary = collector_binary()?;
        let command = rack.command(self.station, &binary.to_string_lossy())?;
        output(command, args)
    }

    /// A token, made with these options, and the address of the listener that takes it, which is open when this is back.
    pub fn token(&self, rack: &Rack, options: &[&str]) -> Result<Invitation> {
        let args: Vec<&str> = ["token", "create"].iter().chain(options).copied().collect();
        let said = self.command(rack, &args)?;
        let token = said
            .split(|letter: char| letter.is_whitespace() || letter == '"')
            .find(|word| word.starts_with(TOKEN_PREFIX))
            .with_context(|| format!("there is no token in: {said}"))?;
        self.wait_for_port(rack, ENROLMENT_PORT, self.program()?)?;
        Ok(Invitation {
            enrolment: format!("{}:{ENROLMENT_PORT}", rack.address(self.station, 0)?),
            token: token.to_owned(),
        })
    }

    /// The operator's file, as a path of its room and as one of outside.
    pub fn operator(&self, rack: &Rack) -> Result<(&'static str, PathBuf)> {
        Ok((OPERATOR, rack.path(self.station, OPERATOR)?))
    }

    /// Waits until it hears so many agents of its first cluster.
    pub fn wait_for_agents(&self, rack: &Rack, agents: usize) -> Result<()> {
        wait_until("all agents to be heard", PATIENCE, || {
            let status = self.status(rack)?;
            let nodes = status
                .pointer("/clusters/0/nodes")
                .and_then(Value::as_array);
            let standings = nodes.into_iter().flatten();
            let standings = standings.filter_map(|node| node.get("standing")?.as_str());
            let connected = standings.filter(|standing| *standing == "connected");
            Ok((connected.count() == agents).then_some(()))
        })
    }

    /// What `quorate status --json` says in the collector's room.
    pub fn status(&self, rack: &Rack) -> Result<Value> {
        let said = self.terminal(rack, &["status", "--json"])?;
        Ok(serde_json::from_str(&said)?)
    }

    /// What `quorate ARGS` prints in the collector's room, asked as the operator.
    pub fn terminal(&self, rack: &Rack, args: &[&str]) -> Result<String> {
        let command = rack.command(self.station, &terminal_binary()?.to_string_lossy())?;
        output(command, &[args, &["--identity", OPERATOR]].concat())
    }

    /// The same with its exit code, whatever it is.
    pub fn asked(&self, rack: &Rack, args: &[&str]) -> Result<std::process::Output> {
        let mut asking = self.asking(rack, args)?;
        asking
            .output()
            .context("the terminal's program cannot be run")
    }

    /// The same, to be run.
    pub fn asking(&self, rack: &Rack, args: &[&str]) -> Result<Command> {
        let mut command = rack.command(self.station, &terminal_binary()?.to_string_lossy())?;
        command.args(args).env("QUORATE_IDENTITY", OPERATOR);
        Ok(command)
    }

    /// Its one cluster at a glance, over the wire.
    pub fn cluster(&self, rack: &Rack, with_closed: bool) -> Result<v1::ClusterStatus> {
        let request = v1::GetStatusRequest {
            cluster: String::new(),
            with_closed_incidents: with_closed,
        };
        let clusters = self.ask(rack, async |channel| {
            let answer = QueryClient::new(channel).get_status(request).await?;
            Ok(answer.into_inner().clusters)
        })?;
        clusters
            .into_iter()
            .next()
            .context("the collector knows no cluster")
    }

    /// What would happen if all of these failed.
    pub fn what_if(&self, rack: &Rack, failures: Vec<v1::Failure>) -> Result<v1::WhatIfResponse> {
        let request = v1::WhatIfRequest {
            cluster: String::new(),
            failures,
        };
        self.ask(rack, async |channel| {
            Ok(QueryClient::new(channel)
                .what_if(request)
                .await?
                .into_inner())
        })
    }

    /// How long each of so many questions about a node took, one after the other on one connection.
    pub fn check_times(
        &self,
        rack: &Rack,
        cluster: &str,
        node: &str,
        many: usize,
    ) -> Result<Vec<Duration>> {
        let request = v1::CheckRequest {
            cluster: cluster.to_owned(),
            nodes: vec![node.to_owned()],
            ..v1::CheckRequest::default()
        };
        self.ask(rack, async |channel| {
            let mut gate = GateClient::new(channel);
            let mut took = Vec::with_capacity(many);
            for _ in 0..many {
                let begun = Instant::now();
                gate.check(request.clone()).await?;
                took.push(begun.elapsed());
            }
            Ok(took)
        })
    }

    /// All events of a cluster, in the collector's order.
    pub fn events(&self, rack: &Rack, cluster: &str) -> Result<Vec<v1::KeptEvent>> {
        let request = v1::ListEventsRequest {
            cluster: cluster.to_owned(),
            ..Default::default()
        };
        self.ask(rack, async |channel| {
            let mut query = QueryClient::new(channel);
            let mut stream = query.list_events(request).await?.into_inner();
            let mut events = Vec::new();
            while let Some(event) = stream.message().await? {
                events.push(event);
            }
            Ok(events)
        })
    }

    /// The incidents of a cluster, open and over.
    pub fn incidents(&self, rack: &Rack, cluster: &str) -> Result<Vec<v1::Incident>> {
        let request = v1::GetStatusRequest {
            cluster: cluster.to_owned(),
            with_closed_incidents: true,
        };
        self.ask(rack, async |channel| {
            let mut query = QueryClient::new(channel);
            let clusters = query.get_status(request).await?.into_inner().clusters;
            Ok(clusters
                .into_iter()
                .flat_map(|cluster| cluster.incidents)
                .collect())
        })
    }

    /// The latest report of a node.
    pub fn report(&self, rack: &Rack, cluster: &str, node: &str) -> Result<Vec<v1::AgedFact>> {
        let request = v1::GetReportRequest {
            cluster: cluster.to_owned(),
            node: node.to_owned(),
        };
        self.ask(rack, async |channel| {
            let mut query = QueryClient::new(channel);
            Ok(query.get_report(request).await?.into_inner().facts)
        })
    }

    /// Asks over the wire, as the operator, from the collector's own room.
    fn ask<T: Send>(
        &self,
        rack: &Rack,
        ask: impl AsyncFnOnce(Channel) -> Result<T> + Send,
    ) -> Result<T> {
        let (_, path) = self.operator(rack)?;
        let file: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        let pem = |field: &str| {
            let text = file.get(field).and_then(Value::as_str);
            text.with_context(|| format!("the operator's file has no {field}"))
        };
        let certificates = |field: &str| -> Result<Vec<CertificateDer<'static>>> {
            let all = CertificateDer::pem_slice_iter(pem(field)?.as_bytes());
            Ok(all.collect::<Result<_, _>>()?)
        };
        let key = PrivateKeyDer::from_pem_slice(pem("key_pem")?.as_bytes())?;
        let trust = certificates("trust_pem")?;
        let config = Arc::new(tls::client(certificates("certificate_pem")?, key, &trust)?);
        let address = format!("{}:{FLEET_PORT}", rack.address(self.station, 0)?);
        in_network_of(rack.init(self.station)?, || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let channel = dial(&address, config).await?;
                ask(channel).await
            })
        })
    }

    fn wait_for_port(&self, rack: &Rack, port: u16, program: &Program) -> Result<()> {
        let address = format!("{}:{port}", rack.address(self.station, 0)?);
        let open = wait_until("the collector to listen", PATIENCE, || {
            in_network_of(rack.init(self.station)?, || {
                Ok(TcpStream::connect(&address).ok().map(drop))
            })
        });
        open.with_context(|| format!("standard error: {}", program.stderr.rest()))
    }
}

/// What a node joins with.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// HOST:PORT of the enrolment listener.
    pub enrolment: String,
    pub token: String,
}

fn output(mut command: Command, args: &[&str]) -> Result<String> {
    let output = command.args(args).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{args:?}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}
