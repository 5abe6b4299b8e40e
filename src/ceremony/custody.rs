//! Split custody: a PIN that nobody knows, in shares that custodians hold.
//!
//! Order of a change, so that the token never has a PIN that nobody can give: the shares are handed
//! out and typed back, that is written down, the token gets the new PIN, the login with it is tried,
//! and that is written down. After an interruption in between, either the old PIN or the new shares
//! open the token, and both are tried, the shares first.

use crate::failure::Failure;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::conductor::Conductor;
use super::people::{Person, SecretReply};
use super::script::PinRule;
use super::seats::Role;
use super::{People, Prompt, Reply, wording};
use crate::media::shown;
use crate::release::Record;
use crate::shares::{self, Collected, Share};
use crate::token::{self, Pin, Session};

/// Shorter PINs are worth no custody: 8 characters are 40 bits.
const SHORTEST_PIN: usize = 8;

/// How a share is asked for.
type Ask = fn(&mut dyn People, &str) -> Result<SecretReply, Failure>;

/// What the transcript says of a set of shares.
#[derive(Clone, Debug, Deserialize)]
struct Told {
    phase: String,
    set: String,
    #[serde(default)]
    token_serial: Option<String>,
}

impl From<shares::Error> for Failure {
    fn from(error: shares::Error) -> Self {
        Self::fault(error.to_string())
    }
}

