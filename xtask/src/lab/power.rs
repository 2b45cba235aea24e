//! `cargo xtask lab power`: what the collector said that it has is there after the power is cut, at any moment.
//!
//! The lab machine runs a collector and simulated agents; it is killed and booted again, its state on a disk that
//! stays. What the guest's kernel had not written yet is gone each time. At the end, every event up to the last
//! acknowledgement must be kept, each once; and no incident that was shown before a cut is lost after it, doubled, or there
//! under another number.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use quorate_tests::History;
use quorate_tests::fleet::watch;
use serde::Deserialize;

use super::{built, machine, script, strip};
use crate::record;
use crate::shell;

/// An emulated machine boots in about 7 s, and makes its certificates in the first life.
const FIRST_WORD: Duration = Duration::from_secs(300);
/// From the first acknowledgement of a life to the cut.
const LONGEST_LIFE_MS: u64 = 6000;
/// An incident is over after half a minute of calm: so often a life is long enough for that.
const LONG_LIFE_EVERY: u32 = 5;
const LONG_LIFE_MS: u64 = 60_000;
const LOOK: Duration = Duration::from_millis(50);
/// `no_timer_check`: as in run-machine.sh.
const COMMAND_LINE: &str = r#"root=/dev/vda rw console=ttyS0 quiet no_timer_check panic=-1 init=/bin/bash -- -c "mount -t proc proc /proc; mount -t sysfs sys /sys; mkdir -p /lab; tar -xf /dev/vdb -C /lab; exec bash /lab/power-init.sh""#;

/// Cut the power of a machine with a collector, again and again, and look whether it kept what it promised
#[derive(Debug, clap::Args)]
pub(crate) struct Power {
    /// How often
    #[arg(long, default_value_t = 20)]
    cuts: u32,
    /// The same seed cuts after the same times
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep the result in docs/measured/power.txt
    #[arg(long)]
    record: bool,
}

impl Power {
    pub(crate) fn short(cuts: u32) -> Self {
        Self {
            cuts,
            seed: 1,
            record: false,
        }
    }
}

pub(crate) fn run(args: &Power) -> anyhow::Result<()> {
    let work = tempfile::tempdir().context("a directory for the machine")?;
    let lab = Lab::prepare(work.path())?;
    let mut moments = fastrand::Rng::with_seed(args.seed);
    let mut promised = Promises::default();
    let mut history = History::default();
    for cut in 1..=args.cuts {
        let more_ms = if cut.is_multiple_of(LONG_LIFE_EVERY) {
            LONG_LIFE_MS
        } else {
            0
        };
        let life = Duration::from_millis(moments.u64(0..LONGEST_LIFE_MS) + more_ms);
        let log = lab.live(cut, life)?;
        promised.hear(&log);
        shown(&mut history, &log).with_context(|| format!("in the life before cut {cut}"))?;
        println!(
            "cut {cut} of {}, {:.1} s after the first acknowledgement: {} events promised, {} incidents shown",
            args.cuts,
            life.as_secs_f64(),
            promised.events(),
            history.count()
        );
    }
    let log = lab.audit()?;
    promised.check(&kept(&log))?;
    let looks = shown(&mut history, &log).context("in the last life")?;
    ensure!(
        looks > 0 && history.count() > 0,
        "no incident was ever shown"
    );
    let said = format!(
        "{} power cuts, seed {}: {} events of {} spools were promised, and every one is kept once; {} incidents were shown \
         and came back {} times: none lost, doubled, or under another number",
        args.cuts,
        args.seed,
        promised.events(),
        promised.up_to.len(),
        history.count(),
        history.returns()
    );
    println!("{said}");
    if args.record {
        let command = format!(
            "cargo xtask lab power --cuts {} --seed {}",
            args.cuts, args.seed
        );
        record::keep("power", &command, &said)?;
    }
    Ok(())
}

/// Holds what a life showed of incidents against all before; gives how often it showed them.
fn shown(history: &mut History, log: &str) -> anyhow::Result<usize> {
    let looks = log.lines().filter_map(watch::read);
    looks
        .map(|look| history.look(&look))
        .try_fold(0, |count, look| look.map(|()| count + 1))
}

