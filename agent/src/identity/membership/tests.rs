use rcgen::{CertificateParams, DnType, KeyPair, PublicKeyData as _};

use super::*;
use crate::host::Patience;

const UUID: &str = "0B9D3A52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const TWO_NODES: &str = "totem {\n  cluster_name: lab\n}\nnodelist {\n  node {\n    name: pve-01\n    nodeid: 1\n    \
                         ring0_addr: 10.0.0.1\n  }\n  node {\n    nodeid: 2\n    ring0_addr: pve-02\n  }\n}\n";

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn read(root: &Path, said: &Said) -> Result<Membership, String> {
    let host = Host::live_below(root, &Patience::new(Patience::OF_A_REPORT));
    let state_dir = root.join("var/lib/quorate/agent");
    Membership::of(&host, &state_dir, said).map_err(|error| error.to_string())
}

/// A CA as Proxmox VE makes it, with this unit in its subject.
fn ca(unit: Option<&str>) -> (String, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "Proxmox Virtual Environment");
    if let Some(unit) = unit {
        name.push(DnType::OrganizationalUnitName, unit);
    }
    let public = key.subject_public_key_info();
    (params.self_signed(&key).unwrap().pem(), public)
}

#[test]
fn a_cluster_of_proxmox_is_known_by_the_unit_of_its_ca_in_small_letters() {
    let (ca, _) = ca(Some(UUID));
    let dir = tree(&[
        ("etc/pve/pve-root-ca.pem", &ca),
        ("etc/pve/corosync.conf", TWO_NODES),
        ("proc/sys/kernel/hostname", "pve-01\n"),
    ]);
    let found = read(dir.path(), &Said::default()).unwrap();
    assert_eq!(found.cluster.as_str(), UUID.to_lowercase());
    assert_eq!(found.cluster_name, "lab");
    assert_eq!(found.node.as_str(), "pve-01");
    assert_eq!(list(&found.nodelist), "pve-01, pve-02");
    assert!(found.is_pve);
}

#[test]
fn where_the_unit_is_no_uuid_the_digest_of_the_public_key_stands_for_it() {
    for unit in [None, Some("Lab")] {
        let (ca, public) = ca(unit);
        let dir = tree(&[
            ("etc/pve/pve-root-ca.pem", &ca),
            ("proc/sys/kernel/hostname", "alone\n"),
        ]);
        let found = read(dir.path(), &Said::default()).unwrap();
        let digest = hex(&proto::token::fingerprint(&public));
        assert_eq!(found.cluster.as_str(), format!("sha256-{digest}"));
        assert_eq!(found.cluster_name, "alone");
    }
}

#[test]
fn without_proxmox_an_id_is_minted_once_and_handed_to_the_other_nodes() {
    let dir = tree(&[("proc/sys/kernel/hostname", "one.example.org\n")]);
    let first = read(dir.path(), &Said::default()).unwrap();
    assert_eq!(first, read(dir.path(), &Said::default()).unwrap());
    assert_eq!(first.node.as_str(), "one");
    assert!(!first.is_pve);
    let said = Said {
        cluster: Some(first.cluster.clone()),
        node: None,
    };
    let other = tree(&[("proc/sys/kernel/hostname", "two\n")]);
    assert_eq!(read(other.path(), &said).unwrap().cluster, first.cluster);
    let third = tree(&[("proc/sys/kernel/hostname", "three\n")]);
    assert_ne!(
        read(third.path(), &Said::default()).unwrap().cluster,
        first.cluster
    );
    let why = read(third.path(), &said).unwrap_err();
    assert!(why.contains("already has the id"), "{why}");
}

#[test]
fn where_etc_pve_is_not_mounted_no_second_identity_is_made() {
    let dir = tree(&[
        ("usr/bin/pvecm", ""),
        ("proc/sys/kernel/hostname", "pve-01\n"),
    ]);
    let why = read(dir.path(), &Said::default()).unwrap_err();
    assert!(why.contains("start pve-cluster"), "{why}");
    assert!(!dir.path().join("var/lib/quorate/agent").exists());
}

#[test]
fn a_ca_that_cannot_be_read_is_no_reason_to_mint_an_id() {
    let dir = tree(&[
        ("etc/pve/pve-root-ca.pem", "-----BEGIN"),
        ("proc/sys/kernel/hostname", "pve-01\n"),
    ]);
    let why = read(dir.path(), &Said::default()).unwrap_err();
    assert!(why.contains("cannot be read as a certificate"), "{why}");
}

#[test]
fn a_name_that_the_cluster_does_not_know_is_not_guessed() {
    let dir = tree(&[
        ("etc/corosync/corosync.conf", TWO_NODES),
        ("proc/sys/kernel/hostname", "web.example.org\n"),
    ]);
    let said = |name| Said {
        node: Some(NodeName::new(name).unwrap()),
        cluster: None,
    };
    assert_eq!(
        read(dir.path(), &Said::default()).unwrap_err(),
        "corosync.conf lists pve-01, pve-02, and this machine is called web: say which of them it is with --node NAME"
    );
    assert_eq!(
        read(dir.path(), &said("pve-03")).unwrap_err(),
        "corosync.conf has no node pve-03: it lists pve-01, pve-02"
    );
    assert_eq!(
        read(dir.path(), &said("pve-02")).unwrap().node.as_str(),
        "pve-02"
    );
}

#[test]
fn a_list_that_may_lack_a_node_is_none() {
    let cut = TWO_NODES.trim_end_matches("}\n").trim_end_matches("  }\n");
    for (conf, word) in [
        (cut, "never closed"),
        (
            "nodelist {\n  node {\n    ring0_addr: fd00::1\n  }\n}\n",
            "has no name",
        ),
    ] {
        let dir = tree(&[
            ("etc/corosync/corosync.conf", conf),
            ("proc/sys/kernel/hostname", "pve-01\n"),
        ]);
        let why = read(dir.path(), &Said::default()).unwrap_err();
        assert!(why.contains(word), "{why}");
    }
}

#[test]
fn a_minted_id_is_random_and_one() {
    let ids: std::collections::BTreeSet<_> = (0..100).map(|_| mint().unwrap()).collect();
    assert_eq!(ids.len(), 100);
    for id in ids {
        assert_eq!(&id.as_str()[14..15], "4", "{id}");
    }
}
