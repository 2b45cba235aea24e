//! The summary for a person at a terminal: what matters of every family, what is not known, and what could not be
//! read. What is unknown is called so; it is never shown as zero, none or no.

mod ceph;
mod corosync;
mod gaps;
mod guests;
mod ha;
mod journal;
mod links;
mod neighbours;
mod network;
mod node;
mod page;

use std::io::{self, Write as _};
use std::path::Path;

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
    let standings = report.standings();
    let read = standings
        .iter()
        .filter_map(|(_, standing)| standing.at)
        .min();
    page.heading(match root {
        Some(root) => format!("{name}, as captured below {}", root.display()),
        None => format!("{name}, live"),
    });
    if let Some(at) = read {
        page.say(format!("the oldest of these readings is of {at:.0}"));
    }
    node::show(&mut page, report);
    corosync::show(&mut page, report);
    ha::show(&mut page, report);
    guests::show(&mut page, report, name);
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
