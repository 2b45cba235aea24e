//! `pveversion` and `pveversion -v` (pve-manager, bin/pveversion), as PVE 3 to 9 print them: one line, or a line a
//! package. Only a package that dpkg holds for installed has a version there; any other is "not correctly
//! installed", or "residual config".

use crate::fact::packages::Packages;
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable, lines, sounds_like_an_error};

/// Reads either form. A text without one line of it is none: an error message, or something else.
pub fn parse(text: &str) -> Result<Parsed<Packages>, Unreadable> {
    let mut packages = Packages::default();
    let mut bad_lines = BadLines::default();
    let mut known = false;
    for line in lines(text) {
        match one_line(&mut packages, line) {
            Ok(read) => known |= read,
            // It names a package, so it is a line of this tool, if others are.
            Err(bad_line) => bad_lines.push(bad_line),
        }
    }
    if known {
        return Ok(bad_lines.with(packages));
    }
    Err(Unreadable::complaint_in(text, sounds_like_an_error))
}

/// Reads a line; `Ok(false)` if it is none of the tool's.
fn one_line(packages: &mut Packages, line: Line<'_>) -> Result<bool, BadLine> {
    let text = line.text.trim();
    let (said, note) = split_note(text);
    if let Some(rest) = said.strip_prefix("pve-manager/") {
        running_manager(packages, rest);
        keep_kernel(packages, note);
        return Ok(true);
    }
    let Some((name, version)) = said.split_once(':') else {
        return Ok(false);
    };
    let (name, version) = (name.trim(), version.trim());
    if name == "running kernel" {
        // PVE 3 and older: a line of its own.
        packages.running_kernel = Some(version.to_owned());
        return Ok(!version.is_empty());
    }
    // `perl: warning: Setting locale failed.` is not a package.
    if !is_package(name)
        || version
            .split_whitespace()
            .next()
            .is_some_and(|word| word.ends_with(':'))
    {
        return Ok(false);
    }
    match version {
        "not correctly installed" => {
            packages.not_correctly_installed.insert(name.to_owned());
        }
        "residual config" => {
            packages.residual_config.insert(name.to_owned());
        }
        _ if is_version(version) => {
            if name == "pve-manager" {
                packages.manager_version = Some(version.to_owned());
            }
            packages
                .versions
                .insert(name.to_owned(), version.to_owned());
        }
        _ => {
            return Err(BadLine::new(
                line,
                "what stands behind the package is not a version",
            ));
        }
    }
    if let Some(note) = note {
        packages.notes.insert(name.to_owned(), note.to_owned());
        keep_kernel(packages, Some(note));
        // PVE 3 and older: `pve-manager: 3.1-3 (pve-manager/3.1-3/dc0e9b0e)`
        let running = note
            .strip_prefix("running version:")
            .or(note.strip_prefix("pve-manager/"));
        if let Some(running) = running {
            running_manager(packages, running.trim());
        }
    }
    Ok(true)
}

/// `TEXT (NOTE)`
fn split_note(text: &str) -> (&str, Option<&str>) {
    match text.split_once('(') {
        Some((said, note)) => {
            let note = note.strip_suffix(')').unwrap_or(note);
            (said.trim(), Some(note.trim()))
        }
        None => (text, None),
    }
}

fn keep_kernel(packages: &mut Packages, note: Option<&str>) {
    if let Some(kernel) = note.and_then(|note| note.strip_prefix("running kernel:")) {
        packages.running_kernel = Some(kernel.trim().to_owned());
    }
}

/// `8.2.2/9355359cd7afbae4`
fn running_manager(packages: &mut Packages, text: &str) {
    let (version, commit) = text.split_once('/').unwrap_or((text, ""));
    packages.manager_running_version = Some(version.to_owned());
    packages.manager_commit = (!commit.is_empty()).then(|| commit.to_owned());
}

/// Debian policy 5.6.1.
fn is_package(name: &str) -> bool {
    let fits =
        |sign: u8| sign.is_ascii_lowercase() || sign.is_ascii_digit() || b"+-.".contains(&sign);
    name.len() >= 2 && name.bytes().all(fits)
}

