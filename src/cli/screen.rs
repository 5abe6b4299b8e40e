//! Secrets on the screen and the settings of the terminal: the screen is cleared and the settings
//! are restored however the program ends.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::failure::Failure;

/// Whether the screen may show a secret.
static EXPOSED: AtomicBool = AtomicBool::new(false);
/// Settings of the terminal when the program started.
static TERMINAL: OnceLock<Termios> = OnceLock::new();

/// Records that the screen is about to show a secret.
pub fn expose() {
    EXPOSED.store(true, Ordering::Relaxed);
}

/// Saves the settings of the terminal.
pub fn remember_terminal() {
    if let Ok(setup) = tcgetattr(std::io::stdin()) {
        TERMINAL.get_or_init(|| setup);
    }
}

/// Clears a secret and restores the terminal, when the program ends in the middle of a prompt.
pub fn leave_terminal() {
    if EXPOSED.load(Ordering::Relaxed) {
        clear();
    }
    if let Some(setup) = TERMINAL.get() {
        // Fails only if the terminal is gone.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, setup);
    }
}

/// Writes texts that include a secret to the terminal, never to redirected output, and without
/// concatenating them, which would copy the secret.
pub fn show(texts: &[&str]) -> Result<(), Failure> {
    EXPOSED.store(true, Ordering::Relaxed);
    texts.iter().try_for_each(|text| write(text))
}

fn write(text: &str) -> Result<(), Failure> {
    let mut terminal = OpenOptions::new().write(true).open("/dev/tty").map_err(gone)?;
    terminal.write_all(text.as_bytes()).map_err(gone)
}

/// Clears the screen and its scrollback; a terminal without escape sequences is scrolled instead.
pub fn clear() {
    let plain = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    let text = if plain { "\r\n".repeat(100) } else { "\u{1b}[H\u{1b}[2J\u{1b}[3J".to_owned() };
    // Fails only if the terminal is gone.
    let _ = write(&text);
    EXPOSED.store(false, Ordering::Relaxed);
}

fn gone(error: std::io::Error) -> Failure {
    Failure::stopped(format!("terminal: {error}"))
}
