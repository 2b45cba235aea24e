//! A door: takes connections, makes their TLS handshakes, and lets in whoever may come in.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::codegen::tokio_stream::Stream;
use tonic::transport::server::Connected;

use super::connections::{Connections, Place};
use super::handshakes::{Handshakes, MOST, MOST_OF_ONE, source};
use crate::answer::chain;
use crate::identity::Identities;
use crate::peer::{Peer, Stranger};
use crate::refusal::{Reason, Refusals};

/// From the connection to the end of its handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Connections that the kernel holds for us, and that are through and wait for tonic.
const BACKLOG: u32 = 4_096;
const THROUGH: usize = 256;
/// After an error of `accept` that is not of one connection: no descriptors, no memory.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// Somebody who may come in.
#[derive(Debug)]
pub struct Admitted<G> {
    pub guest: G,
    /// Under whom the connection stands in the table.
    pub owner: String,
    /// When it ends at the latest.
    pub not_after: Option<Timestamp>,
}

/// Somebody who may not.
#[derive(Debug)]
pub struct Refused {
    pub reason: Reason,
    /// What the log says besides; it may be empty.
    pub more: String,
}

/// Who may come in, and for how long.
pub trait Host: Send + Sync + 'static {
    type Guest: Clone + Send + Sync + 'static;

    /// Whose connection this is.
    fn admit(
        &self,
        certificates: Option<&[CertificateDer<'_>]>,
        address: SocketAddr,
    ) -> Result<Admitted<Self::Guest>, Refused>;

    /// How long a connection may last whoever it is.
    fn longest(&self) -> Option<Duration>;
}

/// The host of agents and people.
#[derive(Debug)]
pub struct ForPeers {
    pub identities: Arc<Identities>,
}

impl Host for ForPeers {
    type Guest = Peer;

    fn admit(
        &self,
        certificates: Option<&[CertificateDer<'_>]>,
        address: SocketAddr,
    ) -> Result<Admitted<Peer>, Refused> {
        let shown = certificates.and_then(<[_]>::first);
        let refused = |reason, more| Refused { reason, more };
        let shown = shown.ok_or_else(|| refused(Reason::NoCertificate, String::new()))?;
        let known = self.identities.certificate(shown);
        let known = known.map_err(|error| refused(Reason::NotGivenOut, chain(&error)))?;
        let known = known.ok_or_else(|| refused(Reason::NotGivenOut, String::new()))?;
        if known.revoked.is_some() {
            return Err(refused(Reason::Revoked, known.identity.to_string()));
        }
        let peer = Peer {
            identity: known.identity,
            serial: known.serial.clone(),
            ca: known.ca,
            address,
        };
        Ok(Admitted {
            guest: peer,
            owner: known.serial,
            not_after: Some(known.not_after),
        })
    }

    fn longest(&self) -> Option<Duration> {
        None
    }
}

/// The host of those who want a certificate.
#[derive(Debug)]
pub struct ForStrangers {
    pub longest: Duration,
}

impl Host for ForStrangers {
    type Guest = Stranger;

    fn admit(
        &self,
        _: Option<&[CertificateDer<'_>]>,
        address: SocketAddr,
    ) -> Result<Admitted<Stranger>, Refused> {
        Ok(Admitted {
            guest: Stranger { address },
            owner: source(address).to_string(),
            not_after: None,
        })
    }

    fn longest(&self) -> Option<Duration> {
        Some(self.longest)
    }
}

/// Binds, so that whoever is in the backlog of a collector that just ended does not keep the port.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Connections that are through, for `serve_with_incoming`. Dropping it closes the listener.
#[derive(Debug)]
pub struct Incoming<G> {
    through: mpsc::Receiver<Connection<G>>,
    accepting: JoinHandle<()>,
}

impl<G> Drop for Incoming<G> {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl<G> Stream for Incoming<G> {
    type Item = io::Result<Connection<G>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.through.poll_recv(cx).map(|next| next.map(Ok))
    }
}

/// What all handshakes of a door need.
struct Door<H: Host> {
    host: H,
    tls: TlsAcceptor,
    connections: Arc<Connections>,
    refusals: Arc<Refusals>,
    handshakes: Mutex<Handshakes<(AbortHandle, SocketAddr)>>,
    through: mpsc::Sender<Connection<H::Guest>>,
}

/// Opens the door.
pub fn open<H: Host>(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    host: H,
    connections: Arc<Connections>,
    refusals: Arc<Refusals>,
) -> Incoming<H::Guest> {
    let (sender, through) = mpsc::channel(THROUGH);
    let door = Arc::new(Door {
        host,
        tls: TlsAcceptor::from(tls),
        connections,
        refusals,
        handshakes: Mutex::new(Handshakes::new(MOST, MOST_OF_ONE)),
        through: sender,
    });
    Incoming {
        through,
        accepting: tokio::spawn(door.accept(listener)),
    }
}

impl<H: Host> Door<H> {
    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((tcp, address)) => self.begin(tcp, address),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!("no connection can be taken: {error}");
                    let oldest = self.handshakes().drop_oldest();
                    self.give_way(oldest);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn begin(self: &Arc<Self>, tcp: TcpStream, address: SocketAddr) {
        let victim = {
            let mut handshakes = self.handshakes();
            let number = handshakes.next();
            let door = Arc::clone(self);
            let task = tokio::spawn(async move {
                door.shake(tcp, address).await;
                door.handshakes().leave(number);
            });
            handshakes.enter(source(address), (task.abort_handle(), address))
        };
        self.give_way(victim);
    }

