//! What is asked, as far as it is well formed, and what is answered where it is not done.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::refusal::Reason;

/// Says that it was meant for FleetLock, and did not come by a redirection or from a browser.
const HEADER: &str = "fleet-lock-protocol";
/// Letters of an id, and of a group.
const MOST_LETTERS: usize = 128;

/// Who asks, by its own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) id: String,
    pub(super) group: String,
}

/// Makes of one table the kinds, their names and their codes.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $status:ident;)+) => {
        /// Why it is not done. Clients count these, so that they are few.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Kind {
            $($(#[$doc])* $kind,)+
        }

        impl Kind {
            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            pub(super) const fn status(self) -> StatusCode {
                match self {
                    $(Self::$kind => StatusCode::$status,)+
                }
            }
        }
    };
}

kinds! {
    NoGo = "no_go", CONFLICT;
    /// Another one has the lease, or it was withdrawn.
    LeaseHeld = "lease_held", CONFLICT;
    NotBack = "not_back", CONFLICT;
    /// Of the gate.
    Unknown = "unknown", SERVICE_UNAVAILABLE;
    OutsideNetworks = "outside_networks", FORBIDDEN;
    UnknownClient = "unknown_client", FORBIDDEN;
    BadRequest = "bad_request", BAD_REQUEST;
    TooLarge = "too_large", PAYLOAD_TOO_LARGE;
    TooOften = "too_often", TOO_MANY_REQUESTS;
    NotFound = "not_found", NOT_FOUND;
    WrongMethod = "wrong_method", METHOD_NOT_ALLOWED;
    /// The log of the collector says why.
    Failed = "failed", INTERNAL_SERVER_ERROR;
}

/// It is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    kind: Kind,
    value: String,
    /// What is for the log alone.
    aside: Option<String>,
}

impl Refused {
    pub(super) fn new(kind: Kind, value: impl Into<String>) -> Self {
        Self {
            kind,
            value: value.into(),
            aside: None,
        }
    }

    /// The log says this instead: a client is not told of other nodes and clusters.
    pub(super) fn aside(mut self, words: String) -> Self {
        self.aside = Some(words);
        self
    }

    pub(super) fn words(&self) -> &str {
        self.aside.as_deref().unwrap_or(&self.value)
    }

    /// As it is counted; `None` for an answer of the gate, which is no refusal.
    pub(super) fn reason(&self) -> Option<Reason> {
        match self.kind {
            Kind::NoGo | Kind::LeaseHeld | Kind::NotBack | Kind::Unknown | Kind::Failed => None,
            Kind::OutsideNetworks => Some(Reason::OutsideNetworks),
            Kind::UnknownClient => Some(Reason::UnknownClient),
            Kind::TooLarge => Some(Reason::TooLarge),
            Kind::TooOften => Some(Reason::TooManyRequests),
            Kind::BadRequest | Kind::NotFound | Kind::WrongMethod => Some(Reason::BadRequest),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "kind": self.kind.name(), "value": self.value });
        let json = [(header::CONTENT_TYPE, "application/json")];
        (self.kind.status(), json, body.to_string()).into_response()
    }
}

/// Whether it is FleetLock at all; looked at before the body is.
pub(super) fn meant(headers: &HeaderMap) -> Result<(), Refused> {
    if headers.get(HEADER).is_some_and(|value| value == "true") {
        return Ok(());
    }
    let why = format!("the header {HEADER} must be there and be true");
    Err(Refused::new(Kind::BadRequest, why))
}

/// Clients send no content type, and what curl says by itself is not JSON: it is not looked at.
pub(super) fn parse(body: &[u8]) -> Result<Asked, Refused> {
    #[derive(Deserialize)]
    struct Body {
        client_params: Params,
    }
    #[derive(Deserialize)]
    struct Params {
        id: String,
        group: String,
    }
    let refused = |why: String| Refused::new(Kind::BadRequest, why);
    let body: Body = serde_json::from_slice(body).map_err(|error| {
        refused(format!(
            "its body is not {{\"client_params\": {{\"id\": …, \"group\": …}}}}: {error}"
        ))
    })?;
    let Params { id, group } = body.client_params;
    if !is_id(&id) {
        let why = format!("client_params.id: it has 1 to {MOST_LETTERS} letters without blanks");
        return Err(refused(why));
    }
    if !is_group(&group) {
        let why = format!(
            "client_params.group: it has 1 to {MOST_LETTERS} letters and digits, '.' and '-'"
        );
        return Err(refused(why));
    }
    Ok(Asked { id, group })
}

/// It stands in sentences, and in the owner of a lease.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=MOST_LETTERS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `^[a-zA-Z0-9.-]+$`, as the protocol has it.
fn is_group(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    (1..=MOST_LETTERS).contains(&text.len()) && text.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(body: &str, expect: &str) {
        let refused = parse(body.as_bytes()).unwrap_err();
        assert_eq!(refused.kind, Kind::BadRequest);
        assert!(refused.value.starts_with(expect), "{}", refused.value);
    }

    #[test]
    fn the_protocols_own_example_is_read_and_what_it_does_not_know_is_skipped() {
        let body = r#"{"client_params": {"group": "default", "id": "c988d2509fdf5cdcbed39037c56406fb", "more": 1}}"#;
        let expect = Asked {
            id: "c988d2509fdf5cdcbed39037c56406fb".to_owned(),
            group: "default".to_owned(),
        };
        assert_eq!(parse(body.as_bytes()), Ok(expect));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let of = |id: &str, group: &str| {
            serde_json::json!({"client_params": {"id": id, "group": group}}).to_string()
        };
        check_refused("", "its body is not {\"client_params\"");
        check_refused("{\"client_params\": {\"id\": \"a\"}}", "its body is not");
        check_refused(
            "{\"client_params\": {\"id\": 1, \"group\": \"a\"}}",
            "its body is not",
        );
        check_refused(&of("", "default"), "client_params.id");
        check_refused(&of("a b", "default"), "client_params.id");
        check_refused(&of("a\nb", "default"), "client_params.id");
        check_refused(&of(&"a".repeat(129), "default"), "client_params.id");
        check_refused(&of("a", ""), "client_params.group");
        check_refused(&of("a", "tier_1"), "client_params.group");
    }

    #[test]
    fn a_request_that_was_not_meant_for_fleetlock_is_refused() {
        let of = |value: Option<&'static str>| {
            let value = value.map(|value| (HEADER.parse().unwrap(), value.parse().unwrap()));
            meant(&value.into_iter().collect())
        };
        assert_eq!(of(Some("true")), Ok(()));
        assert!(of(None).is_err());
        assert!(of(Some("True")).is_err());
        assert!(of(Some("false")).is_err());
    }
}
