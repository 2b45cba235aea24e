//! A rack for tests: real corosyncs, each in a network and a mount namespace of its own, on two switches.
//! It needs root, `ip`, `unshare` and `corosync`.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Rack {
    dir: TempDir,
    /// Begins the names of its namespaces.
    name: String,
    corosyncs: Vec<Child>,
}

impl Rack {
    /// Builds it, starts all corosyncs and waits until they are one quorate cluster. `options` stand in the section
    /// `quorum`.
    pub(super) fn start(nodes: usize, options: &str) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "this test needs root: it makes network namespaces and starts corosync"
        );
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut rack = Self {
            dir: tempfile::tempdir().unwrap(),
            name: format!("quorate-corosync-{}-{count}", std::process::id()),
            corosyncs: Vec::new(),
        };
        rack.cable(nodes);
        for node in 0..nodes {
            rack.configure(node, nodes, options);
            let corosync = rack.spawn(node);
            rack.corosyncs.push(corosync);
        }
        let all = format!("Nodes:            {nodes}\n");
        for node in 0..nodes {
            rack.wait_until(node, |said| {
                said.contains(&all) && said.contains("Quorate:          Yes")
            });
        }
        rack
    }

    fn namespace(&self, node: usize) -> String {
        format!("{}-{}", self.name, node + 1)
    }

    pub(super) fn fabric(&self) -> String {
        format!("{}-fabric", self.name)
    }

    fn cable(&self, nodes: usize) {
        let fabric = self.fabric();
        ip(&["netns", "add", &fabric]);
        for switch in ["sw0", "sw1"] {
            ip(&["-n", &fabric, "link", "add", switch, "type", "bridge"]);
            ip(&["-n", &fabric, "link", "set", switch, "up"]);
        }
        for node in 0..nodes {
            let namespace = self.namespace(node);
            ip(&["netns", "add", &namespace]);
            ip(&["-n", &namespace, "link", "set", "lo", "up"]);
            for link in 0..2 {
                let (port, peer) = (format!("eth{link}"), format!("p{}-{link}", node + 1));
                let switch = format!("sw{link}");
                let address = format!("10.2{link}.0.{}/24", 11 + node);
                #[rustfmt::skip]
                ip(&["-n", &namespace, "link", "add", &port, "type", "veth", "peer", "name", &peer, "netns", &fabric]);
                ip(&["-n", &fabric, "link", "set", &peer, "master", &switch, "up"]);
                ip(&["-n", &namespace, "addr", "add", &address, "dev", &port]);
                ip(&["-n", &namespace, "link", "set", &port, "up"]);
            }
        }
    }

    fn home(&self, node: usize) -> PathBuf {
        self.dir.path().join(format!("{}", node + 1))
    }

    fn configure(&self, node: usize, nodes: usize, options: &str) {
        let home = self.home(node);
        for dir in ["run/netns", "state"] {
            fs::create_dir_all(home.join(dir)).unwrap();
        }
        let nodelist: String = (1..=nodes)
            .map(|id| {
                let host = 10 + id;
                format!(
                    "  node {{\n    name: pve-{id:02}\n    nodeid: {id}\n    quorum_votes: 1\n    \
                     ring0_addr: 10.20.0.{host}\n    ring1_addr: 10.21.0.{host}\n  }}\n"
                )
            })
            .collect();
        let state = home.join("state").display().to_string();
        let log = home.join("log").display().to_string();
        let conf = format!(
            "totem {{\n  version: 2\n  cluster_name: a-rack-with-a-longer-name\n  config_version: 7\n  \
             transport: knet\n  secauth: off\n  token: 1000\n}}\nnodelist {{\n{nodelist}}}\nquorum {{\n  \
             provider: corosync_votequorum\n{options}}}\nlogging {{\n  to_logfile: yes\n  logfile: {log}\n  \
             to_syslog: no\n}}\nsystem {{\n  state_dir: {state}\n  allow_knet_handle_fallback: yes\n}}\n"
        );
        fs::write(home.join("corosync.conf"), conf).unwrap();
    }

    fn spawn(&self, node: usize) -> Child {
        let home = self.home(node).display().to_string();
        // Its shared memory and its pid file are its own, the names of the namespaces are not; each `exec` keeps the process, so that the child is corosync.
        let start = format!(
            "mount --make-rprivate / && mount -t tmpfs -o size=256m tmpfs /dev/shm && \
             mount --rbind /run/netns {home}/run/netns && mount --rbind {home}/run /run && exec corosync -f -c {home}/corosync.conf"
        );
        Command::new("ip")
            .args(["netns", "exec", &self.namespace(node)])
            .args(["unshare", "-m", "sh", "-c", &start])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn pid(&self, node: usize) -> u32 {
        self.corosyncs[node].id()
    }

    pub(super) fn signal(&self, node: usize, signal: Signal) {
        let pid = i32::try_from(self.pid(node)).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Kills a corosync in a way that it cannot prevent.
    pub(super) fn kill(&mut self, node: usize) {
        self.corosyncs[node].kill().unwrap();
        self.corosyncs[node].wait().unwrap();
    }

    /// Starts one that was killed, for whoever is on the node still: in the namespaces that `on` led into.
    pub(super) fn start_again(&mut self, node: usize) {
        let conf = self.home(node).join("corosync.conf");
        self.corosyncs[node] = Command::new("corosync")
            .args(["-f", "-c", &conf.display().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
    }

    /// What a tool says on a node.
    pub(super) fn tool(&self, node: usize, words: &[&str]) -> String {
        let said = Command::new("nsenter")
            .args(["-t", &self.pid(node).to_string(), "-m", "-n"])
            .args(words)
            .output()
            .unwrap();
        String::from_utf8(said.stdout).unwrap()
    }

    pub(super) fn wait_until(&self, node: usize, is_so: impl Fn(&str) -> bool) {
        let began = Instant::now();
        loop {
            let said = self.tool(node, &["corosync-quorumtool", "-s"]);
            if is_so(&said) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{said}");
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Does the work on a thread that is on this node: so is every thread and process that it starts.
    pub(super) fn on<T: Send>(
        &mut self,
        node: usize,
        work: impl FnOnce(&mut Self) -> T + Send,
    ) -> T {
        let pid = self.pid(node);
        let namespace = |kind| fs::File::open(format!("/proc/{pid}/ns/{kind}")).unwrap();
        let (net, mnt) = (namespace("net"), namespace("mnt"));
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                // A thread that shares its directory with others cannot change what it is below.
                unshare(CloneFlags::CLONE_FS).unwrap();
                setns(net, CloneFlags::CLONE_NEWNET).unwrap();
                setns(mnt, CloneFlags::CLONE_NEWNS).unwrap();
                work(self)
            });
            thread.join().unwrap()
        })
    }
}

impl Drop for Rack {
    fn drop(&mut self) {
        for corosync in &mut self.corosyncs {
            let _ = corosync.kill();
            let _ = corosync.wait();
        }
        let nodes = (0..self.corosyncs.len()).map(|node| self.namespace(node));
        for namespace in nodes.chain([self.fabric()]) {
            let _ = Command::new("ip")
                .args(["netns", "del", &namespace])
                .status();
        }
    }
}

pub(super) fn ip(words: &[&str]) {
    let done = Command::new("ip").args(words).status().unwrap();
    assert!(done.success(), "ip {}", words.join(" "));
}
