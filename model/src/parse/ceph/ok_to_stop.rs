//! `ceph osd|mon|mds ok-to-stop …` (src/mgr/DaemonServer.cc, src/mon/MonmapMonitor.cc, src/mon/FSCommands.cc).
//!
//! An answer is "yes" only in ceph's own words for yes, or by its `ok_to_stop: true` without anything in the text
//! that speaks against it. `Error EBUSY` is a no; every other error is no answer.

use serde_json::{Map, Value};

use super::{error_name, is_error, no_answer};
use crate::fact::ceph::{DaemonKind, OkToStop};
use crate::parse::json::{Document, Taker, document};
use crate::text::{BadLine, BadLines, Line, MAX_BAD_LINE_CHARS, Parsed, Unreadable, lines};

/// Reads one answer. What was asked is often only in the name of the file (`ceph_osd_ok-to-stop_3`): `what` and
/// `ids` are that, and hold where the answer is silent.
pub fn parse(
    what: Option<DaemonKind>,
    ids: &[String],
    text: &str,
) -> Result<Parsed<OkToStop>, Unreadable> {
    let mut parsed = match document(text) {
        Some(document) => json(&document?, text)?,
        None => plain(text)?,
    };
    let answer = &mut parsed.value;
    if let (Some(said), Some(asked)) = (&answer.what, &what)
        && said != asked
    {
        // An answer about other daemons than those that were asked about says nothing about these.
        return Err(Unreadable::foreign(text));
    }
    answer.what = answer.what.take().or(what);
    if answer.ids.is_empty() {
        answer.ids = ids.to_vec();
    }
    Ok(parsed)
}

fn json(document: &Document<'_>, text: &str) -> Result<Parsed<OkToStop>, Unreadable> {
    let mut taker = Taker::default();
    match document.value.as_object() {
        Some(root) if root.contains_key("ok_to_stop") => {
            let answer = from_json(&mut taker, root, text);
            Ok(taker.bad_lines.with(answer))
        }
        _ => Err(Unreadable::foreign(text)),
    }
}

/// What an object with a key `ok_to_stop` says; only OSDs are answered for in JSON (since pacific).
pub(super) fn from_json(taker: &mut Taker, root: &Map<String, Value>, text: &str) -> OkToStop {
    let mut answer = OkToStop {
        what: root.contains_key("osds").then_some(DaemonKind::Osd),
        ids: taker.texts(root, "osds"),
        ok: match root.get("ok_to_stop") {
            Some(Value::Bool(ok)) => Some(*ok),
            other => {
                taker.bad(
                    "ok_to_stop",
                    other.unwrap_or(&Value::Null),
                    "it is neither true nor false",
                );
                None
            }
        },
        text: words_around(text),
        not_ok_pgs: taker.number(root, "num_not_ok_pgs"),
        inactive_pgs: Vec::new(),
    };
    for key in ["bad_already_inactive", "bad_become_inactive"] {
        answer.inactive_pgs.extend(taker.texts(root, key));
    }
    let speaks_against = answer.not_ok_pgs.is_some_and(|pgs| pgs > 0)
        || [
            "bad_no_pool_pgs",
            "bad_already_inactive",
            "bad_become_inactive",
            "unknown_pgs",
        ]
        .iter()
        .any(|key| is_stated(root.get(*key)))
        || lines(text).any(|line| is_error(line.text));
    if answer.ok == Some(true) && speaks_against {
        answer.ok = None;
        let why = "it says yes, but names reasons against it";
        taker.bad("ok_to_stop", &Value::Bool(true), why);
    }
    // A "no" only because placement groups are in an unknown state is "cannot say".
    if answer.ok == Some(false) && lines(text).any(|line| error_name(line.text) == Some("EAGAIN")) {
        answer.ok = None;
    }
    answer
}

fn is_stated(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Array(list)) => !list.is_empty(),
        Some(_) => true,
    }
}

/// The lines of an answer that are ceph's words: not the JSON.
fn words_around(text: &str) -> String {
    let words = lines(text).find(|line| is_error(line.text));
    words.map_or_else(String::new, |line| shortly(line.text))
}

fn shortly(text: &str) -> String {
    text.trim().chars().take(MAX_BAD_LINE_CHARS).collect()
}

