//! The wish to stop: Ctrl-C ends a prompt at once and long work at the next place where nothing
//! is lost; a second Ctrl-C ends anything at once.

use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::secrets;
use super::terminal::say;

static WORKING: AtomicBool = AtomicBool::new(false);
static WANTED: AtomicBool = AtomicBool::new(false);

/// Whether people want to stop.
pub fn wanted() -> bool {
    WANTED.load(Ordering::Relaxed)
}

/// Long work begins or ends.
pub fn working(on: bool) {
    WORKING.store(on, Ordering::Relaxed);
}

/// Begins to listen for Ctrl-C. Where the system does not let us, Ctrl-C ends the program at once,
/// and the ledger is as safe as in a power cut.
pub fn listen() {
    secrets::remember_terminal();
    let Ok(mut signals) = Signals::new([SIGINT]) else { return };
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if WORKING.load(Ordering::Relaxed) && !WANTED.swap(true, Ordering::Relaxed) {
                say("\n  stopping when what is under way is written down; Ctrl-C again ends it at once");
                continue;
            }
            secrets::leave_terminal();
            // What the system does without us.
            let _ = emulate_default_handler(signal);
        }
    });
}
