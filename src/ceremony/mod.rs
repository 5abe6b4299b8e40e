//! Ceremonies: performs a reviewed script step by step and records each step.
//!
//! Input: a [`Plan`](crate::plan::Plan), a token's module, bundles, and people who answer. Output: a ledger
//! with a finished ceremony and, if the script has that step, a release. Everything that can fail without the
//! token is tried before the PIN is asked for.

mod abandon;
mod answers;
mod ask;
mod bundles;
mod checks;
mod conductor;
mod create_key;
mod facts;
mod key_pair;
mod log_in;
mod room;
mod preflight;
mod resume;
mod run;
mod step;
mod transcript;
mod upgrade;
mod sign_in;

use std::sync::{Arc, OnceLock};

use der::DateTime;

pub use abandon::abandon;
pub use answers::Answers;
pub use bundles::{Judged, SHOWN, Verdict, judge_bundles};
pub use conductor::Conductor;
pub use preflight::{Start, check_bundles, keys_from_before};
pub use resume::resume;
pub use room::{Answer, Question, Reply, Room, Secret, SecretReply, Wanted};
pub use run::{Interrupted, Outcome};
pub use step::issue_lines;
pub use upgrade::upgrade;

use crate::digest::Digest;
use crate::failure::Failure;
use crate::record::{MachineFacts, Tool};

/// Environment of a ceremony: time, randomness and facts about machine and program. Command line and tests
/// supply it; the modules below never query the system.
pub struct Environment<'a> {
    /// Clock, in UTC.
    pub now: &'a dyn Fn() -> DateTime,
    /// System random number generator.
    pub random: &'a dyn Fn() -> Result<[u8; 32], String>,
    /// Whether cancellation was requested: work stops at the next safe point.
    pub stopped: &'a dyn Fn() -> bool,
    /// Number of worker threads that check and encode.
    pub processors: usize,
    /// Facts about the machine.
    pub machine: MachineFacts,
    /// Version of the program.
    pub tool_version: String,
    /// Date of the program: no clock is right before it.
    pub tool_date: DateTime,
    /// SHA-256 of the program's file, or why it cannot be read; computed in the background.
    pub tool_digest: Arc<OnceLock<Result<Digest, String>>>,
}

impl Environment<'_> {
    /// Returns version and SHA-256 of the program; waits for the latter.
    ///
    /// # Errors
    /// [`Failure::fault`] when the program's file cannot be read.
    pub fn tool(&self) -> Result<Tool, Failure> {
        let sha256 = self.tool_digest.wait().clone().map_err(Failure::fault)?;
        Ok(Tool { version: self.tool_version.clone(), sha256 })
    }

    /// Returns 32 random octets of the system.
    fn random(&self) -> Result<[u8; 32], Failure> {
        (self.random)().map_err(Failure::fault)
    }
}

impl std::fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").field("machine", &self.machine).finish_non_exhaustive()
    }
}
