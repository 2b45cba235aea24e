//! The way to a collector: the operator's file, which says where it is, whom to trust and who asks; and the call. Root on a
//! node needs no file: where there is none, the node's agent is asked to pass it on.
//!
//! The file is what `quorate-collector operator add` writes. It holds a key, and is refused if others may read it.

mod alerts;
mod gate;
mod history;
pub(crate) mod own_node;
mod way;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proto::dial::DialError;
use proto::tls::{self, TlsError};
use proto::v1;
use proto::v1::query_client::QueryClient;
use rustls::ClientConfig;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tonic::{Code, Response, Status};

use crate::show;
use way::{Line, Way};

pub(crate) use alerts::Receivers;
pub(crate) use history::{Told, notice};

/// Names the operator's file, where no option does.
const VARIABLE: &str = "QUORATE_IDENTITY";
/// Below the home directory.
const OWN: &str = ".config/quorate/identity.json";
const OF_THE_MACHINE: &str = "/etc/quorate/identity.json";
/// Of this node's agent.
pub(crate) const SOCKET: &str = "/run/quorate/agent.sock";
/// Bits of a mode that let group and others in.
const OTHERS: u32 = 0o077;
const MOST_BYTES: u64 = 1 << 20;
/// For the answer, once there is a connection.
const DEADLINE: Duration = Duration::from_secs(10);
/// A status of 2,000 nodes has about 1 MiB.
const MOST_ANSWER_BYTES: usize = 64 << 20;

/// Which collector to ask, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Whom {
    /// The operator's file [default: $QUORATE_IDENTITY, ~/.config/quorate/identity.json, /etc/quorate/identity.json; on a
    /// node without one, root's questions go over its agent]
    #[arg(long, value_name = "FILE", global = true)]
    identity: Option<PathBuf>,
    /// Another address than those in the file
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port, global = true)]
    collector: Option<String>,
}

fn host_port(text: &str) -> Result<String, &'static str> {
    let is_one = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if is_one {
        Ok(text.to_owned())
    } else {
        Err("an address is HOST:PORT, as in 192.0.2.10:7460")
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error(
        "there is no {}, and no agent at {SOCKET}: on the collector, `quorate-collector operator add NAME --out FILE` \
         makes an operator's file; put it there with mode 0600, or name it with --identity. On a node whose agent runs, \
         root needs none",
        listed(tried)
    )]
    NoIdentity { tried: Vec<PathBuf> },
    #[error(
        "there is no {}: on the collector, `quorate-collector operator add NAME --out FILE` makes an operator's file, which \
         --identity names",
        path.display()
    )]
    NotThere { path: PathBuf },
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "others may read {} (mode {mode:04o}), and it holds a key: run `chmod 600 {}`; if somebody may have read it, make \
         a new one",
        path.display(),
        path.display()
    )]
    OthersMayRead { path: PathBuf, mode: u32 },
    #[error("{} is no operator's file", path.display())]
    NoOperatorsFile {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("{} has more than {MOST_BYTES} bytes: it is no operator's file", path.display())]
    TooLong { path: PathBuf },
    #[error("{}: {field} cannot be used", path.display())]
    Pem {
        path: PathBuf,
        field: &'static str,
        source: pem::Error,
    },
    #[error("{} cannot be used", path.display())]
    Tls { path: PathBuf, source: TlsError },
    #[error(
        "there is no {}, and only root may ask the agent at {SOCKET}",
        listed(tried)
    )]
    NotRoot { tried: Vec<PathBuf> },
    #[error(
        "--collector names another address for an operator's file, and there is no {}",
        listed(tried)
    )]
    NoIdentityFor { tried: Vec<PathBuf> },
    #[error("{} names no collector: name one with --collector HOST:PORT", path.display())]
    NoAddress { path: PathBuf },
    #[error("this machine cannot open connections")]
    Runtime(#[source] io::Error),
    #[error("no collector answers: {}", because(tried))]
    Unreachable { tried: Vec<Missed> },
    #[error("the collector at {address} says: {}", show::foreign(status.message()))]
    Refused { address: String, status: Status },
    #[error("the collector at {address} knows no cluster {cluster:?}; `quorate status` shows all")]
    NoSuchCluster { address: String, cluster: String },
}

impl NoAnswer {
    /// The question may have been heard, and the answer was lost.
    fn is_broken_off(&self) -> bool {
        let is_lost = |missed: &Missed| {
            matches!(
                missed,
                Missed::Late { .. } | Missed::Broken { .. } | Missed::Ended { .. }
            )
        };
        matches!(self, Self::Unreachable { tried } if tried.iter().any(is_lost))
    }
}

