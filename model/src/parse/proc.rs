//! The small files of `/proc` that say how busy a node is (proc(5); the kernel's Documentation/accounting/psi.rst).

use crate::fact::host::{LoadAverage, Memory, Stall, StallShare};
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable, lines};

/// How many processors a list may name: more than the kernel can be built for is a bad line.
const MAX_CPUS: u32 = 8192;

/// `/proc/loadavg`: `0.10 0.23 0.37 1/93 10829`.
pub fn loadavg(text: &str) -> Result<Parsed<LoadAverage>, Unreadable> {
    let line = first_line(text)?;
    let mut words = line.text.split_ascii_whitespace();
    let mut load = || share(line, words.next().unwrap_or_default(), "the load");
    let mut average = LoadAverage {
        over_1_min: load()?,
        over_5_min: load()?,
        over_15_min: load()?,
        ..LoadAverage::default()
    };
    let mut bad_lines = BadLines::default();
    if let Some((running, all)) = words.next().and_then(|word| word.split_once('/')) {
        average.running_tasks = bad_lines.keep(line.number(running, "the number of tasks"));
        average.tasks = bad_lines.keep(line.number(all, "the number of tasks"));
    }
    Ok(bad_lines.with(average))
}

/// `/proc/uptime`: `12954.63 15377.91`, the first in seconds since the boot.
pub fn uptime(text: &str) -> Result<Parsed<f64>, Unreadable> {
    let line = first_line(text)?;
    let word = line.text.split_ascii_whitespace().next();
    let seconds = share(line, word.unwrap_or_default(), "the uptime")?;
    Ok(BadLines::default().with(seconds))
}

/// `/proc/meminfo`.
pub fn meminfo(text: &str) -> Result<Parsed<Memory>, Unreadable> {
    let mut memory = Memory::default();
    let mut bad_lines = BadLines::default();
    let mut known = false;
    for line in lines(text) {
        let Some((key, value)) = line.key_value() else {
            continue;
        };
        let slot = match key {
            "MemTotal" => &mut memory.total_bytes,
            "MemAvailable" => &mut memory.available_bytes,
            "SwapTotal" => &mut memory.swap_total_bytes,
            "SwapFree" => &mut memory.swap_free_bytes,
            _ => continue,
        };
        known = true;
        let bytes = value.strip_suffix("kB").map(str::trim).and_then(|kib| {
            let kib: u64 = kib.parse().ok()?;
            kib.checked_mul(1024)
        });
        *slot = bad_lines.keep(bytes.ok_or_else(|| BadLine::new(line, "it is not a number of kB")));
    }
    if known {
        Ok(bad_lines.with(memory))
    } else {
        Err(Unreadable::foreign(text))
    }
}

/// One file of `/proc/pressure`: `some avg10=1.62 avg60=1.02 avg300=0.91 total=2075318828`, and `full` the same.
pub fn pressure(text: &str) -> Result<Parsed<Stall>, Unreadable> {
    let mut stall = Stall::default();
    let mut bad_lines = BadLines::default();
    let mut known = false;
    for line in lines(text) {
        let (what, values) = line.text.split_once(' ').unwrap_or((line.text, ""));
        let slot = match what {
            "some" => &mut stall.some,
            "full" => &mut stall.full,
            _ => continue,
        };
        known = true;
        *slot = bad_lines.keep(stall_share(line, values));
    }
    if known {
        Ok(bad_lines.with(stall))
    } else {
        Err(Unreadable::foreign(text))
    }
}

fn stall_share(line: Line<'_>, values: &str) -> Result<StallShare, BadLine> {
    let value = |key: &str| {
        let pairs = values.split_ascii_whitespace();
        let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(name, _)| *name == key);
        found.map(|(_, value)| value).unwrap_or_default()
    };
    Ok(StallShare {
        over_10_s_percent: share(line, value("avg10"), "avg10")?,
        over_60_s_percent: share(line, value("avg60"), "avg60")?,
        over_300_s_percent: share(line, value("avg300"), "avg300")?,
        total_us: line.number(value("total"), "total")?,
    })
}

