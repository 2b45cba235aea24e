//! Opens a connection to a collector. A host of several addresses, of IPv6 and IPv4, is reached by whichever answers first;
//! a path that has died is noticed by the kernel, too (tcp(7)).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::tls::SERVER_NAME;

/// From the first packet to the end of the TLS handshake.
const DEADLINE: Duration = Duration::from_secs(10);
/// What was sent and is not acknowledged for so long ends the connection: TCP alone would try for a quarter of an hour.
/// With a heartbeat every 2 s, an agent is on another way before it is told of as silent.
const UNACKNOWLEDGED: Duration = Duration::from_secs(8);
/// A connection on which nothing is said is asked after; heartbeats come more often, so it costs nothing.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(10);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
/// Each address of a host has so much of a start before the next one (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);
/// More addresses of one host are not tried.
const MAX_ADDRESSES: usize = 8;

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
    let connector = service_fn(move |_: Uri| {
        let (to, tls) = (to.clone(), Arc::clone(&tls));
        async move { connect(&to, tls).await.map(TokioIo::new) }
    });
    endpoint
        .connect_timeout(DEADLINE)
        .connect_with_connector(connector)
        .await
        .map_err(|source| DialError::Connect {
            address: address.to_owned(),
            source,
        })
}

/// The same over a stream that leads to a collector already; `address` is what it is called in errors.
pub async fn over<S>(address: &str, stream: S) -> Result<Channel, DialError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut stream = Some(TokioIo::new(stream));
    // It is asked for once; a connection that broke is not made anew.
    let connector = service_fn(move |_: Uri| {
        let stream = stream.take().ok_or(io::ErrorKind::NotConnected);
        async { stream.map_err(io::Error::from) }
    });
    Endpoint::from_static("http://collector.invalid")
        .connect_with_connector(connector)
        .await
        .map_err(|source| DialError::Connect {
            address: address.to_owned(),
            source,
        })
}

/// Connects to `HOST:PORT`, and no more: for who passes on what another one says.
pub async fn connect(
    address: &str,
    tls: Arc<ClientConfig>,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let opened = async {
        let tcp = first(address).await?;
        tcp.set_nodelay(true)?;
        watched(&tcp)?;
        let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
        TlsConnector::from(tls).connect(name, tcp).await
    };
    let stream = timeout(DEADLINE, opened).await.map_err(|_| {
        io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within {} s", DEADLINE.as_secs()),
        )
    })??;
    Ok(stream)
}

fn watched(tcp: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(tcp);
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER);
    socket.set_tcp_keepalive(&keepalive.with_interval(KEEPALIVE_EVERY))
}

/// The first connection that comes about, over any of the addresses that the name stands for.
async fn first(address: &str) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    for (to, number) in lookup_host(address).await?.take(MAX_ADDRESSES).zip(0..) {
        attempts.spawn(async move {
            sleep(HEAD_START * number).await;
            TcpStream::connect(to).await
        });
    }
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    while let Some(attempt) = attempts.join_next().await {
        match attempt.map_err(io::Error::other)? {
            Ok(tcp) => return Ok(tcp),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests;
