//! The only door to PKCS#11: modules, tokens, keys that cannot leave them, signatures.
//!
//! In: an HSM profile, a PIN, a [`Reservation`](crate::ledger::Reservation). Out: signatures as
//! X.509 wants them. An authority's key signs nothing but reservations and the challenge by
//! which it is proved.

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
pub use hsm_profile::{HsmProfile, Pin, PinEntry, Selector};
pub use initialise::Blank;
pub use module::Module;
pub use session::Session;
pub use sign::AuthorityKey;
