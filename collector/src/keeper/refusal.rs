//! Why a stream is ended, as sentences that name what was wrong and what to do.

use model::name::NodeName;
use tonic::{Code, Status};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the first message must be hello")]
    NoHello,
    #[error("hello comes once, at the beginning of a stream")]
    SecondHello,
    #[error("{field}: {why}")]
    Field { field: String, why: String },
    #[error("the certificate is of node {certified}, and hello says {said}")]
    OtherNode { certified: NodeName, said: String },
    #[error("the certificate is of cluster {certified}, and hello says {said}")]
    OtherCluster { certified: String, said: String },
    #[error(
        "the agent has version {agent} and the collector {collector}, which takes agents up to two minor versions \
         older and one newer: {remedy}"
    )]
    Version {
        agent: String,
        collector: String,
        remedy: &'static str,
    },
    #[error(
        "events.number: {got} where {wanted} must come; what is missing must be told as missing"
    )]
    Gap { wanted: u64, got: u64 },
    #[error("a newer stream of {node} took its place")]
    Newer { node: NodeName },
    #[error("the certificate of {node} was revoked")]
    Revoked { node: NodeName },
    #[error("nothing was heard on this stream for {seconds} s")]
    Silent { seconds: u64 },
    #[error("the agent does not take what the collector sends")]
    DoesNotRead,
    #[error(
        "events were not taken while the ledger could not be written: connect again and send them again"
    )]
    EventsNotTaken,
    #[error("the collector ends")]
    Ends,
}

impl Refusal {
    pub(super) fn field(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Field {
            field: field.into(),
            why: why.into(),
        }
    }

    pub fn code(&self) -> Code {
        match self {
            Self::NoHello | Self::SecondHello | Self::Field { .. } | Self::Gap { .. } => {
                Code::InvalidArgument
            }
            Self::OtherNode { .. } | Self::OtherCluster { .. } | Self::Revoked { .. } => {
                Code::PermissionDenied
            }
            Self::Version { .. } => Code::FailedPrecondition,
            Self::Newer { .. } => Code::Aborted,
            Self::Silent { .. } => Code::DeadlineExceeded,
            Self::DoesNotRead => Code::ResourceExhausted,
            Self::EventsNotTaken | Self::Ends => Code::Unavailable,
        }
    }
}

impl From<&Refusal> for Status {
    fn from(refusal: &Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}
