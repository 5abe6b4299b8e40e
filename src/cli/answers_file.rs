//! Unattended room: confirmations, PIN and shares are read from files.

use super::output::say;
use super::pin::PinSource;
use super::progress::Bar;
use super::secrets::Shares;
use crate::ceremony::{Answers, Question, Reply, Room, Secret, SecretReply, Wanted};
use crate::failure::Failure;
use crate::media::shown;
use crate::signing::Progress;

/// A room in which a file answers for people.
#[derive(Debug)]
pub struct AnswersFile {
    pub answers: Answers,
    pub pin: PinSource,
    pub shares: Shares,
    pub bar: Bar,
}

impl Room for AnswersFile {
    fn show(&mut self, text: &str) {
        self.bar.end();
        say(text);
    }

    fn show_pages(&mut self, text: &str) -> Result<Reply, Failure> {
        self.show(text);
        Ok(Reply::Text(String::new()))
    }

    fn ask(&mut self, question: &Question) -> Result<Reply, Failure> {
        self.show(&format!("  {}", question.text));
        let reply = self.answers.answer(question)?;
        if let Reply::Text(answer) = &reply {
            say(&format!("  > {}  (from the answers file)", shown(answer)));
        }
        Ok(reply)
    }

    fn secret(&mut self, secret: Secret<'_>) -> Result<SecretReply, Failure> {
        match secret {
            Secret::Pin(token) => Ok(SecretReply::Secret(self.pin.of_token(token)?)),
            Secret::Share(_) => self.shares.next(),
            Secret::ShareBack(_) => Err(Failure::stopped("no person to type a share back")),
        }
    }

    fn hand_out(&mut self, _: &str, share: &str) -> Result<Reply, Failure> {
        self.shares.write(share).map(|()| Reply::Text(String::new()))
    }

    fn progress(&mut self, progress: &Progress) {
        self.bar.show(progress);
    }

    fn unattended(&self) -> bool {
        true
    }

    fn types_pin(&self) -> bool {
        false
    }

    fn shares_from_file(&self) -> bool {
        true
    }

    fn can_hand_out(&self) -> bool {
        self.shares.are_written_to_file()
    }

    fn lacks(&self, wanted: &Wanted<'_>) -> Option<String> {
        self.answers.lacks(wanted)
    }
}