/// `/sys/devices/system/cpu/online`: how many processors a list like `0-3,8,10-11` names.
pub fn cpus(text: &str) -> Result<Parsed<u32>, Unreadable> {
    let line = first_line(text)?;
    let bad = || BadLine::new(line, "it is not a list of processors");
    let mut count = 0_u32;
    for part in line.text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: u32 = first.parse().map_err(|_| bad())?;
        let last: u32 = last.parse().map_err(|_| bad())?;
        if last < first || last >= MAX_CPUS {
            return Err(bad().into());
        }
        count = count.saturating_add(last - first + 1);
    }
    Ok(BadLines::default().with(count))
}

fn first_line(text: &str) -> Result<Line<'_>, Unreadable> {
    let first = lines(text).find(|line| !line.is_blank());
    first.ok_or(Unreadable::Empty)
}

/// A number that JSON can hold, and that makes sense: neither negative nor without end.
fn share(line: Line<'_>, word: &str, what: &str) -> Result<f64, BadLine> {
    let number: f64 = line.number(word, what)?;
    if number.is_finite() && number >= 0.0 {
        Ok(number)
    } else {
        Err(BadLine::new(line, format!("{what} is not a number")))
    }
}

#[cfg(test)]
mod tests {
    //! The texts are as the kernels of Debian 12 and of the lab machine print them.

    use super::*;

    #[test]
    fn load_and_uptime_are_read() {
        let load = loadavg("0.10 0.23 0.37 1/93 10829\n").unwrap().value;
        assert_eq!((load.over_1_min, load.over_15_min), (0.10, 0.37));
        assert_eq!((load.running_tasks, load.tasks), (Some(1), Some(93)));
        assert_eq!(uptime("12954.63 15377.91\n").unwrap().value, 12954.63);
        for bad in ["", "x", "NaN 0 0", "-1 0 0", "inf 0 0", "0.1 0.2"] {
            assert!(loadavg(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let text = include_str!("../../fixtures/proc/linux-6.18-meminfo");
        let memory = meminfo(text).unwrap().value;
        assert_eq!(memory.total_bytes, Some(24_684_092 * 1024));
        assert_eq!(memory.swap_total_bytes, Some(0));
        let parsed = meminfo("MemTotal: many kB\nMemAvailable: 1 kB\n").unwrap();
        assert_eq!(
            (parsed.value.total_bytes, parsed.value.available_bytes),
            (None, Some(1024))
        );
        assert_eq!(parsed.bad_lines.len(), 1);
        assert!(
            meminfo("MemTotal: 18446744073709551615 kB\n")
                .unwrap()
                .value
                .total_bytes
                .is_none()
        );
    }

    #[test]
    fn pressure_is_read_with_and_without_full() {
        let text = include_str!("../../fixtures/proc/linux-6.18-pressure-io");
        let stall = pressure(text).unwrap().value;
        assert_eq!(stall.some.unwrap().over_10_s_percent, 7.63);
        assert_eq!(stall.full.unwrap().total_us, 52_171_931);
        let some = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(pressure(some).unwrap().value.full, None);
        let cut = pressure("some avg10=0.00 avg60=0.0").unwrap();
        assert_eq!((cut.value.some, cut.bad_lines.len()), (None, 1));
    }

    #[test]
    fn processors_are_counted_from_their_list() {
        for (list, count) in [("0\n", 1), ("0-3\n", 4), ("0-3,8,10-11\n", 7)] {
            assert_eq!(cpus(list).unwrap().value, count, "{list}");
        }
        for bad in ["", "3-0", "0-99999", "a"] {
            assert!(cpus(bad).is_err(), "{bad}");
        }
    }
}
