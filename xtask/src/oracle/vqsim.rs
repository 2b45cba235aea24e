//! The real corosync-vqsim, driven through its standard input.
//!
//! Its option `-c` is broken in 3.1.7, so it runs in a mount namespace with its own /etc/corosync. It answers a
//! command before all its processes have heard of it: an answer counts once every partition shows one ring id and
//! a pause has passed for the messages that follow; it is taken then, whatever the model says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

/// How long rings may take to become equal: far longer than they ever do.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);

/// What one simulated node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) quorate: bool,
    /// The ring id and the members as this node has them.
    pub(crate) ring: String,
    pub(crate) partition: usize,
}

/// What must be gone before an answer counts. A partition that got another number counts by itself, because each
/// number counts its own rings.
#[derive(Debug, Default)]
pub(crate) struct Unchanged(BTreeMap<u32, Answer>);

impl Unchanged {
    pub(crate) fn new(answers: &BTreeMap<u32, Answer>, must_change: &BTreeSet<u32>) -> Self {
        let old = answers
            .iter()
            .filter(|(node, _)| must_change.contains(node));
        Self(old.map(|(node, answer)| (*node, answer.clone())).collect())
    }

    fn has_passed(&self, answers: &BTreeMap<u32, Answer>) -> bool {
        let passed =
            |old: &Answer, now: &Answer| old.ring != now.ring || old.partition != now.partition;
        self.0
            .iter()
            .all(|(node, old)| answers.get(node).is_none_or(|now| passed(old, now)))
    }
}

pub(crate) struct Vqsim {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    /// It reported a configuration error instead of starting.
    pub(crate) refused: Option<String>,
    _dir: TempDir,
}

impl Vqsim {
    pub(crate) fn start(corosync_conf: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let conf = dir.path().join("corosync.conf");
        std::fs::write(&conf, corosync_conf)?;
        // The package brings no /etc/corosync; an empty directory is all that is left of this.
        let script = "set -e; mkdir -p /etc/corosync; mount --make-rprivate /; \
                      mount -t tmpfs tmpfs /etc/corosync; cp \"$0\" /etc/corosync/corosync.conf; exec corosync-vqsim 2>&1";
        let mut child = Command::new("unshare")
            .args(["--mount", "sh", "-c", script])
            .arg(&conf)
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("cannot run unshare")?;
        let input = child.stdin.take().context("no standard input")?;
        let output = child.stdout.take().context("no standard output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(output);
            let mut line = Vec::new();
            // Ends when the simulator does; then nobody reads any more.
            while reader
                .read_until(b'\n', &mut line)
                .is_ok_and(|bytes| bytes > 0)
            {
                if sender
                    .send(String::from_utf8_lossy(&line).trim().to_owned())
                    .is_err()
                {
                    break;
                }
                line.clear();
            }
        });
        Ok(Self {
            child,
            input,
            lines,
            refused: None,
            _dir: dir,
        })
    }

    pub(crate) fn command(&mut self, words: &str) -> Result<()> {
        writeln!(self.input, "{words}").context("corosync-vqsim is gone")?;
        self.input.flush().context("corosync-vqsim is gone")
    }

    /// Waits until each of `expected` answers and every partition has one ring, lets `pause` pass, and asks again.
    pub(crate) fn settled(
        &mut self,
        expected: usize,
        unchanged: &Unchanged,
        pause: Duration,
    ) -> Result<BTreeMap<u32, Answer>> {
        let begun = Instant::now();
        loop {
            thread::sleep(Duration::from_millis(150));
            let answers = self.show()?;
            if self.refused.is_some() {
                return Ok(answers);
            }
            let formed = one_ring_each(&answers) && unchanged.has_passed(&answers);
            if answers.len() == expected && formed {
                break;
            }
            if begun.elapsed() > SETTLE_LIMIT {
                bail!("rings did not become equal within {SETTLE_LIMIT:?}: {answers:?}");
            }
        }
        thread::sleep(pause);
        self.show()
    }

    fn show(&mut self) -> Result<BTreeMap<u32, Answer>> {
        while let Ok(line) = self.lines.try_recv() {
            self.notice(&line);
        }
        self.command("show")?;
        let begun = Instant::now();
        let mut answers = BTreeMap::new();
        let mut asked = false;
        loop {
            match self.lines.recv_timeout(Duration::from_millis(500)) {
                Ok(line) => {
                    self.notice(&line);
                    // The command is echoed, with or without the prompt: what stood before it is older than the
                    // question.
                    if line == "show" || line == "#vqsim> show" {
                        answers.clear();
                        asked = true;
                    } else if let Some((node, answer)) = read_answer(&line) {
                        answers.insert(node, answer);
                    } else if asked && line.starts_with("#autofence") {
                        return Ok(answers);
                    }
                }
                Err(RecvTimeoutError::Timeout) if begun.elapsed() < SETTLE_LIMIT => {
                    if self.refused.is_some() {
                        return Ok(answers);
                    }
                }
                Err(_) if self.refused.is_some() => return Ok(answers),
                Err(_) => bail!("corosync-vqsim does not answer"),
            }
        }
    }

    fn notice(&mut self, line: &str) {
        if line.contains("configuration error") && line.contains("init failed") {
            self.refused = Some(line.to_owned());
        }
    }
}

impl Drop for Vqsim {
    fn drop(&mut self) {
        let _ = writeln!(self.input, "exit");
        let _ = self.input.flush();
        thread::sleep(Duration::from_millis(20));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn one_ring_each(answers: &BTreeMap<u32, Answer>) -> bool {
    let mut rings: BTreeMap<usize, &str> = BTreeMap::new();
    answers
        .values()
        .all(|answer| *rings.entry(answer.partition).or_insert(&answer.ring) == answer.ring)
}

/// `0:1: q=1 ring=[1.10] nodes=[1 2 3 4]`
fn read_answer(line: &str) -> Option<(u32, Answer)> {
    let (partition, rest) = line.split_once(':')?;
    let (node, rest) = rest.split_once(':')?;
    let quorate = match rest.trim().split_once(' ')?.0 {
        "q=1" => true,
        "q=0" => false,
        _ => return None,
    };
    let ring = rest.split_once("ring=[")?.1.to_owned();
    let partition = partition.trim().parse().ok()?;
    Some((
        node.parse().ok()?,
        Answer {
            quorate,
            ring,
            partition,
        },
    ))
}
