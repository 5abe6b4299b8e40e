//! Attended room: people at a terminal type answers, and secrets without echo.

use secrecy::ExposeSecret;

use super::output::say;
use super::pages::pages;
use super::pin::PinSource;
use super::progress::Bar;
use super::secrets::{self, Shares};
use super::wrap::width;
use super::{prompt, screen};
use crate::ceremony::{Question, Reply, Room, Secret, SecretReply, Wanted};
use crate::failure::Failure;
use crate::signing::Progress;

/// A room with people at a terminal.
#[derive(Debug)]
pub struct Terminal {
    pub pin: PinSource,
    pub shares: Shares,
    pub bar: Bar,
}

impl Room for Terminal {
    fn show(&mut self, text: &str) {
        self.bar.end();
        say(text);
    }

    fn show_pages(&mut self, text: &str) -> Result<Reply, Failure> {
        let pages = pages(text, (prompt::rows(), width(std::io::stdout())));
        for (at, page) in pages.iter().enumerate() {
            if at > 0 {
                say(&format!("  Page {at} of {}; press Enter for the next", pages.len()));
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
        Ok(Reply::of(&prompt::line("  > ")?))
    }

    fn secret(&mut self, secret: Secret<'_>) -> Result<SecretReply, Failure> {
        match secret {
            Secret::Pin(token) => {
                let pin = self.pin.of_token(token)?;
                // "stop" and "exception" are commands at a prompt, but PINs in a file.
                let word = SecretReply::of_word(pin.expose_secret()).filter(|_| self.pin.is_typed());
                Ok(word.unwrap_or(SecretReply::Secret(pin)))
            }
            Secret::Share(_) if self.shares_from_file() => self.shares.next(),
            Secret::Share(person) => {
                self.show(&format!("  {person}: type your share"));
                say("  (input is hidden; type \"show\" to see it, \"none\" if you have no share)");
                secrets::ask("Share", "none")
            }
            Secret::ShareBack(person) => {
                self.show(&format!("  {person}: type your share back from the paper"));
                say("  (input is hidden; type \"show\" to see it,");
                say("  \"again\" to see your share once more)");
                secrets::ask("Share", "again")
            }
        }
    }

    fn hand_out(&mut self, person: &str, share: &str) -> Result<Reply, Failure> {
        self.show(&format!(
            "\n  {person}: come to the screen alone; everybody else turns away.\n  Type \"show\" to see your share"
        ));
        if let Some(other) = word("show")? {
            return Ok(other);
        }
        screen::clear();
        screen::show(&[
            &format!("  {person}: your share of the token's PIN\n\n    "),
            share,
            "\n\n  Write it on paper in these groups: digits, and letters except b, i and o.\n",
        ])?;
        self.show("  Then type \"written\"; the screen is cleared");
        let other = word("written");
        screen::clear();
        Ok(other?.unwrap_or(Reply::Text(String::new())))
    }

    fn progress(&mut self, progress: &Progress) {
        self.bar.show(progress);
    }

    fn unattended(&self) -> bool {
        false
    }

    fn types_pin(&self) -> bool {
        self.pin.is_typed()
    }

    fn shares_from_file(&self) -> bool {
        self.shares.are_read_from_file()
    }

    fn can_hand_out(&self) -> bool {
        true
    }

    fn lacks(&self, _: &Wanted<'_>) -> Option<String> {
        None
    }
}

/// Asks until this word is typed. Returns another reply that is accepted at every prompt.
fn word(wanted: &str) -> Result<Option<Reply>, Failure> {
    loop {
        match Reply::of(&prompt::line("  > ")?) {
            Reply::Text(text) if text.eq_ignore_ascii_case(wanted) => return Ok(None),
            Reply::Text(_) => say(&format!("  Type only \"{wanted}\".")),
            other => return Ok(Some(other)),
        }
    }
}
