//! Open vSwitch says at once when its configuration or the link of an interface changes (RFC 7047, `monitor`). What
//! changed is read anew by the source; here it is only heard that something did.

use std::path::Path;
use std::time::Duration;

use model::parse::ovsdb;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::sleep;

use crate::host::ObjectEnd;
use crate::source::Wake;

const SOCKET: &str = "/run/openvswitch/db.sock";
/// Where Open vSwitch does not run, or has gone, it is looked again after this.
const BETWEEN_LOOKS: Duration = Duration::from_secs(60);
/// A longer message is heard without being understood.
const MAX_MESSAGE_BYTES: usize = 64 << 10;
const PIECE_BYTES: usize = 4 << 10;

/// What changes without the configuration changing, and says something about a network. Not the counters in
/// `statistics` and `status`, which ovs-vswitchd writes every few seconds.
const STATES: &[(&str, &[&str])] = &[
    ("Interface", &["link_state", "admin_state"]),
    ("Port", &["bond_active_slave"]),
];

/// Wakes on each change, for ever.
pub(crate) async fn listen(mut woke: impl FnMut(Wake)) {
    listen_at(Path::new(SOCKET), BETWEEN_LOOKS, &mut woke).await;
}

pub(super) async fn listen_at(path: &Path, pause: Duration, woke: &mut impl FnMut(Wake)) {
    loop {
        if let Ok(stream) = UnixStream::connect(path).await {
            // What changed while nobody listened is read now; why the connection ended, the source will say.
            woke(Wake::Network);
            let _ = hear(stream, woke).await;
            woke(Wake::Network);
        }
        sleep(pause).await;
    }
}

fn request() -> String {
    let mut tables = Map::new();
    for (table, columns) in ovsdb::TABLES {
        let states = STATES.iter().find(|(of, _)| of == table);
        let states = states.map_or(&[][..], |(_, states)| states);
        let columns: Vec<&str> = columns.iter().chain(states).copied().collect();
        let what = json!({ "columns": columns, "select": { "initial": false } });
        tables.insert((*table).to_owned(), what);
    }
    json!({ "method": "monitor", "params": [ovsdb::DATABASE, null, tables], "id": "monitor" })
        .to_string()
}

async fn hear(mut stream: UnixStream, woke: &mut impl FnMut(Wake)) -> std::io::Result<()> {
    stream.write_all(request().as_bytes()).await?;
    let mut end = ObjectEnd::default();
    let mut message = Vec::new();
    let mut piece = [0; PIECE_BYTES];
    loop {
        let count = stream.read(&mut piece).await?;
        if count == 0 {
            return Ok(());
        }
        let mut rest = piece.get(..count).unwrap_or_default();
        while let Some(length) = end.within(rest) {
            let (last, behind) = rest.split_at(length);
            keep(&mut message, last);
            if let Some(echo) = echo_of(&message) {
                stream.write_all(echo.as_bytes()).await?;
            } else {
                woke(Wake::Network);
            }
            message.clear();
            rest = behind;
        }
        keep(&mut message, rest);
    }
}

fn keep(message: &mut Vec<u8>, piece: &[u8]) {
    let room = MAX_MESSAGE_BYTES.saturating_sub(message.len());
    message.extend(piece.iter().take(room));
}

/// The server asks now and then whether anybody is there, and hangs up on who does not answer.
fn echo_of(message: &[u8]) -> Option<String> {
    let message: Value = serde_json::from_slice(message).ok()?;
    (message.get("method")? == "echo").then(|| {
        json!({ "id": message.get("id"), "result": message.get("params"), "error": null })
            .to_string()
    })
}
