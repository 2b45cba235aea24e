//! Tells a connection that broke from what somebody said: tonic makes a status of both, and words the first one in terms
//! of HTTP/2, which help nobody who looks after a network.

use std::error::Error;
use std::io;

use tonic::Status;

/// The connection is gone. Nobody has refused anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the connection broke off{}{}", if why.is_some() { ": " } else { "" }, why.as_deref().unwrap_or_default())]
pub struct BrokenOff {
    /// What the machine says of it: `Connection reset by peer (os error 104)`.
    why: Option<String>,
}

impl BrokenOff {
    /// `None` for a status that the other end has sent: only one that was made of a failed connection has a source.
    pub fn of(status: &Status) -> Option<Self> {
        let first = status.source()?;
        let mut why = None;
        let mut cause = Some(first);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<io::Error>() {
                why = Some(error.to_string());
            }
            cause = error.source();
        }
        Some(Self { why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("h2 protocol error: error reading a body from connection")]
    struct Http(#[source] Option<io::Error>);

    #[track_caller]
    fn check(status: &Status, expect: Option<&str>) {
        let said = BrokenOff::of(status).map(|broken| broken.to_string());
        assert_eq!(said.as_deref(), expect);
    }

    #[test]
    fn a_connection_that_broke_is_said_without_a_word_of_http() {
        let reset = io::Error::from_raw_os_error(104);
        check(
            &Status::from_error(Box::new(Http(Some(reset)))),
            Some("the connection broke off: Connection reset by peer (os error 104)"),
        );
        check(
            &Status::from_error(Box::new(Http(None))),
            Some("the connection broke off"),
        );
    }

    #[test]
    fn what_the_other_end_said_is_no_broken_connection() {
        check(&Status::unavailable("the collector ends"), None);
        check(&Status::internal("failed to decode Protobuf message"), None);
    }
}
