//! Is the node's clock kept right, and by what? From chrony, systemd-timesyncd and systemd-timedated.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::word::words;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// Does the kernel hold its clock for synchronised? Whoever keeps the clock tells it so.
    pub synchronised: Option<bool>,
    /// `None`: chrony is not here, or its daemon does not answer (then a problem says so).
    pub chrony: Option<Chrony>,
    /// The last time systemd-timesyncd set the clock by a server since the boot; `None` where it never did.
    pub timesyncd_at: Option<Timestamp>,
    /// What systemd says; asked only where chrony gives no answer.
    pub timedate: Option<Timedate>,
}

/// `chronyc tracking`. Offsets are positive where the clock is ahead of the true time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Chrony {
    /// Eight hexadecimal digits; an IPv4 address, a reference clock's name, or a hash of an IPv6 address.
    pub reference_id: Option<String>,
    /// The server's address. `None` where no server is followed.
    pub server: Option<String>,
    /// How far from a reference clock; 0 while nothing is followed.
    pub stratum: Option<u8>,
    /// When the last measurement was taken in; `None` while there was none.
    pub measured_at: Option<Timestamp>,
    pub offset_s: Option<f64>,
    pub last_offset_s: Option<f64>,
    pub rms_offset_s: Option<f64>,
    pub frequency_ppm: Option<f64>,
    pub skew_ppm: Option<f64>,
    pub root_delay_s: Option<f64>,
    pub root_dispersion_s: Option<f64>,
    pub update_interval_s: Option<f64>,
    pub leap: Option<Leap>,
}

impl Chrony {
    /// Half of the way to the reference clock and back, and all that can have gone wrong on it: the true time lies
    /// within this around the clock.
    pub fn max_error_s(&self) -> Option<f64> {
        Some(self.offset_s?.abs() + self.root_dispersion_s? + self.root_delay_s? / 2.0)
    }
}

words! {
    /// What comes at the end of the day; or that nothing is followed.
    pub enum Leap {
        Normal = "Normal",
        InsertSecond = "Insert second",
        DeleteSecond = "Delete second",
        NotSynchronised = "Not synchronised",
    }
}

/// `timedatectl show`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timedate {
    pub time_zone: Option<String>,
    pub can_keep_time: Option<bool>,
    /// Is a service that keeps the clock switched on?
    pub keeps_time: Option<bool>,
    /// By the kernel's clock state.
    pub synchronised: Option<bool>,
    /// Does the clock of the mainboard hold local time? It is wrong twice a year then.
    pub hardware_clock_is_local: Option<bool>,
}
