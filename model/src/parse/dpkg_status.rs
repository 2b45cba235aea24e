//! `/var/lib/dpkg/status` (dpkg(1), deb822(5)): a paragraph a package, with a blank line behind each. It is a megabyte
//! or more, so it is read line by line, and of a package that is well only the version is kept, and only if it is one
//! of those that matter.

use crate::fact::packages::{DpkgState, Packages, Unsettled};
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable};

/// How long a line may be that is taken into memory; nothing that is wanted stands on such a one.
pub const MAX_LINE_BYTES: usize = 4 << 10;
/// How many unsettled packages are kept: in the middle of an upgrade there can be hundreds.
const MAX_UNSETTLED: usize = 100;
/// How many packages that matter are kept.
const MAX_VERSIONS: usize = 1000;

/// The packages whose versions matter for quorum, the network and a reboot; `*` stands for any end of a name.
pub const MATTERS: &[&str] = &[
    "proxmox-ve",
    "pve-manager",
    "pve-cluster",
    "libpve-cluster-perl",
    "pve-ha-manager",
    "pve-ha-simulator",
    "pve-firewall",
    "proxmox-firewall",
    "pve-container",
    "qemu-server",
    "pve-qemu-kvm",
    "corosync*",
    "libknet1*",
    "libqb*",
    "libcfg7",
    "libcmap4",
    "libcpg4",
    "libquorum5",
    "libvotequorum8",
    "proxmox-kernel-*",
    "pve-kernel-*",
    "proxmox-default-kernel",
    "linux-image-*",
    "proxmox-boot-tool",
    "proxmox-network-interface-pinning",
    "pve-firmware",
    "grub-*",
    "systemd*",
    "udev",
    "ifupdown*",
    "ifenslave",
    "bridge-utils",
    "openvswitch-*",
    "frr*",
    "lldpd",
    "dnsmasq",
    "libpve-network-perl",
    "ceph*",
    "librados2",
    "zfsutils-linux",
    "chrony",
    "systemd-timesyncd",
    "ntpsec",
    "watchdog",
    "quorate*",
];

/// Takes the file line by line.
#[derive(Debug, Default)]
pub struct Reader {
    paragraph: Paragraph,
    packages: Packages,
    unsettled: Vec<Unsettled>,
    bad_lines: BadLines,
    line_number: usize,
    is_known: bool,
    first_line: Option<String>,
}

#[derive(Debug, Default)]
struct Paragraph {
    package: String,
    status: Option<(usize, String)>,
    version: Option<String>,
}

/// Reads a text as a whole.
pub fn parse(text: &str) -> Result<Parsed<Packages>, Unreadable> {
    let mut reader = Reader::default();
    for line in text.lines() {
        if line.len() > MAX_LINE_BYTES {
            reader.skip_long_line();
        } else {
            reader.line(line);
        }
    }
    reader.finish()
}

impl Reader {
    pub fn line(&mut self, text: &str) {
        self.line_number += 1;
        let text = text.trim_end();
        if text.is_empty() {
            self.end_paragraph();
            return;
        }
        if self.first_line.is_none() {
            self.first_line = Some(text.to_owned());
        }
        // What goes on from the line before is never wanted.
        if text.starts_with([' ', '\t']) {
            return;
        }
        let Some((field, value)) = text.split_once(':') else {
            return;
        };
        let value = value.trim();
        match field {
            "Package" => value.clone_into(&mut self.paragraph.package),
            "Status" => self.paragraph.status = Some((self.line_number, value.to_owned())),
            "Version" => self.paragraph.version = Some(value.to_owned()),
            _ => {}
        }
    }

    /// For a line that is longer than [`MAX_LINE_BYTES`].
    pub fn skip_long_line(&mut self) {
        self.line_number += 1;
    }

    /// A text without one package is none.
    pub fn finish(mut self) -> Result<Parsed<Packages>, Unreadable> {
        self.end_paragraph();
        if !self.is_known {
            return Err(Unreadable::foreign(&self.first_line.unwrap_or_default()));
        }
        self.packages.manager_version = self.packages.versions.get("pve-manager").cloned();
        self.packages.unsettled = Some(self.unsettled);
        Ok(self.bad_lines.with(self.packages))
    }

    fn end_paragraph(&mut self) {
        let Paragraph {
            package,
            status,
            version,
        } = std::mem::take(&mut self.paragraph);
        let Some((number, status)) = status.filter(|_| !package.is_empty()) else {
            return;
        };
        self.is_known = true;
        let mut words = status.split_whitespace();
        let (Some(want), Some(flag), Some(state), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            let text = format!("Status: {status}");
            let line = Line {
                number,
                text: &text,
            };
            let why = "it is not what is wanted, a flag and a state";
            self.bad_lines.push(BadLine::new(line, why));
            return;
        };
        let state = DpkgState::from_word(state);
        let reinstall_required = flag != "ok";
        self.remember(&package, want, &state, version.as_deref());
        if reinstall_required || !state.is_settled() {
            self.keep(Unsettled {
                package,
                version,
                state,
                reinstall_required,
            });
        }
    }

