//! The commands that README.md and docs/ show: tests hold them against the programs' own tables, and run them.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A remark stands this far behind its command.
const GAP: &str = "  ";
/// What stands for the secret that `init` printed.
const SECRET: &str = "--token …";

/// A command in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documented {
    pub file: PathBuf,
    pub line: usize,
    /// What stands before the prompt: whose terminal it is, where the document says so.
    pub place: String,
    pub is_root: bool,
    pub command: String,
}

impl fmt::Display for Documented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            command,
            ..
        } = self;
        write!(f, "{}:{line}: {command}", file.display())
    }
}

impl Documented {
    /// Does it tell how to write a command, with words to be filled in, instead of being one?
    #[must_use]
    pub fn is_synopsis(&self) -> bool {
        // What stands in quotes is meant as it stands.
        let unquoted: String = self.command.split('\'').step_by(2).collect();
        let command = unquoted.replace(SECRET, "");
        let is_to_fill_in = |word: &str| {
            let word = word.trim_matches(|letter: char| !letter.is_alphanumeric());
            !word.is_empty() && word.chars().all(char::is_uppercase)
        };
        command.contains(['[', '…']) || command.split_whitespace().any(is_to_fill_in)
    }
}

/// README.md and all below docs/, with their texts.
fn documents(workspace: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut paths = vec![PathBuf::from("README.md")];
    let mut dirs = vec![PathBuf::from("docs")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(workspace.join(&dir))? {
            let entry = entry?;
            let path = dir.join(entry.file_name());
            if entry.path().is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(workspace.join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        Ok((path, text))
    };
    paths.into_iter().map(read).collect()
}

/// Every command at a prompt.
pub fn commands(workspace: &Path) -> Result<Vec<Documented>> {
    let documents = documents(workspace)?;
    Ok(documents
        .iter()
        .flat_map(|(file, text)| at_prompts(file, text))
        .collect())
}

fn at_prompts(file: &Path, text: &str) -> Vec<Documented> {
    let mut found: Vec<Documented> = Vec::new();
    let (mut is_console, mut goes_on) = (false, false);
    for (number, line) in text.lines().enumerate() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            is_console = !is_console && kind == "console";
            goes_on = false;
            continue;
        }
        if !is_console {
            continue;
        }
        let (words, continues) = without_remark(line);
        if goes_on && let Some(last) = found.last_mut() {
            last.command = format!("{} {}", last.command, words.trim());
        } else if let Some((place, is_root, command)) = prompt(words) {
            found.push(Documented {
                file: file.to_owned(),
                line: number + 1,
                place: place.to_owned(),
                is_root,
                command: command.to_owned(),
            });
        } else {
            continue;
        }
        goes_on = continues;
    }
    found
}

/// The line without its remark, and whether the next one belongs to it.
fn without_remark(line: &str) -> (&str, bool) {
    if let Some(before) = line.strip_suffix('\\') {
        return (before.trim_end(), true);
    }
    let indent = line.len() - line.trim_start().len();
    let (indented, words) = line.split_at(indent);
    let end = words.find(GAP).unwrap_or(words.len());
    (&line[..indented.len() + end], false)
}

/// `pve-01# quorate status`: whose prompt, whether root's, and the command.
fn prompt(line: &str) -> Option<(&str, bool, &str)> {
    let at = line.find(['$', '#'])?;
    let (place, rest) = line.split_at(at);
    let command = rest.get(1..)?.strip_prefix(' ')?;
    let is_name = |letter: char| letter.is_alphanumeric() || "-@:~. ".contains(letter);
    let is_prompt = place.chars().all(is_name) && place.split(' ').count() <= 2;
    is_prompt.then_some((place, rest.starts_with('#'), command.trim()))
}

/// Every command of this program that a text names in backquotes, or shows at a prompt: where, and its words.
pub fn mentions(workspace: &Path, program: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for (file, text) in documents(workspace)? {
        for documented in at_prompts(&file, &text) {
            let inner = documented
                .command
                .split(" && ")
                .flat_map(|part| part.split("; "));
            let ours = inner.filter_map(|part| named(part, program));
            found.extend(ours.map(|words| (documented.to_string(), words.to_owned())));
        }
        for (number, line) in text.lines().enumerate() {
            let spans = line.split('`').skip(1).step_by(2);
            let ours = spans.filter_map(|span| named(span, program));
            let place = format!("{}:{}", file.display(), number + 1);
            found.extend(ours.map(|words| (place.clone(), words.to_owned())));
        }
    }
    Ok(found)
}

