//! `corosync-cmapctl` and `corosync-cmapctl -m stats`: one `key (type) = value` a line (tools/corosync-cmapctl.c).
//! A binary value stands there as `key (bin)` alone unless the tool was given `-b`.

use crate::fact::cmap::{Cmap, CmapValue};
use crate::text::{BadLine, BadLines, Line, Parsed, SECRET, Unreadable, lines};

/// How many keys are kept. 32 nodes with 8 links have some 10,000; what is over the limit is counted.
pub const MAX_KEYS: usize = 100_000;
/// corosync refuses longer key names (CMAP_KEYNAME_MAXLEN).
const MAX_KEY_BYTES: usize = 255;

/// Reads one dump. A text without a single key is none.
pub fn parse(text: &str) -> Result<Parsed<Cmap>, Unreadable> {
    let mut map = Cmap::default();
    let mut bad_lines = BadLines::default();
    let mut complaint = None;
    let mut known_lines = 0_usize;
    let mut over = None;
    for line in lines(text) {
        if is_complaint(line.text) {
            complaint.get_or_insert(line);
            bad_lines.push(BadLine::new(line, "the tool says that it failed here"));
            continue;
        }
        let Some(entry) = split(line) else { continue };
        known_lines += 1;
        let Some((key, value)) = bad_lines.keep(read(line, &entry)) else {
            continue;
        };
        let value = match (key.as_str(), value) {
            ("totem.key", CmapValue::Str(_)) => CmapValue::Str(SECRET.to_owned()),
            (_, value) => value,
        };
        if map.keys.len() < MAX_KEYS || map.keys.contains_key(&key) {
            map.keys.insert(key, value);
        } else {
            let (_, dropped) = over.get_or_insert((line, 0_usize));
            *dropped += 1;
        }
    }
    if let Some((line, dropped)) = over {
        let why = format!("more than {MAX_KEYS} keys: {dropped} from here on are not kept");
        bad_lines.push(BadLine::new(line, why));
    }
    match complaint {
        _ if known_lines > 0 => Ok(bad_lines.with(map)),
        Some(line) => Err(Unreadable::tool_failed(line.text)),
        None => Err(Unreadable::foreign(text)),
    }
}

/// A line that is a key with its type, whatever follows.
struct Entry<'a> {
    key: &'a str,
    kind: &'a str,
    rest: &'a str,
}

/// `None` for a line that has not the shape of a key. A string may hold anything, brackets and ` = ` too, but a key
/// may not, so that the first bracket is the one of the type.
fn split(line: Line<'_>) -> Option<Entry<'_>> {
    let (key, rest) = line.text.trim_start().split_once(" (")?;
    let (kind, rest) = rest.split_once(')')?;
    let is_key = (1..=MAX_KEY_BYTES).contains(&key.len())
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte));
    let is_kind =
        (1..=16).contains(&kind.len()) && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_key && is_kind).then_some(Entry { key, kind, rest })
}

fn read(line: Line<'_>, entry: &Entry<'_>) -> Result<(String, CmapValue), BadLine> {
    // The line has lost its trailing blanks: an empty string ends in ` =`.
    let shown = entry
        .rest
        .strip_prefix(" = ")
        .or_else(|| (entry.rest == " =").then_some(""));
    let value = match (entry.kind, shown) {
        ("bin", None) if entry.rest.is_empty() => CmapValue::Bin(None),
        ("bin", Some(bytes)) => CmapValue::Bin(Some(bytes.to_owned())),
        (_, None) => return Err(BadLine::new(line, "there is no ` = ` behind the type")),
        ("str", Some(text)) => CmapValue::Str(text.to_owned()),
        ("i8", Some(number)) => CmapValue::I8(line.number(number, "the value")?),
        ("i16", Some(number)) => CmapValue::I16(line.number(number, "the value")?),
        ("i32", Some(number)) => CmapValue::I32(line.number(number, "the value")?),
        ("i64", Some(number)) => CmapValue::I64(line.number(number, "the value")?),
        ("u8", Some(number)) => CmapValue::U8(line.number(number, "the value")?),
        ("u16", Some(number)) => CmapValue::U16(line.number(number, "the value")?),
        ("u32", Some(number)) => CmapValue::U32(line.number(number, "the value")?),
        ("u64", Some(number)) => CmapValue::U64(line.number(number, "the value")?),
        ("flt", Some(number)) => CmapValue::Flt(finite(line, number)?),
        ("dbl", Some(number)) => CmapValue::Dbl(finite(line, number)?),
        (kind, Some(text)) => CmapValue::Other {
            kind: kind.to_owned(),
            text: text.to_owned(),
        },
    };
    Ok((entry.key.to_owned(), value))
}

