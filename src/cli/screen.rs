//! The screen: secrets that stand on it, and how the terminal is set up. Whatever ends the program leaves
//! neither behind.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::failure::Failure;

/// Whether a secret stands on the screen, or the terminal does not echo.
static EXPOSED: AtomicBool = AtomicBool::new(false);
/// How the terminal was set up when the program began.
static TERMINAL: OnceLock<Termios> = OnceLock::new();

/// A secret is about to stand on the screen.
pub fn expose() {
    EXPOSED.store(true, Ordering::Relaxed);
}

/// Remembers how the terminal is set up.
pub fn remember_terminal() {
    if let Ok(setup) = tcgetattr(std::io::stdin()) {
        TERMINAL.get_or_init(|| setup);
    }
}

/// Before the program ends in the middle of a prompt: no secret stays on the screen, and the
/// terminal echoes again.
pub fn leave_terminal() {
    if EXPOSED.load(Ordering::Relaxed) {
        clear();
    }
    if let Some(setup) = TERMINAL.get() {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, setup);
    }
}

/// Writes texts with a secret among them to the terminal itself: redirected output never gets them, and
/// no text that holds the secret is made of them.
pub fn show(texts: &[&str]) -> Result<(), Failure> {
    EXPOSED.store(true, Ordering::Relaxed);
    texts.iter().try_for_each(|text| write(text))
}

fn write(text: &str) -> Result<(), Failure> {
    let mut terminal = OpenOptions::new().write(true).open("/dev/tty").map_err(gone)?;
    terminal.write_all(text.as_bytes()).map_err(gone)
}

/// Clears the screen and what was scrolled off it; a plain terminal scrolls it out of sight.
pub fn clear() {
    let plain = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    let text = if plain { "\r\n".repeat(100) } else { "\u{1b}[H\u{1b}[2J\u{1b}[3J".to_owned() };
    // A terminal that is gone shows nothing any more.
    let _ = write(&text);
    EXPOSED.store(false, Ordering::Relaxed);
}

fn gone(error: std::io::Error) -> Failure {
    Failure::stopped(format!("terminal: {error}"))
}
