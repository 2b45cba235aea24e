//! The slot: the gate's own `begin` and `end`, asked for a client.

use std::sync::Arc;

use model::gate::Kind as Ground;
use proto::v1;
use tonic::Status;

use super::client::{Client, failed};
use super::request::{Kind, Refused};
use crate::gate::{Judge, outcome, said};
use crate::lease;

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    PreReboot,
    SteadyState,
}

impl Wish {
    /// As the log has it.
    fn as_str(self) -> &'static str {
        match self {
            Self::PreReboot => "begin",
            Self::SteadyState => "end",
        }
    }
}

#[derive(Debug)]
pub(super) struct Slot {
    judge: Arc<Judge>,
}

impl Slot {
    pub(super) fn new(judge: Arc<Judge>) -> Self {
        Self { judge }
    }

    /// Gives it, or takes it back; or says why not.
    pub(super) async fn answer(&self, wish: Wish, client: &Client) -> Result<(), Refused> {
        let answer = match wish {
            Wish::PreReboot => self.begin(client).await,
            Wish::SteadyState => self.end(client).await,
        };
        let answer = answer.map_err(|status| failed(&status))?;
        let nodes = [client.node.to_string()];
        let who = (client.owner(), client.address);
        said(
            who,
            wish.as_str(),
            &client.cluster,
            &nodes,
            &outcome(&answer),
        );
        let is_anothers = |lease: &v1::Lease| lease.owner != client.owner();
        match wish {
            _ if answer.is_done => Ok(()),
            // Who holds nothing has nothing to give back, whatever the others do.
            Wish::SteadyState if answer.lease.as_ref().is_some_and(is_anothers) => Ok(()),
            Wish::PreReboot | Wish::SteadyState => Err(refused(wish, &answer)),
        }
    }

    async fn begin(&self, client: &Client) -> Result<v1::LeaseAnswer, Status> {
        let begin = v1::BeginRequest {
            check: Some(v1::CheckRequest {
                nodes: vec![client.node.to_string()],
                action: v1::Action::Reboot.into(),
                ..v1::CheckRequest::default()
            }),
            reason: format!("FleetLock, group {}", client.group),
            // It ends by itself once the node is back and healthy, which is seen here. That a client says so adds nothing,
            // and one that never says it again would keep everybody else back.
            waits_for_end: false,
            ..v1::BeginRequest::default()
        };
        let (nodes, owner) = (vec![client.node.clone()], client.owner());
        let ask = lease::begin(begin, nodes.clone(), owner.clone())?;
        let answer = self.judge.lease(&client.cluster, ask).await?;
        if answer.is_done {
            return Ok(answer);
        }
        // The protocol wants yes as often as the holder asks. But a client asks again minutes later, too, and yes means
        // that it reboots now: not after its ground is gone, and not a second time on one lease, once the node has left.
        let again = self.judge.again(&client.cluster, &nodes, &owner).await?;
        Ok(again.unwrap_or(answer))
    }

    /// Of a node that did not reboot it is refused: a client says the same when it starts, also when its node is on its way
    /// down, and only a person knows that nothing comes any more.
    async fn end(&self, client: &Client) -> Result<v1::LeaseAnswer, Status> {
        let ask = lease::end(client.node.clone(), client.owner(), false);
        self.judge.lease(&client.cluster, ask).await
    }
}

fn refused(wish: Wish, answer: &v1::LeaseAnswer) -> Refused {
    let Some(verdict) = &answer.verdict else {
        return Refused::new(Kind::Unknown, "the gate said nothing");
    };
    let held = [Ground::LeaseHeld.name(), Ground::LeaseWithdrawn.name()];
    let mut reasons = verdict.reasons.iter();
    let kind = match (verdict.answer(), wish) {
        (v1::Answer::NoGo, _) if reasons.any(|it| held.contains(&it.kind.as_str())) => {
            Kind::LeaseHeld
        }
        (v1::Answer::NoGo, Wish::PreReboot) => Kind::NoGo,
        (v1::Answer::NoGo, Wish::SteadyState) => Kind::NotBack,
        _ => Kind::Unknown,
    };
    Refused::new(kind, value(verdict))
}

/// The verdict in a line, with all that forbids it or is missing.
fn value(verdict: &v1::Verdict) -> String {
    let weighty = |it: &&v1::Reason| {
        matches!(it.weight(), v1::Weight::Blocker | v1::Weight::Missing)
            && !verdict.sentence.contains(&it.sentence)
    };
    let more = verdict.reasons.iter().filter(weighty);
    let mut value = verdict.sentence.clone();
    for reason in more {
        value.push_str("; ");
        value.push_str(&reason.sentence);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(answer: v1::Answer, reasons: &[(&str, v1::Weight, &str)]) -> v1::LeaseAnswer {
        let reason = |(kind, weight, sentence): &(&str, v1::Weight, &str)| v1::Reason {
            kind: (*kind).to_owned(),
            weight: (*weight).into(),
            sentence: (*sentence).to_owned(),
            ..v1::Reason::default()
        };
        let verdict = v1::Verdict {
            answer: answer.into(),
            sentence: "NO-GO - not now: first (and 1 more)".to_owned(),
            reasons: reasons.iter().map(reason).collect(),
            ..v1::Verdict::default()
        };
        v1::LeaseAnswer {
            verdict: Some(verdict),
            ..v1::LeaseAnswer::default()
        }
    }

    #[test]
    fn a_refusal_names_all_that_forbids_it_and_nothing_else() {
        let reasons = [
            ("votes-short", v1::Weight::Blocker, "first"),
            ("node-down", v1::Weight::Blocker, "second"),
            ("guests-stop", v1::Weight::Note, "third"),
        ];
        let no_go = refused(Wish::PreReboot, &answer(v1::Answer::NoGo, &reasons));
        let expect = "NO-GO - not now: first (and 1 more); second";
        assert_eq!(no_go, Refused::new(Kind::NoGo, expect));
        let end = refused(Wish::SteadyState, &answer(v1::Answer::NoGo, &reasons));
        assert_eq!(end, Refused::new(Kind::NotBack, expect));
    }

    #[test]
    fn what_is_not_known_and_who_holds_the_lease_are_told_apart() {
        let held = [("lease-held", v1::Weight::Blocker, "first")];
        let kind = |of, reasons: &[_]| {
            let refused = refused(Wish::PreReboot, &answer(of, reasons));
            Refused::new(
                Kind::LeaseHeld,
                value(answer(of, reasons).verdict.as_ref().unwrap()),
            ) == refused
        };
        assert!(kind(v1::Answer::NoGo, &held));
        assert!(!kind(v1::Answer::Unknown, &held));
        let nothing = refused(Wish::PreReboot, &v1::LeaseAnswer::default());
        assert_eq!(
            nothing,
            Refused::new(Kind::Unknown, "the gate said nothing")
        );
    }
}
