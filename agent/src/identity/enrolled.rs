//! What this node keeps of one enrolment, below `collectors/COLLECTOR-ID` in the agent's state directory:
//!
//! ```text
//! key.pem           the key of the node's certificate, 0600; made here, and sent to nobody
//! chain.pem         the certificate, and those between it and the CA
//! trust.pem         the CAs that the collector's certificate may come from
//! collector.json    where the collector is, and as whom it knows this node
//! ```
//!
//! One such directory is one collector. All four change together or not at all (`generation.rs`).

mod trust;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use model::identity::{ClusterId, is_uuid};
use model::name::NodeName;
use proto::tls::{self, Shown, TlsError};
use proto::token::{Fingerprint, fingerprint};
use proto::v1;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};

use super::certificate::{Leaf, NoCertificate};
use super::generation::{self, Content, Locked, StoreError};
pub(super) use trust::{MAX_CAS, check_trust};

pub(super) const COLLECTORS: &str = "collectors";
const KEY: &str = "key.pem";
const CHAIN: &str = "chain.pem";
const TRUST: &str = "trust.pem";
const ABOUT: &str = "collector.json";
const MAX_FILE_BYTES: u64 = 1 << 20;
/// A state can be replaced while it is read; then the next one is.
const READS: u32 = 8;
/// A certificate is renewed after this part of its life.
const RENEWED_AFTER: (i64, i64) = (2, 3);
/// And up to this part of its life later: nodes that joined together do not renew together.
const RENEWED_WITHIN: i64 = 20;

/// Why what is kept of an enrolment cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnrolledError {
    #[error("{path} cannot be read")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is larger than {} MiB", MAX_FILE_BYTES >> 20)]
    TooLarge { path: PathBuf },
    #[error(
        "{path} is damaged: join again with `quorate-agent join ... --replace`, or remove the enrolment with \
         `quorate-agent leave`"
    )]
    Damaged {
        path: PathBuf,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("this node is not enrolled with {collector} any more")]
    Gone { collector: String },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the collector sent no CA to trust; what was trusted before stays")]
    NoTrust,
    #[error(
        "the collector sent {count} CAs to trust, more than {MAX_CAS}; what was trusted before stays"
    )]
    TooManyCas { count: usize },
    #[error(
        "the collector sent CAs to trust of which none signed the certificate that it shows on this connection; what was \
         trusted before stays"
    )]
    OtherTrust,
}

/// The collector that decides for the cluster, as this node was told last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authority {
    /// The collector's id, a UUID.
    pub(crate) collector: String,
    /// Goes up by one whenever the authority moves.
    pub(crate) epoch: u64,
}

impl From<v1::Authority> for Authority {
    fn from(wire: v1::Authority) -> Self {
        let v1::Authority { collector, epoch } = wire;
        Self { collector, epoch }
    }
}

impl From<Authority> for v1::Authority {
    fn from(authority: Authority) -> Self {
        let Authority { collector, epoch } = authority;
        Self { collector, epoch }
    }
}

/// One enrolment of this node. The values are those of the moment it was read; what changes is read or handed out anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enrolled {
    /// A UUID; also the name of the directory.
    pub(crate) collector_id: String,
    /// Where its Fleet listener is: HOST:PORT, to be tried in this order. At least one.
    pub(crate) addresses: Vec<String>,
    pub(crate) cluster: ClusterId,
    pub(crate) cluster_name: String,
    pub(crate) node: NodeName,
    /// Whether it decides for the cluster, as it said last.
    pub(crate) is_authority: bool,
    /// As it said last; `None`: it is an observer.
    pub(crate) authority: Option<Authority>,
    /// Who decides for the cluster, by what all collectors of this node said: handed on in Hello.
    pub(crate) told: Option<Authority>,
    pub(crate) dir: PathBuf,
    leaf: Leaf,
    trust: Vec<Fingerprint>,
}

/// A collector's id, and the enrolment with it, or why that cannot be used.
pub(crate) type Found = (String, Result<Enrolled, EnrolledError>);

/// The file `collector.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) addresses: Vec<String>,
    pub(super) cluster: ClusterId,
    pub(super) cluster_name: String,
    pub(super) node: NodeName,
    pub(super) is_authority: bool,
    pub(super) authority: Option<Authority>,
}

/// All that is kept of one enrolment. It holds the key, and is not to be printed.
pub(super) struct Kept {
    pub(super) key_pem: String,
    /// The node's own first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) trust: Vec<CertificateDer<'static>>,
    pub(super) about: About,
}

impl Enrolled {
    /// All enrolments of this node, by collector id. One that cannot be used makes the answer useless.
    pub(crate) fn all(state_dir: &Path) -> Result<Vec<Self>, EnrolledError> {
        let each = Self::each(state_dir)?;
        each.into_iter().map(|(_, one)| one).collect()
    }

