//! How busy the node is, from seven small files of the kernel. A library for it would bring process lists, disks and
//! sensors along, and would have to be asked for these very numbers.

use model::fact::host::{HostLoad, Pressure, Stall};
use model::parse::proc;
use model::reading::Reading;
use model::text::{Parsed, Unreadable};

use crate::host::Host;
use crate::source::gather::Gathering;

const UPTIME: &str = "proc/uptime";
const LOADAVG: &str = "proc/loadavg";
const MEMINFO: &str = "proc/meminfo";
const CPUS: &str = "sys/devices/system/cpu/online";
const CPU: &str = "proc/pressure/cpu";
const IO: &str = "proc/pressure/io";
const MEMORY: &str = "proc/pressure/memory";
/// `proc/uptime` is of the source of the boot too.
pub(crate) const FILES: &[&str] = &[LOADAVG, MEMINFO, CPUS, CPU, IO, MEMORY];

/// Absent: a captured tree without these files.
pub(crate) fn collect(host: &Host) -> Reading<HostLoad> {
    let mut gathering = Gathering::default();
    let uptime_s = value(host, &mut gathering, UPTIME, proc::uptime);
    let load = value(host, &mut gathering, LOADAVG, proc::loadavg);
    let memory = value(host, &mut gathering, MEMINFO, proc::meminfo);
    let cpus_online = value(host, &mut gathering, CPUS, proc::cpus);
    let pressure = pressure(host, &mut gathering);
    gathering.finish(Some(HostLoad {
        uptime_s,
        cpus_online,
        load,
        memory,
        pressure,
    }))
}

fn pressure(host: &Host, gathering: &mut Gathering) -> Option<Pressure> {
    let mut stall = |path| -> Option<Stall> {
        // A kernel that was booted with psi=0 has the files, and refuses to read them.
        let text = host.read(path);
        if is_switched_off(&text) {
            return None;
        }
        let text = gathering.found(path, text)?;
        gathering.take(&text, proc::pressure(&text.text))
    };
    let pressure = Pressure {
        cpu: stall(CPU),
        io: stall(IO),
        memory: stall(MEMORY),
    };
    (pressure != Pressure::default()).then_some(pressure)
}

fn is_switched_off<T>(read: &Result<T, crate::host::HostError>) -> bool {
    matches!(read, Err(crate::host::HostError::Read { source, .. })
        if source.kind() == std::io::ErrorKind::Unsupported)
}

fn value<T>(
    host: &Host,
    gathering: &mut Gathering,
    path: &str,
    parse: fn(&str) -> Result<Parsed<T>, Unreadable>,
) -> Option<T> {
    let text = gathering.found(path, host.read(path))?;
    gathering.take(&text, parse(&text.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_processor_memory_and_a_load() {
        let reading = collect(&Host::here());
        let Reading::Known {
            value, problems, ..
        } = reading
        else {
            panic!("{reading:?}");
        };
        assert_eq!(problems, []);
        assert!(value.cpus_online.unwrap() >= 1);
        assert!(value.uptime_s.unwrap() > 0.0);
        assert!(value.memory.unwrap().total_bytes.unwrap() > 0);
        assert!(value.load.is_some());
    }

    #[test]
    fn a_tree_without_the_files_has_no_reading() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::captured(dir.path()).unwrap();
        assert_eq!(collect(&host), Reading::Absent);
    }
}
