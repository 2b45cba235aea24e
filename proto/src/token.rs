//! The token that a node joins with: which CA to trust, and a secret.
//!
//! The CA's fingerprint in it is what lets a node without any certificate know its collector; the secret is what lets
//! the collector know that the node was invited. Collectors keep only [`JoinToken::secret_hash`].

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

/// The version of the format stands in front, so that another one can be told from a broken one.
const PREFIX: &str = "quorate1_";
pub const FINGERPRINT_BYTES: usize = 32;
const SECRET_BYTES: usize = 20;

/// The SHA-256 of a certificate, DER.
pub type Fingerprint = [u8; FINGERPRINT_BYTES];

pub fn fingerprint(certificate_der: &[u8]) -> Fingerprint {
    sha256(certificate_der)
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    #[error("this is not a join token: one begins with {PREFIX}")]
    Prefix,
    #[error("this join token is cut short or has a wrong letter: copy all of it")]
    Broken,
    #[error("the random numbers of this machine are not to be had")]
    NoRandom,
}

/// An invitation to join.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    ca: Fingerprint,
    secret: [u8; SECRET_BYTES],
}

impl JoinToken {
    /// Makes a new one.
    pub fn mint(ca: Fingerprint) -> Result<Self, BadToken> {
        let mut secret = [0; SECRET_BYTES];
        let filled = SystemRandom::new().fill(&mut secret);
        filled.map_err(|_| BadToken::NoRandom)?;
        Ok(Self { ca, secret })
    }

    /// The fingerprint of the CA that must have signed the collector's certificate.
    pub fn ca(&self) -> Fingerprint {
        self.ca
    }

    /// All that a collector keeps of it. The secret has 160 random bits: no slow hash is needed.
    pub fn secret_hash(&self) -> [u8; 32] {
        sha256(&self.secret)
    }

    /// The token as it is copied from terminal to terminal.
    pub fn to_text(&self) -> String {
        let mut bytes = Vec::with_capacity(FINGERPRINT_BYTES + SECRET_BYTES);
        bytes.extend_from_slice(&self.ca);
        bytes.extend_from_slice(&self.secret);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for JoinToken {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let rest = text.trim().strip_prefix(PREFIX).ok_or(BadToken::Prefix)?;
        let bytes = URL_SAFE_NO_PAD.decode(rest).map_err(|_| BadToken::Broken)?;
        let (ca, secret) = bytes
            .split_first_chunk::<FINGERPRINT_BYTES>()
            .ok_or(BadToken::Broken)?;
        let secret = secret.try_into().map_err(|_| BadToken::Broken)?;
        Ok(Self { ca: *ca, secret })
    }
}

/// The secret is never printed by accident.
impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinToken(..)")
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let token = JoinToken::mint([7; FINGERPRINT_BYTES]).unwrap();
        let text = token.to_text();
        assert_eq!(format!(" {text}\n").parse(), Ok(token.clone()));
        assert_eq!(token.ca(), [7; FINGERPRINT_BYTES]);
        assert!(!format!("{token:?}").contains(&text[20..]));
    }

    #[test]
    fn a_broken_one_is_told_from_none() {
        let text = JoinToken::mint([7; FINGERPRINT_BYTES]).unwrap().to_text();
        let cut = &text[..text.len() - 1];
        assert_eq!(cut.parse::<JoinToken>(), Err(BadToken::Broken));
        assert_eq!("hello".parse::<JoinToken>(), Err(BadToken::Prefix));
    }
}
