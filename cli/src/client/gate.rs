//! What is asked of the gate: may I, and the lease.

use proto::v1;
use proto::v1::gate_client::GateClient;

use super::{Client, NoAnswer};

impl Client {
    pub(crate) fn check(&self, request: &v1::CheckRequest) -> Result<v1::Verdict, NoAnswer> {
        self.answered(&async |line| GateClient::new(line).check(request.clone()).await)
    }

    pub(crate) fn begin(&self, request: &v1::BeginRequest) -> Result<v1::LeaseAnswer, NoAnswer> {
        self.answered(&async |line| GateClient::new(line).begin(request.clone()).await)
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

    pub(crate) fn leases(&self, cluster: &str) -> Result<v1::ListLeasesResponse, NoAnswer> {
        let request = v1::ListLeasesRequest {
            cluster: cluster.to_owned(),
        };
        self.answered(&async |line| GateClient::new(line).list_leases(request.clone()).await)
    }
}
