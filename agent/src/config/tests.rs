use settings::Settings as _;

use super::*;

const EXAMPLE: &str = include_str!("../../../packaging/agent.toml");

fn parse(text: &str) -> Result<Config, SettingsError> {
    settings::parse(Path::new("agent.toml"), text)
}

/// What is said of a text, line by line.
#[track_caller]
fn check_wrong(text: &str, expect: &[&str]) {
    let said = parse(text).unwrap_err().to_string();
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said.len(), expect.len(), "{said:#?}");
    for (said, expect) in said.iter().zip(expect) {
        assert!(said.starts_with(expect), "{said}\n{expect}");
    }
}

#[test]
fn the_example_holds_every_key_with_its_default() {
    let mut known = Config::KEYS.to_vec();
    known.sort_unstable();
    assert_eq!(settings::in_text(EXAMPLE), known);
    assert_eq!(parse(EXAMPLE).unwrap(), Config::default());
    assert!(EXAMPLE.starts_with(&format!("# {DEFAULT_FILE}: ")));
}

#[test]
fn nothing_said_is_the_default_and_what_is_said_is_taken() {
    assert_eq!(parse("").unwrap(), Config::default());
    let text = "state_dir = '/srv/q'\nsocket='/run/q.sock'\nspool.max_mib = 0x20\n[journal]\n\
                namespace = 'lab-1'\n[sources]\n\
                disabled = ['ceph', 'lldp', 'ceph']\n";
    let expect = Config {
        state_dir: PathBuf::from("/srv/q"),
        socket: PathBuf::from("/run/q.sock"),
        journal_directory: None,
        journal_namespace: Some("lab-1".to_owned()),
        spool_max_mib: 32,
        sources_disabled: vec![Family::Ceph, Family::Lldp],
    };
    assert_eq!(parse(text).unwrap(), expect);
}

#[test]
fn a_directory_and_a_namespace_of_the_journal_exclude_each_other() {
    let directory = "journal.directory = '/var/log/journal'\n";
    assert!(parse(directory).is_ok());
    let both = parse(&format!("{directory}journal.namespace = 'lab-1'\n"));
    let why = both.unwrap_err().to_string();
    assert!(
        why.starts_with("agent.toml:2: `journal.namespace` does not go with"),
        "{why}"
    );
}

#[test]
fn every_wrong_key_and_value_is_named_at_once_with_its_line() {
    check_wrong(
        "sokcet = '/run/x'\n\
         max_mib = 3\n\
         state_dir = 'relative'\n\
         [journal]\n\
         namespaces = 'x'\n\
         directory = 7\n\
         [spool]\n\
         max_mib = 0\n\
         [sources]\n\
         disabled = ['cehp']\n\
         [collector]\n\
         address = 'x'\n",
        &[
            "agent.toml:1: unknown key `sokcet`; the nearest known key is `socket`, and all are: state_dir, ",
            "agent.toml:2: unknown key `max_mib`; the nearest known key is `spool.max_mib`",
            "agent.toml:3: `state_dir` must be an absolute path in quotes, and is \"relative\"",
            "agent.toml:5: unknown key `journal.namespaces`; the nearest known key is `journal.namespace`",
            "agent.toml:6: `journal.directory` must be an absolute path in quotes, and is a number",
            "agent.toml:8: `spool.max_mib` must be a whole number of MiB from 1 to 1024, and is 0",
            "agent.toml:10: `sources.disabled` names \"cehp\", which is no source; the nearest one is \"ceph\"",
            "agent.toml:11: unknown key `collector`",
        ],
    );
}

#[test]
fn types_and_bounds_are_checked() {
    for (text, expect) in [
        ("spool = 3", "`spool` is a table: write [spool]"),
        ("spool.max_mib = 1025", "`spool.max_mib` must be a whole"),
        ("spool.max_mib = -1", "`spool.max_mib` must be a whole"),
        ("spool.max_mib = 1.5", "`spool.max_mib` must be a whole"),
        ("spool.max_mib = '16'", "`spool.max_mib` must be a whole"),
        (
            "spool.max_mib = 99999999999",
            "`spool.max_mib` must be a whole",
        ),
        ("state_dir = ''", "`state_dir` must be an absolute"),
        (
            "sources.disabled = 'ceph'",
            "`sources.disabled` must be a list",
        ),
        (
            "sources.disabled = [3]",
            "`sources.disabled` must be a list",
        ),
        (
            "journal.namespace = 'a/b'",
            "`journal.namespace` must be the name",
        ),
        (
            "journal.namespace = ['a']",
            "`journal.namespace` must be the name",
        ),
    ] {
        check_wrong(text, &[&format!("agent.toml:1: {expect}")]);
    }
    let long = format!("socket = '/{}'", "x".repeat(107));
    check_wrong(
        &long,
        &["agent.toml:1: `socket` must be a path of at most 107 bytes, and has 108"],
    );
}

#[test]
fn a_text_that_is_no_toml_names_its_line() {
    check_wrong("socket = '/a'\nsocket = '/b'\n", &["agent.toml:2: "]);
    check_wrong("\n\n[spool\n", &["agent.toml:3: "]);
}

#[test]
fn the_default_file_need_not_be_there_but_a_named_one_must() {
    let dir = tempfile::tempdir().unwrap();
    let named = dir.path().join("agent.toml");
    let error = Config::read(Some(&named)).unwrap_err();
    assert!(error.to_string().contains("agent.toml cannot be read"));
    assert!(Config::read(Some(dir.path())).is_err());
    std::fs::write(&named, b"socket = '/a'\nstate_dir = '\xff'\n").unwrap();
    let error = Config::read(Some(&named)).unwrap_err();
    assert_eq!(
        crate::host::said(&error).rsplit_once(": ").unwrap().1,
        "line 2 is not UTF-8"
    );
    std::fs::write(&named, "socket = '/a'\n").unwrap();
    assert_eq!(Config::read(Some(&named)).unwrap().socket, Path::new("/a"));
    if !Path::new(DEFAULT_FILE).exists() {
        assert_eq!(Config::read(None).unwrap(), Config::default());
    }
}
