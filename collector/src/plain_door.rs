//! A plain door: HTTP/1.1 without TLS, for those who speak nothing else. How many connections there are, how large a head is
//! and how long anybody may take is the same at each; who is answered, and what, is said by whose door it is. A connection is
//! for one request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::refusal::{Reason, Refusals};
use crate::serve::ServeError;
use crate::tls::connections::Connections;
use crate::tls::door::{PAUSE, bind, is_of_one_connection};

/// Together, and of one owner.
const MOST_CONNECTIONS: usize = 64;
const MOST_OF_ONE: usize = 8;
const MOST_HEAD_BYTES: usize = 8 << 10;
const MOST_HEADERS: usize = 32;
const LONGEST_HEAD: Duration = Duration::from_secs(5);
/// The gate answers within ten seconds.
const LONGEST: Duration = Duration::from_secs(20);

/// Listens, and does not answer yet.
#[derive(Debug)]
pub(crate) struct PlainDoor {
    key: &'static str,
    listener: TcpListener,
    address: SocketAddr,
}

/// Who came.
#[derive(Debug)]
pub(crate) struct Guest {
    /// Those of one owner share its connections: too many of them push out only each other.
    pub(crate) owner: String,
    /// What is answered.
    pub(crate) router: Router,
}

impl PlainDoor {
    /// `key`: of the configuration, which names the address.
    pub(crate) fn bind(key: &'static str, address: SocketAddr) -> Result<Self, ServeError> {
        let bound = bind(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (bound, listener) = bound.map_err(|source| ServeError::Bind {
            key,
            address,
            source,
        })?;
        Ok(Self {
            key,
            listener,
            address: bound,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers as long as it is polled. `admit` says who came from an address.
    pub(crate) async fn serve(
        self,
        admit: impl Fn(SocketAddr) -> Guest + Send + Sync,
        refusals: Arc<Refusals>,
    ) {
        let connections = Connections::new(MOST_CONNECTIONS, MOST_OF_ONE);
        loop {
            match self.listener.accept().await {
                Ok((tcp, address)) => {
                    let visit = Visit {
                        address,
                        connections: Arc::clone(&connections),
                        refusals: Arc::clone(&refusals),
                    };
                    tokio::spawn(visit.answer(tcp, admit(address)));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!("no connection can be taken at `{}`: {error}", self.key);
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// One connection.
struct Visit {
    address: SocketAddr,
    connections: Arc<Connections>,
    refusals: Arc<Refusals>,
}

impl Visit {
    async fn answer(self, tcp: TcpStream, guest: Guest) {
        let refuse = |reason, more: &str| self.refusals.refuse(reason, self.address, more);
        let (_place, closed, victim) = self.connections.enter(guest.owner, self.address, None);
        if let Some(victim) = victim {
            self.refusals.refuse(Reason::TooManyConnections, victim, "");
        }
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(LONGEST_HEAD)
            .max_buf_size(MOST_HEAD_BYTES)
            .max_headers(MOST_HEADERS)
            .keep_alive(false);
        let service = TowerToHyperService::new(guest.router);
        tokio::select! {
            ended = http.serve_connection(TokioIo::new(tcp), service) => match ended {
                Err(error) if error.is_timeout() => refuse(Reason::Unfinished, ""),
                Err(error) if error.is_parse_too_large() => refuse(Reason::TooLarge, "its head"),
                Err(error) if error.is_parse() => refuse(Reason::BadRequest, "it is no HTTP/1.1"),
                // Whoever hung up will ask again.
                Ok(()) | Err(_) => {}
            },
            _ = closed => {}
            () = sleep(LONGEST) => refuse(Reason::Unfinished, ""),
        }
    }
}
