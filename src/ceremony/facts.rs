//! The facts of a ceremony, as the record that begins it, and every one that resumes it, states them.

use super::{Environment, Room};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::plan::{Plan, Setup};
use crate::record::{Facts, HsmProfileFacts, ModuleFacts};
use crate::token::Module;

/// The facts as they are now.
pub fn facts(
    plan: &Plan,
    setup: &Setup,
    rehearsal: bool,
    module: &Module,
    environment: &Environment<'_>,
    room: &dyn Room,
) -> Result<Box<Facts>, Failure> {
    Ok(Box::new(Facts {
        title: plan.script().title.clone(),
        plan: plan.facts(),
        rehearsal,
        hsm_profile: HsmProfileFacts {
            name: module.profile().name.clone(),
            sha256: Digest::of(setup.hsm.as_bytes()),
        },
        module: ModuleFacts { path: module.path().to_owned(), sha256: module.digest() },
        token_serial: setup.token_serial.clone(),
        out: setup.out.clone(),
        bundle_sha256: setup.bundle,
        indexes: setup.indexes.clone(),
        // Whoever gives shares by a file need not be there.
        unattended: room.unattended() || room.shares_from_file(),
        tool: environment.tool()?,
    }))
}
