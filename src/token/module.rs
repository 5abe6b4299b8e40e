//! PKCS#11 modules, and the tokens that they present.

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::slot::Slot;
use secrecy::SecretString;

use super::{Error, HsmProfile, PinEntry, Selector, Session};
use crate::digest::Digest;
use crate::media::shown;
use crate::record::TokenFacts;

/// A loaded module. One per process, because some libraries crash when a second one is loaded.
#[derive(Debug)]
pub struct Module {
    context: Pkcs11,
    profile: HsmProfile,
    path: std::path::PathBuf,
    digest: Digest,
}

impl Module {
    /// Loads and initialises the module that an HSM profile names.
    ///
    /// # Errors
    /// [`Error::Setup`] when the file is missing, does not match its pinned digest, or is not a module.
    pub fn load(profile: HsmProfile) -> Result<Self, Error> {
        let listed: Vec<String> = profile.module.iter().map(|path| path.display().to_string()).collect();
        let path = profile.module.iter().find(|path| path.is_file()).cloned().ok_or_else(|| {
            Error::Setup(format!(
                "no PKCS#11 module at {}; install it, or set module in the HSM profile",
                listed.join(" or ")
            ))
        })?;
        let digest = std::fs::File::open(&path).and_then(Digest::of_all);
        let digest = digest.map_err(|e| Error::Setup(format!("{}: {e}", path.display())))?;
        if let Some(pinned) = profile.module_sha256.filter(|pinned| *pinned != digest) {
            return Err(Error::Setup(format!(
                "{}: SHA-256 is {digest}, but the HSM profile requires {pinned}",
                path.display()
            )));
        }
        let context = Pkcs11::new(&path).map_err(|e| {
            Error::Setup(format!("{}: is not a PKCS#11 module: {}", path.display(), shown(&e.to_string())))
        })?;
        context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
        Ok(Self { context, profile, path, digest })
    }

    pub fn profile(&self) -> &HsmProfile {
        &self.profile
    }

