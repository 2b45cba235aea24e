//! What is asked of the gate: may I, and the lease.

use std::hash::{BuildHasher as _, RandomState};
use std::thread::sleep;
use std::time::Duration;

use model::gate::Kind;
use proto::v1;
use proto::v1::gate_client::GateClient;

use super::{Client, NoAnswer};

/// To begin, where an answer was lost: a collector that is started anew takes seconds.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

impl Client {
    pub(crate) fn check(&self, request: &v1::CheckRequest) -> Result<v1::Verdict, NoAnswer> {
        self.answered(&async |line| GateClient::new(line).check(request.clone()).await)
    }

    /// An answer that was lost is asked for again: by the id of the request nobody gets a second lease.
    pub(crate) fn begin(&self, mut request: v1::BeginRequest) -> Result<v1::LeaseAnswer, NoAnswer> {
        request.request_id = random_id();
        let (mut attempt, mut may_be_taken) = (1, false);
        loop {
            let answer =
                self.answered(&async |line| GateClient::new(line).begin(request.clone()).await);
            let is_said = match &answer {
                Ok(answer) => {
                    may_be_taken |= is_open(answer);
                    answer.is_done || verdict_of(answer) != v1::Answer::Unknown
                }
                Err(error) => {
                    may_be_taken |= error.is_broken_off();
                    matches!(error, NoAnswer::Refused { .. })
                }
            };
            if is_said || !may_be_taken || attempt == ATTEMPTS {
                return answer;
            }
            attempt += 1;
            sleep(PAUSE);
        }
    }

    pub(crate) fn end(&self, request: &v1::EndRequest) -> Result<v1::LeaseAnswer, NoAnswer> {
        self.answered(&async |line| GateClient::new(line).end(request.clone()).await)
    }

    pub(crate) fn break_lease(
        &self,
        request: &v1::BreakRequest,
    ) -> Result<v1::LeaseAnswer, NoAnswer> {
        self.answered(&async |line| GateClient::new(line).r#break(request.clone()).await)
    }

    pub(crate) fn say(&self, request: &v1::SayRequest) -> Result<v1::LeaseAnswer, NoAnswer> {
        self.answered(&async |line| GateClient::new(line).say(request.clone()).await)
    }

    pub(crate) fn accept(&self, request: &v1::AcceptRequest) -> Result<v1::LeaseAnswer, NoAnswer> {
        self.answered(&async |line| GateClient::new(line).accept(request.clone()).await)
    }

    pub(crate) fn take_back(
        &self,
        request: &v1::TakeBackRequest,
    ) -> Result<v1::LeaseAnswer, NoAnswer> {
        self.answered(&async |line| GateClient::new(line).take_back(request.clone()).await)
    }

    pub(crate) fn accepted(&self, cluster: &str) -> Result<v1::ListAcceptedResponse, NoAnswer> {
        let request = v1::ListAcceptedRequest {
            cluster: cluster.to_owned(),
        };
        self.answered(&async |line| GateClient::new(line).list_accepted(request.clone()).await)
    }

    pub(crate) fn leases(&self, cluster: &str) -> Result<v1::ListLeasesResponse, NoAnswer> {
        let request = v1::ListLeasesRequest {
            cluster: cluster.to_owned(),
        };
        self.answered(&async |line| GateClient::new(line).list_leases(request.clone()).await)
    }
}

/// No two are the same.
fn random_id() -> String {
    let random = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", random(), random())
}

fn verdict_of(answer: &v1::LeaseAnswer) -> v1::Answer {
    let verdict = answer.verdict.as_ref();
    verdict.map_or(v1::Answer::Unknown, v1::Verdict::answer)
}

/// The collector itself does not know yet whether it was written down.
fn is_open(answer: &v1::LeaseAnswer) -> bool {
    let mut reasons = answer.verdict.iter().flat_map(|verdict| &verdict.reasons);
    reasons.any(|reason| reason.kind == Kind::NotRecorded.name())
}
