//! The manual pages of the configuration files: each is the documented example, which a test of its program holds against the table
//! of keys.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap_mangen::roff::{Roff, roman};

struct File {
    program: &'static str,
    path: &'static str,
    what: &'static str,
    applies: &'static str,
    example: &'static str,
}

const FILES: [File; 2] = [
    File {
        program: "quorate-agent",
        path: "/etc/quorate/agent.toml",
        what: "configuration of Quorate's agent on a node",
        applies: "It is read when the agent starts: systemctl restart quorate-agent.",
        example: include_str!("../../packaging/agent.toml"),
    },
    File {
        program: "quorate-collector",
        path: "/etc/quorate/collector.toml",
        what: "configuration of Quorate's collector",
        applies: "It is read when the collector starts; systemctl reload quorate-collector has receivers, routes and the heartbeat \
                  read again. quorate-collector check-config finds what is wrong with it.",
        example: include_str!("../../packaging/collector.toml"),
    },
];

pub(crate) fn write_all(dir: &Path) -> Result<()> {
    for file in FILES {
        let name = format!("{}.toml", file.program);
        let path = dir.join(format!("{name}.5"));
        fs::write(&path, page(&name, &file).to_roff())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn page(name: &str, file: &File) -> Roff {
    let source = format!("Quorate {}", env!("CARGO_PKG_VERSION"));
    let mut roff = Roff::new();
    roff.control("TH", [name, "5", "", &source, "Quorate"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!("{name} - {}", file.what))]);
    roff.control("SH", ["SYNOPSIS"]).text([roman(file.path)]);
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(format!(
        "TOML. The file need not be there. Below stands every key with its default; a key that is not known, or a value that is not \
         allowed, is an error that names the line and what is allowed. {}",
        file.applies
    ))]);
    roff.control("SH", ["KEYS"]).control("nf", []);
    for line in file.example.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []).control("SH", ["SEE ALSO"]);
    roff.text([roman(format!("{}(8)", file.program))]);
    roff
}
