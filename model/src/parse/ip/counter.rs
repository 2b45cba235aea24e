//! Counters: a line of column names and a line of numbers, or a JSON object of the same under longer names.

use crate::fact::link::Statistics;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Received,
    Sent,
}

/// The columns that a line announces: `RX: bytes packets …`, `TX errors: aborted …`.
pub(super) fn columns(text: &str) -> Option<(Direction, Vec<&str>)> {
    let (direction, rest) = match text.split_at_checked(2)? {
        ("RX", rest) => (Direction::Received, rest),
        ("TX", rest) => (Direction::Sent, rest),
        _ => return None,
    };
    let rest = rest.strip_prefix(" errors").unwrap_or(rest);
    let names = rest.strip_prefix(':')?;
    Some((direction, names.split_whitespace().collect()))
}

/// Where the counter of this name is kept; `None` for one that is not.
pub(super) fn place<'a>(
    statistics: &'a mut Statistics,
    direction: Direction,
    name: &str,
) -> Option<&'a mut Option<u64>> {
    let counters = statistics;
    Some(match (direction, name) {
        (Direction::Received, "bytes") => &mut counters.rx_bytes,
        (Direction::Received, "packets") => &mut counters.rx_packets,
        (Direction::Received, "errors") => &mut counters.rx_errors,
        (Direction::Received, "dropped") => &mut counters.rx_dropped,
        (Direction::Received, "overrun" | "over_errors") => &mut counters.rx_over_errors,
        (Direction::Received, "missed" | "missed_errors") => &mut counters.rx_missed_errors,
        (Direction::Received, "mcast" | "multicast") => &mut counters.rx_multicast,
        (Direction::Received, "length" | "length_errors") => &mut counters.rx_length_errors,
        (Direction::Received, "crc" | "crc_errors") => &mut counters.rx_crc_errors,
        (Direction::Received, "frame" | "frame_errors") => &mut counters.rx_frame_errors,
        (Direction::Received, "fifo" | "fifo_errors") => &mut counters.rx_fifo_errors,
        (Direction::Received, "nohandler") => &mut counters.rx_nohandler,
        (Direction::Sent, "bytes") => &mut counters.tx_bytes,
        (Direction::Sent, "packets") => &mut counters.tx_packets,
        (Direction::Sent, "errors") => &mut counters.tx_errors,
        (Direction::Sent, "dropped") => &mut counters.tx_dropped,
        (Direction::Sent, "carrier" | "carrier_errors") => &mut counters.tx_carrier_errors,
        (Direction::Sent, "collsns" | "collisions") => &mut counters.tx_collisions,
        (Direction::Sent, "aborted" | "aborted_errors") => &mut counters.tx_aborted_errors,
        (Direction::Sent, "fifo" | "fifo_errors") => &mut counters.tx_fifo_errors,
        (Direction::Sent, "window" | "window_errors") => &mut counters.tx_window_errors,
        (Direction::Sent, "heartbeat" | "heartbt" | "heartbeat_errors") => {
            &mut counters.tx_heartbeat_errors
        }
        (Direction::Sent, "transns" | "carrier_changes") => &mut counters.carrier_changes,
        _ => return None,
    })
}

/// Takes a line of numbers under their names. A number that is none costs only itself.
pub(super) fn take(
    statistics: &mut Statistics,
    direction: Direction,
    names: &[&str],
    numbers: &str,
) -> Result<(), &'static str> {
    let mut bad = None;
    let mut numbers = numbers.split_whitespace();
    for name in names {
        let Some(number) = numbers.next() else {
            return Err("there are fewer numbers than names above them");
        };
        if let Some(place) = place(statistics, direction, name) {
            match number.parse() {
                Ok(count) => *place = Some(count),
                Err(_) => bad = Some("a counter is not a whole number"),
            }
        }
    }
    bad.map_or(Ok(()), Err)
}
