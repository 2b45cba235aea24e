//! What wakes the sources: the kernel's, corosync's and the journal's own word that something changed. A wake is a
//! moment, not a message: ten thousand of them while a source is busy make it look once more, and no queue grows.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::source::Wake;

/// Shared by its clones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wakes {
    ears: Arc<Mutex<Vec<Listener>>>,
}

/// What somebody listens to, and his ear.
type Listener = (&'static [Wake], Arc<Ear>);

/// Of one listener: when the first word came that it has not looked after yet.
#[derive(Debug, Default)]
struct Ear {
    first: Mutex<Option<Instant>>,
    heard: Notify,
}

impl Wakes {
    /// Something of this kind happened, and was noticed then.
    pub(crate) fn wake(&self, kind: Wake, noticed: Instant) {
        self.tell(noticed, |kinds| kinds.contains(&kind));
    }

    /// Something of every kind may have happened.
    pub(crate) fn wake_all(&self, noticed: Instant) {
        self.tell(noticed, |_| true);
    }

    fn tell(&self, noticed: Instant, concerns: impl Fn(&[Wake]) -> bool) {
        let ears = self.ears.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, ear) in ears.iter().filter(|(kinds, _)| concerns(kinds)) {
            ear.first().get_or_insert(noticed);
            ear.heard.notify_one();
        }
    }

    pub(crate) fn listen(&self, to: &'static [Wake]) -> Listening {
        let ear = Arc::<Ear>::default();
        let mut ears = self.ears.lock().unwrap_or_else(PoisonError::into_inner);
        ears.push((to, Arc::clone(&ear)));
        Listening(ear)
    }
}

impl Ear {
    fn first(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One listener's end.
#[derive(Debug)]
pub(crate) struct Listening(Arc<Ear>);

impl Listening {
    /// Waits for a word of any kind that it listens to; for ever, if it listens to none. Gives the moment of the first
    /// word since it was asked last.
    pub(crate) async fn woken(&mut self) -> Instant {
        loop {
            if let Some(noticed) = self.0.first().take() {
                return noticed;
            }
            self.0.heard.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_word_is_heard_by_those_who_listen_to_its_kind_and_many_are_one() {
        let wakes = Wakes::default();
        let mut network = wakes.listen(&[Wake::Power, Wake::Network]);
        let mut nobody = wakes.listen(&[]);
        let noticed = Instant::now();
        wakes.wake(Wake::Network, noticed);
        wakes.wake(Wake::Power, noticed + Duration::from_secs(1));
        assert_eq!(network.woken().await, noticed, "the first one counts");
        tokio::select! {
            biased;
            _ = network.woken() => panic!("woken twice"),
            _ = nobody.woken() => panic!("nobody listens"),
            () = std::future::ready(()) => {}
        }
    }
}
