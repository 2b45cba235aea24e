//! A client that nobody here wrote, against a real collector: gRPC's own Python with code generated from the .proto
//! files enrols, streams a report and asks.
//!
//! Needs root, corosync, iproute2, util-linux, and python3-venv.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use quorate_tests::{Collector, Rack, python};

#[test]
fn a_client_of_another_make_enrols_streams_and_asks() {
    let mut rack = Rack::new(1, 1).unwrap();
    let collector = Collector::start(&mut rack, 1).unwrap();
    let invitation = collector.token(&rack, &[]).unwrap();
    let (operator, _) = collector.operator(&rack).unwrap();
    let interpreter = python::interpreter().unwrap();
    let mut client = rack
        .command(collector.station(), &interpreter.to_string_lossy())
        .unwrap();
    client.arg(python::client());
    client.arg("--protos").arg(python::protos());
    client.args(["--enrolment", &invitation.enrolment]);
    client.args(["--token", &invitation.token, "--operator", operator]);
    client.args(["--version", env!("CARGO_PKG_VERSION")]);
    let output = client.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    python::check(&serde_json::from_slice(&output.stdout).unwrap()).unwrap();
}
