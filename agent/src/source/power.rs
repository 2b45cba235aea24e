//! Is the node running, coming up or going down? From systemd, its list of planned shutdowns, and the kernel.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use model::fact::power::{Jobs, Power, PowerState, Systemd};
use model::parse::{proc, shutdown, systemctl};
use model::reading::Reading;
use model::text::Parsed;

use crate::host::{Command, Host};
use crate::source::gather::Gathering;

/// One call over the bus, and all that systemd says of itself in four lines.
const SHOW: Command = Command {
    path: "/usr/bin/systemctl",
    args: &[
        "show",
        "-p",
        "Version",
        "-p",
        "SystemState",
        "-p",
        "NFailedUnits",
        "-p",
        "NJobs",
    ],
    words: &["show"],
};
/// Asked only while there are any: a node that runs has none.
const LIST_JOBS: Command = Command {
    path: "/usr/bin/systemctl",
    args: &["list-jobs", "--no-pager", "--full"],
    words: &["list-jobs"],
};
pub(crate) const COMMANDS: &[Command] = &[SHOW, LIST_JOBS];

const SCHEDULED: &str = "run/systemd/shutdown/scheduled";
const BOOT_ID: &str = "proc/sys/kernel/random/boot_id";
const UPTIME: &str = "proc/uptime";
pub(crate) const FILES: &[&str] = &[SCHEDULED, BOOT_ID, UPTIME];
/// It is there where systemd is the init (sd_booted(3)); where it is not, systemctl need not be asked.
const SYSTEMD: &str = "run/systemd/system";

/// How far the time of the boot, which is the clock less the uptime, may move without being said: time servers move
/// the clock a little all the time.
const CLOCK_CORRECTION: SignedDuration = SignedDuration::from_secs(60);

/// Absent: a captured tree that holds nothing of it. Without systemd only the boot is known.
pub(crate) fn collect(host: &Host) -> Reading<Power> {
    let mut gathering = Gathering::default();
    let boot_id = boot_id(host, &mut gathering);
    let booted_at = booted_at(host, &mut gathering);
    let scheduled = gathering.file(host, SCHEDULED, shutdown::parse);
    let systemd = systemd(host, &mut gathering);
    let state = match &scheduled {
        Ok(scheduled) => PowerState::of(scheduled.as_ref(), systemd.as_ref()),
        Err(_) => PowerState::of(None, systemd.as_ref()).without_the_plan(),
    };
    gathering.finish(Some(Power {
        state,
        boot_id,
        booted_at,
        scheduled: scheduled.ok().flatten(),
        systemd,
        // Only the running agent hears of it (run/departure.rs).
        announced: None,
    }))
}

/// As systemd tells it: `257.13-1~deb13u1`.
pub(crate) fn systemd_version(host: &Host) -> Option<String> {
    systemd(host, &mut Gathering::default())?.version
}

fn systemd(host: &Host, gathering: &mut Gathering) -> Option<Systemd> {
    let is_here = host.is_captured() || gathering.found(SYSTEMD, host.list(SYSTEMD)).is_some();
    if !is_here {
        return None;
    }
    let mut systemd: Option<Systemd> = None;
    for text in gathering.ask(host, &SHOW) {
        let read = gathering.take(&text, systemctl::show(&text.text)).flatten();
        systemd = systemd.or(read);
    }
    match &mut systemd {
        Some(systemd) if systemd.queued_jobs == Some(0) => systemd.jobs = Some(Jobs::default()),
        Some(systemd) => systemd.jobs = jobs(host, gathering),
        // A captured tree may hold nothing else. A live systemd that did not answer is not asked again.
        None if host.is_captured() => {
            let jobs = jobs(host, gathering)?;
            systemd = Some(Systemd {
                jobs: Some(jobs),
                ..Systemd::default()
            });
        }
        None => {}
    }
    systemd
}

fn jobs(host: &Host, gathering: &mut Gathering) -> Option<Jobs> {
    let mut jobs = None;
    for text in gathering.ask(host, &LIST_JOBS) {
        let read = gathering.take(&text, systemctl::list_jobs(&text.text));
        jobs = jobs.or(read.flatten());
    }
    jobs
}

