//! One receiver in a test: its row from TOML, messages to send, and answers to read.

use model::alert::{Kind, Message};
use serde_json::Value as Json;

use super::sample::{self, BEGAN_UNIX_MS};
use super::{Answer, Chat, Outcome, Receiver, Request, Sending};

pub(super) const KEY: &str = "01jd8q7w3f-7-opened/ops";
pub(super) const THREAD: &str = "0f8e-7";

/// An open receiver whose row is written without its name.
pub(super) struct Try<R> {
    pub(super) chat: Box<dyn Chat>,
    _row: std::marker::PhantomData<R>,
}

impl<R: Receiver + settings::Settings> Try<R> {
    #[track_caller]
    pub(super) fn new(row: &str) -> Self {
        let row = format!("name = 'ops'\n{row}");
        let row: R = settings::parse(std::path::Path::new("row.toml"), &row).unwrap();
        Self {
            chat: row.open().unwrap(),
            _row: std::marker::PhantomData,
        }
    }

    pub(super) fn request(&self, kind: Kind, first: Option<&str>) -> Option<Request> {
        self.chat.request(&sending(&message(kind), first))
    }

    /// With a first message that is known.
    pub(super) fn read(&self, kind: Kind, status: u16, body: &str) -> Outcome {
        let answer = Answer {
            status,
            body: body.to_owned(),
            ..Answer::default()
        };
        self.chat
            .read(&sending(&message(kind), Some("first")), &answer)
    }
}

pub(super) fn message(kind: Kind) -> Message {
    Message {
        kind,
        began_unix_ms: BEGAN_UNIX_MS,
        at_unix_ms: BEGAN_UNIX_MS + if kind == Kind::Opened { 0 } else { 425_000 },
        ..sample::switch_down()
    }
}

pub(super) fn sending<'a>(message: &'a Message, first: Option<&'a str>) -> Sending<'a> {
    Sending {
        message,
        key: KEY,
        thread: THREAD,
        first,
        is_recorded: true,
        now_unix_ms: BEGAN_UNIX_MS + 430_000,
    }
}

pub(super) fn is_later(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Later { .. })
}

pub(super) trait BodyOf {
    fn json(&self) -> Json;
}

impl BodyOf for Request {
    #[track_caller]
    fn json(&self) -> Json {
        let Request::Http(http) = self else {
            panic!("{self:?}")
        };
        serde_json::from_str(&http.body).unwrap()
    }
}
