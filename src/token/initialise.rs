//! Initialising a token: label, security officer's PIN, user PIN.

use cryptoki::session::UserType;
use secrecy::SecretString;

use super::{Error, Module, Selector, TokenFacts};

/// Initialises the one token that has not been initialised, or the one with this serial if that
/// one has not. A token that holds something is never initialised again.
///
/// # Errors
/// [`Error::Setup`] when no or several tokens could be meant or the label is taken;
/// [`Error::Pkcs11`] when the token refuses.
pub fn initialise(
    module: &Module,
    serial: Option<&str>,
    label: &str,
    so_pin: &SecretString,
    user_pin: &SecretString,
) -> Result<TokenFacts, Error> {
    if label.is_empty() || label.len() > 32 || !label.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::Setup(format!(
            "label {label:?} is not 1 to 32 printable characters without spaces"
        )));
    }
    let all = module.tokens()?;
    if let Some(taken) = all.iter().find(|token| token.initialised && token.label == label) {
        return Err(Error::Setup(format!("a token of that label is there already: {}", taken.line())));
    }
    let blank: Vec<&TokenFacts> = all
        .iter()
        .filter(|token| !token.initialised && serial.is_none_or(|serial| serial == token.serial))
        .collect();
    let chosen = match blank.as_slice() {
        [one] => *one,
        [] => return Err(Error::Setup("no token that is not initialised; keyrite never wipes one".into())),
        many => {
            let lines: Vec<String> = many.iter().map(|token| format!("  {}", token.line())).collect();
            return Err(Error::Setup(format!("choose one by --token-serial:\n{}", lines.join("\n"))));
        }
    };
    let slot = chosen.slot()?;
    module.context().init_token(slot, so_pin, label)?;
    let session = module.context().open_rw_session(slot)?;
    session.login(UserType::So, Some(so_pin))?;
    session.init_pin(user_pin)?;
    session.logout()?;
    drop(session);
    // The serial, and in some libraries the slot, is new after C_InitToken.
    module.choose(&Selector { serial: None, label: Some(label.to_owned()) })
}
