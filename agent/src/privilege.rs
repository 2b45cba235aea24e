//! What the running agent may do, and what it gives up: it keeps one capability, CAP_NET_ADMIN, because the kernel
//! prints a bond's LACP partners to nobody else (drivers/net/bonding/bond_procfs.c), and no process that it starts can
//! get more (capabilities(7), `PR_SET_NO_NEW_PRIVS`).
//!
//! It does not change the user: corosync answers uid 0 alone, and needs no capability of it.

use caps::errors::CapsError;
use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::sys::prctl::set_no_new_privs;
use nix::unistd::{Gid, geteuid, getgroups, setgroups};

use crate::host::{Host, said};

const KEPT: Capability = Capability::CAP_NET_ADMIN;

/// What root could read only by CAP_DAC_OVERRIDE, it goes on reading as a member: the socket of lldpd, and the task
/// lists and the rest of what Proxmox VE writes as www-data.
const GROUPS: &[&str] = &["_lldpd", "adm", "www-data"];

#[derive(Debug, thiserror::Error)]
pub(crate) enum PrivilegeError {
    #[error("the {set:?} capabilities cannot be given up")]
    GiveUp { set: CapSet, source: CapsError },
    #[error("PR_SET_NO_NEW_PRIVS cannot be set")]
    NoNewPrivs { source: Errno },
}

/// Gives up every capability but CAP_NET_ADMIN, for ever, in this thread and those that it starts: to be called before
/// there is another. What it started without, it goes without. Hands out in finished sentences what could not be done
/// and does no harm.
pub(crate) fn give_up(host: &Host) -> Result<Vec<String>, PrivilegeError> {
    let mut remarks = Vec::new();
    remarks.extend(join_groups(host).err());
    // Taking from the bounding set needs CAP_SETPCAP, so it comes before the sets that hold that.
    if let Err(error) = drop_all_but_kept(CapSet::Bounding) {
        remarks.push(format!(
            "{}: it was started without CAP_SETPCAP; this does no harm, because no process can gain them after PR_SET_NO_NEW_PRIVS.",
            said(&error)
        ));
    }
    // No set may hold what the next one lacks.
    for set in [
        CapSet::Ambient,
        CapSet::Inheritable,
        CapSet::Effective,
        CapSet::Permitted,
    ] {
        drop_all_but_kept(set)?;
    }
    set_no_new_privs().map_err(|source| PrivilegeError::NoNewPrivs { source })?;
    Ok(remarks)
}

fn drop_all_but_kept(set: CapSet) -> Result<(), PrivilegeError> {
    let failed = |source| PrivilegeError::GiveUp { set, source };
    let held = caps::read(None, set).map_err(failed)?;
    match set {
        CapSet::Bounding | CapSet::Ambient => held
            .into_iter()
            .filter(|held| *held != KEPT)
            .try_for_each(|superfluous| caps::drop(None, set, superfluous)),
        // All at once, and with those that this library does not know by name.
        CapSet::Effective | CapSet::Inheritable | CapSet::Permitted => {
            let kept = held.into_iter().filter(|held| *held == KEPT).collect();
            caps::set(None, set, &kept)
        }
    }
    .map_err(failed)
}

/// Becomes a member of the groups, as far as they exist here.
fn join_groups(host: &Host) -> Result<(), String> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let text = host.read("etc/group").ok().flatten();
    let wanted = text.map(|text| ids_of(GROUPS, &text.text));
    let joined = || -> nix::Result<()> {
        let mut groups = getgroups()?;
        let before = groups.len();
        for group in wanted.unwrap_or_default() {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        if groups.len() > before {
            setgroups(&groups)?;
        }
        Ok(())
    };
    joined().map_err(|error| {
        let groups = GROUPS.join(" and ");
        format!(
            "The groups {groups} cannot be joined ({error}): lldpd and the task lists of Proxmox VE may stay unread."
        )
    })
}

/// By lines such as `www-data:x:33:`.
fn ids_of(names: &[&str], text: &str) -> Vec<Gid> {
    let id = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let id = fields.nth(1)?.parse().ok()?;
        names.contains(&name).then(|| Gid::from_raw(id))
    };
    text.lines().filter_map(id).collect()
}

/// Does the kernel print a bond's LACP partners to this process?
pub(crate) fn may_see_lacp() -> bool {
    // Where even that cannot be told, it is not claimed.
    caps::has_cap(None, CapSet::Effective, KEPT).unwrap_or(false)
}

/// What this process cannot see on this node for want of privileges, in finished sentences.
pub(crate) fn blind_spots() -> Vec<String> {
    blind_spots_of(geteuid().is_root(), may_see_lacp())
}

