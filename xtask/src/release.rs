//! Which Debian this is: a program runs on the release that it was built on, and on later ones.

use anyhow::{Context as _, Result, bail};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Release {
    number: u32,
}

/// The oldest that packages are for: Proxmox VE 8.
const OLDEST: u32 = 12;

pub(super) fn this() -> Result<Release> {
    let text = std::fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    read(&text)
}

fn read(os_release: &str) -> Result<Release> {
    let value = |key: &str| {
        let mut lines = os_release.lines();
        let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.unwrap_or_default().trim_matches('"')
    };
    let name = value("PRETTY_NAME");
    if value("ID") != "debian" {
        bail!(
            "packages are built on Debian {OLDEST} or later, and this is {name}: take a Debian {OLDEST} (a container will do)"
        );
    }
    match value("VERSION_ID").parse() {
        Ok(number) if number >= OLDEST => Ok(Release { number }),
        _ => bail!(
            "packages are built on Debian {OLDEST} or later, and this is {name}: corosync's libraries are too old there"
        ),
    }
}

impl Release {
    pub(super) fn fits(&self) -> String {
        if self.number == OLDEST {
            "built on Debian 12: for Debian 12 and 13, Proxmox VE 8 and 9".to_owned()
        } else {
            format!(
                "built on Debian {}: for that release and later ones alone; build on Debian 12 for Proxmox VE 8 as well",
                self.number
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_debian_that_has_what_is_needed_will_do() {
        let twelve =
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n";
        assert_eq!(read(twelve).unwrap(), Release { number: 12 });
        let eleven = twelve.replace("12", "11");
        let said = read(&eleven).unwrap_err().to_string();
        assert!(said.contains("this is Debian GNU/Linux 11"), "{said}");
        let other = "PRETTY_NAME=\"Ubuntu 24.04\"\nID=ubuntu\nVERSION_ID=\"24.04\"\n";
        let said = read(other).unwrap_err().to_string();
        assert!(said.contains("this is Ubuntu 24.04"), "{said}");
    }
}
