//! The record of a ceremony: typed events in a hash chain, and the state derived from them.
//!
//! Input: what people and token did. Output: [`Record`]s, each one line of JSON (RFC 8259) that contains the
//! SHA-256 of the previous line; and [`State`], on which resume, audit and report are based. This module
//! performs no I/O: the ledger stores the lines.

/// File name of a ledger's database.
pub const LEDGER_FILE: &str = "ledger.sqlite";

/// Returns the first of the named fields in which two values differ: its name, and both values as JSON.
macro_rules! first_difference {
    ($one:expr, $other:expr, $($name:ident)*) => {{
        $(if $one.$name != $other.$name {
            let text = |value| serde_json::to_string(value).unwrap_or_default();
            return Some((stringify!($name), text(&$one.$name), text(&$other.$name)));
        })*
        None
    }};
}

mod chain;
mod custody;
mod describe;
mod event;
mod facts;
mod keys;
mod people;
mod prompt;
mod refusals;
mod requests;
mod state;
mod token;

pub use chain::{Chain, FIRST, LONGEST_LINE, Record, lines};
pub use custody::{Custody, Share, ShareSource};
pub use describe::{Described, Description, count};
pub use event::{
    Abandoned, Confirmed, End, Event, Exception, Interrupted, Left, Login, Mistyped, Statement,
    StatementKind, StepDone, StepStarted, TokenOpen, Upgraded,
};
pub use facts::{BundleFacts, Facts, FileFacts, HsmProfileFacts, MachineFacts, ModuleFacts, PlanFacts, Tool};
pub use keys::{
    KeyCertificate, KeyFound, KeyGenerated, KeyIntended, KeyProved, KeyReserved, KeyRole, KeyWithdrawn,
};
pub use people::{Person, Role};
pub use prompt::{
    Clock, Compared, Create, Decision, Expired, FoundKey, GoOn, NewPin, Prompt, Reviewed, Words, question,
};
pub use refusals::Refusals;
pub use requests::{Import, Issued, RefusedRequest, RefusedRequests, Release, Review, Run, Seal};
pub use state::{KeyState, PinChange, Sealed, State};
pub use token::{Inventory, InventoryObject, KeyAttributes, Look, TokenFacts, When};
