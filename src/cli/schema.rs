//! `keyrite schema`: what the JSON that keyrite writes looks like (JSON Schema, draft 2020-12).

use clap::{Args, ValueEnum};
use schemars::schema_for;

use super::output::say;
use crate::failure::Failure;
use crate::record::Record;
use crate::request::Index;

/// Which JSON.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    /// A line of a transcript
    Transcript,
    /// The index of a bundle
    Index,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Of what
    #[arg(value_enum)]
    name: Name,
}

/// Performs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let schema = match arguments.name {
        Name::Transcript => schema_for!(Record),
        Name::Index => schema_for!(Index),
    };
    let text = serde_json::to_string_pretty(&schema).map_err(|e| Failure::fault(e.to_string()))?;
    say(&text);
    Ok(())
}
