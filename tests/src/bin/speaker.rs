//! Writes numbered lines to a journal in bursts until SIGTERM, then says how many: `speaker NAME SOCKET [hurried|LINES]`.
//! With a number it writes so many within about a second, and then no more.
#![allow(clippy::print_stdout, reason = "what it prints is its result")]

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let usage = "usage: speaker NAME SOCKET [hurried|LINES]";
    let (name, socket) = (args.next().context(usage)?, args.next().context(usage)?);
    let (burst, pause_ms, most) = match args.next().as_deref() {
        None => (1..6, 20..200, u64::MAX),
        Some("hurried") => (20..40, 10..20, u64::MAX),
        Some(lines) => (10..11, 9..10, lines.parse().context(usage)?),
    };
    // journald notes what the process is called, and the agent believes that more than what a line says of itself.
    std::fs::write("/proc/self/comm", &name).context("the process cannot be named")?;
    let journal = UnixDatagram::unbound()?;
    journal
        .connect(&socket)
        .with_context(|| format!("nobody listens on {socket}"))?;
    let mut told_to_end = signal(SignalKind::terminate())?;
    let mut count = 0_u64;
    loop {
        for _ in 0..fastrand::u8(burst.clone()) {
            if count == most {
                break;
            }
            count += 1;
            if count == most {
                println!("all written");
            }
            let line = format!("SYSLOG_IDENTIFIER={name}\nPRIORITY=6\nMESSAGE={name} {count}\n");
            journal.send(line.as_bytes())?;
        }
        let pause = Duration::from_millis(fastrand::u64(pause_ms.clone()));
        tokio::select! {
            _ = told_to_end.recv() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    println!("written: {count}");
    Ok(())
}
