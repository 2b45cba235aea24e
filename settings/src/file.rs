//! The file: read as a whole, and every mistake in it told with its line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::key::{Inner, Settings, Table, is_table, unknown};

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
    let mut reading = Reading::<S>::new("", None, 0);
    match DeTable::parse(text) {
        Ok(table) => reading.take("", table.get_ref()),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            reading.wrong.push((at, error.message().to_owned()));
        }
    }
    let (settings, _, mut wrong) = reading.end();
    if wrong.is_empty() {
        return Ok(settings);
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

/// Where a key stands, in bytes from the beginning, and in which row of a list.
pub(crate) type Places = BTreeMap<(String, Option<usize>), usize>;
/// Where something is wrong, and what.
pub(crate) type Wrong = (usize, String);

pub(crate) struct Reading<S> {
    settings: S,
    /// The name of the table that is read, with a dot.
    above: String,
    row: Option<usize>,
    at: usize,
    places: Places,
    /// Keys whose value was not taken: nothing more is said of them.
    refused: BTreeSet<String>,
    wrong: Vec<Wrong>,
}

impl<S: Settings> Reading<S> {
    pub(crate) fn new(above: &str, row: Option<usize>, at: usize) -> Self {
        Self {
            settings: S::default(),
            above: above.to_owned(),
            row,
            at,
            places: BTreeMap::new(),
            refused: BTreeSet::new(),
            wrong: Vec::new(),
        }
    }

    /// `within`: the tables of this one's own keys, with their dots.
    pub(crate) fn take(&mut self, within: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = format!("{within}{}", name.get_ref());
            let at = name.span().start;
            if let Some(table) = S::TABLES.iter().find(|table| table.name == key) {
                self.take_table(*table, at, value.get_ref());
                continue;
            }
            let full = format!("{}{key}", self.above);
            let why = match (is_table::<S>(&key), value.get_ref()) {
                (true, DeValue::Table(table)) => {
                    self.take(&format!("{key}."), table);
                    continue;
                }
                (true, _) => no_table(&full),
                (false, value) => match self.settings.take(&key, value) {
                    Some(Ok(())) => {
                        self.places.insert((full, self.row), at);
                        continue;
                    }
                    Some(Err(why)) => {
                        self.refused.insert(full.clone());
                        format!("`{full}` {why}")
                    }
                    None => unknown::<S>(&self.above, &key),
                },
            };
            self.wrong.push((at, why));
        }
    }

    fn take_table(&mut self, known: Table, at: usize, value: &DeValue<'_>) {
        let name = format!("{}{}", self.above, known.name);
        match value {
            DeValue::Table(table) if !known.is_list => self.inner(known, None, at, table),
            DeValue::Array(rows) if known.is_list => {
                for (row, value) in rows.iter().enumerate() {
                    let at = value.span().start;
                    match value.get_ref() {
                        DeValue::Table(table) => self.inner(known, Some(row), at, table),
                        _ => self.wrong.push((at, no_list(&name))),
                    }
                }
            }
            _ if known.is_list => self.wrong.push((at, no_list(&name))),
            _ => self.wrong.push((at, no_table(&name))),
        }
    }

    fn inner(&mut self, known: Table, row: Option<usize>, at: usize, table: &DeTable<'_>) {
        let inner = Inner {
            above: &format!("{}{}.", self.above, known.name),
            row,
            at,
            table,
            places: &mut self.places,
            wrong: &mut self.wrong,
        };
        self.settings.take_table(known.name, inner);
    }

    /// The settings with what contradicts itself in them.
    pub(crate) fn end(mut self) -> (S, Places, Vec<Wrong>) {
        for found in self.settings.contradictions() {
            let key = format!("{}{}", self.above, found.key);
            if self.refused.contains(&key) {
                continue;
            }
            let row = found.row.or(self.row);
            let at = self.places.get(&(key.clone(), row)).copied();
            let why = format!("`{key}` {}", found.why);
            self.wrong.push((at.unwrap_or(self.at), why));
        }
        (self.settings, self.places, self.wrong)
    }
}

