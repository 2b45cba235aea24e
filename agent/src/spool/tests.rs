//! What a kill, a power cut, a bad disk, a full disk and a full spool leave.

use std::path::Path;

use super::*;

fn line(number: u64) -> New {
    New {
        kind: Kind::Journal,
        cursor: Some(format!("s=1;i={number:x}")),
        json: format!(r#"{{"line":{number},"text":"{}"}}"#, "x".repeat(400)),
    }
}

fn lines(numbers: std::ops::RangeInclusive<u64>) -> Vec<New> {
    numbers.map(line).collect()
}

fn open(dir: &Path) -> Spool {
    Spool::open(dir, MIN_MAX_BYTES).unwrap()
}

/// The numbers of all records, or of a gap `(from, to)`.
fn read(spool: &mut Spool) -> Vec<(u64, u64)> {
    let (mut read, mut from) = (Vec::new(), 1);
    loop {
        let items = spool.read_from(from, 100).unwrap();
        for item in &items {
            let (first, last) = match item {
                Item::Record(record) => {
                    assert_eq!(
                        record.json,
                        line(i_of(record.cursor.as_deref().unwrap())).json
                    );
                    (record.number, record.number)
                }
                Item::Missing { from, to, count } => {
                    assert_eq!(*count, to - from + 1);
                    (*from, *to)
                }
            };
            assert_eq!(first, from, "in order, without a hole");
            from = last + 1;
            read.push((first, last));
        }
        if items.is_empty() {
            return read;
        }
    }
}

fn i_of(cursor: &str) -> u64 {
    u64::from_str_radix(cursor.rsplit('=').next().unwrap(), 16).unwrap()
}

fn whole(numbers: std::ops::RangeInclusive<u64>) -> Vec<(u64, u64)> {
    numbers.map(|number| (number, number)).collect()
}

fn newest_file(dir: &Path) -> PathBuf {
    segment::path(dir, *segment::list(dir).unwrap().last().unwrap())
}

#[test]
fn records_cursor_and_id_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    assert_eq!((spool.cursor(), spool.state().first), (None, None));
    spool.append(&lines(1..=5)).unwrap();
    let other = New {
        kind: Kind::Change,
        cursor: None,
        json: "{}".to_owned(),
    };
    spool.append(std::slice::from_ref(&other)).unwrap();
    let id = spool.state().id;
    drop(spool);
    let mut spool = open(dir.path());
    assert_eq!(spool.cursor(), Some("s=1;i=5"));
    assert_eq!(spool.next_number(), 7);
    assert_eq!(spool.state().id, id);
    assert_eq!(id.len(), 32);
    let last = spool.read_from(6, 10).unwrap();
    assert!(matches!(&last[..], [Item::Record(record)] if record.kind == Kind::Change));
}

#[test]
fn a_second_agent_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let error = Spool::open(dir.path(), MIN_MAX_BYTES).unwrap_err();
    assert!(
        error.to_string().contains("another agent runs here"),
        "{error}"
    );
    drop(first);
    open(dir.path());
}

#[test]
fn a_torn_tail_is_cut_off_and_said_wherever_it_was_torn() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).append(&lines(1..=2)).unwrap();
    let path = newest_file(dir.path());
    let two = std::fs::read(&path).unwrap();
    open(dir.path()).append(&lines(3..=3)).unwrap();
    let three = std::fs::read(&path).unwrap();
    for torn_at in two.len() + 1..three.len() {
        std::fs::write(&path, &three[..torn_at]).unwrap();
        let mut spool = open(dir.path());
        assert_eq!(spool.cursor(), Some("s=1;i=2"));
        assert_eq!(spool.state().bytes_cut, (torn_at - two.len()) as u64);
        spool.append(&lines(3..=3)).unwrap();
        assert_eq!(read(&mut spool), whole(1..=3));
    }
    // What a power cut leaves: a length without its bytes.
    let mut zeros = two.clone();
    zeros.resize(two.len() + 4096, 0);
    std::fs::write(&path, zeros).unwrap();
    let spool = open(dir.path());
    assert_eq!((spool.next_number(), spool.state().bytes_cut), (3, 4096));
}

#[test]
fn a_damaged_record_in_the_middle_loses_itself_alone_and_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).append(&lines(1..=9)).unwrap();
    let path = newest_file(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = HEADER_BYTES + (bytes.len() - HEADER_BYTES) / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&path, &bytes).unwrap();
    let mut spool = open(dir.path());
    assert_eq!(spool.cursor(), Some("s=1;i=9"));
    assert_eq!(spool.state().records_damaged, 1);
    spool.append(&lines(10..=10)).unwrap();
    assert_eq!(read(&mut spool), whole(1..=10));
    assert!(matches!(
        spool.read_from(5, 1).unwrap()[..],
        [Item::Missing {
            from: 5,
            to: 5,
            count: 1
        }]
    ));
}

