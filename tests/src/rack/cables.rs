//! Cables and switches of a rack, what can happen to them, and who reaches whom because of it.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

use super::{Rack, ip_batch, port};
use crate::cable::Cable;

impl Rack {
    /// Pulls a cable at the switch: the card loses its carrier. That of a node without power is pulled when it gets it.
    pub fn cut_cable(&mut self, node: &str, link: usize) -> Result<()> {
        let port = self.port(node, link)?;
        self.cut.insert((node.to_owned(), link));
        if self.node(node)?.room.is_none() {
            return Ok(());
        }
        ip_batch(&self.fabric, &format!("link set {port} down\n"))
    }

    pub fn plug_cable(&mut self, node: &str, link: usize) -> Result<()> {
        let port = self.port(node, link)?;
        self.cut.remove(&(node.to_owned(), link));
        let node = self.node(node)?;
        let switch = self.plan.switch_of(node.number, link);
        if node.room.is_none() || self.dead.contains(&switch) {
            return Ok(());
        }
        ip_batch(&self.fabric, &format!("link set {port} up\n"))
    }

    /// A cable to be pulled many times, and without delay.
    pub fn cable(&self, node: &str, link: usize) -> Result<Cable> {
        Cable::new(self.fabric.init(), &self.port(node, link)?)
    }

    /// Two cards of a node change their places at the switches.
    pub fn swap_cables(&self, node: &str, one: usize, other: usize) -> Result<()> {
        let number = self.node(node)?.number;
        let mut batch = String::new();
        for (card, place) in [(one, other), (other, one)] {
            let (port, switch) = (self.port(node, card)?, self.plan.switch_of(number, place));
            // Writing to a String cannot fail.
            let _ = write!(
                batch,
                "link set {port} down\nlink set {port} master sw{switch}\nlink set {port} up\n"
            );
        }
        ip_batch(&self.fabric, &batch)
    }

    /// The largest packet that a switch passes on to this node.
    pub fn set_switch_mtu(&self, node: &str, link: usize, bytes: u32) -> Result<()> {
        let port = self.port(node, link)?;
        ip_batch(&self.fabric, &format!("link set {port} mtu {bytes}\n"))
    }

    /// What the switch sends to a node over this cable is lost; what the node sends passes.
    pub fn deafen(&self, node: &str, link: usize) -> Result<()> {
        self.traffic_control(&["qdisc", "add"], node, link, &["root", "blackhole"])
    }

    /// Ends [`Rack::deafen`].
    pub fn hear_again(&self, node: &str, link: usize) -> Result<()> {
        self.traffic_control(&["qdisc", "del"], node, link, &["root"])
    }

    fn traffic_control(&self, act: &[&str], node: &str, link: usize, what: &[&str]) -> Result<()> {
        let port = self.port(node, link)?;
        let mut tc = self.fabric.tool("tc");
        let done = tc.args(act).args(["dev", &port]).args(what).output()?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "tc: {said}");
        Ok(())
    }

    /// A switch loses its power: every card on it loses its carrier. Those of the second halves come behind the links.
    pub fn kill_switch(&mut self, switch: usize) -> Result<()> {
        self.dead.insert(switch);
        self.set_switch(switch, "down")
    }

    /// Ends what [`Rack::kill_switch`] and [`Rack::mute_switch`] did.
    pub fn revive_switch(&mut self, switch: usize) -> Result<()> {
        self.dead.remove(&switch);
        self.mute.remove(&switch);
        self.set_switch(switch, "up")
    }

    /// A switch forwards nothing, but its ports are lit: no card notices. [`Rack::revive_switch`] ends it.
    pub fn mute_switch(&mut self, switch: usize) -> Result<()> {
        self.check_switch(switch)?;
        self.mute.insert(switch);
        ip_batch(&self.fabric, &format!("link set sw{switch} down\n"))
    }

    /// Cuts the cable between the two switches of a network.
    pub fn cut_uplink(&mut self, link: usize) -> Result<()> {
        self.set_uplink(link, "down")?;
        self.apart.insert(link);
        Ok(())
    }

    pub fn plug_uplink(&mut self, link: usize) -> Result<()> {
        self.set_uplink(link, "up")?;
        self.apart.remove(&link);
        Ok(())
    }

    fn set_uplink(&self, link: usize, state: &str) -> Result<()> {
        self.check_link(link)?;
        ensure!(
            self.plan.has_halves,
            "a network of this rack has one switch"
        );
        ip_batch(&self.fabric, &format!("link set up{link} {state}\n"))
    }

    fn set_switch(&self, switch: usize, state: &str) -> Result<()> {
        self.check_switch(switch)?;
        let link = switch % self.plan.links;
        let mut batch = format!("link set sw{switch} {state}\n");
        for node in self.all().filter(|node| node.room.is_some()) {
            let is_here = self.plan.switch_of(node.number, link) == switch;
            if is_here && !self.cut.contains(&(node.name.clone(), link)) {
                let _ = writeln!(batch, "link set {} {state}", port(node.number, link));
            }
        }
        ip_batch(&self.fabric, &batch)
    }

    /// Whether what one node sends over a link arrives at the other, from what was cut, killed and stopped.
    pub fn reaches_over(&self, one: &str, other: &str, link: usize) -> Result<bool> {
        let (one, other) = (self.node(one)?, self.node(other)?);
        let (here, there) = (
            self.plan.switch_of(one.number, link),
            self.plan.switch_of(other.number, link),
        );
        let is_cabled = |node: &super::Node| {
            node.room.is_some() && !self.cut.contains(&(node.name.clone(), link))
        };
        let passes = |switch: usize| !self.dead.contains(&switch) && !self.mute.contains(&switch);
        let is_joined = here == there || !self.apart.contains(&link);
        Ok(is_cabled(one) && is_cabled(other) && passes(here) && passes(there) && is_joined)
    }

    /// The same over any link.
    pub fn reaches(&self, one: &str, other: &str) -> Result<bool> {
        for link in 0..self.plan.links {
            if self.reaches_over(one, other, link)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn check_switch(&self, switch: usize) -> Result<()> {
        ensure!(switch < self.plan.switches(), "there is no switch {switch}");
        Ok(())
    }
}
