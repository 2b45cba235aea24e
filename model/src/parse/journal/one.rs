//! One entry of `journalctl -o json` alone, for whoever follows a journal: what it means, and its place.

use crate::fact::journal::{JournalEvent, JournalTime};
use crate::parse::journal::MAX_LINE_BYTES;
use crate::parse::journal::entry::Heard;
use crate::parse::journal::json;
use crate::text::Unreadable;

/// One entry, of whatever program.
#[derive(Debug, Clone, PartialEq)]
pub struct One {
    /// The journal's own name for the entry, and its place.
    pub cursor: Option<String>,
    pub time: Option<JournalTime>,
    /// `None`: another program's, or nothing that a rule knows.
    pub event: Option<JournalEvent>,
    /// A rule knows the line but cannot read it: the event is `Other`, and this is why.
    pub unread: Option<String>,
}

/// Reads one line, which is one entry.
pub fn one(line: &str) -> Result<One, Unreadable> {
    if line.len() > MAX_LINE_BYTES {
        return Err(Unreadable::foreign(line));
    }
    let entry = json::read(line).map_err(|error| Unreadable::from_json(line, &error))?;
    let cursor = entry.cursor.as_deref().map(str::to_owned);
    let time = entry.time.clone();
    let (event, unread) = match entry.hear() {
        Heard::OfOthers => (None, None),
        Heard::Event(event) => (Some(event), None),
        Heard::Unread(event, why) => (Some(event), Some(why)),
    };
    Ok(One {
        cursor,
        time,
        event,
        unread,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::journal::Event;

    #[test]
    fn an_entry_alone_is_read_as_it_is_among_others() {
        let line = concat!(
            r#"{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795232761000000","#,
            r#""SYSLOG_IDENTIFIER":"corosync","MESSAGE":"[KNET  ] link: host: 2 link: 0 is down"}"#
        );
        let alone = one(line).unwrap();
        let among = crate::parse::journal::parse(line).unwrap().value;
        assert_eq!(alone.event.as_ref(), among.events.first());
        assert!(matches!(
            alone.event.unwrap().event,
            Event::KnetLinkDown { .. }
        ));
        assert_eq!(alone.cursor.as_deref(), Some("s=1;i=2"));
        assert_eq!(alone.time, among.first);
    }

    #[test]
    fn of_another_program_the_place_is_told_and_nothing_else() {
        let alone = one(r#"{"__CURSOR":"s=1;i=3","SYSLOG_IDENTIFIER":"sshd","MESSAGE":"x"}"#);
        let alone = alone.unwrap();
        assert_eq!(
            (alone.event, alone.cursor.as_deref()),
            (None, Some("s=1;i=3"))
        );
        assert!(one("-- No entries --").is_err());
        assert!(one("").is_err());
    }
}
