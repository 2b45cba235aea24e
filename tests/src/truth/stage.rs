//! One rack with its agents and its collector, on which failures are asked about and then done.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use proto::v1;
use serde_json::Value;

use super::fault::{Fault, switch_name};
use super::judge::{Judgement, judge};
use super::real::settle;
use crate::agent::{Agent, give_cluster_id};
use crate::clock::{PATIENCE, wait_until};
use crate::collector::Collector;
use crate::plan::Plan;
use crate::rack::Rack;

const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";

/// A rack, its collector and its agents.
#[derive(Debug)]
pub struct Stage {
    pub rack: Rack,
    pub collector: Collector,
    pub agents: Vec<Agent>,
}

/// One failure, or two at once.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) what: String,
    pub(crate) judgement: Judgement,
    /// What was foretold, for whom it was not true.
    pub(crate) trace: Vec<String>,
}

impl Stage {
    /// A rack of this plan with an agent on every node, and a collector that knows the switches by `[[switch]]`.
    pub fn declared(plan: Plan) -> Result<Self> {
        let toml = declaration(&plan);
        Self::set(plan, &toml)
    }

    /// The same with this text as collector.toml.
    pub fn set(plan: Plan, toml: &str) -> Result<Self> {
        let links = plan.links;
        let mut rack = Rack::build(plan)?;
        give_cluster_id(&rack, CLUSTER)?;
        let collector = Collector::start_configured(&mut rack, links, toml)?;
        let invitation = collector.token(&rack, &[])?;
        let nodes: Vec<String> = rack.nodes().map(str::to_owned).collect();
        let mut agents = Vec::new();
        for node in &nodes {
            let (enrolment, token) = (&invitation.enrolment, &invitation.token);
            let mut agent = Agent::join(&rack, node, enrolment, token)?;
            agent.start(&rack)?;
            agents.push(agent);
        }
        let stage = Self {
            rack,
            collector,
            agents,
        };
        stage.wait_until_seen()?;
        Ok(stage)
    }

    /// Waits until the collector sees the cluster as it is: every node that runs is heard, and hears the others over the
    /// links that there are.
    pub fn wait_until_seen(&self) -> Result<()> {
        let mut behind = String::new();
        let seen = wait_until(
            "the collector to see the cluster as it is",
            PATIENCE,
            || {
                let status = self.collector.cluster(&self.rack, false)?;
                behind = self.behind(&status)?;
                Ok(behind.is_empty().then_some(()))
            },
        );
        seen.with_context(|| behind.clone())
    }

    fn has_agent(&self, node: &str) -> bool {
        let mut agents = self.agents.iter();
        agents.any(|agent| agent.node() == node && agent.program().is_ok())
    }

    /// What the collector does not see yet; empty if all.
    fn behind(&self, status: &v1::ClusterStatus) -> Result<String> {
        let running: Vec<&str> = self.rack.running().collect();
        for name in &running {
            let Some(node) = status.nodes.iter().find(|node| node.node == *name) else {
                return Ok(format!("{name} is not known"));
            };
            let is_heard = node.standing() == v1::Standing::Connected;
            if is_heard != self.has_agent(name) {
                return Ok(format!("that {name} is heard is {is_heard}"));
            }
            if !is_heard {
                continue;
            }
            let members = self.rack.membership(name)?.map(|said| said.members.len());
            if node.total_votes.map(usize::try_from).transpose()? != members {
                return Ok(format!("{name} counts {:?} votes", node.total_votes));
            }
            for link in 0..self.rack.plan().links {
                let mut expect = 0;
                for other in running.iter().filter(|other| *other != name) {
                    expect += u32::from(self.rack.reaches_over(name, other, link)?);
                }
                let told = node.links.iter().find(|told| told.link as usize == link);
                if told.map(|told| told.peers_connected) != Some(expect) {
                    return Ok(format!(
                        "link {link} of {name} is told as {told:?}, not {expect} peers"
                    ));
                }
            }
        }
        Ok(String::new())
    }

