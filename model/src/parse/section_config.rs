//! Proxmox VE's section files (pve-common, PVE/SectionConfig.pm): `storage.cfg`, `replication.cfg`, and those of HA.
//!
//! A section begins with `type: id` at the beginning of a line; its options stand indented below it, each as a word and
//! perhaps a value; a blank line ends it. An option without a value is a flag that is set.

use std::str::FromStr;

use crate::name::NodeName;
use crate::text::{BadLine, BadLines, Line, Unreadable, lines};

/// How many sections of one file are kept.
const MAX_SECTIONS: usize = 4096;
/// How many options of one section are kept.
const MAX_OPTIONS: usize = 100;

pub(super) struct Section<'a> {
    /// `dir`, `vm`, `node-affinity`.
    pub(super) kind: &'a str,
    pub(super) id: &'a str,
    options: Vec<(&'a str, &'a str, Line<'a>)>,
}

/// The sections of a file. A file without one is empty, which Proxmox VE takes as well; a text of which no line is a
/// section is foreign.
pub(super) fn sections<'a>(
    text: &'a str,
    bad_lines: &mut BadLines,
) -> Result<Vec<Section<'a>>, Unreadable> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut inside = false;
    let mut anything = false;
    for line in lines(text) {
        let words = line.text.trim();
        if words.is_empty() {
            inside = false;
        } else if words.starts_with('#') {
        } else if line.indent() > 0 && inside {
            option(&mut sections, line, words, bad_lines);
        } else if let Some((kind, id)) = header(line) {
            inside = sections.len() < MAX_SECTIONS;
            anything = true;
            if inside {
                let options = Vec::new();
                sections.push(Section { kind, id, options });
            } else {
                let why = format!("only the first {MAX_SECTIONS} sections are kept");
                bad_lines.push(BadLine::new(line, why));
            }
        } else {
            inside = false;
            let why = "it is neither the beginning of a section nor an option of one";
            bad_lines.push(BadLine::new(line, why));
            if !anything {
                return Err(Unreadable::foreign(text));
            }
        }
    }
    Ok(sections)
}

fn header(line: Line<'_>) -> Option<(&str, &str)> {
    let (kind, id) = line.text.split_once(':')?;
    let id = id.trim();
    let is_word = |word: &str| !word.is_empty() && !word.contains(char::is_whitespace);
    (is_word(kind) && is_word(id)).then_some((kind, id))
}

fn option<'a>(
    sections: &mut [Section<'a>],
    line: Line<'a>,
    words: &'a str,
    bad_lines: &mut BadLines,
) {
    let Some(section) = sections.last_mut() else {
        return;
    };
    if section.options.len() >= MAX_OPTIONS {
        let why = format!("only the first {MAX_OPTIONS} options of a section are kept");
        bad_lines.push(BadLine::new(line, why));
        return;
    }
    let (key, value) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
    section.options.push((key, value.trim(), line));
}

