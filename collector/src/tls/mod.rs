//! The doors: TLS 1.3 alone, a client certificate on the one for agents and people, none on the one for enrolment.
//!
//! tonic's own TLS takes 1.2, resumes sessions (whoever was revoked would come back with one), cannot change its
//! certificate, and has no limit on handshakes in flight. So the handshakes are made here, and tonic gets connections
//! that are through.

pub mod connections;
pub mod door;
pub(crate) mod handshakes;
mod verify;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use proto::tls::{ALPN, TlsError, provider};
use proto::token::Fingerprint;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use tonic::transport::Server;

use crate::identity::{Identities, IdentityError};
use verify::OnlyLiving;

/// A client that is silent is asked whether it lives, and is gone if it does not answer.
const KEEPALIVE: Duration = Duration::from_secs(20);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(10);
/// Calls at the same time on one connection.
const STREAMS: u32 = 32;
const FRAME_BYTES: u32 = 16 << 10;
const HEADER_BYTES: u32 = 16 << 10;
/// What a client may send before it was taken: on one stream, and on a connection.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 512 << 10;
/// Streams that a client opened and gave up before they were looked at.
const RESET_STREAMS: usize = 20;

/// The certificate that the collector shows; another one takes its place without a restart.
#[derive(Debug)]
pub struct OwnCertificate {
    identities: Arc<Identities>,
    current: RwLock<Shown>,
}

#[derive(Debug, Clone)]
struct Shown {
    key: Arc<CertifiedKey>,
    /// The CA that signed it.
    ca: Fingerprint,
}

impl Shown {
    fn make(identities: &Identities) -> Result<Self, IdentityError> {
        let ca = identities.signing()?;
        Ok(Self {
            key: Arc::new(ca.server(Timestamp::now())?),
            ca: ca.fingerprint(),
        })
    }
}

impl OwnCertificate {
    pub fn new(identities: &Arc<Identities>) -> Result<Self, IdentityError> {
        Ok(Self {
            current: RwLock::new(Shown::make(identities)?),
            identities: Arc::clone(identities),
        })
    }

    /// Another one is shown from now on; connections that are open stay.
    pub fn renew(&self) -> Result<(), IdentityError> {
        let next = Shown::make(&self.identities)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = next;
        Ok(())
    }

    /// One of the CA that signs now. Looked at in every handshake: whoever has a certificate of a new CA shall find the
    /// collector with one, too.
    pub(crate) fn follow(&self) -> Result<(), IdentityError> {
        if self.identities.signs()? == self.current().ca {
            return Ok(());
        }
        self.renew()?;
        tracing::info!("the collector has a certificate of its own from another CA");
        Ok(())
    }

    fn current(&self) -> Shown {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }
}

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // The one of before is shown where this fails, and the look after identity.db says why.
        let _ = self.follow();
        Some(self.current().key)
    }
}

/// TLS for agents and people: a certificate that was given out here, and lives.
pub fn with_certificates(
    identities: &Arc<Identities>,
    own: Arc<OwnCertificate>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let verifier = OnlyLiving::new(Arc::clone(identities));
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])
        .map_err(TlsError::Credentials)?;
    let config = builder.with_client_cert_verifier(Arc::new(verifier));
    Ok(finished(config.with_cert_resolver(own)))
}

/// TLS for enrolment: whoever comes has no certificate yet.
pub fn for_strangers(own: Arc<OwnCertificate>) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])
        .map_err(TlsError::Credentials)?;
    Ok(finished(
        builder.with_no_client_auth().with_cert_resolver(own),
    ))
}

fn finished(mut config: ServerConfig) -> Arc<ServerConfig> {
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

/// gRPC behind a door, with what one connection may ask of it.
pub fn server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_ANSWER))
        .max_concurrent_streams(STREAMS)
        .max_frame_size(FRAME_BYTES)
        .http2_max_header_list_size(HEADER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_max_pending_accept_reset_streams(Some(RESET_STREAMS))
}

#[cfg(test)]
mod tests;
