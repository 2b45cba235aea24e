//! The node itself: is it up to stay, what does its next boot bring, is its clock kept, how busy is it?

use jiff::Timestamp;
use model::fact::boot::{Boot, FileSystem, LinkFile, NextKernel};
use model::fact::clock::Clock;
use model::fact::host::{HostLoad, Stall};
use model::fact::power::{Power, PowerState, ShutdownMode};
use model::report::NodeReport;

use super::page::{Cell, Mark, Page, plain};

/// From here on a file system is said to be nearly full.
const NEARLY_FULL_PERCENT: u8 = 90;
/// How many of the units are named that a shutdown waits for.
const MAX_UNITS: usize = 5;

pub(super) fn show(page: &mut Page, report: &NodeReport) {
    let power = report.power.known();
    let (boot, clock) = (report.boot.known(), report.time.known());
    let host = report.host.known();
    if power.is_none() && boot.is_none() && clock.is_none() && host.is_none() {
        return;
    }
    page.heading("Node");
    if let Some(power) = power {
        show_power(page, power);
    }
    if let Some(host) = host {
        show_host(page, host);
    }
    if let Some(clock) = clock {
        show_clock(page, clock);
    }
    if let Some(boot) = boot {
        show_boot(page, boot);
    }
}

fn show_power(page: &mut Page, power: &Power) {
    let systemd = power.systemd.as_ref();
    let going_to = systemd.and_then(|systemd| systemd.going_to());
    let state = match power.state {
        PowerState::Running => Cell::good(power.state),
        PowerState::Unknown => Cell::unknown(),
        PowerState::Booting => plain(power.state),
        PowerState::ShutdownScheduled => Cell::bad(power.state),
        PowerState::ShuttingDown => Cell::bad(match going_to {
            Some(mode) => format!("{} ({mode})", power.state),
            None => power.state.to_string(),
        }),
    };
    let mut cells = vec![plain("state:"), state];
    cells.extend(systemd.map(|systemd| {
        let said = Cell::labelled("· systemd says", systemd.state.as_ref());
        match systemd.failed_units {
            Some(0) | None => said,
            Some(count) => Cell::bad(format!("· {count} failed {}", units(count))),
        }
    }));
    cells.push(Cell::labelled(
        "· booted",
        power.booted_at.map(whole_seconds),
    ));
    page.line(&cells);
    if let Some(announced) = &power.announced {
        let mode = announced.mode.as_ref();
        let mode = mode.map_or("shutdown", ShutdownMode::as_str);
        let at = whole_seconds(announced.at);
        page.line(&[Cell::bad(format!("{mode} announced at {at}"))]);
    }
    if let Some(scheduled) = &power.scheduled {
        let mode = scheduled
            .mode
            .as_ref()
            .map_or("shutdown", ShutdownMode::as_str);
        let mut cells = vec![Cell::labelled(
            &format!("{mode} planned at"),
            scheduled.at.map(whole_seconds),
        )];
        cells.extend(
            scheduled
                .message
                .as_ref()
                .map(|why| plain(format!("· {why}"))),
        );
        page.line(&cells);
    }
    if power.state == PowerState::ShuttingDown
        && let Some(systemd) = systemd
    {
        let waits_for: Vec<&str> = systemd.being_stopped().take(MAX_UNITS).collect();
        if !waits_for.is_empty() {
            page.say(format!("waits for {} to stop", waits_for.join(", ")));
        }
    }
}

fn units(count: u32) -> &'static str {
    if count == 1 { "unit" } else { "units" }
}

fn whole_seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}

fn show_host(page: &mut Page, host: &HostLoad) {
    let load = host.load.as_ref().map(|load| {
        format!(
            "{:.2} {:.2} {:.2}",
            load.over_1_min, load.over_5_min, load.over_15_min
        )
    });
    let memory = host.memory.as_ref();
    let gib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 30));
    let available = memory.and_then(|memory| memory.available_bytes).map(gib);
    let total = memory.and_then(|memory| memory.total_bytes).map(gib);
    page.line(&[
        Cell::labelled("load", load),
        Cell::labelled("on processors:", host.cpus_online),
        Cell::labelled("· memory available", available),
        Cell::labelled("of", total.map(|total| format!("{total} GiB"))),
    ]);
    let Some(pressure) = &host.pressure else {
        return;
    };
    let share = |stall: &Option<Stall>| {
        let some = stall.as_ref()?.some.as_ref()?;
        Some(format!("{:.1} %", some.over_60_s_percent))
    };
    page.line(&[
        plain("waiting, over a minute:"),
        Cell::labelled("processor", share(&pressure.cpu)),
        Cell::labelled("· disks", share(&pressure.io)),
        Cell::labelled("· memory", share(&pressure.memory)),
    ]);
}

fn show_clock(page: &mut Page, clock: &Clock) {
    let mut cells = vec![
        plain("clock kept by a time server:"),
        Cell::verdict(clock.synchronised, true),
    ];
    if let Some(chrony) = &clock.chrony {
        cells.push(Cell::labelled("· chrony follows", chrony.server.as_ref()));
        let most = chrony
            .max_error_s()
            .map(|error| format!("{:.1} ms", error * 1e3));
        cells.push(Cell::labelled("· wrong by at most", most));
    }
    page.line(&cells);
}

