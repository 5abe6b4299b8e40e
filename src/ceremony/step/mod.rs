//! Steps: performs the acts of a script. What an act states, requires and asks is in `plan/step`.

mod create_authority;
mod create_manifest_key;
mod custody;
mod import;
mod inventory;
mod issue;
mod machine;
mod open_token;
mod pause;
mod record;
mod release;
mod review;

pub use review::issue_lines;

use super::conductor::Conductor;
use crate::failure::Failure;
use crate::plan::Act;

/// An act that can be performed.
pub trait Perform {
    /// Performs the act; a [`Failure`] interrupts the ceremony.
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure>;
}

pub fn performer(act: &Act) -> &dyn Perform {
    match act {
        Act::Machine(act) => act,
        Act::OpenToken(act) => act,
        Act::Inventory(act) => act,
        Act::Custody(act) => act,
        Act::Record(act) => act,
        Act::CreateAuthority(act) => act,
        Act::CreateManifestKey(act) => act,
        Act::Import(act) => act,
        Act::Review(act) => act,
        Act::Issue(act) => act,
        Act::Release(act) => act,
        Act::Pause(act) => act,
    }
}
