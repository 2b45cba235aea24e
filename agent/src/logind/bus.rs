//! The two calls and three signals of D-Bus that are needed of logind.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use model::fact::power::ShutdownMode;
use tokio::time::timeout;
use zbus::export::futures_core::Stream as _;
use zbus::message::Type;
use zbus::zvariant::{OwnedFd, OwnedValue};
use zbus::{Connection, MatchRule, Message, MessageStream, connection};

const LOGIND: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const BUS: &str = "org.freedesktop.DBus";
/// Who holds it, as `systemd-inhibit --list` shows it.
const WHO: &str = "Quorate";
/// The only thing that is ever inhibited: power-off, reboot, halt and kexec.
const SHUTDOWN: &str = "shutdown";

/// For the connection, and for each answer: the bus starts logind if it must.
const PATIENCE: Duration = Duration::from_secs(10);
/// Signals that wait to be looked at; more come one by one, and logind sends two in the life of a node.
const MAX_SIGNALS: usize = 8;

#[derive(Debug, thiserror::Error)]
pub(crate) enum BusError {
    #[error("the system bus cannot be reached at {address}")]
    Connect {
        address: String,
        source: zbus::Error,
    },
    #[error("the system bus did not answer within {} s", PATIENCE.as_secs())]
    Slow,
    #[error("logind cannot be listened to")]
    Listen { source: zbus::Error },
    #[error("logind gives no {mode} inhibitor")]
    Inhibit { mode: String, source: zbus::Error },
    #[error("the system bus broke off")]
    BrokeOff,
}

/// What is asked of logind, in its own words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inhibit<'a> {
    /// `delay` or `block`.
    pub(super) mode: &'a str,
    pub(super) why: &'a str,
}

/// A lock of logind: it is held until this is dropped, or the process ends.
#[derive(Debug)]
pub(super) struct Lock {
    _held: OwnedFd,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signal {
    GoingDown(Option<ShutdownMode>),
    TakenBack,
    LogindCameBack,
}

/// A connection that listens to logind.
#[derive(Debug)]
pub(super) struct Bus {
    connection: Connection,
    of_logind: MessageStream,
    of_its_name: MessageStream,
    /// Its name on the bus: anybody may send a signal that looks like its own.
    owner: Option<String>,
}

impl Bus {
    pub(super) async fn connect(address: &str) -> Result<Self, BusError> {
        let failed = |source| BusError::Connect {
            address: address.to_owned(),
            source,
        };
        let builder = connection::Builder::address(address).map_err(failed)?;
        let connecting = builder.method_timeout(PATIENCE).build();
        let connection = timeout(PATIENCE, connecting).await;
        let connection = connection.map_err(|_| BusError::Slow)?.map_err(failed)?;
        let listening = listen(&connection);
        let (of_logind, of_its_name) = listening
            .await
            .map_err(|source| BusError::Listen { source })?;
        Ok(Self {
            connection,
            of_logind,
            of_its_name,
            owner: None,
        })
    }

    /// Takes a lock; the bus starts logind for it where it does not run.
    pub(super) async fn inhibit(&mut self, inhibit: &Inhibit<'_>) -> Result<Lock, BusError> {
        let asked = (SHUTDOWN, WHO, inhibit.why, inhibit.mode);
        let answer = self
            .connection
            .call_method(Some(LOGIND), PATH, Some(MANAGER), "Inhibit", &asked)
            .await;
        let fd = answer.and_then(|answer| Ok((answer.body().deserialize()?, answer)));
        let failed = |source| BusError::Inhibit {
            mode: inhibit.mode.to_owned(),
            source,
        };
        let (held, answer): (OwnedFd, Message) = fd.map_err(failed)?;
        // Who answered for that name has it.
        self.owner = answer.header().sender().map(ToString::to_string);
        Ok(Lock { _held: held })
    }

    /// The next word of logind. An error ends it: what was said meanwhile is not known.
    pub(super) async fn next(&mut self) -> Result<Signal, BusError> {
        loop {
            let message = std::future::poll_fn(|context| self.poll(context)).await;
            let message = message.ok_or(BusError::BrokeOff)?;
            if let Some(signal) = self.understood(&message) {
                return Ok(signal);
            }
        }
    }

    /// Looks at what has come since, and waits for nothing.
    pub(super) fn is_as_it_was(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match self.poll(&mut context) {
                Poll::Pending => return true,
                Poll::Ready(None) => return false,
                Poll::Ready(Some(message)) => {
                    if self.understood(&message) == Some(Signal::LogindCameBack) {
                        return false;
                    }
                }
            }
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Message>> {
        for stream in [&mut self.of_logind, &mut self.of_its_name] {
            if let Poll::Ready(message) = Pin::new(stream).poll_next(context) {
                return Poll::Ready(message.and_then(Result::ok));
            }
        }
        Poll::Pending
    }

    /// Anything else that logind says is nothing to us.
    fn understood(&mut self, message: &Message) -> Option<Signal> {
        let header = message.header();
        let sender = header.sender()?.as_str();
        let body = message.body();
        match header.member()?.as_str() {
            "NameOwnerChanged" if sender == BUS => {
                let (name, _, new): (String, String, String) = body.deserialize().ok()?;
                let is_back = name == LOGIND && !new.is_empty();
                let is_another = self.owner.as_deref() != Some(new.as_str());
                (is_back && is_another).then(|| {
                    self.owner = Some(new);
                    Signal::LogindCameBack
                })
            }
            _ if self.owner.as_deref() != Some(sender) => None,
            "PrepareForShutdownWithMetadata" => {
                let (begins, about): (bool, std::collections::HashMap<String, OwnedValue>) =
                    body.deserialize().ok()?;
                let mode = about.get("type").and_then(|kind| kind.downcast_ref().ok());
                Some(signal(begins, mode.map(mode_of)))
            }
            "PrepareForShutdown" => Some(signal(body.deserialize().ok()?, None)),
            _ => None,
        }
    }
}

fn signal(begins: bool, mode: Option<ShutdownMode>) -> Signal {
    if begins {
        Signal::GoingDown(mode)
    } else {
        Signal::TakenBack
    }
}

/// The manual writes `power-off`, and logind says `poweroff`.
fn mode_of(word: &str) -> ShutdownMode {
    match word {
        "power-off" => ShutdownMode::PowerOff,
        word => ShutdownMode::from_word(word),
    }
}

async fn listen(connection: &Connection) -> zbus::Result<(MessageStream, MessageStream)> {
    let signals = || MatchRule::builder().msg_type(Type::Signal);
    let of_logind = signals()
        .sender(LOGIND)?
        .path(PATH)?
        .interface(MANAGER)?
        .build();
    let of_its_name = signals()
        .sender(BUS)?
        .interface(BUS)?
        .member("NameOwnerChanged")?
        .arg(0, LOGIND)?
        .build();
    let listen = |rule| MessageStream::for_match_rule(rule, connection, Some(MAX_SIGNALS));
    Ok((listen(of_logind).await?, listen(of_its_name).await?))
}
