//! pmxcfs' counters: nothing but asking tells that another node wrote below `/etc/pve`.

use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::host::{Host, Patience};
use crate::run::wakes::Wakes;
use crate::source::pve_version::changed;

const EVERY: Duration = Duration::from_secs(5);
/// Where pmxcfs is not mounted, or does not answer.
const UNTIL_IT_COMES: Duration = Duration::from_secs(60);

pub(super) async fn pmxcfs(patience: Patience, wakes: Wakes) {
    let mut counters = None;
    loop {
        let (patience, mut before) = (patience.clone(), counters.take());
        let asked = spawn_blocking(move || {
            let woken = changed(&Host::live(&patience), &mut before);
            (woken, before)
        });
        let noticed = Instant::now();
        // That it cannot be read, the sources below it say themselves.
        if let Ok((Ok(woken), now)) = asked.await {
            for kind in woken {
                wakes.wake(kind, noticed);
            }
            counters = now;
        }
        sleep(if counters.is_some() {
            EVERY
        } else {
            UNTIL_IT_COMES
        })
        .await;
    }
}
