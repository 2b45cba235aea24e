//! What a collector has kept, asked for as an operator asks, event by event: a line for each spool.
//!
//! ```text
//! {"event":"kept","cluster":"…","node":"pve-01","spool":"…","first":1,"last":41,"count":41}
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use proto::dial::dial;
use proto::{tls, v1};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use serde_json::json;
use tonic::transport::Channel;
use v1::query_client::QueryClient;

use super::tally::{hex, print};

/// A collector that was just started may not listen yet.
const PATIENCE: Duration = Duration::from_secs(120);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(200);

/// What `quorate-collector operator add` writes.
#[derive(Debug, Deserialize)]
struct OperatorFile {
    addresses: Vec<String>,
    certificate_pem: String,
    key_pem: String,
    trust_pem: String,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Spool {
    cluster: String,
    node: String,
    id: Vec<u8>,
}

#[derive(Debug)]
struct Kept {
    first: u64,
    last: u64,
    count: u64,
}

pub(super) async fn run(file: &Path) -> Result<()> {
    let mut query = QueryClient::new(connect(file).await?);
    let status = query.get_status(v1::GetStatusRequest::default()).await?;
    for cluster in status.into_inner().clusters {
        let id = cluster.cluster.context("a cluster without a name")?.id;
        for (spool, kept) in of_cluster(&mut query, &id).await? {
            let Kept { first, last, count } = kept;
            print(
                &json!({"event": "kept", "cluster": spool.cluster, "node": spool.node, "spool": hex(&spool.id),
                "first": first, "last": last, "count": count}),
            );
        }
    }
    Ok(())
}

async fn of_cluster(
    query: &mut QueryClient<Channel>,
    cluster: &str,
) -> Result<BTreeMap<Spool, Kept>> {
    let asked = v1::ListEventsRequest {
        cluster: cluster.to_owned(),
        ..v1::ListEventsRequest::default()
    };
    let mut events = query.list_events(asked).await?.into_inner();
    let mut all = BTreeMap::new();
    while let Some(kept) = events.message().await? {
        let spool = Spool {
            cluster: cluster.to_owned(),
            node: kept.node,
            id: kept.spool_id,
        };
        let number = kept.event.context("an event without a number")?.number;
        let kept = all.entry(spool).or_insert(Kept {
            first: number,
            last: number,
            count: 0,
        });
        kept.first = kept.first.min(number);
        kept.last = kept.last.max(number);
        kept.count += 1;
    }
    Ok(all)
}

pub(super) async fn connect(file: &Path) -> Result<Channel> {
    let text = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let file: OperatorFile = serde_json::from_slice(&text)?;
    let pems =
        |text: &str| CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let key = PrivateKeyDer::from_pem_slice(file.key_pem.as_bytes())?;
    let config = tls::client(pems(&file.certificate_pem)?, key, &pems(&file.trust_pem)?)?;
    let (config, end) = (Arc::new(config), Instant::now() + PATIENCE);
    let address = file
        .addresses
        .first()
        .context("the file names no address")?;
    loop {
        match dial(address, Arc::clone(&config)).await {
            Ok(channel) => return Ok(channel),
            Err(error) if Instant::now() > end => return Err(error.into()),
            Err(_) => tokio::time::sleep(BETWEEN_ATTEMPTS).await,
        }
    }
}
