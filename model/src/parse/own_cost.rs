//! What a process costs: `/proc/PID/smaps_rollup` and `/proc/PID/stat` (proc(5)).

/// The line `Pss:` of `smaps_rollup`, in KiB.
pub fn proportional_memory_kib(smaps_rollup: &str) -> Option<u64> {
    let line = smaps_rollup
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// User and system time of the process and of its children that have ended, from `stat`, in clock ticks.
pub fn cpu_ticks(stat: &str) -> Option<u64> {
    // The program's name is in parentheses and may hold anything, parentheses too.
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace();
    // utime, stime, cutime, cstime: fields 14 to 17, and field 3 is the first behind the name.
    let times: Vec<u64> = fields
        .by_ref()
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse().ok())
        .collect();
    (times.len() == 4).then(|| {
        times
            .iter()
            .fold(0_u64, |sum, time| sum.saturating_add(*time))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_time_are_read_from_the_kernels_lines() {
        let rollup = "55d0-7ffc ---p 00000000 00:00 0 [rollup]\nRss:     9688 kB\nPss:     8340 kB\nPss_Dirty: 928 kB\n";
        assert_eq!(proportional_memory_kib(rollup), Some(8340));
        assert_eq!(proportional_memory_kib("Pss: many kB"), None);
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 0 0 0 12 3 400 50 20 0 9 0 8812 1 2\n";
        assert_eq!(cpu_ticks(stat), Some(465));
        assert_eq!(cpu_ticks("7 (a) S 1"), None);
        assert_eq!(cpu_ticks(""), None);
    }
}