    /// Each enrolment of this node by itself, by collector id.
    pub(crate) fn each(state_dir: &Path) -> Result<Vec<Found>, EnrolledError> {
        let dir = state_dir.join(COLLECTORS);
        let mut each = Vec::new();
        for name in generation::names(&dir)? {
            // Whatever else lies there is not ours.
            if is_uuid(&name)
                && let Some(one) = Self::of(&dir, &name).transpose()
            {
                each.push((name, one));
            }
        }
        let known: Vec<Self> = each
            .iter()
            .filter_map(|(_, one)| one.as_ref().ok().cloned())
            .collect();
        for (_, one) in &mut each {
            if let Ok(one) = one {
                one.told = told(&known, &one.cluster, &one.collector_id);
            }
        }
        Ok(each)
    }

    /// Whether a stream that was opened with `before` is to make way for a new one.
    pub(crate) fn needs_new_stream(&self, before: &Self) -> bool {
        let before = Self {
            is_authority: self.is_authority,
            // A stream that is open was verified; the next one is by the CAs of then.
            trust: self.trust.clone(),
            ..before.clone()
        };
        *self != before
    }

    /// `None`: this node is not enrolled with that collector.
    fn of(collectors: &Path, collector_id: &str) -> Result<Option<Self>, EnrolledError> {
        let Some(kept) = Kept::read(collectors, collector_id)? else {
            return Ok(None);
        };
        let dir = collectors.join(collector_id);
        let damaged = |source| damaged(&dir.join(CHAIN), source);
        let leaf = kept.leaf().map_err(damaged)?;
        let trust = kept.trust.iter().map(|der| fingerprint(der)).collect();
        let About {
            addresses,
            cluster,
            cluster_name,
            node,
            is_authority,
            authority,
        } = kept.about;
        Ok(Some(Self {
            collector_id: collector_id.to_owned(),
            addresses,
            cluster,
            cluster_name,
            node,
            is_authority,
            told: authority.clone(),
            authority,
            dir,
            leaf,
            trust,
        }))
    }

    /// Keeps a new enrolment, or replaces the one with the same collector.
    pub(super) fn store(
        state_dir: &Path,
        collector_id: &str,
        kept: &Kept,
    ) -> Result<Self, EnrolledError> {
        let dir = state_dir.join(COLLECTORS);
        let locked = Locked::open(&dir)?;
        locked.store(collector_id, &kept.files()?)?;
        Self::of(&dir, collector_id)?.ok_or_else(|| gone(collector_id))
    }

    /// Removes all that is kept of it; false if nothing is any more.
    pub(crate) fn forget(&self) -> Result<bool, EnrolledError> {
        Ok(Locked::open(self.collectors())?.forget(&self.collector_id)?)
    }

    /// How this node speaks to the collector: read anew at each call, so that whoever connects has the newest.
    pub(crate) fn tls(&self) -> Result<Arc<ClientConfig>, EnrolledError> {
        let kept = self.kept()?;
        Ok(Arc::new(kept.tls()?))
    }

    /// The same for one connection, with what the collector shows on it.
    pub(crate) fn tls_seeing(&self) -> Result<(Arc<ClientConfig>, Shown), EnrolledError> {
        let kept = self.kept()?;
        let (config, shown) = tls::client_seeing(kept.chain.clone(), kept.key()?, &kept.trust)?;
        Ok((Arc::new(config), shown))
    }

    /// The end of its certificate.
    pub(crate) fn not_after(&self) -> Timestamp {
        self.leaf.not_after
    }

    /// The moment from which on the certificate is to be renewed: after two thirds of its life and a little, which
    /// differs from certificate to certificate.
    pub(crate) fn renewed_from(&self) -> Timestamp {
        let Leaf {
            not_before,
            not_after,
            spread,
            ..
        } = self.leaf;
        let life_s = not_after.duration_since(not_before).as_secs();
        let (part, whole) = RENEWED_AFTER;
        let late_s = life_s / RENEWED_WITHIN * i64::from(spread) / i64::from(u8::MAX);
        let after = SignedDuration::from_secs(life_s / whole * part + late_s);
        not_before.checked_add(after).unwrap_or(not_after)
    }

    pub(crate) fn needs_renewal(&self, now: Timestamp) -> bool {
        self.renewed_from() <= now
    }

    /// A number that differs from certificate to certificate.
    pub(crate) fn spread(&self) -> u8 {
        self.leaf.spread
    }

    /// Whether this is the collector whose CA has this fingerprint.
    pub(crate) fn trusts(&self, ca: Fingerprint) -> bool {
        self.trust.contains(&ca)
    }

    /// Keeps a new key with its certificate, which replace the ones before in one step; hands out what is kept then. If other CAs were told
    /// and confirmed while the answer was on its way, they stay: the answer may be from before that.
    pub(super) fn store_renewed(
        &self,
        key_pem: String,
        chain: Vec<CertificateDer<'static>>,
        trust: Vec<CertificateDer<'static>>,
    ) -> Result<Self, EnrolledError> {
        self.change(|kept| {
            kept.key_pem = key_pem;
            kept.chain = chain;
            let of_now: Vec<Fingerprint> = kept.trust.iter().map(|ca| fingerprint(ca)).collect();
            if of_now == self.trust {
                kept.trust = trust;
            }
        })
    }

