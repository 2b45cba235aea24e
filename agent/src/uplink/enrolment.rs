//! What the uplink needs to know of an enrolment: where the collector is, who we are to it, and how to keep what it
//! says of itself. `identity` keeps it on disk.

use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;
use proto::v1;
use rustls::ClientConfig;
use tonic::transport::Channel;

use crate::identity::enrolled::Enrolled;
use crate::identity::renewal;

/// Whatever went wrong with the files of an enrolment, or with a renewal.
pub type Wrong = Box<dyn std::error::Error + Send + Sync>;

/// One enrolment, as it is now. Its calls wait for the disk: they are made in blocking threads.
pub trait Enrolment: Debug + Send + Sync + 'static {
    fn collector_id(&self) -> &str;
    /// HOST:PORT, to be tried in this order.
    fn addresses(&self) -> &[String];
    /// Cluster, node and authority; the rest is not the enrolment's to say.
    fn hello(&self) -> v1::Hello;
    fn tls(&self) -> Result<Arc<ClientConfig>, Wrong>;
    /// Keeps what a Welcome says.
    fn welcomed(&self, welcome: &v1::Welcome) -> Result<(), Wrong>;
    /// Keeps whom to trust from now on.
    fn trust(&self, trust: &[Vec<u8>]) -> Result<(), Wrong>;
    /// From when on the certificate is to be renewed; nothing: never.
    fn renews_from(&self) -> Option<Timestamp>;
    /// Renews it over this connection and keeps the new one.
    fn renew(
        self: Arc<Self>,
        channel: Channel,
        now: Timestamp,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Wrong>> + Send>>;
}
