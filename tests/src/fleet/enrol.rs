//! The certificates of simulated agents: taken from a directory, or enrolled with a token as `quorate-agent join` does.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto::dial::dial;
use proto::tls;
use proto::token::JoinToken;
use proto::v1;
use proto::v1::enrolment_client::EnrolmentClient;
use rcgen::{CertificateParams, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use tonic::transport::Channel;

use super::tally::Tally;
use super::{Name, Options};

/// How many enrol at the same time; the collector signs for each.
const AT_ONCE: usize = 8;

/// A node with its certificate, as it is kept in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Enrolled {
    pub(super) cluster: String,
    pub(super) cluster_name: String,
    pub(super) node: String,
    pub(super) addresses: Vec<String>,
    key: String,
    chain: Vec<String>,
    trust: Vec<String>,
}

impl Enrolled {
    pub(super) fn tls(&self) -> Result<Arc<ClientConfig>> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(STANDARD.decode(&self.key)?));
        let config = tls::client(certificates(&self.chain)?, key, &certificates(&self.trust)?)?;
        Ok(Arc::new(config))
    }
}

fn certificates(texts: &[String]) -> Result<Vec<CertificateDer<'static>>> {
    let der = |text: &String| Ok(CertificateDer::from(STANDARD.decode(text)?));
    texts.iter().map(der).collect()
}

/// A certificate for each name, in the same order.
pub(super) async fn all(
    options: &Options,
    names: Vec<Name>,
    tally: &Tally,
) -> Result<Vec<Enrolled>> {
    let dir = options.identities.as_deref();
    if let Some(dir) = dir {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let kept: Vec<Option<Enrolled>> = names
        .iter()
        .map(|name| dir.map_or(Ok(None), |dir| load(&file(dir, name))))
        .collect::<Result<_>>()?;
    let missing: Vec<Name> = kept
        .iter()
        .zip(&names)
        .filter(|(kept, _)| kept.is_none())
        .map(|(_, name)| name.clone())
        .collect();
    let mut new = enrol(options, missing, tally).await?.into_iter();
    kept.into_iter()
        .map(|kept| {
            kept.or_else(|| new.next())
                .context("an agent was left without a certificate")
        })
        .collect()
}

fn file(dir: &Path, name: &Name) -> PathBuf {
    dir.join(format!("{}-{}.json", name.cluster, name.node))
}

fn load(path: &Path) -> Result<Option<Enrolled>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text).with_context(|| {
            format!("{} is no certificate of a simulated agent", path.display())
        })?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn save(path: &Path, enrolled: &Enrolled) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    let file = file.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(serde_json::to_writer(file, enrolled)?)
}

async fn enrol(options: &Options, names: Vec<Name>, tally: &Tally) -> Result<Vec<Enrolled>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let (Some(address), Some(token)) = (&options.enrolment, &options.token) else {
        bail!(
            "{} agents have no certificate: give --enrolment and --token",
            names.len()
        );
    };
    let stranger = Arc::new(tls::stranger(token.parse::<JoinToken>()?.ca())?);
    let share = names.len().div_ceil(AT_ONCE);
    let mut workers = Vec::new();
    for names in names.chunks(share) {
        let names = names.to_vec();
        let (address, stranger) = (address.clone(), Arc::clone(&stranger));
        let (token, dir) = (token.clone(), options.identities.clone());
        workers.push(tokio::spawn(async move {
            let channel = dial(&address, stranger).await?;
            let mut enrolled = Vec::new();
            for name in names {
                let one = one(channel.clone(), &token, &name).await;
                let one = one.with_context(|| format!("{} of {}", name.node, name.cluster))?;
                if let Some(dir) = &dir {
                    save(&file(dir, &name), &one)?;
                }
                enrolled.push(one);
            }
            anyhow::Ok(enrolled)
        }));
    }
    let mut enrolled = Vec::new();
    for worker in workers {
        enrolled.extend(worker.await.context("an enrolment panicked")??);
    }
    tally.enrolled(enrolled.len());
    Ok(enrolled)
}

async fn one(channel: Channel, token: &str, name: &Name) -> Result<Enrolled> {
    let key = KeyPair::generate()?;
    let request = CertificateParams::new(Vec::new())?.serialize_request(&key)?;
    let request = v1::EnrolRequest {
        token: token.to_owned(),
        cluster: Some(v1::Cluster {
            id: name.cluster.to_string(),
            name: name.cluster_name.clone(),
        }),
        node: name.node.clone(),
        certificate_request: request.der().to_vec(),
        nodelist: name.nodelist.to_vec(),
        agent: Some(software(env!("CARGO_PKG_VERSION"))),
        authority: None,
    };
    let answer = EnrolmentClient::new(channel)
        .enrol(request)
        .await?
        .into_inner();
    let credentials = answer.credentials.context("no credentials in the answer")?;
    let encode = |all: &[Vec<u8>]| all.iter().map(|der| STANDARD.encode(der)).collect();
    Ok(Enrolled {
        cluster: name.cluster.to_string(),
        cluster_name: name.cluster_name.clone(),
        node: name.node.clone(),
        addresses: answer.addresses,
        key: STANDARD.encode(key.serialize_der()),
        chain: encode(&credentials.chain),
        trust: encode(&credentials.trust),
    })
}

pub(super) fn software(version: &str) -> v1::Software {
    v1::Software {
        version: version.to_owned(),
        capabilities: Vec::new(),
    }
}
