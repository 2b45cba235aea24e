//! A certificate of Proxmox VE that runs out soon, or has. That of the cluster's authority is the same on all nodes and
//! told once.

use super::Scene;
use super::membership::{counted, listed};
use crate::cluster::FreshNode;
use crate::fact::certificate::Certificate;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

const AUTHORITY: &str = "pve-root-ca.pem";
const DAY_S: i64 = 86_400;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let mut found = Vec::new();
    let mut is_authority_told = false;
    for node in &nodes {
        let limit = i64::from(scene.tuned(node.name()).certificate_days());
        let left = |certificate: &Certificate| {
            let seconds = certificate.expires?.as_second() - scene.now.unix_ms / 1_000;
            (seconds < limit * DAY_S).then(|| says(certificate, seconds))
        };
        let all = node.certificates().into_iter().flatten();
        let (authority, own): (Vec<&Certificate>, Vec<&Certificate>) =
            all.partition(|certificate| certificate.name == AUTHORITY);
        if let Some(says) = authority
            .into_iter()
            .find_map(left)
            .filter(|_| !is_authority_told)
        {
            is_authority_told = true;
            found.push(finding(node, Thing::Cluster, &[says]));
        }
        let own: Vec<String> = own.into_iter().filter_map(left).collect();
        if !own.is_empty() {
            found.push(finding(node, Thing::Node(node.name().clone()), &own));
        }
    }
    found
}

fn says(certificate: &Certificate, seconds: i64) -> String {
    let days = seconds.div_euclid(DAY_S);
    if seconds < 0 {
        format!("{} has expired", certificate.name)
    } else {
        format!(
            "{} expires in {}",
            certificate.name,
            counted(days.unsigned_abs(), "day")
        )
    }
}

fn finding(node: &FreshNode<'_>, subject: Thing, says: &[String]) -> Finding {
    let name = node.name();
    let whose = if subject == Thing::Cluster {
        "the cluster".to_owned()
    } else {
        name.to_string()
    };
    Finding::new(Severity::Warning, subject, format!("a certificate of {whose} runs out: {}", listed(says)))
        .seen_in(name, Family::Certificates, listed(says))
        .remedy(format!("`pvecm updatecerts` on {name} renews pve-ssl.pem; an ordered one: `pvenode acme cert renew`."))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::cluster::testing::{World, known};
    use crate::fact::certificate::Certificate;

    const RULE: &str = "node-certificate";

    fn expires(world: &mut World, name: &str, days: i64) {
        let at = Timestamp::from_millisecond(world.now.unix_ms + days * 86_400_000 + 1_000).ok();
        let certificate = Certificate {
            name: name.to_owned(),
            subject: None,
            unit: None,
            expires: at,
        };
        world.edit_all(|_, report| report.certificates = known(vec![certificate.clone()]));
    }

    #[test]
    fn a_certificate_is_told_two_weeks_before() {
        let mut world = World::of(2);
        expires(&mut world, "pve-ssl.pem", 14);
        assert!(world.found(RULE).is_empty());
        expires(&mut world, "pve-ssl.pem", 13);
        let expect =
            "warning pve-01: a certificate of pve-01 runs out: pve-ssl.pem expires in 13 days";
        assert_eq!(world.found(RULE)[0], expect);
        assert_eq!(world.found(RULE).len(), 2);
    }

    #[test]
    fn the_authority_is_told_once() {
        let mut world = World::of(3);
        expires(&mut world, "pve-root-ca.pem", -2);
        let expect = "warning the cluster: a certificate of the cluster runs out: pve-root-ca.pem has expired";
        assert_eq!(world.found(RULE), [expect]);
    }
}
