//! The language of stories: a line is one thing that is so, or that happens. Every line is one row of [`LINES`].

use std::fmt;

/// One line, understood: the row that it fits, and the words that stand where the row has capitals.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) place: Place,
    pub(crate) text: String,
    pub(crate) row: &'static str,
    pub(crate) words: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) number: usize,
}

#[derive(Debug)]
pub(crate) struct BadLine {
    place: Place,
    why: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.place.file, self.place.number, self.why)
    }
}

impl Line {
    pub(crate) fn bad(&self, why: impl Into<String>) -> BadLine {
        let (place, why) = (self.place.clone(), why.into());
        BadLine { place, why }
    }

    pub(crate) fn word(&self, place: usize) -> &str {
        &self.words[place]
    }

    pub(crate) fn number<N: std::str::FromStr>(&self, place: usize) -> Result<N, BadLine> {
        let word = self.word(place);
        word.parse()
            .map_err(|_| self.bad(format!("{word:?} is no number")))
    }

    pub(crate) fn ms(&self, place: usize) -> Result<u64, BadLine> {
        milliseconds(self.word(place)).ok_or_else(|| self.bad(no_duration(self.word(place))))
    }

    /// `pve-03`, `pve-03,pve-04`, `pve-05..pve-08`, `all`.
    pub(crate) fn nodes(&self, place: usize, of: u32) -> Result<Vec<u32>, BadLine> {
        let word = self.word(place);
        if word == "all" {
            return Ok((1..=of).collect());
        }
        let mut ids = Vec::new();
        for part in word.split(',') {
            let (first, last) = part.split_once("..").unwrap_or((part, part));
            ids.extend(self.node(first, of)?..=self.node(last, of)?);
        }
        Ok(ids)
    }

    pub(crate) fn one_node(&self, place: usize, of: u32) -> Result<u32, BadLine> {
        self.node(self.word(place), of)
    }

    /// `pve-03/eno1`, and `NODES/eno1`.
    pub(crate) fn ports(&self, place: usize, of: u32) -> Result<Vec<(u32, String)>, BadLine> {
        let word = self.word(place);
        let Some((_, iface)) = word.split_once('/') else {
            return Err(self.bad(format!("{word:?} is no port: NODE/INTERFACE")));
        };
        let nodes = Self {
            words: vec![word.split('/').next().unwrap_or_default().to_owned()],
            ..self.clone()
        };
        Ok(nodes
            .nodes(0, of)?
            .into_iter()
            .map(|id| (id, iface.to_owned()))
            .collect())
    }

    fn node(&self, name: &str, of: u32) -> Result<u32, BadLine> {
        let id = name.strip_prefix("pve-").and_then(|id| id.parse().ok());
        id.filter(|id| (1..=of).contains(id))
            .ok_or_else(|| self.bad(format!("there is no node {name:?}: pve-01 to pve-{of:02}")))
    }
}

fn no_duration(word: &str) -> String {
    format!("{word:?} is no duration: 90s, 5m, 2h")
}

fn milliseconds(word: &str) -> Option<u64> {
    let unit = match word.chars().last()? {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        _ => return None,
    };
    Some(word[..word.len() - 1].parse::<u64>().ok()? * unit)
}