fn kept(log: &str) -> Vec<Kept> {
    log.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// What the machine is made of, for all its lives.
struct Lab {
    machine: PathBuf,
    dir: PathBuf,
}

impl Lab {
    fn prepare(dir: &Path) -> anyhow::Result<Self> {
        let machine = machine()?;
        shell::build_programs()?;
        let input = dir.join("input");
        fs::create_dir(&input)?;
        for name in ["quorate-collector", "fleet"] {
            strip(&built(name), &input.join(name))?;
        }
        fs::copy(script("power-init.sh"), input.join("power-init.sh"))?;
        let mut tar = Command::new("tar");
        shell::run(
            tar.arg("-cf")
                .arg(dir.join("input.tar"))
                .arg("-C")
                .arg(&input)
                .arg("."),
        )?;
        let mut make = Command::new("mke2fs");
        shell::run(
            make.args(["-q", "-t", "ext4"])
                .arg(dir.join("state.img"))
                .arg("512M"),
        )?;
        Ok(Self {
            machine,
            dir: dir.to_owned(),
        })
    }

    /// One life, cut so long after its first acknowledgement. Gives what it said.
    fn live(&self, number: u32, life: Duration) -> anyhow::Result<String> {
        let log = self.dir.join(format!("life-{number}"));
        let mut machine = self.boot(&log, "")?;
        machine.wait_for(&log, "\"event\":\"ack\"")?;
        std::thread::sleep(life);
        // It is killed where it stands.
        drop(machine);
        fs::read_to_string(&log).context("what the machine said")
    }

    /// The last life: what is kept, as the fleet found it by asking.
    fn audit(&self) -> anyhow::Result<String> {
        let log = self.dir.join("audit");
        let mut machine = self.boot(&log, " last")?;
        machine.wait_for(&log, "power: audited")?;
        drop(machine);
        Ok(fs::read_to_string(&log)?)
    }

    fn boot(&self, log: &Path, last: &str) -> anyhow::Result<Machine> {
        File::create(log)?;
        let drive = |path: PathBuf, how: &str| {
            format!("file={},if=virtio,format=raw,{how}", path.display())
        };
        let acceleration = std::env::var("QUORATE_LAB_ACCEL");
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.env("TMPDIR", &self.dir)
            .args([
                "-M",
                "q35",
                "-cpu",
                "max",
                "-smp",
                "2",
                "-m",
                "1024",
                "-display",
                "none",
                "-no-reboot",
                "-accel",
            ])
            .arg(acceleration.as_deref().unwrap_or("tcg,thread=multi"))
            .args(["-serial", &format!("file:{}", console(log).display())])
            .args(["-serial", &format!("file:{}", log.display())])
            .arg("-kernel")
            .arg(self.machine.join("vmlinuz"))
            .arg("-initrd")
            .arg(self.machine.join("initrd"))
            .args([
                "-append",
                &COMMAND_LINE.replace(" init=", &format!("{last} init=")),
            ])
            .args([
                "-drive",
                &drive(self.machine.join("root.img"), "cache=unsafe,snapshot=on"),
            ])
            .args(["-drive", &drive(self.dir.join("input.tar"), "readonly=on")])
            .args([
                "-drive",
                &drive(self.dir.join("state.img"), "cache=writeback"),
            ])
            .stdin(std::process::Stdio::null());
        Ok(Machine(
            qemu.spawn().context("qemu-system-x86_64 cannot be run")?,
        ))
    }
}

/// What the kernel of a life says, beside what the life says.
fn console(log: &Path) -> PathBuf {
    log.with_extension("console")
}

/// A running machine. Dropping it is the power cut.
struct Machine(Child);

impl Machine {
    /// Until it has said so; a machine that has ended says nothing more.
    fn wait_for(&mut self, log: &Path, word: &str) -> anyhow::Result<()> {
        let end = Instant::now() + FIRST_WORD;
        loop {
            let has_ended = self.0.try_wait()?.is_some();
            let said = fs::read_to_string(log)?;
            if said.contains(word) {
                return Ok(());
            }
            if has_ended || Instant::now() > end {
                let kernel = fs::read(console(log))?;
                let kernel = String::from_utf8_lossy(&kernel);
                bail!(
                    "the machine did not say {word:?}; it said:\n{said}\nand its kernel:\n{kernel}"
                );
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Spool {
    cluster: String,
    node: String,
    spool: String,
}

/// `{"event":"ack",…}`: all up to here are on disk, the collector said.
#[derive(Debug, Deserialize)]
struct Ack {
    #[serde(flatten)]
    spool: Spool,
    up_to: u64,
}

/// `{"event":"kept",…}`: what the collector has of a spool.
#[derive(Debug, Deserialize)]
struct Kept {
    #[serde(flatten)]
    spool: Spool,
    first: u64,
    last: u64,
    count: u64,
}

/// What the collector acknowledged, over all lives.
#[derive(Debug, Default)]
struct Promises {
    up_to: BTreeMap<Spool, u64>,
}

impl Promises {
    /// The last line of a life may be cut short, and is none then.
    fn hear(&mut self, log: &str) {
        for line in log.lines() {
            if let Ok(Ack { spool, up_to }) = serde_json::from_str(line) {
                let known = self.up_to.entry(spool).or_default();
                *known = up_to.max(*known);
            }
        }
    }

    fn events(&self) -> u64 {
        self.up_to.values().sum()
    }

    fn check(&self, kept: &[Kept]) -> anyhow::Result<()> {
        ensure!(!self.up_to.is_empty(), "nothing was ever acknowledged");
        for (spool, up_to) in &self.up_to {
            let kept = kept
                .iter()
                .find(|kept| kept.spool == *spool)
                .with_context(|| format!("nothing is kept of {spool:?}"))?;
            ensure!(
                kept.first == 1 && kept.last >= *up_to && kept.count == kept.last,
                "{up_to} events of {spool:?} were acknowledged; kept are {} from {} to {}",
                kept.count,
                kept.first,
                kept.last
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACKS: &str = r#"{"event":"ack","cluster":"c","node":"n","spool":"s","up_to":7}
{"event":"ack","cluster":"c","node":"n","spool":"s","up_to":9}
{"event":"ack","cluster":"c","node":"n","spool":"s","up"#;

    fn kept_of(first: u64, last: u64, count: u64) -> Vec<Kept> {
        let spool = Spool {
            cluster: "c".into(),
            node: "n".into(),
            spool: "s".into(),
        };
        vec![Kept {
            spool,
            first,
            last,
            count,
        }]
    }

    #[test]
    fn a_promise_that_is_not_kept_is_found() {
        let mut promises = Promises::default();
        promises.hear(ACKS);
        assert_eq!(promises.events(), 9);
        assert!(promises.check(&kept_of(1, 9, 9)).is_ok());
        assert!(promises.check(&kept_of(1, 12, 12)).is_ok());
        assert!(promises.check(&kept_of(1, 8, 8)).is_err());
        assert!(promises.check(&kept_of(1, 9, 8)).is_err());
        assert!(promises.check(&kept_of(1, 9, 10)).is_err());
        assert!(promises.check(&kept_of(2, 9, 9)).is_err());
        assert!(promises.check(&[]).is_err());
        assert!(Promises::default().check(&kept_of(1, 9, 9)).is_err());
    }
}