    /// Draws failures, asks, strikes, compares and mends.
    pub(crate) fn play(&mut self, random: &mut Rng, at_the_terminal: bool) -> Result<Played> {
        let standing = self.draw_standing(random);
        let faults = self.draw(random);
        let mut words: Vec<String> = faults.iter().map(Fault::to_string).collect();
        if let Some(link) = standing {
            words.push(format!("after the uplink of network {link}"));
            self.rack.cut_uplink(link)?;
            settle(&self.rack)?;
            self.wait_until_seen()?;
        }
        let outcome = self.ask(&faults, at_the_terminal)?;
        for fault in &faults {
            fault.strike(&mut self.rack)?;
        }
        self.bury_agents();
        let real = settle(&self.rack)?;
        let judgement = judge(&self.rack, &real, &outcome)?;
        let lists = ["trace", "unknown"].into_iter();
        let lists = lists.filter_map(|name| outcome.get(name)?.as_array());
        let sentences = outcome.get("sentence").into_iter().chain(lists.flatten());
        let trace = sentences
            .filter_map(|it| it.as_str().map(str::to_owned))
            .collect();
        for fault in &faults {
            fault.mend(&mut self.rack)?;
        }
        if let Some(link) = standing {
            self.rack.plug_uplink(link)?;
        }
        self.recover()?;
        Ok(Played {
            what: words.join(" and "),
            judgement,
            trace,
        })
    }

    /// One time in four something has failed before.
    fn draw_standing(&self, random: &mut Rng) -> Option<usize> {
        let plan = self.rack.plan();
        let is_drawn = random.u32(0..4) == 0;
        let link = random.usize(0..plan.links);
        (is_drawn && plan.has_halves && plan.links > 1).then_some(link)
    }

    fn draw(&self, random: &mut Rng) -> Vec<Fault> {
        let plan = self.rack.plan();
        let mut faults = vec![Fault::draw(plan, random)];
        while random.bool() && faults.len() < 2 {
            let other = Fault::draw(plan, random);
            if faults.iter().all(|fault| fault.goes_with(&other)) {
                faults.push(other);
            }
        }
        // The terminal tells the collector of them in this order, and the sentence follows it.
        faults.sort_by_key(Fault::place);
        faults
    }

    fn ask(&self, faults: &[Fault], at_the_terminal: bool) -> Result<Value> {
        let failures = faults.iter().map(Fault::asked).collect();
        let answer = self.collector.what_if(&self.rack, failures)?;
        let outcome: Value = serde_json::from_str(&answer.json)?;
        if at_the_terminal && Fault::are_of_one_manner(faults) {
            let mut args = vec!["what-if".to_owned(), "--json".to_owned()];
            args.extend(faults.iter().flat_map(Fault::arguments));
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let said: Value = serde_json::from_str(&self.collector.terminal(&self.rack, &args)?)?;
            ensure!(
                said == outcome,
                "the terminal says {said}, the collector {outcome}"
            );
        }
        Ok(outcome)
    }

    /// An agent went with its node.
    pub fn bury_agents(&mut self) {
        let running: Vec<String> = self.rack.running().map(str::to_owned).collect();
        for agent in &mut self.agents {
            if !running.iter().any(|node| node == agent.node()) {
                agent.lost();
            }
        }
    }

    /// A node loses its power and gets it again, and its agent with it.
    pub fn restart(&mut self, node: &str) -> Result<()> {
        self.rack.stop_node(node)?;
        self.bury_agents();
        self.rack.start_node(node)?;
        self.start_agents()
    }

    /// Waits until all is as it was before.
    pub(crate) fn recover(&mut self) -> Result<()> {
        self.start_agents()?;
        self.rack.wait_for_cluster()?;
        self.wait_until_seen()
    }

    fn start_agents(&mut self) -> Result<()> {
        for agent in &mut self.agents {
            if agent.program().is_err() {
                agent.start(&self.rack)?;
            }
        }
        Ok(())
    }
}

/// How quick this machine is, is no part of any story: neither latency nor what a delayed message makes of a clock. The
/// table is the collector's; more of it may follow.
pub const UNHURRIED: &str = "[thresholds]\nlatency_warning_us = 60000000\nlatency_critical_us = 60000000\n\
                           clock_skew_ms = 60000\nretransmits = 1000000\n";

/// The switches of a plan as collector.toml declares them.
#[must_use]
pub fn declaration(plan: &Plan) -> String {
    let mut text = String::new();
    for switch in 0..plan.switches() {
        let link = switch % plan.links;
        let nodes = (1..=plan.nodes).filter(|number| plan.switch_of(*number, link) == switch);
        let ports: Vec<String> = nodes
            .map(|number| format!("\"pve-{number:02}/eth{link}\""))
            .collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "[[switch]]\nname = \"{}\"\nports = [{}]\n",
            switch_name(switch),
            ports.join(", ")
        );
    }
    text
}
