//! `/proc/net/bonding/<bond>`, as kernels 3.x to 6.x print it (drivers/net/bonding/bond_procfs.c).
//!
//! The file is a header, in mode 802.3ad an LACP part, and then one block a port. The LACP addresses, the active
//! aggregator and the ports' PDUs are printed only to a reader with CAP_NET_ADMIN; without it those fields stay
//! unknown, which is not "no partner".

use crate::fact::bond::{
    Aggregator, Bond, BondMode, BondPort, Churn, Duplex, LacpPdu, LacpRate, MiiStatus,
};
use crate::fact::hardware_address::HardwareAddress;
use crate::name::IfaceName;
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable, lines};

/// Reads one bond. Only a text without a single line that belongs into such a file is unreadable as a whole.
pub fn parse(name: IfaceName, text: &str) -> Result<Parsed<Bond>, Unreadable> {
    let mut bad_lines = BadLines::default();
    let mut reader = Reader::read(name.clone(), lines(text), &mut bad_lines);
    if let Some(cut) = reader.cut_line(text) {
        bad_lines = BadLines::default();
        let before = lines(text).take_while(|line| line.number < cut.number);
        reader = Reader::read(name, before, &mut bad_lines);
        bad_lines.push(BadLine::new(cut, "the text is cut off here"));
    }
    if reader.known_lines == 0 {
        return Err(Unreadable::foreign(text));
    }
    let mut bond = reader.bond;
    bond.partner_mac = bond
        .lacp
        .as_ref()
        .and_then(|lacp| lacp.active_aggregator.as_ref())
        .and_then(|aggregator| aggregator.partner_mac.clone());
    Ok(bad_lines.with(bond))
}

/// Where in the file we are: the same key means different things in different parts.
enum Part {
    Header,
    Lacp,
    ActiveAggregator,
    Port,
    ActorPdu,
    PartnerPdu,
    /// Behind a `Slave Interface:` line whose name could not be read: its lines belong to nobody.
    NamelessPort,
}

struct Reader<'a> {
    bond: Bond,
    part: Part,
    known_lines: usize,
    last_known: Option<Line<'a>>,
    /// The key of the first port's last line, once another port follows.
    end_of_first_port: Option<&'a str>,
}

/// What a port's lines end with, from kernel 2.6 to 6.x.
const PORT_ENDS: [&str; 6] = [
    "Link Failure Count",
    "Permanent HW addr",
    "Slave queue ID",
    "Aggregator ID",
    "Partner Churned Count",
    "port state",
];

/// What the head ends with, in any mode.
const HEAD_ENDS: [&str; 6] = [
    "Down Delay",
    "Peer Notification Delay",
    "ARP IP target/s",
    "NS IPv6 target/s",
    "Aggregator selection policy",
    "Partner Mac Address",
];

impl<'a> Reader<'a> {
    fn read(
        name: IfaceName,
        lines: impl Iterator<Item = Line<'a>>,
        bad_lines: &mut BadLines,
    ) -> Self {
        let mut reader = Reader {
            bond: empty(name),
            part: Part::Header,
            known_lines: 0,
            last_known: None,
            end_of_first_port: None,
        };
        for line in lines {
            let known_before = reader.known_lines;
            bad_lines.keep(reader.line(line));
            if reader.known_lines > known_before {
                reader.last_known = Some(line);
            }
        }
        reader
    }

