//! Why corosync does not answer, in words.

use rust_corosync::CsError;

use crate::host::{Host, said};

/// The configuration without which a node has no corosync.
const CONF: &str = "etc/corosync/corosync.conf";

/// Corosync did not answer, or does no longer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Away {
    #[error("corosync is not running: nobody answers at its {service} socket ({error})")]
    NotRunning {
        service: &'static str,
        error: CsError,
    },
    /// It is starting, or has no room for one more connection now.
    #[error("corosync takes no questions now: its {service} service says {error}")]
    NotReady {
        service: &'static str,
        error: CsError,
    },
    #[error(
        "corosync does not let this user ask it ({service}): it must be root or be named in /etc/corosync/uidgid.d"
    )]
    NotAllowed { service: &'static str },
    #[error(
        "there is no shared memory for a connection to corosync's {service} service: /dev/shm is full ({error})"
    )]
    NoRoom {
        service: &'static str,
        error: CsError,
    },
    #[error("corosync stopped answering: {what} came back with {error}")]
    Lost { what: &'static str, error: CsError },
    #[error("corosync answers, but does not tell who is a member")]
    NoMembership,
    #[error("corosync cannot be asked: {why}")]
    Here { why: String },
}

impl Away {
    /// Why a connection could not be opened.
    pub(super) fn closed(service: &'static str) -> impl Fn(CsError) -> Self {
        move |error| match error {
            CsError::CsErrTryAgain
            | CsError::CsErrTimeout
            | CsError::CsErrBusy
            | CsError::CsErrQueueFull => Self::NotReady { service, error },
            CsError::CsErrAccess | CsError::CsErrSecurity => Self::NotAllowed { service },
            CsError::CsErrNoSpace | CsError::CsErrNoMemory => Self::NoRoom { service, error },
            _ => Self::NotRunning { service, error },
        }
    }

    pub(super) fn lost(what: &'static str) -> impl Fn(CsError) -> Self {
        move |error| Self::Lost { what, error }
    }

    /// Is it away because this node has none? Without a configuration corosync cannot be started.
    pub(crate) fn is_absence(&self, host: &Host) -> bool {
        matches!(self, Self::NotRunning { .. }) && matches!(host.read(CONF), Ok(None))
    }

    /// Something of this process, not of corosync, was in the way.
    pub(super) fn here(error: &dyn std::error::Error) -> Self {
        Self::Here { why: said(error) }
    }
}
