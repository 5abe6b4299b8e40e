//! The only module that uses PKCS#11: modules, tokens, non-extractable keys, signatures.
//!
//! Input: an HSM profile, a PIN, a [`Reservation`](crate::ledger::Reservation). Output: signatures
//! in X.509 encoding. An authority's key signs nothing but reservations and the challenge that
//! proves it.

mod attributes;
mod error;
mod generate;
mod hsm_profile;
mod initialise;
mod module;
mod session;
mod sign;

pub use error::Error;
pub use generate::{NotMade, Remains};
pub use hsm_profile::{HsmProfile, PinEntry, Selector};
pub use initialise::Blank;
pub use module::{Module, check_pin_state};
pub use session::Session;
pub use sign::AuthorityKey;