impl Conductor<'_> {
    /// Opens the token with the PIN as the script says it comes in, or as an interrupted change of
    /// custody left it.
    pub(super) fn log_in(&mut self, rule: PinRule) -> Result<(Session, Option<SecretString>), Failure> {
        if self.module.wants_pinpad(&self.token)? {
            if rule == PinRule::Shares {
                return Err(Failure::usage(
                    "pin = \"shares\": this token takes its PIN at its own pad, so no shares can open it",
                ));
            }
            return Ok((self.try_pin(None)??, None));
        }
        let told = self.custody_told()?;
        let mine = told.iter().rev().find(|(ceremony, _)| *ceremony == self.id).map(|(_, told)| told.clone());
        let tried = mine.as_ref().filter(|told| told.phase == "handed-out").map(|told| told.set.clone());
        if let Some(set) = &tried
            && let Some(session) = self.try_new_shares(set)?
        {
            return Ok((session, None));
        }
        let changed = mine.is_some_and(|told| told.phase == "changed");
        let pin = match rule {
            PinRule::Typed if !changed => self.typed_pin()?,
            _ => {
                let serial = Some(&self.token.serial);
                let last = told
                    .iter()
                    .rev()
                    .find(|(_, told)| told.phase == "changed" && told.token_serial.as_ref() == serial);
                self.pin_of_shares(last.map(|(_, told)| told.set.clone()))?
            }
        };
        let session = self.try_pin(Some(&pin))??;
        if let Some(set) = tried {
            // Only now is it sure that nothing but paper is lost with them.
            self.void(&set)?;
        }
        Ok((session, (!changed).then_some(pin)))
    }

    /// A set that the token never took.
    fn void(&mut self, set: &str) -> Result<(), Failure> {
        self.record("custody", json!({ "phase": "void", "set": set }))?;
        self.write_down()?;
        self.people.show(&format!(
            "  The token has the old PIN still. Shares of set {set} open nothing: destroy every paper of it. The step custody hands out others."
        ));
        Ok(())
    }

    /// Tries a PIN that is needed afterwards, or the token's own pad; what the token says of it is for the
    /// caller.
    fn try_pin(&mut self, pin: Option<&SecretString>) -> Result<Result<Session, token::Error>, Failure> {
        self.record("login", json!({ "token": self.token }))?;
        self.write_down()?;
        let pin = pin.map_or(Pin::Pinpad, |pin| Pin::Known(SecretString::from(pin.expose_secret())));
        Ok(self.module.open(&self.token, &pin, self.final_try))
    }

    /// Whether a change of custody has come so far in this ceremony that all shares were out.
    pub(super) fn custody_begun(&self) -> Result<bool, Failure> {
        let told = self.custody_told()?;
        Ok(told.iter().any(|(ceremony, told)| *ceremony == self.id && told.phase != "begun"))
    }

    /// What the transcripts say of sets that were handed out: how far each came, the oldest first.
    fn custody_told(&self) -> Result<Vec<(i64, Told)>, Failure> {
        let read = |(ceremony, line): (i64, String)| {
            let record: Record = serde_json::from_str(&line).ok()?;
            let told = serde_json::from_value(record.data).ok()?;
            let told: Told = told;
            let counts = ["begun", "handed-out", "changed", "void"].contains(&told.phase.as_str());
            (record.event == "custody" && counts).then_some((ceremony, told))
        };
        Ok(self.ledger.lines_of("custody")?.into_iter().filter_map(read).collect())
    }

    /// After an interruption between handing out and the end: the new shares, if the token took
    /// the PIN that they give.
    fn try_new_shares(&mut self, set: &str) -> Result<Option<Session>, Failure> {
        self.people.show(&format!(
            "  A change of the PIN was under way when the ceremony was interrupted. If the token took the new PIN, the shares of set {set} open it. They are tried once, then the old PIN."
        ));
        let pin = self.pin_of_shares(Some(set.to_owned()))?;
        match self.try_pin(Some(&pin))? {
            Ok(session) => {
                self.told_changed(set)?;
                self.people.show("  The token has the new PIN.");
                Ok(Some(session))
            }
            Err(token::Error::WrongPin(_)) => {
                // What the token says of its PIN has changed.
                self.look_at_token()?;
                self.record("custody", json!({ "phase": "not-taken", "set": set }))?;
                self.people.show(&format!(
                    "  The token does not take them. Keep the shares of set {set} until the old PIN has opened it."
                ));
                Ok(None)
            }
            Err(other) => Err(other.into()),
        }
    }

    fn told_changed(&mut self, set: &str) -> Result<(), Failure> {
        let serial = &self.token.serial;
        self.record("custody", json!({ "phase": "changed", "set": set, "token_serial": serial }))?;
        self.write_down()
    }

    /// The PIN out of the shares that custodians type, each told at once what is wrong with it.
    fn pin_of_shares(&mut self, set: Option<String>) -> Result<SecretString, Failure> {
        let custodians: Vec<Person> =
            self.present.iter().filter(|person| person.role == Role::Custodian).cloned().collect();
        if let Some(set) = &set {
            self.people.show(&format!("  Wanted are shares of the set {set}."));
        }
        let mut collected = Collected::of(set);
        for person in &custodians {
            self.share_of(person, &mut collected)?;
            if collected.is_complete() {
                let set = collected.identifier();
                let (have, _) = collected.count();
                self.people.show("  These shares give the PIN.");
                self.record("custody", json!({ "phase": "collected", "set": set, "shares": have }))?;
                return self.pin(&collected);
            }
        }
        let (have, need) = collected.count();
        Err(Failure::stopped(format!(
            "{} given by {}, needed: {}",
            wording::count(have as u64, "share"),
            wording::count(custodians.len() as u64, "custodian"),
            need.map_or_else(|| "at least 2".to_owned(), |need| need.to_string())
        )))
    }

    fn share_of(&mut self, person: &Person, collected: &mut Collected) -> Result<(), Failure> {
        loop {
            let Some(typed) = self.share(person, |people, title| people.share(title))? else { return Ok(()) };
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
                    let (from, whence) = match self.people.shares_from_file() {
                        true => ("file", " It came from a file, nobody typed it."),
                        false => ("terminal", ""),
                    };
                    self.people.show(&format!("  Share {index} is right: {have} of {need}.{whence}"));
                    return self.record(
                        "custody",
                        json!({ "phase": "share", "set": collected.identifier(), "share": index, "by": person.name, "from": from }),
                    );
                }
                Err(wrong) if self.people.shares_from_file() => {
                    return Err(Failure::usage(format!("share file: {wrong}")));
                }
                Err(wrong) => self.people.show(&format!("  Not taken: {wrong}.")),
            }
        }
    }

    fn share(&mut self, person: &Person, ask: Ask) -> Result<Option<SecretString>, Failure> {
        loop {
            self.write_down()?;
            match ask(self.people, &person.title())? {
                SecretReply::Secret(share) => return Ok(Some(share)),
                SecretReply::None => return Ok(None),
                SecretReply::Stop => return Err(Failure::stopped("stopped at the prompt")),
                SecretReply::Exception => self.exception()?,
            }
        }
    }

    /// The secret of a set, as long as the token takes it.
    fn pin(&self, collected: &Collected) -> Result<SecretString, Failure> {
        let secret = collected.secret()?;
        let longest = match self.token.longest_pin {
            0 => usize::MAX,
            longest => longest,
        };
        if longest < SHORTEST_PIN {
            return Err(Failure::usage(format!(
                "this token takes PINs of at most {longest} characters, split custody wants at least {SHORTEST_PIN}"
            )));
        }
        let pin: Zeroizing<String> = Zeroizing::new(secret.expose_secret().chars().take(longest).collect());
        Ok(SecretString::from(pin.as_str()))
    }

    /// Makes a new PIN, hands out its shares, and gives the token that PIN.
    pub(super) fn custody(&mut self, threshold: usize, count: usize) -> Result<(), Failure> {
        let mine = self.custody_told()?.into_iter().rev().find(|(ceremony, _)| *ceremony == self.id);
        match mine.map(|(_, told)| (told.phase, told.set)) {
            Some((phase, _)) if phase == "changed" => {
                self.people.show("  The token has its new PIN already.");
                return Ok(());
            }
            // Stopped before all of it was out: some custodians hold papers of it.
            Some((phase, set)) if phase == "begun" => self.void(&set)?,
            _ => {}
        }
        let Some(old) = self.old_pin.take() else {
            return Err(Failure::usage(
                "this token takes its PIN at its own pad; split custody needs one that keyrite can give it",
            ));
        };
        self.people_take_shares()?;
        let holders = self.holders(count)?;
        let shares = self.new_shares(threshold, count)?;
        let set = shares.first().map(Share::identifier).unwrap_or_default();
        self.record("custody", json!({ "phase": "begun", "set": set }))?;
        self.write_down()?;
        self.people.show(&format!(
            "  A PIN was made at random. {count} shares of it make the set {set}; any {threshold} of them give it.\n  One custodian after another comes to the screen alone and brings pen and paper."
        ));
        let mut collected = Collected::of(Some(set.clone()));
        let mut list = Vec::new();
        for (share, person) in shares.iter().zip(&holders) {
            self.hand_out(share, person)?;
            list.push(json!({ "share": share.index(), "custodian": person.name }));
            if !collected.is_complete() {
                collected.add(share.clone())?;
            }
        }
        let new = self.pin(&collected)?;
        self.record(
            "custody",
            json!({ "phase": "handed-out", "set": set, "threshold": threshold, "shares": list, "token_serial": self.token.serial }),
        )?;
        self.confirm(Prompt {
            id: "custody",
            question: wording::custody(count, &set),
            expected: format!("set pin {set}"),
        })?;
        self.write_down()?;
        self.session()?.change_pin(&old, &new)?;
        self.told_changed(&set)?;
        self.people.show(&format!(
            "  The token has the new PIN, and the login with it went well. Older shares and the old PIN open nothing any more. Write on the envelopes: set {set}, token {}.",
            self.token.serial
        ));
        Ok(())
    }

    fn new_shares(&self, threshold: usize, count: usize) -> Result<Vec<Share>, Failure> {
        let session = self.session()?;
        // Octets of token and system together: as good as the better of the two.
        shares::split(threshold, count, &mut |octets: &mut [u8]| -> Result<(), Failure> {
            let token = Zeroizing::new(session.random(32)?);
            let system = Zeroizing::new((self.surroundings.random)().map_err(Failure::fault)?);
            for (octet, (one, other)) in octets.iter_mut().zip(token.iter().zip(system.iter())) {
                *octet = one ^ other;
            }
            Ok(())
        })
    }

    /// Who gets the shares: all custodians, or those whom people choose when there are more.
    fn holders(&mut self, count: usize) -> Result<Vec<Person>, Failure> {
        let mut left: Vec<Person> =
            self.present.iter().filter(|person| person.role == Role::Custodian).cloned().collect();
        if left.len() == count || self.people.unattended() {
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
            self.people.show(&format!("  Custodians without a new share: {}", names.join(", ")));
            let question = super::Question {
                text: format!("Who takes share {number} of {count}? Type the number before the name"),
                wanted: super::Answer::Text,
            };
            let at = loop {
                let typed = self.listen(&question)?;
                match typed.parse::<usize>() {
                    Ok(at) if (1..=left.len()).contains(&at) => break at - 1,
                    _ => self.people.show("  That is none of the numbers."),
                }
            };
            chosen.push(left.remove(at));
        }
        Ok(chosen)
    }

    /// Nobody's share goes to a file, but in a rehearsal.
    fn people_take_shares(&self) -> Result<(), Failure> {
        match self.people.unattended() && !self.ledger.is_rehearsal() {
            false => Ok(()),
            true => Err(Failure::usage(
                "a file answers, and shares go to a file in a rehearsal only; resume at a terminal where custodians are",
            )),
        }
    }

    /// Shows one share to one custodian, and has it typed back.
    fn hand_out(&mut self, share: &Share, person: &Person) -> Result<(), Failure> {
        self.people_take_shares()?;
        let title = person.title();
        self.seen_by(share, &title)?;
        if self.people.unattended() {
            return Ok(());
        }
        loop {
            let Some(typed) = self.share(person, |people, title| people.share_back(title))? else {
                self.people.show("  Once more on the screen; correct the paper.");
                self.record(
                    "custody",
                    json!({ "phase": "shown-again", "share": share.index(), "to": person.name }),
                )?;
                self.seen_by(share, &title)?;
                continue;
            };
            match Share::read(typed.expose_secret()) {
                Ok(typed) if typed.is(share) => break,
                Ok(_) => self.people.show("  That is a share, but not yours."),
                Err(wrong) => {
                    self.people.show(&format!("  Not right: {wrong}."));
                }
            }
        }
        self.people.show(&format!("  {title}: the paper is right. Keep it where nobody else comes."));
        Ok(())
    }

    fn seen_by(&mut self, share: &Share, title: &str) -> Result<(), Failure> {
        loop {
            match self.people.hand_out(title, &share.grouped())? {
                Reply::Text(_) => return Ok(()),
                Reply::Stop => return Err(Failure::stopped("stopped at the prompt")),
                Reply::Exception => self.exception()?,
            }
        }
    }
}
