//! The wish to stop: Ctrl-C ends a prompt at once, and anything else at the next place where
//! nothing is lost; a second Ctrl-C ends anything at once.

use std::io::{PipeReader, PipeWriter, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::output::say;
use super::screen;

static ASKING: AtomicBool = AtomicBool::new(false);
static WANTED: AtomicBool = AtomicBool::new(false);
/// There is something to be read from it once people want to stop.
static BELL: OnceLock<Option<PipeReader>> = OnceLock::new();

/// Whether people want to stop.
pub fn wanted() -> bool {
    WANTED.load(Ordering::Relaxed)
}

/// A prompt begins or ends.
pub fn asking(on: bool) {
    ASKING.store(on, Ordering::Relaxed);
}

/// Leaves the first Ctrl-C to a program that runs at the same terminal: it ends in order, and so do we.
pub fn leave_to_child() {
    asking(true);
    listen();
}

/// What can be read from once people want to stop. Where the system does not let us listen, there
/// is malformed: Ctrl-C ends the program at once, and the ledger is as safe as in a power cut.
pub fn bell() -> Option<&'static PipeReader> {
    BELL.get().and_then(Option::as_ref)
}

/// Begins to listen for Ctrl-C, before the first prompt changes how the terminal is set up.
pub fn listen() {
    BELL.get_or_init(|| {
        screen::remember_terminal();
        let (reader, writer) = std::io::pipe().ok()?;
        let signals = Signals::new([SIGINT]).ok()?;
        std::thread::Builder::new().spawn(move || heed(signals, writer)).ok()?;
        Some(reader)
    });
}

fn heed(mut signals: Signals, mut bell: PipeWriter) {
    for signal in signals.forever() {
        // Asked before the bell rings: the prompt ends by that.
        let asked = ASKING.load(Ordering::Relaxed);
        if !WANTED.swap(true, Ordering::Relaxed) && bell.write_all(b"!").is_ok() {
            if !asked {
                say("\n  stopping when what is under way is written down; Ctrl-C again ends it at once");
            }
            continue;
        }
        screen::leave_terminal();
        // What the system does without us.
        let _ = emulate_default_handler(signal);
    }
}
