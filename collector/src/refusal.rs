//! What was refused, to whom, and why: one line in the log each, and a count. A flood fills neither the log nor the
//! memory: of each reason so many lines are said in a while, and then how many there were besides.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Of one reason, within [`WINDOW`].
const MOST_LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// Makes of one table the reasons, their names and their sentences.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $word:literal = $sentence:literal,)+) => {
        /// Why somebody was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason {
            $($(#[$doc])* $name,)+
        }

        impl Reason {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// As it is counted under.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// As it stands in the log.
            pub fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => $sentence,)+
                }
            }
        }
    };
}

reasons! {
    NoCertificate "no-certificate" = "it showed no certificate",
    OtherCa "other-ca" = "its certificate is not from this collector's CA",
    Expired "expired" = "its certificate has expired",
    Revoked "revoked" = "its certificate was revoked",
    /// Signed by the CA, and not in identity.db.
    NotGivenOut "not-given-out" = "its certificate is not among those given out here",
    TlsVersion "tls-version" = "it does not speak TLS 1.3",
    NotTls "not-tls" = "it did not speak TLS properly",
    /// As it does when its token has another fingerprint.
    NotTrusted "not-trusted" = "it does not trust this collector's certificate",
    TooSlow "too-slow" = "its TLS handshake took too long",
    /// More handshakes are in flight than are allowed; the oldest go.
    GaveWay "gave-way" = "its TLS handshake was not done when too many others came",
    HungUp "hung-up" = "it hung up during the TLS handshake",
    TooManyConnections "too-many-connections" = "it, or everybody together, has too many connections; the oldest was closed",
    TooLong "too-long" = "its enrolment took too long",
    NotAllowed "not-allowed" = "its role does not allow this",
    TooLarge "too-large" = "its message is too large",
    BadRequest "bad-request" = "its request makes no sense",
    Token "token" = "its token is not good",
    Name "name" = "its name is taken",
    Cluster "cluster" = "its cluster must be looked at by a person",
    OtherNode "other-node" = "it speaks for another node than that of its certificate",
    OtherCluster "other-cluster" = "it speaks for another cluster than that of its certificate",
    Version "version" = "its version does not go with this collector's",
    Authority "authority" = "another collector decides for its cluster already",
    TooManyFailures "too-many-failures" = "too many of its attempts failed of late",
    TooManyRequests "too-many-requests" = "it asks FleetLock too often",
    OutsideNetworks "outside-networks" = "its address is in none of FleetLock's networks",
    UnknownClient "unknown-client" = "no node is known for its FleetLock id",
    Unfinished "unfinished" = "its request was not done in time",
}

/// Of one reason.
#[derive(Debug, Default, Clone)]
struct Count {
    total: u64,
    began: Option<Instant>,
    said: u32,
    unsaid: u64,
}

impl Count {
    /// How many were not said in the window that is over.
    fn turn(&mut self, now: Instant) -> Option<u64> {
        let is_over = |began| now.saturating_duration_since(began) >= WINDOW;
        if !self.began.is_some_and(is_over) {
            return None;
        }
        self.began = None;
        self.said = 0;
        let unsaid = std::mem::take(&mut self.unsaid);
        (unsaid > 0).then_some(unsaid)
    }

    /// Whether this one is to be said.
    fn add(&mut self, now: Instant) -> bool {
        self.total += 1;
        self.began.get_or_insert(now);
        if self.said < MOST_LINES {
            self.said += 1;
            return true;
        }
        self.unsaid += 1;
        false
    }
}

/// All refusals of the running collector.
#[derive(Debug)]
pub struct Refusals {
    counts: Mutex<Vec<(Reason, Count)>>,
}

impl Default for Refusals {
    fn default() -> Self {
        let none = Reason::ALL
            .iter()
            .map(|reason| (*reason, Count::default()))
            .collect();
        Self {
            counts: Mutex::new(none),
        }
    }
}

impl Refusals {
    /// Counts it, and says it unless too many were said of late. `more` says who or what; it may be empty.
    pub fn refuse(&self, reason: Reason, address: SocketAddr, more: impl Display) {
        let now = Instant::now();
        let mut is_said = false;
        self.each(|counted, count| {
            if counted == reason {
                say_unsaid(reason, count.turn(now));
                is_said = count.add(now);
            }
        });
        if is_said {
            let more = more.to_string();
            let joint = if more.is_empty() { "" } else { ": " };
            tracing::warn!("refused {address}: {}{joint}{more}", reason.sentence());
        }
    }

    /// Says what was held back, once its window is over. To be called now and then.
    pub fn flush(&self) {
        let now = Instant::now();
        self.each(|reason, count| say_unsaid(reason, count.turn(now)));
    }

    /// How often it came since the collector started.
    pub fn count(&self, reason: Reason) -> u64 {
        let mut total = 0;
        self.each(|counted, count| {
            if counted == reason {
                total = count.total;
            }
        });
        total
    }

    /// How often each came, all at one moment.
    pub fn counts(&self) -> Vec<(Reason, u64)> {
        let mut counts = Vec::with_capacity(Reason::ALL.len());
        self.each(|reason, count| counts.push((reason, count.total)));
        counts
    }

    fn each(&self, mut what: impl FnMut(Reason, &mut Count)) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (reason, count) in counts.iter_mut() {
            what(*reason, count);
        }
    }
}

fn say_unsaid(reason: Reason, unsaid: Option<u64>) {
    if let Some(unsaid) = unsaid {
        tracing::warn!(
            "refused {unsaid} more in {} s: {}",
            WINDOW.as_secs(),
            reason.sentence()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_said_line_by_line() {
        let begun = Instant::now();
        let mut count = Count::default();
        let said = (0..5_000).filter(|_| count.add(begun)).count();
        assert_eq!(said, 20);
        assert_eq!(count.turn(begun + WINDOW / 2), None);
        assert_eq!(count.turn(begun + WINDOW), Some(4_980));
        assert!(count.add(begun + WINDOW));
        assert_eq!(count.turn(begun + 3 * WINDOW), None);
        assert_eq!(count.total, 5_001);
    }
}
