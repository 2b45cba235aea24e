//! Stories of clusters, told step by step: `model/testdata/quorum/*.txt`.
//!
//! A file is a sequence of blocks: lines of comment that begin with `#`, a command, a line `----`, and the expected
//! answer up to an empty line. `UPDATE_EXPECT=1` writes what is answered into the files.
//!
//! | command | what it does |
//! | --- | --- |
//! | `conf` | reads a cluster from the lines that follow it; nothing runs yet |
//! | `start` | every node runs and sees every other, and the qdevice, if there is one, works |
//! | `start without qdevice` | the same, but the qdevice has never been there |
//! | an event of `model::quorum::story` | `down 1,3`, `leave 2`, `up 1`, `split 1,2/3,4`, `join`, `reform 1`, … |
//!
//! The lines of `conf` are either a whole corosync.conf, or for short `nodes 1..8` (or `nodes 1 2 5`, or with votes
//! `nodes 1:2 2 3`) followed by the options of the quorum section, `key: value` each, where `device.` leads into
//! its device and `device.net.` into the device's net: `device.net.algorithm: ffsplit`.
//!
//! The answer to `conf` is what corosync would refuse or do otherwise, or `accepted`; to an event, one line for each
//! partition and the words of the lowest node in it. Where another order of messages leads to another verdict, a
//! line says so.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "scenarios are files, and a test may panic outside its #[test] function too"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use model::name::NodeId;
use model::parse::corosync_conf;
use model::quorum::cluster::Cluster;
use model::quorum::config::QuorumConfig;
use model::quorum::event::{Event, QdeviceState};
use model::quorum::verdict::Partition;

/// One block of a file.
#[derive(Debug)]
struct Block {
    comment: String,
    command: String,
    answer: String,
}

#[derive(Default)]
struct Stage {
    config: Option<QuorumConfig>,
    cluster: Option<Cluster>,
}

#[test]
fn every_scenario_is_answered_as_its_file_says() {
    let dir = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/quorum"));
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no scenario in {}", dir.display());
    let update = std::env::var("UPDATE_EXPECT").is_ok_and(|value| value == "1");
    let wrong: Vec<String> = paths
        .iter()
        .filter_map(|path| differences(path, update))
        .collect();
    assert!(
        wrong.is_empty(),
        "{}\nUPDATE_EXPECT=1 takes over what is answered now",
        wrong.join("\n")
    );
}

/// Plays one file; says where it is answered otherwise.
fn differences(path: &Path, update: bool) -> Option<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut stage = Stage::default();
    let (mut said, mut answered) = (String::new(), String::new());
    for block in blocks(&text) {
        let answer = stage.play(&block.command);
        if answer != block.answer {
            let _ = writeln!(
                said,
                "{}: {}",
                path.display(),
                block.command.replace('\n', "\n    ")
            );
            for line in block
                .answer
                .lines()
                .filter(|line| !answer.lines().any(|new| new == *line))
            {
                let _ = writeln!(said, "  - {line}");
            }
            for line in answer
                .lines()
                .filter(|line| !block.answer.lines().any(|old| old == *line))
            {
                let _ = writeln!(said, "  + {line}");
            }
        }
        let separator = if answered.is_empty() { "" } else { "\n" };
        let _ = write!(
            answered,
            "{separator}{}{}\n----\n{answer}",
            block.comment, block.command
        );
    }
    if said.is_empty() && answered != text {
        let _ = writeln!(
            said,
            "{}: it is not laid out as it would be written",
            path.display()
        );
    }
    if update && !said.is_empty() {
        std::fs::write(path, &answered).unwrap();
        return None;
    }
    (!said.is_empty()).then_some(said)
}

/// Blocks end at an empty line behind the answer, or where a command's block begins without an answer yet.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().peekable();
    while lines.peek().is_some() {
        let mut block = Block {
            comment: String::new(),
            command: String::new(),
            answer: String::new(),
        };
        for line in lines.by_ref().take_while(|line| *line != "----") {
            // A comment may stand in several paragraphs.
            if block.command.is_empty() && (line.starts_with('#') || line.is_empty()) {
                if !(line.is_empty() && block.comment.is_empty()) {
                    block.comment.push_str(line);
                    block.comment.push('\n');
                }
            } else {
                if !block.command.is_empty() {
                    block.command.push('\n');
                }
                block.command.push_str(line);
            }
        }
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            block.answer.push_str(line);
            block.answer.push('\n');
        }
        if !block.command.is_empty() {
            blocks.push(block);
        }
    }
    blocks
}

impl Stage {
    fn play(&mut self, command: &str) -> String {
        if let Some(lines) = command.strip_prefix("conf\n") {
            self.cluster = None;
            return self.read(lines);
        }
        let started = match command {
            "start" => self.config.clone().map(Cluster::healthy),
            "start without qdevice" => self
                .config
                .clone()
                .map(|config| Cluster::started(config, QdeviceState::Away)),
            _ => return self.happen(command),
        };
        self.cluster = started;
        match &self.cluster {
            Some(cluster) => describe(std::slice::from_ref(cluster)),
            None => "impossible: there is no accepted conf\n".to_owned(),
        }
    }

