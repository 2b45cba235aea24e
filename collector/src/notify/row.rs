//! What the rows of several receivers have: names, words, addresses, and keys that go with others or do not.

use settings::value::{refused, text};
use settings::{Contradiction, Taken, Value};

use super::{Hidden, Secret, SecretError};

const MAX_NAME_LETTERS: usize = 64;
/// A secret's end that is long enough to be found in an answer and hidden there, too.
const MIN_TOKEN_LETTERS: usize = 8;

/// An address that is a secret itself: who knows it can write into the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecretUrl {
    url: Hidden,
    /// The parts of its path and what its query has: services repeat these in their errors.
    tokens: Vec<Hidden>,
}

impl SecretUrl {
    /// Reads it; where it stands is the row's key `url`.
    pub(super) fn reveal(url: &Secret, receiver: &str) -> Result<Self, SecretError> {
        Self::new(url.reveal(receiver, "url")?, receiver, "url")
    }

    fn new(url: Hidden, receiver: &str, key: &'static str) -> Result<Self, SecretError> {
        if let Err(why) = is_web_address(url.get()) {
            let receiver = receiver.to_owned();
            return Err(SecretError::Wrong { receiver, key, why });
        }
        let (path, query) = url.get().split_once('?').unwrap_or((url.get(), ""));
        let last = path.trim_end_matches('/').rsplit('/').next();
        // A word of small letters in the middle is the service's own.
        let is_word = |part: &str| part.chars().all(|letter| letter.is_ascii_lowercase());
        let parts = path.split('/').skip(3);
        let parts = parts.filter(|part| Some(*part) == last || !is_word(part));
        let values = query
            .split('&')
            .filter_map(|pair| Some(pair.split_once('=')?.1));
        let tokens = values
            .chain(parts)
            .filter(|token| token.len() >= MIN_TOKEN_LETTERS);
        Ok(Self {
            tokens: tokens.map(Hidden::new).collect(),
            url,
        })
    }

    pub(super) fn get(&self) -> &str {
        self.url.get()
    }

    pub(super) fn secrets(&self) -> Vec<&str> {
        let tokens = self.tokens.iter().map(Hidden::get);
        std::iter::once(self.url.get()).chain(tokens).collect()
    }
}

fn is_web_address(text: &str) -> Result<(), &'static str> {
    let Ok(url) = reqwest::Url::parse(text) else {
        return Err("must be an address that begins with https:// or http://");
    };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must be an address that begins with https:// or http://");
    }
    if url.fragment().is_some() {
        return Err("must be an address without #");
    }
    Ok(())
}

/// An address that is no secret, without a slash at its end; "" stands for none. A name and a password in it would be printed.
pub(super) fn web_address(value: &Value<'_>) -> Taken<String> {
    const ALLOWED: &str =
        "an address in quotes that begins with https:// or http://, with no password in it";
    let address = text(value, ALLOWED)?;
    if address.is_empty() {
        return Ok(String::new());
    }
    let url = reqwest::Url::parse(address).ok();
    let is_good = is_web_address(address).is_ok()
        && url.is_some_and(|url| {
            url.username().is_empty() && url.password().is_none() && url.query().is_none()
        });
    if is_good {
        Ok(address.trim_end_matches('/').to_owned())
    } else {
        Err(refused(ALLOWED, "another one"))
    }
}

/// What a receiver is called, in routes and in the log.
pub(super) fn name(value: &Value<'_>) -> Taken<String> {
    const ALLOWED: &str = "a name in quotes: at most 64 of a to z, 0 to 9 and -";
    let name = text(value, ALLOWED)?;
    let is_name = (1..=MAX_NAME_LETTERS).contains(&name.len())
        && name
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
    if is_name {
        Ok(name.to_owned())
    } else {
        Err(refused(ALLOWED, format_args!("{name:?}")))
    }
}

/// A name, an id or a channel of a service: one line, no blanks around it; "" stands for none.
pub(super) fn word(value: &Value<'_>) -> Taken<String> {
    const ALLOWED: &str = "one line of at most 256 letters in quotes";
    let word = text(value, ALLOWED)?;
    let is_word = word.trim() == word && word.len() <= 256 && !word.chars().any(char::is_control);
    if is_word {
        Ok(word.to_owned())
    } else {
        Err(refused(ALLOWED, format_args!("{word:?}")))
    }
}

pub(super) fn yes_or_no(value: &Value<'_>) -> Taken<bool> {
    const ALLOWED: &str = "true or false";
    value
        .as_bool()
        .ok_or_else(|| refused(ALLOWED, "something else"))
}

/// Those of these keys that were not written.
pub(super) fn missing(keys: &[(&'static str, bool)]) -> Vec<Contradiction> {
    unset(keys, "is missing")
}

fn unset(keys: &[(&'static str, bool)], why: &str) -> Vec<Contradiction> {
    let unset = keys.iter().filter(|(_, is_set)| !is_set);
    unset.map(|(key, _)| Contradiction::new(key, why)).collect()
}

/// A service can be told over the address of a webhook, or as somebody who has a token, which `with_token` belong to: one of both.
pub(super) fn url_or_token(
    url: &Secret,
    token: &Secret,
    with_token: &[(&'static str, bool)],
) -> Vec<Contradiction> {
    match (url.is_set(), token.is_set()) {
        (true, true) => vec![Contradiction::new(
            "url",
            "does not go with `token`: one of them is enough",
        )],
        (false, false) => vec![Contradiction::new(
            "token",
            "is missing; `url` would do as well",
        )],
        (false, true) => unset(with_token, "is missing: `token` needs it"),
        (true, false) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_a_secret_is_checked_when_it_is_read() {
        let open = |url: &str| SecretUrl::new(Hidden::new(url), "ops", "url");
        let good = open("https://hooks.example/services/T0/B0/abcdefghijkl").unwrap();
        assert_eq!(good.secrets()[1], "abcdefghijkl");
        assert_eq!(format!("{good:?}"), "SecretUrl { url: ***, tokens: [***] }");
        let flow = open("https://flows.example/workflows/1/invoke?api-version=1&sig=abcdefghijkl")
            .unwrap();
        assert_eq!(flow.secrets()[1..], ["abcdefghijkl"]);
        for bad in [
            "hooks.example/x",
            "ftp://hooks.example/x",
            "https://",
            "https://a/#b",
        ] {
            assert!(open(bad).is_err(), "{bad}");
        }
    }
}
