//! `quorate-collector token create|list|revoke`.

use std::time::Duration;

use jiff::Timestamp;
use model::identity::ClusterId;
use serde::Serialize;

use super::Place;
use super::init::join_command;
use super::lifetime;
use super::table::table;
use crate::answer::{print, print_json};
use crate::identity::token::{JOIN_LIFETIME, JOIN_USES, Token, TokenStanding};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Makes a token for `quorate-agent join`; it is shown this once
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    #[command(flatten)]
    place: Place,
    /// How long it is good
    #[arg(long = "for", value_name = "TIME", default_value = "24h", value_parser = lifetime::parse)]
    lifetime: Duration,
    /// How many nodes can enrol with it
    #[arg(long, value_name = "N", default_value_t = JOIN_USES, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    uses: u32,
    /// The id of the only cluster that it is good for
    #[arg(long, value_name = "ID", value_parser = cluster)]
    cluster: Option<ClusterId>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Lists the tokens and what they are good for
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Makes a token good for nothing
#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    place: Place,
    /// As `token list` names it
    id: String,
}

pub(super) fn cluster(text: &str) -> Result<ClusterId, String> {
    ClusterId::new(text).map_err(|bad| bad.to_string())
}

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Create(args) => create(args),
        Command::List(args) => list(args),
        Command::Revoke(args) => {
            let (_, identities) = args.place.open()?;
            identities.revoke_token(&args.id, Timestamp::now())?;
            print(format!("{} is good for nothing any more", args.id))
        }
    }
}

#[derive(Serialize)]
struct Created {
    id: String,
    token: String,
    command: String,
    not_after: Timestamp,
    uses: u32,
}

fn create(args: &Create) -> anyhow::Result<()> {
    let (config, identities) = args.place.open()?;
    let now = Timestamp::now();
    let new = identities.make_token(args.cluster.as_ref(), args.uses, args.lifetime, now)?;
    let command = join_command(&config, &identities, &new)?;
    if args.json {
        return print_json(&Created {
            id: new.id,
            token: new.token.to_text(),
            command,
            not_after: new.not_after,
            uses: args.uses,
        });
    }
    print(format!(
        "{command}\n\nThe token {} is good until {:.0}, for {} nodes. It is not shown again.",
        new.id, new.not_after, args.uses
    ))
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    token: Token,
    standing: TokenStanding,
}

fn list(args: &List) -> anyhow::Result<()> {
    let (_, identities) = args.place.open()?;
    let now = Timestamp::now();
    let tokens = identities.tokens()?.into_iter();
    let tokens: Vec<Listed> = tokens
        .map(|token| Listed {
            standing: token.standing(now),
            token,
        })
        .collect();
    if args.json {
        return print_json(&tokens);
    }
    let rows: Vec<[String; 6]> = tokens.into_iter().map(row).collect();
    let heads = ["TOKEN", "KIND", "STATE", "UNTIL", "USES LEFT", "CLUSTER"];
    print(table(heads, &rows))
}

fn row(Listed { token, standing }: Listed) -> [String; 6] {
    let standing = match standing {
        TokenStanding::Good => "good",
        TokenStanding::Expired => "expired",
        TokenStanding::UsedUp => "used up",
        TokenStanding::Revoked => "revoked",
    };
    [
        token.id,
        token.kind.as_str().to_owned(),
        standing.to_owned(),
        format!("{:.0}", token.not_after),
        token
            .uses_left
            .map_or("once a name".to_owned(), |uses| uses.to_string()),
        token.cluster.map_or("any".to_owned(), String::from),
    ]
}

const _: () = assert!(JOIN_LIFETIME.as_secs() == 24 * 3_600, "as --for says");
