//! Every command that README.md and docs/ show is run, on a real cluster with a collector beside it, in the order in which it stands there.
//! That there are such commands and options, also those of synopses and of running text, is held by `named.rs`.
//!
//! Needs root, corosync, iproute2, util-linux, python3 and socat.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "all of this is tests, and what it runs is its story"
)]

mod named;
mod stand;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use quorate_tests::documents::{Documented, commands};

use stand::{LEDGER, Stand};

/// Commands that no rack can run, by how they begin, and the file that runs them instead.
const ELSEWHERE: [(&str, &str); 7] = [
    // The real packages, in a plain Debian.
    ("apt install", "xtask/deb/installed.sh"),
    // These are the commands that this is a part of.
    ("cargo xtask", "xtask/src/test.rs"),
    ("cargo build --release", "xtask/src/deb/programs.rs"),
    ("cargo build --profile agent", "xtask/src/deb/programs.rs"),
    ("curl -H 'fleet-lock-protocol", "tests/tests/fleetlock.rs"),
    // It is what the unit starts here.
    ("quorate-collector run", "tests/src/collector.rs"),
    // systemd-logind holds the lock, and a rack has none.
    (
        "quorate-agent guard-reboot",
        "agent/src/guard_reboot/mod.rs",
    ),
];
/// The documents of the first story, in its order: a cluster is set up, and asked.
const ASKED: [&str; 6] = [
    "README.md",
    "docs/agent.md",
    "docs/alerts.md",
    "docs/capture.md",
    "docs/collector.md",
    "docs/terminal.md",
];
/// And then a cable is pulled.
const PULLED: [&str; 1] = ["docs/silences.md"];
/// The second story: what an admin does over the years.
const OPERATED: [&str; 1] = ["docs/operate.md"];

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What is to be run, of these documents.
fn to_run(of: &[&str]) -> Vec<Documented> {
    let all = commands(workspace()).unwrap();
    let of = of.iter().flat_map(|file| {
        all.iter()
            .filter(move |one| one.file == Path::new(file))
            .cloned()
    });
    of.filter(|one| !one.is_synopsis() && is_for_a_rack(one))
        .collect()
}

fn is_for_a_rack(documented: &Documented) -> bool {
    ELSEWHERE
        .iter()
        .all(|(begin, _)| !documented.command.starts_with(begin))
}

#[test]
fn nothing_that_a_document_shows_is_run_by_nobody() {
    let told: BTreeSet<PathBuf> = [ASKED.as_slice(), &PULLED, &OPERATED]
        .concat()
        .iter()
        .map(PathBuf::from)
        .collect();
    for documented in commands(workspace()).unwrap() {
        let is_run = documented.is_synopsis()
            || !is_for_a_rack(&documented)
            || told.contains(&documented.file);
        assert!(is_run, "nobody runs {documented}");
    }
    for (_, file) in ELSEWHERE {
        assert!(workspace().join(file).is_file(), "{file}");
    }
}

#[test]
fn a_cluster_is_set_up_and_asked_as_the_documents_say() {
    let mut stand = Stand::build().unwrap();
    let (set_up, asked): (Vec<_>, Vec<_>) = to_run(&ASKED).into_iter().partition(is_set_up);
    stand.run_all(&set_up).unwrap();
    stand.others_join().unwrap();
    stand.wait_for_all().unwrap();
    stand.make_operator("anna").unwrap();
    stand.have_a_receiver("ops").unwrap();
    stand.run_all(&asked).unwrap();
    stand.have_an_incident().unwrap();
    let pulled = to_run(&PULLED);
    stand.run_all(&pulled).unwrap();
    assert!(
        asked.len() + pulled.len() >= 30,
        "only {} commands were run",
        asked.len()
    );
}

/// The lines of README.md by which it is installed; what comes after them is asked.
fn is_set_up(documented: &Documented) -> bool {
    let words = ["quorate-collector init", "systemctl", "quorate-agent join"];
    let is_one = words
        .iter()
        .any(|word| documented.command.starts_with(word));
    is_one && documented.file == Path::new("README.md")
}

#[test]
fn a_collector_is_operated_as_the_documents_say() {
    let mut stand = Stand::build().unwrap();
    let all = to_run(&OPERATED);
    let joined = all
        .iter()
        .position(|one| one.command.starts_with("quorate-agent join"));
    let (set_up, later) = all.split_at(joined.unwrap() + 1);
    stand.run_all(set_up).unwrap();
    stand.others_join().unwrap();
    stand.wait_for_all().unwrap();
    for documented in later {
        if documented.command == "cd /var/lib/quorate/collector" {
            newer_form(&mut stand);
        }
        stand.run(documented).unwrap();
    }
    stand.wait_for_all().unwrap();
}

/// As a newer collector leaves it: the copy from before, and a ledger of a form that this one does not know, which it refuses.
fn newer_form(stand: &mut Stand) {
    let form = stand
        .ledger("print(c.execute('PRAGMA user_version').fetchone()[0])")
        .unwrap();
    let form: u32 = form.trim().parse().unwrap();
    let newer = form + 1;
    let raise = format!(
        "c.execute('VACUUM INTO \"{LEDGER}.form-{form}\"'); c.execute('PRAGMA user_version = {newer}'); c.commit()"
    );
    stand.ledger(&raise).unwrap();
    let said = stand.refused_start().unwrap();
    assert!(said.contains("was written by a newer version"), "{said}");
    assert!(said.contains(&format!("ledger.db.form-{form}")), "{said}");
    stand.fill_in("form-N", &format!("form-{form}"));
}