    fn give_way(&self, victim: Option<(AbortHandle, SocketAddr)>) {
        if let Some((task, address)) = victim {
            task.abort();
            self.refusals.refuse(Reason::GaveWay, address, "");
        }
    }

    async fn shake(&self, tcp: TcpStream, address: SocketAddr) {
        // Whoever does not get its packets at once waits longer, and is let in all the same.
        let _ = tcp.set_nodelay(true);
        let tls = match timeout(HANDSHAKE, self.tls.accept(tcp)).await {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => {
                let (reason, more) = why(&error);
                return self.refusals.refuse(reason, address, more);
            }
            Err(_) => return self.refusals.refuse(Reason::TooSlow, address, ""),
        };
        let Some(admitted) = self.admit(&tls, address) else {
            return;
        };
        let (place, closed, victim) =
            self.connections
                .enter(admitted.owner, address, admitted.not_after);
        if let Some(victim) = victim {
            self.refusals.refuse(Reason::TooManyConnections, victim, "");
        }
        if let Some(longest) = self.host.longest() {
            self.close_after(longest, place.number());
        }
        let connection = Connection {
            tls,
            guest: admitted.guest,
            closed,
            is_closed: false,
            _place: place,
        };
        // It may have been revoked before it stood in the table, where it would be found.
        if self.admit(&connection.tls, address).is_none() {
            return;
        }
        // An error: the door was closed meanwhile.
        let _ = self.through.send(connection).await;
    }

    fn admit(&self, tls: &TlsStream<TcpStream>, address: SocketAddr) -> Option<Admitted<H::Guest>> {
        let certificates = tls.get_ref().1.peer_certificates();
        match self.host.admit(certificates, address) {
            Ok(admitted) => Some(admitted),
            Err(Refused { reason, more }) => {
                self.refusals.refuse(reason, address, more);
                None
            }
        }
    }

    fn close_after(&self, longest: Duration, number: u64) {
        let connections = Arc::clone(&self.connections);
        let refusals = Arc::clone(&self.refusals);
        tokio::spawn(async move {
            sleep(longest).await;
            for address in connections.close_one(number) {
                refusals.refuse(Reason::TooLong, address, "");
            }
        });
    }

    fn handshakes(&self) -> MutexGuard<'_, Handshakes<(AbortHandle, SocketAddr)>> {
        self.handshakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// accept(2) hands on errors of the connection itself.
pub(crate) fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// What an error of a handshake says of the other end.
fn why(error: &io::Error) -> (Reason, String) {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    let Some(tls) = inner else {
        return (Reason::HungUp, String::new());
    };
    let reason = match tls {
        rustls::Error::NoCertificatesPresented => Reason::NoCertificate,
        rustls::Error::InvalidCertificate(bad) => match bad {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Reason::Expired,
            CertificateError::Revoked => Reason::Revoked,
            CertificateError::ApplicationVerificationFailure => Reason::NotGivenOut,
            _ => Reason::OtherCa,
        },
        rustls::Error::PeerIncompatible(_) => Reason::TlsVersion,
        rustls::Error::AlertReceived(_) => Reason::NotTrusted,
        _ => Reason::NotTls,
    };
    let more = match reason {
        Reason::OtherCa | Reason::TlsVersion | Reason::NotTrusted | Reason::NotTls => {
            tls.to_string()
        }
        _ => String::new(),
    };
    (reason, more)
}

/// A connection that is through; it ends when it is closed in the table.
#[derive(Debug)]
pub struct Connection<G> {
    tls: TlsStream<TcpStream>,
    guest: G,
    closed: oneshot::Receiver<()>,
    is_closed: bool,
    _place: Place,
}

impl<G> Connection<G> {
    fn check_open(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.is_closed {
            self.is_closed = Pin::new(&mut self.closed).poll(cx).is_ready();
        }
        if self.is_closed {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the collector ended this connection",
            ));
        }
        Ok(())
    }
}

impl<G: Unpin> AsyncRead for Connection<G> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_open(cx)?;
        Pin::new(&mut self.tls).poll_read(cx, buffer)
    }
}

impl<G: Unpin> AsyncWrite for Connection<G> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_open(cx)?;
        Pin::new(&mut self.tls).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_open(cx)?;
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}

impl<G: Clone + Send + Sync + 'static> Connected for Connection<G> {
    type ConnectInfo = G;

    fn connect_info(&self) -> G {
        self.guest.clone()
    }
}