    fn remember(&mut self, package: &str, want: &str, state: &DpkgState, version: Option<&str>) {
        if !matters(package) {
            return;
        }
        if want == "hold" {
            self.packages.on_hold.insert(package.to_owned());
        }
        match (state, version) {
            (DpkgState::ConfigFiles, _) => {
                self.packages.residual_config.insert(package.to_owned());
            }
            (DpkgState::NotInstalled, _) => {}
            (_, Some(version)) if self.packages.versions.len() < MAX_VERSIONS => {
                let versions = &mut self.packages.versions;
                versions.insert(package.to_owned(), version.to_owned());
            }
            (_, Some(_)) => {
                let line = Line {
                    number: self.line_number,
                    text: package,
                };
                let why = format!("more than {MAX_VERSIONS} packages matter");
                self.bad_lines.push(BadLine::new(line, why));
            }
            (_, None) => {}
        }
    }

    fn keep(&mut self, unsettled: Unsettled) {
        if self.unsettled.len() < MAX_UNSETTLED {
            self.unsettled.push(unsettled);
        } else {
            self.packages.unsettled_not_kept = self.packages.unsettled_not_kept.saturating_add(1);
        }
    }
}

fn matters(package: &str) -> bool {
    MATTERS.iter().any(|known| match known.strip_suffix('*') {
        Some(begin) => package.starts_with(begin),
        None => package == *known,
    })
}

#[cfg(test)]
mod tests {
    //! `dpkg-1.21-every-state` was written by dpkg itself, from packages made to fail.

    use super::*;

    const EVERY_STATE: &str = include_str!("../../fixtures/dpkg_status/dpkg-1.21-every-state");
    const LAB: &str = include_str!("../../fixtures/dpkg_status/lab-some-packages");

    #[test]
    fn of_a_node_that_is_well_the_versions_that_matter_are_kept() {
        let parsed = parse(LAB).unwrap();
        assert_eq!(parsed.bad_lines, []);
        let packages = parsed.value;
        assert_eq!(packages.versions["corosync"], "3.1.9-2+deb13u1");
        assert!(packages.versions.contains_key("libknet1t64"));
        assert!(!packages.versions.contains_key("zlib1g"));
        assert_eq!(packages.unsettled, Some(Vec::new()));
    }

    #[test]
    fn every_package_that_dpkg_did_not_finish_is_named() {
        let packages = parse(EVERY_STATE).unwrap().value;
        let said: Vec<_> = packages
            .unsettled
            .iter()
            .flatten()
            .map(|one| {
                (
                    one.package.as_str(),
                    one.state.as_str(),
                    one.reinstall_required,
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                ("ifupdown2", "half-configured", false),
                ("lldpd", "unpacked", false),
                ("pve-manager", "triggers-pending", false),
                ("qemu-server", "triggers-awaited", false),
                ("vim", "half-installed", true),
            ]
        );
        assert!(packages.on_hold.contains("corosync"));
        assert!(packages.residual_config.contains("pve-cluster"));
        assert!(!packages.versions.contains_key("pve-cluster"));
        assert_eq!(packages.manager_version.as_deref(), Some("9.0.3"));
    }

    #[test]
    fn more_than_a_report_holds_are_counted() {
        let text: String = (0..MAX_UNSETTLED + 7)
            .map(|number| format!("Package: p{number}\nStatus: install ok unpacked\n\n"))
            .collect();
        let packages = parse(&text).unwrap().value;
        assert_eq!(packages.unsettled.unwrap().len(), MAX_UNSETTLED);
        assert_eq!(packages.unsettled_not_kept, 7);
    }

    #[test]
    fn a_status_of_a_newer_dpkg_is_unsettled_and_a_broken_one_is_said() {
        let text =
            "Package: a\nStatus: install ok half\n\nPackage: b\nStatus: install\n\nPackage: c\n";
        let parsed = parse(text).unwrap();
        assert_eq!(parsed.bad_lines.len(), 1);
        assert_eq!(parsed.bad_lines[0].line_number, 5);
        let unsettled = parsed.value.unsettled.unwrap();
        assert_eq!(unsettled[0].state, DpkgState::Other("half".to_owned()));
    }

    #[test]
    fn a_text_without_a_package_is_none() {
        assert_eq!(parse(""), Err(Unreadable::Empty));
        assert!(matches!(parse("<html>\n"), Err(Unreadable::Foreign { .. })));
    }
}
