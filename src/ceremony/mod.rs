//! Ceremonies: a reviewed script, performed step by step, written down as it goes.
//!
//! In: a [`Plan`](crate::plan::Plan), a token's module, bundles, people who answer. Out: a ledger with a
//! finished ceremony and, where the script says so, a release. Everything that can fail without the token has
//! been tried before the PIN is asked for.

mod abandon;
mod answers;
mod ask;
mod checks;
mod conductor;
mod create_key;
mod facts;
mod gate;
mod import;
mod intake;
mod key_pair;
mod log_in;
mod room;
mod preflight;
mod resume;
mod run;
mod step;
mod transcript;
mod upgrade;
mod verdict;
mod welcome;

use std::sync::{Arc, OnceLock};

use der::DateTime;

pub use abandon::abandon;
pub use answers::Answers;
pub use conductor::Conductor;
pub use import::SHOWN;
pub use preflight::{Start, check_bundles, keys_from_before};
pub use resume::resume;
pub use room::{Answer, Question, Reply, Room, Secret, SecretReply, Wanted};
pub use run::{Interrupted, Outcome};
pub use step::issue_lines;
pub use upgrade::upgrade;
pub use verdict::{Judged, Verdict, judge_bundles};

use crate::digest::Digest;
use crate::failure::Failure;
use crate::record::{MachineFacts, Tool};

/// What surrounds a ceremony: time, randomness and facts about machine and program. The command line and
/// tests supply them; nothing below asks the system for any.
pub struct Environment<'a> {
    /// The clock, in UTC.
    pub now: &'a dyn Fn() -> DateTime,
    /// Random octets of the system.
    pub random: &'a dyn Fn() -> Result<[u8; 32], String>,
    /// Whether cancellation was requested: work stops at the next safe point.
    pub stopped: &'a dyn Fn() -> bool,
    /// How many threads check and encode side by side.
    pub processors: usize,
    /// What the machine looks like.
    pub machine: MachineFacts,
    /// The program's version.
    pub tool_version: String,
    /// SHA-256 of the program's file, or why it cannot be had; it may take a moment.
    pub tool_digest: Arc<OnceLock<Result<Digest, String>>>,
}

impl Environment<'_> {
    /// The program.
    ///
    /// # Errors
    /// [`Failure::fault`] when its file cannot be read.
    pub fn tool(&self) -> Result<Tool, Failure> {
        let sha256 = self.tool_digest.wait().clone().map_err(Failure::fault)?;
        Ok(Tool { version: self.tool_version.clone(), sha256 })
    }

    /// 32 random octets of the system.
    fn random(&self) -> Result<[u8; 32], Failure> {
        (self.random)().map_err(Failure::fault)
    }
}

impl std::fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").field("machine", &self.machine).finish_non_exhaustive()
    }
}
