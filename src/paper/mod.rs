//! Paper: the printed script and the report of a ceremony, as HTML or Markdown.
//!
//! Input: a plan; for a report, a ledger, transcript or release. Output: a self-contained document in which
//! all external text is escaped.

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
