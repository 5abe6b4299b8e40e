//! The shares of a throwaway token: a rehearsal keeps them in files, for they open nothing else.

use crate::failure::Failure;
use crate::plan::Plan;
use crate::record::Role;
use std::ffi::OsString;

use super::Stage;
use crate::cli::output::say;

/// As many custodians as the shipped answers file names.
const CUSTODIANS: usize = 5;

fn file(number: usize) -> String {
    format!("token/shares-{number}")
}

/// How many sets were handed out to files.
fn sets(stage: &Stage) -> usize {
    (1..).take_while(|number| stage.folder.join(file(*number)).exists()).count()
}

/// The file of the set that opens the token now, when its PIN is split.
pub fn shares(stage: &Stage) -> Option<String> {
    Some(sets(stage)).filter(|sets| *sets > 0).map(file)
}

/// Splits the token's PIN, as it is split where the script will be performed.
pub fn split(stage: &Stage, plan: &Plan) -> Result<(), Failure> {
    let count = plan.script().people.of(Role::Custodian).min(CUSTODIANS);
    let threshold = count.div_ceil(2).max(2);
    let script = format!(
        "title = \"Stand-in custody\"\npurpose = \"Split the PIN as that of the real token is.\"\n[people]\ncustodian = {count}\n[[step]]\nact = \"machine\"\nnetwork = \"report\"\n[[step]]\nact = \"open-token\"\n[[step]]\nact = \"custody\"\nthreshold = {threshold}\nshares = {count}\n"
    );
    stage.write("plan/stand-in-custody.toml", &script, 0o600)?;
    stage.keyrite(
        &format!("The token's PIN, split: any {threshold} of {count} shares open it"),
        "ceremony run plan/stand-in-custody.toml --hsm plan/softhsm2.toml --ledger ledger --rehearsal --answers plan/answers-accept.toml --pin-file token/pin --new-share-file token/shares-1",
    )
}

/// Where a run takes shares from, and where it leaves those that it hands out.
pub fn arguments(stage: &Stage, plan: &Plan, unattended: bool) -> Vec<OsString> {
    let mut words = Vec::new();
    if let Some(path) = shares(stage).filter(|_| plan.script().opens_by_shares()) {
        if unattended {
            words.extend(["--share-file".into(), path.into()]);
        } else {
            say(&format!(
                "The throwaway token's shares, one for each custodian to type: {}",
                stage.folder.join(path).display()
            ));
        }
    }
    if unattended && plan.script().has("custody") {
        words.extend(["--new-share-file".into(), file(sets(stage) + 1).into()]);
    }
    words
}