fn no_table(name: &str) -> String {
    format!("`{name}` is a table: write [{name}] and its keys below it")
}

fn no_list(name: &str) -> String {
    format!("`{name}` is a list of tables: write [[{name}]] and its keys below it, once for each")
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
            let found = both.then(|| Contradiction::new(key, why));
            found.into_iter().collect()
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

    mod site {
        use crate::value::absolute_or_none;
        use std::path::PathBuf;

        crate::keys! {
            struct Row;
            check whole;
            "path" => path: Option<PathBuf> = None, absolute_or_none;
        }
        crate::keys! {
            check once;
            "a" => a: Option<PathBuf> = None, absolute_or_none;
            table "inner" => inner: Row;
            list
            "row" => rows: Row;
            "deep.row" => deep_rows: Row;
        }

        fn whole(row: &Row) -> Vec<crate::Contradiction> {
            let found = row
                .path
                .is_none()
                .then(|| crate::Contradiction::new("path", "is missing"));
            found.into_iter().collect()
        }

        fn once(config: &Config) -> Vec<crate::Contradiction> {
            let twice = |row: &usize| {
                config.rows[..*row]
                    .iter()
                    .any(|other| other.path.is_some() && other.path == config.rows[*row].path)
            };
            let found = (0..config.rows.len()).filter(twice);
            found
                .map(|row| crate::Contradiction::new("row.path", "stands twice").in_row(row))
                .collect()
        }
    }

    #[test]
    fn rows_of_a_list_and_inner_tables_are_read_and_each_mistake_in_them_has_its_line() {
        let read = |text: &str| parse::<site::Config>(Path::new("x.toml"), text);
        let good = read(
            "[inner]\npath = '/i'\n[[row]]\npath = '/a'\n[[row]]\npath = '/b'\n[[deep.row]]\npath = '/d'\n",
        );
        let good = good.unwrap();
        assert_eq!((good.rows.len(), good.deep_rows.len()), (2, 1));
        assert_eq!(good.inner.path.as_deref(), Some(Path::new("/i")));
        assert_eq!(good.rows[1].path.as_deref(), Some(Path::new("/b")));
        let check = |text: &str, expect: &[&str]| {
            let said = read(text).unwrap_err().to_string();
            assert_eq!(said.lines().collect::<Vec<_>>(), expect);
        };
        check(
            "[[row]]\npath = '/a'\n\n[[row]]\n# nothing\n\n[[row]]\npath = '/a'\npaht = 1\n[[row]]\npath = 3\n[[rows]]\n",
            &[
                "x.toml:4: `row.path` is missing",
                "x.toml:8: `row.path` stands twice",
                "x.toml:9: unknown key `row.paht`; the nearest known key is `row.path`, and all are: path",
                "x.toml:11: `row.path` must be an absolute path in quotes, and is a number",
                "x.toml:12: unknown key `rows`; the nearest known key is `row`, and all are: a, [inner], [[row]], \
                 [[deep.row]]",
            ],
        );
        check(
            "deep = 1\n",
            &["x.toml:1: `deep` is a table: write [deep] and its keys below it"],
        );
        check(
            "inner = 1\nrow = 2\n",
            &[
                "x.toml:1: `inner` is a table: write [inner] and its keys below it",
                "x.toml:2: `row` is a list of tables: write [[row]] and its keys below it, once for each",
            ],
        );
        check(
            "row = [1]\n",
            &[
                "x.toml:1: `row` is a list of tables: write [[row]] and its keys below it, once for each",
            ],
        );
        check(
            "[row]\npath = '/a'\n",
            &[
                "x.toml:1: `row` is a list of tables: write [[row]] and its keys below it, once for each",
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