/// An address that gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Missed {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("{address} did not answer within {} s", DEADLINE.as_secs())]
    Late { address: String },
    #[error("{address} broke off")]
    Broken { address: String, source: Status },
    #[error("{address} ended the answer")]
    Ended { address: String },
    #[error("the agent of this node ({}) cannot pass it on: {why}", socket.display())]
    Agent { socket: PathBuf, why: String },
}

fn listed(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(" and no ")
}

fn because(tried: &[Missed]) -> String {
    let each: Vec<String> = tried
        .iter()
        .map(|missed| show::foreign(&show::with_causes(missed)))
        .collect();
    each.join("; ")
}

/// The operator's file. Keys that a newer collector may write are ignored.
#[derive(serde::Deserialize)]
struct OperatorsFile {
    addresses: Vec<String>,
    certificate_pem: String,
    key_pem: String,
    trust_pem: String,
}

/// A collector that can be asked.
#[derive(Debug)]
pub(crate) struct Client {
    ways: Vec<Way>,
}

/// The status, and which collector gave it.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) address: String,
    pub(crate) status: v1::GetStatusResponse,
    /// By the id of the cluster, where they were asked for: [`Client::glance`].
    pub(crate) receivers: BTreeMap<String, Receivers>,
}

impl Client {
    pub(crate) fn new(whom: &Whom) -> Result<Self, NoAnswer> {
        let (path, file) = match operators_file(whom.identity.as_deref()) {
            Err(NoAnswer::NoIdentity { tried }) => return over_the_agent(whom, tried),
            found => found?,
        };
        let tls = Arc::new(file.tls(&path)?);
        let addresses = match &whom.collector {
            Some(address) => vec![address.clone()],
            None => file.addresses,
        };
        if addresses.is_empty() {
            return Err(NoAnswer::NoAddress { path });
        }
        let way = |address| Way::Collector {
            address,
            tls: Arc::clone(&tls),
        };
        let ways = addresses.into_iter().map(way).collect();
        Ok(Self { ways })
    }

    /// Asks the first collector that answers for one cluster, or for all of them.
    pub(crate) fn status(
        &self,
        cluster: Option<&str>,
        with_closed_incidents: bool,
    ) -> Result<Answered, NoAnswer> {
        let request = v1::GetStatusRequest {
            cluster: cluster.unwrap_or_default().to_owned(),
            with_closed_incidents,
        };
        let (address, answer) =
            self.ask(&async |line| query(line).get_status(request.clone()).await)?;
        judged(address, cluster, answer)
    }

    pub(crate) fn what_if(
        &self,
        request: &v1::WhatIfRequest,
    ) -> Result<v1::WhatIfResponse, NoAnswer> {
        self.answered(&async |line| query(line).what_if(request.clone()).await)
    }

    pub(crate) fn risks(
        &self,
        request: &v1::ListRisksRequest,
    ) -> Result<v1::ListRisksResponse, NoAnswer> {
        self.answered(&async |line| query(line).list_risks(request.clone()).await)
    }

    pub(crate) fn verdict(
        &self,
        cluster: &str,
        id: &str,
    ) -> Result<v1::GetVerdictResponse, NoAnswer> {
        let request = v1::GetVerdictRequest {
            cluster: cluster.to_owned(),
            id: id.to_owned(),
        };
        self.answered(&async |line| query(line).get_verdict(request.clone()).await)
    }

    pub(crate) fn verdicts(&self, cluster: &str) -> Result<v1::ListVerdictsResponse, NoAnswer> {
        let request = v1::ListVerdictsRequest {
            cluster: cluster.to_owned(),
            most: 0,
        };
        self.answered(&async |line| query(line).list_verdicts(request.clone()).await)
    }

    /// What the first collector that says something answers.
    fn answered<T>(
        &self,
        question: &impl AsyncFn(Line) -> Result<Response<T>, Status>,
    ) -> Result<T, NoAnswer> {
        let (address, answer) = self.ask(question)?;
        answer.map_err(|status| NoAnswer::Refused { address, status })
    }

    /// Asks one collector after the other, until one says something, yes or no; and which it was.
    fn ask<T>(
        &self,
        question: &impl AsyncFn(Line) -> Result<Response<T>, Status>,
    ) -> Result<(String, Result<T, Status>), NoAnswer> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(NoAnswer::Runtime)?;
        runtime.block_on(async {
            let mut tried = Vec::new();
            for way in &self.ways {
                match ask_one(way, question).await {
                    Ok(answered) => return Ok(answered),
                    Err(missed) => tried.push(missed),
                }
            }
            Err(NoAnswer::Unreachable { tried })
        })
    }
}

