//! Is a reboot of this node to be blocked? Only while it is certain that it should not be: in every doubt it is not.

use std::time::{Duration, Instant};

use model::gate::Kind;
use proto::v1;

/// A verdict is acted on for so long at most, whatever it says of itself.
const VALID: Duration = Duration::from_secs(30);
/// Of the sentence that says why: `systemd-inhibit --list` and the shell show it in one line.
const MAX_WHY_CHARS: usize = 160;
const WAY_ROUND: &str = "go round it with: systemctl reboot -i";
/// Where the votes are not known, nobody knows that it would be wrong.
const VOTES_UNKNOWN: [Kind; 2] = [Kind::VotesUnknown, Kind::VotesUnconfirmed];

/// What the collector that decides said last.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) verdict: v1::Verdict,
    /// Whether somebody holds the lease for this node: then it may go.
    pub(super) has_lease: bool,
    pub(super) at: Instant,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// With the words that whoever is stopped reads.
    Hold(String),
    /// With a sentence for whoever asks why not.
    LetGo(String),
}

/// `said`: or why nothing is known.
pub(super) fn decide(said: Result<&Said, &str>, now: Instant) -> Decision {
    let let_go = |why: &str| Decision::LetGo(why.to_owned());
    let said = match said {
        Ok(said) => said,
        Err(why) => {
            return Decision::LetGo(format!("the collector that decides does not answer: {why}"));
        }
    };
    let valid = Duration::from_millis(u64::from(said.verdict.valid_ms)).min(VALID);
    if now.saturating_duration_since(said.at) >= valid {
        return let_go("the last verdict is too old");
    }
    if said.has_lease {
        return let_go("the lease for this node is held");
    }
    match said.verdict.answer() {
        v1::Answer::NoGo => {}
        v1::Answer::Go => return let_go("a reboot would be GO"),
        v1::Answer::Warn => return let_go("a reboot would be WARN"),
        v1::Answer::Unknown | v1::Answer::Unspecified => {
            return let_go("whether this node may be rebooted is UNKNOWN");
        }
    }
    let reasons = &said.verdict.reasons;
    let is_doubtful =
        |reason: &v1::Reason| VOTES_UNKNOWN.iter().any(|kind| reason.kind == kind.name());
    if reasons.iter().any(is_doubtful) {
        return let_go("the votes are not known");
    }
    let blocks = |reason: &&v1::Reason| reason.weight() == v1::Weight::Blocker;
    match reasons.iter().find(blocks) {
        Some(first) => Decision::Hold(format!("{}; {WAY_ROUND}", shortened(&first.sentence))),
        // A NO-GO that does not say why is none that somebody could be stopped with.
        None => let_go("the verdict does not say why"),
    }
}

fn shortened(sentence: &str) -> String {
    if sentence.chars().count() <= MAX_WHY_CHARS {
        return sentence.to_owned();
    }
    let mut short: String = sentence.chars().take(MAX_WHY_CHARS).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(answer: v1::Answer, kinds: &[(&str, v1::Weight)]) -> Said {
        let reason = |(kind, weight): &(&str, v1::Weight)| v1::Reason {
            kind: (*kind).to_owned(),
            sentence: format!("this is {kind}"),
            weight: (*weight).into(),
            ..v1::Reason::default()
        };
        Said {
            verdict: v1::Verdict {
                answer: answer.into(),
                reasons: kinds.iter().map(reason).collect(),
                valid_ms: 30_000,
                ..v1::Verdict::default()
            },
            has_lease: false,
            at: Instant::now(),
        }
    }

    #[track_caller]
    fn check(said: &Said, age_s: u64, expect: Result<&str, &str>) {
        let now = said.at + Duration::from_secs(age_s);
        let expect = match expect {
            Ok(why) => Decision::Hold(why.to_owned()),
            Err(why) => Decision::LetGo(why.to_owned()),
        };
        assert_eq!(decide(Ok(said), now), expect);
    }

    const DOWN: (&str, v1::Weight) = ("node-down", v1::Weight::Blocker);

    #[test]
    fn it_holds_while_a_young_verdict_says_no_go_and_why() {
        let note = ("guests-stop", v1::Weight::Note);
        let no_go = said(v1::Answer::NoGo, &[note, DOWN]);
        let why = "this is node-down; go round it with: systemctl reboot -i";
        check(&no_go, 29, Ok(why));
    }

    #[test]
    fn in_every_doubt_it_lets_go() {
        let no_go = said(v1::Answer::NoGo, &[DOWN]);
        check(&no_go, 30, Err("the last verdict is too old"));
        let mut short = no_go.clone();
        short.verdict.valid_ms = 5_000;
        check(&short, 5, Err("the last verdict is too old"));
        let mut leased = no_go.clone();
        leased.has_lease = true;
        check(&leased, 0, Err("the lease for this node is held"));
        let go = said(v1::Answer::Go, &[]);
        check(&go, 0, Err("a reboot would be GO"));
        let warn = said(v1::Answer::Warn, &[]);
        check(&warn, 0, Err("a reboot would be WARN"));
        for answer in [v1::Answer::Unknown, v1::Answer::Unspecified] {
            let unknown = said(answer, &[]);
            check(
                &unknown,
                0,
                Err("whether this node may be rebooted is UNKNOWN"),
            );
        }
        for kind in ["votes-unknown", "votes-unconfirmed"] {
            let doubtful = said(v1::Answer::NoGo, &[DOWN, (kind, v1::Weight::Missing)]);
            check(&doubtful, 0, Err("the votes are not known"));
        }
        let mute = said(v1::Answer::NoGo, &[]);
        check(&mute, 0, Err("the verdict does not say why"));
        let gone = decide(Err("refused"), Instant::now());
        let why = "the collector that decides does not answer: refused".to_owned();
        assert_eq!(gone, Decision::LetGo(why));
    }

    #[test]
    fn a_long_reason_is_shortened() {
        let mut long = said(v1::Answer::NoGo, &[DOWN]);
        long.verdict.reasons[0].sentence = "ä".repeat(500);
        let Decision::Hold(why) = decide(Ok(&long), long.at) else {
            panic!("it does not hold");
        };
        assert!(why.chars().count() < 210, "{why}");
        assert!(why.ends_with("systemctl reboot -i"), "{why}");
    }
}
