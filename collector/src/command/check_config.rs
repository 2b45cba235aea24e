//! `quorate-collector check-config`: reads the configuration, and the secrets that it names, and says what it comes to, without
//! running.

use super::Place;
use crate::answer::print;
use crate::notify::receivers;

/// Reads the configuration and says whether the collector would start with it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let config = args.place.read_as_owner()?;
    // A secret that cannot be read is found here, and not when something is to be said.
    let receivers = receivers::open_all(&config)?;
    let site = config.site();
    let fleetlock = config
        .fleetlock()
        .map_or("off".to_owned(), |terms| format!("on {}", terms.listen));
    print(format!(
        "the configuration is good: state in {}, agents and people on {}, enrolment on {}, FleetLock {}; declared: {}, {}; {}; {}",
        config.state_dir.display(),
        config.listen,
        config.enrolment_listen,
        fleetlock,
        counted(site.switches.len(), "switch", "switches"),
        counted(site.dependencies.len(), "dependency", "dependencies"),
        counted(
            config.thresholds().overrides.len(),
            "override of thresholds",
            "overrides of thresholds"
        ),
        counted(receivers.len(), "receiver of alerts", "receivers of alerts"),
    ))
}

fn counted(count: usize, one: &str, several: &str) -> String {
    let what = if count == 1 { one } else { several };
    format!("{count} {what}")
}
