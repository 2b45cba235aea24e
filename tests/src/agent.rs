//! The agent of a node of the rack: it joins a collector, runs, is killed and comes back.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::Value;

use crate::binary::agent_binary;
use crate::clock::PATIENCE;
use crate::collector::Collector;
use crate::journal::Journal;
use crate::program::Program;
use crate::rack::Rack;

const SOCKET: &str = "/run/quorate/agent.sock";
const CONFIG: &str = "/etc/quorate/agent.toml";
/// Where Proxmox VE keeps the certificate that the cluster's id is taken from.
const PVE_CA: &str = "/etc/pve/pve-root-ca.pem";

/// Gives every node of a rack the CA of one Proxmox VE cluster, with this UUID in its subject.
pub fn give_cluster_id(rack: &Rack, uuid: &str) -> Result<()> {
    let mut params = CertificateParams::new(Vec::new())?;
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "Proxmox Virtual Environment");
    name.push(DnType::OrganizationalUnitName, uuid);
    name.push(DnType::OrganizationName, "PVE Cluster Manager CA");
    let ca = params.self_signed(&KeyPair::generate()?)?.pem();
    for node in rack.nodes() {
        let path = rack.path(node, PVE_CA)?;
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        std::fs::write(&path, &ca).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The agent of one node.
#[derive(Debug)]
pub struct Agent {
    node: String,
    running: Option<Program>,
}

impl Agent {
    /// An agent that has joined, and does not run yet. `enrolment` is the address of the collector's enrolment listener.
    pub fn join(rack: &Rack, node: &str, enrolment: &str, token: &str) -> Result<Self> {
        let agent = Self {
            node: node.to_owned(),
            running: None,
        };
        agent.join_also(rack, enrolment, token)?;
        Ok(agent)
    }

    /// An agent on every node, joined and running, each with a journal to listen to.
    pub fn on_every_node(rack: &Rack, collector: &Collector) -> Result<Vec<(Journal, Self)>> {
        let invitation = collector.token(rack, &[])?;
        let mut agents = Vec::new();
        for node in rack.nodes() {
            let journal = Journal::start(rack, node)?;
            let mut agent = Self::join(rack, node, &invitation.enrolment, &invitation.token)?;
            agent.start(rack)?;
            agents.push((journal, agent));
        }
        Ok(agents)
    }

    /// Joins one more collector.
    pub fn join_also(&self, rack: &Rack, enrolment: &str, token: &str) -> Result<()> {
        let mut join = rack.command(&self.node, &agent_binary()?.to_string_lossy())?;
        let joined = join.args(["join", enrolment, "--token", token]).output()?;
        let said = String::from_utf8_lossy(&joined.stderr);
        ensure!(
            joined.status.success(),
            "{} did not join: {said}",
            self.node
        );
        Ok(())
    }

    /// The text of its agent.toml from the next start on.
    pub fn configure(&self, rack: &Rack, toml: &str) -> Result<()> {
        let path = rack.path(&self.node, CONFIG)?;
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        std::fs::write(&path, toml).with_context(|| format!("cannot write {}", path.display()))
    }

    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Runs it, and waits until it has read everything once.
    pub fn start(&mut self, rack: &Rack) -> Result<()> {
        let program = rack.agent(&self.node, &["run"])?;
        let is_ready = |line: &crate::program::Line| line.text.contains("ready in");
        program.stderr.expect("ready", PATIENCE, is_ready)?;
        self.running = Some(program);
        Ok(())
    }

    /// Kills it with SIGKILL, wherever it is.
    pub fn kill(&mut self) -> Result<()> {
        let Some(program) = self.running.take() else {
            bail!("the agent of {} does not run", self.node);
        };
        program.signal(Signal::SIGKILL)?;
        program.wait()?;
        Ok(())
    }

    /// It ended with its node.
    pub fn lost(&mut self) {
        self.running = None;
    }

    /// The process.
    pub fn program(&self) -> Result<&Program> {
        let running = self.running.as_ref();
        running.with_context(|| format!("the agent of {} does not run", self.node))
    }

    /// What it knows now, as its socket says.
    pub fn report(&self, rack: &Rack) -> Result<Value> {
        let mut socket = UnixStream::connect(rack.path(&self.node, SOCKET)?)
            .with_context(|| format!("the agent of {} does not listen", self.node))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        writeln!(socket, "report")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }
}
