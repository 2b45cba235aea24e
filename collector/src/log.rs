//! The collector's log. Standard error has it as lines for a person; where that is the journal, the journal has each line
//! with its level and its fields (`journalctl QUORATE_NODE=pve-03`, `-p warning`), by its own protocol
//! (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>).
//!
//! Not by the crate tracing-journald: it leaves the fields out of the line itself, so that `journalctl -u quorate-collector`
//! would say "stream ended" and not whose; and a level at the beginning of a line (sd-daemon(3)) has no fields.

use std::fmt::{self, Write as _};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use settings::systemd::is_journal;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::FormatFields as _;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt as _;

const JOURNAL: &str = "/run/systemd/journal/socket";
const NAME: &str = "quorate-collector";
/// What is less is for who looks for a mistake in the collector, and is not said.
const MOST: Level = Level::INFO;
/// What is longer is cut: no line of the collector comes near it, and every socket takes it at once.
const MAX_BYTES: usize = 48 << 10;

/// From now on everything that is said goes there.
pub(crate) fn begin() {
    match Journal::open() {
        Some(journal) => registry().with(journal).init(),
        None => tracing_subscriber::fmt()
            .with_writer(io::stderr)
            .with_ansi(false)
            .with_target(false)
            .init(),
    }
}

#[derive(Debug)]
struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journal {
    /// Nothing where standard error goes elsewhere, or nobody listens.
    fn open() -> Option<Self> {
        is_journal().then(|| Self::at(Path::new(JOURNAL)).ok())?
    }

    fn at(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        // The journal drops an entry without fields; an error says that nobody is there.
        socket.send_to(b"", path)?;
        // A journal that stands still must not stop the collector: what it does not take is lost.
        socket.set_nonblocking(true)?;
        let path = path.to_owned();
        Ok(Self { socket, path })
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn enabled(&self, about: &Metadata<'_>, _: Context<'_, S>) -> bool {
        *about.level() <= MOST
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(MOST))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = String::new();
        // A field that cannot be printed is no reason to lose the line.
        let _ = DefaultFields::new().format_fields(Writer::new(&mut line), event);
        let mut entry = Entry::default();
        entry.add("PRIORITY", priority(*event.metadata().level()));
        entry.add("SYSLOG_IDENTIFIER", NAME);
        entry.add("MESSAGE", cut(&line));
        event.record(&mut entry);
        // Where the journal does not take it there is nobody to tell.
        let _ = self.socket.send_to(&entry.bytes, &self.path);
    }
}

/// By the numbers of syslog(3).
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// An entry as the journal takes it: a name, a length, and whatever bytes.
#[derive(Debug, Default)]
struct Entry {
    bytes: Vec<u8>,
}

impl Entry {
    fn add(&mut self, name: &str, value: &str) {
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(b'\n');
        let length = u64::try_from(value.len()).unwrap_or_default();
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(value.as_bytes());
        self.bytes.push(b'\n');
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        // The line has it already, with all fields.
        if field.name() != "message" {
            let name = format!("QUORATE_{}", field.name().to_ascii_uppercase());
            self.add(&name, cut(value));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.record_str(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;

    use super::*;

    /// The fields of an entry, as journald reads it.
    fn fields(mut bytes: &[u8]) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let name = text(&bytes[..end]);
            let length: [u8; 8] = bytes[end + 1..end + 9].try_into().unwrap();
            let value = &bytes[end + 9..][..usize::try_from(u64::from_le_bytes(length)).unwrap()];
            fields.push((name, text(value)));
            bytes = &bytes[end + 9 + value.len() + 1..];
        }
        fields
    }

    #[test]
    fn an_entry_has_its_level_its_fields_and_a_line_that_says_all_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let journald = UnixDatagram::bind(&path).unwrap();
        let journal = Journal::at(&path).unwrap();
        with_default(registry().with(journal), || {
            tracing::debug!("nobody asked for it");
            tracing::warn!(cluster = %"lab\nnewline", node = "pve-03", "stream ended: {}", "gone");
        });
        let mut bytes = vec![0; 65536];
        assert_eq!(journald.recv(&mut bytes).unwrap(), 0, "the first look");
        let length = journald.recv(&mut bytes).unwrap();
        let expect = [
            ("PRIORITY", "4"),
            ("SYSLOG_IDENTIFIER", NAME),
            (
                "MESSAGE",
                "stream ended: gone cluster=lab\nnewline node=\"pve-03\"",
            ),
            ("QUORATE_CLUSTER", "lab\nnewline"),
            ("QUORATE_NODE", "pve-03"),
        ];
        let expect = expect.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields(&bytes[..length]), expect);
    }

    #[test]
    fn what_is_too_long_is_cut_between_two_letters() {
        assert_eq!(cut("short"), "short");
        let long = format!("x{}", "ü".repeat(MAX_BYTES));
        let cut = cut(&long);
        assert!(cut.len() <= MAX_BYTES && cut.len() > MAX_BYTES - 2);
    }
}
