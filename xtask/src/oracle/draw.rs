//! Draws a cluster and a story from a seed and a number.

use std::fmt::Write as _;

use fastrand::Rng;

/// What is done to the simulated cluster. Every act is one command of the simulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Down(u32),
    Up(u32),
    /// The running nodes fall into these groups; whoever stands in none stays where it is.
    Split(Vec<Vec<u32>>),
    Join,
    /// Every running node gets the qdevice's vote, or none does.
    Qdevice(bool),
}

/// One cluster and what happens to it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) nodes: Vec<(u32, u32)>,
    /// The lines of the quorum section.
    pub(crate) options: Vec<String>,
    pub(crate) acts: Vec<Act>,
}

impl Case {
    pub(crate) fn draw(seed: u64, number: u64) -> Self {
        // Two numbers make one stream: neighbours must not share their first draws.
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number);
        for _ in 0..8 {
            rng.u64(..);
        }
        let nodes = draw_nodes(&mut rng);
        let options = draw_options(&mut rng, &nodes);
        let with_device = options.iter().any(|line| line.contains("device"));
        let acts = draw_acts(&mut rng, &nodes, with_device);
        Self {
            nodes,
            options,
            acts,
        }
    }

    /// The file that both sides read. Times are short, because the simulator's timers are real.
    pub(crate) fn corosync_conf(&self) -> String {
        let mut conf = String::from(
            "totem {\n  version: 2\n  cluster_name: oracle\n  transport: knet\n}\nnodelist {\n",
        );
        for (id, votes) in &self.nodes {
            let _ = writeln!(
                conf,
                "  node {{\n    nodeid: {id}\n    quorum_votes: {votes}\n    ring0_addr: 10.0.{}.{}\n  }}",
                id / 250,
                id % 250 + 1
            );
        }
        conf.push_str("}\nquorum {\n  provider: corosync_votequorum\n");
        for line in &self.options {
            let _ = writeln!(conf, "  {line}");
        }
        conf.push_str("}\n");
        conf
    }
}

fn draw_nodes(rng: &mut Rng) -> Vec<(u32, u32)> {
    let count = if rng.u8(..4) == 0 {
        rng.u32(1..=16)
    } else {
        rng.u32(1..=6)
    };
    let uneven = rng.u8(..3) == 0;
    let mut ids: Vec<u32> = Vec::new();
    let gaps = rng.bool();
    for index in 1..=count {
        let last = ids.last().copied().unwrap_or(0);
        ids.push(if gaps { last + rng.u32(1..4) } else { index });
    }
    ids.into_iter()
        .map(|id| (id, if uneven { rng.u32(0..=3) } else { 1 }))
        .collect()
}

fn draw_options(rng: &mut Rng, nodes: &[(u32, u32)]) -> Vec<String> {
    let mut options = Vec::new();
    let mut maybe = |rng: &mut Rng, of: u8, line: String| {
        if rng.u8(..of) == 0 {
            options.push(line);
        }
    };
    let votes: u32 = nodes.iter().map(|(_, votes)| votes).sum();
    maybe(
        rng,
        if nodes.len() == 2 { 2 } else { 8 },
        "two_node: 1".into(),
    );
    let waits = rng.bool();
    maybe(rng, 3, format!("wait_for_all: {}", u8::from(waits)));
    if rng.u8(..4) == 0 {
        maybe(rng, 1, "last_man_standing: 1".into());
        maybe(rng, 1, "last_man_standing_window: 100".into());
    }
    if rng.u8(..3) == 0 {
        maybe(rng, 1, "auto_tie_breaker: 1".into());
        let ids: Vec<String> = nodes.iter().map(|(id, _)| id.to_string()).collect();
        let list: Vec<String> = (0..rng.usize(1..4))
            .filter_map(|_| rng.choice(&ids).cloned())
            .collect();
        let breakers = ["lowest".to_owned(), "highest".to_owned(), list.join(" ")];
        let breaker = rng.choice(breakers).unwrap_or_default();
        maybe(rng, 2, format!("auto_tie_breaker_node: {breaker}"));
    }
    let expected = rng.u32(1..=votes.max(1) + 2);
    maybe(rng, 8, format!("expected_votes: {expected}"));
    if rng.u8(..5) == 0 {
        let device_votes = rng.u32(1..=3);
        let with_votes = rng.u8(..3) > 0;
        maybe(rng, 1, "device {".into());
        maybe(rng, 1, "  model: net".into());
        maybe(rng, 1, "  timeout: 1000".into());
        maybe(rng, 1, "  sync_timeout: 800".into());
        if with_votes {
            maybe(rng, 1, format!("  votes: {device_votes}"));
        }
        maybe(rng, 1, "}".into());
    }
    options
}

fn draw_acts(rng: &mut Rng, nodes: &[(u32, u32)], with_device: bool) -> Vec<Act> {
    let mut running: Vec<u32> = nodes.iter().map(|(id, _)| *id).collect();
    let mut stopped: Vec<u32> = Vec::new();
    let mut acts = Vec::new();
    for _ in 0..rng.usize(2..=8) {
        let act = match rng.u8(..if with_device { 14 } else { 10 }) {
            0..=3 if running.len() > 1 => {
                let id = running.swap_remove(rng.usize(..running.len()));
                stopped.push(id);
                Act::Down(id)
            }
            4 | 5 if !stopped.is_empty() => {
                let id = stopped.swap_remove(rng.usize(..stopped.len()));
                running.push(id);
                Act::Up(id)
            }
            6 | 7 if running.len() > 1 => Act::Split(draw_groups(rng, &running)),
            8 | 9 => Act::Join,
            10.. => Act::Qdevice(rng.u8(..4) > 0),
            _ => continue,
        };
        acts.push(act);
    }
    acts
}

fn draw_groups(rng: &mut Rng, running: &[u32]) -> Vec<Vec<u32>> {
    let count = rng.usize(2..=3.min(running.len()));
    let mut groups = vec![Vec::new(); count];
    for id in running {
        if let Some(group) = rng.choice(&mut groups) {
            group.push(*id);
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}
