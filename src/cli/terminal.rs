//! The terminal: lines shown, answers typed, PINs read without echo.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::fold::{WIDTH, fold};
use super::progress::Work;
use super::secrets::{ShareSource, Shares};
use super::{Failure, secrets, stop};
use crate::ceremony::{Answers, Error, People, Progress, Question, Reply, SecretReply, Wanted};
use crate::media::{read_file, shown};
use crate::token::TokenFacts;

/// The longest line that is taken from a terminal, in octets.
const LONGEST_LINE: u64 = 4096;

/// Where the PIN comes from.
#[derive(Clone, Debug, Args)]
pub struct PinSource {
    /// Read the PIN from the first line of this file
    #[arg(long, value_name = "FILE")]
    pub pin_file: Option<PathBuf>,
    /// Read the PIN from the first line of this file descriptor
    #[arg(long, value_name = "N", conflicts_with = "pin_file")]
    pub pin_fd: Option<u32>,
}

impl PinSource {
    /// Whether it is typed.
    fn is_typed(&self) -> bool {
        self.pin_file.is_none() && self.pin_fd.is_none()
    }

    /// Reads the PIN, from the terminal when nothing else is named.
    pub fn read(&self, what: &str) -> Result<SecretString, Failure> {
        match (&self.pin_file, self.pin_fd) {
            (Some(path), _) => from_file(path),
            (None, Some(number)) => from_file(Path::new(&format!("/dev/fd/{number}"))),
            (None, None) => {
                rpassword::prompt_password(format!("{what}: ")).map(SecretString::from).map_err(|e| {
                    Failure::fault(format!("no PIN: no terminal to ask at ({e}); use --pin-file or --pin-fd"))
                })
            }
        }
    }
}

fn from_file(path: &Path) -> Result<SecretString, Failure> {
    let fault = |e: std::io::Error| Failure::fault(format!("PIN from {}: {e}", path.display()));
    let mut reader = std::io::BufReader::new(std::fs::File::open(path).map_err(fault)?);
    let mut line = Zeroizing::new(String::new());
    std::io::Read::take(&mut reader, 1024).read_line(&mut line).map_err(fault)?;
    let pin = line.trim_end_matches(['\r', '\n']);
    if pin.is_empty() {
        return Err(Failure::wrong(format!("PIN from {}: the first line is empty", path.display())));
    }
    Ok(SecretString::from(pin.to_owned()))
}

/// Those at the terminal, or the file that answers for them.
#[derive(Debug)]
pub struct Operators {
    answers: Option<Answers>,
    pin: PinSource,
    shares: Shares,
    bar: Option<Work>,
}

impl Operators {
    /// Takes answers from a file when one is named, from the terminal otherwise.
    pub fn new(answers: Option<&Path>, pin: PinSource, shares: ShareSource) -> Result<Self, Failure> {
        secrets::check_new(&shares)?;
        let answers = match answers {
            None => None,
            Some(path) => {
                let octets = read_file(path, 1 << 16).map_err(|e| Failure::wrong(e.to_string()))?;
                let text = String::from_utf8(octets)
                    .map_err(|e| Failure::wrong(format!("{}: {e}", path.display())))?;
                Some(Answers::parse(&text).map_err(|e| Failure::wrong(e.to_string()))?)
            }
        };
        if answers.is_none() && !std::io::stdin().is_terminal() {
            return Err(Failure::wrong(
                "no terminal to type confirmations at; run keyrite at one, or use --answers",
            ));
        }
        Ok(Self { answers, pin, shares: Shares::new(shares), bar: None })
    }
}

impl People for Operators {
    fn show(&mut self, text: &str) {
        stop::working(false);
        if let Some(bar) = self.bar.take() {
            bar.end();
        }
        say(text);
    }

    fn ask(&mut self, question: &Question) -> Result<Reply, Error> {
        self.show(&format!("  {}", question.text));
        if let Some(answers) = &self.answers {
            let reply = answers.answer(question)?;
            if let Reply::Text(answer) = &reply {
                say(&format!("  > {}  (from the answers file)", shown(answer)));
            }
            return Ok(reply);
        }
        Ok(Reply::of(&type_line("  > ")?))
    }

