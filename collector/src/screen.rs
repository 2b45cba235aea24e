//! What every request passes before a service sees it: the table of [`crate::role`], and on the way back a look whether
//! it was refused for its size, which tonic does without asking anybody.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::peer::{Peer, Stranger};
use crate::refusal::{Reason, Refusals};
use crate::role;

/// Puts itself around all services of a door.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    refusals: Arc<Refusals>,
    by_role: bool,
}

impl Screen {
    /// Before whoever has a certificate.
    pub(crate) fn for_peers(refusals: Arc<Refusals>) -> Self {
        Self {
            refusals,
            by_role: true,
        }
    }

    /// Before those who want one: there is nothing there but enrolment.
    pub(crate) fn for_strangers(refusals: Arc<Refusals>) -> Self {
        Self {
            refusals,
            by_role: false,
        }
    }

    /// Puts into the request who asks it, or says why it is not to be answered.
    fn admit(&self, request: &mut Request<Body>) -> Result<(), Status> {
        if !self.by_role {
            return Ok(());
        }
        let peer = request.extensions().get::<Peer>();
        let peer = peer.ok_or_else(|| Status::unauthenticated("nobody knows who asks"))?;
        let judged = role::judge(peer, request.uri().path(), request.headers());
        let asker = judged.inspect_err(|status| {
            let more = format!("{}: {}", peer.identity, status.message());
            self.refusals.refuse(Reason::NotAllowed, peer.address, more);
        })?;
        request.extensions_mut().insert(asker);
        Ok(())
    }
}

impl<S> Layer<S> for Screen {
    type Service = Screened<S>;

    fn layer(&self, inner: S) -> Screened<S> {
        Screened {
            inner,
            screen: self.clone(),
        }
    }
}

/// Services behind a [`Screen`].
#[derive(Debug, Clone)]
pub(crate) struct Screened<S> {
    inner: S,
    screen: Screen,
}

impl<S> Service<Request<Body>> for Screened<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Err(status) = self.screen.admit(&mut request) {
            return Box::pin(async move { Ok(status.into_http()) });
        }
        let refusals = Arc::clone(&self.screen.refusals);
        let extensions = request.extensions();
        let address = extensions
            .get::<Peer>()
            .map(|peer| peer.address)
            .or_else(|| extensions.get::<Stranger>().map(|it| it.address));
        let path = request.uri().path().to_owned();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            if let Some(address) = address
                && is_too_large(&response)
            {
                refusals.refuse(Reason::TooLarge, address, path);
            }
            Ok(response)
        })
    }
}

/// tonic's answer to a message beyond the limit, which no service gives by itself.
fn is_too_large(response: &Response<Body>) -> bool {
    let status = Status::from_header_map(response.headers());
    status.is_some_and(|status| {
        status.code() == Code::OutOfRange && status.message().contains("too large")
    })
}
