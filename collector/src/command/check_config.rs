//! `quorate-collector check-config`: reads the configuration and says what it comes to, without running.

use super::Place;
use crate::answer::print;

/// Reads the configuration and says whether the collector would start with it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let config = args.place.read()?;
    print(format!(
        "the configuration is good: state in {}, agents and people on {}, enrolment on {}",
        config.state_dir.display(),
        config.listen,
        config.enrolment_listen
    ))
}
