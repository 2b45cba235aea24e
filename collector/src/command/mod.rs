//! The commands, one file each.

pub(crate) mod alert_test;
pub(crate) mod backup;
pub(crate) mod ca;
pub(crate) mod check_config;
pub(crate) mod init;
pub(crate) mod lifetime;
pub(crate) mod node;
pub(crate) mod operator;
pub(crate) mod run;
pub(crate) mod table;
pub(crate) mod token;

use std::path::PathBuf;

use anyhow::Context as _;
use settings::SettingsError;

use crate::config::Config;
use crate::identity::{Identities, IdentityError};
use crate::owner;

/// What every command takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The configuration; without it /etc/quorate/collector.toml, which need not be there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    fn read(&self) -> Result<Config, SettingsError> {
        Config::read(self.config.as_deref())
    }

    /// As the user that the collector runs as, if root asks.
    fn read_as_owner(&self) -> anyhow::Result<Config> {
        let config = self.read()?;
        owner::take_on(&config.state_dir).with_context(|| {
            format!(
                "root cannot become the user that {} belongs to",
                config.state_dir.display()
            )
        })?;
        Ok(config)
    }

    fn open(&self) -> anyhow::Result<(Config, Identities)> {
        let config = self.read()?;
        let identities = Identities::open(&config.state_dir);
        let identities = identities.map_err(explain)?;
        Ok((config, identities))
    }
}

/// Adds what to do to an error of the database.
fn explain(error: IdentityError) -> anyhow::Error {
    let is_denied = matches!(
        &error,
        IdentityError::Open { source, .. } | IdentityError::Database { source, .. }
            if matches!(
                source.sqlite_error_code(),
                Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::PermissionDenied)
            )
    );
    let error = anyhow::Error::new(error);
    if is_denied {
        error.context("run this as the user that the collector runs as, or as root")
    } else {
        error
    }
}