    /// Keeps whether the collector decides, as it said it (`Welcome`).
    pub(crate) fn store_authority(
        &self,
        authority: Option<Authority>,
        is_authority: bool,
    ) -> Result<Self, EnrolledError> {
        if self.authority == authority && self.is_authority == is_authority {
            return Ok(self.clone());
        }
        self.change(|kept| {
            kept.about.authority = authority;
            kept.about.is_authority = is_authority;
        })
    }

    fn change(&self, change: impl FnOnce(&mut Kept)) -> Result<Self, EnrolledError> {
        let dir = self.collectors();
        let locked = Locked::open(dir)?;
        let mut kept = self.kept()?;
        change(&mut kept);
        locked.store(&self.collector_id, &kept.files()?)?;
        Self::of(dir, &self.collector_id)?.ok_or_else(|| gone(&self.collector_id))
    }

    fn kept(&self) -> Result<Kept, EnrolledError> {
        let kept = Kept::read(self.collectors(), &self.collector_id)?;
        kept.ok_or_else(|| gone(&self.collector_id))
    }

    fn collectors(&self) -> &Path {
        self.dir.parent().unwrap_or(&self.dir)
    }
}

impl Kept {
    pub(super) fn leaf(&self) -> Result<Leaf, NoCertificate> {
        Leaf::read(self.chain.first().ok_or(NoCertificate)?)
    }

    /// Fails if the key is not that of the certificate, or there is nothing to trust.
    pub(super) fn tls(&self) -> Result<ClientConfig, TlsError> {
        tls::client(self.chain.clone(), self.key()?, &self.trust)
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let unusable =
            |_| TlsError::Credentials(rustls::Error::General("the key cannot be read".to_owned()));
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(unusable)
    }

    fn files(&self) -> Result<[Content; 4], EnrolledError> {
        let about = serde_json::to_vec_pretty(&self.about);
        let about = about.map_err(|source| damaged(Path::new(ABOUT), source))?;
        let file = |name, mode, bytes| Content { name, mode, bytes };
        Ok([
            file(KEY, 0o600, self.key_pem.clone().into_bytes()),
            file(CHAIN, 0o644, pem_of(&self.chain).into_bytes()),
            file(TRUST, 0o644, pem_of(&self.trust).into_bytes()),
            file(ABOUT, 0o644, about),
        ])
    }

    fn read(collectors: &Path, name: &str) -> Result<Option<Self>, EnrolledError> {
        let mut reads = 0;
        loop {
            let Some(state) = generation::current(collectors, name)? else {
                return Ok(None);
            };
            reads += 1;
            let read = Self::read_state(&state);
            if !matches!(read, Err(EnrolledError::Read { .. })) || reads == READS {
                return read.map(Some);
            }
            // What was replaced in the meantime is read where it is now.
            if generation::current(collectors, name)?.is_some_and(|now| now == state) {
                return read.map(Some);
            }
        }
    }

    fn read_state(state: &Path) -> Result<Self, EnrolledError> {
        let path = state.join(ABOUT);
        let about: About =
            serde_json::from_str(&text_of(&path)?).map_err(|source| damaged(&path, source))?;
        if about.addresses.is_empty() {
            return Err(damaged(&path, "there is no address in it"));
        }
        Ok(Self {
            key_pem: text_of(&state.join(KEY))?,
            chain: certificates_of(&state.join(CHAIN))?,
            trust: certificates_of(&state.join(TRUST))?,
            about,
        })
    }
}

/// Who decides for a cluster, by what these collectors said. Of two with the same epoch the one that is not `to`: who
/// hears of another like himself knows that it is not settled.
pub(super) fn told(known: &[Enrolled], cluster: &ClusterId, to: &str) -> Option<Authority> {
    let said = known.iter().filter(|one| one.cluster == *cluster);
    said.filter_map(|one| one.authority.clone())
        .max_by_key(|authority| (authority.epoch, authority.collector != to))
}

/// As they come over the wire.
pub(super) fn certificates(der: &[Vec<u8>]) -> Vec<CertificateDer<'static>> {
    der.iter().cloned().map(CertificateDer::from).collect()
}

fn pem_of(certificates: &[CertificateDer<'static>]) -> String {
    let blocks: Vec<_> = certificates
        .iter()
        .map(|der| pem::Pem::new("CERTIFICATE", der.to_vec()))
        .collect();
    let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_many_config(&blocks, lines)
}

fn certificates_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, EnrolledError> {
    let text = text_of(path)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let certificates = read.map_err(|source| damaged(path, source.to_string()))?;
    if certificates.is_empty() {
        return Err(damaged(path, "there is no certificate in it"));
    }
    Ok(certificates)
}

fn text_of(path: &Path) -> Result<String, EnrolledError> {
    let failed = |source| EnrolledError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text))
        .map_err(failed)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        let path = path.to_owned();
        return Err(EnrolledError::TooLarge { path });
    }
    Ok(text)
}

fn damaged(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> EnrolledError {
    EnrolledError::Damaged {
        path: path.to_owned(),
        source: source.into(),
    }
}

fn gone(collector_id: &str) -> EnrolledError {
    EnrolledError::Gone {
        collector: collector_id.to_owned(),
    }
}