/// What stands behind the program's name, which may have a path.
fn named<'a>(command: &'a str, program: &str) -> Option<&'a str> {
    let (first, words) = command.trim().split_once(' ')?;
    let name = first.rsplit('/').next()?;
    (name == program).then_some(words)
}

/// Is there such a command, with such options? Says what is not there. What is to be filled in is taken as it stands.
pub fn hold_against(program: &clap::Command, words: &str) -> Result<(), String> {
    let mut program = program.clone();
    program.build();
    let mut path = vec![&program];
    let (mut is_alternative, mut is_value) = (false, false);
    for word in words.split_whitespace() {
        let word = word.trim_matches(['[', ']', '…', ',', '.', ')', ':']);
        match word {
            "" => {}
            "--" | ">" | "<" => break,
            "|" => is_alternative = true,
            _ => {
                let goes_on = step(&mut path, word, is_alternative, is_value)?;
                if !goes_on {
                    break;
                }
                is_alternative = false;
                is_value = word.starts_with('-');
            }
        }
    }
    Ok(())
}

/// One word further; `false` where another program begins.
fn step(
    path: &mut Vec<&clap::Command>,
    word: &str,
    is_alternative: bool,
    is_value: bool,
) -> Result<bool, String> {
    let Some(here) = path.last().copied() else {
        return Ok(false);
    };
    if let Some(option) = word.strip_prefix("--") {
        let name = option.split(['=', ']', '…', '`']).next();
        let is_there = here.get_arguments().any(|arg| arg.get_long() == name);
        let lack = || format!("`{}` has no option --{option}", here.get_name());
        return is_there.then_some(true).ok_or_else(lack);
    }
    let depth = path
        .iter()
        .rposition(|above| above.find_subcommand(word).is_some());
    let depth = depth.filter(|depth| is_alternative || depth + 1 == path.len());
    if let Some((depth, below)) =
        depth.and_then(|at| Some((at, path.get(at)?.find_subcommand(word)?)))
    {
        path.truncate(depth + 1);
        path.push(below);
        return Ok(true);
    }
    if is_alternative {
        return Ok(false);
    }
    let takes_words = !here.has_subcommands() || here.get_positionals().next().is_some();
    let is_fine = takes_words || is_value || word.starts_with('-');
    let lack = || format!("`{}` has no command {word}", here.get_name());
    is_fine.then_some(true).ok_or_else(lack)
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    reason = "in tests a failed assertion is the point"
)]
mod tests {
    use super::*;

    const TEXT: &str = "\
Text with `quorate status` in it.

```console
collector# apt install ./a.deb
pve-01# quorate check pve-03 \\
      --action reboot         a remark
one node# quorate-agent join HOST --token …    by hand
GO - pve-03 may be rebooted
  (pve-02, pve-03) # no prompt
$ a/quorate risks && ssh pve-03 'reboot [A]'
```

```toml
# quorate nothing
```
";

    fn found() -> Vec<Documented> {
        at_prompts(Path::new("a.md"), TEXT)
    }

    #[test]
    fn a_command_is_what_stands_at_a_prompt_without_its_remark() {
        let found = found();
        let told: Vec<(usize, &str, &str)> = found
            .iter()
            .map(|one| (one.line, &*one.place, &*one.command))
            .collect();
        let expected = [
            (4, "collector", "apt install ./a.deb"),
            (5, "pve-01", "quorate check pve-03 --action reboot"),
            (7, "one node", "quorate-agent join HOST --token …"),
            (10, "", "a/quorate risks && ssh pve-03 'reboot [A]'"),
        ];
        assert_eq!(told, expected);
        assert!(found[0].is_root && !found[3].is_root);
    }

    #[test]
    fn words_to_be_filled_in_make_a_synopsis_and_the_secret_of_init_does_not() {
        let synopses: Vec<bool> = found().iter().map(Documented::is_synopsis).collect();
        assert_eq!(synopses, [false, false, true, false]);
    }

    #[test]
    fn what_a_program_does_not_have_is_found() {
        use clap::{Arg, Command};
        let below = |name| Command::new(name).arg(Arg::new("for").long("for").num_args(1));
        let token = Command::new("token").subcommands([below("create"), below("list")]);
        let program = Command::new("quorate").subcommand(token);
        let hold = |words| hold_against(&program, words);
        assert_eq!(hold("token create [--for 24h] | list"), Ok(()));
        assert_eq!(hold("token list | jq ."), Ok(()));
        for wrong in [
            "tokens",
            "token make",
            "token create --until 1h",
            "--for 1h",
        ] {
            assert!(hold(wrong).is_err(), "{wrong}");
        }
    }
}
