//! `/proc/mounts` (proc(5)): what is mounted where. Of several mounts on one point the last is the one that is seen.

use crate::fact::boot::FileSystem;
use crate::text::{Parsed, Unreadable, lines};

/// Reads the file systems that stand at these places, in their order. A text that mounts nothing at `/` is none.
pub fn parse(text: &str, mount_points: &[&str]) -> Result<Parsed<Vec<FileSystem>>, Unreadable> {
    let mut found: Vec<Option<FileSystem>> = vec![None; mount_points.len()];
    let mut has_root = false;
    for line in lines(text) {
        let mut words = line.text.split_ascii_whitespace();
        let (Some(device), Some(place), Some(kind), Some(options)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        has_root |= place == "/";
        let wanted = mount_points.iter().position(|wanted| *wanted == place);
        // Until somebody looks into it, nothing is mounted there; and then a further line says what.
        if kind == "autofs" || kind == "rootfs" {
            continue;
        }
        if let Some(slot) = wanted.and_then(|at| found.get_mut(at)) {
            *slot = Some(FileSystem {
                mount_point: place.to_owned(),
                device: device.to_owned(),
                kind: kind.to_owned(),
                read_only: options.split(',').any(|option| option == "ro"),
                ..FileSystem::default()
            });
        }
    }
    if has_root {
        Ok(Parsed {
            value: found.into_iter().flatten().collect(),
            bad_lines: Vec::new(),
        })
    } else {
        Err(Unreadable::foreign(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PVE: &str = include_str!("../../fixtures/mounts/written-pve9-lvm");
    const LAB: &str = include_str!("../../fixtures/mounts/lab-6.12");

    #[test]
    fn the_root_and_the_boot_partition_are_found() {
        let read = parse(PVE, &["/", "/boot", "/boot/efi"]).unwrap().value;
        let said: Vec<_> = read
            .iter()
            .map(|fs| (fs.mount_point.as_str(), fs.kind.as_str(), fs.read_only))
            .collect();
        assert_eq!(said, [("/", "ext4", false), ("/boot/efi", "vfat", false)]);
        assert_eq!(parse(LAB, &["/"]).unwrap().value.len(), 1);
    }

    #[test]
    fn a_root_that_the_kernel_made_read_only_shows() {
        let text = "/dev/mapper/pve-root / ext4 ro,relatime,errors=remount-ro 0 0\n";
        assert!(parse(text, &["/"]).unwrap().value[0].read_only);
    }

    #[test]
    fn of_two_mounts_on_one_place_the_last_is_seen() {
        let text = "rootfs / rootfs rw 0 0\n/dev/a / ext4 ro 0 0\nsystemd-1 /boot/efi autofs rw 0 0\n\
                    /dev/b / xfs rw,errors=ro 0 0\n";
        let read = parse(text, &["/", "/boot/efi"]).unwrap().value;
        assert_eq!(read.len(), 1);
        assert_eq!(
            (read[0].device.as_str(), read[0].read_only),
            ("/dev/b", false)
        );
    }

    #[test]
    fn a_list_without_a_root_is_none() {
        assert!(parse("<html>\n", &["/"]).is_err());
        assert!(parse("", &["/"]).is_err());
    }
}
