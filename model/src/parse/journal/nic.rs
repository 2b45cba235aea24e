//! The drivers' lines about network cards. Their prefix is the kernel's own (`netdev_info`: `driver bus-id name: `);
//! before 3.x, and in some drivers still, it is `driver: name `. What follows is each driver's own: tg3, igb, igc,
//! ixgbe, i40e, ice, e1000, e1000e, bnx2, bnx2x, bnxt_en, r8169 and all of phylib, mlx4_en, mlx5_core, be2net, qede,
//! cxgb4, atlantic.

use crate::fact::bond::Duplex;
use crate::fact::journal::Event;
use crate::name::IfaceName;
use crate::parse::journal::scan::{Told, duplex, find, fit, iface, leading_number, speed_mbps};

/// Words of which one stands in every line that is read here, so that other kernel lines cost one look.
const WORDS: [&str; 8] = [
    "ink",
    "ang",
    "eset",
    "imed out",
    "renamed",
    "NETDEV WATCHDOG",
    "imeout",
    "downshifted",
];

/// Drivers that name themselves instead of the kernel. Without the list `ata1: SATA link up` would be a card.
const DRIVERS_BY_NAME: [&str; 14] = [
    "e1000", "e1000e", "igb", "igc", "ixgbe", "i40e", "tg3", "bnx2", "bnx2x", "bnxt_en", "be2net",
    "mlx4_en", "r8169", "sky2",
];

pub(super) fn tell(message: &str) -> Told {
    if !WORDS.iter().any(|word| message.contains(word)) {
        return Ok(None);
    }
    if let Some(event) = old_transmit_timeout(message)? {
        return Ok(Some(event));
    }
    let Some(card) = Card::of(message) else {
        return Ok(None);
    };
    if let Some(event) = link(&card)? {
        return Ok(Some(event));
    }
    trouble(&card)
}

/// Who speaks, and what it says.
struct Card<'a> {
    driver: Option<&'a str>,
    iface: &'a str,
    what: &'a str,
}

impl<'a> Card<'a> {
    fn of(message: &'a str) -> Option<Self> {
        Self::with_bus_id(message)
            .or_else(|| Self::behind_driver(message))
            .or_else(|| Self::in_brackets(message))
    }

    /// `igb 0000:01:00.0 eno1: igb: eno1 NIC Link is Up …`, `tg3 0000:02:00.0 eno3: Link is down`.
    fn with_bus_id(message: &'a str) -> Option<Self> {
        let (head, what) = message.split_once(": ")?;
        let mut words = head.split(' ');
        let (driver, bus_id) = (words.next()?, words.next()?);
        // Before 3.10 the name stood behind the colon: `tg3 0000:02:00.0: eth0: Link is down`.
        let (iface, what) = match words.next() {
            Some(iface) => (iface, what),
            None => what.split_once(": ")?,
        };
        if words.next().is_some_and(|more| !more.starts_with('('))
            || !bus_id.contains([':', '.', '-'])
        {
            return None;
        }
        // Some drivers repeat themselves behind the kernel's prefix.
        let what = what
            .strip_prefix(driver)
            .and_then(|rest| rest.strip_prefix(": "))
            .unwrap_or(what);
        let what = what
            .strip_prefix(iface)
            .and_then(|rest| rest.strip_prefix(' ').or(rest.strip_prefix(": ")))
            .unwrap_or(what);
        Some(Self {
            driver: Some(driver),
            iface,
            what,
        })
    }

    /// `e1000e: eno1 NIC Link is Up …`, `mlx4_en: ens1: Link Up`, `tg3: eth0: Link is down`.
    fn behind_driver(message: &'a str) -> Option<Self> {
        let (driver, rest) = message.split_once(": ")?;
        let (iface, what) = rest.split_once(' ')?;
        let iface = iface.trim_end_matches(':');
        DRIVERS_BY_NAME.contains(&driver).then_some(Self {
            driver: Some(driver),
            iface,
            what,
        })
    }

    /// qede: `[qede_link_update:2451(eno1)]Link is up`.
    fn in_brackets(message: &'a str) -> Option<Self> {
        let [function, _, iface, what] = fit(message, "[{}:{}({})]{}")?;
        let driver = function.split('_').next();
        Some(Self {
            driver,
            iface,
            what,
        })
    }

    fn names(&self) -> Result<(IfaceName, Option<String>), String> {
        Ok((iface(self.iface)?, self.driver.map(str::to_owned)))
    }
}

fn link(card: &Card<'_>) -> Told {
    let what = card.what.strip_prefix("NIC ").unwrap_or(card.what);
    // bnx2 names the medium: `NIC Copper Link is Up`.
    let what = what
        .strip_prefix("Copper ")
        .or(what.strip_prefix("SerDes "))
        .or(what.strip_prefix("Remote Copper "))
        .unwrap_or(what);
    if let Some([old_and_new]) = fit(what, "link change old {}") {
        return atlantic(card, old_and_new);
    }
    let Some(rest) = strip_word(what, "link") else {
        return Ok(None);
    };
    let rest = strip_word(rest, "is").unwrap_or(rest);
    if let Some(rest) = strip_word(rest, "down") {
        // A line like "Link down for VF 3" is about somebody else.
        if !rest.is_empty() && !rest.starts_with(['.', ',']) {
            return Ok(None);
        }
        let (iface, driver) = card.names()?;
        return Ok(Some(Event::NicLinkDown { iface, driver }));
    }
    match strip_word(rest, "up") {
        Some(rest) => up(card, rest),
        None => Ok(None),
    }
}

