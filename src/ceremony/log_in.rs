//! The login: with a typed PIN, the token's PIN pad, or a PIN combined from custodians' shares.

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::conductor::{Conductor, OpenToken};
use super::room::{Answer, Question, Secret};
use crate::failure::Failure;
use crate::plan::step::PinRule;
use crate::record::{Custody, Event, Login, Person, PinChange, Role, ShareSource, count};
use crate::shares::{Collected, Share};
use crate::token::{self, Session};

/// Minimum length of a PIN in split custody: 8 characters are 40 bits.
const SHORTEST_PIN: usize = 8;

impl Conductor<'_> {
    /// Opens the token with the PIN that the script specifies, or the one that an interrupted change of
    /// custody left.
    pub(super) fn log_in(&mut self, rule: PinRule) -> Result<OpenToken, Failure> {
        if self.module.wants_pinpad(&self.token)? {
            if rule == PinRule::Shares {
                return Err(Failure::usage(
                    "pin = \"shares\": this token requires its PIN pad, so shares cannot open it",
                ));
            }
            return Ok(OpenToken { session: self.try_pin(None)??, pin: None });
        }
        let change = self.state().pin.clone();
        let tried = match &change {
            Some(PinChange::HandedOut(set)) => Some(set.clone()),
            _ => None,
        };
        if let Some(set) = &tried
            && let Some(session) = self.try_new_shares(set)?
        {
            return Ok(OpenToken { session, pin: None });
        }
        let changed = matches!(change, Some(PinChange::Changed(_)));
        let (pin, session) = match rule {
            PinRule::Typed if !changed => self.log_in_with_typed_pin()?,
            _ => {
                let set = self.set_of_token()?;
                let pin = self.pin_of_shares(set)?;
                let session = self.try_pin(Some(&pin))??;
                (pin, session)
            }
        };
        if let Some(set) = tried {
            // The old PIN works, so the new shares are worthless.
            self.void(&set)?;
        }
        // Keep the PIN only for a step that changes it.
        let changes = !changed && self.plan.script().has("custody");
        Ok(OpenToken { session, pin: changes.then_some(pin) })
    }

    /// Logs in with the PIN, typed or from a file. After a wrong one that was typed, it is asked for again if the
    /// operator says so and the token still allows it.
    fn log_in_with_typed_pin(&mut self) -> Result<(SecretString, Session), Failure> {
        token::check_pin_state(&self.token, self.final_try)?;
        loop {
            let pin = self.typed_pin()?;
            let wrong = match self.try_pin(Some(&pin))? {
                Ok(session) => return Ok((pin, session)),
                Err(wrong @ token::Error::WrongPin(_)) if self.room.types_pin() => wrong,
                Err(other) => return Err(other.into()),
            };
            self.refresh_token()?;
            if token::check_pin_state(&self.token, self.final_try).is_err() {
                return Err(wrong.into());
            }
            self.room.show(&format!("  {wrong}"));
            let text = "Not the PIN yet: type \"again\" to be asked for it once more, or \"stop\"".to_owned();
            let question = Question { text, wanted: Answer::Text };
            while !self.listen(&question)?.eq_ignore_ascii_case("again") {}
        }
    }

    /// Returns the PIN, typed or from a file.
    fn typed_pin(&mut self) -> Result<SecretString, Failure> {
        let token = self.token.clone();
        let pin = self.secret(Secret::Pin(&token))?;
        pin.ok_or_else(|| Failure::stopped("no PIN was given"))
    }

    /// Returns the set of shares of this token's current PIN, according to all ceremonies of the ledger.
    fn set_of_token(&self) -> Result<Option<String>, Failure> {
        let records = self.ledger.records_of("custody")?;
        let set = |(_, record): (i64, crate::record::Record)| match record.event {
            Event::Custody(Custody::Changed { set, token_serial }) if token_serial == self.token.serial => {
                Some(set)
            }
            _ => None,
        };
        Ok(records.into_iter().rev().find_map(set))
    }

    /// Records as void a set of shares whose PIN was never set.
    pub(super) fn void(&mut self, set: &str) -> Result<(), Failure> {
        self.record(Event::Custody(Custody::Void { set: set.to_owned() }))?;
        self.write_down()?;
        self.room.show(&format!(
            "  The token still has the old PIN. The shares of set {set} are void: destroy every paper of it. The custody step hands out new ones."
        ));
        Ok(())
    }

    /// Tries a PIN that is still needed afterwards, or the PIN pad if None; the inner result is the token's
    /// answer.
    fn try_pin(&mut self, pin: Option<&SecretString>) -> Result<Result<Session, token::Error>, Failure> {
        self.record(Event::Login(Login { token: self.token.clone() }))?;
        self.write_down()?;
        Ok(self.module.open(&self.token, pin, self.final_try))
    }

    /// Tries the new shares after an interruption during a change of custody; None if the token does not
    /// accept their PIN.
    fn try_new_shares(&mut self, set: &str) -> Result<Option<Session>, Failure> {
        self.room.show(&format!(
            "  The ceremony was interrupted during a change of the PIN. If the token has the new PIN, the shares of set {set} open it. They are tried once, then the old PIN."
        ));
        let pin = self.pin_of_shares(Some(set.to_owned()))?;
        match self.try_pin(Some(&pin))? {
            Ok(session) => {
                self.pin_changed(set)?;
                self.room.show("  The token has the new PIN.");
                Ok(Some(session))
            }
            Err(token::Error::WrongPin(_)) => {
                // The token's PIN flags have changed.
                self.refresh_token()?;
                self.record(Event::Custody(Custody::NotTaken { set: set.to_owned() }))?;
                self.room.show(&format!(
                    "  The token does not accept them. Keep the shares of set {set} until the old PIN has opened it."
                ));
                Ok(None)
            }
            Err(other) => Err(other.into()),
        }
    }

    pub(super) fn pin_changed(&mut self, set: &str) -> Result<(), Failure> {
        let token_serial = self.token.serial.clone();
        self.record(Event::Custody(Custody::Changed { set: set.to_owned(), token_serial }))?;
        self.write_down()
    }

    /// Returns the custodians who signed in.
    pub(super) fn custodians(&self) -> Vec<Person> {
        self.state().present.iter().filter(|person| person.role == Role::Custodian).cloned().collect()
    }

    /// Collects shares from custodians and combines the PIN; an invalid share is reported at once.
    fn pin_of_shares(&mut self, set: Option<String>) -> Result<SecretString, Failure> {
        let custodians = self.custodians();
        if let Some(set) = &set {
            self.room.show(&format!("  Shares of set {set} are needed."));
        }
        let mut collected = Collected::of(set);
        for person in &custodians {
            self.share_of(person, &mut collected)?;
            if collected.is_complete() {
                let set = collected.identifier();
                let (have, _) = collected.count();
                self.room.show("  These shares yield the PIN.");
                self.record(Event::Custody(Custody::Collected { set, shares: have }))?;
                return self.pin(&collected);
            }
        }
        let (have, need) = collected.count();
        Err(Failure::stopped(format!(
            "{} collected from {}; {} needed",
            count(have as u64, "share"),
            count(custodians.len() as u64, "custodian"),
            need.map_or_else(|| "at least 2".to_owned(), |need| need.to_string())
        )))
    }

    fn share_of(&mut self, person: &Person, collected: &mut Collected) -> Result<(), Failure> {
        loop {
            let Some(typed) = self.secret(Secret::Share(&person.title()))? else { return Ok(()) };
            let index = match Share::read(typed.expose_secret()) {
                Ok(share) => {
                    let index = share.index();
                    collected.add(share).map(|()| index)
                }
                Err(wrong) => Err(wrong),
            };
            match index {
                Ok(index) => {
                    let (have, need) = collected.count();
                    let need = need.unwrap_or_default();
                    let (from, note) = if self.room.shares_from_file() {
                        (ShareSource::File, " It came from a file; nobody typed it.")
                    } else {
                        (ShareSource::Terminal, "")
                    };
                    self.room.show(&format!("  Share {index} is valid: {have} of {need}.{note}"));
                    return self.record(Event::Custody(Custody::Share {
                        set: collected.identifier(),
                        share: index,
                        by: person.name.clone(),
                        from,
                    }));
                }
                Err(wrong) if self.room.shares_from_file() => {
                    return Err(Failure::usage(format!("share file: {wrong}")));
                }
                Err(wrong) => self.room.show(&format!("  Not accepted: {wrong}.")),
            }
        }
    }

    /// Combines the secret and truncates it to the length that the token accepts.
    pub(super) fn pin(&self, collected: &Collected) -> Result<SecretString, Failure> {
        let secret = collected.secret()?;
        let longest = match self.token.longest_pin {
            0 => usize::MAX,
            longest => longest,
        };
        if longest < SHORTEST_PIN {
            return Err(Failure::usage(format!(
                "this token accepts PINs of at most {longest} characters, but split custody requires at least {SHORTEST_PIN}"
            )));
        }
        let pin: Zeroizing<String> = Zeroizing::new(secret.expose_secret().chars().take(longest).collect());
        Ok(SecretString::from(pin.as_str()))
    }
}
