//! The listener: who is answered, and how much of it, of everybody and of each. A connection is for one request.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, FromRequest as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use hyper::StatusCode;
use ipnet::IpNet;

use super::Terms;
use super::client::Clients;
use super::request::{self, Asked, Kind, Refused};
use super::slot::{Slot, Wish};
use crate::attempts::Attempts;
use crate::gate::Judge;
use crate::identity::Identities;
use crate::plain_door::{Guest, PlainDoor};
use crate::refusal::{Reason, Refusals};
use crate::serve::ServeError;
use crate::tls::handshakes::source;

/// An id and a group fit well.
const MOST_BODY_BYTES: usize = 4 << 10;
/// Of one address in a minute: each is a look at the whole cluster, and a line in the log.
const MOST_REQUESTS: u32 = 120;
/// All who are in none of the networks share the connections of one, so that they push out only themselves.
const OUTSIDE: &str = "outside";

/// Listens, and does not answer yet.
#[derive(Debug)]
pub struct FleetLock {
    door: PlainDoor,
    terms: Terms,
}

/// Where requests are answered.
#[derive(Debug)]
struct Desk {
    clients: Clients,
    slot: Slot,
    attempts: Mutex<Attempts>,
    refusals: Arc<Refusals>,
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
struct Source(SocketAddr);

impl FleetLock {
    /// Binds, and fails before anybody was answered.
    pub fn bind(terms: Terms) -> Result<Self, ServeError> {
        let door = PlainDoor::bind("fleetlock.listen", terms.listen)?;
        Ok(Self { door, terms })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.door.address()
    }

    /// Answers as long as it is polled.
    pub async fn serve(
        self,
        identities: Arc<Identities>,
        judge: Arc<Judge>,
        refusals: Arc<Refusals>,
    ) {
        let networks = self.terms.networks.iter().map(ToString::to_string);
        let networks: Vec<String> = networks.collect();
        tracing::info!(
            "listening for FleetLock on {}, for {}",
            self.address(),
            networks.join(", ")
        );
        let desk = Arc::new(Desk {
            clients: Clients::new(self.terms.known, identities),
            slot: Slot::new(judge),
            attempts: Mutex::new(Attempts::new(MOST_REQUESTS)),
            refusals: Arc::clone(&refusals),
        });
        let networks = self.terms.networks;
        let admit = move |address: SocketAddr| {
            if is_in(&networks, address.ip()) {
                return Guest {
                    owner: source(address).to_string(),
                    router: routes(Arc::clone(&desk), address),
                };
            }
            desk.refusals.refuse(Reason::OutsideNetworks, address, "");
            Guest {
                owner: OUTSIDE.to_owned(),
                router: Router::new().fallback(outside),
            }
        };
        self.door.serve(admit, refusals).await;
    }
}

/// An IPv4 address that came to an IPv6 listener is the IPv4 address.
fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// Of their request nothing is read but its head, and that only to answer it.
async fn outside() -> Response {
    Refused::new(Kind::OutsideNetworks, "FleetLock is not for this address").into_response()
}

fn routes(desk: Arc<Desk>, address: SocketAddr) -> Router {
    let not_here = async || Refused::new(Kind::NotFound, "there is no such path").into_response();
    let only_post = async || Refused::new(Kind::WrongMethod, "it is asked by POST").into_response();
    Router::new()
        .route("/v1/pre-reboot", post(pre_reboot))
        .route("/v1/steady-state", post(steady_state))
        .method_not_allowed_fallback(only_post)
        .fallback(not_here)
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .layer(Extension(Source(address)))
        .with_state(desk)
}

async fn pre_reboot(
    State(desk): State<Arc<Desk>>,
    Extension(Source(address)): Extension<Source>,
    request: Request,
) -> Response {
    desk.answer(Wish::PreReboot, address, request).await
}

async fn steady_state(
    State(desk): State<Arc<Desk>>,
    Extension(Source(address)): Extension<Source>,
    request: Request,
) -> Response {
    desk.answer(Wish::SteadyState, address, request).await
}

impl Desk {
    async fn answer(&self, wish: Wish, address: SocketAddr, request: Request) -> Response {
        match self.grant(wish, address, request).await {
            Ok(()) => StatusCode::OK.into_response(),
            Err(refused) => {
                if let Some(reason) = refused.reason() {
                    self.refusals.refuse(reason, address, refused.words());
                }
                refused.into_response()
            }
        }
    }

    async fn grant(
        &self,
        wish: Wish,
        address: SocketAddr,
        request: Request,
    ) -> Result<(), Refused> {
        self.count(address)?;
        let asked = read(request).await?;
        let client = self.clients.find(asked, address).await?;
        self.slot.answer(wish, &client).await
    }

    fn count(&self, address: SocketAddr) -> Result<(), Refused> {
        let (from, now) = (source(address), Instant::now());
        let attempts = self.attempts.lock();
        let mut attempts = attempts.unwrap_or_else(PoisonError::into_inner);
        if attempts.is_too_many(from, now) {
            let why = format!("more than {MOST_REQUESTS} requests came from here within a minute");
            return Err(Refused::new(Kind::TooOften, why));
        }
        attempts.add(from, now);
        Ok(())
    }
}

async fn read(request: Request) -> Result<Asked, Refused> {
    request::meant(request.headers())?;
    let body = Bytes::from_request(request, &()).await.map_err(|error| {
        let kind = match error.into_response().status() {
            StatusCode::PAYLOAD_TOO_LARGE => Kind::TooLarge,
            _ => Kind::BadRequest,
        };
        let why = format!("its body is not one of at most {MOST_BODY_BYTES} bytes");
        Refused::new(kind, why)
    })?;
    request::parse(&body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_a_network_whichever_listener_it_came_to() {
        let networks: Vec<IpNet> =
            vec!["10.9.0.0/24".parse().unwrap(), "fd00::/64".parse().unwrap()];
        let is_in = |address: &str| is_in(&networks, address.parse().unwrap());
        assert!(is_in("10.9.0.255"));
        assert!(is_in("::ffff:10.9.0.1"));
        assert!(is_in("fd00::1"));
        assert!(!is_in("10.9.1.0"));
        assert!(!is_in("::ffff:10.9.1.1"));
        assert!(!is_in("fd00:0:0:1::1"));
        assert!(!super::is_in(&[], [127, 0, 0, 1].into()));
    }
}
