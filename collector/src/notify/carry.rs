//! Carries a request out and brings the answer back: the one place where anything of a chat touches the network.
//!
//! HTTP goes through the proxies of the environment, trusts what the system trusts (`SSL_CERT_FILE` names other roots), and
//! follows no redirect: whoever can answer for an address must not send the message, with its key, to another. Unlike the
//! collector's own doors, servers of others may speak TLS 1.2. Mail and programs: see [`mail`] and [`program`].

mod mail;
mod program;

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use super::{Answer, Http, Request};

const HTTP_PATIENCE: Duration = Duration::from_secs(10);
/// More of an answer is not read.
const MAX_ANSWER_BYTES: usize = 256 * 1_024;

#[derive(Debug, Clone)]
pub(crate) struct Carrier {
    http: reqwest::Client,
    /// No certificate of anybody's is installed: no reason not to watch, and servers without TLS can be told all the same.
    trusts_nobody: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CarrierError {
    #[error("HTTP cannot be spoken")]
    Client(#[source] reqwest::Error),
}

impl Carrier {
    pub(crate) fn new() -> Result<Self, CarrierError> {
        // reqwest and lettre take the process's provider. That one is there already is no error: there is one in this program.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = || {
            reqwest::Client::builder()
                .timeout(HTTP_PATIENCE)
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("quorate-collector/", env!("CARGO_PKG_VERSION")))
        };
        let trusting = client().build();
        let trusts_nobody = trusting.is_err();
        if let Err(error) = &trusting {
            let why = "nobody is told anything by HTTPS: no certificate is trusted here";
            tracing::warn!("{}", words(why, error));
        }
        let http = trusting
            .or_else(|_| client().tls_certs_only([]).build())
            .map_err(CarrierError::Client)?;
        Ok(Self {
            http,
            trusts_nobody,
        })
    }

    /// The error is for people: no secret and no address is in it.
    pub(crate) async fn carry(&self, request: &Request) -> Result<Answer, String> {
        match request {
            Request::Http(request) => self.http(request).await,
            Request::Mail(mail) => mail::carry(mail).await,
            Request::Command(command) => program::carry(command, program::PATIENCE).await,
        }
    }

    async fn http(&self, request: &Http) -> Result<Answer, String> {
        let failed = |error: reqwest::Error| {
            let why = if error.is_timeout() {
                "it took longer than 10 s"
            } else if self.trusts_nobody && request.url.starts_with("https:") {
                "this system trusts no certificate, install ca-certificates"
            } else if error.is_connect() {
                "no connection"
            } else {
                "no answer"
            };
            words(why, &error.without_url())
        };
        let method = reqwest::Method::from_bytes(request.method.as_bytes());
        let method = method.map_err(|_| format!("{} is no method of HTTP", request.method))?;
        let mut going = self.http.request(method, &request.url);
        for (name, value) in &request.headers {
            going = going.header(*name, value);
        }
        let mut came = going
            .body(request.body.clone())
            .send()
            .await
            .map_err(failed)?;
        let headers = came.headers().iter().filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        });
        let headers: BTreeMap<String, String> = headers.collect();
        let status = came.status().as_u16();
        let mut body = Vec::new();
        while body.len() < MAX_ANSWER_BYTES {
            match came.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                // The status says what became of the message, also where the rest never ends; at worst there is no receipt.
                Err(error) => {
                    tracing::debug!("{}", words("the answer broke off", &error.without_url()));
                    break;
                }
            }
        }
        body.truncate(MAX_ANSWER_BYTES);
        Ok(Answer {
            status,
            headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

/// What went wrong, with all that it comes from; the same words are not said twice.
fn words(why: &str, error: &dyn Error) -> String {
    let mut said = why.to_owned();
    let mut source = error.source();
    while let Some(deeper) = source {
        let text = deeper.to_string();
        if !said.contains(&text) {
            said.push_str(": ");
            said.push_str(&text);
        }
        source = deeper.source();
    }
    said
}

#[cfg(test)]
mod tests;