    fn pin(&mut self, token: &TokenFacts) -> Result<SecretReply, Error> {
        let pin = self.pin.read(&format!("  User PIN of token {}", token.label));
        let pin = pin.map_err(|failure| Error::Fault(failure.message))?;
        // A PIN file is taken as it stands; at a prompt two words are no PIN.
        if self.pin.is_typed() {
            match Reply::of(pin.expose_secret()) {
                Reply::Stop => return Ok(SecretReply::Stop),
                Reply::Exception => return Ok(SecretReply::Exception),
                Reply::Text(_) => {}
            }
        }
        Ok(SecretReply::Secret(pin))
    }

    fn share(&mut self, person: &str) -> Result<SecretReply, Error> {
        match self.shares_from_file() {
            true => self.shares.next(),
            false => self.share_back(person),
        }
    }

    fn share_back(&mut self, person: &str) -> Result<SecretReply, Error> {
        self.show(&format!("  {person}: type your share"));
        say("  (nothing is shown as you type; \"show\" shows it, \"none\" if you have none)");
        secrets::ask("Share")
    }

    fn hand_out(&mut self, person: &str, secret: &str) -> Result<Reply, Error> {
        if self.unattended() {
            return self.shares.keep(secret).map(|()| Reply::Text(String::new()));
        }
        self.show(&format!(
            "\n  {person}: come to the screen alone; everybody else turns away.\n  Type \"show\" to see your share"
        ));
        let reply = Reply::of(&type_line("  > ")?);
        if !matches!(reply, Reply::Text(_)) {
            return Ok(reply);
        }
        secrets::clear();
        secrets::show(&format!(
            "  {person}: your share of the token's PIN\n\n    {secret}\n\n  Write it on paper in these groups: digits, and letters but b, i and o.\n"
        ))?;
        self.show("  When it is written, type \"written\": the screen is cleared then");
        let reply = type_line("  > ").map(|line| Reply::of(&line));
        secrets::clear();
        reply
    }

    fn can_hand_out(&self) -> bool {
        !self.unattended() || self.shares.go_to_file()
    }

    fn shares_from_file(&self) -> bool {
        self.shares.come_from_file() || self.unattended()
    }

    fn unattended(&self) -> bool {
        self.answers.is_some()
    }

    fn lacks(&self, wanted: &Wanted<'_>) -> Option<String> {
        self.answers.as_ref().and_then(|answers| answers.lacks(wanted))
    }

    fn progress(&mut self, progress: &Progress) {
        stop::working(true);
        self.bar.get_or_insert_with(|| Work::new(progress)).tell(progress);
    }
}

fn type_line(prompt: &str) -> Result<String, Error> {
    let mut out = std::io::stdout();
    let gone = |e: std::io::Error| Error::Stopped(format!("terminal: {e}"));
    out.write_all(prompt.as_bytes()).and_then(|()| out.flush()).map_err(gone)?;
    let mut line = Vec::new();
    let mut input = std::io::Read::take(std::io::stdin().lock(), LONGEST_LINE);
    let read = input.read_until(b'\n', &mut line).map_err(gone)?;
    if read == 0 {
        return Err(Error::Stopped("stopped at the prompt (end of input)".into()));
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Writes a line to standard output. A reader that went away is no reason to stop signing.
pub fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = match out.is_terminal() {
        true => writeln!(out, "{}", fold(text, WIDTH)),
        false => writeln!(out, "{text}"),
    };
}

/// Writes an error to standard error.
pub fn complain(text: &str) {
    let mut out = std::io::stderr();
    // What came from outside may stand in it, quoted by whoever read it.
    let text = &text.split('\n').map(shown).collect::<Vec<_>>().join("\n");
    let _ = match out.is_terminal() {
        true => writeln!(out, "{}", fold(&format!("keyrite: {text}"), WIDTH)),
        false => writeln!(out, "keyrite: {text}"),
    };
}
