//! Preflight: tries everything that can fail without the token and collects all findings. `check` lists them;
//! a run requires that there are none.

mod bound;
mod room;
mod plan;

use std::path::{Path, PathBuf};

pub use plan::keys_from_before;
pub use room::check_room;

use super::bundles::admit;
use super::checks::{check_ledger, check_machine, check_plausible, passes_calls_on};
use super::conductor::{Conductor, Parts};
use super::facts::facts;
use super::transcript::Transcript;
use super::{Environment, Room};
use crate::failure::Failure;
use crate::ledger::{Ledger, abandon_command, resume_command};
use crate::media::Output;
use crate::plan::step::MachineRule;
use crate::plan::{Plan, Setup};
use crate::policy::Policy;
use crate::record::{Event, TokenFacts};
use crate::signing::{check_out, policy};
use crate::token::{HsmProfile, Module, Selector};

/// Command-line parameters of a run; a check may know only some of them.
#[derive(Clone, Debug)]
pub struct Start {
    /// The plan.
    pub plan: Plan,
    /// Path and text of the HSM profile.
    pub hsm: Option<(PathBuf, String)>,
    /// Selects the token.
    pub token: Selector,
    /// Folder of the ledger.
    pub ledger: Option<PathBuf>,
    /// Bundles: folders or tars.
    pub bundles: Vec<PathBuf>,
    /// Destination of the release.
    pub out: Option<PathBuf>,
    /// Whether it is a rehearsal.
    pub rehearsal: bool,
    /// Whether to try a PIN even if only one attempt is left.
    pub final_try: bool,
}

#[derive(Debug, Default)]
struct Findings(Vec<Failure>);

impl Findings {
    fn take<T>(&mut self, result: Result<T, impl Into<Failure>>) -> Option<T> {
        result.map_err(|failure| self.0.push(failure.into())).ok()
    }

    /// Returns all findings as one failure of the kind of the first.
    fn into_result(self) -> Result<(), Failure> {
        let kind = self.0.first().map(|first| first.kind);
        let texts: Vec<String> = self.0.into_iter().map(|failure| failure.text).collect();
        kind.map_or(Ok(()), |kind| Err(Failure::new(kind, texts.join("\n"))))
    }
}

impl Start {
    /// Returns everything that is known to fail in a run. Nothing is changed: bundles are imported into a copy
    /// of the ledger below `scratch`.
    ///
    /// # Errors
    /// [`Failure`] when the ledger cannot be read or was modified, which makes all other findings
    /// meaningless.
    pub fn check(
        &self,
        scratch: &Path,
        environment: &Environment<'_>,
        room: Option<&dyn Room>,
    ) -> Result<Vec<Failure>, Failure> {
        let mut found = Findings::default();
        let open = |folder: &Path| {
            if self.bundles.is_empty() {
                Ledger::read(folder, scratch)
            } else {
                Ledger::trial(folder, scratch)
            }
        };
        let mut ledger = self.open_ledger(open, environment, &mut found)?;
        self.survey(ledger.as_ref(), environment, room, &mut found)?;
        if let Some(hsm) = &self.hsm {
            self.load(hsm, &mut found);
        }
        if !self.bundles.is_empty() && self.plan.script().has("import") {
            let policy = policy(&self.plan, ledger.as_ref())?;
            let ledger = match &mut ledger {
                Some(ledger) => ledger,
                none => none.insert(Ledger::scratch()?),
            };
            found.take(
                admit((&self.plan, &self.bundles), ledger, &policy, environment, &mut |_| {}).map(drop),
            );
        }
        Ok(found.0)
    }

