//! `/etc/network/interfaces`, read the way ifupdown2 reads it (its ifupdown/networkinterfaces.py), with what only
//! ifupdown knows (interfaces(5): `mapping`, `source-directory`, `inherits`) and what Proxmox VE writes
//! (pve-common, its reader and writer of this file).
//!
//! Traps: a blank line does not end a stanza; a backslash at the end continues a line, a comment's too, which then
//! swallows the line below it; `_` and `-` are the same in the key of an option; of two values for one option the
//! first holds, and ports are added up.

mod options;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::fact::interfaces::{
    ConfOption, ConfVlan, Configuration, Family, Interface, Mapping, Method, Source, Stanza,
};
use crate::name::VlanId;
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable, lines};

/// Reads one file by itself.
pub fn parse(file: &str, text: &str) -> Result<Parsed<Configuration>, Unreadable> {
    let mut configuration = Configuration::default();
    let parsed = parse_onto(&mut configuration, file, text)?;
    Ok(parsed.map(|()| configuration))
}

/// Reads a further file of the same configuration: what it says about an interface is added to what is known.
/// A text without a line that belongs into such a file changes nothing.
pub fn parse_onto(
    configuration: &mut Configuration,
    file: &str,
    text: &str,
) -> Result<Parsed<()>, Unreadable> {
    if !belongs_here(text) {
        return Err(Unreadable::foreign(text));
    }
    configuration.files.push(file.to_owned());
    let by_name = configuration
        .interfaces
        .iter()
        .enumerate()
        .map(|(at, interface)| (interface.name.clone(), at));
    let mut reader = Reader {
        by_name: by_name.collect(),
        configuration,
        file,
        place: Place::Outside,
        behind_blank: false,
        addressing: options::Addressing::default(),
    };
    let mut bad_lines = BadLines::default();
    for (number, text) in logical_lines(text) {
        let line = Line {
            number,
            text: &text,
        };
        reader.line(line, &mut bad_lines);
    }
    Ok(bad_lines.with(()))
}

/// A file of comments alone is one too: Proxmox VE writes `interfaces.d/sdn` even when it is empty.
fn belongs_here(text: &str) -> bool {
    let mut only_comments = true;
    for line in lines(text) {
        let text = line.text.trim_start();
        let word = text.split_whitespace().next().unwrap_or_default();
        if keyword(word).is_some() {
            return true;
        }
        only_comments &= text.is_empty() || text.starts_with('#');
    }
    only_comments && !text.trim().is_empty()
}

/// Lines with their continuations joined by a blank, under the number of the first.
fn logical_lines(text: &str) -> impl Iterator<Item = (usize, Cow<'_, str>)> {
    let mut physical = lines(text);
    std::iter::from_fn(move || {
        let first = physical.next()?;
        let Some(head) = first.text.strip_suffix('\\') else {
            return Some((first.number, Cow::Borrowed(first.text)));
        };
        let mut joined = head.trim_end().to_owned();
        for line in physical.by_ref() {
            let continued = line.text.strip_suffix('\\');
            joined.push(' ');
            joined.push_str(continued.unwrap_or(line.text).trim());
            if continued.is_none() {
                break;
            }
        }
        Some((first.number, Cow::Owned(joined)))
    })
}

enum Keyword<'a> {
    Auto,
    Allow(&'a str),
    Iface,
    Mapping,
    Source {
        directory: bool,
    },
    /// A line of ifupdown that stands for itself, or the head of ifupdown2's `vlan BRIDGE.VID` stanza, which sets
    /// a VLAN of a bridge and makes no interface: kept as text with what follows.
    Single,
}

fn keyword(word: &str) -> Option<Keyword<'_>> {
    Some(match word {
        "auto" | "allow-auto" => Keyword::Auto,
        "iface" => Keyword::Iface,
        "mapping" => Keyword::Mapping,
        "source" => Keyword::Source { directory: false },
        "source-directory" => Keyword::Source { directory: true },
        "no-auto-down" | "no-scripts" | "rename" | "vlan" => Keyword::Single,
        _ => Keyword::Allow(word.strip_prefix("allow-")?),
    })
}

