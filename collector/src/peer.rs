//! Who is at the other end of a connection: known from its certificate before a byte of a request is read.
//!
//! The doors of [`crate::tls`] put it into the extensions of every request, and nothing else does.

use std::net::SocketAddr;

use model::identity::Identity;
use proto::token::Fingerprint;
use tonic::{Request, Status};

/// Whoever showed a living certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub identity: Identity,
    /// Of its certificate, in hex digits as identity.db has it.
    pub serial: String,
    /// The fingerprint of the CA that signed it.
    pub ca: Fingerprint,
    pub address: SocketAddr,
}

/// Whoever opened a connection to the enrolment listener: nothing is known but where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stranger {
    pub address: SocketAddr,
}

/// Whose request this is. That it is nobody's cannot happen behind a door that asks for a certificate.
pub fn peer<T>(request: &Request<T>) -> Result<Peer, Status> {
    let peer = request.extensions().get::<Peer>();
    peer.cloned()
        .ok_or_else(|| Status::unauthenticated("this request came without a certificate"))
}
