//! What root on this node says to a collector, passed on with the node's certificate. Nothing of it is read here: it is
//! plain HTTP/2, and the collector decides what root of a node may ask (its table of roles).

use std::io;
use std::path::PathBuf;

use proto::dial::connect;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::UnixStream;
use tokio::task::spawn_blocking;

use crate::host::said;
use crate::identity::enrolled::Enrolled;

/// The first of them that lets itself be reached is spoken to, who decides for the cluster before all others.
pub(super) async fn pass_on(mut root: UnixStream, state_dir: PathBuf) -> io::Result<()> {
    let mut failed = Vec::new();
    for enrolled in enrolments(state_dir).await? {
        let tls = match enrolled.tls() {
            Ok(tls) => tls,
            Err(error) => {
                failed.push(said(&error));
                continue;
            }
        };
        for address in &enrolled.addresses {
            match connect(address, tls.clone()).await {
                Ok(mut collector) => {
                    let told = serde_json::json!({ "connected_to": address });
                    root.write_all(format!("{told}\n").as_bytes()).await?;
                    copy_bidirectional(&mut root, &mut collector).await?;
                    return Ok(());
                }
                Err(error) => failed.push(format!("no connection to {address}: {error}")),
            }
        }
    }
    if failed.is_empty() {
        failed.push("this node has joined no collector: `quorate-agent join`".to_owned());
    }
    let told = super::socket::error(&failed.join("; "));
    root.write_all(format!("{told}\n").as_bytes()).await
}

/// Read anew at each asking, so that nothing that changed is missed.
async fn enrolments(state_dir: PathBuf) -> io::Result<Vec<Enrolled>> {
    let each = spawn_blocking(move || Enrolled::each(&state_dir)).await;
    let each = each.map_err(io::Error::other)?.map_err(io::Error::other)?;
    let mut usable: Vec<Enrolled> = each.into_iter().filter_map(|(_, one)| one.ok()).collect();
    usable.sort_by_key(|enrolled| !enrolled.is_authority);
    Ok(usable)
}
