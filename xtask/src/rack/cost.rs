//! What a process and its children cost, as /proc tells it.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context as _, Result};
use nix::unistd::Pid;
use quorate_tests::children;

use crate::shell;

/// Follows a process over time. Processor time is the kernel's own account, with ended children in it; the switches of
/// a child that came and went between two looks are lost.
#[derive(Debug)]
pub(super) struct Meter {
    root: Pid,
    ticks_a_second: f64,
    cpu_at_start: f64,
    switches_at_start: u64,
    /// By thread: the last count of those that ended meanwhile counts on.
    switches: BTreeMap<String, u64>,
    pss_kib: Vec<u64>,
    most_processes: usize,
}

impl Meter {
    pub(super) fn start(root: Pid) -> Result<Self> {
        let ticks = shell::output(Command::new("getconf").arg("CLK_TCK"))?;
        let mut meter = Self {
            root,
            ticks_a_second: ticks.trim().parse()?,
            cpu_at_start: 0.0,
            switches_at_start: 0,
            switches: BTreeMap::new(),
            pss_kib: Vec::new(),
            most_processes: 0,
        };
        meter.look()?;
        meter.pss_kib.clear();
        meter.cpu_at_start = meter.cpu_seconds()?;
        meter.switches_at_start = meter.switches.values().sum();
        Ok(meter)
    }

    /// To be called about once a second.
    pub(super) fn look(&mut self) -> Result<()> {
        let tree = self.tree()?;
        self.most_processes = self.most_processes.max(tree.len());
        let mut pss = 0;
        for pid in tree {
            // A child that has ended meanwhile takes nothing.
            let Ok(rollup) = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else {
                continue;
            };
            pss += number_after(&rollup, "Pss:").unwrap_or(0);
            let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
                continue;
            };
            for thread in threads.flatten() {
                let Ok(status) = std::fs::read_to_string(thread.path().join("status")) else {
                    continue;
                };
                let count = number_after(&status, "\nvoluntary_ctxt_switches:").unwrap_or(0)
                    + number_after(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
                let name = thread.file_name().to_string_lossy().into_owned();
                self.switches.insert(name, count);
            }
        }
        self.pss_kib.push(pss);
        Ok(())
    }

    /// Seconds of one core since it was started; running and ended children included.
    pub(super) fn cpu_since_start(&self) -> Result<f64> {
        Ok(self.cpu_seconds()? - self.cpu_at_start)
    }

    pub(super) fn switches_since_start(&self) -> u64 {
        let all: u64 = self.switches.values().sum();
        all - self.switches_at_start
    }

    pub(super) fn mean_pss_mib(&self) -> f64 {
        let sum: u64 = self.pss_kib.iter().sum();
        sum as f64 / self.pss_kib.len().max(1) as f64 / 1024.0
    }

    pub(super) fn most_pss_mib(&self) -> f64 {
        self.pss_kib.iter().max().copied().unwrap_or(0) as f64 / 1024.0
    }

    pub(super) fn most_processes(&self) -> usize {
        self.most_processes
    }

    fn cpu_seconds(&self) -> Result<f64> {
        let stat = |pid: Pid| std::fs::read_to_string(format!("/proc/{pid}/stat"));
        let root = stat(self.root).context("the process has ended")?;
        let mut ticks = cpu_ticks(&root).context("its stat cannot be read")?;
        for pid in self.tree()?.into_iter().filter(|pid| *pid != self.root) {
            ticks += stat(pid).ok().as_deref().and_then(cpu_ticks).unwrap_or(0);
        }
        Ok(ticks as f64 / self.ticks_a_second)
    }

    /// The process, its children, theirs …
    fn tree(&self) -> Result<Vec<Pid>> {
        let mut tree = vec![self.root];
        let mut next = 0;
        while let Some(pid) = tree.get(next).copied() {
            tree.extend(children(pid)?);
            next += 1;
        }
        Ok(tree)
    }
}

/// utime, stime, cutime, cstime: fields 14 to 17, where the name in parentheses is the second.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let rest = stat.rsplit(')').next()?;
    let times = rest.split_whitespace().skip(11).take(4);
    times.map(|field| field.parse::<u64>().ok()).sum()
}

fn number_after(text: &str, key: &str) -> Option<u64> {
    let (_, rest) = text.split_once(key)?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 1 0 5 6 7";
        assert_eq!(cpu_ticks(stat), Some(110));
        assert_eq!(cpu_ticks("7 (a) S 1"), Some(0));
    }
}
