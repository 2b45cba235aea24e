//! Blocks a reboot of this node while the collector says NO-GO to it, where root has enabled that
//! (`quorate-agent guard-reboot`). The collector is asked on behalf of root, as root's own command line asks it.

mod decision;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use proto::dial::dial;
use proto::role::{ON_BEHALF_OF, ROOT};
use proto::v1;
use proto::v1::gate_client::GateClient;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;

use super::say;
use crate::guard_reboot::is_enabled;
use crate::host::said as whole;
use crate::identity::enrolled::Enrolled;
use crate::logind::{Block, SYSTEM_BUS};
use decision::{Decision, Said, decide};

/// The collector is asked this often, and sooner after a change on the node.
const EVERY: Duration = Duration::from_secs(15);
/// While a reboot is blocked: who has just taken the lease is not to wait for long.
const EVERY_WHILE_HELD: Duration = Duration::from_secs(5);
const NOT_SOONER: Duration = Duration::from_secs(3);
/// With [`EVERY`] less than a verdict is valid: one that is held for is never too old.
const PATIENCE: Duration = Duration::from_secs(5);

/// For whoever asks on the agent's socket.
#[derive(Debug, Clone, Default, Serialize)]
struct Standing {
    is_enabled: bool,
    is_held: bool,
    why: String,
}

/// Shared by its clones.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard {
    standing: Arc<Mutex<Standing>>,
    changed: Arc<Notify>,
}

impl Guard {
    /// Something changed on the node: the verdict may be another one now.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    pub(super) fn to_json(&self) -> String {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        super::json_of(&*standing)
    }

    /// Until the runtime ends. With the process the lock goes, however that ends.
    pub(super) async fn keep(self, state_dir: PathBuf) {
        let (mut held, mut line) = (Held::default(), None);
        loop {
            let dir = state_dir.clone();
            let is_on = spawn_blocking(move || is_enabled(&dir))
                .await
                .unwrap_or(false);
            let decision = if is_on {
                let asked = timeout(PATIENCE, ask(&state_dir, &mut line)).await;
                let said = asked.unwrap_or_else(|_| Err("it is too slow".to_owned()));
                if said.is_err() {
                    line = None;
                }
                decide(said.as_ref().map_err(String::as_str), Instant::now())
            } else {
                line = None;
                Decision::LetGo("it was not enabled when the agent looked last".to_owned())
            };
            let (is_held, why) = held.follow(decision, SYSTEM_BUS).await;
            self.note(is_on, is_held, why);
            let every = if is_held { EVERY_WHILE_HELD } else { EVERY };
            sleep(NOT_SOONER).await;
            tokio::select! {
                () = sleep(every.saturating_sub(NOT_SOONER)) => {}
                () = self.changed.notified(), if is_on => {}
            }
        }
    }

    fn note(&self, is_enabled: bool, is_held: bool, why: String) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if standing.is_held != is_held {
            let what = if is_held {
                "blocked"
            } else {
                "not blocked any more"
            };
            say(&format!("a reboot of this node is {what}: {why}"));
        }
        *standing = Standing {
            is_enabled,
            is_held,
            why,
        };
    }
}

/// The lock, and the words that it was taken with.
#[derive(Debug, Default)]
struct Held(Option<(String, Block)>);

impl Held {
    /// Takes, keeps or lets go of it. A lock for another reason is taken before the old one is let go.
    async fn follow(&mut self, decision: Decision, address: &str) -> (bool, String) {
        let why = match decision {
            Decision::Hold(why) => why,
            Decision::LetGo(why) => {
                self.0 = None;
                return (false, why);
            }
        };
        let is_held = |(words, block): &mut (String, Block)| *words == why && block.is_alive();
        if !self.0.as_mut().is_some_and(is_held) {
            match Block::take(address, &why).await {
                Ok(block) => self.0 = Some((why.clone(), block)),
                Err(error) => {
                    self.0 = None;
                    return (false, whole(&error));
                }
            }
        }
        (true, why)
    }
}

/// A connection to the collector that decides, and for whom it was made.
type Line = Option<(Enrolled, Channel)>;

