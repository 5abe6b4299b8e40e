//! Steps: how each act of a script is performed. What an act says, needs and asks is in `plan/step`.

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

/// How an act is performed.
pub trait Perform {
    /// Performs it. Whatever it does is recorded before and after.
    ///
    /// # Errors
    /// [`Failure`] interrupts the ceremony.
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure>;
}

/// Who performs an act.
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
