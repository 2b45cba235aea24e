//! What wakes the sources: the kernel's, corosync's and the journal's own word that something changed. A wake is a
//! moment, not a message: ten thousand of them while a source is busy make it look once more, and no queue grows.

use std::time::Instant;

use tokio::sync::watch;

use crate::source::Wake;

/// One channel a kind; its value is the moment of the first word that nobody has looked after yet.
#[derive(Debug, Clone)]
pub(crate) struct Wakes {
    kinds: Vec<(Wake, watch::Sender<Option<Instant>>)>,
}

impl Wakes {
    pub(crate) fn new() -> Self {
        let kinds = Wake::ALL
            .iter()
            .map(|wake| (*wake, watch::Sender::new(None)));
        Self {
            kinds: kinds.collect(),
        }
    }

    /// Something of this kind happened, and was noticed then.
    pub(crate) fn wake(&self, kind: Wake, noticed: Instant) {
        if let Some((_, sender)) = self.kinds.iter().find(|(of, _)| *of == kind) {
            sender.send_replace(Some(noticed));
        }
    }

    pub(crate) fn listen(&self, to: &[Wake]) -> Listening {
        let heard = self.kinds.iter().filter(|(kind, _)| to.contains(kind));
        Listening {
            receivers: heard.map(|(_, sender)| sender.subscribe()).collect(),
        }
    }
}

/// One source's ear.
#[derive(Debug)]
pub(crate) struct Listening {
    receivers: Vec<watch::Receiver<Option<Instant>>>,
}

impl Listening {
    /// Waits for the next word of any kind that it listens to; for ever, if it listens to none.
    pub(crate) async fn woken(&mut self) -> Instant {
        let each = self.receivers.iter_mut().map(|receiver| {
            Box::pin(async move {
                match receiver.changed().await {
                    Ok(()) => receiver.borrow_and_update().unwrap_or_else(Instant::now),
                    // The sender is gone with the runtime; there is nothing to wait for.
                    Err(_) => std::future::pending().await,
                }
            })
        });
        let mut each: Vec<_> = each.collect();
        std::future::poll_fn(|context| {
            for future in &mut each {
                if let std::task::Poll::Ready(noticed) = future.as_mut().poll(context) {
                    return std::task::Poll::Ready(noticed);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_word_is_heard_by_those_who_listen_to_its_kind_and_many_are_one() {
        let wakes = Wakes::new();
        let mut network = wakes.listen(&[Wake::Power, Wake::Network]);
        let mut nobody = wakes.listen(&[]);
        let noticed = Instant::now();
        wakes.wake(Wake::Network, noticed);
        wakes.wake(Wake::Network, noticed);
        assert_eq!(network.woken().await, noticed);
        tokio::select! {
            biased;
            _ = network.woken() => panic!("woken twice"),
            _ = nobody.woken() => panic!("nobody listens"),
            () = std::future::ready(()) => {}
        }
    }
}
