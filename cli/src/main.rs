//! `quorate`: the program; everything is in the library beside it, where the manual finds it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    quorate::main()
}
