//! A cluster on this machine: nodes as rooms, switches as bridges, cables as veth pairs, and what can happen to them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::binary::agent_binary;
use crate::clock::{PATIENCE, wait_until};
use crate::corosync::{self, Membership, address, node_name};
use crate::plan::Plan;
use crate::program::{Program, children};
use crate::room::Room;

mod boot;
mod cables;

/// The first station's number: its addresses end in 210.
const FIRST_STATION: usize = 200;
const MOST_STATIONS: usize = 40;

/// A running cluster. Everything of it ends when this is dropped, and when this process ends in any way.
#[derive(Debug)]
pub struct Rack {
    fabric: Room,
    plan: Plan,
    nodes: Vec<Node>,
    /// Machines on the same switches that are no nodes of the cluster.
    stations: Vec<Node>,
    /// Ends of cables at a switch that were pulled.
    cut: BTreeSet<(String, usize)>,
    /// Switches without power.
    dead: BTreeSet<usize>,
    /// Switches that pass nothing on.
    mute: BTreeSet<usize>,
    /// Networks whose two switches are not joined.
    apart: BTreeSet<usize>,
}

#[derive(Debug)]
struct Node {
    name: String,
    number: usize,
    /// `None` while it has no power.
    room: Option<Room>,
}

impl Rack {
    /// `nodes` nodes called pve-01, pve-02 …, each with `links` network cards eth0, eth1 …, each card cabled to a switch of
    /// its own and a link of corosync. Comes back when all nodes are in one membership and every link is connected.
    pub fn new(nodes: usize, links: usize) -> Result<Self> {
        Self::build(Plan::new(nodes, links))
    }

    /// The same of any plan.
    pub fn build(plan: Plan) -> Result<Self> {
        plan.check()?;
        let nodes = plan.nodes;
        let mut switches = String::new();
        for switch in 0..plan.switches() {
            // Writing to a String cannot fail.
            let _ = write!(
                switches,
                "link add sw{switch} type bridge\nlink set sw{switch} up\n"
            );
        }
        for link in (0..plan.links).filter(|_| plan.has_halves) {
            let other = link + plan.links;
            let _ = write!(
                switches,
                "link add up{link} type veth peer name up{link}b\nlink set up{link} master sw{link} up\n\
                 link set up{link}b master sw{other} up\n"
            );
        }
        let mut rack = Self {
            fabric: Room::fabric()?,
            plan,
            nodes: Vec::new(),
            stations: Vec::new(),
            cut: BTreeSet::new(),
            dead: BTreeSet::new(),
            mute: BTreeSet::new(),
            apart: BTreeSet::new(),
        };
        ip_batch(&rack.fabric, &switches)?;
        for number in 1..=nodes {
            rack.nodes.push(Node {
                name: node_name(number),
                number,
                room: None,
            });
        }
        for number in 1..=nodes {
            rack.start_node(&node_name(number))?;
        }
        rack.wait_for_cluster()?;
        Ok(rack)
    }

    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The nodes that have power.
    pub fn running(&self) -> impl Iterator<Item = &str> {
        let running = self.nodes.iter().filter(|node| node.room.is_some());
        running.map(|node| node.name.as_str())
    }

