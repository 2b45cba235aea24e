//! Keeps one link for each enrolment of this node: those that appear while the agent runs are begun, those that go are
//! ended, those that changed open a new stream.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet, spawn_blocking};
use tokio::time::sleep;

use super::link::Link;
use super::shared::{Shared, Standing, locked};
use crate::host::said;
use crate::identity::enrolled::{Enrolled, Found};
use crate::identity::renewal::Renewal;

/// How often the directory of the enrolments is looked at.
const EVERY: Duration = Duration::from_secs(10);

pub(super) struct Minder {
    pub(super) state_dir: PathBuf,
    pub(super) shared: Shared,
}

struct Minded {
    enrolled: watch::Sender<Arc<Enrolled>>,
    task: AbortHandle,
}

impl Minder {
    pub(super) async fn mind(self) {
        let (mut links, mut minded) = (JoinSet::new(), BTreeMap::new());
        let mut complaint = None;
        loop {
            let state_dir = self.state_dir.clone();
            match spawn_blocking(move || Enrolled::each(&state_dir)).await {
                Ok(Ok(each)) => {
                    complaint = None;
                    self.take(each, &mut minded, &mut links).await;
                }
                // That they cannot be listed now is no reason to end the links.
                Ok(Err(error)) => {
                    let why = said(&error);
                    if complaint.as_ref() != Some(&why) {
                        crate::run::warn(&why);
                    }
                    complaint = Some(why);
                }
                Err(_) => {}
            }
            tokio::select! {
                () = sleep(EVERY) => {}
                () = self.shared.look_again.notified() => {}
            }
        }
    }

    async fn take(
        &self,
        each: Vec<Found>,
        minded: &mut BTreeMap<String, Minded>,
        links: &mut JoinSet<()>,
    ) {
        let names: Vec<String> = each.iter().map(|(id, _)| id.clone()).collect();
        let is_other = !locked(&self.shared.standings).keys().eq(names.iter());
        minded.retain(|id, link| {
            let stays = names.contains(id);
            if !stays {
                link.task.abort();
            }
            stays
        });
        if is_other {
            self.read_by(names).await;
        }
        for (id, enrolled) in each {
            let enrolled = match enrolled {
                Ok(enrolled) => enrolled,
                // What is wrong with one is no reason to hold up the others; its link, if it has one, stays.
                Err(error) => {
                    self.shared.note(&id, &error);
                    continue;
                }
            };
            match minded.get(&id) {
                Some(link) => {
                    link.enrolled.send_if_modified(|known| {
                        let is_new = enrolled.needs_new_stream(known);
                        *known = Arc::new(enrolled);
                        is_new
                    });
                }
                None => {
                    minded.insert(id, self.begin(enrolled, links));
                }
            }
        }
        while links.try_join_next().is_some() {}
    }

    /// The spool keeps what any of these has not got yet.
    async fn read_by(&self, names: Vec<String>) {
        let Some(spool) = self.shared.spool.clone() else {
            let mut standings = locked(&self.shared.standings);
            *standings = names
                .into_iter()
                .map(|id| (id, Standing::default()))
                .collect();
            return;
        };
        let shared = self.shared.clone();
        let told = spawn_blocking(move || {
            let mut spool = locked(&spool);
            let told = spool.read_by(&names);
            let mut standings = locked(&shared.standings);
            standings.retain(|id, _| names.contains(id));
            for id in names {
                let acknowledged = spool.acknowledged_by(&id);
                let standing = standings.entry(id).or_default();
                standing.acknowledged = standing.acknowledged.max(acknowledged);
            }
            told
        });
        if let Ok(Err(error)) = told.await {
            crate::run::warn(&said(&error));
        }
    }

    fn begin(&self, enrolled: Enrolled, links: &mut JoinSet<()>) -> Minded {
        let (enrolled, receiver) = watch::channel(Arc::new(enrolled));
        let link = Link {
            shared: self.shared.clone(),
            enrolled: receiver,
            renewal: Renewal::default(),
            missed: 0,
        };
        Minded {
            enrolled,
            task: links.spawn(link.keep_up()),
        }
    }
}
