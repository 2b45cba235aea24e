//! Which kernel boots next: the pins of `proxmox-boot-tool` (one version a file, in `/etc/kernel`), grub's defaults
//! (`/etc/default/grub` and `grub.d/*.cfg`, which the shell reads one after the other), and grub's environment block.

use super::assignments::assignments;
use crate::fact::boot::by_version;
use crate::text::{BadLine, BadLines, Parsed, Unreadable, lines};

/// The entry of the menu that boots where nothing else is said: the newest kernel.
const FIRST_ENTRY: &str = "0";

/// Reads the version in a pin file; an empty one pins nothing.
pub fn pin(text: &str) -> Result<Parsed<Option<String>>, Unreadable> {
    let mut bad_lines = BadLines::default();
    let first = lines(text).find(|line| !line.is_blank());
    let pinned = first.and_then(|line| {
        let word = line.text.trim();
        let fits = |sign: char| sign.is_ascii_alphanumeric() || "._-+~".contains(sign);
        let read = if word.chars().all(fits) {
            Ok(word.to_owned())
        } else {
            Err(BadLine::new(line, "it is not the version of a kernel"))
        };
        bad_lines.keep(read)
    });
    Ok(bad_lines.with(pinned))
}

/// Reads `GRUB_DEFAULT` of one file: `None` where it says nothing, `Some(None)` where the newest kernel boots.
pub fn grub_default(text: &str) -> Option<Option<String>> {
    let last = assignments(text)
        .filter(|found| found.key == "GRUB_DEFAULT")
        .last()?;
    let entry = last.value;
    // `$value` would be for the shell to resolve; it is shown as it stands.
    Some((!entry.is_empty() && entry != FIRST_ENTRY).then(|| entry.to_owned()))
}

/// Reads the entry that grub was told to boot next, or else by default, from its environment block.
pub fn grub_environment(text: &str) -> Option<String> {
    let value = |key: &str| {
        let found = assignments(text).find(|found| found.key == key)?;
        (!found.value.is_empty()).then(|| found.value.to_owned())
    };
    value("next_entry").or_else(|| value("saved_entry"))
}

/// The versions of the kernels among the names in `/boot`, newest last.
pub fn installed<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut versions: Vec<String> = names
        .filter_map(|name| name.strip_prefix("vmlinuz-"))
        .filter(|version| !version.ends_with(".old") && !version.ends_with(".dpkg-new"))
        .map(str::to_owned)
        .collect();
    versions.sort_by(|one, other| by_version(one, other));
    versions
}

/// The version in `/proc/version`: `Linux version 6.8.4-2-pve (build@proxmox) …`.
pub fn running(text: &str) -> Result<Parsed<Option<String>>, Unreadable> {
    let version = text
        .strip_prefix("Linux version ")
        .and_then(|rest| rest.split_whitespace().next());
    match version {
        Some(version) => Ok(BadLines::default().with(Some(version.to_owned()))),
        None => Err(Unreadable::foreign(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_one_version() {
        assert_eq!(
            pin("6.8.4-2-pve\n").unwrap().value.as_deref(),
            Some("6.8.4-2-pve")
        );
        assert_eq!(pin("\n").unwrap().value, None);
        let bad = pin("<html> x\n").unwrap();
        assert_eq!((bad.value, bad.bad_lines.len()), (None, 1));
    }

    #[test]
    fn grub_boots_the_newest_unless_it_is_told_otherwise() {
        assert_eq!(grub_default("GRUB_TIMEOUT=5\n"), None);
        assert_eq!(grub_default("GRUB_DEFAULT=0\n"), Some(None));
        assert_eq!(
            grub_default("GRUB_DEFAULT=0\nGRUB_DEFAULT=\"a>b\"\n#GRUB_DEFAULT=1\n"),
            Some(Some("a>b".to_owned()))
        );
    }

    #[test]
    fn the_next_entry_goes_before_the_saved_one() {
        let block = "# GRUB Environment Block\nsaved_entry=a\nnext_entry=\n####\n";
        assert_eq!(grub_environment(block).as_deref(), Some("a"));
        let block = block.replace("next_entry=", "next_entry=b");
        assert_eq!(grub_environment(&block).as_deref(), Some("b"));
    }

    #[test]
    fn installed_kernels_are_ordered_and_leftovers_are_not_counted() {
        let names = [
            "vmlinuz-6.14.0-1-pve",
            "initrd.img-6.8",
            "vmlinuz-6.8.12-9-pve",
            "vmlinuz-6.8.old",
            "grub",
        ];
        assert_eq!(
            installed(names.into_iter()),
            ["6.8.12-9-pve", "6.14.0-1-pve"]
        );
    }

    #[test]
    fn the_running_kernel_is_the_third_word() {
        let read = running("Linux version 6.8.4-2-pve (build@proxmox) (gcc) #1 SMP\n");
        assert_eq!(read.unwrap().value.as_deref(), Some("6.8.4-2-pve"));
        assert!(running("").is_err());
    }
}
