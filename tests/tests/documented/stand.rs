//! Where documented commands are run: three nodes, a machine for the collector, and another one. What a rack has not is played, and
//! nothing else: `systemctl` starts and ends the program that the unit runs, `/etc/pve` is carried to the other nodes, and `ssh` goes
//! nowhere.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use quorate_tests::documents::Documented;
use quorate_tests::truth::declaration;
use quorate_tests::{
    PATIENCE, Plan, Program, Rack, agent_binary, collector_binary, give_cluster_id,
    terminal_binary, wait_until,
};
use serde_json::Value;

use super::workspace;

const NODES: usize = 3;
const LINKS: usize = 2;
const TOKEN_MS: u32 = 2_000;
const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
/// As the documents call them; there is a third machine wherever a collector moves to.
const COLLECTOR: &str = "collector";
const OTHER: &str = "other";
const NODE: &str = "pve-01";
const NODES_BEGIN: &str = "pve-";
pub(super) const LEDGER: &str = "/var/lib/quorate/collector/ledger.db";
const CONFIG: &str = "/etc/quorate/collector.toml";
/// Whoever runs a command sits there; the sources' folder with examples is in it.
const HOME: &str = "/run/home";
const IDENTITY: &str = "/run/home/.config/quorate/identity.json";
const JOIN_FILE: &str = "/etc/pve/priv/quorate/join.json";
/// Beside programs of the system, in every room.
const BIN: &str = "/run/documented";
const SSH: &str = "#!/bin/sh\nexit 0\n";
/// What goes on until it is stopped: so long, and then Ctrl-C; it has shown something by then.
const FOLLOWS: [&str; 3] = [
    "quorate events -f",
    "quorate-agent watch",
    "quorate-agent run",
];
const FOLLOWED_S: u32 = 8;
/// So timeout(1) says that it had to.
const STOPPED: i32 = 124;

pub(super) struct Stand {
    rack: Rack,
    /// What the units run, by place and program.
    running: BTreeMap<(String, String), Program>,
    /// What stands for something in the documents, and what it is here.
    filled_in: Vec<(String, String)>,
    /// After `cd`, of places.
    cwd: BTreeMap<String, String>,
    site: String,
    /// Where it is now: it moves.
    collector: &'static str,
}

impl Stand {
    pub(super) fn build() -> Result<Self> {
        let plan = Plan::new(NODES, LINKS).token_ms(TOKEN_MS).playing_boot();
        let dependency = "[[dependency]]\nservice = \"collector\"\non = \"external\"\n";
        let site = format!("{}{dependency}", declaration(&plan));
        let mut rack = Rack::build(plan)?;
        give_cluster_id(&rack, CLUSTER)?;
        rack.add_station(COLLECTOR)?;
        rack.add_station(OTHER)?;
        rack.wait_for_cluster()?;
        let stand = Self {
            rack,
            running: BTreeMap::new(),
            filled_in: Vec::new(),
            cwd: BTreeMap::new(),
            site,
            collector: COLLECTOR,
        };
        for place in stand.places() {
            stand.furnish(&place)?;
        }
        stand.write(COLLECTOR, CONFIG, &stand.site)?;
        stand.write(OTHER, CONFIG, &stand.site)?;
        stand.name_collector(COLLECTOR)?;
        Ok(stand)
    }

    fn places(&self) -> Vec<String> {
        let stations = [COLLECTOR, OTHER].map(str::to_owned);
        self.rack
            .nodes()
            .map(str::to_owned)
            .chain(stations)
            .collect()
    }

