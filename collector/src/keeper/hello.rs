//! The first message of a stream: whether it may speak at all.

use model::identity::{ClusterId, is_uuid};
use model::name::NodeName;
use proto::token::{FINGERPRINT_BYTES, Fingerprint};
use proto::v1;

use super::refusal::Refusal;
use crate::ledger::decision::SpoolId;

/// How far an agent's minor version may be behind the collector's, and ahead of it.
const MINORS_OLDER: u64 = 2;
const MINORS_NEWER: u64 = 1;
const MAX_NAME_BYTES: usize = 255;
const MAX_INSTANCE_BYTES: usize = 64;
const MAX_VERSION_BYTES: usize = 64;
/// An agent takes no more.
const MAX_CAS: usize = 8;
/// No node was up for longer: a hundred years.
pub(super) const MAX_BOOTTIME_MS: u64 = 100 * 366 * 86_400_000;
/// What a ledger can count to.
pub(super) const MAX_NUMBER: u64 = i64::MAX.unsigned_abs() - 1;

/// A Hello that makes sense, from whom the certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    pub node: NodeName,
    pub cluster_name: String,
    pub version: String,
    pub boot_id: String,
    pub spool: SpoolId,
    pub spool_first: u64,
    pub spool_next: u64,
    pub authority: Option<v1::Authority>,
    pub instance: Vec<u8>,
    /// The CAs that the agent trusts, by fingerprint; empty: it does not say so.
    pub trust: Vec<Fingerprint>,
    /// The CA that signed the certificate which the stream was opened with, where whoever took it says so.
    pub ca: Option<Fingerprint>,
    /// When it was made, on the node's clock since its boot.
    pub boottime_ms: u64,
}

/// Checks the first message of a stream against the certificate and against this collector's version.
pub fn check(
    message: v1::AgentMessage,
    cluster: &ClusterId,
    node: &NodeName,
    own_version: &str,
) -> Result<Greeting, Refusal> {
    let boottime_ms = boottime(message.boottime_ms)?;
    let Some(v1::agent_message::Message::Hello(hello)) = message.message else {
        return Err(Refusal::NoHello);
    };
    let said = hello.cluster.unwrap_or_default();
    if said.id != cluster.as_str() {
        return Err(Refusal::OtherCluster {
            certified: cluster.to_string(),
            said: quoted(&said.id),
        });
    }
    if hello.node != node.as_str() {
        return Err(Refusal::OtherNode {
            certified: node.clone(),
            said: quoted(&hello.node),
        });
    }
    let version = hello.agent.unwrap_or_default().version;
    check_version(&version, own_version)?;
    if said.name.len() > MAX_NAME_BYTES || said.name.chars().any(char::is_control) {
        let why = format!("at most {MAX_NAME_BYTES} bytes, and no control characters");
        return Err(Refusal::field("hello.cluster.name", why));
    }
    if !is_uuid(&hello.boot_id) {
        let why = format!("{} is not a UUID in small letters", quoted(&hello.boot_id));
        return Err(Refusal::field("hello.boot_id", why));
    }
    let length = hello.spool_id.len();
    let spool =
        hello.spool_id.try_into().map(SpoolId).map_err(|_| {
            Refusal::field("hello.spool_id", format!("{length} bytes instead of 16"))
        })?;
    check_numbers(hello.spool_first, hello.spool_next)?;
    if hello.instance.is_empty() || hello.instance.len() > MAX_INSTANCE_BYTES {
        let why = format!(
            "{} bytes instead of 1 to {MAX_INSTANCE_BYTES}",
            hello.instance.len()
        );
        return Err(Refusal::field("hello.instance", why));
    }
    if let Some(authority) = &hello.authority
        && !is_uuid(&authority.collector)
    {
        let why = format!(
            "{} is not a UUID in small letters",
            quoted(&authority.collector)
        );
        return Err(Refusal::field("hello.authority.collector", why));
    }
    Ok(Greeting {
        node: node.clone(),
        cluster_name: said.name,
        version,
        boot_id: hello.boot_id,
        spool,
        spool_first: hello.spool_first,
        spool_next: hello.spool_next,
        authority: hello.authority,
        instance: hello.instance,
        trust: fingerprints("hello.trust", &hello.trust)?,
        ca: None,
        boottime_ms,
    })
}

