//! What a node's configuration names and what runs, held against each other: interfaces may be named by another of their
//! names there.

use crate::cluster::FreshNode;
use crate::fact::interfaces::Interface;
use crate::fact::link::Link;
use crate::report::Facts as _;

/// The interface that is called so, or has this as another of its names.
pub(super) fn called<'a>(links: &'a [Link], name: &str) -> Option<&'a Link> {
    let is_called =
        |link: &&Link| link.name.as_str() == name || link.altnames.iter().any(|alt| alt == name);
    links.iter().find(is_called)
}

/// What the configuration in force says; empty where it is not known.
pub(super) fn interfaces<'a>(node: &'a FreshNode<'_>) -> &'a [Interface] {
    let current = node
        .interfaces()
        .and_then(|interfaces| interfaces.current.as_ref());
    current.map_or(&[], |conf| &conf.interfaces)
}

/// What is to come up by itself and is not there at all.
pub(super) fn not_there<'a>(
    node: &'a FreshNode<'_>,
    is_wanted: impl Fn(&Interface) -> bool,
) -> impl Iterator<Item = &'a Interface> {
    let links = node.links().map(Vec::as_slice);
    let is_missing = move |interface: &&Interface| {
        let is_there = links.is_none_or(|links| called(links, &interface.name).is_some());
        interface.auto && !is_there && is_wanted(interface)
    };
    interfaces(node).iter().filter(is_missing)
}