/// Whom an option line belongs to.
#[derive(Clone, Copy)]
enum Place {
    Outside,
    /// The last stanza of this interface.
    Stanza(usize),
    /// The last mapping.
    Mapping,
    /// Behind an `iface` line that could not be read.
    Nobody,
}

struct Reader<'a> {
    configuration: &'a mut Configuration,
    by_name: BTreeMap<String, usize>,
    file: &'a str,
    place: Place,
    /// A blank line stands between the head of the stanza and here.
    behind_blank: bool,
    addressing: options::Addressing,
}

impl Reader<'_> {
    fn line(&mut self, line: Line<'_>, bad_lines: &mut BadLines) {
        let text = line.text.trim();
        if text.is_empty() {
            self.behind_blank = true;
        } else if let Some(comment) = text.strip_prefix('#') {
            self.comment(comment.trim());
        } else if text.starts_with('%') {
            // What the lines between such lines become is unknown here.
            bad_lines.push(BadLine::new(
                line,
                "it is for a template engine, which only ifupdown2 runs",
            ));
        } else {
            let (word, rest) = split_word(text);
            match keyword(word) {
                Some(keyword) => {
                    bad_lines.keep(self.head(line, &keyword, rest));
                }
                None => self.option(line, word, rest, bad_lines),
            }
        }
    }

    fn comment(&mut self, comment: &str) {
        let comments = match self.place {
            Place::Stanza(at) if !self.behind_blank => match self.stanza(at) {
                Some(stanza) => &mut stanza.comments,
                None => return,
            },
            _ => &mut self.configuration.comments,
        };
        comments.push(comment.to_owned());
    }

    /// A line that ends the stanza above it.
    fn head(&mut self, line: Line<'_>, keyword: &Keyword<'_>, rest: &str) -> Result<(), BadLine> {
        self.place = Place::Outside;
        self.behind_blank = false;
        self.addressing = options::Addressing::default();
        let missing = |what: &str| Err(BadLine::new(line, format!("the {what} is missing")));
        match *keyword {
            Keyword::Auto | Keyword::Allow(_) if rest.is_empty() => return missing("interface"),
            Keyword::Allow("") => return missing("class"),
            Keyword::Auto => {
                for name in rest.split_whitespace() {
                    self.interface(name).1.auto = true;
                }
            }
            Keyword::Allow(class) => {
                for name in rest.split_whitespace() {
                    self.interface(name).1.allow.insert(class.to_owned());
                }
            }
            Keyword::Iface => return self.iface(line, rest),
            Keyword::Mapping => {
                self.place = Place::Mapping;
                self.configuration.mappings.push(Mapping {
                    patterns: rest.split_whitespace().map(str::to_owned).collect(),
                    options: Vec::new(),
                });
            }
            Keyword::Source { .. } if rest.is_empty() => return missing("file"),
            Keyword::Source { directory } => {
                for pattern in rest.split_whitespace() {
                    self.configuration.sources.push(Source {
                        file: self.file.to_owned(),
                        line_number: line.number,
                        directory,
                        pattern: pattern.to_owned(),
                    });
                }
            }
            Keyword::Single => self.configuration.outside.push(line.text.trim().to_owned()),
        }
        Ok(())
    }

    /// `iface NAME [FAMILY METHOD] [inherits OTHER]`
    fn iface(&mut self, line: Line<'_>, rest: &str) -> Result<(), BadLine> {
        self.place = Place::Nobody;
        let mut words = rest.split_whitespace();
        let name = match words.next() {
            None => return Err(BadLine::new(line, "the interface has no name")),
            // ifupdown alone knows patterns with '/'; the kernel takes no such name.
            Some(name) if name.contains('/') => {
                return Err(BadLine::new(line, "an interface name holds no '/'"));
            }
            Some(name) => name,
        };
        let mut stanza = Stanza {
            file: self.file.to_owned(),
            family: None,
            method: None,
            inherits: None,
            options: Vec::new(),
            comments: Vec::new(),
        };
        let mut too_much = false;
        while let Some(word) = words.next() {
            if word == "inherits" {
                stanza.inherits = words.next().map(str::to_owned);
                too_much |= stanza.inherits.is_none();
            } else if stanza.family.is_none() {
                stanza.family = Some(Family::from_word(word));
            } else if stanza.method.is_none() {
                stanza.method = Some(Method::from_word(word));
            } else {
                too_much = true;
            }
        }
        let (at, interface) = self.interface(name);
        interface.stanzas.push(stanza);
        self.place = Place::Stanza(at);
        if too_much {
            return Err(BadLine::new(
                line,
                "it is not `iface NAME FAMILY METHOD`, with or without `inherits OTHER`",
            ));
        }
        self.vlan_by_name(line, at)
    }

    /// `bond0.30` is VLAN 30 on `bond0`; `bond0.30:1` is only a second name of it.
    fn vlan_by_name(&mut self, line: Line<'_>, at: usize) -> Result<(), BadLine> {
        let Some(interface) = self.configuration.interfaces.get_mut(at) else {
            return Ok(());
        };
        if interface.vlan.is_some() || interface.ovs.is_some() {
            return Ok(());
        }
        let Some((device, id)) = interface.name.rsplit_once('.') else {
            return Ok(());
        };
        if device.is_empty() || id.is_empty() || !id.bytes().all(|digit| digit.is_ascii_digit()) {
            return Ok(());
        }
        let id = id.parse().ok().and_then(|id| VlanId::new(id).ok());
        let no_id = id.is_none();
        interface.vlan = Some(ConfVlan {
            id,
            raw_device: Some(device.to_owned()),
            protocol: None,
        });
        if no_id {
            return Err(BadLine::new(
                line,
                "the number behind the dot is no VLAN id: 1 to 4094",
            ));
        }
        Ok(())
    }

    /// A line that is no head: an option of the stanza above, or a line by itself.
    fn option(&mut self, line: Line<'_>, key: &str, value: &str, bad_lines: &mut BadLines) {
        if matches!(self.place, Place::Outside) {
            self.configuration.outside.push(line.text.trim().to_owned());
            return;
        }
        if self.behind_blank && line.indent() == 0 {
            self.configuration.outside.push(line.text.trim().to_owned());
        }
        if value.is_empty() {
            bad_lines.push(BadLine::new(line, "the option has no value"));
            return;
        }
        let option = ConfOption {
            key: key.replace('_', "-"),
            value: value.to_owned(),
        };
        match self.place {
            Place::Outside | Place::Nobody => {}
            Place::Mapping => {
                if let Some(mapping) = self.configuration.mappings.last_mut() {
                    mapping.options.push(option);
                }
            }
            Place::Stanza(at) => {
                if let Some(interface) = self.configuration.interfaces.get_mut(at) {
                    let addressing = &mut self.addressing;
                    options::read(interface, addressing, line, &option, bad_lines);
                }
                if let Some(stanza) = self.stanza(at) {
                    stanza.options.push(option);
                }
            }
        }
    }

    fn stanza(&mut self, at: usize) -> Option<&mut Stanza> {
        self.configuration
            .interfaces
            .get_mut(at)?
            .stanzas
            .last_mut()
    }

    /// The interface of this name and where it stands, new if it was not mentioned before.
    fn interface(&mut self, name: &str) -> (usize, &mut Interface) {
        let interfaces = &mut self.configuration.interfaces;
        let at = match self.by_name.get(name) {
            Some(at) if *at < interfaces.len() => *at,
            _ => {
                interfaces.push(Interface {
                    name: name.to_owned(),
                    ..Interface::default()
                });
                let at = interfaces.len() - 1;
                self.by_name.insert(name.to_owned(), at);
                at
            }
        };
        #[expect(
            clippy::indexing_slicing,
            reason = "either found below the length or just pushed"
        )]
        (at, &mut interfaces[at])
    }
}

/// The first word and what follows it.
fn split_word(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim()),
        None => (text, ""),
    }
}
