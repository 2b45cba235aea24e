//! Questions to nodes that wait for their answers.

use std::collections::BTreeMap;

use model::name::NodeName;
use proto::v1;

use super::{ANSWER_WITHIN_MS, MAX_QUESTIONS, Now, StreamId};

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    #[error("{node} is not connected")]
    NotConnected { node: NodeName },
    #[error("{MAX_QUESTIONS} questions to {node} wait for their answers already")]
    TooMany { node: NodeName },
    #[error("{node} did not answer within {seconds} s")]
    Late { node: NodeName, seconds: u64 },
    #[error("the stream of {node} ended before it answered")]
    Ended { node: NodeName },
    #[error("{node} cannot answer: {why}")]
    Failed { node: NodeName, why: String },
    #[error("the collector ends")]
    Ends,
}

#[derive(Debug)]
struct Waiting {
    node: NodeName,
    stream: StreamId,
    until_ms: u64,
}

/// An answer, by the number of its question.
pub(super) type Answered = (u64, Result<String, NoAnswer>);

#[derive(Debug, Default)]
pub(super) struct Questions {
    last_id: u64,
    waiting: BTreeMap<u64, Waiting>,
}

impl Questions {
    pub(super) fn ask(
        &mut self,
        node: &NodeName,
        stream: StreamId,
        question: v1::probe::Question,
        now: Now,
    ) -> Result<v1::Probe, NoAnswer> {
        let same = self
            .waiting
            .values()
            .filter(|waiting| waiting.node == *node);
        if same.count() >= MAX_QUESTIONS {
            return Err(NoAnswer::TooMany { node: node.clone() });
        }
        self.last_id += 1;
        let waiting = Waiting {
            node: node.clone(),
            stream,
            until_ms: now.mono_ms.saturating_add(ANSWER_WITHIN_MS),
        };
        self.waiting.insert(self.last_id, waiting);
        Ok(v1::Probe {
            id: self.last_id,
            question: Some(question),
        })
    }

    /// `None` for an answer that nobody waits for, or that came from somebody else.
    pub(super) fn answered(
        &mut self,
        stream: StreamId,
        id: u64,
        answer: Result<String, String>,
    ) -> Option<Answered> {
        self.waiting
            .get(&id)
            .filter(|waiting| waiting.stream == stream)?;
        let Waiting { node, .. } = self.waiting.remove(&id)?;
        Some((id, answer.map_err(|why| NoAnswer::Failed { node, why })))
    }

    pub(super) fn ended(&mut self, stream: StreamId) -> Vec<Answered> {
        let ended = self
            .waiting
            .extract_if(.., |_, waiting| waiting.stream == stream);
        ended
            .map(|(id, Waiting { node, .. })| (id, Err(NoAnswer::Ended { node })))
            .collect()
    }

    pub(super) fn late(&mut self, now: Now) -> Vec<Answered> {
        let late = self
            .waiting
            .extract_if(.., |_, waiting| waiting.until_ms <= now.mono_ms);
        let seconds = ANSWER_WITHIN_MS / 1000;
        late.map(|(id, Waiting { node, .. })| (id, Err(NoAnswer::Late { node, seconds })))
            .collect()
    }

    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.waiting.values().map(|waiting| waiting.until_ms).min()
    }
}