fn show_boot(page: &mut Page, boot: &Boot) {
    let kernels = &boot.kernels;
    let next = match kernels.next() {
        NextKernel::Newest(version) => plain(format!("· next boot {version}")),
        NextKernel::Pinned(version) => plain(format!("· next boot {version} (pinned)")),
        NextKernel::PinnedOnce(version) => plain(format!("· next boot {version} (pinned once)")),
        NextKernel::GrubEntry(entry) => plain(format!("· next boot grub's entry {entry:?}")),
        NextKernel::Unknown => Cell::new("· next boot unknown", Mark::Unknown),
    };
    page.line(&[Cell::labelled("kernel", kernels.running.as_ref()), next]);
    let next = kernels.next();
    if let (Some(version), Some(installed)) = (next.version(), &kernels.installed)
        && !installed.iter().any(|one| one == version)
    {
        page.line(&[Cell::bad(format!("kernel {version} is not in /boot"))]);
    }
    if boot.network_pending == Some(true) {
        page.line(&[Cell::bad(
            "changes of the network wait for the next boot (interfaces.new)",
        )]);
    }
    for file in boot.link_files.iter().filter(|file| names_a_card(file)) {
        let name = file.name.as_deref().unwrap_or_default();
        page.say(format!("{name} is named by /{}", file.path));
    }
    for file_system in boot.file_systems.iter().flatten() {
        show_file_system(page, file_system);
    }
}

/// Those that Debian ships name by a policy, and say nothing of this node.
fn names_a_card(file: &LinkFile) -> bool {
    file.name.is_some() && file.overridden_by.is_none() && !file.path.starts_with("usr/lib/")
}

fn show_file_system(page: &mut Page, file_system: &FileSystem) {
    let place = &file_system.mount_point;
    if file_system.read_only {
        page.line(&[Cell::bad(format!("{place} is mounted read-only"))]);
    }
    for (what, used) in [
        ("full", file_system.used_percent),
        ("out of inodes", file_system.used_inodes_percent),
    ] {
        match used {
            Some(100) => page.line(&[Cell::bad(format!("{place} is {what}"))]),
            Some(used) if used >= NEARLY_FULL_PERCENT => {
                page.line(&[Cell::bad(format!("{place} is nearly {what} ({used} %)"))]);
            }
            Some(_) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use model::parse::{shutdown, systemctl};
    use model::reading::Reading;

    use super::*;

    #[track_caller]
    fn page(report: &NodeReport) -> String {
        let mut page = Page::default();
        show(&mut page, report);
        anstream::adapter::strip_str(&page.finish()).to_string()
    }

    fn known<T>(value: T) -> Reading<T> {
        Reading::Known {
            value,
            at: Timestamp::UNIX_EPOCH,
            problems: Vec::new(),
        }
    }

    macro_rules! fixture {
        ($path:literal) => {
            include_str!(concat!("../../../model/fixtures/", $path))
        };
    }

    #[test]
    fn a_node_that_goes_down_says_to_what_and_what_it_waits_for() {
        let mut systemd = systemctl::show(fixture!("systemctl/lab-257-show-stopping"))
            .unwrap()
            .value
            .unwrap();
        let jobs = systemctl::list_jobs(fixture!("systemctl/lab-257-jobs-rebooting"));
        systemd.jobs = jobs.unwrap().value;
        let scheduled = shutdown::parse(fixture!("shutdown/lab-257-reboot")).unwrap();
        let mut report = NodeReport::never_heard();
        report.power = known(Power {
            state: PowerState::of(None, Some(&systemd)),
            systemd: Some(systemd),
            scheduled: Some(scheduled.value),
            ..Power::default()
        });
        assert_eq!(
            page(&report),
            "Node\n  state: shutting down (reboot) · systemd says stopping · booted unknown\n  \
             reboot planned at 2026-11-21T07:41:56Z · kernel update; see ticket 7\n  \
             waits for pve-guests.service, pve-ha-lrm.service to stop\n"
        );
    }

    #[test]
    fn a_root_that_is_full_or_read_only_shows_and_one_with_room_does_not() {
        let root = FileSystem {
            mount_point: "/".to_owned(),
            read_only: true,
            used_percent: Some(97),
            used_inodes_percent: Some(10),
            ..FileSystem::default()
        };
        let mut report = NodeReport::never_heard();
        report.boot = known(Boot {
            network_pending: Some(true),
            file_systems: Some(vec![root]),
            ..Boot::default()
        });
        assert_eq!(
            page(&report),
            "Node\n  kernel unknown · next boot unknown\n  \
             changes of the network wait for the next boot (interfaces.new)\n  \
             / is mounted read-only\n  / is nearly full (97 %)\n"
        );
    }

    #[test]
    fn what_is_not_known_of_the_clock_is_called_so() {
        let mut report = NodeReport::never_heard();
        report.time = known(Clock::default());
        assert_eq!(
            page(&report),
            "Node\n  clock kept by a time server: unknown\n"
        );
        assert_eq!(page(&NodeReport::never_heard()), "");
    }
}
