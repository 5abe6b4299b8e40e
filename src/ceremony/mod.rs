//! Ceremonies: a reviewed script, performed step by step, written down as it goes.
//!
//! In: a [`Plan`], a token's module, bundles, people who answer. Out: a ledger with a finished
//! ceremony and, where the script says so, a release. Everything that can fail without the token
//! has been tried before the PIN is asked for.

mod abandon;
mod again;
mod answers;
mod ask;
mod bound;
mod check;
mod conductor;
mod create;
mod custody;
mod export;
mod facts;
mod gate;
mod import;
mod intake;
mod issue;
mod key_pair;
mod lane;
mod objects;
mod people;
mod plan;
mod preflight;
mod publish;
mod record;
mod screen;
mod script;
mod seats;
mod steps;
mod transcript;
mod unattended;
mod welcome;
pub mod wording;
mod verdict;

use std::sync::{Arc, OnceLock};

use der::DateTime;

pub use abandon::abandon;
pub use again::{Which, manifest_again, release_again};
pub use answers::{Answers, Wanted};
pub use check::findings;
pub use conductor::{Conductor, Interrupted, Outcome};
pub use create::is_key_of;
pub use export::manifest_keys;
pub use gate::BundleFacts;
pub use import::SHOWN;
pub use people::{Answer, People, Person, Progress, Prompt, Question, Reply, SecretReply};
pub use plan::{MAX_FILE, Plan, PlanFiles};
pub use preflight::{Setup, Start, check_bundles, check_out, keys_are_there, keys_from_before};
pub use record::Kind as RecordKind;
pub use script::{NetworkRule, PinRule, RefusalRule, Script, Step, StrangerRule};
pub use seats::{Count, Role, Seats};
pub use steps::issue_lines;
pub use verdict::{Judged, Verdict, judge_bundles};

use crate::digest::Digest;
use crate::failure::Failure;
use crate::ledger::Ledger;

/// What the surroundings give: time, randomness and facts about machine and program. Tests and
/// callers supply them; nothing below the command line asks the system for any.
pub struct Surroundings<'a> {
    /// The clock, in UTC.
    pub now: &'a dyn Fn() -> DateTime,
    /// Random octets of the system.
    pub random: &'a dyn Fn() -> Result<[u8; 32], String>,
    /// Whether people want long work to stop at the next place where nothing is lost.
    pub stopped: &'a dyn Fn() -> bool,
    /// How many threads check and encode side by side.
    pub processors: usize,
    /// Looks through a ledger that lay there, before anything more is done with it; why not, when
    /// something in it is not what was written.
    pub examine: &'a dyn Fn(&mut Ledger) -> Result<(), String>,
    /// What the machine looks like.
    pub machine: MachineFacts,
    /// The program's version.
    pub tool_version: String,
    /// SHA-256 of the program's file, or why it cannot be had; it may take a moment.
    pub tool_digest: Arc<OnceLock<Result<Digest, String>>>,
}

impl Surroundings<'_> {
    /// Examines a ledger before anything is done with it.
    ///
    /// # Errors
    /// [`Failure::fault`] when it is not as it was written.
    pub fn check_ledger(&self, ledger: &mut Ledger) -> Result<(), Failure> {
        (self.examine)(ledger).map_err(|why| {
            Failure::fault(format!(
                "{}: {why}\nThe ledger is not as it was written, and nothing is done with it. Keep it as it is, look for who could write to it, and see what `keyrite audit` tells",
                ledger.folder().display()
            ))
        })
    }

    /// SHA-256 of the program's file.
    ///
    /// # Errors
    /// [`Failure::fault`] when the file cannot be read.
    pub fn tool_digest(&self) -> Result<Digest, Failure> {
        self.tool_digest.wait().clone().map_err(Failure::fault)
    }
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("machine", &self.machine).finish_non_exhaustive()
    }
}

/// What the machine looks like.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct MachineFacts {
    /// Kernel name and release.
    pub kernel: String,
    /// Network interfaces that are up, the loopback left out.
    pub network_up: Vec<String>,
    /// Swap areas in use: a PIN in memory might be written there.
    pub swap: Vec<String>,
    /// Whether memory is locked against swapping.
    pub memory_locked: bool,
    /// Names of loader variables that are set, as LD_PRELOAD.
    pub loader_variables: Vec<String>,
}
