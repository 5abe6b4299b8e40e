//! The `keyrite` command: hardens the process, then runs the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    keyrite::cli::harden();
    keyrite::cli::run()
}
