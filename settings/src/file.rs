//! The file: read as a whole, and every mistake in it told with its line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::key::{Settings, is_table, unknown};

const MAX_FILE_BYTES: u64 = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("the configuration {} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// One line each, with file and line number.
    #[error("{}", lines.join("\n"))]
    Wrong { lines: Vec<String> },
}

/// Reads the file that `--config` names, which must be there, or else the default one, which need not.
pub fn read<S: Settings>(default: &str, named: Option<&Path>) -> Result<S, SettingsError> {
    let path = named.unwrap_or(Path::new(default));
    match text_of(path) {
        Ok(text) => parse(path, &text),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
            Ok(S::default())
        }
        Err(source) => Err(SettingsError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Reads a text; `path` is what the errors call it.
pub fn parse<S: Settings>(path: &Path, text: &str) -> Result<S, SettingsError> {
    let mut reading = Reading {
        settings: S::default(),
        places: BTreeMap::new(),
        wrong: Vec::new(),
    };
    match DeTable::parse(text) {
        Ok(table) => reading.take("", table.get_ref()),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            reading.wrong.push((at, error.message().to_owned()));
        }
    }
    for contradiction in reading.settings.contradictions() {
        let at = reading.places.get(contradiction.key).copied();
        let why = format!("`{}` {}", contradiction.key, contradiction.why);
        reading.wrong.push((at.unwrap_or_default(), why));
    }
    let mut wrong = reading.wrong;
    if wrong.is_empty() {
        return Ok(reading.settings);
    }
    wrong.sort();
    let path = path.display();
    let lines = wrong
        .into_iter()
        .map(|(at, why)| format!("{path}:{}: {why}", line_number(text.as_bytes(), at)));
    Err(SettingsError::Wrong {
        lines: lines.collect(),
    })
}

struct Reading<S> {
    settings: S,
    /// Where each key stands, in bytes from the beginning.
    places: BTreeMap<String, usize>,
    wrong: Vec<(usize, String)>,
}

impl<S: Settings> Reading<S> {
    fn take(&mut self, above: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = format!("{above}{}", name.get_ref());
            let at = name.span().start;
            let why = match (is_table(S::KEYS, &key), value.get_ref()) {
                (true, DeValue::Table(table)) => {
                    self.take(&format!("{key}."), table);
                    continue;
                }
                (true, _) => format!("`{key}` is a table: write [{key}] and its keys below it"),
                (false, value) => match self.settings.take(&key, value) {
                    Some(Ok(())) => {
                        self.places.insert(key, at);
                        continue;
                    }
                    Some(Err(why)) => format!("`{key}` {why}"),
                    None => unknown(S::KEYS, &key),
                },
            };
            self.wrong.push((at, why));
        }
    }
}

fn line_number(text: &[u8], at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

fn text_of(path: &Path) -> io::Result<String> {
    // Opening a pipe would wait for somebody to write.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let why = format!("it is larger than {} KiB", MAX_FILE_BYTES >> 10);
        return Err(io::Error::other(why));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = line_number(error.as_bytes(), good);
        io::Error::other(format!("line {line} is not UTF-8"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    mod program {
        use std::path::PathBuf;

        use crate::Contradiction;
        use crate::value::absolute_or_none;

        crate::keys! {
            check excluded;
            "a" => a: Option<PathBuf> = None, absolute_or_none;
            "deep.b" => b: Option<PathBuf> = None, absolute_or_none;
        }

        fn excluded(config: &Config) -> Vec<Contradiction> {
            let both = config.a.is_some() && config.b.is_some();
            let key = "deep.b";
            let why = "does not go with `a`".to_owned();
            both.then_some(Contradiction { key, why })
                .into_iter()
                .collect()
        }
    }
    use program::Config;

    #[track_caller]
    fn check(text: &str, expect: &[&str]) {
        let said = match parse::<Config>(Path::new("x.toml"), text) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        let said: Vec<&str> = said.lines().collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn what_contradicts_is_told_with_the_line_of_its_key_wherever_its_name_stands_else() {
        check("[deep]\nb = '/b'\n", &[]);
        let text = "# deep.b, and b\na = '/a'\n[deep] # b\nb = '/b'\n";
        check(text, &["x.toml:4: `deep.b` does not go with `a`"]);
    }

    #[test]
    fn a_key_in_the_wrong_table_and_a_table_that_is_none_are_named() {
        let nearest = |key: &str, known: &str| {
            format!(
                "unknown key `{key}`; the nearest known key is `{known}`, and all are: a, deep.b"
            )
        };
        check("b = 1", &[&format!("x.toml:1: {}", nearest("b", "a"))]);
        check(
            "deep = 1",
            &["x.toml:1: `deep` is a table: write [deep] and its keys below it"],
        );
        check(
            "a = 1\n[dep]\nb = 1\n",
            &[
                "x.toml:1: `a` must be an absolute path in quotes, and is a number",
                &format!("x.toml:2: {}", nearest("dep", "a")),
            ],
        );
    }

    #[test]
    fn a_file_that_is_too_large_or_no_text_or_no_file_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let why = |path: &Path| match read::<Config>("/nowhere", Some(path)) {
            Err(SettingsError::Read { source, .. }) => source.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(why(dir.path()), "it is not a regular file");
        let file = dir.path().join("x.toml");
        std::fs::write(&file, vec![b'#'; (1 << 20) + 1]).unwrap();
        assert_eq!(why(&file), "it is larger than 1024 KiB");
        std::fs::write(&file, b"#\n\n\xff").unwrap();
        assert_eq!(why(&file), "line 3 is not UTF-8");
    }
}
