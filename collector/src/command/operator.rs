//! `quorate-collector operator add|list|revoke`: certificates of people, and of programs that look.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use model::identity::{ClusterId, Identity, Role};
use model::name::NodeName;
use serde::Serialize;

use super::Place;
use super::table::table;
use super::token::cluster;
use crate::addresses::{Address, Told};
use crate::answer::{print, print_json};
use crate::identity::ca::pem;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Add(Add),
    List(List),
    Revoke(Revoke),
}

/// Makes a certificate for a person, as a file for `quorate`
#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    #[command(flatten)]
    place: Place,
    /// Letters, digits, '-', '_' and '.'
    #[arg(value_parser = name)]
    name: NodeName,
    /// What they may do: an operator changes things, a viewer looks
    #[arg(long, default_value = "operator", value_enum)]
    role: Kind,
    /// The id of the only cluster that it is good for; without it, for all
    #[arg(long, value_name = "ID", value_parser = cluster)]
    cluster: Option<ClusterId>,
    /// The file to write, which must not be there yet; without it, standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Kind {
    Operator,
    Viewer,
}

/// Lists operators and viewers
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Revokes all certificates of an operator or viewer, at once
#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    place: Place,
    #[arg(value_parser = name)]
    name: NodeName,
}

fn name(text: &str) -> Result<NodeName, String> {
    // The rules are the same; the sentence of the error speaks of nodes.
    NodeName::new(text).map_err(|_| "1 to 63 letters, digits, '-', '_' or '.' are meant".to_owned())
}

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Add(args) => add(args),
        Command::List(args) => list(args),
        Command::Revoke(args) => {
            let (_, identities) = args.place.open()?;
            let name = args.name.as_str();
            match identities.revoke_person(name, Timestamp::now())? {
                0 => bail!(
                    "nobody called {name} has a living certificate: see `quorate-collector operator list`"
                ),
                _ => print(format!("{name} may do nothing here any more")),
            }
        }
    }
}

/// The file, as `quorate` reads it.
#[derive(Serialize)]
struct Credentials {
    addresses: Vec<String>,
    certificate_pem: String,
    key_pem: String,
    trust_pem: String,
}

fn add(args: &Add) -> anyhow::Result<()> {
    let (config, identities) = args.place.open()?;
    let role = match args.role {
        Kind::Operator => Role::Operator,
        Kind::Viewer => Role::Viewer,
    };
    let identity = Identity::person(args.cluster.clone(), role, args.name.clone())?;
    let texts = match config.addresses.as_slice() {
        [] => identities.addresses()?,
        said => said.to_vec(),
    };
    let addresses = texts.iter().map(|text| Address::parse(text));
    let addresses: Vec<Address> = addresses.collect::<Result<_, _>>()?;
    // The file is made first: a certificate that nobody gets is not given out.
    let file = args.out.as_ref().map(|path| {
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let cannot = || {
            format!(
                "{} cannot be made: name a file that is not there yet",
                path.display()
            )
        };
        opened.with_context(cannot).map(|file| (path, file))
    });
    let file = file.transpose()?;
    let (issued, key) = identities.add_person(&identity, Timestamp::now())?;
    let told = Told::new(&addresses, config.listen.port(), 0);
    let text = serde_json::to_string_pretty(&Credentials {
        addresses: told.fleet,
        certificate_pem: pem(&issued.der),
        key_pem: key.serialize_pem(),
        trust_pem: identities
            .trust_of_people()?
            .iter()
            .map(|ca| pem(ca))
            .collect(),
    })?;
    match file {
        None => print(text),
        Some((path, mut file)) => {
            let written = writeln!(file, "{text}").and_then(|()| file.sync_all());
            written.with_context(|| format!("{} cannot be written", path.display()))?;
            print(format!(
                "{identity} is good until {:.0}: {} holds its key, keep it secret",
                issued.not_after,
                path.display()
            ))
        }
    }
}

#[derive(Serialize)]
struct Listed {
    name: String,
    role: Role,
    cluster: Option<ClusterId>,
    serial: String,
    not_after: Timestamp,
    standing: &'static str,
}

fn list(args: &List) -> anyhow::Result<()> {
    let (_, identities) = args.place.open()?;
    let now = Timestamp::now();
    let people = identities.people()?.into_iter().map(|known| Listed {
        name: known.identity.name().as_str().to_owned(),
        role: known.identity.role(),
        cluster: known.identity.cluster().cloned(),
        serial: known.serial,
        not_after: known.not_after,
        standing: if known.revoked.is_some() {
            "revoked"
        } else if known.not_after <= now {
            "expired"
        } else {
            "good"
        },
    });
    let people: Vec<Listed> = people.collect();
    if args.json {
        return print_json(&people);
    }
    let rows: Vec<[String; 5]> = people
        .into_iter()
        .map(|it| {
            [
                it.name,
                it.role.to_string(),
                it.standing.to_owned(),
                format!("{:.0}", it.not_after),
                it.cluster.map_or("all".to_owned(), String::from),
            ]
        })
        .collect();
    print(table(["NAME", "ROLE", "STATE", "UNTIL", "CLUSTER"], &rows))
}