#[test]
fn a_damaged_last_record_does_not_give_its_number_away() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).append(&lines(1..=3)).unwrap();
    let path = newest_file(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 9;
    bytes[last] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    drop(open(dir.path()));
    let mut spool = open(dir.path());
    assert_eq!((spool.cursor(), spool.next_number()), (Some("s=1;i=2"), 4));
    spool.append(&lines(3..=3)).unwrap();
    let items = spool.read_from(3, 9).unwrap();
    assert!(matches!(items[0], Item::Missing { from: 3, to: 3, .. }));
    assert!(matches!(&items[1], Item::Record(record) if record.number == 4));
}

#[test]
fn a_damaged_header_costs_no_record_and_not_the_place_in_the_journal() {
    for records in [0, 3] {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = open(dir.path());
        spool.append(&lines(1..=500)).unwrap();
        spool.begin_segment().unwrap();
        spool.append(&lines(501..=500 + records)).unwrap();
        let id = spool.state().id;
        drop(spool);
        let path = newest_file(dir.path());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[30] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let mut spool = open(dir.path());
        assert_eq!(i_of(spool.cursor().unwrap()), 500 + records);
        assert_eq!(spool.state().id, id);
        spool.append(&lines(501 + records..=510 + records)).unwrap();
        assert_eq!(read(&mut spool), whole(1..=510 + records));
        drop(spool);
        let mut spool = open(dir.path());
        assert_eq!(read(&mut spool), whole(1..=510 + records));
        overflow(&mut spool);
    }
}

#[test]
fn a_segment_that_somebody_removed_does_not_keep_the_spool_from_staying_within_its_bound() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    spool.append(&lines(1..=700)).unwrap();
    assert!(spool.segments.len() > 1);
    std::fs::remove_file(segment::path(dir.path(), 1)).unwrap();
    overflow(&mut spool);
}

/// Writes more than fits: the spool stays within its bound, on the disk too, and counts what it drops once.
fn overflow(spool: &mut Spool) {
    for _ in 0..50 {
        let next = spool.next_number();
        spool.append(&lines(next..=next + 99)).unwrap();
    }
    assert!(spool.bytes() <= MIN_MAX_BYTES);
    let listed: Vec<u64> = spool.segments.iter().map(|one| one.first).collect();
    assert_eq!(segment::list(&spool.dir).unwrap(), listed);
    let state = spool.state();
    assert_eq!(state.records_dropped, state.first.unwrap() - 1);
}

#[test]
fn an_overflow_leaves_a_gap_that_is_read_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    for batch in 0..60 {
        spool
            .append(&lines(batch * 100 + 1..=batch * 100 + 100))
            .unwrap();
        assert!(spool.bytes() <= MIN_MAX_BYTES);
    }
    let state = spool.state();
    let first = state.first.unwrap();
    assert!(first > 1 && state.overflows > 0);
    assert_eq!((state.records_dropped, state.last), (first - 1, Some(6000)));
    let mut expected = vec![(1, first - 1)];
    expected.extend(whole(first..=6000));
    assert_eq!(read(&mut spool), expected);
    let on_disk: u64 = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert_eq!(on_disk, spool.bytes());
    drop(spool);
    let mut spool = open(dir.path());
    assert_eq!(spool.state(), state);
    assert_eq!(read(&mut spool), expected);
}

#[test]
fn a_kill_while_the_oldest_is_dropped_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    spool.append(&lines(1..=200)).unwrap();
    let oldest = std::fs::read(segment::path(dir.path(), 1)).unwrap();
    spool.append(&lines(201..=6000)).unwrap();
    let state = spool.state();
    drop(spool);
    std::fs::write(segment::path(dir.path(), 1), oldest).unwrap();
    std::fs::write(dir.path().join("00000000000000009999.new"), "half").unwrap();
    assert_eq!(open(dir.path()).state(), state);
}

#[test]
fn what_is_acknowledged_is_freed_and_the_place_in_the_journal_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    spool.append(&lines(1..=1500)).unwrap();
    let before = spool.bytes();
    let now = Instant::now();
    spool.read_by(&["c".to_owned()]).unwrap();
    spool.acknowledge("c", 750, now).unwrap();
    assert!(spool.bytes() < before);
    assert!(spool.state().first.unwrap() <= 751);
    assert_eq!(spool.read_from(751, 1).unwrap().len(), 1);
    spool.acknowledge("c", u64::MAX, now).unwrap();
    spool.begin_segment().unwrap();
    spool.acknowledge("c", 1500, now).unwrap();
    assert_eq!((spool.state().first, spool.segments.len()), (None, 1));
    drop(spool);
    let mut spool = open(dir.path());
    assert_eq!(
        (spool.cursor(), spool.next_number()),
        (Some("s=1;i=5dc"), 1501)
    );
    spool.append(&lines(1501..=1501)).unwrap();
    assert_eq!(spool.state().records_dropped, 0);
    assert_eq!(
        spool.read_from(1501, 9).unwrap().len(),
        1,
        "nothing is missing before it"
    );
}

