//! What is answered behind the listener for agents and people: Fleet, Query, health and reflection. Who may call what
//! is checked before, and the listener with its TLS is somewhere else. What health says later is told with the
//! reporter that comes with the services.

use std::sync::Arc;

use tonic::service::Routes;
use tonic_health::server::HealthReporter;

use crate::fleet::{FleetService, Identities};
use crate::keepers::Keepers;
use crate::query::QueryService;
use crate::refusal::Refusals;

/// The services; others are added with [`Routes::add_service`].
pub async fn routes(
    keepers: Arc<Keepers>,
    identities: Arc<dyn Identities>,
    refusals: Arc<Refusals>,
) -> Result<(Routes, HealthReporter), tonic_reflection::server::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let fleet = FleetService::service(Arc::clone(&keepers), identities, refusals);
    let query = QueryService::service(keepers);
    serving(&health, &fleet).await;
    serving(&health, &query).await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // Most clients that are out there speak the older of the two.
    let routes = Routes::new(fleet)
        .add_service(query)
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    Ok((routes, health))
}

async fn serving<S: tonic::server::NamedService>(
    health: &tonic_health::server::HealthReporter,
    _service: &S,
) {
    health.set_serving::<S>().await;
}
