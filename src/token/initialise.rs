//! Token initialisation: label, security officer's PIN, user PIN.

use cryptoki::session::UserType;
use secrecy::{ExposeSecret, SecretString};

use super::module::slot;
use super::{Error, Module, Selector};
use crate::record::TokenFacts;

/// An uninitialised token, or one with this label whose user PIN was never set; no other token is
/// ever initialised.
#[derive(Debug)]
pub struct Blank<'m> {
    module: &'m Module,
    token: TokenFacts,
    label: String,
}

impl<'m> Blank<'m> {
    /// Finds the only such token, or the one with this serial.
    ///
    /// # Errors
    /// [`Error::Setup`] when there is not exactly one, or the label is in use.
    pub fn find(module: &'m Module, serial: Option<&str>, label: &str) -> Result<Self, Error> {
        if label.is_empty() || label.len() > 32 || !label.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::Setup(format!(
                "label {label:?} must be 1 to 32 printable ASCII characters without spaces"
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
                    "a token with that label already exists: {}",
                    taken.line()
                )));
            }
            _ => one_of(all.iter().filter(|token| !token.initialised && meant(token)).collect())?,
        };
        Ok(Self { module, token: token.clone(), label: label.to_owned() })
    }

    /// Returns whether label and security officer's PIN are set and only the user PIN is missing.
    pub fn is_begun(&self) -> bool {
        self.token.initialised
    }

    /// Checks the minimum length of the security officer's PIN. The maximum is not checked, because
    /// some tokens report the one of the user PIN.
    pub fn check_so_pin(&self, pin: &SecretString) -> Result<(), Error> {
        let shortest = self.token.shortest_pin.max(1);
        match pin.expose_secret().len() < shortest {
            true => Err(Error::Setup(format!(
                "security officer's PIN: too short, this token requires at least {shortest} octets; nothing was changed"
            ))),
            false => Ok(()),
        }
    }

    /// Checks the length of the user PIN.
    pub fn check_user_pin(&self, pin: &SecretString) -> Result<(), Error> {
        let (shortest, longest) = (self.token.shortest_pin.max(1), self.token.longest_pin);
        // Zero means that the token reports no maximum.
        let longest = if longest == 0 { usize::MAX } else { longest };
        let wrong = match pin.expose_secret().len() {
            length if length < shortest => "short",
            length if length > longest => "long",
            _ => return Ok(()),
        };
        Err(Error::Setup(format!(
            "user PIN: too {wrong}, this token accepts {shortest} to {longest} octets; nothing was changed"
        )))
    }

    /// Sets the token's label and PINs.
    ///
    /// # Errors
    /// [`Error::Setup`] for a PIN of the wrong length and [`Error::Pkcs11`] when C_InitToken fails:
    /// nothing was changed. [`Error::Fault`] when the label is set and the user PIN is not.
    pub fn initialise(self, so_pin: &SecretString, user_pin: &SecretString) -> Result<TokenFacts, Error> {
        self.check_so_pin(so_pin)?;
        self.check_user_pin(user_pin)?;
        if !self.is_begun() {
            self.module.context().init_token(slot(&self.token)?, so_pin, &self.label)?;
        }
        self.set_user_pin(so_pin, user_pin).map_err(|error| {
            Error::Fault(format!(
                "{error}\nThe token has the label {:?} and the security officer's PIN, but no user PIN; run the same command again to set it.",
                self.label
            ))
        })?;
        // C_InitToken changes the serial, and in some modules the slot.
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
        [] => Err(Error::Setup("no uninitialised token found; keyrite never wipes one".into())),
        many => {
            let lines: Vec<String> = many.iter().map(|token| format!("  {}", token.line())).collect();
            Err(Error::Setup(format!("choose one with --token-serial:\n{}", lines.join("\n"))))
        }
    }
}