    /// Checks everything and begins the ceremony in the ledger.
    ///
    /// # Errors
    /// All findings as one [`Failure`]; ledger, output and token are unchanged.
    pub fn prepare<'a>(
        self,
        environment: &'a Environment<'a>,
        room: &'a mut dyn Room,
    ) -> Result<Conductor<'a>, Failure> {
        let (Some(folder), Some(hsm)) = (&self.ledger, &self.hsm) else {
            return Err(Failure::usage("a ceremony needs a ledger and an HSM profile"));
        };
        let mut found = Findings::default();
        self.missing_arguments(&mut found);
        let existing = self.open_ledger(Ledger::open, environment, &mut found)?;
        self.survey(existing.as_ref(), environment, Some(&*room), &mut found)?;
        let module = self.load(hsm, &mut found);
        found.into_result()?;
        let Some(module) = module else { return Err(Failure::fault("no module is loaded")) };
        let token = module.choose_or_usual(&self.token)?;
        module.wants_pinpad(&token)?;
        check_token(&self.plan, existing.as_ref(), &token)?;
        let policy = policy(&self.plan, existing.as_ref())?;
        let mut ledger = match existing {
            Some(ledger) => ledger,
            None => Ledger::open_or_create(folder, self.rehearsal)?,
        };
        let setup = Setup {
            plan: self.plan.files().clone(),
            hsm: hsm.1.clone(),
            token_serial: token.serial.clone(),
            out: self.out.clone(),
            medium: self.out.as_deref().map(Output::medium),
            bundle: None,
            indexes: Vec::new(),
        };
        match self.begin(&mut ledger, setup, &module, &policy, environment, room) {
            Ok((id, setup, transcript)) => {
                let parts = Parts { plan: self.plan, setup, ledger, module, token, policy, transcript };
                Conductor::new(id, parts, (false, self.final_try), environment, room)
            }
            Err(failure) => {
                ledger.discard();
                Err(failure)
            }
        }
    }

    /// Imports the bundles and begins the ceremony in one transaction with its first record.
    fn begin(
        &self,
        ledger: &mut Ledger,
        mut setup: Setup,
        module: &Module,
        policy: &Policy,
        environment: &Environment<'_>,
        room: &mut dyn Room,
    ) -> Result<(i64, Setup, Transcript), Failure> {
        let mut transcript = Transcript::open(ledger, ledger.next_ceremony()?)?;
        let rehearsal = ledger.is_rehearsal();
        let admitted = admit((&self.plan, &self.bundles), ledger, policy, environment, &mut |progress| {
            room.progress(progress)
        })?;
        setup.indexes.clone_from(&admitted.indexes);
        setup.bundle = admitted.imported.map(|imported| imported.digest);
        let facts = facts(&self.plan, &setup, rehearsal, module, environment, room)?;
        transcript.note((environment.now)(), Event::Begin(facts))?;
        let id = admitted.commit(&setup, &self.plan, transcript.pending())?;
        transcript.mark_written();
        Ok((id, setup, transcript))
    }

    /// Opens the ledger if it exists. A modified ledger makes all other findings meaningless.
    fn open_ledger(
        &self,
        open: impl FnOnce(&Path) -> Result<Ledger, crate::ledger::Error>,
        environment: &Environment<'_>,
        found: &mut Findings,
    ) -> Result<Option<Ledger>, Failure> {
        let Some(folder) = &self.ledger else { return Ok(None) };
        if !Ledger::is_in(folder) {
            if found.take(Ledger::check_place(folder)).is_some() {
                found.take(plan::check_new_ledger(&self.plan, folder));
            }
            return Ok(None);
        }
        let mut ledger = open(folder)?;
        check_ledger(&mut ledger, environment.processors)?;
        found.take(ledger.check_kind(self.rehearsal));
        Ok(Some(ledger))
    }

    /// Loads the module of the HSM profile, unless it is an observer that the script does not allow.
    fn load(&self, (path, text): &(PathBuf, String), found: &mut Findings) -> Option<Module> {
        let named = |error| Failure::from(error).map(|text| format!("{}: {text}", path.display()));
        let profile = found.take(HsmProfile::parse(text).map_err(named))?;
        let rule = self.plan.script().machine().map(|machine| machine.observers);
        let refused = rule == Some(MachineRule::Refuse) && !self.rehearsal;
        if refused && profile.module.iter().any(|module| passes_calls_on(module)) {
            return None;
        }
        found.take(Module::load(profile).map_err(named))
    }

    /// Finds arguments that the script needs and the command line lacks.
    fn missing_arguments(&self, found: &mut Findings) {
        if self.bundles.is_empty() {
            found.take(check_bundles(&self.plan, &[]));
        }
        if self.plan.script().has("release") && self.out.is_none() {
            let what = "the script creates a release; name its folder with --out";
            found.0.push(Failure::usage(format!("{}: {what}", self.plan.name())));
        }
    }

    /// Checks everything except module, token and bundles.
    fn survey(
        &self,
        ledger: Option<&Ledger>,
        environment: &Environment<'_>,
        room: Option<&dyn Room>,
        found: &mut Findings,
    ) -> Result<(), Failure> {
        let now = (environment.now)();
        found.take(check_plausible(ledger, now, environment));
        if let Some(ledger) = ledger {
            found.take(check_open(ledger));
        }
        // Without an HSM profile the script is checked on some other machine.
        if let (Some(machine), Some((_, hsm))) = (self.plan.script().machine(), &self.hsm) {
            let or = |key: &str| {
                format!("or set {key} = \"report\" in the script's machine step and have it approved")
            };
            let modules = HsmProfile::parse(hsm).map(|profile| profile.module).unwrap_or_default();
            found.0.extend(check_machine(machine, self.rehearsal, &environment.machine, &modules, &or));
        }
        self.unused_arguments(found);
        if let Some(out) = self.out.as_deref().filter(|_| self.plan.script().has("release")) {
            found.take(check_out(out, self.ledger.as_deref()));
        }
        found.0.extend(plan::findings(&self.plan, ledger, now)?);
        if let Some(room) = room {
            found.take(check_room(&self.plan, self.rehearsal, 0, room));
        }
        Ok(())
    }

    /// Finds arguments that the script does not use.
    fn unused_arguments(&self, found: &mut Findings) {
        if !self.bundles.is_empty() {
            found.take(check_bundles(&self.plan, &self.bundles));
        }
        if !self.plan.script().has("release") && self.out.is_some() {
            let what = "the script creates no release; omit --out";
            found.0.push(Failure::usage(format!("{}: {what}", self.plan.name())));
        }
    }
}

