//! A program of the operator's: no shell, nothing of the collector's environment (there may be secrets in it), and an end,
//! whatever it does. It runs in a process group of its own, so that what it started ends with it.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command as Process};
use tokio::time::timeout;

use crate::notify::{Answer, Command};

pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How long is waited for the last words of a program that has ended: somebody else may keep its output open.
const LAST_WORDS: Duration = Duration::from_millis(500);
const MAX_OUTPUT_BYTES: usize = 4 * 1_024;
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(super) async fn carry(command: &Command, patience: Duration) -> Result<Answer, String> {
    let mut child = Process::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        .env("PATH", PATH)
        .envs(&command.environment)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("the program cannot be started: {error}"))?;
    let group = Group::of(&child);
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let input = child.stdin.take();
    let reading = async { tokio::join!(take(out, &mut output), take(err, &mut errors)) };
    let ending = async {
        if let Some(mut input) = input {
            // A program that does not read what it is told is not wrong; it says by its exit code what became of it.
            let _ = input.write_all(command.input.as_bytes()).await;
        }
        child.wait().await
    };
    let ended = timeout(patience, with_last_words(ending, reading)).await;
    let status = match ended {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => return Err(format!("the program was lost: {error}")),
        Err(_) => {
            return Err(format!(
                "the program ran longer than {} s",
                patience.as_secs()
            ));
        }
    };
    group.ended();
    output.extend_from_slice(&errors);
    output.truncate(MAX_OUTPUT_BYTES);
    // As shells say that a signal ended it.
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    Ok(Answer {
        status: code
            .and_then(|code| u16::try_from(code).ok())
            .unwrap_or(u16::MAX),
        body: String::from_utf8_lossy(&output).into_owned(),
        ..Answer::default()
    })
}

/// Reads while it runs, and a moment longer.
async fn with_last_words<T, U>(
    ending: impl Future<Output = T>,
    reading: impl Future<Output = U>,
) -> T {
    tokio::pin!(ending, reading);
    tokio::select! {
        ended = &mut ending => {
            // Nothing is lost but words of somebody who outlives the program.
            let _ = timeout(LAST_WORDS, &mut reading).await;
            ended
        }
        // It has closed its output, and goes on.
        _ = &mut reading => ending.await,
    }
}

/// Reads to the end, and keeps the beginning.
async fn take(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = [0; 1_024];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        let room = MAX_OUTPUT_BYTES.saturating_sub(kept.len());
        kept.extend(buffer.iter().take(count.min(room)));
    }
}

/// Ends all of the program's group when it is dropped, unless the program ended by itself.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.map(Pid::from_raw))
    }

    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Gone already is as good.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}
