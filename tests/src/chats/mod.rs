//! The services that alerts go to, as a server on this machine: it judges what it is sent by what each of them publishes, answers as
//! they do, and remembers.

pub mod rules;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};

use crate::binary::collector_binary;
use rules::{Came, Says, judge};

const MAX_BODY_BYTES: usize = 1 << 20;

/// All services in one, each below the path that is its kind: `/slack/…`. It ends with the process.
#[derive(Debug)]
pub struct Services {
    address: String,
    seen: Arc<Mutex<Vec<Came>>>,
}

impl Services {
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
        let address = format!("http://{}", listener.local_addr()?);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who breaks off is told nothing.
                let _ = answer(stream, &kept);
            }
        });
        Ok(Self { address, seen })
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What came since it was asked last.
    #[must_use]
    pub fn seen(&self) -> Vec<Came> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn answer(stream: TcpStream, seen: &Mutex<Vec<Came>>) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let came = read(&mut reader)?;
    let kind = came.path.split('/').nth(1).unwrap_or_default().to_owned();
    let says = judge(&kind, &came).unwrap_or_else(|why| Says {
        status: 400,
        body: why,
    });
    seen.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(came);
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 {} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
        says.status,
        says.body.len(),
        says.body
    )?;
    Ok(stream.flush()?)
}

fn read(reader: &mut BufReader<TcpStream>) -> Result<Came> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut first = line.split_whitespace();
    let method = first.next().context("no method")?.to_owned();
    let path = first.next().context("no path")?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").context("no length")?;
    let mut body = vec![0; length.parse::<usize>()?.min(MAX_BODY_BYTES)];
    reader.read_exact(&mut body)?;
    Ok(Came {
        method,
        path,
        headers,
        body: String::from_utf8(body)?,
    })
}

/// `quorate-collector alert-test` with this configuration. `roots`: the certificates that it trusts instead of the system's.
pub fn alert_test(config: &Path, roots: Option<&Path>, args: &[&str]) -> Result<Output> {
    let mut command = Command::new(collector_binary()?);
    command
        .arg("alert-test")
        .args(args)
        .arg("--config")
        .arg(config);
    if let Some(roots) = roots {
        command
            .env("SSL_CERT_FILE", roots)
            .env_remove("SSL_CERT_DIR");
    }
    Ok(command.output()?)
}
