//! Opens a connection to a collector.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::tls::SERVER_NAME;

/// From the first packet to the end of the TLS handshake.
const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("{address} is not HOST:PORT")]
    Address { address: String },
    #[error("no connection to {address}")]
    Connect {
        address: String,
        source: tonic::transport::Error,
    },
}

/// Connects to `HOST:PORT`. When the connection breaks, drop the channel: when to try again is for its user to decide.
pub async fn dial(address: &str, tls: Arc<ClientConfig>) -> Result<Channel, DialError> {
    let bad = || DialError::Address {
        address: address.to_owned(),
    };
    if !address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    {
        return Err(bad());
    }
    let endpoint = Endpoint::from_shared(format!("https://{address}")).map_err(|_| bad())?;
    let to = address.to_owned();
    let connector = service_fn(move |_: Uri| connect(to.clone(), Arc::clone(&tls)));
    endpoint
        .connect_timeout(DEADLINE)
        .connect_with_connector(connector)
        .await
        .map_err(|source| DialError::Connect {
            address: address.to_owned(),
            source,
        })
}

async fn connect(
    address: String,
    tls: Arc<ClientConfig>,
) -> io::Result<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>> {
    let opened = async {
        let tcp = TcpStream::connect(&address).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
        TlsConnector::from(tls).connect(name, tcp).await
    };
    let stream = timeout(DEADLINE, opened).await.map_err(|_| {
        io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within {} s", DEADLINE.as_secs()),
        )
    })??;
    Ok(TokioIo::new(stream))
}
