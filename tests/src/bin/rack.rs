//! Builds a rack and keeps it until its standard input ends: `rack NODES LINKS [collector]`. To look around in a cluster,
//! and for the test that kills whoever holds one. With `collector`, a journal and an agent run on every node, and a
//! collector in a room of its own hears them.
#![allow(clippy::print_stdout, reason = "it talks to a developer at a terminal")]

use std::io::Read as _;

use anyhow::{Context as _, Result, bail};
use quorate_tests::{Agent, Collector, Journal, Rack, give_cluster_id};

const USAGE: &str = "usage: rack NODES LINKS [collector]";
const CLUSTER: &str = "4f0c8a7e-52b1-4b0e-9d6a-3b7c5e9f1a2d";

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut number = |of: &str| {
        let word = args.next().context(USAGE)?;
        word.parse::<usize>()
            .with_context(|| format!("{word} is no number of {of}"))
    };
    let (nodes, links) = (number("nodes")?, number("links")?);
    let mut rack = Rack::new(nodes, links)?;
    let _fleet = match args.next().as_deref() {
        None => None,
        Some("collector") => Some(Fleet::start(&mut rack, links)?),
        Some(word) => bail!("{word} is not known; {USAGE}"),
    };
    println!("fabric {}", rack.fabric());
    for node in rack.nodes() {
        println!("{node} {}", rack.init(node)?);
    }
    println!("enter a node with: nsenter --target NUMBER --mount --uts --ipc --net --pid");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// What runs on the rack as long as this is held.
struct Fleet {
    _collector: Collector,
    _agents: Vec<(Journal, Agent)>,
}

impl Fleet {
    fn start(rack: &mut Rack, links: usize) -> Result<Self> {
        give_cluster_id(rack, CLUSTER)?;
        let collector = Collector::start(rack, links)?;
        let agents = Agent::on_every_node(rack, &collector)?;
        let station = collector.station();
        let (operator, _) = collector.operator(rack)?;
        println!("{station} {}", rack.init(station)?);
        println!("there: quorate status --identity {operator}");
        Ok(Self {
            _collector: collector,
            _agents: agents,
        })
    }
}
