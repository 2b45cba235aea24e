//! How a configuration file is read. A program names its keys in one table, and a file that says something unknown or
//! impossible is an error that names file, line, key and what is allowed, all of them at once.
//!
//! Which keys there are, and what they mean, stands with the program that has them.
//!
//! Beside it what systemd sets and is told where it runs the program: [`systemd`].

mod file;
mod key;
pub mod systemd;
pub mod value;

pub use file::{SettingsError, parse, read};
pub use key::{Contradiction, Inner, Settings, Table, in_text, nearest};
pub use value::{Taken, Value};
