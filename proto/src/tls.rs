//! TLS as both ends speak it: version 1.3 alone, no sessions to resume (whoever was revoked would come back with one),
//! and a collector that is known by its CA and a fixed name, not by its address.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, version};

use crate::token::{Fingerprint, fingerprint};

/// The DNS name in every collector's certificate, wherever it runs.
pub const SERVER_NAME: &str = "collector.quorate.internal";
/// gRPC is HTTP/2 and nothing else.
pub const ALPN: &[u8] = b"h2";

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the certificate or its key cannot be used")]
    Credentials(#[source] rustls::Error),
    #[error("the trusted CA cannot be used")]
    Trust(#[source] rustls::Error),
    #[error("no trusted CA is known")]
    NoTrust,
}

/// The one provider of cryptography.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Certificates that the other end's must come from.
pub fn roots(trust: &[CertificateDer<'static>]) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in trust {
        roots.add(certificate.clone()).map_err(TlsError::Trust)?;
    }
    if roots.is_empty() {
        return Err(TlsError::NoTrust);
    }
    Ok(Arc::new(roots))
}

/// How whoever has a certificate speaks to a collector.
pub fn client(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    trust: &[CertificateDer<'static>],
) -> Result<ClientConfig, TlsError> {
    let config = builder()?
        .with_root_certificates(roots(trust)?)
        .with_client_auth_cert(chain, key)
        .map_err(TlsError::Credentials)?;
    Ok(finished(config))
}

/// The same, and what the collector shows is remembered. To be used for one connection.
pub fn client_seeing(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    trust: &[CertificateDer<'static>],
) -> Result<(ClientConfig, Shown), TlsError> {
    let shown = Shown::default();
    let seeing = Seeing {
        checks: verifier(roots(trust)?).map_err(TlsError::Trust)?,
        shown: shown.clone(),
    };
    let config = builder()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(seeing))
        .with_client_auth_cert(chain, key)
        .map_err(TlsError::Credentials)?;
    Ok((finished(config), shown))
}

/// The certificates that a collector showed on a connection, its own first, and when. Shared by its clones.
#[derive(Debug, Clone, Default)]
pub struct Shown(Arc<Mutex<Option<Handshake>>>);

#[derive(Debug, Clone)]
struct Handshake {
    certificates: Vec<CertificateDer<'static>>,
    at: UnixTime,
}

impl Shown {
    /// Whether one of these CAs signed it. Before anything was shown, none did. A connection outlives the certificate that it began
    /// with, so what counts is the time at which it was shown.
    pub fn is_of(&self, trust: &[CertificateDer<'static>]) -> Result<bool, TlsError> {
        let Some(Handshake { certificates, at }) = self.handshake().clone() else {
            return Ok(false);
        };
        let Some((own, between)) = certificates.split_first() else {
            return Ok(false);
        };
        let name = ServerName::try_from(SERVER_NAME);
        let name = name.map_err(|_| TlsError::NoTrust)?;
        let verifier = verifier(roots(trust)?).map_err(TlsError::Trust)?;
        let checked = verifier.verify_server_cert(own, between, &name, &[], at);
        Ok(checked.is_ok())
    }

    /// The fingerprint of that one of these CAs which signed it.
    pub fn ca(&self, trust: &[CertificateDer<'static>]) -> Option<Fingerprint> {
        let mut each = trust.iter();
        let ca = each.find(|ca| {
            self.is_of(std::slice::from_ref(*ca))
                .is_ok_and(|is_of| is_of)
        });
        ca.map(|ca| fingerprint(ca))
    }

    fn handshake(&self) -> MutexGuard<'_, Option<Handshake>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks as rustls does, and remembers what passed.
#[derive(Debug)]
struct Seeing {
    checks: Arc<WebPkiServerVerifier>,
    shown: Shown,
}

impl ServerCertVerifier for Seeing {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.checks.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        let all = std::iter::once(end_entity).chain(intermediates);
        *self.shown.handshake() = Some(Handshake {
            certificates: all.map(|one| one.clone().into_owned()).collect(),
            at: now,
        });
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.checks
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.checks
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.checks.supported_verify_schemes()
    }
}

/// How a node without a certificate speaks to the collector whose CA has this fingerprint.
pub fn stranger(ca: Fingerprint) -> Result<ClientConfig, TlsError> {
    let config = builder()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ByFingerprint { ca }))
        .with_no_client_auth();
    Ok(finished(config))
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])
        .map_err(TlsError::Credentials)
}

fn finished(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config
}

/// Trusts the CA with this fingerprint, which the collector shows behind its own certificate.
#[derive(Debug)]
struct ByFingerprint {
    ca: Fingerprint,
}

impl ServerCertVerifier for ByFingerprint {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let ca = intermediates
            .iter()
            .find(|shown| fingerprint(shown) == self.ca)
            .ok_or(rustls::Error::InvalidCertificate(
                rustls::CertificateError::UnknownIssuer,
            ))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        verifier(Arc::new(roots))?.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::PeerIncompatible(
            rustls::PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn verifier(roots: Arc<RootCertStore>) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
    WebPkiServerVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd,
    };

    const FIRST_OF_2020_S: u64 = 1_577_836_800;

    fn ca() -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    #[test]
    fn who_signed_what_was_shown_is_known_after_it_has_ended() {
        let (signer, other) = (ca(), ca());
        let mut params = CertificateParams::new(vec![SERVER_NAME.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 31);
        let own = params
            .signed_by(&KeyPair::generate().unwrap(), &signer)
            .unwrap();
        let trust = [signer.der().clone()];
        let seeing = Seeing {
            checks: verifier(roots(&trust).unwrap()).unwrap(),
            shown: Shown::default(),
        };
        let name = ServerName::try_from(SERVER_NAME).unwrap();
        let show = |day: u64| {
            let at =
                UnixTime::since_unix_epoch(Duration::from_secs(FIRST_OF_2020_S + day * 86_400));
            seeing.verify_server_cert(own.der(), &[], &name, &[], at)
        };
        assert!(show(40).is_err());
        assert!(!seeing.shown.is_of(&trust).unwrap());
        show(20).unwrap();
        assert!(seeing.shown.is_of(&trust).unwrap());
        assert!(!seeing.shown.is_of(&[other.der().clone()]).unwrap());
    }
}
