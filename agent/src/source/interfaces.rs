//! `/etc/network/interfaces`, the files that it names, and `interfaces.new`, which Proxmox VE puts in its place at
//! the next boot.

use std::borrow::Cow;
use std::collections::BTreeSet;

use model::fact::interfaces::{Configuration, Interfaces, Source};
use model::parse::interfaces::parse_onto;
use model::reading::Reading;
use model::text::{BadLine, Line};

use crate::host::Host;
use crate::secret::cleaned;
use crate::source::gather::Gathering;

const CURRENT: &str = "etc/network/interfaces";
const PENDING: &str = "etc/network/interfaces.new";
const PARTS: &str = "etc/network/interfaces.d";
pub(crate) const FILES: &[&str] = &[CURRENT, PENDING, "etc/network/interfaces.d/"];

/// Files elsewhere are not followed: a capture does not hold them, and neither PVE nor SDN writes any.
const WITHIN: &str = "etc/network/";
/// How many files one configuration may be made of; that there are more is said.
const MAX_FILES: usize = 200;

/// Absent: this node's network is configured by something else.
pub(crate) fn collect(host: &Host) -> Reading<Interfaces> {
    let mut gathering = Gathering::default();
    let mut named = BTreeSet::new();
    let current = configuration(host, &mut gathering, CURRENT, &mut named);
    let pending = configuration(host, &mut gathering, PENDING, &mut BTreeSet::new());
    let not_sourced = not_sourced(host, &mut gathering, &named);
    let something = current.is_some() || pending.is_some() || not_sourced.is_some();
    gathering.finish(something.then_some(Interfaces {
        current,
        pending,
        not_sourced,
    }))
}

/// Every file that the configurations are made of.
pub(crate) fn files(host: &Host) -> Vec<String> {
    let reading = collect(host);
    let Some(Interfaces {
        current,
        pending,
        not_sourced,
    }) = reading.known()
    else {
        return Vec::new();
    };
    [current, pending, not_sourced]
        .into_iter()
        .flatten()
        .flat_map(|configuration| configuration.files.iter().cloned())
        .collect()
}

/// One file with all that it names, directly or through others. Each file is read once, so that a circle ends;
/// `named` holds what was read or tried.
fn configuration(
    host: &Host,
    gathering: &mut Gathering,
    file: &str,
    named: &mut BTreeSet<String>,
) -> Option<Configuration> {
    let first = gathering.found(file, host.read(file))?;
    let mut configuration = Configuration::default();
    let read = parse_onto(
        &mut configuration,
        file,
        &without_secrets(file, &first.text),
    );
    gathering.take(&first, read)?;
    named.insert(file.to_owned());
    let mut followed = 0;
    while let Some(source) = configuration.sources.get(followed).cloned() {
        followed += 1;
        for path in files_of(host, gathering, &source) {
            if named.len() >= MAX_FILES {
                complain(gathering, &source, "it names too many files");
                return Some(configuration);
            }
            if named.insert(path.clone()) {
                add(host, gathering, &mut configuration, &path, Some(&source));
            }
        }
    }
    Some(configuration)
}

/// What lies in `interfaces.d` and is named by nobody.
fn not_sourced(
    host: &Host,
    gathering: &mut Gathering,
    named: &BTreeSet<String>,
) -> Option<Configuration> {
    let mut configuration = Configuration::default();
    let names = gathering.found(PARTS, host.list(PARTS));
    for name in names.unwrap_or_default().into_iter().take(MAX_FILES) {
        let path = format!("{PARTS}/{name}");
        if !named.contains(&path) {
            add(host, gathering, &mut configuration, &path, None);
        }
    }
    (!configuration.files.is_empty()).then_some(configuration)
}

/// A report goes further than the file: a Wi-Fi password in it is nobody's business.
fn without_secrets<'a>(path: &str, text: &'a str) -> Cow<'a, str> {
    cleaned(path, text).0
}

fn add(
    host: &Host,
    gathering: &mut Gathering,
    configuration: &mut Configuration,
    path: &str,
    source: Option<&Source>,
) {
    match gathering.found(path, host.read(path).map(Some)) {
        Some(Some(text)) if !text.text.trim().is_empty() => {
            let read = parse_onto(configuration, path, &without_secrets(path, &text.text));
            gathering.take(&text, read);
        }
        Some(None) if let Some(source) = source => {
            complain(gathering, source, "there is no such file")
        }
        // An empty part adds nothing, which is no error; and what could not be read has been said.
        _ => {}
    }
}

