//! `ip -br addr` and `ip -br link`: one line an interface, `bond0.30@bond0  UP  10.0.0.5/24 …` or `… MAC <FLAGS>`.

use std::collections::BTreeSet;

use super::{MAX_LINKS, MAX_PER_LINK, address, set_below, split_name};
use crate::fact::link::{Link, OperState};
use crate::name::IfaceName;
use crate::text::{BadLine, BadLines, Line, Parsed, lines};

/// `None`: not a line is of this form.
pub(super) fn parse(text: &str) -> Option<Parsed<Vec<Link>>> {
    let mut bad_lines = BadLines::default();
    let mut links: Vec<Link> = Vec::new();
    let mut known = BTreeSet::new();
    for line in lines(text) {
        let mut words = line.text.split_whitespace();
        let (Some(name), Some(state)) = (words.next(), words.next()) else {
            continue;
        };
        let word = state;
        let state = OperState::from_word(word);
        if matches!(state, OperState::Other(_)) || state.as_str() != word {
            continue;
        }
        let Some(mut link) = bad_lines.keep(read(line, name, words)) else {
            continue;
        };
        link.operstate = Some(state);
        if links.len() < MAX_LINKS && known.insert(link.name.clone()) {
            links.push(link);
        }
    }
    (!links.is_empty()).then(|| bad_lines.with(links))
}

fn read<'a>(
    line: Line<'_>,
    name: &str,
    words: impl Iterator<Item = &'a str>,
) -> Result<Link, BadLine> {
    let (name, below) = split_name(name);
    let name = IfaceName::new(name).map_err(|bad| BadLine::new(line, bad.to_string()))?;
    let mut link = Link::named(name);
    if let Some(below) = below {
        set_below(&mut link, below);
    }
    let mut addresses = Vec::new();
    for word in words.take(MAX_PER_LINK) {
        if let Some(flags) = word.strip_prefix('<').and_then(|it| it.strip_suffix('>')) {
            link.set_flags(flags.split(','));
        } else if let Ok((ip, Some(prefix_len))) = address::with_prefix(word) {
            let mut address = address::empty(address::family_of(ip), ip);
            address.prefix_len = Some(prefix_len);
            addresses.push(address);
        } else if let Ok(mac) = word.parse() {
            link.mac = Some(mac);
        }
    }
    // `ip -br link` prints flags and no addresses, `ip -br addr` the reverse.
    link.addresses = link.flags.is_none().then_some(addresses);
    Ok(link)
}
