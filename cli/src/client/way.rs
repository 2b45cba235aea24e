//! One way to a collector: to its address as who an operator's file says, or over the socket of this node's agent as root
//! of the node. The agent passes bytes on with the node's certificate; what it may be asked so, the collector decides.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proto::dial::{dial, over};
use proto::role::{ON_BEHALF_OF, ROOT};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::Missed;

/// The agent looks for a collector before it answers.
const PATIENCE: Duration = Duration::from_secs(20);
/// The answer is one line, and what follows it is the collector's.
const MOST_LINE_BYTES: usize = 4 << 10;

#[derive(Debug)]
pub(super) enum Way {
    Collector {
        address: String,
        tls: Arc<ClientConfig>,
    },
    Agent {
        socket: PathBuf,
    },
}

/// What questions are sent over.
pub(super) type Line = InterceptedService<Channel, OnBehalf>;

/// Says for whom the node asks, where it is a node that asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnBehalf {
    is_root: bool,
}

impl Interceptor for OnBehalf {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if self.is_root {
            let root = MetadataValue::from_static(ROOT);
            request.metadata_mut().insert(ON_BEHALF_OF, root);
        }
        Ok(request)
    }
}

/// A collector that is connected, and where it is.
pub(super) struct Opened {
    pub(super) address: String,
    pub(super) line: Line,
}

impl Way {
    pub(super) async fn open(&self) -> Result<Opened, Missed> {
        let (address, channel, is_root) = match self {
            Self::Collector { address, tls } => {
                let channel = dial(address, Arc::clone(tls)).await?;
                (address.clone(), channel, false)
            }
            Self::Agent { socket } => {
                let (address, stream) = through(socket).await?;
                let channel = over(&address, stream).await?;
                (address, channel, true)
            }
        };
        let line = InterceptedService::new(channel, OnBehalf { is_root });
        Ok(Opened { address, line })
    }
}

/// The agent's answer to `collector`.
#[derive(serde::Deserialize)]
struct Answer {
    connected_to: Option<String>,
    error: Option<String>,
}

async fn through(socket: &PathBuf) -> Result<(String, UnixStream), Missed> {
    let missed = |why: String| Missed::Agent {
        socket: socket.clone(),
        why,
    };
    let failed = |error: io::Error| missed(error.to_string());
    let asked = timeout(PATIENCE, async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(b"collector\n").await?;
        let line = line(&mut stream).await?;
        Ok((line, stream))
    });
    let (line, stream) = match asked.await {
        Ok(asked) => asked.map_err(failed)?,
        Err(_) => {
            let why = format!("it did not answer within {} s", PATIENCE.as_secs());
            return Err(missed(why));
        }
    };
    let answer: Answer = serde_json::from_slice(&line)
        .map_err(|_| missed("its answer makes no sense".to_owned()))?;
    match answer {
        Answer {
            connected_to: Some(address),
            ..
        } => Ok((address, stream)),
        Answer { error, .. } => Err(missed(error.unwrap_or_default())),
    }
}

/// No byte behind the line is taken: it is not for us to read.
async fn line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while line.len() < MOST_LINE_BYTES {
        match stream.read_u8().await? {
            b'\n' => return Ok(line),
            byte => line.push(byte),
        }
    }
    Err(io::Error::other("its answer has no end"))
}