    /// The module's path.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// SHA-256 of the module's file.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub(super) fn context(&self) -> &Pkcs11 {
        &self.context
    }

    /// Lists all tokens that are present.
    pub fn tokens(&self) -> Result<Vec<TokenFacts>, Error> {
        self.context.get_slots_with_token()?.into_iter().map(|slot| self.facts(slot)).collect()
    }

    fn facts(&self, slot: Slot) -> Result<TokenFacts, Error> {
        let info = self.context.get_token_info(slot)?;
        Ok(TokenFacts {
            label: shown(info.label()),
            serial: shown(info.serial_number()),
            manufacturer: shown(info.manufacturer_id()),
            model: shown(info.model()),
            firmware: format!("{}", info.firmware_version()),
            initialised: info.token_initialized(),
            user_pin_set: info.user_pin_initialized(),
            pin_count_low: info.user_pin_count_low(),
            pin_final_try: info.user_pin_final_try(),
            pin_locked: info.user_pin_locked(),
            pinpad: info.protected_authentication_path(),
            shortest_pin: info.min_pin_length(),
            longest_pin: info.max_pin_length(),
            slot: Some(slot.id()),
        })
    }

    /// Finds the token that a selector matches.
    ///
    /// # Errors
    /// [`Error::Setup`] when several match, [`Error::Fault`] when none does; both list the tokens.
    pub fn choose(&self, selector: &Selector) -> Result<TokenFacts, Error> {
        let all = self.tokens()?;
        let wanted = |token: &&TokenFacts| {
            selector.serial.as_ref().is_none_or(|serial| *serial == token.serial)
                && selector.label.as_ref().is_none_or(|label| *label == token.label)
        };
        let named = describe(selector);
        let matching: Vec<&TokenFacts> =
            all.iter().filter(|token| token.initialised).filter(wanted).collect();
        match matching.as_slice() {
            [one] => Ok((*one).clone()),
            [] if all.is_empty() => Err(Error::Fault(format!("{named}: no token is present"))),
            [] => Err(Error::Fault(format!(
                "{named}: no initialised token matches; tokens present:\n{}\ncheck the name, and where the module looks for tokens (SoftHSM: SOFTHSM2_CONF); only a token that is to be new is initialised, with `keyrite token init`",
                listing(&all.iter().collect::<Vec<_>>())
            ))),
            many => Err(Error::Setup(format!(
                "{named}: {} tokens match; choose one with --token-serial:\n{}",
                many.len(),
                listing(many)
            ))),
        }
    }

    /// Finds the token that the command line selects, or else the one that the HSM profile selects.
    pub fn choose_or_usual(&self, named: &Selector) -> Result<TokenFacts, Error> {
        self.choose(if *named == Selector::default() { &self.profile.token } else { named })
    }

    /// Opens a session with the token and tries to log the user in once; without a PIN, which the user then
    /// types on the device.
    ///
    /// # Errors
    /// [`Error::Fault`] when the PIN is locked, not set, or at its final attempt without `final_try`;
    /// [`Error::WrongPin`] when the token rejects it.
    pub fn open(
        &self,
        token: &TokenFacts,
        pin: Option<&SecretString>,
        final_try: bool,
    ) -> Result<Session, Error> {
        check_pin_state(token, final_try)?;
        let slot = slot(token)?;
        let session = self.context.open_rw_session(slot)?;
        if let Err(error) = session.login(cryptoki::session::UserType::User, pin) {
            return Err(self.explain_login(error.into(), slot));
        }
        Ok(Session::new(session, self.profile.clone(), token.clone()))
    }

    /// Opens sessions in addition to one that is logged in, up to the limits of the HSM profile, the
    /// amount of work and the token. A login applies to all sessions (PKCS#11 2.40, 5.6).
    pub fn further_sessions(&self, first: &Session, work: usize) -> Result<Vec<Session>, Error> {
        let slot = slot(first.token())?;
        let mut further = Vec::new();
        while further.len() + 1 < self.profile.sessions.min(work) {
            match self.context.open_ro_session(slot).map_err(Error::from) {
                Ok(session) => {
                    further.push(Session::new(session, self.profile.clone(), first.token().clone()));
                }
                Err(error) if error.is("CKR_SESSION_COUNT") => break,
                Err(error) => return Err(error),
            }
        }
        Ok(further)
    }

    /// Returns whether the PIN is entered on the device: the HSM profile decides, and the token must
    /// support it.
    pub fn wants_pinpad(&self, token: &TokenFacts) -> Result<bool, Error> {
        match (self.profile.pin, token.pinpad) {
            (PinEntry::Pinpad, false) => Err(Error::Setup(format!(
                "token {}: has no PIN pad, but the HSM profile says pin = \"pinpad\"",
                token.serial
            ))),
            (entry, _) => Ok(entry == PinEntry::Pinpad),
        }
    }

    fn explain_login(&self, error: Error, slot: Slot) -> Error {
        let state = match self.facts(slot) {
            Ok(facts) if facts.pin_locked => "the PIN is locked now",
            Ok(facts) if facts.pin_final_try => "one more wrong PIN will lock the token",
            Ok(facts) if facts.pin_count_low => {
                "the token has PIN attempts left, but does not report how many"
            }
            _ => "the token does not report the remaining PIN attempts",
        };
        match error.is("CKR_PIN_INCORRECT") {
            true => Error::WrongPin(format!(
                "the PIN is wrong; {state}; keyrite never retries a PIN by itself ({error})"
            )),
            false => error,
        }
    }
}

pub(super) fn slot(token: &TokenFacts) -> Result<Slot, Error> {
    let slot = token.slot.and_then(|slot| Slot::try_from(slot).ok());
    slot.ok_or_else(|| Error::Fault(format!("token {}: has no slot", token.serial)))
}

pub fn check_pin_state(token: &TokenFacts, final_try: bool) -> Result<(), Error> {
    let fault = |message: &str| Err(Error::Fault(format!("token {}: {message}", token.serial)));
    if token.pin_locked {
        return fault(
            "the user PIN is locked (CKF_USER_PIN_LOCKED); the security officer must set a new one",
        );
    }
    if !token.user_pin_set {
        return fault(
            "no user PIN is set; set one with `keyrite token init`, the token's label and the security officer's PIN",
        );
    }
    if token.pin_final_try && !final_try {
        return fault(
            "one more wrong PIN will lock it (CKF_USER_PIN_FINAL_TRY); check the PIN, then add --accept-final-try",
        );
    }
    Ok(())
}

fn describe(selector: &Selector) -> String {
    match (&selector.serial, &selector.label) {
        (Some(serial), Some(label)) => format!("token with serial {serial:?} and label {label:?}"),
        (Some(serial), None) => format!("token with serial {serial:?}"),
        (None, Some(label)) => format!("token with label {label:?}"),
        (None, None) => "token".to_owned(),
    }
}

fn listing(tokens: &[&TokenFacts]) -> String {
    tokens.iter().map(|token| format!("  {}", token.line())).collect::<Vec<_>>().join("\n")
}
