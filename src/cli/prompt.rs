//! Prompts at a terminal. Input typed before the prompt is discarded; Ctrl-C and the end of input
//! end the prompt.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetwinsize, tcsetattr,
};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::stop;
use crate::failure::Failure;

/// Maximum length of a typed line, in octets.
const MAX_LINE: usize = 4096;

/// Returns the number of lines of the terminal, or 24 if unknown.
pub fn rows() -> usize {
    match tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_row > 0 => usize::from(size.ws_row),
        _ => 24,
    }
}

/// Prompts on standard output and reads a line from standard input. Ctrl-C, the end of input and a
/// terminal that is gone are [`Failure::stopped`].
pub fn line(prompt: &str) -> Result<String, Failure> {
    stop::listen();
    let input = File::from(std::io::stdin().as_fd().try_clone_to_owned().map_err(gone)?);
    // Fails if standard input is not a terminal, which has no type-ahead.
    let _ = tcflush(&input, QueueSelector::IFlush);
    let line = ask(&input, &mut std::io::stdout(), prompt)?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Prompts for a secret at the terminal, even if standard output is redirected. No terminal is a
/// [`Failure::fault`]; the other failures are those of [`line`].
pub fn secret(prompt: &str, echo: bool) -> Result<SecretString, Failure> {
    stop::listen();
    let mut terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(|e| Failure::fault(format!("no terminal to prompt at ({e})")))?;
    let input = terminal.try_clone().map_err(gone)?;
    let _restored = Settings::set(&input, echo)?;
    let line = ask(&input, &mut terminal, prompt)?;
    let text =
        std::str::from_utf8(&line).map_err(|_| Failure::stopped("terminal: input is not valid UTF-8"))?;
    Ok(SecretString::from(text))
}

/// Settings of the terminal before a secret was asked for, restored on drop.
struct Settings<'f>(&'f File, Termios);

impl<'f> Settings<'f> {
    fn set(terminal: &'f File, echo: bool) -> Result<Self, Failure> {
        let before = tcgetattr(terminal).map_err(|e| gone(e.into()))?;
        let mut now = before.clone();
        if !echo {
            now.local_modes.remove(LocalModes::ECHO);
            now.local_modes.insert(LocalModes::ECHONL);
        }
        tcsetattr(terminal, OptionalActions::Flush, &now).map_err(|e| gone(e.into()))?;
        Ok(Self(terminal, before))
    }
}

impl Drop for Settings<'_> {
    fn drop(&mut self) {
        // Fails only if the terminal is gone.
        let _ = tcsetattr(self.0, OptionalActions::Now, &self.1);
    }
}

fn ask(input: &File, output: &mut dyn Write, prompt: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    stop::at_prompt(true);
    let prompted = output.write_all(prompt.as_bytes()).and_then(|()| output.flush()).map_err(gone);
    let line = prompted.and_then(|()| typed(input));
    stop::at_prompt(false);
    if line.is_err() {
        // The next message starts on a new line.
        let _ = output.write_all(b"\n").and_then(|()| output.flush());
    }
    line
}

/// Reads a line without its terminator, octet by octet: every buffer that contains it is zeroized.
fn typed(mut input: &File) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE));
    let mut octet = Zeroizing::new([0; 1]);
    while line.len() < MAX_LINE {
        wait(input)?;
        match input.read(octet.as_mut_slice()) {
            Ok(0) => return Err(Failure::stopped("stopped at the prompt (end of input)")),
            Ok(_) if *octet == *b"\n" => break,
            Ok(_) => line.extend_from_slice(octet.as_slice()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(gone(error)),
        }
    }
    Ok(line)
}

/// Reads the next line of a file of secrets without its terminator, octet by octet as at a prompt.
/// Returns `None` at the end of the file.
pub fn secret_line(mut file: &File, longest: usize) -> std::io::Result<Option<SecretString>> {
    let mut line = Zeroizing::new(Vec::with_capacity(longest));
    let mut octet = Zeroizing::new([0; 1]);
    let mut ended = false;
    while line.len() < longest {
        match file.read(octet.as_mut_slice()) {
            Ok(0) => ended = line.is_empty(),
            Ok(_) if *octet != *b"\n" => {
                line.extend_from_slice(octet.as_slice());
                continue;
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        break;
    }
    let text = std::str::from_utf8(&line)
        .map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "not valid UTF-8"))?;
    Ok((!ended).then(|| SecretString::from(text.trim_end_matches('\r'))))
}

/// Waits for input or cancellation.
fn wait(input: &File) -> Result<(), Failure> {
    let bell = stop::bell();
    let mut both = vec![PollFd::new(input, PollFlags::IN)];
    both.extend(bell.map(|bell| PollFd::new(bell, PollFlags::IN)));
    loop {
        match poll(&mut both, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(gone(error.into())),
            Ok(_) if both.get(1).is_some_and(|bell| !bell.revents().is_empty()) => {
                return Err(Failure::stopped("stopped at the prompt (Ctrl-C)"));
            }
            Ok(_) => return Ok(()),
        }
    }
}

fn gone(error: std::io::Error) -> Failure {
    Failure::stopped(format!("terminal: {error}"))
}
