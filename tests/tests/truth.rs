//! `what-if` against real corosync: asked before, then done, and every node's membership and quorum compared.
//!
//! `QUORATE_FAILURES` says how many are played, `QUORATE_SEED` which; docs/testing.md names the full volume. Needs root,
//! corosync, iproute2 and util-linux.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "all of this is tests"
)]

use quorate_tests::truth;

const FAILURES: usize = 6;
/// Racks that stand at the same time.
const AT_ONCE: usize = 2;

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().unwrap())
}

#[test]
fn what_a_failure_does_to_the_real_cluster_was_foretold() {
    let seed = number("QUORATE_SEED").unwrap_or_else(|| fastrand::u64(..));
    let failures = number("QUORATE_FAILURES").map_or(FAILURES, |many| many.try_into().unwrap());
    let at_once = number("QUORATE_RACKS").map_or(AT_ONCE, |many| many.try_into().unwrap());
    eprintln!("seed {seed}");
    let tally = truth::run(seed, failures, at_once, &|line| eprintln!("{line}")).unwrap();
    eprintln!("{tally}");
    assert_eq!(tally.disagreements, Vec::<String>::new(), "seed {seed}");
    assert_eq!(tally.agreed + tally.not_foretold, failures);
}