/// Debian policy 5.6.12.
fn is_version(text: &str) -> bool {
    let fits = |sign: u8| sign.is_ascii_alphanumeric() || b".+-~:".contains(&sign);
    text.starts_with(|sign: char| sign.is_ascii_digit()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    //! The fixtures are written after what the tool prints; none is a capture.

    use super::*;

    const PVE8: &str = include_str!("../../fixtures/pveversion/written-pve8");
    const PVE3: &str = include_str!("../../fixtures/pveversion/written-pve3");

    #[track_caller]
    fn read(text: &str) -> Packages {
        let parsed = parse(text).unwrap();
        assert_eq!(parsed.bad_lines, [], "{text}");
        parsed.value
    }

    #[test]
    fn the_long_form_is_read_whole() {
        let packages = read(PVE8);
        assert_eq!(packages.running_kernel.as_deref(), Some("6.8.4-2-pve"));
        assert_eq!(packages.manager_version.as_deref(), Some("8.2.2"));
        assert_eq!(packages.manager_running_version.as_deref(), Some("8.2.2"));
        assert_eq!(packages.manager_commit.as_deref(), Some("9355359cd7afbae4"));
        assert_eq!(packages.versions["proxmox-ve"], "8.2.0");
        assert_eq!(packages.versions["corosync"], "3.1.7-pve3");
        assert_eq!(
            packages.versions["proxmox-kernel-6.8.4-2-pve-signed"],
            "6.8.4-2"
        );
        assert_eq!(packages.versions["libproxmox-backup-qemu0"], "1.4.1");
        assert_eq!(packages.versions["criu"], "3.17.1-2");
        assert_eq!(packages.versions["zfsutils-linux"], "2.2.3-pve2");
        assert_eq!(
            packages.notes["pve-manager"],
            "running version: 8.2.2/9355359cd7afbae4"
        );
        assert!(packages.not_correctly_installed.contains("ifupdown2"));
        assert!(packages.residual_config.contains("ceph-fuse"));
        let stated = packages.versions.len()
            + packages.not_correctly_installed.len()
            + packages.residual_config.len();
        assert_eq!(stated, PVE8.lines().count());
    }

    #[test]
    fn the_short_form_tells_the_manager_and_the_kernel() {
        let packages = read("pve-manager/8.2.2/9355359cd7afbae4 (running kernel: 6.8.4-2-pve)\n");
        assert_eq!(packages.manager_running_version.as_deref(), Some("8.2.2"));
        assert_eq!(packages.manager_commit.as_deref(), Some("9355359cd7afbae4"));
        assert_eq!(packages.running_kernel.as_deref(), Some("6.8.4-2-pve"));
        assert_eq!(packages.manager_version, None);
    }

    #[test]
    fn the_oldest_form_is_read_too() {
        let packages = read(PVE3);
        assert_eq!(packages.running_kernel.as_deref(), Some("2.6.32-23-pve"));
        assert_eq!(packages.manager_commit.as_deref(), Some("dc0e9b0e"));
        assert_eq!(packages.versions["pve-kernel-2.6.32-23-pve"], "2.6.32-109");
    }

    #[test]
    fn a_manager_that_was_not_restarted_since_its_upgrade_shows() {
        let packages = read("pve-manager: 9.1.2 (running version: 9.0.3/025864202ebb6109)\n");
        assert_eq!(packages.manager_version.as_deref(), Some("9.1.2"));
        assert_eq!(packages.manager_running_version.as_deref(), Some("9.0.3"));
    }

    #[test]
    fn a_package_without_a_version_still_tells_the_kernel() {
        let packages = read("proxmox-ve: not correctly installed (running kernel: 6.18.1)\n");
        assert_eq!(packages.running_kernel.as_deref(), Some("6.18.1"));
        assert!(packages.not_correctly_installed.contains("proxmox-ve"));
    }

    #[test]
    fn a_bad_line_costs_itself_and_nothing_else() {
        let parsed = parse("corosync: \u{fffd}\u{fffd}\ncriu: 3.17.1-2\npve-cluster:\n").unwrap();
        let numbers: Vec<_> = parsed.bad_lines.iter().map(|bad| bad.line_number).collect();
        assert_eq!(numbers, [1, 3]);
        assert_eq!(parsed.value.versions.len(), 1);
    }

    #[test]
    fn warnings_of_perl_are_not_packages() {
        let text = "perl: warning: Setting locale failed.\nperl: warning: Please check that your locale settings:\n\
                    \tLANGUAGE = (unset),\n    are supported and installed on your system.\ncriu: 3.17.1-2\n";
        assert_eq!(read(text).versions.len(), 1);
    }

    #[test]
    fn line_ends_tabs_and_indentation_change_nothing() {
        assert_eq!(read(&PVE8.replace('\n', "\r\n")), read(PVE8));
        assert_eq!(read(&PVE8.replace(": ", ":\t")), {
            let mut expected = read(PVE8);
            for note in expected.notes.values_mut() {
                *note = note.replace(": ", ":\t");
            }
            expected
        });
        assert_eq!(read(PVE8.trim_end()), read(PVE8));
        let indented: String = PVE8.lines().map(|line| format!("  {line}\n")).collect();
        assert_eq!(read(&indented), read(PVE8));
    }

    #[test]
    fn a_line_that_is_cut_off_is_not_taken_for_a_version_of_something_else() {
        let parsed = parse("corosync: 3.1.7-pve3\npve-clus").unwrap();
        assert_eq!(parsed.value.versions.len(), 1);
    }

    #[test]
    fn an_error_is_not_an_empty_list() {
        let missing = "bash: pveversion: command not found\n";
        assert!(matches!(parse(missing), Err(Unreadable::ToolFailed { .. })));
        assert_eq!(parse(""), Err(Unreadable::Empty));
        assert!(matches!(
            parse("Quorum information\n"),
            Err(Unreadable::Foreign { .. })
        ));
        assert!(matches!(
            parse("hostname: pve1\n"),
            Err(Unreadable::Foreign { .. })
        ));
    }
}
