//! `keyrite schema`: JSON Schemas (draft 2020-12) of the JSON that keyrite writes.

use clap::{Args, ValueEnum};
use schemars::schema_for;

use super::audit;
use super::output::say_json;
#[cfg(feature = "token")]
use super::{ledger, request, token};
use crate::failure::Failure;
use crate::kubernetes::install::Installed;
use crate::record::Record;
use crate::request::Index;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    /// A line of a transcript
    Transcript,
    /// Index of a bundle
    Index,
    /// Record of an installation on a node: .keyrite/installed.json
    Installed,
    /// Output of `audit --json`
    Audit,
    /// Output of `request check --json`
    #[cfg(feature = "token")]
    RequestCheck,
    /// Output of `ledger due --json`
    #[cfg(feature = "token")]
    LedgerDue,
    /// Output of `token list --json`
    #[cfg(feature = "token")]
    TokenList,
    /// Output of `token inspect --json`
    #[cfg(feature = "token")]
    TokenInspect,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What the schema describes
    #[arg(value_enum)]
    name: Name,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    say_json(&match arguments.name {
        Name::Transcript => schema_for!(Record),
        Name::Index => schema_for!(Index),
        Name::Installed => schema_for!(Installed),
        Name::Audit => schema_for!(audit::Json),
        #[cfg(feature = "token")]
        Name::RequestCheck => schema_for!(request::CheckJson),
        #[cfg(feature = "token")]
        Name::LedgerDue => schema_for!(ledger::DueJson),
        #[cfg(feature = "token")]
        Name::TokenList => schema_for!(Vec<crate::record::TokenFacts>),
        #[cfg(feature = "token")]
        Name::TokenInspect => schema_for!(token::InspectJson),
    })
}
