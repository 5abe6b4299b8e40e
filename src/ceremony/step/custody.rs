//! `custody`: a PIN that nobody knows, split into shares for custodians.
//!
//! A change is ordered so that the token never has a PIN that nobody can recover: the shares are
//! handed out and typed back, that is recorded on disk, the token's PIN is changed, a login with it
//! is tried, and that is recorded. After an interruption in between, either the old PIN or the new
//! shares open the token; both are tried, the shares first.

use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::Perform;
use crate::ceremony::conductor::Conductor;
use crate::ceremony::room::{Answer, Question, Reply, Secret};
use crate::failure::Failure;
use crate::media::shown;
use crate::plan::step;
use crate::record::{Custody, Event, NewPin, Person, PinChange, Prompt, Share as ShareRecord};
use crate::shares::{self, Collected, Share};

impl Perform for step::Custody {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        conductor.change_custody(self.threshold, self.shares)
    }
}

impl From<shares::Error> for Failure {
    fn from(error: shares::Error) -> Self {
        Self::fault(error.to_string())
    }
}

impl Conductor<'_> {
    /// Generates a new PIN, hands out its shares, and sets it.
    fn change_custody(&mut self, threshold: usize, count: usize) -> Result<(), Failure> {
        match self.state().pin.clone() {
            Some(PinChange::Changed(_)) => {
                self.room.show("  The token already has its new PIN.");
                return Ok(());
            }
            // Interrupted while shares were handed out: some custodians have papers of this set.
            Some(PinChange::Begun(set)) => self.void(&set)?,
            _ => {}
        }
        let Some(old) = self.open.as_mut().and_then(|open| open.pin.take()) else {
            return Err(Failure::usage(
                "this token requires its PIN pad; split custody needs a token that accepts its PIN from keyrite",
            ));
        };
        self.check_attended()?;
        let holders = self.holders(count)?;
        let shares = self.new_shares(threshold, count)?;
        let set = shares.first().map(Share::identifier).unwrap_or_default();
        self.record(Event::Custody(Custody::Begun { set: set.clone() }))?;
        self.write_down()?;
        self.room.show(&format!(
            "  A random PIN was generated. Its {count} shares form the set {set}; any {threshold} of them recover it.\n  Each custodian in turn comes to the screen alone, with pen and paper."
        ));
        let mut collected = Collected::of(Some(set.clone()));
        let mut list = Vec::new();
        for (share, person) in shares.iter().zip(&holders) {
            self.hand_out(share, person)?;
            list.push(ShareRecord { share: share.index(), custodian: person.name.clone() });
            if !collected.is_complete() {
                collected.add(share.clone())?;
            }
        }
        let new = self.pin(&collected)?;
        let token_serial = self.token.serial.clone();
        let handed_out = Custody::HandedOut { set: set.clone(), threshold, shares: list, token_serial };
        self.record(Event::Custody(handed_out))?;
        self.confirm(&Prompt::Custody(NewPin { set: set.clone(), shares: count }))?;
        self.write_down()?;
        self.session()?.change_pin(&old, &new)?;
        self.pin_changed(&set)?;
        self.room.show(&format!(
            "  The token has the new PIN, and a login with it succeeded. Older shares and the old PIN no longer work. Write on the envelopes: set {set}, token {}.",
            self.token.serial
        ));
        Ok(())
    }

    fn new_shares(&self, threshold: usize, count: usize) -> Result<Vec<Share>, Failure> {
        let session = self.session()?;
        // Random octets of token and system combined: as good as the better of the two.
        shares::split(threshold, count, &mut |octets: &mut [u8]| -> Result<(), Failure> {
            let token = Zeroizing::new(session.random(32)?);
            let system = Zeroizing::new(self.environment.random()?);
            for (octet, (one, other)) in octets.iter_mut().zip(token.iter().zip(system.iter())) {
                *octet = one ^ other;
            }
            Ok(())
        })
    }

    /// Returns who gets the shares: all custodians, or those chosen if there are more than shares.
    fn holders(&mut self, count: usize) -> Result<Vec<Person>, Failure> {
        let mut left = self.custodians();
        if left.len() == count || self.room.unattended() {
            left.truncate(count);
            return Ok(left);
        }
        let mut chosen = Vec::new();
        for number in 1..=count {
            let names: Vec<String> = left
                .iter()
                .enumerate()
                .map(|(at, person)| format!("{} {}", at + 1, shown(&person.name)))
                .collect();
            self.room.show(&format!("  Custodians without a new share: {}", names.join(", ")));
            let question = Question {
                text: format!("Who takes share {number} of {count}? Type the number before the name"),
                wanted: Answer::Text,
            };
            let at = loop {
                let typed = self.listen(&question)?;
                match typed.parse::<usize>() {
                    Ok(at) if (1..=left.len()).contains(&at) => break at - 1,
                    _ => self.room.show("  That is not one of the numbers."),
                }
            };
            chosen.push(left.remove(at));
        }
        Ok(chosen)
    }

    /// Checks that shares go to a file only in a rehearsal.
    fn check_attended(&self) -> Result<(), Failure> {
        if self.room.unattended() && !self.ledger.is_rehearsal() {
            Err(Failure::usage(
                "answers come from a file, but shares go to a file only in a rehearsal; resume at a terminal with the custodians",
            ))
        } else {
            Ok(())
        }
    }

    /// Shows one share to one custodian and has it typed back.
    fn hand_out(&mut self, share: &Share, person: &Person) -> Result<(), Failure> {
        self.check_attended()?;
        let title = person.title();
        self.show_share(share, &title)?;
        if self.room.unattended() {
            return Ok(());
        }
        loop {
            let Some(typed) = self.secret(Secret::ShareBack(&title))? else {
                self.room.show("  It is shown once more; correct the paper.");
                let again = Custody::ShownAgain { share: share.index(), to: person.name.clone() };
                self.record(Event::Custody(again))?;
                self.show_share(share, &title)?;
                continue;
            };
            match Share::read(typed.expose_secret()) {
                Ok(typed) if typed.is(share) => break,
                Ok(_) => self.room.show("  That is a share, but not yours."),
                Err(wrong) => {
                    self.room.show(&format!("  Not valid: {wrong}."));
                }
            }
        }
        self.room.show(&format!("  {title}: the paper is correct. Keep it where nobody else has access."));
        Ok(())
    }

    fn show_share(&mut self, share: &Share, title: &str) -> Result<(), Failure> {
        loop {
            match self.room.hand_out(title, &share.grouped())? {
                Reply::Text(_) => return Ok(()),
                Reply::Stop => return Err(Failure::stopped("stopped at the prompt")),
                Reply::Exception => self.exception()?,
            }
        }
    }
}
