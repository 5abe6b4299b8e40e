//! The record of a ceremony: what happened as typed events, chained line by line, and the state that
//! they add up to.
//!
//! In: what people and token did. Out: [`Record`]s, one line of JSON each (RFC 8259), which carry the
//! SHA-256 of the line before; and [`State`], from which resume, audit and report answer their questions.
//! Nothing here reads or writes: the ledger keeps the lines.

/// The name of a ledger's database in its folder.
pub const LEDGER_FILE: &str = "ledger.sqlite";

/// The first of the named fields in which two values differ: its name, and both values as JSON.
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
    Abandoned, Confirmed, End, Event, Exception, Interrupted, Left, Login, Statement, StatementKind,
    StepDone, StepStarted, TokenOpen, Upgraded,
};
pub use facts::{BundleFacts, Facts, FileFacts, HsmProfileFacts, MachineFacts, ModuleFacts, PlanFacts, Tool};
pub use keys::{
    KeyCertificate, KeyFound, KeyGenerated, KeyIntended, KeyProved, KeyReserved, KeyRole, KeyWithdrawn,
};
pub use people::{Person, Role};
pub use prompt::{
    Clock, Compared, Create, Decision, FoundKey, GoOn, NewPin, Prompt, Reviewed, Words, question,
};
pub use refusals::Refusals;
pub use requests::{Import, Issued, RefusedRequest, RefusedRequests, Release, Review, Run, Seal};
pub use state::{KeyState, PinChange, Sealed, State};
pub use token::{Inventory, InventoryObject, KeyAttributes, Look, TokenFacts, When};
