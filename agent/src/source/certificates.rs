//! The certificates of a Proxmox VE node, as `openssl` reads them: when they end, and the cluster's identity, which is the
//! unit in the subject of its own authority.

use model::fact::certificate::Certificate;
use model::parse::openssl_x509;
use model::reading::Reading;

use crate::host::{Command, Host, HostError};
use crate::source::gather::Gathering;

macro_rules! certificate {
    ($path:literal, $word:literal) => {
        Command {
            path: "/usr/bin/openssl",
            args: &[
                "x509", "-in", $path, "-noout", "-subject", "-enddate", "-nameopt", "RFC2253",
            ],
            words: &[$word],
        }
    };
}

pub(crate) const COMMANDS: &[Command] = &[
    certificate!("/etc/pve/pve-root-ca.pem", "%etc%pve%pve-root-ca.pem"),
    certificate!("/etc/pve/local/pve-ssl.pem", "%etc%pve%local%pve-ssl.pem"),
    certificate!(
        "/etc/pve/local/pveproxy-ssl.pem",
        "%etc%pve%local%pveproxy-ssl.pem"
    ),
];

/// Absent: this is no node of Proxmox VE. `pveproxy-ssl.pem` is only there where somebody put one.
pub(crate) fn collect(host: &Host) -> Reading<Vec<Certificate>> {
    let mut gathering = Gathering::default();
    let mut certificates = Vec::new();
    for command in COMMANDS {
        let file = file(command);
        if !host.is_captured() && !gathering.found(file, is_there(host, command)) {
            continue;
        }
        let name = file.rsplit('/').next().unwrap_or_default();
        for text in gathering.ask(host, command) {
            let read = openssl_x509::parse(name, &text.text);
            certificates.extend(gathering.take(&text, read));
        }
    }
    let value = (!certificates.is_empty()).then_some(certificates);
    gathering.finish(value)
}

/// Has this node the file that the command reads? `etc/pve/local` leads to the directory of this node.
pub(crate) fn is_there(host: &Host, command: &Command) -> Result<bool, HostError> {
    let Some((dir, name)) = file(command).trim_start_matches('/').rsplit_once('/') else {
        return Ok(false);
    };
    let names = host.list(dir)?.unwrap_or_default();
    Ok(names.iter().any(|found| found == name))
}

fn file(command: &Command) -> &'static str {
    command.args.get(2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_captured_certificate_is_read_and_where_there_is_none_it_is_absent() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::captured(dir.path()).unwrap();
        assert_eq!(collect(&host), Reading::Absent);
        let commands = dir.path().join("commands");
        std::fs::create_dir(&commands).unwrap();
        let text = "subject=OU=7fd2cb5c,CN=Proxmox Virtual Environment\nnotAfter=Nov 18 09:33:52 2036 GMT\n";
        std::fs::write(commands.join(COMMANDS[0].capture_name()), text).unwrap();
        let reading = collect(&host);
        let read = reading.known().unwrap();
        assert_eq!((read.len(), read[0].name.as_str()), (1, "pve-root-ca.pem"));
        assert_eq!(read[0].unit.as_deref(), Some("7fd2cb5c"));
    }
}