    fn furnish(&self, place: &str) -> Result<()> {
        let bin = self.rack.path(place, BIN)?;
        fs::create_dir_all(&bin)?;
        for program in [terminal_binary()?, agent_binary()?, collector_binary()?] {
            let name = program.file_name().context("a program has a name")?;
            std::os::unix::fs::symlink(&program, bin.join(name))?;
        }
        self.write(place, &format!("{BIN}/ssh"), SSH)?;
        fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755))?;
        fs::create_dir_all(self.rack.path(place, "/run/root")?)?;
        let home = self.rack.path(place, HOME)?;
        fs::create_dir_all(&home)?;
        std::os::unix::fs::symlink(workspace().join("model"), home.join("model"))?;
        // Proxmox VE has it always.
        fs::create_dir_all(self.rack.path(place, "/etc/pve/priv")?)?;
        Ok(())
    }

    fn write(&self, place: &str, path: &str, text: &str) -> Result<()> {
        let path = self.rack.path(place, path)?;
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The name that the documents give to the collector is that of this machine, wherever it is asked for.
    fn name_collector(&self, station: &str) -> Result<()> {
        let address = self.rack.address(station, 0)?;
        for place in self.places() {
            let hosts =
                format!("127.0.0.1 localhost\n{address} quorate.example collector.example\n");
            self.write(&place, "/etc/hosts", &hosts)?;
        }
        Ok(())
    }

    /// From now on this stands for that.
    pub(super) fn fill_in(&mut self, words: &str, here: &str) {
        self.filled_in.push((words.to_owned(), here.to_owned()));
    }

    /// Has Python do this with `c`, the collector's ledger.
    pub(super) fn ledger(&self, program: &str) -> Result<String> {
        let mut python = self.rack.command(COLLECTOR, "python3")?;
        let open = format!("import sqlite3; c = sqlite3.connect('{LEDGER}'); ");
        let output = python.args(["-c", &(open + program)]).output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    pub(super) fn run_all(&mut self, all: &[Documented]) -> Result<()> {
        all.iter().try_for_each(|documented| self.run(documented))
    }

    pub(super) fn run(&mut self, documented: &Documented) -> Result<()> {
        println!("{documented}");
        let command = self.here(&documented.command);
        for place in self.whose(documented) {
            self.one(&place, &command)
                .with_context(|| format!("{documented}, on {place}"))?;
        }
        Ok(())
    }

    fn here(&self, command: &str) -> String {
        let mut here = command
            .replace("target/release/", "")
            .replace("/root/", "/run/root/");
        for (words, with) in &self.filled_in {
            here = here.replace(words, with);
        }
        here
    }

    /// On which machines it is run.
    fn whose(&self, documented: &Documented) -> Vec<String> {
        let of = |program: &str| documented.command.contains(program);
        let place = match documented.place.as_str() {
            "every node" => return self.rack.nodes().map(str::to_owned).collect(),
            "one node" => NODE,
            "root@pve-03:~" => "pve-03",
            "" if documented.is_root
                && (of("quorate-agent") || of("/run/quorate") || of("hostname")) =>
            {
                NODE
            }
            "" | COLLECTOR => self.collector,
            named => named,
        };
        vec![place.to_owned()]
    }

    fn one(&mut self, place: &str, command: &str) -> Result<()> {
        if let Some(words) = command.strip_prefix("systemctl ") {
            return words
                .split("; systemctl ")
                .try_for_each(|words| self.systemctl(place, words));
        }
        if let Some(dir) = command.strip_prefix("cd ") {
            self.cwd.insert(place.to_owned(), dir.to_owned());
            return Ok(());
        }
        let output = if command == "quorate-collector ca show" {
            self.until_no_node_is_named(place, command)?
        } else {
            self.shell(place, command)?
        };
        let code = output.status.code();
        let said = String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat())
            .into_owned();
        let is_fine = if command.starts_with("quorate check") {
            // It has answered, whatever.
            matches!(code, Some(0..=2))
        } else if follows(command) {
            matches!(code, Some(0 | STOPPED)) && !output.stdout.is_empty()
        } else {
            code == Some(0)
        };
        ensure!(is_fine, "exit code {code:?}:\n{said}");
        self.learn(place, command, &said)
    }

    /// A person looks again until the nodes are ready.
    fn until_no_node_is_named(&self, place: &str, command: &str) -> Result<Output> {
        wait_until("all nodes to be ready", PATIENCE, || {
            let output = self.shell(place, command)?;
            let said = String::from_utf8_lossy(&output.stdout);
            let waits = said
                .split_once("Not ready:")
                .is_some_and(|(_, who)| who.contains(NODES_BEGIN));
            Ok((!waits).then_some(output))
        })
    }

    fn shell(&self, place: &str, command: &str) -> Result<Output> {
        let line = if follows(command) {
            format!("timeout -s INT {FOLLOWED_S} {command}")
        } else {
            command.to_owned()
        };
        let mut shell = self.rack.command(place, "sh")?;
        let path = std::env::var("PATH").unwrap_or_default();
        let cwd = self.cwd.get(place).map_or(HOME, String::as_str);
        shell
            .args(["-c", &format!("cd {cwd} && {line}")])
            .env("PATH", format!("{BIN}:{path}"))
            .env("HOME", HOME)
            .env_remove("QUORATE_IDENTITY");
        shell.output().context("sh cannot be run")
    }

    /// What a person would take from one command to the next.
    fn learn(&mut self, place: &str, command: &str, said: &str) -> Result<()> {
        if command.starts_with("quorate-collector init") {
            let mut words = said.split_whitespace();
            let token = words.find(|word| word.starts_with("quorate1_"));
            let token = token.context("init printed no token")?.to_owned();
            self.filled_in
                .retain(|(words, _)| !words.starts_with("--token"));
            self.fill_in("--token …", &format!("--token {token}"));
        }
        if place != OTHER && command.starts_with("quorate-collector backup") {
            let backup = "/run/root/quorate.tar";
            fs::copy(
                self.rack.path(place, backup)?,
                self.rack.path(OTHER, backup)?,
            )?;
        }
        if command.starts_with("quorate-collector restore") {
            // As the document says there: the other machine has the old one's name, and the old one does not run any more.
            self.systemctl(COLLECTOR, "stop quorate-collector")?;
            self.collector = OTHER;
            self.name_collector(OTHER)?;
        }
        Ok(())
    }

    fn systemctl(&mut self, place: &str, words: &str) -> Result<()> {
        let (verb, unit) = words.rsplit_once(' ').context("systemctl of nothing")?;
        let key = (place.to_owned(), unit.to_owned());
        let running = self.running.remove(&key);
        match verb {
            "stop" | "restart" => {
                if let Some(program) = running {
                    program.signal(Signal::SIGTERM)?;
                    program.wait()?;
                }
                if verb == "stop" {
                    return Ok(());
                }
            }
            "start" | "enable --now" => {
                if let Some(program) = running {
                    self.running.insert(key, program);
                    return Ok(());
                }
            }
            _ => bail!("nobody plays systemctl {verb}"),
        }
        match unit {
            "quorate-collector" | "quorate-agent" => {
                let program = self.start(place, unit)?;
                self.running.insert(key, program);
            }
            "quorate-agent-join.timer" => self.join_found(place)?,
            _ => bail!("there is no unit {unit}"),
        }
        Ok(())
    }

    fn start(&self, place: &str, unit: &str) -> Result<Program> {
        let program = self.rack.start(place, &format!("{BIN}/{unit}"), &["run"])?;
        let is_ready = |line: &quorate_tests::Line| {
            line.text.contains("ready in") || line.text.contains("listening")
        };
        program.stderr.expect("ready", PATIENCE, is_ready)?;
        Ok(program)
    }

    /// A start of the collector that it refuses; gives what it says.
    pub(super) fn refused_start(&self) -> Result<String> {
        let output = self.shell(COLLECTOR, "quorate-collector run")?;
        ensure!(!output.status.success(), "it runs");
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// What the timer does on every node that is not enrolled, and the agent's unit after that.
    pub(super) fn others_join(&mut self) -> Result<()> {
        let nodes: Vec<String> = self.rack.nodes().map(str::to_owned).collect();
        for node in nodes {
            if node != NODE {
                self.join_found(&node)?;
            }
            self.systemctl(&node, "start quorate-agent")?;
        }
        Ok(())
    }

    fn join_found(&self, node: &str) -> Result<()> {
        if node != NODE {
            let invitation = fs::read_to_string(self.rack.path(NODE, JOIN_FILE)?)?;
            self.write(node, JOIN_FILE, &invitation)?;
            let mode = fs::Permissions::from_mode(0o600);
            fs::set_permissions(self.rack.path(node, JOIN_FILE)?, mode)?;
        }
        let output = self.shell(node, "quorate-agent join --found")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{node} does not join: {said}");
        Ok(())
    }

    /// Until root on a node is told of all nodes.
    pub(super) fn wait_for_all(&self) -> Result<()> {
        let mut last = String::new();
        let all = wait_until("all nodes to be heard", PATIENCE, || {
            let output = self.shell(NODE, "quorate status --json")?;
            last = String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat())
                .into_owned();
            let Ok(status) = serde_json::from_slice::<Value>(&output.stdout) else {
                return Ok(None);
            };
            let nodes = status
                .pointer("/clusters/0/nodes")
                .and_then(Value::as_array);
            let standings = nodes
                .into_iter()
                .flatten()
                .filter_map(|node| node.get("standing"));
            Ok((standings.filter(|it| *it == "connected").count() == NODES).then_some(()))
        });
        all.with_context(|| last)
    }

    /// Somebody who asks from the collector's machine.
    pub(super) fn make_operator(&self, name: &str) -> Result<()> {
        let dir = Path::new(IDENTITY)
            .parent()
            .context("it lies in a folder")?;
        let add = format!(
            "mkdir -p {} && quorate-collector operator add {name} --out {IDENTITY}",
            dir.display()
        );
        let output = self.shell(COLLECTOR, &add)?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// A receiver of this name, which takes everything.
    pub(super) fn have_a_receiver(&self, name: &str) -> Result<()> {
        let receiver = format!(
            "[[receiver.command]]\nname = \"{name}\"\nprogram = \"/usr/bin/tee\"\narguments = [\"/run/told\"]\n"
        );
        self.write(COLLECTOR, CONFIG, &format!("{}{receiver}", self.site))
    }

    /// A cable is pulled; the documents' number of an incident is that one's from now on.
    pub(super) fn have_an_incident(&mut self) -> Result<()> {
        self.rack.cut_cable("pve-02", 1)?;
        let number = wait_until("an incident", PATIENCE, || {
            let output = self.shell(NODE, "quorate incidents --json")?;
            let answer: Value = serde_json::from_slice(&output.stdout)?;
            let first = answer.pointer("/clusters/0/incidents/0/number");
            Ok(first.and_then(Value::as_u64))
        })?;
        self.fill_in("--incident 12", &format!("--incident {number}"));
        self.fill_in("ack 12", &format!("ack {number}"));
        Ok(())
    }
}

fn follows(command: &str) -> bool {
    FOLLOWS.iter().any(|begin| command.starts_with(begin))
}
