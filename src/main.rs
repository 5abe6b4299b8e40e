//! The command: hardens the process, parses, calls, and returns the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    keyrite::cli::harden();
    keyrite::cli::run()
}
