//! `cargo xtask gen`: makes the code of `proto/src/generated` from the .proto files, without a `protoc`.
//!
//! The code is checked in, so that building needs none of this; the test command makes it again and compares.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use prost::Message as _;

const SOURCES: &str = "proto/proto";
const GENERATED: &str = "proto/src/generated";
/// The messages and services, described for reflection.
const DESCRIPTORS: &str = "quorate.v1.bin";

/// Makes the code of the wire from the .proto files
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<()> {
    generate(Path::new(GENERATED))
}

/// What is checked in must be what the .proto files give.
pub(crate) fn check() -> Result<()> {
    let fresh = tempfile::tempdir()?;
    generate(fresh.path())?;
    for file in files_of(fresh.path())? {
        let name = file.file_name().unwrap_or_default();
        let checked_in = Path::new(GENERATED).join(name);
        let same = std::fs::read(&checked_in).ok() == Some(std::fs::read(&file)?);
        ensure!(
            same,
            "{} is not what the .proto files give: run `cargo xtask gen`",
            checked_in.display()
        );
    }
    Ok(())
}

fn generate(into: &Path) -> Result<()> {
    let mut sources: Vec<PathBuf> = files_of(&Path::new(SOURCES).join("quorate/v1"))?;
    sources.sort();
    let descriptors = protox::compile(&sources, [SOURCES])?;
    let server = r#"#[cfg(feature = "server")]"#;
    tonic_prost_build::configure()
        .out_dir(into)
        .server_mod_attribute(".", server)
        .compile_fds(descriptors.clone())
        .context("the code cannot be generated")?;
    // Comments are for readers of the .proto files, not for whoever asks a running collector.
    let mut descriptors = descriptors;
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    std::fs::write(into.join(DESCRIPTORS), descriptors.encode_to_vec())?;
    Ok(())
}

fn files_of(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}
