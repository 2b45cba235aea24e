//! May this be done now? Every ground that a decision stands on is one file here; each looks by itself, and all that they
//! say is listed.
//!
//! GO is only built from complete, fresh evidence ([`verdict::Evidence`]): a ground hands out its part when it has seen
//! enough, and nobody else can make one. What is not known takes it away and never adds to it. That nothing was found
//! wrong is no evidence.

mod accepting;
mod backups;
mod case;
mod ceph;
mod ending;
mod guests;
mod ha;
mod leases;
mod local;
mod members;
mod places;
mod record;
mod redundancy;
mod request;
mod returning;
mod room;
mod tasks;
#[cfg(test)]
mod tests;
mod things;
mod verdict;
mod votes;

use crate::finding::Finding;
use crate::rule::Scene;
use case::Case;
use verdict::Evidence;

pub use accepting::{Accepting, accept, take_back};
pub use ceph::{
    CephAnswer, CephAsking, CephDaemons, CephQuestion, MOST_DAEMONS, OLDEST_ANSWER_MS, ceph_asking,
};
pub use ending::{Ending, break_lease, end, say};
pub use local::check_local;
pub use record::{Basis, Piece};
pub use request::{Action, Request};
pub use verdict::{Answer, Kind, Reason, Seen, VALID_MS, Verdict, Weight};

/// Judges without any effect. `found` is what the rules find: some of them compare with the past, which whoever looks at a
/// view of the cluster alone has not.
pub fn check(scene: &Scene<'_>, found: &[Finding], request: &Request) -> Verdict {
    judge(&Case::new(scene, request, false), found)
}

/// The same, asked by who holds the lease of these nodes: another one's stands against it, and this one does not.
pub fn check_as_holder(scene: &Scene<'_>, found: &[Finding], request: &Request) -> Verdict {
    judge(&Case::new(scene, request, true), found)
}

fn judge(case: &Case<'_>, found: &[Finding]) -> Verdict {
    let (scene, request) = (case.scene, case.request);
    let mut reasons = request.unknown_nodes(scene);
    let leases = leases::look(case, &mut reasons);
    let votes = votes::look(case, &mut reasons);
    let members = members::look(case, &mut reasons);
    let returns = returning::look(case, &mut reasons);
    let tasks = tasks::look(case, &mut reasons);
    let ha = ha::look(case, &mut reasons);
    let ceph = ceph::look(case, &mut reasons);
    places::look(case, &mut reasons);
    redundancy::look(case, found, &mut reasons);
    guests::look(case, &mut reasons);
    backups::look(case, &mut reasons);
    accepting::look(case, &mut reasons);
    let evidence = || {
        Some(Evidence::of(
            votes?, members?, returns?, tasks?, ha?, ceph?, leases?,
        ))
    };
    Verdict::of(request, evidence().as_ref(), reasons)
}
