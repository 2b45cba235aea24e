//! The running collector: both listeners, and what looks after them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::tls::TlsError;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;
use tonic::service::Routes;

use crate::addresses::{Address, BadAddress, Told};
use crate::answer::chain;
use crate::authority::Duty;
use crate::enrol::Enrol;
use crate::identity::{Identities, IdentityError};
use crate::refusal::Refusals;
use crate::screen::Screen;
use crate::tls::connections::Connections;
use crate::tls::door::{self, ForPeers, ForStrangers};
use crate::tls::{OwnCertificate, for_strangers, server, with_certificates};
use crate::watch::Watch;

/// Of agents and people, together and of one certificate: an agent has one, and one more while it renews.
const MOST_CONNECTIONS: usize = 16_384;
const MOST_OF_A_CERTIFICATE: usize = 16;
/// Of strangers, together and of one address.
const MOST_ENROLMENTS: usize = 256;
const MOST_ENROLMENTS_OF_ONE: usize = 128;
const LONGEST_ENROLMENT: Duration = Duration::from_secs(10);
/// Between two attempts to open the enrolment listener. Its predecessor may not be gone yet: so many fail before it is
/// said.
const PAUSE: Duration = Duration::from_millis(200);
const ATTEMPTS: u32 = 10;

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {address}, which `{key}` in the configuration names")]
    Bind {
        key: &'static str,
        address: SocketAddr,
        source: io::Error,
    },
    #[error("the collector's TLS cannot be set up")]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("an address that agents are to be told is none")]
    Address(#[from] BadAddress),
    #[error("the listener for agents failed")]
    Failed(#[source] tonic::transport::Error),
    #[error("nobody listens any more, and nobody said so; this is a bug, please report it")]
    Ended,
}

/// Where to listen, and what to tell agents of it.
#[derive(Debug, Clone)]
pub struct Listen {
    pub fleet: SocketAddr,
    pub enrolment: SocketAddr,
    /// Empty: those that `init` was told.
    pub addresses: Vec<String>,
}

/// A collector that listens, and does not answer yet.
#[derive(Debug)]
pub struct Collector {
    identities: Arc<Identities>,
    refusals: Arc<Refusals>,
    connections: Arc<Connections>,
    own: Arc<OwnCertificate>,
    listener: TcpListener,
    fleet: SocketAddr,
    enrolment: SocketAddr,
    told: Told,
    changes: watch::Sender<u64>,
}

impl Collector {
    /// Binds, and fails before anybody was answered.
    pub async fn bind(identities: Identities, listen: &Listen) -> Result<Self, ServeError> {
        let bound = |key, address| {
            let listener = door::bind(address).and_then(|it| Ok((it.local_addr()?, it)));
            listener.map_err(|source| ServeError::Bind {
                key,
                address,
                source,
            })
        };
        let (fleet, listener) = bound("listen", listen.fleet)?;
        // Closed again at once: this shows that it will go, and which port 0 is.
        let (enrolment, _) = bound("enrolment.listen", listen.enrolment)?;
        let texts = match listen.addresses.as_slice() {
            [] => identities.addresses()?,
            said => said.to_vec(),
        };
        let addresses = texts.iter().map(|text| Address::parse(text));
        let addresses: Vec<Address> = addresses.collect::<Result<_, _>>()?;
        let identities = Arc::new(identities);
        Ok(Self {
            own: Arc::new(OwnCertificate::new(&identities)?),
            identities,
            refusals: Arc::default(),
            connections: Connections::new(MOST_CONNECTIONS, MOST_OF_A_CERTIFICATE),
            listener,
            told: Told::new(&addresses, fleet.port(), enrolment.port()),
            fleet,
            enrolment,
            changes: watch::channel(0).0,
        })
    }

    /// Announces what is written into identity.db, by whomever.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub fn identities(&self) -> Arc<Identities> {
        Arc::clone(&self.identities)
    }

    pub fn refusals(&self) -> Arc<Refusals> {
        Arc::clone(&self.refusals)
    }

    /// Those of agents and people.
    pub fn connections(&self) -> Arc<Connections> {
        Arc::clone(&self.connections)
    }

    pub fn told(&self) -> Told {
        self.told.clone()
    }

    /// Where agents and people are answered.
    pub fn fleet(&self) -> SocketAddr {
        self.fleet
    }

    /// Where nodes enrol, while that is open.
    pub fn enrolment(&self) -> SocketAddr {
        self.enrolment
    }

    /// Answers until it is told to end. The routes are the services behind the listener for agents and people; what
    /// each caller may do there is checked before they are asked ([`crate::role`]).
    pub async fn serve(
        self,
        routes: Routes,
        until: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let tls = with_certificates(&self.identities, Arc::clone(&self.own))?;
        let strangers = for_strangers(Arc::clone(&self.own))?;
        let host = ForPeers {
            identities: Arc::clone(&self.identities),
        };
        let (is_open, opened) = watch::channel(false);
        let watch = Watch {
            identities: Arc::clone(&self.identities),
            connections: Arc::clone(&self.connections),
            refusals: Arc::clone(&self.refusals),
            own: Arc::clone(&self.own),
            is_open,
            changes: self.changes,
        };
        tracing::info!(
            "quorate-collector {}, the {} {}",
            env!("CARGO_PKG_VERSION"),
            match self.identities.duty() {
                Duty::Authority => "collector",
                Duty::Observer => "observer",
            },
            self.identities.id()
        );
        tracing::info!("listening for agents and people on {}", self.fleet);
        let incoming = door::open(
            self.listener,
            tls,
            host,
            self.connections,
            Arc::clone(&self.refusals),
        );
        let fleet = server()
            .layer(Screen::for_peers(Arc::clone(&self.refusals)))
            .serve_with_incoming(routes.prepare(), incoming);
        let enrolment = Enrolment {
            address: self.enrolment,
            tls: strangers,
            service: Enrol::service(self.identities, Arc::clone(&self.refusals), self.told),
            connections: Connections::new(MOST_ENROLMENTS, MOST_ENROLMENTS_OF_ONE),
            refusals: self.refusals,
        };
        tokio::select! {
            ended = fleet => ended.map_err(ServeError::Failed).and(Err(ServeError::Ended)),
            failed = watch.run() => failed.map_err(ServeError::Identity).and(Err(ServeError::Ended)),
            () = enrolment.run(opened) => Err(ServeError::Ended),
            () = until => Ok(()),
        }
    }
}

