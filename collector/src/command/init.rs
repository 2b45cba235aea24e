//! `quorate-collector init`: makes the collector's identity, and shows the one command to run on the nodes.

use jiff::Timestamp;

use super::{Place, explain};
use crate::addresses::{Address, Told};
use crate::answer::print;
use crate::authority::Duty;
use crate::config::Config;
use crate::identity::Identities;
use crate::identity::token::{JOIN_LIFETIME, JOIN_USES, NewToken};

/// Makes the collector's CA and id, and a first token; once
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// Where the nodes reach this collector: HOST or HOST:PORT; several, if it has several. Without it, this machine's
    /// name
    #[arg(long = "address", value_name = "ADDRESS", value_parser = address)]
    addresses: Vec<String>,
    /// Only look on: another collector decides for the clusters that report here, and gives the leases
    #[arg(long)]
    observer: bool,
}

fn address(text: &str) -> Result<String, String> {
    Address::parse(text).map_err(|bad| bad.to_string())?;
    Ok(text.to_owned())
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let config = args.place.read_as_owner()?;
    let now = Timestamp::now();
    let addresses = match args.addresses.as_slice() {
        [] => own_name().into_iter().collect(),
        said => said.to_vec(),
    };
    let duty = if args.observer {
        Duty::Observer
    } else {
        Duty::Authority
    };
    let made = Identities::init(&config.state_dir, &addresses, duty, now);
    let identities = made.map_err(explain)?;
    let token = identities.make_token(None, JOIN_USES, JOIN_LIFETIME, now)?;
    print(format!(
        "This is the {} {}. What it keeps is in {}: keep that, and its copies, secret.\n\n\
         Start it (`systemctl start quorate-collector`), then run this on one node of the cluster; the others follow by themselves:\n\n    \
         {}\n\n\
         The token is good until {:.0}, for {JOIN_USES} nodes. Without Proxmox VE, leave out --cluster and run it on every node.",
        what(duty),
        identities.id(),
        config.state_dir.display(),
        join_command(&config, &identities, &token)?,
        token.not_after
    ))
}

fn what(duty: Duty) -> &'static str {
    match duty {
        Duty::Authority => "collector",
        Duty::Observer => "observer, which sees everything and decides nothing,",
    }
}

/// The command that a token is for.
pub(super) fn join_command(
    config: &Config,
    identities: &Identities,
    token: &NewToken,
) -> anyhow::Result<String> {
    let texts = match config.addresses.as_slice() {
        [] => identities.addresses()?,
        said => said.to_vec(),
    };
    let addresses = texts.iter().map(|text| Address::parse(text));
    let addresses: Vec<Address> = addresses.collect::<Result<_, _>>()?;
    let told = Told::new(
        &addresses,
        config.listen.port(),
        config.enrolment_listen.port(),
    );
    let first = told.enrolment.into_iter().next();
    let first = first.unwrap_or_else(|| "ADDRESS:7461".to_owned());
    Ok(format!(
        "quorate-agent join {first} --token {} --cluster",
        token.token.to_text()
    ))
}

/// What this machine calls itself; the nodes may know it by another name.
fn own_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    Address::parse(name).ok()?;
    Some(name.to_owned())
}
