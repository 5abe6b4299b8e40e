//! The terminal: lines shown, answers typed, PINs read without echo.

use crate::failure::{Failure, Kind};
use crate::record::TokenFacts;
use crate::signing::Progress;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::output::say;
use super::pages::pages;
use super::progress::Work;
use super::secrets::{ShareSource, Shares};
use super::{prompt, screen, secrets};
use crate::ceremony::{Answers, People, Question, Reply, SecretReply, Wanted};
use crate::media::{read_file, shown};

/// The longest PIN that is read from a file, in octets.
const LONGEST_PIN: usize = 1024;

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

    /// Whether a file has a PIN, before anything is begun; a pipe can be read only once.
    fn check(&self) -> Result<(), Failure> {
        match self.pin_file.as_deref().filter(|path| path.is_file() || !path.exists()) {
            Some(path) => from_file(path).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Reads the PIN, from the terminal when nothing else is named.
    pub fn read(&self, what: &str) -> Result<SecretString, Failure> {
        match (&self.pin_file, self.pin_fd) {
            (Some(path), _) => from_file(path),
            (None, Some(number)) => from_file(Path::new(&format!("/dev/fd/{number}"))),
            (None, None) => Ok(typed_pin(what)?),
        }
    }
}

/// A PIN as somebody types it. None is never given to a token: it would count as a wrong one.
fn typed_pin(what: &str) -> Result<SecretString, Failure> {
    loop {
        let pin = prompt::secret(&format!("{what}: "), false).map_err(|failure| match failure.kind {
            Kind::Fault => failure.map(|why| format!("no PIN: {why}; use --pin-file or --pin-fd")),
            _ => failure,
        })?;
        if !pin.expose_secret().trim().is_empty() {
            return Ok(pin);
        }
        say("  Nothing was typed, and the token was not asked.");
    }
}

fn from_file(path: &Path) -> Result<SecretString, Failure> {
    let fault = |e: std::io::Error| Failure::fault(format!("PIN from {}: {e}", path.display()));
    let file = std::fs::File::open(path).map_err(fault)?;
    let pin = prompt::secret_line(&file, LONGEST_PIN).map_err(fault)?;
    pin.filter(|pin| !pin.expose_secret().is_empty())
        .ok_or_else(|| Failure::usage(format!("PIN from {}: the first line is empty", path.display())))
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
        pin.check()?;
        let answers = match answers {
            None => None,
            Some(path) => {
                let octets = read_file(path, 1 << 16).map_err(|e| Failure::usage(e.to_string()))?;
                let text = String::from_utf8(octets)
                    .map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
                Some(Answers::parse(&text).map_err(|e| Failure::usage(e.to_string()))?)
            }
        };
        if answers.is_none() && !std::io::stdin().is_terminal() {
            return Err(Failure::usage(
                "no terminal to type confirmations at; run keyrite at one, or use --answers",
            ));
        }
        Ok(Self { answers, pin, shares: Shares::new(shares), bar: None })
    }
}

impl People for Operators {
    fn show(&mut self, text: &str) {
        if let Some(bar) = self.bar.take() {
            bar.end();
        }
        say(text);
    }

    fn show_pages(&mut self, text: &str) -> Result<Reply, Failure> {
        let pages = if self.unattended() { vec![text.to_owned()] } else { pages(text, prompt::rows()) };
        for (at, page) in pages.iter().enumerate() {
            if at > 0 {
                say(&format!("  Page {at} of {}; Enter shows the next", pages.len()));
                let reply = Reply::of(&prompt::line("  > ")?);
                if !matches!(reply, Reply::Text(_)) {
                    return Ok(reply);
                }
            }
            self.show(page);
        }
        Ok(Reply::Text(String::new()))
    }

    fn ask(&mut self, question: &Question) -> Result<Reply, Failure> {
        self.show(&format!("  {}", question.text));
        if let Some(answers) = &self.answers {
            let reply = answers.answer(question)?;
            if let Reply::Text(answer) = &reply {
                say(&format!("  > {}  (from the answers file)", shown(answer)));
            }
            return Ok(reply);
        }
        Ok(Reply::of(&prompt::line("  > ")?))
    }

    fn pin(&mut self, token: &TokenFacts) -> Result<SecretReply, Failure> {
        let what = format!("  User PIN of token {}", token.label);
        if !self.pin.is_typed() {
            let pin = self.pin.read(&what).map_err(|failure| Failure::fault(failure.text))?;
            return Ok(SecretReply::Secret(pin));
        }
        let pin = typed_pin(&what)?;
        // A PIN file is taken as it stands; at a prompt two words are no PIN.
        Ok(SecretReply::of_word(pin.expose_secret()).unwrap_or(SecretReply::Secret(pin)))
    }

    fn share(&mut self, person: &str) -> Result<SecretReply, Failure> {
        if self.shares_from_file() {
            return self.shares.next();
        }
        self.show(&format!("  {person}: type your share"));
        say("  (nothing is shown as you type; \"show\" shows what you type, \"none\" if you have none)");
        secrets::ask("Share", "none")
    }

    fn share_back(&mut self, person: &str) -> Result<SecretReply, Failure> {
        self.show(&format!("  {person}: type your share back from the paper"));
        say("  (nothing is shown as you type; \"show\" shows what you type)");
        say("  (\"again\" shows your share once more)");
        secrets::ask("Share", "again")
    }

    fn hand_out(&mut self, person: &str, secret: &str) -> Result<Reply, Failure> {
        if self.unattended() {
            return self.shares.keep(secret).map(|()| Reply::Text(String::new()));
        }
        self.show(&format!(
            "\n  {person}: come to the screen alone; everybody else turns away.\n  Type \"show\" to see your share"
        ));
        if let Some(other) = word("show")? {
            return Ok(other);
        }
        screen::clear();
        screen::show(&[
            &format!("  {person}: your share of the token's PIN\n\n    "),
            secret,
            "\n\n  Write it on paper in these groups: digits, and letters but b, i and o.\n",
        ])?;
        self.show("  When it is written, type \"written\": the screen is cleared then");
        let other = word("written");
        screen::clear();
        Ok(other?.unwrap_or(Reply::Text(String::new())))
    }

    fn types_pin(&self) -> bool {
        self.pin.is_typed()
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
        self.bar.get_or_insert_with(|| Work::new(progress)).tell(progress);
    }
}

/// Asks until this word is typed; returns what else may be typed at every prompt.
fn word(wanted: &str) -> Result<Option<Reply>, Failure> {
    loop {
        match Reply::of(&prompt::line("  > ")?) {
            Reply::Text(text) if text.eq_ignore_ascii_case(wanted) => return Ok(None),
            Reply::Text(_) => say(&format!("  Type \"{wanted}\", nothing else.")),
            other => return Ok(Some(other)),
        }
    }
}