#[test]
fn a_text_that_is_too_long_is_left_out_and_its_place_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    let long = New {
        kind: Kind::Change,
        cursor: None,
        json: "x".repeat(MAX_JSON_BYTES + 1),
    };
    spool.append(&[long]).unwrap();
    let items = spool.read_from(1, 9).unwrap();
    assert!(matches!(&items[..], [Item::Record(record)]
        if record.json == r#"{"left_out_bytes":61441}"#));
    assert_eq!(spool.state().records_left_out, 1);
}

/// Needs root: a small file system is mounted in a mount namespace of its own.
#[test]
fn a_full_disk_is_said_and_loses_nothing_that_was_written() {
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    const NONE: Option<&str> = None;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    // Namespaces belong to a thread: the mount is seen by nobody else.
    let test = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).unwrap();
        let options = Some("size=256k");
        mount(
            Some("none"),
            &path,
            Some("tmpfs"),
            MsFlags::empty(),
            options,
        )
        .unwrap();
        let mut spool = open(&path);
        let mut written = 0;
        let error = loop {
            match spool.append(&lines(written + 1..=written + 10)) {
                Ok(()) => written += 10,
                Err(error) => break error,
            }
        };
        assert!(
            crate::host::said(&error).contains("No space left"),
            "{error:?}"
        );
        assert!(spool.state().not_written.is_some());
        let reached = spool.next_number() - 1;
        assert_eq!(i_of(spool.cursor().unwrap()), reached);
        assert_eq!(read(&mut spool), whole(1..=reached));
        let larger = Some("size=8m");
        mount(
            Some("none"),
            &path,
            Some("tmpfs"),
            MsFlags::MS_REMOUNT,
            larger,
        )
        .unwrap();
        spool.append(&lines(reached + 1..=reached + 300)).unwrap();
        assert_eq!(spool.state().not_written, None);
        assert_eq!(read(&mut spool), whole(1..=reached + 300));
        drop(spool);
        assert_eq!(read(&mut open(&path)), whole(1..=reached + 300));
        umount2(&path, MntFlags::MNT_DETACH).unwrap();
    });
    test.join().unwrap();
}

#[test]
fn a_segment_is_freed_when_the_slowest_reader_has_it_and_each_place_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["a".to_owned(), "b".to_owned()];
    let mut spool = open(dir.path());
    spool.append(&lines(1..=1000)).unwrap();
    spool.read_by(&names).unwrap();
    let now = Instant::now();
    spool.acknowledge("a", 1000, now).unwrap();
    assert_eq!(spool.first_number(), 1, "b has nothing yet");
    spool.acknowledge("b", 500, now).unwrap();
    let first = spool.first_number();
    assert!(first > 1 && first <= 501, "{first}");
    // The file is not written at every word, but at the end.
    spool.acknowledge("b", 600, now).unwrap();
    drop(spool);
    let mut spool = open(dir.path());
    spool.read_by(&names).unwrap();
    assert_eq!(spool.acknowledged_by("a"), 1000);
    assert_eq!(spool.acknowledged_by("b"), 600);
    // Who left does not hold anything up any more.
    spool.read_by(&names[..1]).unwrap();
    assert!(spool.first_number() > 800);
    spool.read_by(&names).unwrap();
    assert_eq!(spool.acknowledged_by("b"), 0);
}

/// What this thread has read from files so far.
fn bytes_read() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    let count = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    count.unwrap().parse().unwrap()
}

#[test]
fn a_long_backlog_is_read_about_once_by_each_who_catches_up_however_small_the_portions() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), 16 * MIN_MAX_BYTES).unwrap();
    spool.append(&lines(1..=5000)).unwrap();
    assert!(spool.segments.len() < 4, "long segments");
    let before = bytes_read();
    let (mut ahead, mut behind) = (1, 1);
    while behind < spool.next_number() {
        ahead += spool.read_from(ahead, 256).unwrap().len() as u64;
        behind += spool.read_from(behind, 200).unwrap().len() as u64;
    }
    let times = (bytes_read() - before) / spool.bytes();
    assert!((2..6).contains(&times), "{times} times");
    // What comes then is read from there, too.
    spool.append(&lines(5001..=5001)).unwrap();
    let before = bytes_read();
    assert_eq!(spool.read_from(5001, 256).unwrap().len(), 1);
    assert!(bytes_read() - before < 4096);
}

#[test]
fn damage_costs_nobody_more_wherever_he_reads_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), 16 * MIN_MAX_BYTES).unwrap();
    spool.append(&lines(1..=2000)).unwrap();
    let path = newest_file(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let damaged = [HEADER_BYTES + 9, 300_000, 300_900, 700_000];
    for at in damaged {
        bytes[at] ^= 0x55;
    }
    std::fs::write(&path, &bytes).unwrap();
    let at_once = spool.read_from(1, 3000).unwrap();
    for portion in [1, 2, 100, 256] {
        let (mut in_portions, mut from) = (Vec::new(), 1);
        while from < spool.next_number() {
            let items = spool.read_from(from, portion).unwrap();
            from = match items.last().unwrap() {
                Item::Record(record) => record.number + 1,
                Item::Missing { to, .. } => to + 1,
            };
            in_portions.extend(items);
        }
        assert_eq!(in_portions, at_once, "{portion} at a time");
    }
    let is_gap = |item: &&Item| matches!(item, Item::Missing { count: 1, .. });
    assert_eq!(at_once.iter().filter(is_gap).count(), damaged.len());
}
