//! Corosync runs on another address than its file has: the file was changed, and corosync kept the old one.

use core::net::IpAddr;

use super::Tuned;
use super::membership::listed;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let differ = differing(node).unwrap_or_default();
    if differ.is_empty() {
        return Vec::new();
    }
    let name = node.name();
    let sentence = format!(
        "corosync of {name} runs on another address than its file has: {}",
        listed(&differ)
    );
    let found = Finding::new(Severity::Warning, Thing::Node(name.clone()), sentence)
        .seen_in(name, Family::Corosync, listed(&differ))
        .seen_in(name, Family::CorosyncConf, "ringN_addr of its own node")
        .remedy(format!(
            "Corosync does not change the address of a link that runs: with quorum to spare, `systemctl restart corosync` on \
             {name}, one node at a time."
        ))
        .way_back("Put the address of before back into /etc/pve/corosync.conf and raise config_version.");
    vec![found]
}

fn differing(node: &FreshNode<'_>) -> Option<Vec<String>> {
    let (corosync, files) = (node.corosync()?, node.corosync_conf()?);
    let own = files
        .local
        .as_ref()?
        .nodes
        .iter()
        .find(|entry| entry.node_id == corosync.node_id)?;
    let differ = corosync.links.iter().flatten().filter_map(|link| {
        // A name in the file is not compared: what it resolves to is not known here.
        let runs: IpAddr = link.address.as_ref()?.parse().ok()?;
        let file: IpAddr = own.addresses.get(&link.link)?.parse().ok()?;
        (runs != file).then(|| format!("link {} runs on {runs}, the file has {file}", link.link))
    });
    Some(differ.collect())
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "corosync-address-differs";

    #[test]
    fn another_address_than_in_the_file_is_told() {
        let mut world = World::of(3);
        assert!(world.found(RULE).is_empty());
        world.edit("pve-02", |report| {
            value(&mut report.corosync).links.as_mut().unwrap()[1].address =
                Some("10.9.0.2".to_owned());
        });
        let expect = "warning pve-02: corosync of pve-02 runs on another address than its file has: link 1 runs on \
                      10.9.0.2, the file has 10.1.0.2";
        assert_eq!(world.found(RULE), [expect]);
    }
}