/// The listener that is there only while somebody could enrol.
struct Enrolment {
    address: SocketAddr,
    tls: Arc<rustls::ServerConfig>,
    service: proto::v1::enrolment_server::EnrolmentServer<Enrol>,
    connections: Arc<Connections>,
    refusals: Arc<Refusals>,
}

impl Enrolment {
    /// Ends when nobody says any more whether it is to be open.
    async fn run(self, mut is_open: watch::Receiver<bool>) {
        let mut failed = 0;
        while is_open.wait_for(|is_open| *is_open).await.is_ok() {
            match door::bind(self.address) {
                Ok(listener) => {
                    failed = 0;
                    tracing::info!("enrolment is open on {}", self.address);
                    tokio::select! {
                        () = self.answer(listener) => {}
                        _ = is_open.wait_for(|is_open| !*is_open) => {}
                    }
                    tracing::info!("enrolment is closed: no token is good any more");
                }
                Err(error) => {
                    failed += 1;
                    if failed == ATTEMPTS {
                        tracing::error!("cannot listen for enrolment on {}: {error}", self.address);
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn answer(&self, listener: TcpListener) {
        let host = ForStrangers {
            longest: LONGEST_ENROLMENT,
        };
        let incoming = door::open(
            listener,
            Arc::clone(&self.tls),
            host,
            Arc::clone(&self.connections),
            Arc::clone(&self.refusals),
        );
        let answered = server()
            .layer(Screen::for_strangers(Arc::clone(&self.refusals)))
            .add_service(self.service.clone())
            .serve_with_incoming(incoming)
            .await;
        if let Err(error) = answered {
            tracing::error!("enrolment has ended: {}", chain(&error));
        }
    }
}
