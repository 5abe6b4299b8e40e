//! A prompt at a terminal: what was typed before its question stood there does not count, and
//! Ctrl-C ends it as the end of input does.

use crate::failure::Failure;
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

/// The longest line that is taken, in octets.
const LONGEST: usize = 4096;

/// How many lines stand on the screen; a terminal that does not tell has 24.
pub fn rows() -> usize {
    match tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_row > 0 => usize::from(size.ws_row),
        _ => 24,
    }
}

/// Asks for a line on standard output and takes it from standard input.
///
/// # Errors
/// [`Failure::stopped`] at Ctrl-C, at the end of input, and when the terminal is gone.
pub fn line(prompt: &str) -> Result<String, Failure> {
    stop::listen();
    let input = File::from(std::io::stdin().as_fd().try_clone_to_owned().map_err(gone)?);
    // Standard input that is no terminal has nothing typed ahead.
    let _ = tcflush(&input, QueueSelector::IFlush);
    let line = asked(&input, &mut std::io::stdout(), prompt)?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Asks for a secret at the terminal itself, wherever output goes; it is shown as it is typed only
/// if `echo` says so.
///
/// # Errors
/// [`Failure::fault`] when there is no terminal, otherwise as [`line`].
pub fn secret(prompt: &str, echo: bool) -> Result<SecretString, Failure> {
    stop::listen();
    let mut terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(|e| Failure::fault(format!("no terminal to ask at ({e})")))?;
    let input = terminal.try_clone().map_err(gone)?;
    let _setup = Setup::fresh(&input, echo)?;
    let line = asked(&input, &mut terminal, prompt)?;
    let text = std::str::from_utf8(&line).map_err(|_| Failure::stopped("terminal: no UTF-8 text"))?;
    Ok(SecretString::from(text))
}

/// How the terminal was set up before a secret was asked for; it is so again when this is dropped.
struct Setup<'f>(&'f File, Termios);

impl<'f> Setup<'f> {
    fn fresh(terminal: &'f File, echo: bool) -> Result<Self, Failure> {
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

impl Drop for Setup<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(self.0, OptionalActions::Now, &self.1);
    }
}

fn asked(input: &File, output: &mut dyn Write, prompt: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    stop::asking(true);
    let asked = output.write_all(prompt.as_bytes()).and_then(|()| output.flush()).map_err(gone);
    let line = asked.and_then(|()| typed(input));
    stop::asking(false);
    if line.is_err() {
        // What is told next begins a line.
        let _ = output.write_all(b"\n").and_then(|()| output.flush());
    }
    line
}

/// A line without its end, octet by octet, so that no buffer that is not wiped ever holds it.
fn typed(mut input: &File) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut octet = Zeroizing::new([0; 1]);
    while line.len() < LONGEST {
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

/// The next line of a file of secrets, without its end; none when the file ends. As at a prompt, octet
/// by octet.
///
/// # Errors
/// Whatever reading gives, and [`ErrorKind::InvalidData`] for a line that is not UTF-8.
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

/// Waits until something was typed.
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