    /// The last line, if the text ends within it: it has no line end, and no head or port ends with such a line. Half a
    /// number or name is a number or name, and must not pass for the whole one.
    fn cut_line(&self, text: &str) -> Option<Line<'a>> {
        let last = self.last_known.filter(|_| !text.ends_with('\n'))?;
        let (key, value) = last.key_value().unwrap_or((last.text.trim(), ""));
        let no_ports = self.bond.slaves.is_empty();
        let is_whole = match self.end_of_first_port {
            // One line alone is a quotation, not the beginning of a file.
            None if no_ports => {
                let is_end = HEAD_ENDS.iter().any(|end| key.starts_with(end));
                is_end || self.known_lines < 2 || key.ends_with("has no active aggregator")
            }
            Some(end) => key == end || value == "N/A",
            None => PORT_ENDS.contains(&key),
        };
        let is_last = text.lines().count() == last.number;
        (is_last && !is_whole).then_some(last)
    }

    fn line(&mut self, line: Line<'a>) -> Result<(), BadLine> {
        if self.section(line)? {
            self.known_lines += 1;
            return Ok(());
        }
        let Some((key, value)) = line.key_value() else {
            return Ok(());
        };
        let known = match self.part {
            Part::Header => self.header(line, key, value),
            Part::Lacp => self.lacp(line, key, value),
            Part::ActiveAggregator => self.aggregator(line, key, value),
            Part::Port => self.port(line, key, value),
            Part::ActorPdu | Part::PartnerPdu => self.pdu(line, key, value),
            Part::NamelessPort => Ok(false),
        };
        self.known_lines += usize::from(known.as_ref().copied().unwrap_or(true));
        known.map(|_| ())
    }

    /// Lines that begin a new part of the file.
    fn section(&mut self, line: Line<'a>) -> Result<bool, BadLine> {
        let text = line.text.trim();
        if let Some(name) = text.strip_prefix("Slave Interface:") {
            return self.begin_port(line, name.trim()).map(|()| true);
        }
        match text {
            "802.3ad info" => {
                self.bond.lacp.get_or_insert_default();
                self.part = Part::Lacp;
            }
            "Active Aggregator Info:" => {
                self.bond.lacp.get_or_insert_default().active_aggregator =
                    Some(Aggregator::default());
                self.part = Part::ActiveAggregator;
            }
            "details actor lacp pdu:" => return self.begin_pdu(line, Part::ActorPdu),
            "details partner lacp pdu:" => return self.begin_pdu(line, Part::PartnerPdu),
            _ if text.starts_with("bond ") && text.ends_with(" has no active aggregator") => {
                self.bond.lacp.get_or_insert_default().no_active_aggregator = true;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn begin_port(&mut self, line: Line<'a>, name: &str) -> Result<(), BadLine> {
        if self.bond.slaves.len() == 1 {
            let end = self.last_known.and_then(Line::key_value);
            self.end_of_first_port = self.end_of_first_port.or(end.map(|(key, _)| key));
        }
        self.part = Part::NamelessPort;
        if self.bond.slaves.len() >= MAX_PORTS {
            return Err(BadLine::new(
                line,
                format!("a bond has at most {MAX_PORTS} ports here"),
            ));
        }
        let name = IfaceName::new(name).map_err(|bad| BadLine::new(line, bad.to_string()))?;
        self.bond.slaves.push(empty_port(name));
        self.part = Part::Port;
        Ok(())
    }

    fn begin_pdu(&mut self, line: Line<'_>, part: Part) -> Result<bool, BadLine> {
        let Some(port) = self.bond.slaves.last_mut() else {
            return Err(BadLine::new(line, ORPHAN));
        };
        match part {
            Part::ActorPdu => port.actor_pdu = Some(LacpPdu::default()),
            _ => port.partner_pdu = Some(LacpPdu::default()),
        }
        self.part = part;
        Ok(true)
    }

    fn header(&mut self, line: Line<'_>, key: &str, value: &str) -> Result<bool, BadLine> {
        let bond = &mut self.bond;
        match key {
            "Ethernet Channel Bonding Driver" => bond.driver_version = Some(word(line, value)?),
            "Bonding Mode" => {
                // `fault-tolerance (active-backup) (fail_over_mac active)`: the second bracket is an option.
                let (mode, fail_over_mac) = match value.split_once(" (fail_over_mac ") {
                    Some((mode, rest)) => (mode, Some(rest.trim_end_matches(')').to_owned())),
                    None => (value, None),
                };
                bond.mode = Some(BondMode::from_word(&word(line, mode)?));
                bond.fail_over_mac = fail_over_mac;
            }
            "Transmit Hash Policy" => bond.transmit_hash_policy = Some(word(line, value)?),
            "Primary Slave" => {
                let (name, reselect) = match value.split_once(" (primary_reselect ") {
                    Some((name, rest)) => (name, Some(rest.trim_end_matches(')').to_owned())),
                    None => (value, None),
                };
                bond.primary_slave = port_name(line, name)?;
                bond.primary_reselect = reselect;
            }
            "Currently Active Slave" => bond.active_slave = port_name(line, value)?,
            "MII Status" => bond.mii_status = Some(MiiStatus::from_word(&word(line, value)?)),
            "MII Polling Interval (ms)" => bond.mii_polling_ms = Some(line.number(value, "it")?),
            "Up Delay (ms)" => bond.up_delay_ms = Some(line.number(value, "the delay")?),
            "Down Delay (ms)" => bond.down_delay_ms = Some(line.number(value, "the delay")?),
            "Peer Notification Delay (ms)" => {
                bond.peer_notification_delay_ms = Some(line.number(value, "the delay")?);
            }
            "ARP Polling Interval (ms)" => bond.arp_polling_ms = Some(line.number(value, "it")?),
            "ARP Missed Max" => bond.arp_missed_max = Some(line.number(value, "it")?),
            _ if key.starts_with("ARP IP target/s") || key.starts_with("NS IPv6 target/s") => {
                // The key itself holds colons on IPv6: `NS IPv6 target/s (xx::xx form): fe80::1, fe80::2`.
                let targets = line
                    .text
                    .split_once("form):")
                    .map_or(value, |(_, targets)| targets);
                let targets = targets
                    .split(',')
                    .map(str::trim)
                    .filter(|target| !target.is_empty());
                bond.monitor_targets
                    .extend(targets.take(MAX_TARGETS).map(str::to_owned));
            }
            _ if is_port_key(key) => {
                // Without a mode the head of the file is missing, and the status before this was a port's as well.
                if bond.mode.is_none() {
                    bond.mii_status = None;
                }
                return Err(BadLine::new(line, ORPHAN));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn lacp(&mut self, line: Line<'_>, key: &str, value: &str) -> Result<bool, BadLine> {
        let lacp = self.bond.lacp.get_or_insert_default();
        match key {
            "LACP active" => lacp.active = Some(word(line, value)?),
            "LACP rate" => lacp.rate = Some(LacpRate::from_word(&word(line, value)?)),
            "Min links" => lacp.min_links = Some(line.number(value, "the number of links")?),
            "Aggregator selection policy (ad_select)" => {
                lacp.selection_policy = Some(word(line, value)?);
            }
            "System priority" => lacp.system_priority = Some(line.number(value, "the priority")?),
            "System MAC address" => lacp.system_mac = Some(address(line, value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn aggregator(&mut self, line: Line<'_>, key: &str, value: &str) -> Result<bool, BadLine> {
        let lacp = self.bond.lacp.get_or_insert_default();
        let aggregator = lacp.active_aggregator.get_or_insert_default();
        match key {
            "Aggregator ID" => aggregator.id = Some(line.number(value, "the aggregator")?),
            "Number of ports" => aggregator.ports = Some(line.number(value, "the port count")?),
            "Actor Key" => aggregator.actor_key = Some(line.number(value, "the key")?),
            "Partner Key" => aggregator.partner_key = Some(line.number(value, "the key")?),
            "Partner Mac Address" => aggregator.partner_mac = Some(address(line, value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn port(&mut self, line: Line<'_>, key: &str, value: &str) -> Result<bool, BadLine> {
        let Some(port) = self.bond.slaves.last_mut() else {
            return Ok(false);
        };
        match key {
            "MII Status" => port.mii_status = Some(MiiStatus::from_word(&word(line, value)?)),
            "Speed" => {
                port.speed_mbps = speed(line, value)?;
                port.speed_unknown = port.speed_mbps.is_none();
            }
            "Duplex" => port.duplex = Some(Duplex::from_word(&word(line, value)?)),
            "Link Failure Count" => port.failures = Some(line.number(value, "the count")?),
            "Permanent HW addr" => port.permanent_mac = Some(address(line, value)?),
            "Slave queue ID" => port.queue_id = Some(line.number(value, "the queue id")?),
            "Aggregator ID" if value == "N/A" => port.aggregator_id = None,
            "Aggregator ID" => port.aggregator_id = Some(line.number(value, "the aggregator")?),
            "Actor Churn State" => port.actor_churn = Some(Churn::from_word(&word(line, value)?)),
            "Partner Churn State" => {
                port.partner_churn = Some(Churn::from_word(&word(line, value)?));
            }
            "Actor Churned Count" => {
                port.actor_churned_count = Some(line.number(value, "the count")?);
            }
            "Partner Churned Count" => {
                port.partner_churned_count = Some(line.number(value, "the count")?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn pdu(&mut self, line: Line<'_>, key: &str, value: &str) -> Result<bool, BadLine> {
        let Some(port) = self.bond.slaves.last_mut() else {
            return Ok(false);
        };
        let of_partner = matches!(self.part, Part::PartnerPdu);
        let pdu = if of_partner {
            &mut port.partner_pdu
        } else {
            &mut port.actor_pdu
        };
        let pdu = pdu.get_or_insert_default();
        match key {
            "system priority" => pdu.system_priority = Some(line.number(value, "the priority")?),
            "system mac address" => {
                pdu.system_mac = Some(address(line, value)?);
                if of_partner {
                    port.partner_mac.clone_from(&pdu.system_mac);
                }
            }
            "port key" | "oper key" => pdu.key = Some(line.number(value, "the key")?),
            "port priority" => pdu.port_priority = Some(line.number(value, "the priority")?),
            "port number" => pdu.port_number = Some(line.number(value, "the port number")?),
            "port state" => pdu.port_state = Some(line.number(value, "the port state")?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// More than any machine has; a text with more is none of the kernel's.
const MAX_PORTS: usize = 256;
/// The kernel takes 16.
const MAX_TARGETS: usize = 64;
const ORPHAN: &str = "it belongs to a port, but no `Slave Interface:` line stands before it";

/// Keys that only a port has: seen before any port, the head of the file is missing.
fn is_port_key(key: &str) -> bool {
    let keys = [
        "Speed",
        "Duplex",
        "Link Failure Count",
        "Permanent HW addr",
        "Slave queue ID",
    ];
    keys.contains(&key) || key == "Aggregator ID"
}

fn word(line: Line<'_>, value: &str) -> Result<String, BadLine> {
    match value.trim() {
        "" => Err(BadLine::new(line, "the value is missing")),
        word => Ok(word.to_owned()),
    }
}

fn port_name(line: Line<'_>, value: &str) -> Result<Option<IfaceName>, BadLine> {
    match value.trim() {
        "None" => Ok(None),
        name => IfaceName::new(name)
            .map(Some)
            .map_err(|bad| BadLine::new(line, bad.to_string())),
    }
}

/// `None`: the driver knows none. It then says -1, and kernels before 3.x printed that in 16 or 32 bits.
fn speed(line: Line<'_>, value: &str) -> Result<Option<u32>, BadLine> {
    if value.eq_ignore_ascii_case("unknown") {
        return Ok(None);
    }
    let Some(mbps) = value.strip_suffix("Mbps").map(str::trim) else {
        return Err(BadLine::new(line, "the speed is not in Mbps"));
    };
    if ["-1", "65535", "4294967295"].contains(&mbps) {
        return Ok(None);
    }
    line.number(mbps, "the speed").map(Some)
}

/// Bonds are made of Ethernet (6 bytes) or InfiniBand (20); any other length is a part of an address.
fn address(line: Line<'_>, value: &str) -> Result<HardwareAddress, BadLine> {
    if value.is_empty() {
        return Err(BadLine::new(line, "the address is missing"));
    }
    let bad = || BadLine::new(line, "it is not a hardware address of 6 or 20 bytes");
    let address: HardwareAddress = value.parse().map_err(|_| bad())?;
    let is_whole = matches!(value.split(':').count(), 6 | 20);
    is_whole.then_some(address).ok_or_else(bad)
}

fn empty(name: IfaceName) -> Bond {
    Bond {
        name,
        driver_version: None,
        mode: None,
        fail_over_mac: None,
        transmit_hash_policy: None,
        primary_slave: None,
        primary_reselect: None,
        active_slave: None,
        mii_status: None,
        mii_polling_ms: None,
        up_delay_ms: None,
        down_delay_ms: None,
        peer_notification_delay_ms: None,
        arp_polling_ms: None,
        arp_missed_max: None,
        monitor_targets: Vec::new(),
        lacp: None,
        partner_mac: None,
        slaves: Vec::new(),
    }
}

fn empty_port(name: IfaceName) -> BondPort {
    BondPort {
        name,
        mii_status: None,
        speed_mbps: None,
        speed_unknown: false,
        duplex: None,
        failures: None,
        permanent_mac: None,
        queue_id: None,
        aggregator_id: None,
        partner_mac: None,
        actor_churn: None,
        partner_churn: None,
        actor_churned_count: None,
        partner_churned_count: None,
        actor_pdu: None,
        partner_pdu: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> IfaceName {
        IfaceName::new("bond0").unwrap()
    }

    fn bond(text: &str) -> Bond {
        let parsed = parse(name(), text).unwrap();
        assert_eq!(parsed.bad_lines, [], "{text}");
        parsed.value
    }

    #[test]
    fn a_bad_line_costs_its_own_value_and_nothing_else() {
        let text = "Bonding Mode: fault-tolerance (active-backup)\nSlave Interface: eno1\n\
                    MII Status: up\nLink Failure Count: many\nSlave Interface: eno2\nMII Status: down\n";
        let parsed = parse(name(), text).unwrap();
        assert_eq!(parsed.bad_lines.len(), 1);
        assert_eq!(parsed.bad_lines[0].line_number, 4);
        assert_eq!(parsed.bad_lines[0].line, "Link Failure Count: many");
        assert_eq!(parsed.value.slaves[0].failures, None);
        assert_eq!(parsed.value.slaves[0].mii_status, Some(MiiStatus::Up));
        assert_eq!(parsed.value.slaves[1].mii_status, Some(MiiStatus::Down));
    }

    #[test]
    fn lines_of_a_port_whose_name_is_unreadable_are_given_to_nobody() {
        let text = "Slave Interface: eno1\nMII Status: up\nSlave Interface: not a name at all\nMII Status: down\n";
        let parsed = parse(name(), text).unwrap();
        assert_eq!(parsed.value.slaves.len(), 1);
        assert_eq!(parsed.value.slaves[0].mii_status, Some(MiiStatus::Up));
        assert_eq!(parsed.bad_lines[0].line_number, 3);
    }

    #[test]
    fn a_mode_of_a_newer_kernel_is_kept_as_it_was_written() {
        let mode = bond("Bonding Mode: reverse proximity hash\n").mode;
        assert_eq!(mode, Some(BondMode::Other("reverse proximity hash".into())));
    }

    #[test]
    fn a_20_byte_address_and_an_unknown_speed_are_facts() {
        let port = "80:00:02:08:fe:80:00:00:00:00:00:00:e4:1d:2d:03:00:1d:67:f1";
        let text = format!(
            "Slave Interface: ib0\nSpeed: Unknown\nDuplex: Unknown\nPermanent HW addr: {port}\n"
        );
        let slave = bond(&text).slaves.remove(0);
        assert_eq!((slave.speed_mbps, slave.speed_unknown), (None, true));
        assert_eq!(slave.duplex, Some(Duplex::Unknown));
        assert_eq!(slave.permanent_mac.unwrap().to_string(), port);
    }

    #[track_caller]
    fn check_speed(value: &str, mbps: Option<u32>, unknown: bool, bad_lines: usize) {
        let text = format!("Slave Interface: ens5\nSpeed: {value}\n");
        let parsed = parse(name(), &text).unwrap();
        let port = &parsed.value.slaves[0];
        assert_eq!((port.speed_mbps, port.speed_unknown), (mbps, unknown));
        assert_eq!(parsed.bad_lines.len(), bad_lines);
    }

    #[test]
    fn minus_one_in_any_width_is_no_speed() {
        check_speed("Unknown", None, true, 0);
        check_speed("-1 Mbps", None, true, 0);
        check_speed("65535 Mbps", None, true, 0);
        check_speed("4294967295 Mbps", None, true, 0);
        check_speed("400000 Mbps", Some(400_000), false, 0);
        check_speed("18446744073709551615 Mbps", None, false, 1);
        check_speed("-7 Mbps", None, false, 1);
        check_speed("100", None, false, 1);
    }

    #[test]
    fn a_part_of_an_address_is_none() {
        let text = "Slave Interface: ens5\nPermanent HW addr: 0a:1b:2c:3d:4e\n";
        let parsed = parse(name(), text).unwrap();
        assert_eq!(parsed.value.slaves[0].permanent_mac, None);
        assert_eq!(parsed.bad_lines[0].line_number, 2);
    }

    /// A bond of two ports, the second cut off behind `tail`.
    fn cut(tail: &str) -> Parsed<Bond> {
        let text = format!(
            "Bonding Mode: load balancing (xor)\n\nSlave Interface: ens5\nMII Status: up\n\
             Link Failure Count: 31\nSlave queue ID: 0\n\nSlave Interface: ens6\n{tail}"
        );
        parse(name(), &text).unwrap()
    }

    #[test]
    fn half_a_line_at_the_end_is_no_value() {
        let parsed = cut("MII Status: up\nLink Failure Count: 3");
        assert_eq!(parsed.value.slaves[1].mii_status, Some(MiiStatus::Up));
        assert_eq!(parsed.value.slaves[1].failures, None);
        assert_eq!(parsed.bad_lines[0].line_number, 10);
        assert_eq!(parsed.bad_lines[0].line, "Link Failure Count: 3");
        assert_eq!(parsed.value.slaves[0].failures, Some(31));

        let text = "Bonding Mode: load balancing (xor)\nUp Delay (ms): 20";
        let parsed = parse(name(), text).unwrap();
        assert_eq!(parsed.value.up_delay_ms, None);
        assert_eq!(parsed.bad_lines[0].line, "Up Delay (ms): 20");

        let text = "Bonding Mode: load balancing (xor)\nSlave Interface: ens5\nSlave queue ID: 0\n\nSlave Interface: en";
        let parsed = parse(name(), text).unwrap();
        assert_eq!(parsed.value.slaves.len(), 1);
        assert_eq!(parsed.bad_lines[0].line, "Slave Interface: en");
    }

    #[test]
    fn a_whole_file_whose_last_line_end_is_missing_is_whole() {
        let parsed = cut("MII Status: up\nLink Failure Count: 3\nSlave queue ID: 9");
        assert_eq!(parsed.value.slaves[1].queue_id, Some(9));
        assert_eq!(parsed.bad_lines, []);
    }

    #[test]
    fn options_in_brackets_are_taken_off_the_words() {
        let text = "Bonding Mode: fault-tolerance (active-backup) (fail_over_mac active)\n\
                    Primary Slave: eth2 (primary_reselect always)\nCurrently Active Slave: None\n\
                    NS IPv6 target/s (xx::xx form): fe80::1, fe80::2\n";
        let bond = bond(text);
        assert_eq!(bond.mode, Some(BondMode::ActiveBackup));
        assert_eq!(bond.fail_over_mac.as_deref(), Some("active"));
        assert_eq!(bond.primary_slave.unwrap().as_str(), "eth2");
        assert_eq!(bond.primary_reselect.as_deref(), Some("always"));
        assert_eq!(bond.active_slave, None);
        assert_eq!(bond.monitor_targets, ["fe80::1", "fe80::2"]);
    }

    #[test]
    fn the_tail_of_a_file_says_that_its_head_is_missing() {
        let parsed = parse(name(), "Link Failure Count: 0\nAggregator ID:\n").unwrap();
        assert!(parsed.value.slaves.is_empty());
        assert_eq!(parsed.bad_lines.len(), 2);
    }

    #[test]
    fn a_port_without_its_head_does_not_pass_for_the_bond() {
        let parsed = parse(name(), "MII Status: up\nSpeed: 1000 Mbps\n").unwrap();
        assert_eq!(parsed.value.mii_status, None);
        assert_eq!(parsed.bad_lines.len(), 1);
    }

    #[test]
    fn ports_without_end_are_cut_and_said() {
        let parsed = parse(name(), &"Slave Interface: a\n".repeat(10_000)).unwrap();
        assert_eq!(parsed.value.slaves.len(), MAX_PORTS);
        assert!(parsed.bad_lines[0].why.contains("at most 256 ports"));
    }

    #[test]
    fn an_empty_file_is_no_bond() {
        assert_eq!(parse(name(), "\r\n"), Err(Unreadable::Empty));
    }
}
