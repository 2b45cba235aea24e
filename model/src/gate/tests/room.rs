//! Room elsewhere for the services that HA takes away.

use super::*;
use crate::fact::guests::Disk;
use crate::fact::ha_config::{Affinity, HaRule, HaRuleKind};
use crate::fact::storage::{ReplicationJob, Storage, StorageConfig, StorageKind, StorageSeen};

/// Guest 100 of pve-03, which HA takes to another node, has so much memory.
fn failover(memory_gib: u64) -> World {
    let mut world = ordinary(3);
    let policy = ShutdownPolicy::Failover;
    with_service(&mut world, Some(&policy), &ServiceState::Started);
    edit_guest(&mut world, |config| {
        config.memory_mib = Some(memory_gib << 10);
    });
    world
}

fn edit_guest(world: &mut World, change: impl FnOnce(&mut GuestConfig)) {
    world.edit("pve-03", |report| {
        let guest = &mut value(&mut report.guests).here[0];
        change(guest.config.as_mut().unwrap());
    });
}

#[track_caller]
fn nowhere(world: &World) -> String {
    let verdict = reboot(world, "pve-03");
    expect(&verdict, Answer::Warn, Kind::FitsNowhere);
    let mut of_kind = verdict.reasons.into_iter();
    let found = of_kind.find(|reason| reason.kind == Kind::FitsNowhere);
    found.unwrap().sentence
}

#[test]
fn a_service_that_fits_elsewhere_is_a_note() {
    let verdict = reboot(&failover(8), "pve-03");
    assert_eq!(verdict.answer, Answer::Go, "{:#?}", verdict.reasons);
}

#[test]
fn a_service_that_is_larger_than_what_is_free_anywhere_is_a_warning() {
    let mut world = failover(64);
    world.edit("pve-02", |report| report.host = known(free_memory(40)));
    assert_eq!(
        nowhere(&world),
        "for vm:100 (64.0 GiB) no other node has free memory beside what comes to it before: pve-02 has most, 40.0 GiB"
    );
    world.edit_all(|_, report| report.host = Reading::NeverHeard);
    assert!(nowhere(&world).ends_with("of none that can run it is it known how much it has"));
}

#[test]
fn what_comes_to_a_node_before_takes_its_room() {
    let mut world = failover(20);
    world.edit("pve-02", |report| report.host = known(free_memory(1)));
    assert_eq!(reboot(&world, "pve-03").answer, Answer::Go);
    world.edit_all(|_, report| {
        let ha = value(&mut report.ha);
        let manager = ha.manager.as_mut().unwrap();
        let services = manager.service_status.as_mut().unwrap();
        let another = services["vm:100"].clone();
        services.insert("vm:101".to_owned(), another);
    });
    world.edit("pve-03", |report| {
        let guests = value(&mut report.guests);
        let mut another = guests.here[0].clone();
        another.id = 101;
        guests.here.push(another);
    });
    assert!(nowhere(&world).starts_with("for vm:101 (20.0 GiB)"));
}

#[test]
fn a_service_that_is_tied_to_the_node_and_one_that_may_run_where_no_room_is_fit_nowhere() {
    let mut world = failover(8);
    edit_guest(&mut world, |config| {
        config.passthrough = vec![Passthrough {
            slot: "hostpci0".to_owned(),
            mapping: None,
            device: Some("0000:01:00.0".to_owned()),
        }];
    });
    let sentence = "no other node can run vm:100: it holds hostpci0 of the host";
    assert_eq!(nowhere(&world), sentence);

    let mut world = failover(8);
    world.edit("pve-02", |report| report.host = known(free_memory(4)));
    world.edit_all(|_, report| {
        let rule = HaRule {
            id: "pinned".to_owned(),
            kind: HaRuleKind::NodeAffinity,
            disabled: false,
            affinity: None,
            strict: true,
            resources: vec!["vm:100".to_owned()],
            nodes: vec![(name("pve-02"), None), (name("pve-03"), None)],
        };
        value(&mut report.ha).config.rules = Some(vec![rule]);
    });
    assert!(nowhere(&world).ends_with("pve-02 has most, 4.0 GiB"));
}