/// Root on a node needs no file.
fn over_the_agent(whom: &Whom, tried: Vec<PathBuf>) -> Result<Client, NoAnswer> {
    let socket = PathBuf::from(SOCKET);
    if !socket.exists() {
        return Err(NoAnswer::NoIdentity { tried });
    }
    if whom.collector.is_some() {
        return Err(NoAnswer::NoIdentityFor { tried });
    }
    if let Err(error) = std::os::unix::net::UnixStream::connect(&socket)
        && error.kind() == io::ErrorKind::PermissionDenied
    {
        return Err(NoAnswer::NotRoot { tried });
    }
    let ways = vec![Way::Agent { socket }];
    Ok(Client { ways })
}

/// What the collector says, and which it is; an error only if another one is worth a try.
async fn ask_one<T>(
    way: &Way,
    question: &impl AsyncFn(Line) -> Result<Response<T>, Status>,
) -> Result<(String, Result<T, Status>), Missed> {
    let way::Opened { address, line } = way.open().await?;
    match tokio::time::timeout(DEADLINE, question(line)).await {
        Err(_) => Err(Missed::Late { address }),
        Ok(Ok(answer)) => Ok((address, Ok(answer.into_inner()))),
        Ok(Err(source)) if is_of_the_way(&source) => Err(Missed::Broken { address, source }),
        Ok(Err(refused)) => Ok((address, Err(refused))),
    }
}

fn query(line: Line) -> QueryClient<Line> {
    QueryClient::new(line).max_decoding_message_size(MOST_ANSWER_BYTES)
}

/// Whether the connection failed, and not the question. A certificate that the collector does not take ends the
/// connection after its handshake.
fn is_of_the_way(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded
    ) || std::error::Error::source(status).is_some()
}

fn judged(
    address: String,
    cluster: Option<&str>,
    answer: Result<v1::GetStatusResponse, Status>,
) -> Result<Answered, NoAnswer> {
    match (answer, cluster) {
        (Ok(status), Some(cluster)) if status.clusters.is_empty() => Err(NoAnswer::NoSuchCluster {
            address,
            cluster: cluster.to_owned(),
        }),
        (Ok(status), _) => Ok(Answered {
            address,
            status,
            receivers: BTreeMap::new(),
        }),
        (Err(status), Some(cluster)) if status.code() == Code::NotFound => {
            Err(NoAnswer::NoSuchCluster {
                address,
                cluster: cluster.to_owned(),
            })
        }
        (Err(status), _) => Err(NoAnswer::Refused { address, status }),
    }
}

/// The one that is named, which must be there; else the first that there is.
fn operators_file(named: Option<&Path>) -> Result<(PathBuf, OperatorsFile), NoAnswer> {
    let variable = || std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    let named = named.map(Path::to_owned);
    if let Some(path) = named.or_else(|| variable().map(PathBuf::from)) {
        return match read(&path) {
            Err(NoAnswer::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(NoAnswer::NotThere { path })
            }
            read => read.map(|file| (path, file)),
        };
    }
    let own = std::env::home_dir().map(|home| home.join(OWN));
    let places: Vec<PathBuf> = own
        .into_iter()
        .chain([PathBuf::from(OF_THE_MACHINE)])
        .collect();
    for path in &places {
        match read(path) {
            Err(NoAnswer::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(file) => return Ok((path.clone(), file)),
        }
    }
    Err(NoAnswer::NoIdentity { tried: places })
}

fn read(path: &Path) -> Result<OperatorsFile, NoAnswer> {
    use io::Read as _;
    let path = path.to_owned();
    let opened = std::fs::File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
    let (about, file) = match opened {
        Ok(opened) => opened,
        Err(source) => return Err(NoAnswer::Read { path, source }),
    };
    let mode = about.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(NoAnswer::OthersMayRead { path, mode });
    }
    if about.len() > MOST_BYTES {
        return Err(NoAnswer::TooLong { path });
    }
    let mut text = Vec::new();
    if let Err(source) = file.take(MOST_BYTES).read_to_end(&mut text) {
        return Err(NoAnswer::Read { path, source });
    }
    serde_json::from_slice(&text).map_err(|source| NoAnswer::NoOperatorsFile { path, source })
}

impl OperatorsFile {
    fn tls(&self, path: &Path) -> Result<ClientConfig, NoAnswer> {
        let bad = |field| {
            move |source| NoAnswer::Pem {
                path: path.to_owned(),
                field,
                source,
            }
        };
        let chain = certificates(&self.certificate_pem).map_err(bad("certificate_pem"))?;
        let trust = certificates(&self.trust_pem).map_err(bad("trust_pem"))?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(bad("key_pem"))?;
        tls::client(chain, key, &trust).map_err(|source| NoAnswer::Tls {
            path: path.to_owned(),
            source,
        })
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>()?;
    if certificates.is_empty() {
        return Err(pem::Error::NoItemsFound);
    }
    Ok(certificates)
}