    fn read(&mut self, lines: &str) -> String {
        self.config = None;
        let text = if lines.starts_with("nodes ") {
            long_form(lines)
        } else {
            lines.to_owned()
        };
        let parsed = corosync_conf::parse(&text).unwrap();
        assert_eq!(parsed.bad_lines, [], "{text}");
        match QuorumConfig::new(&parsed.value) {
            Err(refusal) => format!("refused: {refusal}\n"),
            Ok(config) => {
                let notes = config.notes.iter().map(|note| format!("note: {note}\n"));
                let said: String = std::iter::once("accepted\n".to_owned())
                    .chain(notes)
                    .collect();
                self.config = Some(config);
                said
            }
        }
    }

    fn happen(&mut self, words: &str) -> String {
        let event: Event = match words.parse() {
            Ok(event) => event,
            Err(error) => return format!("unreadable: {error}\n"),
        };
        let Some(cluster) = &self.cluster else {
            return "impossible: nothing has started\n".to_owned();
        };
        match cluster.outcomes(&event) {
            Err(error) => format!("impossible: {error}\n"),
            Ok(outcomes) => {
                let said = describe(&outcomes);
                self.cluster = outcomes.into_iter().next();
                said
            }
        }
    }
}

/// The likeliest outcome, the first, and how others differ from it.
fn describe(outcomes: &[Cluster]) -> String {
    let likeliest = outcomes[0].partitions();
    if likeliest.is_empty() {
        return "nothing runs\n".to_owned();
    }
    let mut said = String::new();
    for (index, partition) in likeliest.iter().enumerate() {
        let _ = writeln!(said, "{}", in_words(partition));
        let other_verdict =
            |outcome: &Cluster| outcome.partitions()[index].quorate != partition.quorate;
        if outcomes.iter().any(other_verdict) {
            let word = if partition.quorate {
                "not quorate"
            } else {
                "quorate"
            };
            let _ = writeln!(
                said,
                "    or, if the nodes hear each other in another order: {word}"
            );
        }
    }
    said
}

fn in_words(partition: &Partition) -> String {
    let verdict = if partition.quorate {
        "quorate"
    } else {
        "not quorate"
    };
    let Partition {
        expected,
        quorum,
        reason,
        ..
    } = partition;
    let mut said = format!(
        "{}: {verdict}: {reason} (expected {expected}, quorum {quorum})",
        ids(&partition.nodes)
    );
    if !partition.dissenting.is_empty() {
        let _ = write!(
            said,
            "; but {} decides otherwise",
            ids(&partition.dissenting)
        );
    }
    said
}

fn ids(nodes: &[NodeId]) -> String {
    nodes
        .iter()
        .map(NodeId::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

/// A corosync.conf from its short form.
fn long_form(lines: &str) -> String {
    let (nodes, options) = lines.split_once('\n').unwrap_or((lines, ""));
    let mut text = String::from("nodelist {\n");
    for word in nodes.trim_start_matches("nodes ").split_whitespace() {
        for (id, votes) in nodes_of(word) {
            let _ = writeln!(
                text,
                "  node {{\n    nodeid: {id}\n    quorum_votes: {votes}\n  }}"
            );
        }
    }
    text.push_str("}\nquorum {\n  provider: corosync_votequorum\n");
    let of = |prefix: &str| -> Vec<String> {
        options
            .lines()
            .filter_map(|line| line.strip_prefix(prefix))
            .map(str::to_owned)
            .collect()
    };
    let net = of("device.net.");
    let device: Vec<String> = of("device.")
        .into_iter()
        .filter(|line| !line.starts_with("net."))
        .collect();
    for line in options.lines().filter(|line| !line.starts_with("device.")) {
        let _ = writeln!(text, "  {line}");
    }
    if !device.is_empty() || !net.is_empty() {
        let _ = writeln!(text, "  device {{\n    {}", device.join("\n    "));
        if !net.is_empty() {
            let _ = writeln!(text, "    net {{\n      {}\n    }}", net.join("\n      "));
        }
        text.push_str("  }\n");
    }
    text.push_str("}\n");
    text
}

/// `1..8` · `5` · `1:2` with two votes.
fn nodes_of(word: &str) -> Vec<(u32, u32)> {
    if let Some((first, last)) = word.split_once("..") {
        let (first, last): (u32, u32) = (first.parse().unwrap(), last.parse().unwrap());
        return (first..=last).map(|id| (id, 1)).collect();
    }
    let (id, votes) = word.split_once(':').unwrap_or((word, "1"));
    vec![(id.parse().unwrap(), votes.parse().unwrap())]
}
