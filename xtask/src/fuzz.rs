//! `cargo xtask fuzz`: no bytes make a parser panic, hang, or grow without bound.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::{record, shell};

const VERSION: &str = "0.13.2";
/// Enough for every fixture; longer texts are the benchmark's business.
const MAX_LEN: &str = "65536";
/// A parser of 64 KiB has no business with more: it would be growth without bound.
const MEMORY_MB: u32 = 512;

/// Throws bytes at every parser of the model
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only this target (see fuzz/fuzz_targets)
    #[arg(long)]
    target: Option<String>,
    /// Keeps the result in docs/measured
    #[arg(long)]
    record: bool,
}

impl Args {
    pub(crate) fn short(seconds: u64) -> Self {
        Self {
            seconds,
            target: None,
            record: false,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    shell::need(&[("g++", "g++")])?;
    let cargo_fuzz = shell::cargo_tool("cargo-fuzz", VERSION)?;
    // `-s none`: a sanitizer needs a nightly compiler, and the model forbids unsafe code anyway.
    let mut build = Command::new(&cargo_fuzz);
    build.args(["fuzz", "build", "--sanitizer", "none"]);
    shell::output(&mut build).context("the fuzz targets cannot be built")?;
    let wanted = |name: &String| args.target.as_ref().is_none_or(|target| target == name);
    let waiting: Mutex<VecDeque<String>> =
        Mutex::new(targets()?.into_iter().filter(wanted).collect());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(target) = waiting.lock().ok().and_then(|mut queue| queue.pop_front())
                {
                    let result = run_target(&target, args.seconds);
                    if let Ok(mut done) = done.lock() {
                        done.push(result);
                    }
                }
            });
        }
    });
    let done = done.into_inner().context("a fuzzer's thread panicked")?;
    let mut lines = done.into_iter().collect::<Result<Vec<String>>>()?;
    lines.sort();
    println!("{}", lines.join("\n"));
    ensure!(
        !lines.is_empty(),
        "there is no such target in fuzz/fuzz_targets"
    );
    if args.record {
        let command = format!("cargo xtask fuzz --seconds {}", args.seconds);
        record::keep("fuzz", &command, &lines.join("\n"))?;
    }
    Ok(())
}

fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir("fuzz/fuzz_targets").context("cannot list the fuzz targets")? {
        let path = entry?.path();
        names.extend(
            path.file_stem()
                .map(|stem| stem.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

fn run_target(target: &str, seconds: u64) -> Result<String> {
    let host = shell::output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let binary = Path::new("fuzz/target")
        .join(host.trim())
        .join("release")
        .join(target);
    let corpus = PathBuf::from("fuzz/corpus").join(target);
    let findings = PathBuf::from("fuzz/artifacts").join(target);
    std::fs::create_dir_all(&corpus)?;
    std::fs::create_dir_all(&findings)?;
    let begun = Instant::now();
    let mut fuzzer = Command::new(&binary);
    fuzzer
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={MAX_LEN}"))
        .arg(format!("-rss_limit_mb={MEMORY_MB}"))
        .args(["-timeout=20", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .arg(&corpus);
    // Real texts to begin with; libFuzzer writes only to the first directory.
    let fixtures = PathBuf::from("model/fixtures").join(target);
    if fixtures.is_dir() {
        fuzzer.arg(fixtures);
    }
    let output = fuzzer
        .output()
        .with_context(|| format!("cannot run {}", binary.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{target} failed; the bytes are in {}:\n{}",
        findings.display(),
        said.lines()
            .rev()
            .take(30)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
            .join("\n")
    );
    let stat = |name: &str| {
        said.lines()
            .find_map(|line| line.strip_prefix(name))
            .map_or("?", str::trim)
            .to_owned()
    };
    Ok(format!(
        "{target}: {} runs in {:.0} s, at most {} MB, nothing found",
        stat("stat::number_of_executed_units:"),
        begun.elapsed().as_secs_f64(),
        stat("stat::peak_rss_mb:")
    ))
}
