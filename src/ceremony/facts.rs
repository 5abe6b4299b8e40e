//! The facts of a ceremony, as the record that begins it and every later one that takes it up
//! again tell them.

use crate::failure::Failure;
use serde_json::{Map, Value, json};

use super::{People, Plan, Setup, Surroundings};
use crate::digest::Digest;
use crate::token::{HsmProfile, Module};

/// What does not change from the begin of a ceremony to its end.
pub fn lasting(plan: &Plan, hsm: &HsmProfile, setup: &Setup, rehearsal: bool) -> Map<String, Value> {
    let files = plan.listing();
    let files: Vec<Value> =
        files.iter().map(|(path, digest)| json!({ "path": path, "sha256": digest })).collect();
    let facts = [
        ("title", json!(plan.script().title)),
        ("plan", json!({ "sha256": plan.digest(), "files": files })),
        ("rehearsal", json!(rehearsal)),
        ("hsm_profile", json!({ "name": hsm.name, "sha256": Digest::of(setup.hsm.as_bytes()) })),
        ("token_serial", json!(setup.token_serial)),
        ("out", json!(setup.out)),
        ("bundle_sha256", json!(setup.bundle)),
        ("indexes", json!(setup.indexes)),
    ];
    facts.map(|(name, fact)| (name.to_owned(), fact)).into_iter().collect()
}

/// All facts, with what is so now: the program, the module that was loaded, who answers.
pub fn facts(
    plan: &Plan,
    setup: &Setup,
    rehearsal: bool,
    module: &Module,
    surroundings: &Surroundings<'_>,
    people: &dyn People,
) -> Result<Value, Failure> {
    let mut facts = lasting(plan, module.profile(), setup, rehearsal);
    let now = [
        // Whoever gives shares by a file need not be there.
        ("unattended", json!(people.unattended() || people.shares_from_file())),
        ("tool", json!({ "version": surroundings.tool_version, "sha256": surroundings.tool_digest()? })),
        ("module", json!({ "path": module.path(), "sha256": module.digest() })),
    ];
    facts.extend(now.map(|(name, fact)| (name.to_owned(), fact)));
    Ok(Value::Object(facts))
}
