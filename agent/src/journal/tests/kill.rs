//! The agent is killed at random moments while the journal is written, and its files are rotated: every line is in
//! the spool exactly once. `QUORATE_KILLS` says how often.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use super::journald::wait_for_end_of_input;
use super::*;

const KILLS: u32 = 100;
const WRITERS: [&str; 2] = ["corosync", "pmxcfs"];

/// No test of its own: the process that is killed.
#[test]
fn a_follower_to_be_killed() {
    let (Ok(namespace), Ok(dir)) = (
        std::env::var("QUORATE_FOLLOWS"),
        std::env::var("QUORATE_SPOOL"),
    ) else {
        return;
    };
    let store = Arc::new(Mutex::new(Spool::open(Path::new(&dir), MAX_BYTES).unwrap()));
    let settings = Settings {
        directory: None,
        namespace: Some(namespace),
    };
    let (follower, _view, stopper) = Follower::new(settings, Start::Spool(store)).unwrap();
    let thread = follower.spawn(|_, _| {}).unwrap();
    wait_for_end_of_input();
    drop(stopper);
    thread.join().unwrap();
}

/// No test of its own: writes lines in bursts until its standard input ends, then says how many.
#[test]
fn a_program_that_goes_on_speaking() {
    let (Ok(socket), Ok(name)) = (
        std::env::var("QUORATE_SPEAKS_TO"),
        std::env::var("QUORATE_SPEAKS_AS"),
    ) else {
        return;
    };
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    std::thread::spawn(|| {
        wait_for_end_of_input();
        IS_OVER.store(true, Ordering::Relaxed);
    });
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(socket).unwrap();
    let mut draw = Draw(u64::from(std::process::id()));
    let mut count = 0_u64;
    while !IS_OVER.load(Ordering::Relaxed) {
        for _ in 0..1 + draw.below(12) {
            count += 1;
            send(&sender, &name, &format!("{name} {count}"));
            send(&sender, "sshd", "a line of another program");
        }
        std::thread::sleep(Duration::from_millis(draw.below(20)));
    }
    println!("\nwritten: {count}");
    std::io::stdout().flush().unwrap();
}

/// Moments need no good randomness (xorshift).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Reads what is new in the spool as a collector would, and acknowledges it.
struct Collector {
    dir: PathBuf,
    next: u64,
    lines: BTreeMap<String, u64>,
    cut: u64,
}

impl Collector {
    fn collect(&mut self) {
        let mut spool = Spool::open(&self.dir, MAX_BYTES).unwrap();
        self.cut += u64::from(spool.state().bytes_cut > 0);
        loop {
            let items = spool.read_from(self.next, 500).unwrap();
            for item in &items {
                let Item::Record(record) = item else {
                    panic!("{item:?}")
                };
                assert_eq!(record.number, self.next);
                self.next += 1;
                assert_ne!(record.kind, Kind::Gap, "{record:?}");
                if record.kind == Kind::Journal {
                    self.line(&record.json);
                }
            }
            if items.is_empty() {
                break;
            }
        }
        spool.read_by(&["collector".to_owned()]).unwrap();
        let now = std::time::Instant::now();
        spool.acknowledge("collector", self.next - 1, now).unwrap();
    }

    fn line(&mut self, json: &str) {
        let event: JournalEvent = serde_json::from_str(json).unwrap();
        let (name, number) = event.message.split_once(' ').unwrap();
        let last = self.lines.entry(name.to_owned()).or_default();
        assert_eq!(
            number.parse(),
            Ok(*last + 1),
            "of {name} each line comes once, in order"
        );
        *last += 1;
    }
}

#[test]
fn every_line_is_in_the_spool_exactly_once_however_often_the_agent_is_killed() {
    let kills = std::env::var("QUORATE_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let journald = Journald::start();
    let dir = tempfile::tempdir().unwrap();
    let mut collector = Collector {
        dir: dir.path().join("spool"),
        next: 1,
        lines: BTreeMap::new(),
        cut: 0,
    };
    let start = || {
        let mut program = journald.program(
            "quorate-agent",
            "journal::tests::kill::a_follower_to_be_killed",
        );
        program
            .env("QUORATE_FOLLOWS", journald.namespace())
            .env("QUORATE_SPOOL", dir.path().join("spool"))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let writers: Vec<Child> = WRITERS.iter().map(|name| writer(&journald, name)).collect();
    let mut draw = Draw(0x51_0e7);
    let (mut rotations, begun) = (0, Instant::now());
    for killed in 1..=kills {
        let mut follower = start();
        // Mostly within the first look; sometimes within the second, that the journal's change woke.
        let most_us = if killed % 20 == 0 { 4_000_000 } else { 60_000 };
        std::thread::sleep(Duration::from_micros(draw.below(most_us)));
        if draw.below(3) == 0 {
            journald.rotate();
            rotations += 1;
            std::thread::sleep(Duration::from_micros(draw.below(5_000)));
        }
        follower.kill().unwrap();
        follower.wait().unwrap();
        if killed % 5 == 0 {
            collector.collect();
        }
    }
    let written: BTreeMap<String, u64> = writers.into_iter().zip(WRITERS).map(end).collect();
    let ended = Instant::now();
    while collector.lines != written {
        assert!(
            ended.elapsed() < LONG,
            "{:?} of {written:?}",
            collector.lines
        );
        let mut follower = start();
        std::thread::sleep(Duration::from_millis(300));
        follower.kill().unwrap();
        follower.wait().unwrap();
        collector.collect();
    }
    println!(
        "{kills} kills, {rotations} rotations, {} journal files, {} torn writes, {} lines each once, {:.0} s",
        journald.files().len(),
        collector.cut,
        written.values().sum::<u64>(),
        begun.elapsed().as_secs_f64()
    );
}

fn writer(journald: &Journald, name: &str) -> Child {
    let mut program = journald.program(
        name,
        "journal::tests::kill::a_program_that_goes_on_speaking",
    );
    program
        .env("QUORATE_SPEAKS_TO", journald.socket())
        .env("QUORATE_SPEAKS_AS", name)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn end((mut writer, name): (Child, &str)) -> (String, u64) {
    drop(writer.stdin.take());
    let mut said = String::new();
    writer
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    writer.wait().unwrap();
    let count = said.lines().find_map(|line| line.strip_prefix("written: "));
    (name.to_owned(), count.unwrap().parse().unwrap())
}
