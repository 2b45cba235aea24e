//! What all messages of rtnetlink are made of: attributes (`struct rtattr`), one behind the other, some of them with
//! attributes inside.

use model::name::IfaceName;
use netlink_packet_core::{
    DecodeError, NlaBuffer, NlasIterator, parse_i32, parse_u8, parse_u16, parse_u32,
};

/// How many sentences on what could not be read are kept; the rest are counted.
const MAX_SENTENCES: usize = 50;
const MAX_CHARS: usize = 200;

/// What could not be read of one answer.
#[derive(Debug, Default)]
pub(super) struct Unread {
    sentences: Vec<String>,
    more: usize,
}

impl Unread {
    pub(super) fn say(&mut self, mut why: String) {
        if self.sentences.len() >= MAX_SENTENCES {
            self.more += 1;
            return;
        }
        if let Some((end, _)) = why.char_indices().nth(MAX_CHARS) {
            why.truncate(end);
            why.push('…');
        }
        self.sentences.push(why);
    }

    pub(super) fn extend(&mut self, sentences: Vec<String>) {
        for why in sentences {
            self.say(why);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.extend(other.sentences);
        self.more += other.more;
    }

    pub(super) fn into_sentences(mut self) -> Vec<String> {
        if self.more > 0 {
            self.sentences
                .push(format!("and {} more that could not be read", self.more));
        }
        self.sentences
    }
}

/// One attribute.
pub(super) struct Attribute<'a> {
    pub(super) kind: u16,
    pub(super) bytes: &'a [u8],
    /// The same for netlink-packet-route, which wants it with its header.
    pub(super) whole: NlaBuffer<&'a [u8]>,
}

/// Gives each attribute to `take`, and its failures to `bad`, with what was being read. An attribute that cannot be read
/// does not lose the others; one whose length leads nowhere loses those behind it.
pub(super) fn each<'a>(
    bytes: &'a [u8],
    mut take: impl FnMut(Attribute<'a>) -> Result<(), Bad>,
    mut bad: impl FnMut(String),
) {
    for attribute in NlasIterator::new(bytes) {
        let whole = match attribute {
            Ok(whole) => whole,
            Err(error) => {
                bad(format!("its attributes end in {error}"));
                return;
            }
        };
        let kind = whole.kind();
        // `value` of the library lives no longer than its buffer; the same bytes live as long as the message.
        let length = usize::from(whole.length());
        let bytes = whole.into_inner().get(4..length).unwrap_or_default();
        if let Err(Bad(why)) = take(Attribute { kind, bytes, whole }) {
            bad(format!("attribute {kind}: {why}"));
        }
    }
}

/// Why an attribute could not be read.
#[derive(Debug)]
pub(super) struct Bad(pub(super) String);

impl From<DecodeError> for Bad {
    fn from(error: DecodeError) -> Self {
        Self(error.to_string())
    }
}

impl From<&str> for Bad {
    fn from(why: &str) -> Self {
        Self(why.to_owned())
    }
}

impl Attribute<'_> {
    pub(super) fn u8(&self) -> Result<u8, Bad> {
        Ok(parse_u8(self.bytes)?)
    }

    pub(super) fn flag(&self) -> Result<bool, Bad> {
        Ok(self.u8()? != 0)
    }

    pub(super) fn u16(&self) -> Result<u16, Bad> {
        Ok(parse_u16(self.bytes)?)
    }

    pub(super) fn u32(&self) -> Result<u32, Bad> {
        Ok(parse_u32(self.bytes)?)
    }

    pub(super) fn i32(&self) -> Result<i32, Bad> {
        Ok(parse_i32(self.bytes)?)
    }

    /// Up to the first zero byte. What is not UTF-8 is replaced, as in every text of the agent.
    pub(super) fn text(&self) -> String {
        let end = self.bytes.iter().position(|byte| *byte == 0);
        let text = self.bytes.get(..end.unwrap_or(self.bytes.len()));
        String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
    }

    pub(super) fn name(&self) -> Result<IfaceName, Bad> {
        IfaceName::new(self.text()).map_err(|bad| Bad(bad.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_attribute_costs_itself_and_a_bad_length_what_is_behind_it() {
        let mtu = [8, 0, 4, 0, 220, 5, 0, 0];
        let short = [6, 0, 4, 0, 1, 2, 0, 0];
        let broken = [3, 0, 4, 0];
        let bytes = [&mtu[..], &short, &mtu, &broken, &mtu].concat();
        let (mut read, mut unread) = (Vec::new(), Vec::new());
        each(
            &bytes,
            |attribute| {
                read.push(attribute.u32()?);
                Ok(())
            },
            |why| unread.push(why),
        );
        assert_eq!(read, [1500, 1500]);
        assert_eq!(unread.len(), 2, "{unread:?}");
    }

    #[test]
    fn what_could_not_be_read_is_counted_and_only_partly_kept() {
        let mut unread = Unread::default();
        for _ in 0..60 {
            unread.say("ä".repeat(1000));
        }
        let sentences = unread.into_sentences();
        assert_eq!(sentences.len(), MAX_SENTENCES + 1);
        assert_eq!(sentences[0].chars().count(), MAX_CHARS + 1);
        assert_eq!(
            sentences[MAX_SENTENCES],
            "and 10 more that could not be read"
        );
    }
}
