//! When a certificate is renewed, and how: with a new key, over the stream's own connection, and without a restart.
//!
//! The certificate of before stays good until its end, so that a connection that was made with it goes on.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proto::tls::Shown;
use tonic::transport::Channel;

use super::enrolled::{About, Enrolled};
use super::exchange::{self, ExchangeError};

const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// A certificate has days left when it is first renewed: an hour more does not matter, and is no burden.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// After the collector has said that another CA signs.
const SOONEST: Duration = Duration::from_secs(1);
const ASKED_WITHIN: Duration = Duration::from_secs(30);
/// Up to this part of a pause is added, by certificate: nodes that failed together do not come back together.
const SPREAD: u32 = 4;

/// Gets a certificate for a new key, and keeps both; hands out the enrolment as it is then.
pub(crate) async fn renew(
    channel: Channel,
    enrolled: &Enrolled,
    shown: &Shown,
    now: Timestamp,
) -> Result<Enrolled, ExchangeError> {
    let about = About {
        addresses: enrolled.addresses.clone(),
        cluster: enrolled.cluster.clone(),
        cluster_name: enrolled.cluster_name.clone(),
        node: enrolled.node.clone(),
        is_authority: enrolled.is_authority,
        authority: enrolled.authority.clone(),
    };
    let kept = exchange::renew(channel, enrolled, about, shown, now).await?;
    let enrolled = enrolled.clone();
    let store = move || enrolled.store_renewed(kept.key_pem, kept.chain, kept.trust);
    let stored = tokio::task::spawn_blocking(store).await;
    Ok(stored.map_err(|_| ExchangeError::BrokeOff)??)
}

/// When to try, of one enrolment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Renewal {
    /// In a row.
    failures: u32,
    /// After a failure: not before then.
    again: Option<Timestamp>,
    /// The collector signs with another CA now: from then on, whatever is left of the certificate's life.
    asked: Option<Timestamp>,
}

impl Renewal {
    pub(crate) fn is_due(&self, enrolled: &Enrolled, now: Timestamp) -> bool {
        let is_asked = self.asked.is_some_and(|asked| asked <= now);
        (is_asked || enrolled.needs_renewal(now)) && self.again.is_none_or(|again| again <= now)
    }

    /// The collector signs with another CA than the one of this certificate. Hands out how long to wait: not all nodes
    /// come at once, and one that is asked without end does not renew without a pause.
    pub(crate) fn ask(&mut self, enrolled: &Enrolled, now: Timestamp) -> Duration {
        let pause = SOONEST + ASKED_WITHIN / u32::from(u8::MAX) * u32::from(enrolled.spread());
        let at = now.saturating_add(SignedDuration::try_from(pause).unwrap_or_default());
        self.asked = self.asked.or(at.ok());
        pause
    }

    pub(crate) fn failed(&mut self, enrolled: &Enrolled, now: Timestamp) {
        let pause = pause(self.failures, enrolled.spread());
        self.failures = self.failures.saturating_add(1);
        let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
        self.again = Some(now.saturating_add(pause).unwrap_or(Timestamp::MAX));
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

/// How long to wait after so many failures before: 1 min, 2, 4 and so on up to an hour, and up to a quarter more.
fn pause(failures: u32, spread: u8) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures));
    let pause = doubled.min(LONGEST_PAUSE);
    pause + pause / SPREAD * u32::from(spread) / u32::from(u8::MAX)
}

#[cfg(test)]
mod tests;
