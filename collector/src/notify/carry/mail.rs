//! Mail by SMTP (RFC 5321), one connection for each. With STARTTLS nothing is said before the connection is encrypted, and a
//! server that does not offer it gets nothing.

use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::response::Response;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::words;
use crate::notify::{Answer, Mail, MailSecurity, MailServer};

/// Of each step of the conversation.
const PATIENCE: Duration = Duration::from_secs(20);
/// Of all of it: a server that says one line after the other must not hold up what is to be said next.
const PATIENCE_OVER_ALL: Duration = Duration::from_secs(60);

pub(super) async fn carry(mail: &Mail) -> Result<Answer, String> {
    let envelope = Envelope::new(Some(mail.from.clone()), mail.to.clone());
    let envelope = envelope.map_err(|error| words("the mail goes to nobody", &error))?;
    let transport = transport(&mail.server)?;
    let sending = transport.send_raw(&envelope, &mail.formatted);
    match tokio::time::timeout(PATIENCE_OVER_ALL, sending).await {
        Ok(Ok(response)) => Ok(answer(&response)),
        Ok(Err(error)) => refused(&error),
        Err(_) => Err("the mail server took longer than 60 s".to_owned()),
    }
}

fn transport(server: &MailServer) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let parameters = || {
        TlsParameters::new(server.host.clone())
            .map_err(|error| words("TLS cannot be spoken with this host name", &error))
    };
    let tls = match server.security {
        MailSecurity::StartTls => Tls::Required(parameters()?),
        MailSecurity::Tls => Tls::Wrapper(parameters()?),
        MailSecurity::None => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
        .port(server.port)
        .timeout(Some(PATIENCE))
        .tls(tls);
    if let Some((name, password)) = &server.login {
        builder = builder.credentials(Credentials::new(name.clone(), password.get().to_owned()));
    }
    Ok(builder.build())
}

fn answer(response: &Response) -> Answer {
    let lines: Vec<&str> = response.message().collect();
    Answer {
        status: response.code().into(),
        body: lines.join("\n"),
        ..Answer::default()
    }
}

/// A reply that says no is an answer; all else is a failure.
fn refused(error: &SmtpError) -> Result<Answer, String> {
    let Some(code) = error.status() else {
        let why = if error.is_timeout() {
            "the mail server took longer than 20 s"
        } else if error.is_tls() {
            "no TLS with the mail server"
        } else {
            "no mail was taken"
        };
        return Err(words(why, error));
    };
    Ok(Answer {
        status: code.into(),
        body: std::error::Error::source(error)
            .map(ToString::to_string)
            .unwrap_or_default(),
        ..Answer::default()
    })
}
