//! Which Debian this is. What is installed here are packages of Debian's, and what is built here runs on the release that it
//! was built on, and on later ones.

use anyhow::{Result, bail};

/// Those that the packages are for, and that everything is tried on: Proxmox VE 8 and 9.
const KNOWN: [(u32, &str); 2] = [(12, "bookworm"), (13, "trixie")];
const OLDEST: u32 = KNOWN[0].0;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Release {
    /// Of Debian; nothing of any other system.
    number: Option<u32>,
    name: String,
}

impl Release {
    pub(crate) fn of_this_machine() -> Self {
        Self::read(&std::fs::read_to_string("/etc/os-release").unwrap_or_default())
    }

    fn read(os_release: &str) -> Self {
        let value = |key: &str| {
            let mut lines = os_release.lines();
            let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            value.map(|value| value.trim_matches('"'))
        };
        let is_debian = value("ID") == Some("debian");
        let number = value("VERSION_ID").and_then(|number| number.parse().ok());
        Self {
            number: number.filter(|_| is_debian),
            name: value("PRETTY_NAME")
                .unwrap_or("something unknown")
                .to_owned(),
        }
    }

    /// What packages that are built here fit, or why none are.
    pub(crate) fn fits(&self) -> Result<String> {
        let name = &self.name;
        match self.number {
            None => bail!(
                "packages are built on Debian {OLDEST} or later, and this is {name}: take a Debian {OLDEST} (a container will do)"
            ),
            Some(number) if number < OLDEST => bail!(
                "packages are built on Debian {OLDEST} or later, and this is {name}: corosync's libraries are too old there"
            ),
            Some(OLDEST) => {
                Ok("built on Debian 12: for Debian 12 and 13, Proxmox VE 8 and 9".to_owned())
            }
            Some(number) => Ok(format!(
                "built on Debian {number}: for that release and later ones alone; build on Debian {OLDEST} for Proxmox VE 8 as well"
            )),
        }
    }

    /// Those known, by number and name, that run what is built here.
    pub(crate) fn runners(&self) -> Vec<(u32, &'static str)> {
        let is_runner = |(number, _): &(u32, _)| self.number.is_some_and(|own| own <= *number);
        KNOWN.into_iter().filter(is_runner).collect()
    }

    /// What is to be known where packages of Debian's are missing; nothing on a Debian that has them.
    pub(crate) fn hint(&self) -> String {
        if KNOWN.iter().any(|(number, _)| Some(*number) == self.number) {
            return String::new();
        }
        format!(
            " They are packages of Debian 12 and 13, and this is {}.",
            self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWELVE: &str =
        "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n";
    const FEDORA: &str = "PRETTY_NAME=\"Fedora Linux 41\"\nID=fedora\nVERSION_ID=13\n";

    #[test]
    fn only_a_debian_that_has_what_is_needed_will_do() {
        let fits = Release::read(TWELVE).fits().unwrap();
        assert!(fits.contains("for Debian 12 and 13"), "{fits}");
        let thirteen = TWELVE.replace("12", "13");
        let fits = Release::read(&thirteen).fits().unwrap();
        assert!(fits.contains("later ones alone"), "{fits}");
        let of = |text| Release::read(text).runners().len();
        assert_eq!((of(TWELVE), of(&thirteen), of(FEDORA)), (2, 1, 0));
        let eleven = TWELVE.replace("12", "11");
        for (text, name) in [
            (eleven.as_str(), "Debian GNU/Linux 11"),
            (FEDORA, "Fedora Linux 41"),
        ] {
            let said = Release::read(text).fits().unwrap_err().to_string();
            assert!(said.contains(&format!("this is {name}")), "{said}");
        }
    }

    #[test]
    fn where_packages_are_missing_another_system_than_theirs_is_named() {
        assert_eq!(Release::read(TWELVE).hint(), "");
        let sid = "PRETTY_NAME=\"Debian GNU/Linux forky/sid\"\nID=debian\n";
        for (text, name) in [
            (sid, "Debian GNU/Linux forky/sid"),
            (FEDORA, "Fedora Linux 41"),
            ("", "something unknown"),
        ] {
            let hint = Release::read(text).hint();
            assert_eq!(
                hint,
                format!(" They are packages of Debian 12 and 13, and this is {name}.")
            );
        }
    }
}
