//! All metrics, in the order in which they are written. docs/metrics.md has the same table for people.

use super::family::{Family, Kind};
use super::{cluster, own};

/// The name of the cluster, which two can share, and its id, which they cannot.
macro_rules! of_cluster {
    ($($more:literal),*) => { &["cluster", "cluster_id" $(, $more)*] };
}

/// A row each: name, kind, labels, values, what it says.
macro_rules! families {
    ($($name:literal $kind:ident $labels:expr, $values:path: $help:literal;)+) => {
        pub(super) const ALL: &[Family] = &[$(Family {
            name: $name,
            kind: Kind::$kind,
            labels: $labels,
            help: $help,
            values: $values,
        },)+];
    };
}

families! {
    "quorate_build_info" Gauge &["version"], own::build:
        "Always 1; the version of the collector.";
    "quorate_start_time_seconds" Gauge &[], own::started:
        "When the collector was started, in seconds since 1970.";
    "quorate_ledger_writable" Gauge &[], own::ledger_writable:
        "1: the last that was to be written into the ledger could be.";
    "quorate_ledger_size_bytes" Gauge &[], own::ledger_bytes:
        "Size of the ledger's file and its log, looked at every 10 s.";
    "quorate_connections" Gauge &[], own::connections:
        "Open connections of agents and people.";
    "quorate_refusals_total" Counter &["reason"], own::refusals:
        "How often somebody was refused, by reason.";
    "quorate_verdicts_total" Counter &["answer"], own::verdicts:
        "Verdicts given to who asked the gate or wanted the lease, by answer: GO, WARN, NO-GO, UNKNOWN.";
    "quorate_receiver_failing" Gauge &["receiver", "kind"], own::receivers_failing:
        "1: the last message to this receiver of alerts did not arrive.";
    "quorate_receiver_failing_since_timestamp_seconds" Gauge &["receiver", "kind"], own::receivers_failing_since:
        "Since when nothing arrives at it, in seconds since 1970; left out where all is well.";
    "quorate_cluster_authority" Gauge of_cluster!(), cluster::authority:
        "1: this collector decides for the cluster now.";
    "quorate_cluster_nodes" Gauge of_cluster!("standing"), cluster::nodes:
        "Nodes by standing: connected, silent, never-heard (since the collector started), revoked.";
    "quorate_node_last_heard_age_seconds" Gauge of_cluster!("node"), cluster::node_heard:
        "How long ago the node's agent was heard; left out where it was not heard since the collector started, or is revoked.";
    "quorate_cluster_quorate" Gauge of_cluster!(), cluster::quorate:
        "1: a part of the cluster is quorate, by the word of nodes that are heard; left out where none tells.";
    "quorate_cluster_votes" Gauge of_cluster!(), cluster::votes_present:
        "Votes of the quorate part, or of the largest where none is.";
    "quorate_cluster_votes_expected" Gauge of_cluster!(), cluster::votes_expected:
        "Votes that it expects.";
    "quorate_cluster_votes_needed" Gauge of_cluster!(), cluster::votes_needed:
        "Votes that it needs to be quorate.";
    "quorate_cluster_votes_margin" Gauge of_cluster!(), cluster::votes_margin:
        "Votes that may be lost until quorum is; left out without quorum.";
    "quorate_cluster_incidents" Gauge of_cluster!("severity"), cluster::incidents:
        "Open incidents that are no symptom of another one, by severity; left out while the ledger cannot be written.";
    "quorate_cluster_lease_held" Gauge of_cluster!(), cluster::lease_held:
        "1: the maintenance lease is held; left out where this collector does not decide.";
    "quorate_cluster_events_total" Counter of_cluster!(), cluster::events:
        "Events of the nodes that were ever kept.";
    "quorate_cluster_ledger_revision" Gauge of_cluster!(), cluster::ledger_revision:
        "Number of the last decision in the cluster's ledger.";
    "quorate_cluster_alerts_owed" Gauge of_cluster!(), cluster::alerts_owed:
        "Messages that have not arrived at all of their receivers.";
    "quorate_cluster_alerts_given_up_total" Counter of_cluster!(), cluster::alerts_given_up:
        "Messages that were ever given up.";
}
