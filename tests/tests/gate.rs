//! `quorate check` before real nodes are stopped: no GO is false. `QUORATE_SITUATIONS` says how many are played,
//! `QUORATE_SEED` which; docs/testing.md names the full volume. Needs root, corosync, iproute2 and util-linux.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "all of this is tests"
)]

use quorate_tests::gate;

const SITUATIONS: usize = 6;

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().unwrap())
}

#[test]
fn after_no_go_the_rest_of_a_real_cluster_loses_its_quorum() {
    let seed = number("QUORATE_SEED").unwrap_or_else(|| fastrand::u64(..));
    let situations =
        number("QUORATE_SITUATIONS").map_or(SITUATIONS, |many| many.try_into().unwrap());
    eprintln!("seed {seed}");
    let tally = gate::run(seed, situations, &|line| eprintln!("{line}")).unwrap();
    eprintln!("{tally}");
    assert_eq!(tally.wrong, Vec::<String>::new(), "seed {seed}");
}
