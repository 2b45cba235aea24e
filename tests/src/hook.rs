//! A webhook's other end, in the network of a room: takes requests, keeps them with the moment of their arrival, and answers as
//! a test wants.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::unistd::Pid;
use serde_json::Value;

use crate::cable::in_network_of;

/// What came.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// When its first line was read.
    pub arrived: Instant,
    pub key: String,
    pub body: Value,
    /// What it was answered; 0: nothing.
    pub answered: u16,
}

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Status(u16),
    /// Not at all, for so long; then the connection is closed.
    Hang(Duration),
}

type Choose = dyn Fn(usize) -> Reply + Send + Sync;

/// It listens as long as this process lives.
#[derive(Debug, Clone)]
pub struct Hook {
    address: SocketAddr,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
}

impl Hook {
    /// Listens on the loopback of the room of this process. `choose` is asked with how many requests came before.
    pub fn listen(
        init: Pid,
        choose: impl Fn(usize) -> Reply + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = in_network_of(init, || Ok(TcpListener::bind("127.0.0.1:0")?))?;
        let hook = Self {
            address: listener.local_addr()?,
            deliveries: Arc::default(),
        };
        let (choose, deliveries): (Arc<Choose>, _) = (Arc::new(choose), hook.deliveries.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (choose, deliveries) = (Arc::clone(&choose), Arc::clone(&deliveries));
                // A connection that breaks has told all that it will.
                thread::spawn(move || drop(serve(stream, &*choose, &deliveries)));
            }
        });
        Ok(hook)
    }

    /// For the configuration.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// All that came so far.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.lock().clone()
    }

    /// Those that were answered with success, each key once, in the order of their arrival.
    #[must_use]
    pub fn taken(&self) -> Vec<Delivery> {
        let mut taken: Vec<Delivery> = Vec::new();
        for one in self.deliveries() {
            let is_new = !taken.iter().any(|before| before.key == one.key);
            if (200..300).contains(&one.answered) && is_new {
                taken.push(one);
            }
        }
        taken
    }

    pub fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Delivery>> {
        self.deliveries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(stream: TcpStream, choose: &Choose, deliveries: &Mutex<Vec<Delivery>>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let arrived = Instant::now();
        ensure!(line.starts_with("POST "), "not a POST: {line}");
        let (mut length, mut key) = (0, String::new());
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse()?,
                "quorate-delivery" => value.trim().clone_into(&mut key),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = serde_json::from_slice(&body).context("the body is no JSON")?;
        let mut all = deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = choose(all.len());
        let answered = match reply {
            Reply::Status(status) => status,
            Reply::Hang(_) => 0,
        };
        all.push(Delivery {
            arrived,
            key,
            body,
            answered,
        });
        drop(all);
        match reply {
            Reply::Hang(time) => {
                thread::sleep(time);
                return Ok(());
            }
            Reply::Status(429) => {
                stream.write_all(
                    b"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
                )?;
            }
            Reply::Status(status) => {
                write!(
                    stream,
                    "HTTP/1.1 {status} As asked\r\nContent-Length: 0\r\n\r\n"
                )?;
            }
        }
    }
}
