//! The summary for a person at a terminal: what matters of every family, what is not known, and what could not be
//! read. What is unknown is called so; it is never shown as zero, none or no.

mod ceph;
mod corosync;
mod gaps;
mod ha;
mod journal;
mod links;
mod neighbours;
mod network;
mod page;

use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use model::reading::{Problem, Reading};
use model::report::NodeReport;

use page::Page;

pub(crate) fn print(
    report: &NodeReport,
    name: Option<&str>,
    root: Option<&Path>,
) -> io::Result<()> {
    let text = write(report, name, root);
    let mut out = anstream::AutoStream::auto(io::stdout().lock());
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn write(report: &NodeReport, name: Option<&str>, root: Option<&Path>) -> String {
    let mut page = Page::default();
    let local = corosync::local_name(report);
    let name = name.or(local.as_deref()).unwrap_or("this node");
    let standings = standings(report);
    let read = standings.iter().filter_map(|standing| standing.at).min();
    page.heading(match root {
        Some(root) => format!("{name}, as captured below {}", root.display()),
        None => format!("{name}, live"),
    });
    if let Some(at) = read {
        page.say(format!("the oldest of these readings is of {at:.0}"));
    }
    corosync::show(&mut page, report);
    ha::show(&mut page, report);
    links::bonds(&mut page, report);
    links::links(&mut page, report);
    network::show(&mut page, report);
    neighbours::show(&mut page, report);
    ceph::show(&mut page, report);
    ha::packages(&mut page, report);
    journal::show(&mut page, report);
    gaps::show(&mut page, &standings);
    page.finish()
}

/// How one family stands.
#[derive(Debug)]
pub(crate) struct Standing<'a> {
    pub(crate) family: &'static str,
    pub(crate) known: bool,
    pub(crate) failed: Option<&'a str>,
    at: Option<Timestamp>,
    problems: &'a [Problem],
}

impl<'a> Standing<'a> {
    fn of<T>(family: &'static str, reading: &'a Reading<T>) -> Self {
        let mut standing = Self {
            family,
            known: false,
            failed: None,
            at: None,
            problems: &[],
        };
        match reading {
            Reading::Known { at, problems, .. } => {
                standing.known = true;
                standing.at = Some(*at);
                standing.problems = problems;
            }
            Reading::Failed { why } => standing.failed = Some(why),
            Reading::Absent | Reading::NeverHeard => {}
        }
        standing
    }

    pub(crate) fn is_absent(&self) -> bool {
        !self.known && self.failed.is_none()
    }
}

/// Every family of a report, by the key that it has in JSON.
pub(crate) fn standings(report: &NodeReport) -> Vec<Standing<'_>> {
    let NodeReport {
        bonds,
        links,
        bridges,
        interfaces,
        corosync,
        corosync_conf,
        cmap,
        members,
        ha,
        packages,
        lldp,
        ovs,
        ceph,
        journal,
    } = report;
    vec![
        Standing::of("bonds", bonds),
        Standing::of("links", links),
        Standing::of("bridges", bridges),
        Standing::of("interfaces", interfaces),
        Standing::of("corosync", corosync),
        Standing::of("corosync_conf", corosync_conf),
        Standing::of("cmap", cmap),
        Standing::of("members", members),
        Standing::of("ha", ha),
        Standing::of("packages", packages),
        Standing::of("lldp", lldp),
        Standing::of("ovs", ovs),
        Standing::of("ceph", ceph),
        Standing::of("journal", journal),
    ]
}
