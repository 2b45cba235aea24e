use settings::Settings as _;

use super::*;

const EXAMPLE: &str = include_str!("../../../packaging/collector.toml");

fn parse(text: &str) -> Result<Config, SettingsError> {
    settings::parse(Path::new("collector.toml"), text)
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
    let text = "state_dir = '/srv/q'\nlisten = '192.0.2.1:7000'\naddresses = ['a.example', '[::1]:7000']\n\
                enrolment.listen = '[::1]:0'\n";
    let expect = Config {
        state_dir: PathBuf::from("/srv/q"),
        listen: "192.0.2.1:7000".parse().unwrap(),
        addresses: vec!["a.example".to_owned(), "[::1]:7000".to_owned()],
        enrolment_listen: "[::1]:0".parse().unwrap(),
    };
    assert_eq!(parse(text).unwrap(), expect);
}

#[test]
fn every_wrong_key_and_value_is_named_at_once_with_its_line() {
    check_wrong(
        "lsiten = 'x'\n\
         state_dir = 'relative'\n\
         listen = 7460\n\
         addresses = ['a b']\n\
         [enrolment]\n\
         listen = 'localhost'\n\
         [enrolments]\n\
         listen = 'x'\n",
        &[
            "collector.toml:1: unknown key `lsiten`; the nearest known key is `listen`, and all are: state_dir, ",
            "collector.toml:2: `state_dir` must be an absolute path in quotes, and is \"relative\"",
            "collector.toml:3: `listen` must be IP:PORT in quotes",
            "collector.toml:4: `addresses` must be a list of addresses in quotes, such as [\"quorate.example\"]: \"a b\" is not",
            "collector.toml:6: `enrolment.listen` must be IP:PORT in quotes",
            "collector.toml:7: unknown key `enrolments`",
        ],
    );
    check_wrong(
        "enrolment = 3",
        &["collector.toml:1: `enrolment` is a table: write [enrolment]"],
    );
    check_wrong("\n\n[enrolment\n", &["collector.toml:3: "]);
}

#[test]
fn the_default_file_need_not_be_there_but_a_named_one_must() {
    let dir = tempfile::tempdir().unwrap();
    let named = dir.path().join("collector.toml");
    let error = Config::read(Some(&named)).unwrap_err();
    assert!(error.to_string().contains("collector.toml cannot be read"));
    std::fs::write(&named, "state_dir = '/a'\n").unwrap();
    let config = Config::read(Some(&named)).unwrap();
    assert_eq!(config.state_dir, Path::new("/a"));
    if !Path::new(DEFAULT_FILE).exists() {
        assert_eq!(Config::read(None).unwrap(), Config::default());
    }
}
