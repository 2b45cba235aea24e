//! What the ledger is asked, and what becomes of its answers.

use model::name::NodeName;

use super::{Core, Output};
use crate::keeper::Now;
use crate::keeper::refusal::Refusal;
use crate::ledger::decision::{Record, SpoolId};
use crate::ledger::{Appended, Snapshot};

impl Core {
    /// At the start: it is to be read before anything is kept.
    pub fn ledger_is_unread(&mut self, why: &str) {
        self.events.unread(why);
    }

    /// Why nothing can be kept now.
    pub fn ledger_trouble(&self, now: Now) -> Option<String> {
        self.events.trouble(now)
    }

    pub fn appended(&mut self, appended: Appended, now: Now) {
        let rows = self.events.appended(appended, now);
        self.kept_more(rows, now);
    }

    /// What the ledger has behind the revision that was named, and what all of it adds up to, read after that.
    pub fn read(&mut self, read: Result<(Vec<Record>, Snapshot), String>, now: Now) {
        let rows = self.events.read(read, now);
        self.kept_more(rows, now);
    }

    fn kept_more(&mut self, rows: Vec<(NodeName, SpoolId)>, now: Now) {
        self.has_changed = true;
        self.answer_for_leases();
        self.answer_for_alerts();
        for (name, spool) in rows {
            let open = self.nodes.get(&name).and_then(|node| node.stream.as_ref());
            let stream = open.filter(|open| open.spool == spool).map(|open| open.id);
            if let Some(stream) = stream {
                let up_to = self.events.kept(&name, spool).up_to;
                self.send_kept(stream, spool.0, up_to);
            }
            self.touch(&name);
        }
        for stream in self.events.to_begin_anew(now) {
            self.end(stream, Refusal::EventsNotTaken);
        }
        self.ask_ledger(now);
    }

    pub(super) fn ask_ledger(&mut self, now: Now) {
        if let Some(wish) = self.events.next_wish(now) {
            self.outputs.push_back(Output::Ledger(wish));
        }
    }
}