/// Checks that bundles are named if and only if the script imports some.
///
/// # Errors
/// [`Failure::usage`] says what to add or omit.
pub fn check_bundles(plan: &Plan, bundles: &[PathBuf]) -> Result<(), Failure> {
    let what = match (plan.script().has("import"), bundles.is_empty()) {
        (true, true) => "the script imports bundles; name one or more with --in",
        (false, false) => "the script imports no bundle; omit --in",
        _ => return Ok(()),
    };
    Err(Failure::usage(format!("{}: {what}", plan.name())))
}

/// Checks that the ledger has no unfinished ceremony.
fn check_open(ledger: &Ledger) -> Result<(), Failure> {
    let Some(open) = ledger.open_ceremony()? else { return Ok(()) };
    let folder = ledger.folder();
    Err(Failure::usage(format!(
        "{}: ceremony {} is not finished; resume it with\n  {}\nor, if it has created nothing, abandon it with\n  {}",
        folder.display(),
        open.id,
        resume_command(folder),
        abandon_command(folder)
    )))
}

/// Checks that the keys that the plan uses are in this token.
fn check_token(plan: &Plan, ledger: Option<&Ledger>, token: &TokenFacts) -> Result<(), Failure> {
    let uses = plan.script().keys();
    let keys = ledger.map(Ledger::keys).transpose()?.unwrap_or_default();
    let mut used = keys.iter().filter(|stored| uses.iter().any(|key| key.name == stored.name));
    match used.find(|stored| stored.token_serial != token.serial) {
        None => Ok(()),
        Some(stored) => Err(Failure::fault(format!(
            "key {}: the ledger says it is in the token with serial {:?}, but this one has serial {:?}; use the ledger that belongs to this token",
            stored.name, stored.token_serial, token.serial
        ))),
    }
}
