//! A JSON object in the middle of what a tool printed: warnings may stand around it (`2>&1`, log lines of librados or
//! lldpd).

use serde_json::{Deserializer, Value};

use crate::text::{BadLine, Line, Unreadable, lines};

/// A tool's JSON object, and the lines that stood around it.
pub(in crate::parse) struct Document<'a> {
    pub(in crate::parse) value: Value,
    pub(in crate::parse) around: Vec<Line<'a>>,
}

/// Reads the object that begins with the first line that begins with a brace. `None` if no line does.
pub(in crate::parse) fn document(text: &str) -> Option<Result<Document<'_>, Unreadable>> {
    let mut around = Vec::new();
    let mut offset = 0;
    for (index, whole) in text.split_inclusive('\n').enumerate() {
        if whole.trim_start().starts_with('{') {
            let json = text.get(offset..)?;
            return Some(object(json, index, around));
        }
        offset += whole.len();
        let line = Line {
            number: index + 1,
            text: whole.trim_end(),
        };
        if !line.is_blank() && around.len() < MAX_AROUND {
            around.push(line);
        }
    }
    None
}

/// How many of the lines around the JSON are looked at.
const MAX_AROUND: usize = 20;

fn object<'a>(
    json: &'a str,
    lines_before: usize,
    mut around: Vec<Line<'a>>,
) -> Result<Document<'a>, Unreadable> {
    let mut values = Deserializer::from_str(json).into_iter::<Value>();
    let value = match values.next() {
        Some(Ok(value)) => value,
        Some(Err(error)) => return Err(shifted(Unreadable::from_json(json, &error), lines_before)),
        None => return Err(Unreadable::Empty),
    };
    let end = values.byte_offset();
    let before = json.get(..end).unwrap_or_default().matches('\n').count();
    let behind = lines(json.get(end..).unwrap_or_default());
    around.extend(
        behind
            .filter(|line| !line.is_blank())
            .map(|line| Line {
                number: lines_before + before + line.number,
                text: line.text,
            })
            .take(MAX_AROUND),
    );
    Ok(Document { value, around })
}

/// The line number in the whole text, not in the JSON part of it.
fn shifted(unreadable: Unreadable, by: usize) -> Unreadable {
    match unreadable {
        Unreadable::BadLine(bad) => Unreadable::BadLine(BadLine {
            line_number: bad.line_number + by,
            ..bad
        }),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_around_the_json_are_kept_with_their_numbers() {
        let read = document("warning: a\n\n{\"b\":\n1}\nwarning: c").unwrap();
        let around = read.unwrap().around;
        assert_eq!(around[0].number, 1);
        assert_eq!((around[1].number, around[1].text), (5, "warning: c"));
        assert!(document("[errno 110] no json").is_none());
    }

    #[test]
    fn broken_json_is_said_with_the_line_of_the_whole_text() {
        let read = document("warning\n{\"b\":\nnope}").unwrap();
        let Err(Unreadable::BadLine(bad)) = read.map(|_| ()) else {
            panic!("it was read");
        };
        assert_eq!(bad.line_number, 3);
    }
}
