//! Starts the agent anew with an allocator that gives back what it does not need.
//!
//! corosync's libraries take five buffers of 1 MiB that are hardly touched. glibc takes them straight from the kernel,
//! untouched; but after the first of them was given back it raises its threshold, takes the next ones from the heap, and
//! clears them: 5 MiB resident after the first restart of corosync. With a fixed threshold it does not. And a heap for
//! each of the threads that come and go is more than they need: two serve. Nor need the stacks of those that went be kept
//! for the next. All that can only be said in the environment, before the program starts (mallopt(3) would be a call into C).

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

const VARIABLE: &str = "GLIBC_TUNABLES";
const VALUE: &str =
    "glibc.malloc.mmap_threshold=131072:glibc.malloc.arena_max=2:glibc.pthread.stack_cache_size=0";

/// Comes back only if it need not be done, or cannot be: then it is just a bit larger. Whoever sets the variable himself
/// knows why.
pub(super) fn start_anew() {
    if env::var_os(VARIABLE).is_none() {
        let args = env::args_os().skip(1);
        // It does not return but with an error.
        let _ = Command::new("/proc/self/exe")
            .args(args)
            .env(VARIABLE, VALUE)
            .exec();
    }
}
