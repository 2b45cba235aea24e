//! Which cluster this node belongs to, and how it is called there.
//!
//! A cluster is known by the unit (OU) in the subject of Proxmox VE's own CA, a UUID that was made with the cluster:
//! many clusters are called `pve`. Without a UUID there, by the digest of that CA's public key; without Proxmox VE by an
//! id that is minted at the first join and kept in the state directory. Names are those of corosync.conf.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use model::fact::corosync_conf::CorosyncConf;
use model::identity::ClusterId;
use model::name::NodeName;
use model::parse::corosync_conf;
use model::text::{BadLine, Unreadable};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::certificate::Authority;
use crate::host::{Host, HostError};

/// The authority that Proxmox VE makes with a cluster.
const PVE_CA: &str = "etc/pve/pve-root-ca.pem";
/// Where this is, `/etc/pve` must be, too: without it the cluster would get a second identity.
const PVE_PROGRAM: &str = "usr/bin/pvecm";
/// The cluster's own copy first: corosync's own can be that of a node that was away.
const CONFS: [&str; 2] = ["etc/pve/corosync.conf", "etc/corosync/corosync.conf"];
const HOST_NAME: &str = "proc/sys/kernel/hostname";
const MINTED: &str = "cluster-id";
/// Where the digits of a UUID stand that are not random.
const VERSION_BIT: u32 = 76;
const VARIANT_BIT: u32 = 60;

#[derive(Debug, thiserror::Error)]
pub(crate) enum MembershipError {
    #[error(transparent)]
    Read(#[from] HostError),
    #[error(
        "/{PVE_CA} cannot be read as a certificate; without it the cluster's identity is not known"
    )]
    Authority,
    #[error(
        "this node runs Proxmox VE, but /{PVE_CA} is not there: start pve-cluster (systemctl start pve-cluster) and try \
         again"
    )]
    NotMounted,
    #[error("--cluster-id is for clusters without Proxmox VE; the id of this one is {id}")]
    IdOfPve { id: ClusterId },
    #[error(
        "this node's cluster already has the id {id} in {path}, not {wanted}; remove that file if it is wrong"
    )]
    OtherId {
        path: PathBuf,
        id: ClusterId,
        wanted: ClusterId,
    },
    #[error("{path} does not hold the id of a cluster; remove it to join as a new cluster")]
    BadMinted { path: PathBuf },
    #[error("{path} cannot be read or written")]
    Minted { path: PathBuf, source: io::Error },
    #[error("/{path} cannot be read as a corosync.conf")]
    Conf { path: String, source: Unreadable },
    #[error("corosync.conf is not to be relied on: {line}; corosync itself refuses it (/{path})")]
    BadConf { path: String, line: BadLine },
    #[error("a node in corosync.conf has no name: give each a `name`")]
    Nameless,
    #[error("the random numbers of this machine are not to be had")]
    NoRandom,
    #[error("this machine has no name that a node can have; say which one it is with --node NAME")]
    NoName,
    #[error("corosync.conf has no node {name}: it lists {}", list(nodelist))]
    NotListed {
        name: NodeName,
        nodelist: Vec<NodeName>,
    },
    #[error(
        "corosync.conf lists {}, and this machine is called {name}: say which of them it is with --node NAME",
        list(nodelist)
    )]
    WhichNode {
        name: NodeName,
        nodelist: Vec<NodeName>,
    },
}

/// A node of a cluster, as it presents itself to a collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) cluster: ClusterId,
    pub(crate) cluster_name: String,
    pub(crate) node: NodeName,
    /// All names in corosync.conf; this node's alone where there is none.
    pub(crate) nodelist: Vec<NodeName>,
    /// Whether its id comes from Proxmox VE.
    pub(crate) is_pve: bool,
}

/// What whoever joins says of the node himself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) node: Option<NodeName>,
    /// The id that another node of a cluster without Proxmox VE has minted.
    pub(crate) cluster: Option<ClusterId>,
}

impl Membership {
    /// Reads it from this node. It can mint an id, and keeps it in `state_dir`.
    pub(crate) fn of(host: &Host, state_dir: &Path, said: &Said) -> Result<Self, MembershipError> {
        let conf = conf(host)?;
        let nodelist = match &conf {
            Some(conf) => conf.node_names().ok_or(MembershipError::Nameless)?,
            None => Vec::new(),
        };
        let node = own_name(host, said.node.as_ref(), &nodelist)?;
        let pve = pve_cluster(host)?;
        let is_pve = pve.is_some();
        let cluster = match (pve, &said.cluster) {
            (Some(id), Some(wanted)) if id != *wanted => {
                return Err(MembershipError::IdOfPve { id });
            }
            (Some(id), _) => id,
            (None, wanted) => minted(state_dir, wanted.as_ref())?,
        };
        let name = conf.and_then(|conf| conf.totem.cluster_name);
        Ok(Self {
            cluster,
            cluster_name: name.unwrap_or_else(|| node.to_string()),
            nodelist: if nodelist.is_empty() {
                vec![node.clone()]
            } else {
                nodelist
            },
            node,
            is_pve,
        })
    }
}

