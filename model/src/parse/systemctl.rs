//! What `systemctl` says of systemd itself: `systemctl show` without a unit, and `systemctl list-jobs`
//! (systemd, src/systemctl).

use super::assignments::assignments;
use crate::fact::power::{Job, JobState, JobVerb, Jobs, SystemState, Systemd};
use crate::text::{BadLine, BadLines, Parsed, Unreadable, lines};

/// How many jobs are kept: at boot a big node queues some hundred.
const MAX_JOBS: usize = 500;
/// What it answers where another program is the init: that is no error of the node.
const NOT_HERE: &str = "System has not been booted with systemd as init system";

/// Reads the manager's properties. `None`: systemd is not this node's init.
pub fn show(text: &str) -> Result<Parsed<Option<Systemd>>, Unreadable> {
    if is_not_here(text) {
        return Ok(BadLines::default().with(None));
    }
    let mut systemd = Systemd::default();
    let mut bad_lines = BadLines::default();
    let mut known = false;
    for found in assignments(text) {
        let number = |what: &str| found.line.number(found.value, what);
        match found.key {
            "Version" => systemd.version = Some(found.value.to_owned()),
            "SystemState" if found.value.is_empty() => {
                bad_lines.push(BadLine::new(found.line, "the state is empty"));
            }
            "SystemState" => systemd.state = Some(SystemState::from_word(found.value)),
            "NFailedUnits" => systemd.failed_units = bad_lines.keep(number("the count")),
            "NJobs" => systemd.queued_jobs = bad_lines.keep(number("the count")),
            _ => continue,
        }
        known = true;
    }
    if known {
        Ok(bad_lines.with(Some(systemd)))
    } else {
        Err(complaint_in(text))
    }
}

/// Reads the list of jobs, with its heading or without. `None`: systemd is not this node's init.
pub fn list_jobs(text: &str) -> Result<Parsed<Option<Jobs>>, Unreadable> {
    if is_not_here(text) {
        return Ok(BadLines::default().with(None));
    }
    let mut jobs = Jobs::default();
    let mut bad_lines = BadLines::default();
    let mut known = false;
    for line in lines(text) {
        let mut words = line.text.split_whitespace();
        let Some(first) = words.next() else {
            continue;
        };
        if first == "JOB" || line.text.trim() == "No jobs running." {
            known = true;
            continue;
        }
        // Its children in a list with --after or --before, and the count below the list.
        if first.parse::<u32>().is_err() || line.text.trim().ends_with("jobs listed.") {
            continue;
        }
        let (Some(unit), Some(verb), Some(state), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            bad_lines.push(BadLine::new(line, "it is not a job, unit, type and state"));
            continue;
        };
        known = true;
        if jobs.listed.len() >= MAX_JOBS {
            jobs.not_kept = jobs.not_kept.saturating_add(1);
            continue;
        }
        jobs.listed.push(Job {
            unit: unit.to_owned(),
            verb: JobVerb::from_word(verb),
            state: JobState::from_word(state),
        });
    }
    if known {
        Ok(bad_lines.with(Some(jobs)))
    } else {
        Err(complaint_in(text))
    }
}

fn is_not_here(text: &str) -> bool {
    text.lines().any(|line| line.starts_with(NOT_HERE))
}

fn complaint_in(text: &str) -> Unreadable {
    Unreadable::complaint_in(text, |line| {
        line.starts_with("Failed to ") || line.starts_with("Unknown ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::power::{PowerState, ShutdownMode};

    const STARTING: &str = include_str!("../../fixtures/systemctl/lab-257-show-starting");
    const RUNNING: &str = include_str!("../../fixtures/systemctl/lab-257-show-running");
    const STOPPING: &str = include_str!("../../fixtures/systemctl/lab-257-show-stopping");
    const JOBS_STARTING: &str = include_str!("../../fixtures/systemctl/lab-257-jobs-starting");
    const JOBS_REBOOTING: &str = include_str!("../../fixtures/systemctl/lab-257-jobs-rebooting");
    const JOBS_NONE: &str = include_str!("../../fixtures/systemctl/lab-257-jobs-none");
    const NO_SYSTEMD: &str = include_str!("../../fixtures/systemctl/systemd-252-not-the-init");

    #[track_caller]
    fn read(properties: &str, jobs: &str) -> Systemd {
        let (shown, listed) = (show(properties).unwrap(), list_jobs(jobs).unwrap());
        assert_eq!((shown.bad_lines, listed.bad_lines), (vec![], vec![]));
        Systemd {
            jobs: listed.value,
            ..shown.value.unwrap()
        }
    }

    #[test]
    fn a_machine_that_comes_up_is_booting() {
        let systemd = read(STARTING, JOBS_STARTING);
        assert_eq!(PowerState::of(None, Some(&systemd)), PowerState::Booting);
        assert_eq!(systemd.queued_jobs, Some(3));
        assert_eq!(systemd.jobs.unwrap().listed.len(), 3);
    }

    #[test]
    fn a_machine_that_is_up_is_running_and_has_no_jobs() {
        let systemd = read(RUNNING, JOBS_NONE);
        assert_eq!(PowerState::of(None, Some(&systemd)), PowerState::Running);
        assert_eq!(systemd.version.as_deref(), Some("257.13-1~deb13u1"));
        assert_eq!(systemd.failed_units, Some(0));
        assert_eq!(systemd.jobs, Some(Jobs::default()));
    }

    #[test]
    fn a_machine_that_reboots_says_so_and_what_it_waits_for() {
        let systemd = read(STOPPING, JOBS_REBOOTING);
        assert_eq!(
            PowerState::of(None, Some(&systemd)),
            PowerState::ShuttingDown
        );
        assert_eq!(systemd.going_to(), Some(ShutdownMode::Reboot));
        let waited_for: Vec<&str> = systemd.being_stopped().collect();
        assert_eq!(waited_for, ["pve-guests.service", "pve-ha-lrm.service"]);
        let jobs = systemd.jobs.unwrap();
        assert_eq!(Some(jobs.listed.len() as u32), systemd.queued_jobs);
    }

    #[test]
    fn another_init_is_no_error() {
        assert_eq!(show(NO_SYSTEMD).unwrap().value, None);
        assert_eq!(list_jobs(NO_SYSTEMD).unwrap().value, None);
    }

    #[test]
    fn a_bus_that_does_not_answer_is_one() {
        let said = "Failed to connect to bus: Connection refused\n";
        for error in [show(said).unwrap_err(), list_jobs(said).unwrap_err()] {
            assert!(matches!(error, Unreadable::ToolFailed { .. }), "{error}");
        }
        assert_eq!(list_jobs(""), Err(Unreadable::Empty));
        let parsed = show("SystemState=\n").unwrap();
        assert_eq!(parsed.bad_lines.len(), 1);
    }

    #[test]
    fn a_bad_line_costs_itself_and_more_jobs_than_a_report_holds_are_counted() {
        let mut text = "JOB UNIT TYPE STATE\n1 a.service start\n".to_owned();
        for number in 0..MAX_JOBS + 7 {
            text.push_str(&format!("{number} a@{number}.service start waiting\n"));
        }
        let parsed = list_jobs(&text).unwrap();
        assert_eq!(parsed.bad_lines.len(), 1);
        let jobs = parsed.value.unwrap();
        assert_eq!((jobs.listed.len(), jobs.not_kept), (MAX_JOBS, 7));
    }
}