impl<'a> Section<'a> {
    fn find(&self, key: &str) -> Option<(&'a str, Line<'a>)> {
        let found = self.options.iter().find(|(known, _, _)| *known == key);
        found.map(|(_, value, line)| (*value, *line))
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        let (value, _) = self.find(key)?;
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Written as `1` or `0`, `yes` or `no`, or as the word alone.
    pub(super) fn flag(&self, key: &str, bad_lines: &mut BadLines) -> Option<bool> {
        let (value, line) = self.find(key)?;
        let read = flag(value);
        if read.is_none() {
            bad_lines.push(BadLine::new(line, format!("{key} is neither yes nor no")));
        }
        read
    }

    pub(super) fn number<N: FromStr>(&self, key: &str, bad_lines: &mut BadLines) -> Option<N> {
        let (value, line) = self.find(key)?;
        bad_lines.keep(line.number(value, key))
    }

    /// Words with commas, semicolons or blanks between them; empty if nothing is said.
    pub(super) fn list(&self, key: &str) -> Vec<String> {
        let value = self.find(key).map_or("", |(value, _)| value);
        words(value).map(str::to_owned).collect()
    }

    pub(super) fn node(&self, key: &str, bad_lines: &mut BadLines) -> Option<NodeName> {
        let (value, line) = self.find(key)?;
        node(value, line, bad_lines)
    }

    /// The names of nodes, each with what stands behind a colon; `None` if nothing is said.
    pub(super) fn nodes(
        &self,
        key: &str,
        bad_lines: &mut BadLines,
    ) -> Option<Vec<(NodeName, Option<u32>)>> {
        let (value, line) = self.find(key)?;
        let mut nodes = Vec::new();
        for word in words(value) {
            let (name, priority) = match word.split_once(':') {
                Some((name, priority)) => (name, Some(priority)),
                None => (word, None),
            };
            let priority =
                priority.and_then(|priority| bad_lines.keep(line.number(priority, "a priority")));
            nodes.extend(node(name, line, bad_lines).map(|name| (name, priority)));
        }
        Some(nodes)
    }
}

fn node(name: &str, line: Line<'_>, bad_lines: &mut BadLines) -> Option<NodeName> {
    let read = NodeName::new(name).map_err(|bad| BadLine::new(line, bad.to_string()));
    bad_lines.keep(read)
}

fn words(value: &str) -> impl Iterator<Item = &str> {
    value
        .split([',', ';', ' ', '\t'])
        .filter(|word| !word.is_empty())
}

/// A flag as Proxmox VE takes it; nothing behind the option's name sets it.
pub(super) fn flag(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "" | "1" | "on" | "yes" | "true" => Some(true),
        "0" | "off" | "no" | "false" => Some(false),
        _ => None,
    }
}

/// The parts of a property string: `scsi0`'s value `local:100/x.raw,size=32G` is `("", "local:100/x.raw")` and
/// `("size", "32G")`.
pub(super) fn properties(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or(("", part)))
}

/// One property of a property string.
pub(super) fn property<'a>(value: &'a str, key: &str) -> Option<&'a str> {
    let found = properties(value).find(|(known, _)| *known == key);
    found.map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_their_options_are_read() {
        let text = "# c\ndir: local\n\tpath /var/lib/vz\n\tcontent iso,backup\n\tshared\n\nnfs: nas\n\tnodes a:2,b\n";
        let mut bad_lines = BadLines::default();
        let sections = sections(text, &mut bad_lines).unwrap();
        assert_eq!((sections[0].kind, sections[0].id), ("dir", "local"));
        assert_eq!(sections[0].list("content"), ["iso", "backup"]);
        assert_eq!(sections[0].flag("shared", &mut bad_lines), Some(true));
        assert_eq!(sections[0].flag("disable", &mut bad_lines), None);
        let nodes = sections[1].nodes("nodes", &mut bad_lines).unwrap();
        assert_eq!(nodes[0].1, Some(2));
        assert_eq!(nodes[1].1, None);
        assert_eq!(bad_lines.with(()).bad_lines, []);
    }

    #[test]
    fn one_bad_line_ends_its_section_and_no_other() {
        let mut bad_lines = BadLines::default();
        let text = "dir: a\nwhat is this\n\tpath /x\ndir: b\n\tpath /y\n";
        let sections = sections(text, &mut bad_lines).unwrap();
        assert_eq!(sections.len(), 2);
        assert_eq!(sections[0].text("path"), None);
        assert_eq!(sections[1].text("path").as_deref(), Some("/y"));
        assert_eq!(bad_lines.with(()).bad_lines.len(), 2);
    }

    #[test]
    fn an_empty_file_has_no_sections_and_a_foreign_one_is_refused() {
        let mut bad_lines = BadLines::default();
        assert!(sections("\n# x\n", &mut bad_lines).unwrap().is_empty());
        assert!(sections("cat: no such file\n", &mut bad_lines).is_err());
    }
}