/// The CAs that an agent says it trusts.
pub fn fingerprints(field: &'static str, said: &[Vec<u8>]) -> Result<Vec<Fingerprint>, Refusal> {
    if said.len() > MAX_CAS {
        let why = format!("{} CAs are more than {MAX_CAS}", said.len());
        return Err(Refusal::field(field, why));
    }
    let read = said.iter().map(|bytes| {
        let why = |_| format!("{} bytes instead of {FINGERPRINT_BYTES}", bytes.len());
        let read = Fingerprint::try_from(bytes.as_slice());
        read.map_err(|bad| Refusal::field(field, why(bad)))
    });
    read.collect()
}

/// `1 <= spool_first <= spool_next`
fn check_numbers(first: u64, next: u64) -> Result<(), Refusal> {
    if first == 0 {
        return Err(Refusal::field("hello.spool_first", "numbers count from 1"));
    }
    if next < first {
        let why = format!("{next} is before spool_first, {first}");
        return Err(Refusal::field("hello.spool_next", why));
    }
    if next > MAX_NUMBER {
        let why = format!("{next} is no number that a spool can come to");
        return Err(Refusal::field("hello.spool_next", why));
    }
    Ok(())
}

pub(super) fn boottime(boottime_ms: u64) -> Result<u64, Refusal> {
    if boottime_ms > MAX_BOOTTIME_MS {
        let why = format!("{boottime_ms} ms is longer than any node was up");
        return Err(Refusal::field("boottime_ms", why));
    }
    Ok(boottime_ms)
}

fn check_version(agent: &str, collector: &str) -> Result<(), Refusal> {
    let no_version = || {
        let why = format!("{} is not MAJOR.MINOR.PATCH", quoted(agent));
        Refusal::field("hello.agent.version", why)
    };
    let theirs = minor(agent).ok_or_else(no_version)?;
    let ours = minor(collector).ok_or_else(no_version)?;
    let remedy = if theirs.0 == ours.0
        && (ours.1.saturating_sub(MINORS_OLDER)..=ours.1.saturating_add(MINORS_NEWER))
            .contains(&theirs.1)
    {
        return Ok(());
    } else if theirs < ours {
        "bring the agent up to date"
    } else {
        "bring the collector up to date first"
    };
    Err(Refusal::Version {
        agent: agent.to_owned(),
        collector: collector.to_owned(),
        remedy,
    })
}

fn minor(version: &str) -> Option<(u64, u64)> {
    if version.len() > MAX_VERSION_BYTES {
        return None;
    }
    let mut parts = version.splitn(3, '.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    let patch = parts.next()?;
    patch
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
        .then_some((major, minor))
        .filter(|_| patch.starts_with(|first: char| first.is_ascii_digit()))
}

/// A stranger's text: cut, and with everything unprintable escaped.
pub(super) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    format!("{:?}", text.chars().take(MAX_CHARS).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn version(agent: &str, expect: &str) {
        let text = check_version(agent, "1.4.0")
            .map_or_else(|refusal| refusal.to_string(), |()| "taken".to_owned());
        assert!(text.contains(expect), "{text}");
    }

    #[test]
    fn agents_of_the_same_version_up_to_two_minors_older_and_one_newer_are_taken() {
        version("1.4.0", "taken");
        version("1.4.7", "taken");
        version("1.3.0", "taken");
        version("1.2.9", "taken");
        version("1.5.0-rc.1", "taken");
    }

    #[test]
    fn agents_that_are_too_old_or_too_new_are_refused_by_name_with_what_to_do() {
        version("1.1.0", "version 1.1.0 and the collector 1.4.0");
        version("1.1.0", "bring the agent up to date");
        version("0.4.0", "bring the agent up to date");
        version("1.6.0", "version 1.6.0 and the collector 1.4.0");
        version("1.6.0", "bring the collector up to date first");
        version("2.4.0", "bring the collector up to date first");
    }

    #[test]
    fn what_is_no_version_is_refused_by_name() {
        let long = format!("1.4.{}", "0".repeat(MAX_VERSION_BYTES));
        for nonsense in [
            "",
            "1.4",
            "1..0",
            "one.four.0",
            "1.4.x",
            "1.4.0 ",
            "-1.4.0",
            &long,
        ] {
            version(nonsense, "hello.agent.version: \"");
            version(nonsense, "is not MAJOR.MINOR.PATCH");
        }
    }

    /// The collector of a release takes the agents of the one before and after it, and of two before: at 0.1 there is
    /// none before.
    #[test]
    fn the_first_versions_have_none_before_them() {
        let taken = |agent, collector| check_version(agent, collector).is_ok();
        assert!(taken("0.1.0", "0.1.0"));
        assert!(taken("0.0.9", "0.1.0"));
        assert!(taken("0.2.0", "0.1.0"));
        assert!(!taken("0.3.0", "0.1.0"));
    }
}
