//! Secrets of receivers: where they stand, and how they are read. What is read is in no log, no error and no `--json`.

use std::fmt;
use std::path::PathBuf;

use settings::value::{refused, text};
use settings::{Taken, Value};

/// Keys and addresses are shorter.
const MAX_BYTES: usize = 4_096;

/// A secret that was read: it can be sent, and is never printed by mistake.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Hidden(String);

impl Hidden {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn get(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a secret stands.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) enum Secret {
    /// No such key was written.
    #[default]
    Unset,
    /// In the configuration itself.
    Written(String),
    File(PathBuf),
    Environment(String),
    /// By systemd, `LoadCredential=` or `SetCredential=`.
    Credential(String),
}

/// Never what it is.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.write_str("Unset"),
            Self::Written(_) => f.write_str("Written(***)"),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Environment(name) => write!(f, "Environment({name})"),
            Self::Credential(name) => write!(f, "Credential({name})"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("`{key}` of receiver {receiver:?} cannot be read from {}", path.display())]
    Read {
        receiver: String,
        key: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "`{key}` of receiver {receiver:?} stands in the variable {name}, which is not set in the collector's environment"
    )]
    NotSet {
        receiver: String,
        key: &'static str,
        name: String,
    },
    #[error(
        "`{key}` of receiver {receiver:?} is the systemd credential {name}, and the collector was given none: add \
         LoadCredential={name}:/path to its unit"
    )]
    NoCredentials {
        receiver: String,
        key: &'static str,
        name: String,
    },
    #[error(
        "`{key}` of receiver {receiver:?} is empty, or longer than 4096 bytes, or more than one line"
    )]
    Unusable { receiver: String, key: &'static str },
    #[error("`{key}` of receiver {receiver:?} {why}")]
    Wrong {
        receiver: String,
        key: &'static str,
        why: &'static str,
    },
    #[error("`template` of receiver {receiver:?}: {why}")]
    Template { receiver: String, why: String },
}

impl Secret {
    pub(crate) fn is_set(&self) -> bool {
        *self != Self::Unset
    }

    /// Reads it. One line; what stands around it is left out.
    pub(crate) fn reveal(&self, receiver: &str, key: &'static str) -> Result<Hidden, SecretError> {
        let receiver = receiver.to_owned();
        let read = |path: PathBuf| {
            std::fs::read_to_string(&path).map_err(|source| SecretError::Read {
                receiver: receiver.clone(),
                key,
                path,
                source,
            })
        };
        let text = match self {
            Self::Unset => String::new(),
            Self::Written(text) => text.clone(),
            Self::File(path) => read(path.clone())?,
            Self::Environment(name) => std::env::var(name).map_err(|_| SecretError::NotSet {
                receiver: receiver.clone(),
                key,
                name: name.clone(),
            })?,
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY");
                let folder = folder.ok_or_else(|| SecretError::NoCredentials {
                    receiver: receiver.clone(),
                    key,
                    name: name.clone(),
                })?;
                read(PathBuf::from(folder).join(name))?
            }
        };
        let text = text.trim();
        let is_usable =
            !text.is_empty() && text.len() <= MAX_BYTES && !text.chars().any(char::is_control);
        is_usable
            .then(|| Hidden::new(text))
            .ok_or(SecretError::Unusable { receiver, key })
    }
}

/// For the table of keys. "" stands for none, so that the key can stand in the example.
pub(crate) fn secret(value: &Value<'_>) -> Taken<Secret> {
    const ALLOWED: &str = "a secret in quotes, or better \"file:/absolute/path\", \"env:NAME\" or \"credential:NAME\"";
    let text = text(value, ALLOWED)?;
    let named = |name: &str| -> Option<String> {
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "_.-".contains(letter))
            && !name.starts_with('.');
        is_name.then(|| name.to_owned())
    };
    // Not the value itself: it may be the secret, with a mistake in its prefix.
    let wrong = || refused(ALLOWED, "something else behind the colon");
    match text.split_once(':') {
        _ if text.is_empty() => Ok(Secret::Unset),
        Some(("file", path)) if path.starts_with('/') => Ok(Secret::File(PathBuf::from(path))),
        Some(("env", name)) => named(name).map(Secret::Environment).ok_or_else(wrong),
        Some(("credential", name)) => named(name).map(Secret::Credential).ok_or_else(wrong),
        Some(("file", _)) => Err(wrong()),
        _ => Ok(Secret::Written(text.to_owned())),
    }
}
