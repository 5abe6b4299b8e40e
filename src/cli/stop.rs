//! Cancellation: Ctrl-C ends a prompt at once, and other work at the next safe point. A second
//! Ctrl-C ends the program at once.

use std::io::{PipeReader, PipeWriter, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::output::say;
use super::screen;

static AT_PROMPT: AtomicBool = AtomicBool::new(false);
static REQUESTED: AtomicBool = AtomicBool::new(false);
/// Becomes readable when cancellation is requested.
static BELL: OnceLock<Option<PipeReader>> = OnceLock::new();

/// Returns whether cancellation was requested.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Records that a prompt begins or ends.
pub fn at_prompt(on: bool) {
    AT_PROMPT.store(on, Ordering::Relaxed);
}

/// Leaves the first Ctrl-C to a child process at the same terminal, which exits in order.
pub fn leave_to_child() {
    at_prompt(true);
    listen();
}

/// Returns the pipe that becomes readable when cancellation is requested. It is `None` if the handler
/// could not be installed: then Ctrl-C ends the program at once, and the ledger is as safe as in a
/// power cut.
pub fn bell() -> Option<&'static PipeReader> {
    BELL.get().and_then(Option::as_ref)
}

/// Installs the handler of Ctrl-C, before the first prompt changes the settings of the terminal.
pub fn listen() {
    BELL.get_or_init(|| {
        screen::remember_terminal();
        let (reader, writer) = std::io::pipe().ok()?;
        let signals = Signals::new([SIGINT]).ok()?;
        std::thread::Builder::new().spawn(move || handle(signals, writer)).ok()?;
        Some(reader)
    });
}

fn handle(mut signals: Signals, mut bell: PipeWriter) {
    for signal in signals.forever() {
        // Read before the bell rings, because that ends the prompt.
        let at_prompt = AT_PROMPT.load(Ordering::Relaxed);
        if !REQUESTED.swap(true, Ordering::Relaxed) && bell.write_all(b"!").is_ok() {
            if !at_prompt {
                say("\n  stopping at the next safe point; press Ctrl-C again to stop at once");
            }
            continue;
        }
        screen::leave_terminal();
        // Fails only for a signal without a default action.
        let _ = emulate_default_handler(signal);
    }
}
