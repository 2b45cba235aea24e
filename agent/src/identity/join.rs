//! Joining: from an invitation to an enrolment on disk.

use std::path::Path;

use jiff::Timestamp;

use super::enrolled::{COLLECTORS, Enrolled, EnrolledError, told};
use super::exchange::{ExchangeError, Invitation, enrol};
use super::membership::Membership;
use super::request;

/// How it stands after joining.
#[derive(Debug)]
pub(crate) enum Joined {
    Now(Enrolled),
    /// Nothing was asked for, because this node has a living certificate of that collector.
    Already(Enrolled),
}

/// Enrols this node. Nothing is kept before all of the answer is known to be good.
pub(crate) async fn join(
    state_dir: &Path,
    member: &Membership,
    invitation: &Invitation,
    replace: bool,
    now: Timestamp,
) -> Result<Joined, ExchangeError> {
    let is_this = |known: &Enrolled| known.trusts(invitation.token.ca());
    if !replace {
        let known = Enrolled::all(state_dir)?;
        let known = known
            .into_iter()
            .find(|known| is_this(known) && now < known.not_after());
        if let Some(known) = known {
            return Ok(Joined::Already(known));
        }
    }
    // One that is damaged says nothing, and is no reason not to join another.
    let others = Enrolled::each(state_dir)?
        .into_iter()
        .filter_map(|(_, one)| one.ok().filter(|one| !is_this(one)));
    let others: Vec<Enrolled> = others.collect();
    let decides = told(&others, &member.cluster, "");
    let dir = state_dir.join(COLLECTORS);
    let request = request::pending_key(&dir, &invitation.token).map_err(EnrolledError::from)?;
    let request = request.map_err(|source| ExchangeError::Key { source })?;
    let (collector_id, kept) = enrol(invitation, member, request, decides.as_ref(), now).await?;
    let enrolled = Enrolled::store(state_dir, &collector_id, &kept)?;
    request::answered(&dir).map_err(EnrolledError::from)?;
    Ok(Joined::Now(enrolled))
}

#[cfg(test)]
mod tests;