/// JSON has neither `nan` nor `inf`.
fn finite(line: Line<'_>, number: &str) -> Result<f64, BadLine> {
    let number: f64 = line.number(number, "the value")?;
    if number.is_finite() {
        Ok(number)
    } else {
        Err(BadLine::new(line, "the value is not a finite number"))
    }
}

/// The tool's own words for a failure, or those of a shell that did not find it.
fn is_complaint(line: &str) -> bool {
    let line = line.trim_start();
    let begins = [
        "Failed to initialize",
        "Failed to finalize",
        "Can't get ",
        "Can't alloc",
        "corosync-cmapctl:",
        "invalid map name",
        "Expected key after",
        "ERROR",
        "Error",
    ];
    let holds = ["command not found", "No such file or directory"];
    begins.iter().any(|begin| line.starts_with(begin))
        || (split(Line {
            number: 1,
            text: line,
        })
        .is_none()
            && holds.iter().any(|held| line.contains(held)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ICMAP: &str = include_str!("../../fixtures/cmapctl/corosync-3.1.7-4-nodes.txt");
    const STATS: &str =
        include_str!("../../fixtures/cmapctl/corosync-3.1.7-stats-one-link-cut.txt");

    #[track_caller]
    fn check(text: &str, key: &str, value: &CmapValue) {
        let parsed = parse(text).unwrap();
        assert_eq!(parsed.bad_lines, [], "{text}");
        assert_eq!(parsed.value.keys.get(key), Some(value), "{text}");
    }

    #[track_caller]
    fn check_bad(text: &str, why: &str) {
        let parsed = parse(text).unwrap();
        assert!(parsed.value.keys.is_empty(), "{:?}", parsed.value);
        assert_eq!(parsed.bad_lines.len(), 1);
        assert!(
            parsed.bad_lines[0].why.contains(why),
            "{}",
            parsed.bad_lines[0]
        );
    }

    #[track_caller]
    fn check_failed(text: &str, words: &str) {
        let message = words.to_owned();
        assert_eq!(parse(text), Err(Unreadable::ToolFailed { message }));
    }

    #[test]
    fn the_key_of_the_cluster_is_no_fact() {
        let map = parse("totem.key (str) = abcdef\n").unwrap().value;
        assert_eq!(map.text("totem.key"), Some("(secret)"));
    }

    #[test]
    fn a_dump_is_read_whole_with_its_types() {
        let parsed = parse(ICMAP).unwrap();
        assert_eq!(parsed.bad_lines, []);
        let map = parsed.value;
        assert_eq!(map.keys.len(), ICMAP.lines().count());
        assert_eq!(map.text("totem.cluster_name"), Some("rack"));
        assert_eq!(map.keys["totem.config_version"], CmapValue::U64(1));
        assert_eq!(map.keys["runtime.votequorum.two_node"], CmapValue::U8(0));
        assert_eq!(map.count("runtime.config.totem.token"), Some(4300));
        assert_eq!(
            map.keys["resources.system.load_15min.current"],
            CmapValue::Dbl(0.0)
        );
    }

    #[test]
    fn the_statistics_map_is_read_too() {
        let parsed = parse(STATS).unwrap();
        assert_eq!(parsed.bad_lines, []);
        assert_eq!(
            parsed.value.keys["stats.knet.node2.link1.connected"],
            CmapValue::U8(0)
        );
        assert_eq!(parsed.value.count("stats.srp.mtt_rx_token"), Some(808));
    }

    #[test]
    fn crlf_indentation_and_a_missing_final_newline_change_nothing() {
        let plain = parse(ICMAP);
        assert_eq!(parse(&ICMAP.replace('\n', "\r\n")), plain);
        assert_eq!(parse(ICMAP.trim_end()), plain);
        assert_eq!(parse(&format!("\t{}", ICMAP.replace('\n', "\n\t"))), plain);
    }

    #[test]
    fn every_type_is_kept() {
        check("k (i8) = -128", "k", &CmapValue::I8(-128));
        check("k (i16) = -129", "k", &CmapValue::I16(-129));
        check("k (i32) = -1", "k", &CmapValue::I32(-1));
        check("k (i64) = -1", "k", &CmapValue::I64(-1));
        check("k (u16) = 65535", "k", &CmapValue::U16(65535));
        check("k (u32) = 0", "k", &CmapValue::U32(0));
        check("k (flt) = 2025.073853", "k", &CmapValue::Flt(2025.073853));
        check("k (bin)", "k", &CmapValue::Bin(None));
        check(
            "k (bin) = *empty*",
            "k",
            &CmapValue::Bin(Some("*empty*".into())),
        );
        check(
            "k (bin) = \\x00a",
            "k",
            &CmapValue::Bin(Some("\\x00a".into())),
        );
        let other = CmapValue::Other {
            kind: "u128".into(),
            text: "7".into(),
        };
        check("k (u128) = 7", "k", &other);
    }

    #[test]
    fn a_string_may_hold_anything_or_nothing() {
        check("k (str) = ", "k", &CmapValue::Str(String::new()));
        check("k (str) =", "k", &CmapValue::Str(String::new()));
        check(
            "k (str) = a = b (u8) = 1",
            "k",
            &CmapValue::Str("a = b (u8) = 1".into()),
        );
        check(
            "k (str) =  r(0) ip(1.2.3.4) ",
            "k",
            &CmapValue::Str(" r(0) ip(1.2.3.4)".into()),
        );
        check(
            "k (str) = \u{fffd}",
            "k",
            &CmapValue::Str("\u{fffd}".into()),
        );
    }

    #[test]
    fn a_value_that_its_type_cannot_hold_is_a_bad_line() {
        check_bad("k (u8) = 256", "not a number");
        check_bad("k (u32) = -1", "not a number");
        check_bad("k (u64) = ", "not a number");
        check_bad("k (dbl) = nan", "finite");
        check_bad("k (u64)5106544676963", "no ` = `");
        check_bad("k (u64)", "no ` = `");
    }

    #[test]
    fn a_bad_line_costs_its_own_key_and_nothing_else() {
        let parsed =
            parse("a.b (u64)17\na.c (u32) = 4\nCan't get value of a.d. Error CS_ERR_ACCESS\n");
        let parsed = parsed.unwrap();
        assert_eq!(parsed.value.keys.len(), 1);
        let numbers: Vec<_> = parsed.bad_lines.iter().map(|bad| bad.line_number).collect();
        assert_eq!(numbers, [1, 3]);
    }

    #[test]
    fn a_tool_that_failed_is_never_an_empty_map() {
        let failed = include_str!("../../fixtures/cmapctl/corosync-3.1.7-not-running.txt");
        check_failed(
            failed,
            "Failed to initialize the cmap API. Error CS_ERR_LIBRARY",
        );
        let usage = "corosync-cmapctl: invalid option -- 'C'\n\nusage:  corosync-cmapctl [-b] …\n";
        check_failed(usage, "corosync-cmapctl: invalid option -- 'C'");
        check_failed(
            "Can't get key no.such. Error CS_ERR_NOT_EXIST",
            "Can't get key no.such. Error CS_ERR_NOT_EXIST",
        );
        check_failed(
            "bash: corosync-cmapctl: command not found",
            "bash: corosync-cmapctl: command not found",
        );
    }

    #[test]
    fn too_many_keys_are_counted() {
        let text: String = (0..MAX_KEYS + 3)
            .map(|number| format!("k.{number} (u8) = 1\n"))
            .collect();
        let parsed = parse(&text).unwrap();
        assert_eq!(parsed.value.keys.len(), MAX_KEYS);
        assert!(
            parsed.bad_lines[0].why.contains("3 from here on"),
            "{}",
            parsed.bad_lines[0]
        );
    }

    #[test]
    fn an_empty_or_foreign_text_is_no_map() {
        assert_eq!(parse("\r\n"), Err(Unreadable::Empty));
        let foreign = parse("hello (world) = 1 2");
        assert!(foreign.is_ok(), "a key of a type that nobody knows yet");
        assert!(matches!(
            parse("hello world"),
            Err(Unreadable::Foreign { .. })
        ));
    }
}
