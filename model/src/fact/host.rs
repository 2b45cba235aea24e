//! How busy the node is: load, memory, uptime, and for how much of the time its processes had to wait. Measures, which
//! change all the time; no fact of the cluster hangs on one of them.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostLoad {
    /// Since the boot, suspension included: the kernel's own clock, which no time server moves.
    pub uptime_s: Option<f64>,
    pub cpus_online: Option<u32>,
    pub load: Option<LoadAverage>,
    pub memory: Option<Memory>,
    /// `None`: this kernel was built or booted without pressure stall information.
    pub pressure: Option<Pressure>,
}

/// `/proc/loadavg`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadAverage {
    pub over_1_min: f64,
    pub over_5_min: f64,
    pub over_15_min: f64,
    pub running_tasks: Option<u32>,
    pub tasks: Option<u32>,
}

/// `/proc/meminfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    pub total_bytes: Option<u64>,
    /// What new processes can have without swapping, by the kernel's estimate.
    pub available_bytes: Option<u64>,
    pub swap_total_bytes: Option<u64>,
    pub swap_free_bytes: Option<u64>,
}

/// `/proc/pressure/*`: waiting for a processor, the disks, memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Pressure {
    pub cpu: Option<Stall>,
    pub io: Option<Stall>,
    pub memory: Option<Stall>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stall {
    /// At least one process waited.
    pub some: Option<StallShare>,
    /// All that wanted to run waited. Kernels before 5.13 do not say it of the processor.
    pub full: Option<StallShare>,
}

/// The share of the time, in percent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StallShare {
    pub over_10_s_percent: f64,
    pub over_60_s_percent: f64,
    pub over_300_s_percent: f64,
    pub total_us: u64,
}
