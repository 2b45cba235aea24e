//! `quorate-agent guard-reboot`: whether the running agent may block a reboot of its own node while that is NO-GO.

mod setting;
mod ups;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Subcommand;
use serde::Deserialize;

use crate::identity::place::{Place, PlaceArgs};
use crate::join::finish;
use crate::source::systemd_version;

pub(crate) use setting::is_enabled;

/// Block inhibitors bind root only since this version of systemd; before, `reboot` goes straight through.
const FIRST_VERSION: u32 = 257;
/// What is asked of the running agent on its socket.
pub(crate) const QUESTION: &str = "guard-reboot";
const PATIENCE: Duration = Duration::from_secs(10);

/// Blocks a reboot of this node while the collector says NO-GO to it; off by default
///
/// The running agent then holds a block inhibitor of systemd-logind whenever the last verdict on rebooting this node is
/// NO-GO and young: `reboot`, `shutdown` and the GUI's buttons are refused, and say why. It lets go at once when the
/// collector does not answer, is not sure, or somebody holds the lease for this node. The way round it is always
/// `systemctl reboot -i`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// From now on; the running agent sees it by itself
    Enable {
        /// Also where a UPS service is there, whose shutdown the inhibitor would stop, too
        #[arg(long)]
        i_know: bool,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// No more; a lock that is held is let go within seconds
    Disable {
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// What is set, and whether a lock is held now and why
    Status {
        #[command(flatten)]
        place: PlaceArgs,
    },
}

pub(crate) fn run(args: &Args) -> ExitCode {
    finish(match &args.what {
        What::Enable { i_know, place } => enable(place, *i_know),
        What::Disable { place } => disable(place),
        What::Status { place } => status(place),
    })
}

fn enable(place: &PlaceArgs, i_know: bool) -> anyhow::Result<Vec<String>> {
    let place = place.open("guard-reboot enable")?;
    let host = place.host();
    let version = systemd_version(&host);
    if let Some(why) = too_old(version.as_deref()) {
        bail!(why);
    }
    let ups = ups::services(&host)?;
    ensure!(
        ups.is_empty() || i_know,
        "a block inhibitor also stops the `shutdown -h` of a UPS whose battery runs out, and here is {}: with --i-know it is \
         enabled all the same",
        ups.join(" and ")
    );
    setting::enable(&place.state_dir)?;
    Ok(vec![
        "Enabled: while a reboot of this node would be NO-GO, the running agent blocks it.".to_owned(),
        "It lets go when the collector does not answer or is not sure, and while the lease for this node is held.".to_owned(),
        "The way round it: systemctl reboot -i (or poweroff -i). `quorate-agent guard-reboot disable` ends it.".to_owned(),
    ])
}

/// Why this systemd is not fit for it. One that does not say its version is not known to be.
fn too_old(version: Option<&str>) -> Option<String> {
    let Some(version) = version else {
        return Some("systemd does not say its version: whether a block inhibitor would bind root is not known".to_owned());
    };
    let digits = version.split(|c: char| !c.is_ascii_digit()).next();
    let number = digits.and_then(|digits| digits.parse::<u32>().ok());
    match number {
        Some(number) if number >= FIRST_VERSION => None,
        _ => Some(format!(
            "block inhibitors bind root only since systemd {FIRST_VERSION}; here {version}: a reboot would go straight through"
        )),
    }
}

fn disable(place: &PlaceArgs) -> anyhow::Result<Vec<String>> {
    let place = place.open("guard-reboot disable")?;
    let was = setting::disable(&place.state_dir)?;
    Ok(vec![if was {
        "Disabled: the agent blocks no reboot of this node.".to_owned()
    } else {
        "It was not enabled: nothing had to be done.".to_owned()
    }])
}

fn status(place: &PlaceArgs) -> anyhow::Result<Vec<String>> {
    let place = place.open("guard-reboot status")?;
    if !is_enabled(&place.state_dir) {
        return Ok(vec![
            "It is off: the agent blocks no reboot of this node.".to_owned(),
        ]);
    }
    Ok(vec![
        "It is on: while a reboot of this node would be NO-GO, the running agent blocks it."
            .to_owned(),
        match ask(&place) {
            Ok(standing) if standing.is_held => format!("A lock is held now: {}", standing.why),
            Ok(standing) => format!("No lock is held now: {}", standing.why),
            Err(error) => format!("No lock is held where the agent does not run: {error:#}"),
        },
    ])
}

/// What the running agent says of its lock.
#[derive(Debug, Deserialize)]
struct Standing {
    is_held: bool,
    why: String,
}

fn ask(place: &Place) -> anyhow::Result<Standing> {
    let line = answer(&place.socket)
        .with_context(|| format!("{} does not answer", place.socket.display()))?;
    serde_json::from_str(&line).with_context(|| format!("this is no answer: {}", line.trim()))
}

fn answer(socket: &Path) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{QUESTION}\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_systemd_that_would_not_bind_root_is_refused_with_the_reason() {
        assert_eq!(too_old(Some("257.13-1~deb13u1")), None);
        assert_eq!(too_old(Some("260")), None);
        let why = too_old(Some("252.36-1~deb12u1")).unwrap();
        let expect = "block inhibitors bind root only since systemd 257; here 252.36-1~deb12u1: a reboot would go straight \
                      through";
        assert_eq!(why, expect);
        assert!(too_old(Some("rolling")).is_some());
        assert!(too_old(None).unwrap().contains("not known"));
    }
}
