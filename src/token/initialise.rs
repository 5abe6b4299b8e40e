//! Initialising a token: label, security officer's PIN, user PIN.

use cryptoki::session::UserType;
use secrecy::{ExposeSecret, SecretString};

use super::module::slot;
use super::{Error, Module, Selector};
use crate::record::TokenFacts;

/// A token that holds nothing and can have this label, or one of this label that was never given a
/// user PIN. A token that holds something is never initialised again.
#[derive(Debug)]
pub struct Blank<'m> {
    module: &'m Module,
    token: TokenFacts,
    label: String,
}

impl<'m> Blank<'m> {
    /// The one that is meant: the only one, or the one with this serial.
    ///
    /// # Errors
    /// [`Error::Setup`] when no or several tokens could be meant or the label is taken;
    /// [`Error::Pkcs11`] when the module fails.
    pub fn find(module: &'m Module, serial: Option<&str>, label: &str) -> Result<Self, Error> {
        if label.is_empty() || label.len() > 32 || !label.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::Setup(format!(
                "label {label:?} is not 1 to 32 printable characters without spaces"
            )));
        }
        let meant = |token: &TokenFacts| serial.is_none_or(|serial| serial == token.serial);
        let all = module.tokens()?;
        let labelled: Vec<&TokenFacts> =
            all.iter().filter(|token| token.initialised && token.label == label).collect();
        let begun: Vec<&TokenFacts> =
            labelled.iter().copied().filter(|token| !token.user_pin_set && meant(token)).collect();
        let token = match (begun.as_slice(), labelled.first()) {
            ([begun], _) => *begun,
            (_, Some(taken)) => {
                return Err(Error::Setup(format!(
                    "a token of that label is there already: {}",
                    taken.line()
                )));
            }
            _ => one_of(all.iter().filter(|token| !token.initialised && meant(token)).collect())?,
        };
        Ok(Self { module, token: token.clone(), label: label.to_owned() })
    }

    /// Whether label and security officer's PIN are set already, and only the user PIN is missing.
    pub fn is_begun(&self) -> bool {
        self.token.initialised
    }

    /// Whether the token takes this security officer's PIN. What a token tells of the longest one
    /// is of the user's alone with some.
    ///
    /// # Errors
    /// [`Error::Setup`] names the lengths that it takes.
    pub fn check_so_pin(&self, pin: &SecretString) -> Result<(), Error> {
        let shortest = self.token.shortest_pin.max(1);
        match pin.expose_secret().len() < shortest {
            true => Err(Error::Setup(format!(
                "security officer's PIN: too short, this token takes at least {shortest} octets; nothing was changed"
            ))),
            false => Ok(()),
        }
    }

    /// Whether the token takes this user PIN.
    ///
    /// # Errors
    /// [`Error::Setup`] names the lengths that it takes.
    pub fn check_user_pin(&self, pin: &SecretString) -> Result<(), Error> {
        let (shortest, longest) = (self.token.shortest_pin.max(1), self.token.longest_pin);
        // Zero is how a token says nothing.
        let longest = if longest == 0 { usize::MAX } else { longest };
        let wrong = match pin.expose_secret().len() {
            length if length < shortest => "short",
            length if length > longest => "long",
            _ => return Ok(()),
        };
        Err(Error::Setup(format!(
            "user PIN: too {wrong}, this token takes {shortest} to {longest} octets; nothing was changed"
        )))
    }

    /// Gives the token its label and its PINs.
    ///
    /// # Errors
    /// [`Error::Setup`] for a PIN of the wrong length: nothing was changed. [`Error::Pkcs11`] when
    /// the token refuses at first, [`Error::Fault`] when it has its label and no user PIN.
    pub fn initialise(self, so_pin: &SecretString, user_pin: &SecretString) -> Result<TokenFacts, Error> {
        self.check_so_pin(so_pin)?;
        self.check_user_pin(user_pin)?;
        if !self.is_begun() {
            self.module.context().init_token(slot(&self.token)?, so_pin, &self.label)?;
        }
        self.set_user_pin(so_pin, user_pin).map_err(|error| {
            Error::Fault(format!(
                "{error}\nThe token is there with label {:?} and the security officer's PIN, but without a user PIN; the same command again sets it.",
                self.label
            ))
        })?;
        // The serial, and in some libraries the slot, is new after C_InitToken.
        self.module.choose(&Selector { serial: None, label: Some(self.label) })
    }

    fn set_user_pin(&self, so_pin: &SecretString, user_pin: &SecretString) -> Result<(), Error> {
        let session = self.module.context().open_rw_session(slot(&self.token)?)?;
        session.login(UserType::So, Some(so_pin))?;
        session.init_pin(user_pin)?;
        Ok(session.logout()?)
    }
}

fn one_of(blank: Vec<&TokenFacts>) -> Result<&TokenFacts, Error> {
    match blank.as_slice() {
        [one] => Ok(*one),
        [] => Err(Error::Setup("no token that is not initialised; keyrite never wipes one".into())),
        many => {
            let lines: Vec<String> = many.iter().map(|token| format!("  {}", token.line())).collect();
            Err(Error::Setup(format!("choose one by --token-serial:\n{}", lines.join("\n"))))
        }
    }
}
