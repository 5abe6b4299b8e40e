//! Resumes an interrupted ceremony from its ledger alone.

use der::DateTime;

use super::checks::{check_ledger, check_plausible, check_still_valid};
use super::conductor::{Conductor, Parts};
use super::facts::facts;
use super::preflight::check_room;
use super::transcript::Transcript;
use super::{Environment, Room};
use crate::failure::Failure;
use crate::ledger::{Ledger, abandon_command};
use crate::plan::{Plan, Setup};
use crate::record::{Event, State};
use crate::signing::policy;
use crate::token::{HsmProfile, Module, Selector};

/// Resumes the ledger's unfinished ceremony. Plan, requests and HSM profile come from the ledger.
///
/// # Errors
/// [`Failure::usage`] when there is nothing to resume; otherwise as [`super::Start::prepare`].
pub fn resume<'a>(
    mut ledger: Ledger,
    final_try: bool,
    environment: &'a Environment<'a>,
    room: &'a mut dyn Room,
) -> Result<Conductor<'a>, Failure> {
    let open = ledger.open_ceremony()?.ok_or_else(|| {
        Failure::usage(format!(
            "{}: no unfinished ceremony, so there is nothing to resume",
            ledger.folder().display()
        ))
    })?;
    check_ledger(&mut ledger, environment.processors)?;
    let setup = Setup::read(&open.setup)?;
    let now = (environment.now)();
    check_plausible(Some(&ledger), now, environment)?;
    let plan = setup.plan()?;
    let mut hsm = HsmProfile::parse(&setup.hsm)?;
    let transcript = Transcript::open(&ledger, open.id)?;
    let state = transcript.state();
    let begin =
        state.begin.as_ref().ok_or_else(|| Failure::fault("ledger: the ceremony has no transcript"))?;
    // The module receives the PIN: it must be the same file as at the beginning.
    let begun = begin.module.sha256;
    hsm.module_sha256 = Some(begun);
    check_time_left(&ledger, &setup, &plan, state, now)?;
    check_room(&plan, ledger.is_rehearsal(), state.done, room)?;
    let module = Module::load(hsm).map_err(|e| {
        Failure::fault(format!(
            "{e}\nthis ceremony must continue with the module that it began with (SHA-256 {begun}); restore that file"
        ))
    })?;
    let token =
        module.choose(&Selector { serial: Some(setup.token_serial.clone()), label: None }).map_err(|e| {
            Failure::fault(format!(
                "{e}\nthis ceremony must continue with the token with serial {:?}; attach it",
                setup.token_serial
            ))
        })?;
    let policy = policy(&plan, Some(&ledger))?;
    let facts = facts(&plan, &setup, ledger.is_rehearsal(), &module, environment, room)?;
    let parts = Parts { plan, setup, ledger, module, token, policy, transcript };
    let mut conductor = Conductor::new(open.id, parts, (true, final_try), environment, room)?;
    conductor.record(Event::Resume(facts))?;
    Ok(conductor)
}

/// Checks what may have expired since the interruption: bundles, unless something is already reserved, and
/// the keys in use, unless the manifest is already signed.
fn check_time_left(
    ledger: &Ledger,
    setup: &Setup,
    plan: &Plan,
    state: &State,
    now: DateTime,
) -> Result<(), Failure> {
    let ended = setup.indexes.iter().filter_map(|index| index.expires).find(|expires| expires.0 < now);
    if let Some(expires) = ended.filter(|_| !state.may_have_signed()) {
        return Err(Failure::refused(format!(
            "bundle: expired at {}, but the clock says {now}; make a new bundle [BUNDLE-TIME], and abandon this ceremony with\n  {}",
            expires.0,
            abandon_command(ledger.folder())
        )));
    }
    if state.sealed.signed.is_some() {
        return Ok(());
    }
    let used = plan.script().keys();
    let keys = ledger.keys()?;
    let mut used = keys.iter().filter(|key| used.iter().any(|one| one.name == key.name));
    used.try_for_each(|key| check_still_valid(key, now))
}