    /// The names of all nodes, running or not.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|node| node.name.as_str())
    }

    pub fn set_mtu(&self, node: &str, link: usize, bytes: u32) -> Result<()> {
        self.check_link(link)?;
        ip_batch(
            self.room(node)?,
            &format!("link set eth{link} mtu {bytes}\n"),
        )
    }

    /// `address` with its prefix length, as in `10.9.0.1/24`.
    pub fn add_address(&self, node: &str, link: usize, address: &str) -> Result<()> {
        self.check_link(link)?;
        ip_batch(
            self.room(node)?,
            &format!("addr add {address} dev eth{link}\n"),
        )
    }

    pub fn remove_address(&self, node: &str, link: usize, address: &str) -> Result<()> {
        self.check_link(link)?;
        ip_batch(
            self.room(node)?,
            &format!("addr del {address} dev eth{link}\n"),
        )
    }

    // Nodes.

    /// A node loses its power: whatever runs on it is gone at once; what it wrote to /etc and /var stays.
    pub fn stop_node(&mut self, node: &str) -> Result<()> {
        let (links, fabric) = (self.plan.links, &self.fabric);
        let found = self.nodes.iter_mut().find(|known| known.name == node);
        let found = found.with_context(|| format!("there is no node {node}"))?;
        let room = found.room.take();
        drop(room.with_context(|| format!("{node} has no power"))?);
        // The kernel takes the cards away with the node, but not at once.
        for link in 0..links {
            let port = port(found.number, link);
            wait_until("the cables of a node to go", PATIENCE, || {
                let mut show = fabric.ip();
                let shown = show.args(["link", "show", &port]).output()?;
                Ok((!shown.status.success()).then_some(()))
            })?;
        }
        Ok(())
    }

    /// Gives a node power, and starts its corosync; it does not wait for the cluster.
    pub fn start_node(&mut self, node: &str) -> Result<()> {
        let found = self.node(node)?;
        ensure!(found.room.is_none(), "{node} has power");
        let (number, room) = (found.number, self.fabric.node(node)?);
        self.wire(node, number, &room)?;
        if self.plan.plays_boot {
            boot::play(&room, &self.plan, number)?;
        }
        let conf = room.path("/etc/corosync/corosync.conf");
        std::fs::write(&conf, corosync::conf(&self.plan))
            .with_context(|| format!("{} cannot be written", conf.display()))?;
        if let Some(found) = self.nodes.iter_mut().find(|known| known.name == node) {
            found.room = Some(room);
        }
        self.start_corosync(node)
    }

    /// A reboot is announced on a node, as by `shutdown -r`; nobody does it.
    pub fn schedule_reboot(&self, node: &str, in_s: u64) -> Result<()> {
        ensure!(self.plan.plays_boot, "nodes of this rack have no systemd");
        boot::schedule_reboot(self.room(node)?, in_s)
    }

    /// As by `shutdown -c`.
    pub fn take_reboot_back(&self, node: &str) -> Result<()> {
        boot::take_back(self.room(node)?)
    }

    /// Whether `systemctl reboot` was run on a node since it has power; nobody does it.
    pub fn is_told_to_reboot(&self, node: &str) -> Result<bool> {
        Ok(boot::is_told_to_reboot(self.room(node)?))
    }

    /// Puts a program where a package would put it, until the node loses its power.
    pub fn install(&self, node: &str, program: &Path) -> Result<()> {
        ensure!(self.plan.plays_boot, "nodes of this rack have no systemd");
        boot::install(self.room(node)?, program)
    }

    /// Adds a machine that is no node of the cluster, with a card on every switch. Cables, paths and programs of it are
    /// had by its name, like a node's.
    pub fn add_station(&mut self, name: &str) -> Result<()> {
        ensure!(self.node(name).is_err(), "there is a {name} already");
        ensure!(
            self.stations.len() < MOST_STATIONS,
            "a rack has at most {MOST_STATIONS} stations"
        );
        let number = FIRST_STATION + self.stations.len();
        let room = self.fabric.node(name)?;
        self.wire(name, number, &room)?;
        self.stations.push(Node {
            name: name.to_owned(),
            number,
            room: Some(room),
        });
        Ok(())
    }

    /// The address of a node or a station in the network of a link.
    pub fn address(&self, node: &str, link: usize) -> Result<String> {
        self.check_link(link)?;
        Ok(address(self.node(node)?.number, link))
    }

    /// Puts a card for each switch into a room, with its cable and its address.
    fn wire(&self, name: &str, number: usize, room: &Room) -> Result<()> {
        let (mut outside, mut inside) = (String::new(), String::new());
        for link in 0..self.plan.links {
            let (port, init) = (port(number, link), room.init());
            let switch = self.plan.switch_of(number, link);
            let is_lit =
                !self.dead.contains(&switch) && !self.cut.contains(&(name.to_owned(), link));
            let _ = writeln!(
                outside,
                "link add {port} type veth peer name eth{link} netns {init}\nlink set {port} master sw{switch} {}",
                if is_lit { "up" } else { "down" }
            );
            let _ = writeln!(
                inside,
                "addr add {}/24 dev eth{link}\nlink set eth{link} up",
                address(number, link)
            );
        }
        ip_batch(&self.fabric, &outside)?;
        ip_batch(room, &inside)
    }

    /// A path of a node's file system, to be used from outside; /etc, /var, /run and /dev/shm are its own.
    pub fn path(&self, node: &str, path: &str) -> Result<PathBuf> {
        Ok(self.room(node)?.path(path))
    }

    /// A command that runs on a node.
    pub fn command(&self, node: &str, program: &str) -> Result<Command> {
        Ok(self.room(node)?.command(program))
    }

    // corosync.

    pub fn start_corosync(&self, node: &str) -> Result<()> {
        let started = self.room(node)?.command("corosync").output()?;
        let said = String::from_utf8_lossy(&started.stderr);
        ensure!(
            started.status.success(),
            "corosync on {node} did not start: {said}"
        );
        Ok(())
    }

    /// Asks corosync to leave the cluster (SIGTERM), and waits until it is gone.
    pub fn stop_corosync(&self, node: &str) -> Result<()> {
        self.end_corosync(node, Signal::SIGTERM)
    }

    /// Ends corosync without a word to the others (SIGKILL).
    pub fn kill_corosync(&self, node: &str) -> Result<()> {
        self.end_corosync(node, Signal::SIGKILL)
    }

    pub fn restart_corosync(&self, node: &str) -> Result<()> {
        self.stop_corosync(node)?;
        self.start_corosync(node)
    }

    /// corosync stands still (SIGSTOP), as when it is not scheduled: its sockets are there, and nobody answers.
    pub fn freeze_corosync(&self, node: &str) -> Result<()> {
        kill(self.corosync(node)?, Signal::SIGSTOP).context("corosync cannot be stopped")
    }

    pub fn thaw_corosync(&self, node: &str) -> Result<()> {
        kill(self.corosync(node)?, Signal::SIGCONT).context("corosync cannot be continued")
    }

    fn end_corosync(&self, node: &str, signal: Signal) -> Result<()> {
        let pid = self.corosync(node)?;
        kill(pid, signal).with_context(|| format!("{signal} cannot be sent to corosync"))?;
        wait_until("corosync to end", PATIENCE, || {
            Ok(self.running_corosync(node)?.is_none().then_some(()))
        })
    }

    /// The process of a node's corosync, as seen from outside.
    pub fn corosync(&self, node: &str) -> Result<Pid> {
        self.running_corosync(node)?
            .with_context(|| format!("no corosync runs on {node}"))
    }

    /// It is a daemon, and so a child of the node's init.
    fn running_corosync(&self, node: &str) -> Result<Option<Pid>> {
        let of_init = children(self.room(node)?.init())?;
        Ok(of_init.into_iter().find(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|name| name.trim() == "corosync")
        }))
    }

    /// What corosync-quorumtool says on a node; `None` where corosync does not answer.
    pub fn membership(&self, node: &str) -> Result<Option<Membership>> {
        Ok(Membership::parse(&self.said(
            node,
            "corosync-quorumtool",
            "-s",
        )?))
    }

    /// How many links to other nodes corosync calls connected, on one node.
    pub fn connected_links(&self, node: &str) -> Result<usize> {
        let said = self.said(node, "corosync-cfgtool", "-n")?;
        Ok(said.matches(" connected mtu").count())
    }

    fn said(&self, node: &str, tool: &str, arg: &str) -> Result<String> {
        // The exit code tells whether there is quorum, too: what it says is the answer.
        let output = self.room(node)?.command(tool).arg(arg).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Waits until every node with power is in one membership, with every link connected.
    pub fn wait_for_cluster(&self) -> Result<()> {
        let running: Vec<&str> = self
            .nodes
            .iter()
            .filter(|node| node.room.is_some())
            .map(|node| node.name.as_str())
            .collect();
        let mut behind = "";
        let formed = wait_until("the nodes to form a cluster", PATIENCE, || {
            let mut rings = BTreeSet::new();
            for node in &running {
                behind = node;
                match self.membership(node)? {
                    Some(seen) if seen.nodes == running.len() => rings.insert(seen.ring),
                    _ => return Ok(None),
                };
                if self.connected_links(node)? != (running.len() - 1) * self.plan.links {
                    return Ok(None);
                }
            }
            // A node whose membership ended without its notice still names the old ring.
            Ok((rings.len() == 1).then_some(()))
        });
        formed.with_context(|| self.log_of(behind))
    }

    /// The end of a node's corosync log, for errors.
    fn log_of(&self, node: &str) -> String {
        let path = self.path(node, "/var/log/corosync/corosync.log");
        let text = path.and_then(|path| Ok(std::fs::read_to_string(path)?));
        let text = text.unwrap_or_else(|error| format!("{error:#}"));
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.iter().skip(lines.len().saturating_sub(20));
        let last: Vec<&str> = last.copied().collect();
        format!("corosync's log on {node} ends with:\n{}", last.join("\n"))
    }

    // Programs.

    /// Starts `quorate-agent ARGS` on a node.
    pub fn agent(&self, node: &str, args: &[&str]) -> Result<Program> {
        let binary = agent_binary()?;
        self.start(node, &binary.to_string_lossy(), args)
    }

    /// Starts any program on a node.
    pub fn start(&self, node: &str, program: &str, args: &[&str]) -> Result<Program> {
        Program::start(self.room(node)?, program, args)
    }

    /// The init process of a node, as seen from outside: its namespaces are the node's.
    pub fn init(&self, node: &str) -> Result<Pid> {
        Ok(self.room(node)?.init())
    }

    /// The init process of the namespaces in which the switches are.
    #[must_use]
    pub fn fabric(&self) -> Pid {
        self.fabric.init()
    }

    /// The name of a cable's end at the switch.
    fn port(&self, node: &str, link: usize) -> Result<String> {
        self.check_link(link)?;
        Ok(port(self.node(node)?.number, link))
    }

    fn all(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().chain(&self.stations)
    }

    fn node(&self, name: &str) -> Result<&Node> {
        let node = self.all().find(|node| node.name == name);
        node.with_context(|| format!("there is no node {name}"))
    }

    fn room(&self, node: &str) -> Result<&Room> {
        let room = self.node(node)?.room.as_ref();
        room.with_context(|| format!("{node} has no power"))
    }

    fn check_link(&self, link: usize) -> Result<()> {
        ensure!(link < self.plan.links, "there is no link {link}");
        Ok(())
    }
}

fn port(number: usize, link: usize) -> String {
    format!("p{number}-{link}")
}

/// Has one `ip` do all of it; the first line that fails ends it.
fn ip_batch(room: &Room, lines: &str) -> Result<()> {
    let mut ip = room.ip();
    let mut ip = ip
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("nsenter and ip (Debian packages util-linux, iproute2) cannot be run")?;
    if let Some(mut stdin) = ip.stdin.take() {
        stdin.write_all(lines.as_bytes())?;
    }
    let done = ip.wait_with_output()?;
    if !done.status.success() {
        bail!("ip: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(())
}
