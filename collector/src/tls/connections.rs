//! The connections that are open, by whose they are: so that one that may speak no more is closed at once, with every
//! stream on it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::oneshot;

/// One open connection.
#[derive(Debug)]
struct Open {
    /// The serial of its certificate, or where a stranger is.
    owner: String,
    address: SocketAddr,
    not_after: Option<Timestamp>,
    /// Dropping it closes the connection.
    _close: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    open: BTreeMap<u64, Open>,
}

/// All of one door.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    most_of_one: usize,
    table: Mutex<Table>,
}

/// Its connection is in the table as long as this lives.
#[derive(Debug)]
pub(crate) struct Place {
    number: u64,
    connections: Arc<Connections>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.table().open.remove(&self.number);
    }
}

impl Place {
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Connections {
    pub fn new(most: usize, most_of_one: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_of_one,
            table: Mutex::default(),
        })
    }

    /// Takes one in. The receiver is ready when the connection must end; the address is that of one which had to go
    /// because there were too many.
    pub(crate) fn enter(
        self: &Arc<Self>,
        owner: String,
        address: SocketAddr,
        not_after: Option<Timestamp>,
    ) -> (Place, oneshot::Receiver<()>, Option<SocketAddr>) {
        let (close, closed) = oneshot::channel();
        let mut table = self.table();
        let own = table.open.iter().filter(|(_, open)| open.owner == owner);
        let own: Vec<u64> = own.map(|(number, _)| *number).collect();
        let victim = if own.len() >= self.most_of_one {
            own.first().copied()
        } else if table.open.len() >= self.most {
            table.open.first_key_value().map(|(number, _)| *number)
        } else {
            None
        };
        let victim = victim.and_then(|number| table.open.remove(&number));
        let number = table.next;
        table.next += 1;
        let open = Open {
            owner,
            address,
            not_after,
            _close: close,
        };
        table.open.insert(number, open);
        let place = Place {
            number,
            connections: Arc::clone(self),
        };
        (place, closed, victim.map(|open| open.address))
    }

    /// Whose connections are open, each once.
    pub fn owners(&self) -> Vec<String> {
        let table = self.table();
        let mut owners: Vec<String> = table.open.values().map(|open| open.owner.clone()).collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// Closes all of an owner; where they were.
    pub fn close(&self, owner: &str) -> Vec<SocketAddr> {
        self.close_those(|_, open| open.owner == owner)
    }

    /// Closes those whose certificate is over; where they were.
    pub fn close_expired(&self, now: Timestamp) -> Vec<SocketAddr> {
        self.close_those(|_, open| open.not_after.is_some_and(|until| until <= now))
    }

    pub(super) fn close_one(&self, number: u64) -> Vec<SocketAddr> {
        self.close_those(|each, _| each == number)
    }

    pub fn count(&self) -> usize {
        self.table().open.len()
    }

    fn close_those(&self, which: impl Fn(u64, &Open) -> bool) -> Vec<SocketAddr> {
        let mut table = self.table();
        let closing = table
            .open
            .extract_if(.., |number, open| which(*number, open));
        closing.map(|(_, open)| open.address).collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn is_closed(closed: &mut oneshot::Receiver<()>) -> bool {
        closed.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn a_connection_is_closed_when_its_certificate_is_over() {
        let connections = Connections::new(10, 10);
        let at = |second| Timestamp::from_second(second).unwrap();
        let (_place, mut soon, _) = connections.enter("a".to_owned(), from(1), Some(at(100)));
        let (_place, mut later, _) = connections.enter("b".to_owned(), from(2), Some(at(200)));
        assert_eq!(connections.close_expired(at(99)), []);
        assert_eq!(connections.close_expired(at(100)), [from(1)]);
        assert!(is_closed(&mut soon) && !is_closed(&mut later));
        assert_eq!(connections.owners(), ["b"]);
    }

    #[test]
    fn too_many_of_one_cost_its_oldest_and_too_many_of_all_the_oldest_of_all() {
        let connections = Connections::new(3, 2);
        let mut places = Vec::new();
        let mut enter = |owner: &str, port| {
            let (place, _, victim) = connections.enter(owner.to_owned(), from(port), None);
            places.push(place);
            victim
        };
        assert_eq!(enter("a", 1), None);
        assert_eq!(enter("b", 2), None);
        assert_eq!(enter("b", 3), None);
        assert_eq!(enter("b", 4), Some(from(2)));
        assert_eq!(enter("c", 5), Some(from(1)));
        assert_eq!(connections.count(), 3);
        places.clear();
        assert_eq!(connections.count(), 0);
    }
}