fn blind_spots_of(is_root: bool, may_see_lacp: bool) -> Vec<String> {
    let mut spots = Vec::new();
    if !may_see_lacp {
        spots.push(
            "Without CAP_NET_ADMIN the kernel does not show who answers LACP on the ports of an 802.3ad bond: \
             their partners stay unknown.",
        );
    }
    if !is_root {
        spots.extend([
            "corosync answers nobody but root: membership, votes, quorum and ring links stay unknown.",
            "Only root, or a member of systemd-journal, sees the node's journal: its messages may stay unknown.",
            "Most of /etc/pve is shown only to root and the group www-data: HA, members and the cluster's \
             configuration may stay unknown.",
            "lldpd answers only root and the group _lldpd, and Open vSwitch only root: the switches may stay unknown.",
        ]);
    }
    spots.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use nix::unistd::{Uid, setuid};

    use super::*;
    use crate::host::Patience;

    const NET_ADMIN: u64 = 1 << 12;
    const SETPCAP: u64 = 1 << 8;
    /// How the child begins; without it, the test is the parent.
    const BEGIN: &str = "QUORATE_TEST_PRIVILEGE";
    const BETWEEN: &str = "-- a process that it starts --";

    /// What `/proc/self/status` says of a process.
    #[derive(Debug, PartialEq, Eq)]
    struct Status {
        uid: u64,
        no_new_privs: u64,
        /// Inheritable, permitted, effective, bounding, ambient.
        sets: [u64; 5],
    }

    impl Status {
        fn of(text: &str) -> Self {
            let number = |key: &str, radix| {
                let value = text.lines().find_map(|line| line.strip_prefix(key));
                let value = value.unwrap().split_whitespace().next().unwrap();
                u64::from_str_radix(value, radix).unwrap()
            };
            let sets = ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"];
            Self {
                uid: number("Uid:", 10),
                no_new_privs: number("NoNewPrivs:", 10),
                sets: sets.map(|set| number(set, 16)),
            }
        }
    }

    /// The process as it stands behind `give_up`, one that it starts, and the remarks.
    fn begun(how: &str) -> (Status, Status, String) {
        // Of util-linux. All threads of the child begin with the same.
        let child = Command::new("/usr/bin/setpriv")
            .args(match how {
                // As in a unit with CapabilityBoundingSet=CAP_NET_ADMIN.
                "bounded" => &["--bounding-set=-all,+net_admin"][..],
                "without net_admin" => &["--bounding-set=-net_admin"],
                "without setpcap" => &["--bounding-set=-setpcap"],
                "inheriting" => &[
                    "--inh-caps=+net_admin,+sys_admin",
                    "--ambient-caps=+net_admin,+sys_admin",
                ],
                _ => &[],
            })
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("privilege::tests::nothing_but_net_admin_is_left_however_it_began")
            .env(BEGIN, how)
            .output()
            .unwrap();
        let said = String::from_utf8(child.stdout).unwrap();
        let wrong = String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "{how}: {said} {wrong}");
        let (own, started) = said.split_once(BETWEEN).unwrap();
        let (started, remarks) = started.split_once("remarks:").unwrap();
        (
            Status::of(own),
            Status::of(started),
            remarks.lines().next().unwrap().to_owned(),
        )
    }

    fn begin(how: &str) {
        if how == "as nobody" {
            setuid(Uid::from_raw(65534)).unwrap();
        }
        let host = Host::live(&Patience::new(Duration::from_secs(60)));
        let remarks = give_up(&host).unwrap();
        let own = std::fs::read_to_string("/proc/thread-self/status");
        println!("\n{}", own.unwrap());
        println!("{BETWEEN}");
        let started = Command::new("/bin/cat").arg("/proc/self/status").output();
        println!("{}", String::from_utf8(started.unwrap().stdout).unwrap());
        println!("remarks:{}", remarks.join(" "));
    }

    /// Needs root. The process of the tests gives up nothing: a child of it does.
    #[test]
    fn nothing_but_net_admin_is_left_however_it_began() {
        if let Ok(how) = std::env::var(BEGIN) {
            return begin(&how);
        }
        let whole = Status::of(&std::fs::read_to_string("/proc/self/status").unwrap()).sets[3];
        let expect = |uid, sets| Status {
            uid,
            no_new_privs: 1,
            sets,
        };
        let only = expect(0, [0, NET_ADMIN, NET_ADMIN, NET_ADMIN, 0]);
        for how in ["as root", "bounded"] {
            let (own, started, remarks) = begun(how);
            assert_eq!((&own, &started), (&only, &only), "{how}");
            // It may join groups only as long as it has CAP_SETGID.
            assert_eq!(remarks.is_empty(), how == "as root", "{remarks}");
        }

        let (own, started, _) = begun("inheriting");
        assert_eq!(own, expect(0, [NET_ADMIN; 5]));
        assert_eq!(started, own);

        let (own, started, remarks) = begun("without net_admin");
        assert_eq!(own, expect(0, [0; 5]));
        assert_eq!(started, own);
        assert_eq!(remarks, "");

        // The bounding set stays, and is worth nothing.
        let (own, started, remarks) = begun("without setpcap");
        assert_eq!(
            own,
            expect(0, [0, NET_ADMIN, NET_ADMIN, whole & !SETPCAP, 0])
        );
        assert_eq!(started, own);
        assert!(remarks.contains("CAP_SETPCAP"), "{remarks}");

        let (own, started, remarks) = begun("as nobody");
        assert_eq!(own, expect(65534, [0, 0, 0, whole, 0]));
        assert_eq!(started, own);
        assert!(remarks.contains("CAP_SETPCAP"), "{remarks}");
    }

    #[test]
    fn what_cannot_be_seen_is_said() {
        assert!(blind_spots_of(true, true).is_empty());
        let only_lacp = blind_spots_of(true, false);
        assert!(only_lacp[0].contains("LACP") && only_lacp.len() == 1);
        let nobody = blind_spots_of(false, false).join(" ");
        for thing in ["LACP", "corosync", "journal", "/etc/pve", "lldpd"] {
            assert!(nobody.contains(thing), "{thing}");
        }
        assert_eq!(
            blind_spots().is_empty(),
            geteuid().is_root() && may_see_lacp()
        );
    }

    #[test]
    fn groups_are_found_by_name_and_a_torn_line_is_none() {
        let text = "root:x:0:\nwww-data:x:33:\nwww:x:34:\n_lldpd:x:107:\nwww-data:x\n_lldpd\n";
        let ids = ids_of(GROUPS, text);
        assert_eq!(ids, [Gid::from_raw(33), Gid::from_raw(107)]);
    }
}
