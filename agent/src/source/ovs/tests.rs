//! Against captured texts, and against the real Open vSwitch (Debian's openvswitch-switch) in directories of its own:
//! no kernel module is needed, ovs-vswitchd carries the packets itself and its bonds are of made-up interfaces.

use std::fs;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use model::fact::ovs::{OvsBondMode, OvsLacpStatus};
use model::reading::Standing;

use super::*;
use crate::host::Patience;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_captured_answer_is_found_and_an_error_is_no_empty_database() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::captured(dir.path()).unwrap();
    assert_eq!(collect(&host), Reading::Absent);
    let commands = dir.path().join("commands");
    fs::create_dir(&commands).unwrap();
    let file = commands.join("ovs-vsctl_show");
    fs::write(
        &file,
        "ovs-vsctl: unix:db.sock: database connection failed (x)\n",
    )
    .unwrap();
    assert!(matches!(collect(&host), Reading::Failed { .. }));
    fs::write(&file, "    Bridge br0\n        Port \"eth0\"\n").unwrap();
    let bonds = |host: &Host| {
        let reading = collect(host);
        assert_eq!(reading.known().unwrap().bridges.len(), 1);
        reading.known().unwrap().bonds.clone()
    };
    assert_eq!(bonds(&host), None);
    let file = commands.join("ovs-appctl_bond%show");
    fs::write(&file, "").unwrap();
    assert_eq!(bonds(&host), Some(Vec::new()));
    fs::write(&file, "---- bond0 ----\nlacp_status: off\n").unwrap();
    assert_eq!(bonds(&host).unwrap()[0].name, "bond0");
}

/// The two daemons, ended with the test.
struct Switch {
    daemons: Vec<Child>,
    dir: tempfile::TempDir,
}

impl Drop for Switch {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

impl Switch {
    fn begin() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run/openvswitch");
        fs::create_dir_all(&run).unwrap();
        let database = dir.path().join("conf.db");
        let schema = Path::new("/usr/share/openvswitch/vswitch.ovsschema");
        ran(Process::new("/usr/bin/ovsdb-tool")
            .arg("create")
            .args([&database, schema]));
        let mut switch = Self {
            daemons: Vec::new(),
            dir,
        };
        let socket = switch.run("db.sock");
        switch.start(
            Process::new("/usr/sbin/ovsdb-server")
                .arg(&database)
                .arg(format!("--remote=punix:{socket}"))
                .arg(format!("--unixctl={}", switch.run("ovsdb-server.ctl"))),
        );
        switch.wait_for("db.sock");
        switch.vsctl(&["--no-wait", "init"]);
        switch.start(
            Process::new("/usr/sbin/ovs-vswitchd")
                .arg(format!("unix:{socket}"))
                .arg(format!("--pidfile={}", switch.run("ovs-vswitchd.pid")))
                .args(["--enable-dummy=override", "--disable-system"]),
        );
        switch.wait_for("ovs-vswitchd.pid");
        switch
    }

    fn run(&self, name: &str) -> String {
        let path = self.dir.path().join("run/openvswitch").join(name);
        path.to_str().unwrap().to_owned()
    }

    fn start(&mut self, daemon: &mut Process) {
        let dir = self.dir.path().join("run/openvswitch");
        let daemon = daemon.env("OVS_RUNDIR", dir).stdin(Stdio::null());
        let daemon = daemon.stdout(Stdio::null()).stderr(Stdio::null());
        self.daemons.push(daemon.spawn().unwrap());
    }

    fn wait_for(&self, name: &str) {
        let began = Instant::now();
        while !Path::new(&self.run(name)).exists() {
            assert!(began.elapsed() < MINUTE, "{name} does not come");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn vsctl(&self, args: &[&str]) -> String {
        let database = format!("--db=unix:{}", self.run("db.sock"));
        ran(Process::new("/usr/bin/ovs-vsctl")
            .args(["--timeout=60", &database])
            .args(args))
    }

    fn host(&self, patience: Duration) -> Host {
        Host::live_below(self.dir.path(), &Patience::new(patience))
    }
}

fn ran(process: &mut Process) -> String {
    let output = process.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{process:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Needs openvswitch-switch.
#[test]
fn the_real_one_says_the_same_as_its_own_tool_and_more_of_its_bonds() {
    let nobody = tempfile::tempdir().unwrap();
    let nowhere = Host::live_below(nobody.path(), &Patience::new(MINUTE));
    assert_eq!(collect(&nowhere), Reading::Absent);

    let mut switch = Switch::begin();
    let host = switch.host(MINUTE);
    assert_eq!(collect(&host).known().unwrap().bonds, Some(Vec::new()));
    switch.vsctl(&["add-br", "vmbr0"]);
    switch.vsctl(&["add-bond", "vmbr0", "bond0", "eno1", "eno2", "lacp=active"]);
    let bond = ["bond_mode=balance-tcp", "trunks=1,30"];
    switch.vsctl(&[&["set", "port", "bond0"][..], &bond].concat());
    switch.vsctl(&["add-port", "vmbr0", "vlan30", "tag=30"]);

    let reading = collect(&host);
    let ovs = reading.known().unwrap().clone();
    assert!(Standing::of(&reading).problems.is_empty(), "{reading:?}");
    let bonds = ovs.bonds.clone().unwrap();
    assert_eq!(bonds[0].mode, Some(OvsBondMode::BalanceTcp));
    // Nobody answers, which ovs-vswitchd says only after a while.
    let lacp = bonds[0].lacp_status.clone().unwrap();
    assert!([OvsLacpStatus::Negotiated, OvsLacpStatus::Configured].contains(&lacp));
    assert_eq!(bonds[0].members.len(), 2);
    let shown = ovs_vsctl::parse(&switch.vsctl(&["show"])).unwrap().value;
    let without_bonds = Ovs { bonds: None, ..ovs };
    assert_eq!(without_bonds.in_order(), shown.in_order());

    // ovs-vswitchd is gone: the configuration is known, the bonds are not.
    let mut vswitchd = switch.daemons.pop().unwrap();
    vswitchd.kill().unwrap();
    vswitchd.wait().unwrap();
    let reading = collect(&host);
    assert_eq!(reading.known().unwrap().bonds, None);
    assert!(!Standing::of(&reading).problems.is_empty());

    // The database stands still: too late, and not absent.
    let pid = nix::unistd::Pid::from_raw(switch.daemons[0].id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    let late = collect(&switch.host(Duration::from_millis(200)));
    assert!(matches!(&late, Reading::Failed { why } if why.contains("did not answer")));
    drop(switch);
}

/// Needs openvswitch-switch.
#[test]
fn a_change_of_the_configuration_wakes() {
    let switch = Switch::begin();
    let path = switch.run("db.sock");
    let (woken, wakes) = mpsc::channel();
    let listener = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut woke = |wake| woken.send(wake).unwrap_or_default();
            let listening =
                monitor::listen_at(Path::new(&path), Duration::from_millis(20), &mut woke);
            let _ = tokio::time::timeout(3 * MINUTE, listening).await;
        });
    });
    // It is connected, and the monitor is set up.
    for _ in 0..2 {
        wakes.recv_timeout(MINUTE).unwrap();
    }
    while wakes.try_recv().is_ok() {}
    switch.vsctl(&["--no-wait", "add-br", "vmbr7"]);
    assert_eq!(
        wakes.recv_timeout(MINUTE).unwrap(),
        crate::source::Wake::Network
    );
    drop(listener);
}
