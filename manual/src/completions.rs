//! What the shells complete; each file is called as its shell looks for it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Command;
use clap_complete::{Shell, generate_to};

/// Shells and their folders.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash"),
    (Shell::Zsh, "zsh"),
    (Shell::Fish, "fish"),
];

pub(crate) fn write(command: &Command, dir: &Path) -> Result<()> {
    let name = command.get_name();
    for (shell, folder) in SHELLS {
        let folder = dir.join(folder);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let written = generate_to(shell, &mut command.clone(), name, &folder)?;
        if shell == Shell::Bash {
            // bash-completion looks for the command's name alone.
            fs::rename(&written, folder.join(name))?;
        }
    }
    Ok(())
}