/// What there is to say. Words in capitals stand for what they name.
pub(crate) const LINES: &[&str] = &[
    // How the site is built; before anything happens.
    "nodes COUNT",
    "switches NAMES",
    "mlag NAMES",
    "lldp off",
    "port NODES/IFACE at SWITCH",
    "bond NAME MODE of PORTS",
    "bridge NAME on IFACE",
    "bridge NAME on IFACE vlan-aware",
    "vlan NAME on IFACE",
    "corosync link NUMBER on IFACE",
    "corosync link NUMBER on IFACE over IPv6",
    "agents over IFACE",
    "collector outside",
    "collector at SWITCH",
    "collector on NODE",
    "qdevice outside",
    "qdevice at SWITCH",
    "qdevice on NODE",
    "armed NODES",
    "totem token MILLISECONDS consensus MILLISECONDS",
    "speed of IFACE MBPS",
    // What happens.
    "advance DURATION",
    "switch SWITCH loses power",
    "switch SWITCH gets power",
    "switch SWITCH goes mute",
    "switch SWITCH speaks again",
    "switch SWITCH reboots for DURATION",
    "cable NODES/IFACE cut",
    "cable NODES/IFACE mended",
    "cable NODES/IFACE flaps COUNT times every DURATION",
    "cables NODES/IFACE and NODES/IFACE swapped",
    "card NODES/IFACE hangs",
    "card NODES/IFACE resets",
    "speed NODES/IFACE MBPS",
    "port NODES/IFACE leaves its LACP group",
    "port NODES/IFACE joins its LACP group",
    "vlan ID removed from SWITCH",
    "vlan ID removed from NODES/IFACE",
    "vlan ID restored on NODES/IFACE",
    "vlans FIRST to LAST missing on NODES/IFACE",
    "mtu NODES/IFACE BYTES",
    "frames over BYTES dropped by SWITCH",
    "path NODES to NODES on link NUMBER cut",
    "path NODES to NODES on link NUMBER mended",
    "route on NODES to the network of link NUMBER through IFACE",
    "retransmits NODES COUNT",
    "partner NODES/IFACE is MAC",
    "bond NODES/NAME lacks PORT",
    "names NODES/IFACE becomes IFACE at boot",
    "agent NODES stops",
    "agent NODES starts",
    "node NODES loses power",
    "node NODES gets power",
    "node NODES reboots",
    "lease NODES",
    "node NODES shuts down",
    "corosync NODES stops",
    "corosync NODES starts",
    "corosync NODES restarts",
    "config version NUMBER arrives on NODES",
    "config version NUMBER runs on NODES",
    "qdevice goes away",
    "qdevice comes back",
    "collector restarts",
    "collector loses its network",
    "collector gets its network back",
    "what-if node NODE",
    "what-if switch SWITCH",
    "what-if mute switch SWITCH",
    "what-if network NUMBER",
];

pub(crate) fn read(file: &str, text: &str) -> Result<Vec<Line>, BadLine> {
    let mut lines = Vec::new();
    for (place, text) in text.lines().enumerate() {
        let text = text.split('#').next().unwrap_or_default().trim();
        if !text.is_empty() {
            let place = Place {
                file: file.to_owned(),
                number: place + 1,
            };
            lines.push(line(place, text)?);
        }
    }
    Ok(lines)
}

fn line(place: Place, text: &str) -> Result<Line, BadLine> {
    let fits = LINES.iter().find_map(|row| Some((*row, fit(row, text)?)));
    if let Some((row, words)) = fits {
        let line = Line {
            place,
            text: text.to_owned(),
            row,
            words,
        };
        let slots = row.split_whitespace().filter(|word| is_slot(word));
        for (place, _) in slots.enumerate().filter(|(_, slot)| *slot == "DURATION") {
            line.ms(place)?;
        }
        return Ok(line);
    }
    let first = text.split_whitespace().next().unwrap_or_default();
    let begins = |row: &&&str| row.split_whitespace().next() == Some(first);
    let rows: Vec<&str> = LINES.iter().filter(begins).copied().collect();
    let why = if rows.is_empty() {
        format!("{first:?} begins no line of a story")
    } else {
        format!(
            "{text:?} is no line of a story; with `{first}` there are: {}",
            rows.join(", ")
        )
    };
    Err(BadLine { place, why })
}

fn is_slot(word: &str) -> bool {
    let is_name =
        |part: &str| part.len() > 1 && part.chars().all(|letter| letter.is_ascii_uppercase());
    word.split('/').all(is_name) && !matches!(word, "LACP")
}

/// The words that stand in the row's slots, if all else is the same.
fn fit(row: &str, text: &str) -> Option<Vec<String>> {
    let (row, text): (Vec<&str>, Vec<&str>) = (
        row.split_whitespace().collect(),
        text.split_whitespace().collect(),
    );
    let is_alike = |(row, text): (&&str, &&str)| {
        row == text || (is_slot(row) && row.contains('/') == text.contains('/'))
    };
    let fits = row.len() == text.len() && row.iter().zip(&text).all(is_alike);
    let slots = row.iter().zip(&text).filter(|(row, _)| is_slot(row));
    fits.then(|| slots.map(|(_, text)| (*text).to_owned()).collect())
}
