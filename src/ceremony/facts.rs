//! The facts of a ceremony that its first record and every record of a resumption state.

use super::{Environment, Room};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::plan::{Plan, Setup};
use crate::record::{Facts, HsmProfileFacts, ModuleFacts};
use crate::token::Module;

/// Returns the current facts.
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
        // A custodian whose share comes from a file need not be present.
        unattended: room.unattended() || room.shares_from_file(),
        tool: environment.tool()?,
    }))
}
