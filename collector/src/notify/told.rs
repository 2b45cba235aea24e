//! A message as JSON, for programs: what the webhook sends and a command reads. `docs/alerts.md` documents it; a field is only ever
//! added, and `version` changes when one goes or means something else.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::Sending;
use super::parts::{PLAIN_BYTES, fitted};

const VERSION: u32 = 1;
/// Of any one text. What is longer is no sentence.
const TEXT_BYTES: usize = 16_000;
const MAX_TEXTS: usize = 32;

pub(super) fn told(sending: &Sending<'_>) -> Json {
    let message = sending.message;
    let text = |text: &str| fitted(text, TEXT_BYTES, PLAIN_BYTES);
    let texts = |texts: &[String]| -> Vec<String> {
        texts.iter().take(MAX_TEXTS).map(|one| text(one)).collect()
    };
    json!({
        "version": VERSION,
        "delivery": sending.key,
        "thread": sending.thread,
        "kind": message.kind.name(),
        "cluster": {"id": text(&message.cluster_id), "name": text(&message.cluster)},
        "incident": {
            "number": message.incident,
            "rule": text(&message.rule),
            "subject": text(&message.subject),
            "severity": message.severity.to_string(),
            "sentence": text(&message.sentence),
            "began": moment(message.began_unix_ms),
            "at": moment(message.at_unix_ms),
            "explains": message.explains,
        },
        "headline": text(&message.headline()),
        "quorum": text(&message.quorum),
        "evidence": texts(&message.evidence),
        "others": texts(&message.others),
        "remedy": text(&message.remedy),
        "link": text(&message.link),
        "recorded": sending.is_recorded,
    })
}

fn moment(unix_ms: i64) -> String {
    Timestamp::from_millisecond(unix_ms)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

#[cfg(test)]
mod tests {
    use model::alert::Kind;

    use crate::notify::testing::{message, sending};

    use super::*;

    /// `a`, `a.b`: all fields, in their order.
    fn fields(of: &str, json: &Json, found: &mut Vec<String>) {
        for (name, value) in json.as_object().into_iter().flatten() {
            found.push(format!("{of}{name}"));
            fields(&format!("{of}{name}."), value, found);
        }
    }

    #[test]
    fn the_page_shows_every_field() {
        let page = include_str!("../../../docs/alerts.md");
        let shown = page.split("```json\n").nth(1).unwrap();
        let shown: Json = serde_json::from_str(shown.split("```").next().unwrap()).unwrap();
        let (mut on_the_page, mut told_here) = (Vec::new(), Vec::new());
        fields("", &shown, &mut on_the_page);
        fields(
            "",
            &told(&sending(&message(Kind::Opened), None)),
            &mut told_here,
        );
        assert_eq!(on_the_page, told_here);
    }
}
