//! One talk with a collector: a certificate for a token, a new certificate for the one of now, a token for the cluster.
//! What it answers is looked at before anything of it is kept: a collector is a stranger, too.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::identity::{Identity, is_uuid};
use model::name::NodeName;
use proto::dial::{DialError, dial};
use proto::tls::{self, Shown, TlsError};
use proto::token::{BadToken, JoinToken};
use proto::v1::enrolment_client::EnrolmentClient;
use proto::v1::fleet_client::FleetClient;
use proto::v1::{self, EnrolRequest, Software};
use rustls::CertificateError;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::certificate::NoCertificate;
use super::enrolled::{About, Authority, Enrolled, EnrolledError, Kept, certificates, check_trust};
use super::membership::Membership;
use super::request::Request;

/// From the question to the answer; the connection has a deadline of its own.
const DEADLINE: Duration = Duration::from_secs(20);
/// More addresses than that no collector has.
const MAX_ADDRESSES: usize = 16;

/// Why a talk with a collector led to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    #[error(transparent)]
    Token(#[from] BadToken),
    #[error("{address} is not HOST or HOST:PORT")]
    Address { address: String },
    #[error(
        "the collector at {address} is not the one this token is for: nothing was sent to it; check the address, and \
         that the token was made by that collector, and since its CA was replaced, if it was"
    )]
    OtherCollector { address: String },
    #[error(
        "by the clock of this node ({now:.0}) the certificate of the collector at {address} is not valid: set the clock \
         of whichever of the two is wrong"
    )]
    Clock { address: String, now: Timestamp },
    #[error(
        "nobody answers at {address}: a collector listens there only while a token is valid (`quorate-collector token \
         create`); is it running, and does a firewall let this node reach it?"
    )]
    NoAnswer { address: String, source: DialError },
    #[error("the collector cannot be reached")]
    NotReached { source: DialError },
    #[error("the collector at {address} did not answer within {} s", DEADLINE.as_secs())]
    Late { address: String },
    #[error("the collector refuses the token: {why}")]
    Refused { why: String },
    #[error("{why}; then run this again")]
    AlreadyThere { why: String },
    #[error("the collector refuses: {why}")]
    NotNow { why: String },
    #[error(
        "the collector {second} would be a second one that decides for this cluster, and {known} decides already: make the \
         new one an observer (`quorate-collector init --observer`), or let every node leave the old one first \
         (`quorate-agent leave {known}`)"
    )]
    SecondAuthority { second: String, known: String },
    #[error("the collector could not answer")]
    Failed { source: Status },
    #[error("the key cannot be made")]
    Key { source: rcgen::Error },
    #[error("the answer of the collector is not used")]
    Answer {
        #[source]
        what: Nonsense,
    },
    #[error("keeping the certificate broke off")]
    BrokeOff,
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Enrolled(#[from] EnrolledError),
}

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Nonsense {
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{what} {word:?} makes no sense")]
    Word { what: &'static str, word: String },
    #[error("its certificate cannot be read")]
    Certificate(#[from] NoCertificate),
    #[error("its certificate is for {}, not for {wanted}", found.join(" and "))]
    OtherName {
        wanted: Identity,
        found: Vec<String>,
    },
    #[error("its certificate cannot be used with the key that was made for it")]
    OtherKey(#[source] TlsError),
    #[error(
        "its certificate is good from {from:.0} to {to:.0}, and this node's clock says {now:.0}"
    )]
    NotNow {
        from: Timestamp,
        to: Timestamp,
        now: Timestamp,
    },
}

impl From<Nonsense> for ExchangeError {
    fn from(what: Nonsense) -> Self {
        Self::Answer { what }
    }
}

/// What a node joins with.
#[derive(Debug)]
pub(crate) struct Invitation {
    /// HOST:PORT of the Enrolment listener.
    pub(crate) address: String,
    pub(crate) token: JoinToken,
}

/// This program, as it presents itself.
pub(crate) fn software() -> Software {
    Software {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        capabilities: Vec::new(),
    }
}

/// Trades the token for a certificate; hands out the collector's id and all that is to be kept.
pub(super) async fn enrol(
    invitation: &Invitation,
    member: &Membership,
    request: Request,
    known: Option<&Authority>,
    now: Timestamp,
) -> Result<(String, Kept), ExchangeError> {
    let tls = tls::stranger(invitation.token.ca())?;
    let channel = connect(&invitation.address, tls, now).await?;
    let Request { key_pem, der } = request;
    let request = EnrolRequest {
        token: invitation.token.to_text(),
        cluster: Some(v1::Cluster {
            id: member.cluster.to_string(),
            name: member.cluster_name.clone(),
        }),
        node: member.node.to_string(),
        certificate_request: der,
        nodelist: member.nodelist.iter().map(ToString::to_string).collect(),
        agent: Some(software()),
        authority: known.cloned().map(v1::Authority::from),
    };
    let mut client = EnrolmentClient::new(channel);
    let answer = in_time(&invitation.address, client.enrol(request)).await?;
    let answer = answer.map_err(|status| refused(status, member))?;
    let (collector_id, kept) = taken(answer.into_inner(), key_pem, member, known)?;
    check(&kept, now)?;
    Ok((collector_id, kept))
}

/// Asks for a certificate of a new key, over a connection with the one of now; hands out what is to be kept.
pub(super) async fn renew(
    channel: Channel,
    enrolled: &Enrolled,
    about: About,
    shown: &Shown,
    now: Timestamp,
) -> Result<Kept, ExchangeError> {
    let made = Request::make().map_err(|source| ExchangeError::Key { source });
    let Request { key_pem, der } = made?;
    let request = v1::RenewRequest {
        certificate_request: der,
    };
    let mut client = FleetClient::new(channel);
    let address = enrolled.addresses.first().cloned().unwrap_or_default();
    let answer = in_time(&address, client.renew(request)).await?;
    let answer = answer.map_err(|source| ExchangeError::Failed { source })?;
    let credentials = answer.into_inner().credentials;
    let kept = of_credentials(credentials, key_pem, about)?;
    check(&kept, now)?;
    check_trust(&kept.trust, shown)?;
    Ok(kept)
}

/// A token for the other nodes of the cluster, as the join file holds it.
#[derive(Debug)]
pub(super) struct ClusterToken {
    pub(super) token: String,
    pub(super) not_after: Timestamp,
    pub(super) enrolment_addresses: Vec<String>,
}

pub(super) async fn cluster_token(
    channel: Channel,
    address: &str,
    nodelist: &[NodeName],
) -> Result<ClusterToken, ExchangeError> {
    let request = v1::ClusterTokenRequest {
        nodelist: nodelist.iter().map(ToString::to_string).collect(),
    };
    let mut client = FleetClient::new(channel);
    let answer = in_time(address, client.cluster_token(request)).await?;
    let answer = answer.map_err(|source| ExchangeError::Failed { source })?;
    let v1::ClusterTokenResponse {
        token,
        not_after_unix_s,
        enrolment_addresses,
    } = answer.into_inner();
    token.parse::<JoinToken>()?;
    let not_after = Timestamp::from_second(not_after_unix_s);
    let not_after = not_after.map_err(|_| Nonsense::Word {
        what: "the end of the token",
        word: not_after_unix_s.to_string(),
    })?;
    Ok(ClusterToken {
        token,
        not_after,
        enrolment_addresses: addresses(enrolment_addresses)?,
    })
}

/// Connects as the enrolled node: the first address that answers.
pub(super) async fn connect_enrolled(
    enrolled: &Enrolled,
    now: Timestamp,
) -> Result<(String, Channel), ExchangeError> {
    let mut failed = ExchangeError::from(Nonsense::Missing("every address"));
    for address in &enrolled.addresses {
        match dial(address, enrolled.tls()?).await {
            Ok(channel) => return Ok((address.clone(), channel)),
            Err(error) if is_clock(&error) => failed = clock(address, now),
            Err(source) => failed = ExchangeError::NotReached { source },
        }
    }
    Err(failed)
}

async fn connect(
    address: &str,
    tls: rustls::ClientConfig,
    now: Timestamp,
) -> Result<Channel, ExchangeError> {
    let dialled = dial(address, Arc::new(tls)).await;
    dialled.map_err(|error| in_vain(address, error, now))
}

async fn in_time<T>(address: &str, answer: impl Future<Output = T>) -> Result<T, ExchangeError> {
    let answer = tokio::time::timeout(DEADLINE, answer).await;
    answer.map_err(|_| ExchangeError::Late {
        address: address.to_owned(),
    })
}

/// `known` decides for the cluster already.
fn taken(
    answer: v1::EnrolResponse,
    key_pem: String,
    member: &Membership,
    known: Option<&Authority>,
) -> Result<(String, Kept), ExchangeError> {
    let v1::EnrolResponse {
        credentials,
        addresses: told,
        authority,
        is_authority,
        collector,
    } = answer;
    let authority = authority.map(Authority::from);
    let decides = authority.as_ref().filter(|_| is_authority);
    let collector = match (collector.as_str(), decides) {
        // Whoever decides has said already who he is.
        ("", Some(authority)) => authority.collector.clone(),
        _ => collector,
    };
    if is_authority && authority.is_none() {
        return Err(Nonsense::Missing("the authority").into());
    }
    let ids = authority.iter().map(|authority| &authority.collector);
    if let Some(word) = ids.chain([&collector]).find(|id| !is_uuid(id)) {
        let (what, word) = ("the collector's id", word.clone());
        return Err(Nonsense::Word { what, word }.into());
    }
    if let Some(known) = known
        && let Some(second) = &authority
        && second.collector != known.collector
        && second.epoch <= known.epoch
    {
        return Err(ExchangeError::SecondAuthority {
            second: second.collector.clone(),
            known: known.collector.clone(),
        });
    }
    let about = About {
        addresses: addresses(told)?,
        cluster: member.cluster.clone(),
        cluster_name: member.cluster_name.clone(),
        node: member.node.clone(),
        is_authority,
        authority,
    };
    Ok((collector, of_credentials(credentials, key_pem, about)?))
}

fn of_credentials(
    credentials: Option<v1::Credentials>,
    key_pem: String,
    about: About,
) -> Result<Kept, ExchangeError> {
    let credentials = credentials.ok_or(Nonsense::Missing("the certificate"))?;
    Ok(Kept {
        key_pem,
        chain: certificates(&credentials.chain),
        trust: certificates(&credentials.trust),
        about,
    })
}

/// It must be for this node, for this key, and for now.
fn check(kept: &Kept, now: Timestamp) -> Result<(), Nonsense> {
    let leaf = kept.leaf()?;
    let wanted = Identity::node(kept.about.cluster.clone(), kept.about.node.clone());
    if leaf.uris != [wanted.to_string()] {
        let found = leaf.uris;
        return Err(Nonsense::OtherName { wanted, found });
    }
    kept.tls().map_err(Nonsense::OtherKey)?;
    let (from, to) = (leaf.not_before, leaf.not_after);
    if now < from || to <= now {
        return Err(Nonsense::NotNow { from, to, now });
    }
    Ok(())
}

fn addresses(told: Vec<String>) -> Result<Vec<String>, Nonsense> {
    if told.is_empty() {
        return Err(Nonsense::Missing("the collector's address"));
    }
    let makes_sense = |address: &String| {
        address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    };
    match told.iter().find(|address| !makes_sense(address)) {
        Some(address) => Err(Nonsense::Word {
            what: "the address",
            word: address.clone(),
        }),
        None => Ok(told.into_iter().take(MAX_ADDRESSES).collect()),
    }
}

fn refused(status: Status, member: &Membership) -> ExchangeError {
    let said = status.message().trim_end_matches('.');
    // A collector that says itself what to do is not talked over.
    let or_else = |todo: String| match said.contains("quorate-collector") {
        true => said.to_owned(),
        false => format!("{said}; {todo}"),
    };
    match status.code() {
        Code::Unauthenticated => ExchangeError::Refused {
            why: or_else("make a new one with `quorate-collector token create`".to_owned()),
        },
        Code::AlreadyExists => ExchangeError::AlreadyThere {
            why: or_else(format!(
                "if it is this node, which has lost its certificate, let the name go with `quorate-collector node \
                 replace {}`",
                member.node
            )),
        },
        Code::FailedPrecondition | Code::InvalidArgument | Code::PermissionDenied => {
            ExchangeError::NotNow {
                why: said.to_owned(),
            }
        }
        _ => ExchangeError::Failed { source: status },
    }
}

/// Why a stranger's connection did not come about, told by the innermost cause.
fn in_vain(address: &str, error: DialError, now: Timestamp) -> ExchangeError {
    if is_clock(&error) {
        return clock(address, now);
    }
    let is_other = matches!(tls_cause(&error), Some(CertificateError::UnknownIssuer));
    let address = address.to_owned();
    match error {
        DialError::Address { address } => ExchangeError::Address { address },
        DialError::Connect { .. } if is_other => ExchangeError::OtherCollector { address },
        source @ DialError::Connect { .. } => ExchangeError::NoAnswer { address, source },
    }
}

fn is_clock(error: &DialError) -> bool {
    matches!(
        tls_cause(error),
        Some(
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        )
    )
}

fn clock(address: &str, now: Timestamp) -> ExchangeError {
    ExchangeError::Clock {
        address: address.to_owned(),
        now,
    }
}

/// What TLS says of the other end's certificate. An `io::Error` hides what it was made of from `source`.
fn tls_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a CertificateError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        let tls = match inner {
            Some(inner) => inner.downcast_ref::<rustls::Error>(),
            None => error.downcast_ref::<rustls::Error>(),
        };
        if let Some(rustls::Error::InvalidCertificate(why)) = tls {
            return Some(why);
        }
        cause = error.source();
    }
    None
}

/// `HOST`, `HOST:PORT` or an IPv6 address, as the address to dial.
pub(crate) fn with_port(text: &str, port: u16) -> Result<String, ExchangeError> {
    let bad = || ExchangeError::Address {
        address: text.to_owned(),
    };
    if text.is_empty() || text.contains(char::is_whitespace) || text.contains('/') {
        return Err(bad());
    }
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok(format!("[{text}]:{port}"));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => {
            let is_number = !host.is_empty() && port.parse::<u16>().is_ok();
            is_number.then(|| text.to_owned()).ok_or_else(bad)
        }
        _ => Ok(format!("{text}:{port}")),
    }
}

#[cfg(test)]
mod tests;
