//! Paper: the script as people hold it, and the report of what happened, from one model each,
//! written as HTML or as Markdown.
//!
//! In: the plan that will run; for a report, what ledger, transcript or release tell. Out: a
//! document that loads nothing, in which everything from outside is escaped.

mod document;
mod html;
mod markdown;
mod report;
mod script;
mod sheets;
mod source;

pub use document::Document;
pub use html::html;
pub use markdown::markdown;
pub use report::Report;
pub use script::script;
pub use source::{from_ledger, from_release, from_transcript};
