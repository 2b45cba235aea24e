//! The way of one stream's messages to the actor: bounded in number and in bytes, and taken in turns.
//!
//! A stream that fills its mailbox waits, and with it its agent, by HTTP/2's own flow control; nobody else waits. Each
//! stream stands at most once in the line of those that have something, so the line is as long as there are streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::Status;

use super::intake::Arrived;
use super::{MAX_MESSAGE_BYTES, StreamId};

/// Messages of one stream that wait for their turn.
const MAX_MESSAGES: usize = 32;

enum Letter {
    Arrived {
        arrived: Box<Arrived>,
        _room: OwnedSemaphorePermit,
    },
    /// The stream is to be ended with this.
    End(Status),
}

/// The stream's end.
#[derive(Debug)]
pub struct Letters {
    stream: StreamId,
    letters: Option<mpsc::Sender<Letter>>,
    room: Arc<Semaphore>,
    is_in_line: Arc<AtomicBool>,
    line: mpsc::UnboundedSender<StreamId>,
}

/// The actor's end.
pub(super) struct Mailbox {
    letters: mpsc::Receiver<Letter>,
    is_in_line: Arc<AtomicBool>,
}

pub(super) enum Taken {
    Message {
        arrived: Box<Arrived>,
        has_more: bool,
    },
    Empty,
    End(Status),
    Closed,
}

pub(super) fn mailbox(
    stream: StreamId,
    line: mpsc::UnboundedSender<StreamId>,
) -> (Letters, Mailbox) {
    let (sender, receiver) = mpsc::channel(MAX_MESSAGES);
    let is_in_line = Arc::new(AtomicBool::new(false));
    let letters = Letters {
        stream,
        letters: Some(sender),
        room: Arc::new(Semaphore::new(MAX_MESSAGE_BYTES)),
        is_in_line: Arc::clone(&is_in_line),
        line,
    };
    let mailbox = Mailbox {
        letters: receiver,
        is_in_line,
    };
    (letters, mailbox)
}

impl Letters {
    /// Waits as long as the mailbox is full; false when nobody will take it any more.
    pub async fn send(&self, arrived: Arrived, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes.min(MAX_MESSAGE_BYTES)).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(bytes).await else {
            return false;
        };
        let letter = Letter::Arrived {
            arrived: Box::new(arrived),
            _room: room,
        };
        self.put(letter).await
    }

    /// Ends the stream, behind all that was sent before, and says why.
    pub async fn end(&self, why: Status) {
        // Nobody will take it: then it is ended already.
        let _ = self.put(Letter::End(why)).await;
    }

    async fn put(&self, letter: Letter) -> bool {
        let Some(letters) = &self.letters else {
            return false;
        };
        let is_sent = letters.send(letter).await.is_ok();
        self.stand_in_line();
        is_sent
    }

    /// Comes back when nobody will take anything any more.
    pub async fn closed(&self) {
        if let Some(letters) = &self.letters {
            letters.closed().await;
        }
    }

    fn stand_in_line(&self) {
        if !self.is_in_line.swap(true, Ordering::AcqRel) {
            // Without an actor nobody has to come.
            let _ = self.line.send(self.stream);
        }
    }
}

impl Drop for Letters {
    fn drop(&mut self) {
        self.letters = None;
        self.stand_in_line();
    }
}

impl Mailbox {
    /// The next message. With more behind it the stream stays in line; the caller puts it at the end.
    pub(super) fn take(&mut self) -> Taken {
        self.is_in_line.store(false, Ordering::Release);
        match self.letters.try_recv() {
            Ok(Letter::End(why)) => Taken::End(why),
            Ok(Letter::Arrived { arrived, .. }) => Taken::Message {
                arrived,
                has_more: !self.letters.is_empty() || self.letters.is_closed(),
            },
            Err(TryRecvError::Empty) => Taken::Empty,
            Err(TryRecvError::Disconnected) => Taken::Closed,
        }
    }

    /// True if it does not stand in line yet.
    pub(super) fn lines_up(&self) -> bool {
        !self.is_in_line.swap(true, Ordering::AcqRel)
    }
}
