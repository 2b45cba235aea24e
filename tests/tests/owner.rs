//! Root at the collector's commands: what is done in a state directory of somebody else is done as that user.
//!
//! Needs root.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Output};

use quorate_tests::collector_binary;

const NOBODY: u32 = 65_534;

fn collector(dir: &Path, words: &[&str]) -> Output {
    let mut collector = Command::new(collector_binary().unwrap());
    collector.args(words);
    collector.arg("--config").arg(dir.join("collector.toml"));
    collector.output().unwrap()
}

#[test]
fn what_root_makes_is_the_collector_s_and_what_only_root_can_read_is_not_called_good() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (state, token) = (dir.path().join("state"), dir.path().join("token"));
    fs::create_dir(&state).unwrap();
    chown(&state, Some(NOBODY), Some(NOBODY)).unwrap();
    let config = format!(
        "state_dir = '{}'\n[[receiver.slack]]\nname = 'ops'\ntoken = 'file:{}'\nchannel = '#ops'\n",
        state.display(),
        token.display()
    );
    fs::write(dir.path().join("collector.toml"), config).unwrap();

    let made = collector(dir.path(), &["init", "--address", "localhost"]);
    assert!(made.status.success(), "{made:?}");
    for name in ["identity.db", "ca", "ca/key.pem"] {
        let owner = state.join(name).metadata().unwrap().uid();
        assert_eq!(owner, NOBODY, "{name}");
    }

    fs::write(&token, "xoxb-0123456789").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let unread = collector(dir.path(), &["check-config"]);
    let said = String::from_utf8_lossy(&unread.stderr).into_owned();
    assert_eq!(unread.status.code(), Some(3), "{said}");
    assert!(said.contains("Permission denied"), "{said}");
    chown(&token, None, Some(NOBODY)).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(collector(dir.path(), &["check-config"]).status.success());
}