fn plain(text: &str) -> Result<Parsed<OkToStop>, Unreadable> {
    let mut said: Option<(Said, Line<'_>)> = None;
    let mut bad_lines = BadLines::default();
    for line in lines(text).filter(|line| !line.is_blank()) {
        let Some(now) = say(line.text) else { continue };
        match &mut said {
            None => said = Some((now, line)),
            Some((before, _)) if before.ok != now.ok => {
                before.ok = None;
                bad_lines.push(BadLine::new(line, "it contradicts what was said before"));
            }
            Some(_) => {}
        }
    }
    if let Some((said, line)) = said {
        return Ok(bad_lines.with(OkToStop {
            what: said.what,
            ids: said.ids,
            ok: said.ok,
            text: shortly(line.text),
            not_ok_pgs: None,
            inactive_pgs: Vec::new(),
        }));
    }
    Err(no_answer(text))
}

struct Said {
    what: Option<DaemonKind>,
    ids: Vec<String>,
    ok: Option<bool>,
}

/// What one line says, if it is one of ceph's answers.
fn say(line: &str) -> Option<Said> {
    let line = line.trim();
    let error = error_name(line);
    let message = match error {
        Some(_) => line
            .split_once(':')
            .map_or(line, |(_, message)| message.trim()),
        None => line,
    };
    let what = subject(message);
    if is_yes(message) {
        // With `Error` before it even these words are no yes.
        let ok = error.is_none().then_some(true);
        return Some(Said {
            ids: ids(message),
            what,
            ok,
        });
    }
    let ok = match error {
        Some("EBUSY") => Some(false),
        // "cannot draw any conclusions"; where it is not about placement groups, it is no answer at all.
        Some("EAGAIN") if message.contains("unknown") => None,
        Some(_) => return None,
        None if is_no(message) => Some(false),
        None => return None,
    };
    Some(Said {
        what,
        ids: ids(message),
        ok,
    })
}

fn is_yes(message: &str) -> bool {
    message.starts_with("quorum should be preserved (")
        || message.starts_with("should be safe to stop")
        || (message.starts_with("OSD(s) ")
            && message.contains(" are ok to stop without reducing availability"))
}

/// As ceph 16.2 prints it, and as it is spelt.
const INSUFFICIENT_MDS: [&str; 2] = [
    "insufficent standby MDS daemons",
    "insufficient standby MDS daemons",
];

fn is_no(message: &str) -> bool {
    message.starts_with("not enough monitors would be available")
        || INSUFFICIENT_MDS
            .iter()
            .any(|words| message.starts_with(words))
        || message.starts_with("unsafe to stop osd(s)")
        || message.contains("PGs are already too degraded, would become too degraded")
}

fn subject(message: &str) -> Option<DaemonKind> {
    let lower = message.to_ascii_lowercase();
    let of_monitors = lower.starts_with("quorum should be preserved")
        || lower.starts_with("not enough monitors would be available");
    let of_mds = lower.starts_with("should be safe to stop")
        || INSUFFICIENT_MDS
            .iter()
            .any(|words| message.starts_with(words));
    let of_osds = lower.starts_with("osd(s) ")
        || lower.starts_with("unsafe to stop osd(s)")
        || lower.contains(" pgs are ");
    match (of_monitors, of_mds, of_osds) {
        (true, false, false) => Some(DaemonKind::Mon),
        (false, true, false) => Some(DaemonKind::Mds),
        (false, false, true) => Some(DaemonKind::Osd),
        _ => None,
    }
}

/// `… after stopping [c]`, `OSD(s) 3,4 are ok to stop …`, `should be safe to stop mds.a`.
fn ids(message: &str) -> Vec<String> {
    let behind = |words: &str| message.split_once(words).map(|(_, behind)| behind);
    let listed = behind("after stopping ")
        .map(|ids| ids.trim_start_matches("mons "))
        .or_else(|| behind("should be safe to stop "))
        .or_else(|| {
            let ids = message.strip_prefix("OSD(s) ")?;
            ids.split_once(" are ok to stop").map(|(ids, _)| ids)
        });
    let ids = listed.unwrap_or_default().trim_matches(['[', ']', ' ']);
    let ids = ids.split([',', ' ']).filter(|id| !id.is_empty());
    ids.map(|id| {
        let bare = ["osd.", "mon.", "mds."]
            .iter()
            .find_map(|kind| id.strip_prefix(kind));
        bare.unwrap_or(id).to_owned()
    })
    .collect()
}