/// The files that a `source` line names. A pattern may have `*` in its last part.
fn files_of(host: &Host, gathering: &mut Gathering, source: &Source) -> Vec<String> {
    let path = match source.pattern.strip_prefix('/') {
        Some(path) => path.to_owned(),
        // ifupdown: relative to the file that holds the line.
        None => match source.file.rsplit_once('/') {
            Some((dir, _)) => format!("{dir}/{}", source.pattern),
            None => source.pattern.clone(),
        },
    };
    let path = path.trim_end_matches('/');
    let (dir, last) = path.rsplit_once('/').unwrap_or(("", path));
    let dir_to_list = if source.directory { path } else { dir };
    let odd = |part: &str| part == ".." || part == ".";
    if !format!("{path}/").starts_with(WITHIN)
        || path.split('/').any(odd)
        || dir_to_list.contains('*')
    {
        complain(
            gathering,
            source,
            "only files below /etc/network are followed",
        );
        return Vec::new();
    }
    if !source.directory && !last.contains('*') {
        return vec![path.to_owned()];
    }
    let fits = |name: &&String| {
        if source.directory {
            // As run-parts: neither `x.dpkg-old` nor `x~`.
            name.bytes()
                .all(|sign| sign.is_ascii_alphanumeric() || b"-_".contains(&sign))
        } else {
            !name.starts_with('.') && matches(last, name)
        }
    };
    let names = gathering
        .found(dir_to_list, host.list(dir_to_list))
        .unwrap_or_default();
    names
        .iter()
        .filter(fits)
        .map(|name| format!("{dir_to_list}/{name}"))
        .collect()
}

/// Does the name fit a pattern in which `*` stands for anything?
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Says what is wrong with a `source` line.
fn complain(gathering: &mut Gathering, source: &Source, why: &str) {
    let line = Line {
        number: source.line_number,
        text: &source.pattern,
    };
    gathering.refuse(&source.file, BadLine::new(line, why));
}

#[cfg(test)]
mod tests {
    use std::fs;

    use model::reading::Problem;

    use super::*;

    /// Reads a tree of these files, and gives what is known and what is complained of.
    #[track_caller]
    fn read(files: &[(&str, &str)]) -> (Interfaces, Vec<Problem>) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let full = root.path().join("etc/network").join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, text).unwrap();
        }
        match collect(&Host::captured(root.path()).unwrap()) {
            Reading::Known {
                value, problems, ..
            } => (value, problems),
            other => panic!("{other:?}"),
        }
    }

    fn files(configuration: Option<Configuration>) -> Vec<String> {
        configuration.unwrap().files
    }

    #[test]
    fn what_a_source_line_names_is_in_force_and_the_rest_is_not() {
        let (found, problems) = read(&[
            ("interfaces", "auto lo\nsource interfaces.d/*.cfg\n"),
            ("interfaces.d/a.cfg", "iface a inet manual\n"),
            ("interfaces.d/empty.cfg", ""),
            ("interfaces.d/sdn", "iface vnet1\n"),
        ]);
        assert_eq!(problems, []);
        assert_eq!(
            files(found.current),
            [CURRENT, "etc/network/interfaces.d/a.cfg"]
        );
        assert_eq!(files(found.not_sourced), ["etc/network/interfaces.d/sdn"]);
        assert_eq!(found.pending, None);
    }

    #[test]
    fn the_pending_file_has_its_own_sources() {
        let (found, problems) = read(&[
            (
                "interfaces",
                "auto lo\nsource /etc/network/interfaces.d/*\n",
            ),
            (
                "interfaces.new",
                "auto lo eno1\nsource-directory /etc/network/interfaces.d\n",
            ),
            ("interfaces.d/sdn", "iface vnet1\n"),
        ]);
        assert_eq!(problems, []);
        let pending = found.pending.unwrap();
        assert_eq!(pending.files, [PENDING, "etc/network/interfaces.d/sdn"]);
        assert!(pending.interface("eno1").unwrap().auto);
        assert_eq!(found.not_sourced, None);
    }

    #[test]
    fn a_circle_ends_and_paths_elsewhere_are_not_followed() {
        let (found, problems) = read(&[
            (
                "interfaces",
                "source /etc/network/interfaces\nsource ../../etc/shadow\nsource gone\nsource interfaces.d/x\n",
            ),
            ("interfaces.d/x", "source /etc/network/interfaces.d/*\n"),
        ]);
        assert_eq!(
            files(found.current),
            [CURRENT, "etc/network/interfaces.d/x"]
        );
        let said: Vec<_> = problems.iter().map(|problem| problem.line_number).collect();
        assert_eq!(said, [Some(2), Some(3)]);
    }

    #[test]
    fn a_part_that_cannot_be_read_is_said_and_the_rest_is_kept() {
        let (found, problems) = read(&[
            (
                "interfaces",
                "iface vmbr0 inet manual\nsource interfaces.d/*\n",
            ),
            ("interfaces.d/page", "<html>\n"),
        ]);
        assert_eq!(problems.len(), 1);
        assert_eq!(files(found.current), [CURRENT]);
        assert_eq!(found.not_sourced, None);
    }

    #[test]
    fn a_node_without_the_file_has_no_reading() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(
            collect(&Host::captured(root.path()).unwrap()),
            Reading::Absent
        );
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, fits) in [
            ("*", "sdn", true),
            ("*.cfg", "a.cfg", true),
            ("*.cfg", "a.cfg.bak", false),
            ("a*b*c", "a-b-c", true),
            ("a*a", "a", false),
            ("sdn", "sdn2", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