/// What stands behind `Link is Up`: ` 1000 Mbps Full Duplex, Flow Control: …`, ` at 100 Mbps, full duplex`,
/// `, 10 Gbps Full Duplex, …`, ` - 1Gbps/Full - flow control …`, ` 10 Gbps, Flow Control: …`, or nothing.
fn up(card: &Card<'_>, rest: &str) -> Told {
    let rest = rest.trim_start_matches([',', '-', ' ', '.']);
    let rest = rest.strip_prefix("at ").unwrap_or(rest);
    if !(rest.is_empty()
        || rest.starts_with(|first: char| first.is_ascii_digit())
        || rest.to_ascii_lowercase().starts_with("unknown")
        || rest.starts_with("speed unknown"))
    {
        return Ok(None);
    }
    let (iface, driver) = card.names()?;
    let speed_mbps = if rest.is_empty() {
        None
    } else {
        speed_mbps(until_comma_or_duplex(rest))?
    };
    let duplex = duplex_in(rest);
    Ok(Some(Event::NicLinkUp {
        iface,
        driver,
        speed_mbps,
        duplex,
    }))
}

fn until_comma_or_duplex(rest: &str) -> &str {
    rest.split([',', '/']).next().unwrap_or(rest)
}

/// The word before `duplex`, or behind phylib's slash: `1Gbps/Full`.
fn duplex_in(rest: &str) -> Option<Duplex> {
    let lower = rest.to_ascii_lowercase();
    if let Some(at) = lower.find("duplex") {
        let before = lower.get(..at)?.trim_end_matches([' ', '-']);
        let word = before.rsplit([' ', ',', ')']).next()?;
        return duplex(word);
    }
    let (speed, word) = lower.split_once('/')?;
    if speed.contains(',') {
        None
    } else {
        duplex(word)
    }
}

/// `0 new 10000`: a speed of 0 is no link.
fn atlantic(card: &Card<'_>, old_and_new: &str) -> Told {
    let Some([_, new]) = fit(old_and_new, "{} new {}") else {
        return Ok(None);
    };
    let (iface, driver) = card.names()?;
    let event = match leading_number(new, "the speed")? {
        0 => Event::NicLinkDown { iface, driver },
        mbps => Event::NicLinkUp {
            iface,
            driver,
            speed_mbps: Some(mbps),
            duplex: None,
        },
    };
    Ok(Some(event))
}

fn trouble(card: &Card<'_>) -> Told {
    let what = card.what;
    let build: fn(IfaceName, Option<String>) -> Event = if what
        .starts_with("Detected Hardware Unit Hang")
        || what.starts_with("Detected Tx Unit Hang")
        || what.starts_with("tx hang ")
    {
        |iface, driver| Event::NicHang { iface, driver }
    } else if what.starts_with("Link Speed was downgraded")
        || what.starts_with("Smartspeed has downgraded")
        || what.contains("link speed was downshifted")
    {
        |iface, driver| Event::NicSpeedDowngraded { iface, driver }
    } else if what.starts_with("transmit timed out") || what.starts_with("TX timeout detected") {
        |iface, driver| Event::NicTransmitTimeout {
            iface,
            driver,
            queue: None,
            after_ms: None,
        }
    } else if what.starts_with("Reset adapter")
        || what.contains("initiating reset due to tx timeout")
    {
        |iface, driver| Event::NicReset { iface, driver }
    } else if let Some([rest]) = fit(what, "NETDEV WATCHDOG: {}") {
        return transmit_timeout(card.names()?, rest);
    } else if let Some([from]) = fit(what, "renamed from {}") {
        let (iface_now, driver) = card.names()?;
        let from = iface(from.split(' ').next().unwrap_or(from))?;
        return Ok(Some(Event::NicRenamed {
            iface: iface_now,
            from,
            driver,
        }));
    } else {
        return Ok(None);
    };
    let (iface, driver) = card.names()?;
    Ok(Some(build(iface, driver)))
}

/// Before kernel 6.5: `NETDEV WATCHDOG: eno1 (e1000e): transmit queue 0 timed out`.
fn old_transmit_timeout(message: &str) -> Told {
    let Some([name, driver, rest]) = find(message, "NETDEV WATCHDOG: {} ({}): {}") else {
        return Ok(None);
    };
    if name.contains(' ') {
        return Ok(None);
    }
    transmit_timeout((iface(name)?, Some(driver.to_owned())), rest)
}

/// `CPU: 3: transmit queue 0 timed out 5376 ms`.
fn transmit_timeout((iface, driver): (IfaceName, Option<String>), rest: &str) -> Told {
    let Some([queue, after]) = find(rest, "transmit queue {} timed out{}") else {
        return Err("it names no transmit queue".to_owned());
    };
    let after_ms = match after.trim_end().strip_suffix("ms") {
        Some(ms) => Some(leading_number(ms, "the time")?),
        None => None,
    };
    let queue = Some(leading_number(queue, "the queue")?);
    Ok(Some(Event::NicTransmitTimeout {
        iface,
        driver,
        queue,
        after_ms,
    }))
}

/// Takes a word off the front, whatever the case of its letters, with the blanks behind it.
fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(word.len())?;
    let ends = !rest.starts_with(|next: char| next.is_alphanumeric());
    (ends && head.eq_ignore_ascii_case(word)).then(|| rest.trim_start())
}
