//! Shares of the throwaway token's PIN. They protect nothing else, so they are kept in files.

use std::ffi::OsString;

use super::Workspace;
use crate::cli::output::say;
use crate::failure::Failure;
use crate::plan::Plan;
use crate::record::Role;

/// Number of custodians in the shipped answers file.
const CUSTODIANS: usize = 5;

fn file(number: usize) -> String {
    format!("token/shares-{number}")
}

/// Counts the share files, one per set.
fn sets(workspace: &Workspace) -> usize {
    (1..).take_while(|number| workspace.folder.join(file(*number)).exists()).count()
}

/// Returns the file with the current shares, if the PIN is split.
pub fn shares(workspace: &Workspace) -> Option<String> {
    Some(sets(workspace)).filter(|sets| *sets > 0).map(file)
}

/// Splits the token's PIN, as a stand-in for the custody of the real token.
pub fn split(workspace: &Workspace, plan: &Plan) -> Result<(), Failure> {
    let count = plan.script().people.of(Role::Custodian).min(CUSTODIANS);
    let threshold = count.div_ceil(2).max(2);
    let script = format!(
        "title = \"Stand-in custody\"\npurpose = \"Split the PIN, as that of the real token is split.\"\n[people]\ncustodian = {count}\n[[step]]\nact = \"machine\"\nnetwork = \"report\"\n[[step]]\nact = \"open-token\"\n[[step]]\nact = \"custody\"\nthreshold = {threshold}\nshares = {count}\n"
    );
    workspace.write("plan/stand-in-custody.toml", &script, 0o600)?;
    workspace.ceremony(
        &format!("The token's PIN is split: any {threshold} of {count} shares recover it"),
        "plan/stand-in-custody.toml",
        "--new-share-file token/shares-1",
    )
}

/// Returns the arguments of a run for the shares that it reads and hands out.
pub fn arguments(workspace: &Workspace, plan: &Plan, unattended: bool) -> Vec<OsString> {
    let mut arguments = Vec::new();
    if let Some(path) = shares(workspace).filter(|_| plan.script().opens_by_shares()) {
        if unattended {
            arguments.extend(["--share-file".into(), path.into()]);
        } else {
            say(&format!(
                "Shares for the custodians to type, one each: {}",
                workspace.folder.join(path).display()
            ));
        }
    }
    if unattended && plan.script().has("custody") {
        arguments.extend(["--new-share-file".into(), file(sets(workspace) + 1).into()]);
    }
    arguments
}