/// Its one disk is on this storage, which pve-02 alone is seen to have besides.
fn on_storage(world: &mut World, kind: StorageKind, seen_on: &[&str]) {
    edit_guest(world, |config| {
        config.disks = vec![Disk {
            slot: "scsi0".to_owned(),
            storage: Some("store".to_owned()),
            volume: Some("vm-100-disk-0".to_owned()),
            cdrom: false,
            shared: false,
            replicate: None,
            backup: None,
            size: None,
        }];
    });
    let seen = |node: &&str| StorageSeen {
        node: name(node),
        storage: "store".to_owned(),
        at: None,
        total_bytes: None,
        used_bytes: None,
    };
    world.edit("pve-03", |report| {
        report.storage = known(Storage {
            configured: Some(vec![StorageConfig {
                id: "store".to_owned(),
                kind,
                content: Vec::new(),
                nodes: None,
                disabled: false,
                shared: None,
                server: None,
                path: None,
                needs_mount: false,
            }]),
            seen: Some(seen_on.iter().map(seen).collect()),
            replication: Some(Vec::new()),
            replicated: None,
        });
    });
}

#[test]
fn a_storage_that_is_not_seen_on_another_node_is_no_place_there() {
    let mut world = failover(8);
    on_storage(&mut world, StorageKind::Nfs, &["pve-02", "pve-03"]);
    assert_eq!(reboot(&world, "pve-03").answer, Answer::Go);
    on_storage(&mut world, StorageKind::Nfs, &["pve-03"]);
    assert!(nowhere(&world).ends_with("of none that can run it is it known how much it has"));
    // Who does not tell of any is not known to have this one.
    on_storage(&mut world, StorageKind::Nfs, &[]);
    nowhere(&world);
}

#[test]
fn a_copy_is_only_where_its_job_brings_it() {
    let mut world = failover(8);
    on_storage(
        &mut world,
        StorageKind::Zfs,
        &["pve-01", "pve-02", "pve-03"],
    );
    let sentence = "no other node can run vm:100: its disk scsi0 is on this node alone";
    assert_eq!(nowhere(&world), sentence);
    world.edit("pve-03", |report| {
        let storage = value(&mut report.storage);
        storage.replication = Some(vec![ReplicationJob {
            id: "100-0".to_owned(),
            guest: Some(100),
            target: Some(name("pve-02")),
            source: None,
            schedule: None,
            disabled: false,
            removed: false,
        }]);
    });
    assert_eq!(reboot(&world, "pve-03").answer, Answer::Go);
    world.edit("pve-02", |report| report.host = known(free_memory(4)));
    assert!(nowhere(&world).ends_with("pve-02 has most, 4.0 GiB"));
}

#[test]
fn a_node_in_maintenance_takes_nothing() {
    let mut world = failover(8);
    world.edit_all(|_, report| {
        let manager = value(&mut report.ha).manager.as_mut().unwrap();
        let both = [name("pve-01"), name("pve-02")];
        manager
            .node_status
            .extend(both.map(|node| (node, HaNodeState::Maintenance)));
    });
    nowhere(&world);
}

#[test]
fn a_set_of_nodes_is_one_crowd() {
    let mut world = ordinary(5);
    let policy = ShutdownPolicy::Failover;
    with_service(&mut world, Some(&policy), &ServiceState::Started);
    world.edit_all(|node, report| {
        report.host = known(free_memory(if *node == name("pve-05") { 24 } else { 1 }));
        let manager = value(&mut report.ha).manager.as_mut().unwrap();
        let services = manager.service_status.as_mut().unwrap();
        let mut another = services["vm:100"].clone();
        another.node = Some(name("pve-04"));
        services.insert("vm:101".to_owned(), another);
        let guest = &mut value(&mut report.guests).here[0];
        guest.config.as_mut().unwrap().memory_mib = Some(20 << 10);
        if *node == name("pve-04") {
            guest.id = 101;
        }
    });
    for one in ["pve-03", "pve-04"] {
        assert_eq!(reboot(&world, one).answer, Answer::Go, "{one}");
    }
    let both = judged(&world, &["pve-03", "pve-04"], Action::Reboot);
    expect(&both, Answer::Warn, Kind::FitsNowhere);
}

#[test]
fn a_rule_about_other_services_is_not_counted_and_said_so() {
    let mut world = failover(8);
    world.edit_all(|_, report| {
        let rule = HaRule {
            id: "apart".to_owned(),
            kind: HaRuleKind::ResourceAffinity,
            resources: vec!["vm:100".to_owned(), "vm:200".to_owned()],
            disabled: false,
            nodes: Vec::new(),
            strict: false,
            affinity: Some(Affinity::Negative),
        };
        value(&mut report.ha).config.rules = Some(vec![rule]);
    });
    let sentence = "no other node can run vm:100: whether the rule apart lets it is not counted";
    assert_eq!(nowhere(&world), sentence);
}
