//! Eight nodes in namespaces with a real corosync and a real agent each; two networks with a switch each. Needs root.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use quorate_tests::truth::{UNHURRIED, declaration};
use quorate_tests::{
    Agent, Collector, Delivery, Hook, PATIENCE, Plan, Rack, Reply, give_cluster_id, wait_until,
};

use super::Scene;
use super::picture::Picture;
use super::screen::Screen;

const NODES: usize = 8;
const LINKS: usize = 2;
const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const CONFIG: &str = "/etc/quorate/collector.toml";
/// The agents reach the collector over the first network alone; this one dies.
const DYING: usize = 1;
const NO_GO: i32 = 2;
const ALL_NOTICE: Duration = Duration::from_secs(3);
/// What the collector cannot know of a rack.
const DECLARED: &str = "[[dependency]]\nservice = \"collector\"\non = \"external\"\n";

struct Real {
    rack: Rack,
    collector: Collector,
    hook: Hook,
    _agents: Vec<Agent>,
}

impl Scene for Real {
    fn ask(&self, words: &[&str]) -> Result<Command> {
        self.collector.asking(&self.rack, words)
    }
}

pub(super) fn play(screen: &Screen, mut picture: Picture) -> Result<()> {
    let mut scene = set()?;
    screen.say("Eight nodes, two corosync networks with a switch each (sw-0, sw-1), an agent on every node, and a collector beside them:");
    screen.show(&scene, &["status"])?;
    screen.say("What would happen if something failed? Every failure is played through corosync's rules, before it happens:");
    screen.show(&scene, &["risks"])?;
    screen.say("May a node be rebooted now? May a switch be taken down?");
    screen.show(&scene, &["check", "pve-03"])?;
    screen.show(&scene, &["check", "--switch", "sw-0"])?;
    picture.take(&scene, &["check", "--switch", "sw-0"])?;

    screen.say("Now the other switch, sw-1, loses its power. Eight nodes lose a port; that is one cause, and one message in the chat:");
    let before = Instant::now();
    scene.rack.kill_switch(DYING)?;
    let told = message(&scene, 0)?;
    let took = told.arrived.duration_since(before);
    println!("\n  {} ms later:", took.as_millis());
    screen.chat(&told.body);
    screen.show(&scene, &["incidents"])?;
    screen.say("All of corosync hangs on sw-0 now, and everybody who asks is told:");
    wait_until("corosync to notice", PATIENCE, || {
        let answer = scene.ask(&["check", "--switch", "sw-0"])?.output()?;
        Ok((answer.status.code() == Some(NO_GO)).then_some(()))
    })?;
    // Not all nodes notice in the same second.
    thread::sleep(ALL_NOTICE);
    screen.show(&scene, &["check", "--switch", "sw-0"])?;
    screen.show(&scene, &["check", "pve-03"])?;
    picture.remark("sw-1 loses its power");
    picture.take(&scene, &["status"])?;
    picture.take(&scene, &["check", "--switch", "sw-0"])?;
    picture.draw()?;

    screen.say("sw-1 has its power again. When it has been well for half a minute, it is over:");
    scene.rack.revive_switch(DYING)?;
    screen.chat(&message(&scene, 1)?.body);
    screen.show(&scene, &["check", "pve-03"])?;
    screen.say("That was it. Everything that was started ends with this program.");
    Ok(())
}

/// The message of this number, once it has come.
fn message(scene: &Real, number: usize) -> Result<Delivery> {
    wait_until("the message", PATIENCE, || {
        Ok(scene.hook.deliveries().get(number).cloned())
    })
}

fn set() -> Result<Real> {
    let plan = Plan::new(NODES, LINKS).playing_boot();
    let site = format!("{UNHURRIED}\n{}{DECLARED}", declaration(&plan));
    let mut rack = Rack::build(plan)?;
    give_cluster_id(&rack, CLUSTER)?;
    let collector = Collector::start_configured(&mut rack, 1, &site)?;
    let invitation = collector.token(&rack, &[])?;
    let nodes: Vec<String> = rack.nodes().map(str::to_owned).collect();
    let mut agents = Vec::new();
    for node in &nodes {
        let mut agent = Agent::join(&rack, node, &invitation.enrolment, &invitation.token)?;
        agent.start(&rack)?;
        agents.push(agent);
    }
    rack.wait_for_cluster()?;
    collector.wait_for_agents(&rack, NODES)?;
    let hook = Hook::listen(rack.init(collector.station())?, |_| Reply::Status(200))?;
    let chat = format!(
        "[[receiver.webhook]]\nname = \"chat\"\nurl = \"{}\"\n[[route]]\nto = [\"chat\"]\n",
        hook.url()
    );
    let path = rack.path(collector.station(), CONFIG)?;
    fs::write(&path, site + &chat).with_context(|| format!("cannot write {}", path.display()))?;
    collector.program()?.signal(Signal::SIGHUP)?;
    let scene = Real {
        rack,
        collector,
        hook,
        _agents: agents,
    };
    wait_until("a verdict that rests on all nodes", PATIENCE, || {
        let answer = scene.ask(&["check", "pve-03"])?.output()?;
        Ok((answer.status.code() != Some(3)).then_some(()))
    })?;
    Ok(scene)
}
