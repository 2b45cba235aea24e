//! Who keeps the node's clock, and how well. chrony is asked first, as Proxmox VE installs it; systemd-timedated, which
//! is started to answer, only where chrony gives no answer.
//!
//! The kernel's own clock state (adjtimex(2)) is in no file, and no established crate has it without `unsafe` at the
//! caller; chrony and timedated tell the same of it.

use jiff::Timestamp;
use model::fact::clock::{Chrony, Clock, Leap, Timedate};
use model::parse::{chronyc, timedatectl};
use model::reading::Reading;
use model::text::Parsed;

use crate::host::{Command, Host};
use crate::source::gather::Gathering;

const TRACKING: Command = Command {
    path: "/usr/bin/chronyc",
    args: &["-n", "-c", "tracking"],
    words: &["tracking"],
};
const TIMEDATE: Command = Command {
    path: "/usr/bin/timedatectl",
    args: &["show"],
    words: &["show"],
};
pub(crate) const COMMANDS: &[Command] = &[TRACKING, TIMEDATE];

/// systemd-timesyncd touches it whenever it has set the clock by a server. Asked on a live node only.
const TIMESYNCD: &str = "run/systemd/timesync/synchronized";
/// It is there where systemd is the init (sd_booted(3)).
const SYSTEMD: &str = "run/systemd/system";

/// Absent: neither chrony nor systemd keeps a clock here.
pub(crate) fn collect(host: &Host) -> Reading<Clock> {
    let mut gathering = Gathering::default();
    let chrony = chrony(host, &mut gathering);
    let timesyncd_at = touched(host, &mut gathering);
    let timedate = if chrony.is_none() {
        timedate(host, &mut gathering)
    } else {
        None
    };
    let by_chrony = chrony.as_ref().and_then(|chrony| chrony.leap.as_ref());
    let by_chrony = by_chrony.and_then(|leap| match leap {
        Leap::NotSynchronised => Some(false),
        Leap::Normal | Leap::InsertSecond | Leap::DeleteSecond => Some(true),
        Leap::Other(_) => None,
    });
    let by_systemd = timedate.as_ref().and_then(|timedate| timedate.synchronised);
    let anybody = chrony.is_some() || timesyncd_at.is_some() || timedate.is_some();
    gathering.finish(anybody.then_some(Clock {
        synchronised: by_chrony.or(by_systemd),
        chrony,
        timesyncd_at,
        timedate,
    }))
}

fn chrony(host: &Host, gathering: &mut Gathering) -> Option<Chrony> {
    let mut chrony = None;
    for text in gathering.ask(host, &TRACKING) {
        let read = gathering.take(&text, chronyc::tracking(&text.text));
        chrony = chrony.or(read);
    }
    chrony
}

fn timedate(host: &Host, gathering: &mut Gathering) -> Option<Timedate> {
    let is_here = host.is_captured() || gathering.found(SYSTEMD, host.list(SYSTEMD)).is_some();
    if !is_here {
        return None;
    }
    let mut timedate = None;
    for text in gathering.ask(host, &TIMEDATE) {
        let read = gathering.take(&text, timedatectl::parse(&text.text));
        timedate = timedate.or(read.flatten());
    }
    timedate
}

/// The file is empty: all it says is when it was touched.
fn touched(host: &Host, gathering: &mut Gathering) -> Option<Timestamp> {
    let touched = gathering.found(TIMESYNCD, host.written_at(TIMESYNCD))?;
    let read = Parsed {
        value: touched,
        bad_lines: Vec::new(),
    };
    gathering.take_from(TIMESYNCD, Timestamp::now(), Ok(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/fixtures");

    #[track_caller]
    fn captured(files: &[(&str, &str)]) -> Reading<Clock> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("commands")).unwrap();
        for (name, fixture) in files {
            let path = dir.path().join("commands").join(name);
            std::fs::copy(format!("{FIXTURES}/{fixture}"), path).unwrap();
        }
        collect(&Host::captured(dir.path()).unwrap())
    }

    const TRACKED: &str = "chronyc_-n_-c_tracking";

    #[test]
    fn chrony_says_whether_the_clock_is_kept() {
        for (fixture, synchronised) in [
            ("chronyc/written-following-a-server", true),
            ("chronyc/chrony-4.3-hears-nobody", false),
        ] {
            let reading = captured(&[(TRACKED, fixture)]);
            assert_eq!(reading.known().unwrap().synchronised, Some(synchronised));
        }
    }

    #[test]
    fn without_chrony_systemd_says_it() {
        let reading = captured(&[("timedatectl_show", "timedatectl/lab-257")]);
        let clock = reading.known().unwrap();
        assert_eq!((clock.synchronised, &clock.chrony), (Some(false), &None));
    }

    #[test]
    fn a_daemon_that_does_not_answer_is_never_a_good_clock() {
        let said = "506 Cannot talk to daemon\n";
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("commands")).unwrap();
        std::fs::write(dir.path().join("commands").join(TRACKED), said).unwrap();
        let reading = collect(&Host::captured(dir.path()).unwrap());
        let Reading::Failed { why } = reading else {
            panic!("{reading:?} has not failed");
        };
        assert!(why.contains("506 Cannot talk to daemon"), "{why}");
        assert_eq!(captured(&[]), Reading::Absent);
    }
}
