//! The values of the collector itself.

use super::family::{Lines, Value};
use super::picture::Picture;

pub(super) fn build(picture: &Picture, lines: &mut Lines<'_>) {
    lines.add(&[picture.version], true);
}

pub(super) fn started(picture: &Picture, lines: &mut Lines<'_>) {
    if let Ok(second) = u64::try_from(picture.started_unix_s) {
        lines.add(&[], second);
    }
}

pub(super) fn ledger_writable(picture: &Picture, lines: &mut Lines<'_>) {
    lines.add(&[], picture.can_write);
}

pub(super) fn ledger_bytes(picture: &Picture, lines: &mut Lines<'_>) {
    if let Some(bytes) = picture.ledger_bytes {
        lines.add(&[], bytes);
    }
}

pub(super) fn connections(picture: &Picture, lines: &mut Lines<'_>) {
    lines.add(&[], picture.connections);
}

pub(super) fn refusals(picture: &Picture, lines: &mut Lines<'_>) {
    for (reason, count) in &picture.refusals {
        lines.add(&[reason.word()], *count);
    }
}

pub(super) fn verdicts(picture: &Picture, lines: &mut Lines<'_>) {
    for (answer, count) in picture.given {
        lines.add(&[answer], count);
    }
}

pub(super) fn receivers_failing(picture: &Picture, lines: &mut Lines<'_>) {
    for receiver in &picture.receivers {
        let is_failing = receiver.failing_since_unix_ms != 0;
        lines.add(&[&receiver.name, &receiver.kind], is_failing);
    }
}

pub(super) fn receivers_failing_since(picture: &Picture, lines: &mut Lines<'_>) {
    let failing = picture.receivers.iter();
    for receiver in failing.filter(|receiver| receiver.failing_since_unix_ms != 0) {
        let since = Value::of_ms(receiver.failing_since_unix_ms);
        lines.add(&[&receiver.name, &receiver.kind], since);
    }
}