fn boot_id(host: &Host, gathering: &mut Gathering) -> Option<String> {
    let text = gathering.found(BOOT_ID, host.read(BOOT_ID))?;
    let id = text.text.trim().to_owned();
    let is_id = id.len() == 36
        && id
            .bytes()
            .all(|sign| sign.is_ascii_hexdigit() || sign == b'-');
    if !is_id {
        gathering.remark(BOOT_ID, "it is not the id of a boot");
        return None;
    }
    let read = Parsed {
        value: id,
        bad_lines: Vec::new(),
    };
    gathering.take(&text, Ok(read))
}

fn booted_at(host: &Host, gathering: &mut Gathering) -> Option<Timestamp> {
    /// What was said before: the same boot is not to have another time in every report.
    static SAID: Mutex<Option<Timestamp>> = Mutex::new(None);

    let text = gathering.found(UPTIME, host.read(UPTIME))?;
    let uptime_s = gathering.take(&text, proc::uptime(&text.text))?;
    let uptime = SignedDuration::try_from_secs_f64(uptime_s).ok()?;
    let booted_at = text.at.checked_sub(uptime).ok()?;
    let whole_second = Timestamp::from_second(booted_at.as_second()).ok()?;
    if host.is_captured() {
        return Some(whole_second);
    }
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    Some(steady(&mut said, whole_second))
}

/// The time that was said before, as long as it is about right.
fn steady(said: &mut Option<Timestamp>, now: Timestamp) -> Timestamp {
    match *said {
        Some(before) if now.duration_since(before).abs() <= CLOCK_CORRECTION => before,
        _ => {
            *said = Some(now);
            now
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/fixtures");

    #[track_caller]
    fn captured(files: &[(&str, &str)]) -> Reading<Power> {
        let dir = tempfile::tempdir().unwrap();
        for (path, fixture) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::copy(format!("{FIXTURES}/{fixture}"), path).unwrap();
        }
        collect(&Host::captured(dir.path()).unwrap())
    }

    #[test]
    fn a_node_that_reboots_says_what_it_waits_for() {
        let reading = captured(&[
            ("commands/systemctl_show", "systemctl/lab-257-show-stopping"),
            (
                "commands/systemctl_list-jobs",
                "systemctl/lab-257-jobs-rebooting",
            ),
        ]);
        let power = reading.known().unwrap();
        assert_eq!(power.state, PowerState::ShuttingDown);
        assert!(power.systemd.as_ref().unwrap().going_to().is_some());
        assert_eq!(power.boot_id, None);
    }

    #[test]
    fn a_planned_shutdown_is_known_without_systemd() {
        let reading = captured(&[(SCHEDULED, "shutdown/lab-257-reboot")]);
        assert_eq!(
            reading.known().unwrap().state,
            PowerState::ShutdownScheduled
        );
    }

    #[test]
    fn a_plan_that_cannot_be_read_is_not_the_lack_of_one() {
        let state = |show: &str| {
            let reading = captured(&[
                ("commands/systemctl_show", show),
                (SCHEDULED, "systemctl/lab-257-jobs-none"),
            ]);
            reading.known().unwrap().state
        };
        let running = "systemctl/lab-257-show-running";
        let without = captured(&[("commands/systemctl_show", running)]);
        assert_eq!(without.known().unwrap().state, PowerState::Running);
        assert_eq!(state(running), PowerState::Unknown);
        let stopping = "systemctl/lab-257-show-stopping";
        assert_eq!(state(stopping), PowerState::ShuttingDown);
    }

    #[test]
    fn another_init_is_not_an_error() {
        let show = "commands/systemctl_show";
        let reading = captured(&[(show, "systemctl/systemd-252-not-the-init")]);
        let Reading::Known {
            value, problems, ..
        } = reading
        else {
            panic!("it is not known");
        };
        assert_eq!((value.systemd, problems), (None, vec![]));
        assert_eq!(value.state, PowerState::Unknown);
    }

    #[test]
    fn a_tree_without_any_of_it_has_no_reading() {
        assert_eq!(captured(&[]), Reading::Absent);
    }

    #[test]
    fn the_boot_of_this_machine_is_known() {
        let reading = collect(&Host::here());
        let power = reading.known().unwrap();
        assert!(power.boot_id.is_some());
        assert!(power.booted_at.unwrap() < Timestamp::now());
    }

    #[test]
    fn a_clock_that_is_moved_a_little_does_not_move_the_boot() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut said = None;
        assert_eq!(steady(&mut said, at(1000)), at(1000));
        assert_eq!(steady(&mut said, at(1040)), at(1000));
        assert_eq!(steady(&mut said, at(1061)), at(1061));
        assert_eq!(steady(&mut said, at(1002)), at(1061));
    }
}
