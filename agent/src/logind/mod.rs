//! systemd-logind, over the system bus: it announces a shutdown to whoever holds a delay inhibitor, and waits for him
//! (<https://systemd.io/INHIBITOR_LOCKS/>, org.freedesktop.login1(5)). The agent uses that moment to say so while the
//! network is still there.
//!
//! It never holds a shutdown up for longer than [`TELLS_WITHIN`]; logind itself waits for 5 s at most
//! (`InhibitDelayMaxSec=`). Without a bus or without logind the agent goes on without, and says so.

mod bus;
#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use model::fact::power::AnnouncedShutdown;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

pub(crate) use bus::BusError;
use bus::{Bus, Inhibit, Lock, Signal};

use crate::host::said;

pub(crate) const SYSTEM_BUS: &str = "unix:path=/run/dbus/system_bus_socket";

/// So long the agent holds a shutdown up at most.
const TELLS_WITHIN: Duration = Duration::from_millis(1_500);
/// A bus or a logind that is gone is looked for again after this time, and then after twice as long each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// A block inhibitor: nobody but who goes round it shuts the node down while this is there.
#[derive(Debug)]
pub(crate) struct Block {
    bus: Bus,
    _lock: Lock,
}

impl Block {
    pub(crate) async fn take(address: &str, why: &str) -> Result<Self, BusError> {
        let mut bus = Bus::connect(address).await?;
        let mode = "block";
        let lock = bus.inhibit(&Inhibit { mode, why }).await?;
        Ok(Self { bus, _lock: lock })
    }

    /// Not where logind or the bus was started anew since: they may have forgotten it.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.bus.is_as_it_was()
    }
}

const DELAY: Inhibit<'_> = Inhibit {
    mode: "delay",
    why: "telling the collector that this node goes down",
};

/// What is to be known of it elsewhere.
#[derive(Debug)]
pub(crate) enum Heard {
    /// It announces shutdowns from now on.
    Attends,
    /// Why it does not, in a finished sentence.
    Blind(String),
    /// All goes down. `told` is used once whoever is to know of it does: until then the shutdown waits.
    GoingDown {
        announced: AnnouncedShutdown,
        told: oneshot::Sender<()>,
    },
    /// The node stays up after all.
    TakenBack,
}

/// Attends to logind for as long as somebody listens, over any of its restarts.
pub(crate) async fn attend(address: &str, heard: mpsc::Sender<Heard>) {
    let mut pause = FIRST_RETRY;
    loop {
        let Err(ended) = once(address, &heard, &mut pause).await else {
            return;
        };
        let blind = format!(
            "systemd-logind cannot be attended to ({}): a shutdown is told once it has begun, and not before.",
            said(&ended)
        );
        if heard.send(Heard::Blind(blind)).await.is_err() {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LAST_RETRY);
    }
}

/// Until the bus breaks off; well where nobody listens any more.
async fn once(
    address: &str,
    heard: &mpsc::Sender<Heard>,
    pause: &mut Duration,
) -> Result<(), BusError> {
    let mut bus = Bus::connect(address).await?;
    // It is held by being there; to let go of it is to drop it.
    let mut lock: Option<Lock> = Some(bus.inhibit(&DELAY).await?);
    *pause = FIRST_RETRY;
    if heard.send(Heard::Attends).await.is_err() {
        return Ok(());
    }
    let mut is_going = false;
    loop {
        match bus.next().await? {
            // It is announced twice: with its kind, and in the old way without.
            Signal::GoingDown(_) if is_going => {}
            Signal::TakenBack if !is_going => {}
            Signal::GoingDown(mode) => {
                is_going = true;
                let (told, all_know) = oneshot::channel();
                let at = Timestamp::now();
                let announced = AnnouncedShutdown { at, mode };
                if heard
                    .send(Heard::GoingDown { announced, told })
                    .await
                    .is_err()
                {
                    return Ok(());
                }
                // Told or not: the shutdown goes on.
                let _ = timeout(TELLS_WITHIN, all_know).await;
                drop(lock.take());
            }
            Signal::TakenBack => {
                is_going = false;
                if heard.send(Heard::TakenBack).await.is_err() {
                    return Ok(());
                }
                lock = Some(bus.inhibit(&DELAY).await?);
            }
            // It forgets its locks where it was stopped.
            Signal::LogindCameBack if !is_going => lock = Some(bus.inhibit(&DELAY).await?),
            // It gives no lock while a shutdown is under way: one that it gives says that none is any more.
            Signal::LogindCameBack => {
                if let Ok(again) = bus.inhibit(&DELAY).await {
                    (lock, is_going) = (Some(again), false);
                    if heard.send(Heard::TakenBack).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
}