/// What it says of a reboot of this node now, or in words why it says nothing.
async fn ask(state_dir: &Path, line: &mut Line) -> Result<Said, String> {
    let dir = state_dir.to_owned();
    let each = spawn_blocking(move || Enrolled::each(&dir)).await;
    let each = each.map_err(|error| error.to_string())?;
    let each = each.map_err(|error| whole(&error))?;
    // One that is damaged holds up no other.
    let mut usable = each.into_iter().filter_map(|(_, one)| one.ok());
    let deciding = usable.find(|one| one.is_authority);
    let deciding = deciding.ok_or("none decides for the cluster, as far as this node was told")?;
    if line.as_ref().is_none_or(|(of, _)| *of != deciding) {
        *line = Some((deciding.clone(), reach(&deciding).await?));
    }
    let channel = line.as_ref().map(|(_, channel)| channel.clone());
    let channel = channel.ok_or("there is no connection")?;
    let mut gate = GateClient::new(channel);
    let at = Instant::now();
    let check = v1::CheckRequest {
        nodes: vec![deciding.node.to_string()],
        action: v1::Action::Reboot.into(),
        is_watch: true,
        ..v1::CheckRequest::default()
    };
    let verdict = gate.check(of_root(check)).await;
    let verdict = verdict
        .map_err(|status| status.message().to_owned())?
        .into_inner();
    let mut has_lease = false;
    // Nothing is held otherwise.
    if verdict.answer() == v1::Answer::NoGo {
        let leases = gate
            .list_leases(of_root(v1::ListLeasesRequest::default()))
            .await;
        let leases = leases
            .map_err(|status| status.message().to_owned())?
            .into_inner()
            .leases;
        has_lease = leases.iter().any(|lease| {
            let is_over = matches!(lease.state.as_str(), "ended" | "broken");
            !is_over
                && lease
                    .nodes
                    .iter()
                    .any(|node| *node == *deciding.node.as_str())
        });
    }
    Ok(Said {
        verdict,
        has_lease,
        at,
    })
}

async fn reach(enrolled: &Enrolled) -> Result<Channel, String> {
    let for_tls = enrolled.clone();
    let tls = spawn_blocking(move || for_tls.tls()).await;
    let tls = tls
        .map_err(|error| error.to_string())?
        .map_err(|error| whole(&error))?;
    let mut failed = Vec::new();
    for address in &enrolled.addresses {
        match dial(address, Arc::clone(&tls)).await {
            Ok(channel) => return Ok(channel),
            Err(error) => failed.push(whole(&error)),
        }
    }
    Err(failed.join("; "))
}

/// Root on this node has enabled it, and so it is he who asks.
fn of_root<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let root = MetadataValue::from_static(ROOT);
    request.metadata_mut().insert(ON_BEHALF_OF, root);
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logind::fake::{FakeBus, FakeLogind};

    fn hold(why: &str) -> Decision {
        Decision::Hold(why.to_owned())
    }

    #[tokio::test]
    async fn the_lock_follows_the_decision() {
        let dir = tempfile::tempdir().unwrap();
        let bus = FakeBus::start(dir.path()).await;
        let logind = FakeLogind::start(&bus).await;
        let (mut held, address) = (Held::default(), bus.address());
        let (is_held, _) = held.follow(hold("pve-02 is down"), &address).await;
        assert!(is_held);
        let (first, _) = logind.last_lock().unwrap();
        assert_eq!((&*first.what, &*first.mode), ("shutdown", "block"));
        assert_eq!(first.why, "pve-02 is down");
        held.follow(hold("pve-02 is down"), &address).await;
        assert_eq!(logind.last_lock().unwrap().1, 1, "it has it already");
        held.follow(hold("pve-03 is down"), &address).await;
        let (second, count) = logind.last_lock().unwrap();
        assert_eq!((count, second.is_held()), (2, true));
        first.is_let_go().await;

        let let_go = Decision::LetGo("a reboot would be GO".to_owned());
        let (is_held, why) = held.follow(let_go, &address).await;
        assert_eq!((is_held, &*why), (false, "a reboot would be GO"));
        second.is_let_go().await;
    }

    #[tokio::test]
    async fn a_lock_that_was_lost_is_taken_again_and_without_a_bus_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let bus = FakeBus::start(dir.path()).await;
        let logind = FakeLogind::start(&bus).await;
        let (mut held, address) = (Held::default(), bus.address());
        held.follow(hold("no"), &address).await;
        drop(logind);
        let logind = FakeLogind::start(&bus).await;
        while logind.last_lock().is_none() {
            assert!(held.follow(hold("no"), &address).await.0);
            sleep(Duration::from_millis(5)).await;
        }
        drop(bus);
        while held.follow(hold("no"), &address).await.0 {
            sleep(Duration::from_millis(5)).await;
        }
        let (_, why) = held.follow(hold("no"), &address).await;
        assert!(why.starts_with("the system bus cannot be reached"), "{why}");
    }
}
