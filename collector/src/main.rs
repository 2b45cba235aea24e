//! `quorate-collector`: the program; everything is in the library beside it, where the tests find it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    quorate_collector::main()
}
