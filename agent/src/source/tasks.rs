//! The tasks of Proxmox VE on this node, from the lists below `/var/log/pve/tasks`. A task that is in the list without an
//! end runs only if its process is there with the start time that its name holds; a captured tree cannot tell.

use model::fact::tasks::{Backups, Task, Tasks};
use model::parse::tasks;
use model::reading::Reading;

use crate::host::Host;
use crate::source::gather::{Gathering, NotRead};

const ACTIVE: &str = "var/log/pve/tasks/active";
const INDEX: &str = "var/log/pve/tasks/index";
/// What `index` was before it grew too long.
const OLDER_INDEX: &str = "var/log/pve/tasks/index.1";
pub(crate) const FILES: &[&str] = &[ACTIVE, INDEX, OLDER_INDEX];

/// How much of the end of each index is read: more than 5,000 tasks.
const MAX_INDEX_BYTES: u64 = 512 << 10;

/// Absent: there are no lists, so this is no Proxmox VE. Failed: what runs cannot be told, whatever else could be read.
pub(crate) fn collect(host: &Host) -> Reading<Tasks> {
    let mut gathering = Gathering::default();
    let Ok(active) = gathering.file(host, ACTIVE, tasks::parse_active) else {
        return gathering.fail();
    };
    let newer = index(host, INDEX, &mut gathering);
    let older = index(host, OLDER_INDEX, &mut gathering);
    let found = active.is_some()
        || [&newer, &older]
            .iter()
            .any(|list| matches!(list, Ok(Some(_))));
    let mut tasks = active.unwrap_or_default();
    tasks.backups = backups(newer, older);
    if !host.is_captured() {
        for running in &mut tasks.running {
            running.alive = is_alive(host, &running.task, &mut gathering);
        }
    }
    gathering.finish(found.then_some(tasks))
}

/// What the older list tells goes less far back than it could if it cannot be read; without the newer one, what it tells
/// would be yesterday's news.
fn backups(
    newer: Result<Option<Backups>, NotRead>,
    older: Result<Option<Backups>, NotRead>,
) -> Option<Backups> {
    let mut backups = newer.ok()?.unwrap_or_default();
    if let Ok(Some(older)) = older {
        backups.merge(older);
    }
    Some(backups)
}

fn index(host: &Host, path: &str, gathering: &mut Gathering) -> Result<Option<Backups>, NotRead> {
    let opened = host.open(path).map(|opened| opened.map(|opened| opened.at));
    let Some(at) = gathering.seen(path, opened)? else {
        return Ok(None);
    };
    let Some((text, cut)) = gathering.seen(path, host.read_end(path, MAX_INDEX_BYTES))? else {
        return Ok(None);
    };
    let read = gathering.take_from(path, at, tasks::parse_index(&text, cut));
    read.map(Some).ok_or(NotRead)
}

/// Is its process there, and the same one? `None`, and a problem, if that cannot be told.
fn is_alive(host: &Host, task: &Task, gathering: &mut Gathering) -> Option<bool> {
    let path = format!("proc/{}/stat", task.pid);
    match host.read(&path) {
        Ok(None) => Some(false),
        Ok(Some(stat)) => tasks::start_ticks(&stat.text).map(|ticks| ticks == task.pid_start),
        Err(error) => {
            gathering.remark(&path, crate::host::said(&error));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const BACKUP: &str = "UPID:pve-01:00000502:00000902:655A0000:vzdump:100:root@pam:";

    #[track_caller]
    fn read(files: &[(&str, &str)]) -> Reading<Tasks> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let full = root.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, text).unwrap();
        }
        collect(&Host::captured(root.path()).unwrap())
    }

    #[test]
    fn both_indexes_tell_of_backups_and_a_capture_not_of_processes() {
        let reading = read(&[
            (ACTIVE, &format!("{BACKUP} 0\n")),
            (INDEX, &format!("{BACKUP} 655A0100 OK\n")),
            (OLDER_INDEX, &format!("{BACKUP} 65500100 OK\n")),
        ]);
        let tasks = reading.known().unwrap();
        assert_eq!(tasks.running[0].alive, None);
        let backups = tasks.backups.as_ref().unwrap();
        assert_eq!(backups.newest_of_guest[&100].as_second(), 0x655A_0100);
        assert_eq!(backups.seen_since.unwrap().as_second(), 0x6550_0100);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_not_an_empty_one() {
        let ended = format!("{BACKUP} 655A0100 OK\n");
        let without_active = read(&[(ACTIVE, "what\n"), (INDEX, &ended)]);
        assert!(matches!(without_active, Reading::Failed { .. }));
        let backups = |files: &[(&str, &str)]| read(files).known().unwrap().backups.clone();
        let running = format!("{BACKUP} 0\n");
        let broken_index = [
            (ACTIVE, &*running),
            (INDEX, "what\n"),
            (OLDER_INDEX, &ended),
        ];
        assert_eq!(backups(&broken_index), None);
        let broken_older = [
            (ACTIVE, &*running),
            (INDEX, &ended),
            (OLDER_INDEX, "what\n"),
        ];
        assert_eq!(backups(&broken_older).unwrap().newest_of_guest.len(), 1);
        assert_eq!(backups(&[(ACTIVE, &running)]), Some(Backups::default()));
    }

    #[test]
    fn a_task_lives_if_its_process_began_when_its_name_says() {
        let host = Host::here();
        let stat = host.read("proc/self/stat").unwrap().unwrap().text;
        let pid_start = tasks::start_ticks(&stat).unwrap();
        let mut gathering = Gathering::default();
        let line = |pid: u32, start: u64| {
            let text = format!("UPID:a:{pid:08X}:{start:08X}:655A0000:vzdump::root@pam: 0\n");
            tasks::parse_active(&text)
                .unwrap()
                .value
                .running
                .remove(0)
                .task
        };
        let own = std::process::id();
        assert_eq!(
            is_alive(&host, &line(own, pid_start), &mut gathering),
            Some(true)
        );
        assert_eq!(
            is_alive(&host, &line(own, pid_start + 1), &mut gathering),
            Some(false)
        );
        // No process has this number: the kernel's limit is 2^22.
        assert_eq!(
            is_alive(&host, &line(1 << 30, pid_start), &mut gathering),
            Some(false)
        );
    }

    #[test]
    fn a_node_without_the_lists_has_no_tasks_and_a_broken_list_has_failed() {
        assert_eq!(read(&[]), Reading::Absent);
        assert!(matches!(
            read(&[(ACTIVE, "what\n")]),
            Reading::Failed { .. }
        ));
        assert!(read(&[(ACTIVE, "")]).known().is_some());
    }
}