/// The id of the cluster by its authority; `None`: this is no Proxmox VE.
pub(crate) fn pve_cluster(host: &Host) -> Result<Option<ClusterId>, MembershipError> {
    let Some(text) = host.read(PVE_CA)? else {
        return if host.is_there(PVE_PROGRAM) {
            Err(MembershipError::NotMounted)
        } else {
            Ok(None)
        };
    };
    let der = CertificateDer::from_pem_slice(text.text.as_bytes());
    let der = der.map_err(|_| MembershipError::Authority)?;
    let authority = Authority::read(&der).map_err(|_| MembershipError::Authority)?;
    let unit = authority.unit.map(|unit| unit.to_ascii_lowercase());
    if let Some(id) = unit.and_then(|unit| ClusterId::new(unit).ok()) {
        return Ok(Some(id));
    }
    let digest = proto::token::fingerprint(&authority.public_key);
    let id = ClusterId::new(format!("sha256-{}", hex(&digest)));
    id.map(Some).map_err(|_| MembershipError::Authority)
}

fn conf(host: &Host) -> Result<Option<CorosyncConf>, MembershipError> {
    for path in CONFS {
        let Some(text) = host.read(path)? else {
            continue;
        };
        let parsed = corosync_conf::parse(&text.text);
        let parsed = parsed.map_err(|source| MembershipError::Conf {
            path: path.to_owned(),
            source,
        })?;
        if let Some(line) = parsed.bad_lines.into_iter().next() {
            let path = path.to_owned();
            return Err(MembershipError::BadConf { path, line });
        }
        return Ok(Some(parsed.value));
    }
    Ok(None)
}

/// The machine's name, with or without its domain, must be one of the cluster's: nothing is guessed.
fn own_name(
    host: &Host,
    said: Option<&NodeName>,
    nodelist: &[NodeName],
) -> Result<NodeName, MembershipError> {
    let is_listed = |name: &NodeName| nodelist.is_empty() || nodelist.contains(name);
    if let Some(name) = said {
        if is_listed(name) {
            return Ok(name.clone());
        }
        return Err(MembershipError::NotListed {
            name: name.clone(),
            nodelist: nodelist.to_vec(),
        });
    }
    let text = host.read(HOST_NAME)?.map(|text| text.text);
    let whole = text.as_deref().map(str::trim).unwrap_or_default();
    let short = whole.split('.').next().unwrap_or_default();
    let short = NodeName::new(short).map_err(|_| MembershipError::NoName)?;
    let names = [Some(short.clone()), NodeName::new(whole).ok()];
    let listed = names.into_iter().flatten().find(is_listed);
    listed.ok_or_else(|| MembershipError::WhichNode {
        name: short,
        nodelist: nodelist.to_vec(),
    })
}

/// The id that was minted before, or else the one that is wanted, or else a new one.
fn minted(state_dir: &Path, wanted: Option<&ClusterId>) -> Result<ClusterId, MembershipError> {
    let path = state_dir.join(MINTED);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let id = ClusterId::new(text.trim());
            let id = id.map_err(|_| MembershipError::BadMinted { path: path.clone() })?;
            match wanted {
                Some(wanted) if *wanted != id => Err(MembershipError::OtherId {
                    path,
                    id,
                    wanted: wanted.clone(),
                }),
                _ => Ok(id),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = match wanted {
                Some(wanted) => wanted.clone(),
                None => mint()?,
            };
            keep(&path, &id).map_err(|source| MembershipError::Minted { path, source })?;
            Ok(id)
        }
        Err(source) => Err(MembershipError::Minted { path, source }),
    }
}

/// Complete under another name first: a file that is cut short would be no id.
fn keep(path: &Path, id: &ClusterId) -> io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    fs::create_dir_all(dir)?;
    let new = path.with_extension("new");
    let mut open = fs::OpenOptions::new();
    let mut file = open
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(&new)?;
    io::Write::write_all(&mut file, format!("{id}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    fs::File::open(dir)?.sync_all()
}

/// A UUID of version 4 (RFC 9562): random but for six bits.
fn mint() -> Result<ClusterId, MembershipError> {
    let mut bytes = [0_u8; 16];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| MembershipError::NoRandom)?;
    let number = u128::from_be_bytes(bytes);
    let number = number & !(0xf << VERSION_BIT | 0xc << VARIANT_BIT);
    let number = number | 0x4 << VERSION_BIT | 0x8 << VARIANT_BIT;
    let digits = format!("{number:032x}");
    let mut text = String::with_capacity(36);
    for (at, digit) in digits.chars().enumerate() {
        if [8, 12, 16, 20].contains(&at) {
            text.push('-');
        }
        text.push(digit);
    }
    ClusterId::new(text).map_err(|_| MembershipError::NoRandom)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn list(names: &[NodeName]) -> String {
    let names: Vec<_> = names.iter().map(NodeName::as_str).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
