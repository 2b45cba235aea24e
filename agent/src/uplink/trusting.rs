//! The CAs that the collector tells of on an open stream (`NewTrust`): kept on the disk, and only then confirmed.
//!
//! The stream is authenticated, and that is not enough: what would not have let this very connection come about is not
//! kept (`identity/enrolled.rs`), so that no mistake of a collector can cost it its node.

use std::sync::Arc;

use jiff::Timestamp;
use proto::v1;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::link::{Beside, Link, Open};
use crate::identity::enrolled::{Enrolled, EnrolledError};

/// What is kept now, and whether the certificate is of another CA than the one that signs.
pub(super) type Stored = Result<(Enrolled, bool), EnrolledError>;

/// One at a time, and of those that wait the last: an older one is never kept after a newer one.
#[derive(Default)]
pub(super) struct Trusting {
    storing: JoinSet<Stored>,
    next: Option<v1::NewTrust>,
    /// The stream that they come on: its enrolment, and what the collector showed.
    from: Option<(Arc<Enrolled>, proto::tls::Shown)>,
}

impl Trusting {
    pub(super) fn begin(&mut self, new: v1::NewTrust, open: &Open) {
        self.from = Some((Arc::clone(&open.enrolled), open.shown.clone()));
        self.next = Some(new);
        self.go_on();
    }

    fn go_on(&mut self) {
        if !self.storing.is_empty() {
            return;
        }
        if let (Some(new), Some((enrolled, shown))) = (self.next.take(), self.from.clone()) {
            self.storing.spawn_blocking(move || {
                let kept = enrolled.store_trust(&new.trust, &shown)?;
                let is_other = kept.is_of_another_ca(&new.signs)?;
                Ok((kept, is_other))
            });
        }
    }

    /// Ready when one was kept, or refused. Nothing while none is.
    pub(super) async fn stored(&mut self) -> Option<Stored> {
        let stored = self.storing.join_next().await?.ok();
        self.go_on();
        stored
    }
}

impl Link {
    pub(super) fn trusted(&mut self, stored: Stored, open: &mut Open, beside: &mut Beside) {
        let id = &open.enrolled.collector_id;
        let (kept, is_other) = match stored {
            Ok(stored) => stored,
            Err(error) => return self.shared.note(id, &error),
        };
        let trust = kept.trust();
        if trust != open.enrolled.trust() {
            let count = trust.len();
            crate::run::say(&format!("collector {id}: it is known by {count} CAs now"));
        }
        open.session.trust_kept(trust);
        self.shared.look_again.notify_one();
        if is_other {
            let pause = self.renewal.ask(&open.enrolled, Timestamp::now());
            beside.look = beside.look.min(Instant::now() + pause);
        }
    }
}
