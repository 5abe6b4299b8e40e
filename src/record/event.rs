//! Events: everything that can happen in a ceremony, one struct each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Custody, Facts, Import, Issued, KeyCertificate, KeyFound, KeyGenerated, KeyIntended, KeyProved,
    KeyReserved, KeyWithdrawn, Look, MachineFacts, Person, Prompt, RefusedRequests, Release, Review, Role,
    Run, Seal, TokenFacts,
};
use crate::digest::Digest;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", content = "data", rename_all = "kebab-case")]
pub enum Event {
    /// A ceremony begins.
    Begin(Box<Facts>),
    /// It goes on after an interruption.
    Resume(Box<Facts>),
    /// Somebody signed in.
    Present(Person),
    /// A step begins.
    Step(StepStarted),
    /// A step is done.
    Done(StepDone),
    /// What the machine looks like.
    Machine(MachineFacts),
    /// A PIN is about to be tried.
    Login(Login),
    /// The login went well.
    TokenOpen(TokenOpen),
    /// What lies on the token.
    Inventory(Look),
    /// A set of shares of the token's PIN.
    Custody(Custody),
    /// A key is about to be generated.
    KeyIntended(KeyIntended),
    /// Something of a key was found after an interruption.
    KeyFound(KeyFound),
    /// The token holds nothing of a key.
    KeyWithdrawn(KeyWithdrawn),
    /// A pair was generated, or found and kept.
    KeyGenerated(KeyGenerated),
    /// A key of the ledger is in the token.
    KeyProved(KeyProved),
    /// The certificate of a key is about to be signed.
    KeyReserved(KeyReserved),
    /// The certificate of a key was signed.
    Certificate(KeyCertificate),
    /// Requests came in.
    Import(Import),
    /// Requests were refused.
    Refused(RefusedRequests),
    /// Requests were reviewed.
    Review(Review),
    /// Certificates are about to be signed.
    Reserved(Run),
    /// Certificates were signed.
    Signed(Run),
    /// All approved requests were answered.
    Issued(Issued),
    /// The transcript so far goes into a manifest.
    Seal(Seal),
    /// The manifest was signed.
    Sealed(Release),
    /// The release was written.
    Released(Release),
    /// Somebody typed what was asked for.
    Confirmed(Confirmed),
    /// Somebody stated something.
    Statement(Statement),
    /// Somebody reported an exception.
    Exception(Exception),
    /// People leave the room; they sign in again when they are back.
    Left(Left),
    /// The ceremony was interrupted and can be resumed.
    Interrupted(Interrupted),
    /// The ceremony was given up before anything was made.
    Abandoned(Abandoned),
    /// The ceremony is finished.
    End(End),
    /// The ledger is a copy of one of an older version: a transcript of its own, in place of a ceremony.
    Upgraded(Upgraded),
}

impl Event {
    /// The serial of the token that it names.
    pub fn token_serial(&self) -> Option<&str> {
        match self {
            Self::Begin(facts) | Self::Resume(facts) => Some(&facts.token_serial),
            Self::Login(login) => Some(&login.token.serial),
            Self::TokenOpen(open) => Some(&open.token_serial),
            Self::Inventory(look) => Some(&look.token_serial),
            Self::Custody(
                Custody::HandedOut { token_serial, .. } | Custody::Changed { token_serial, .. },
            ) => Some(token_serial),
            Self::KeyIntended(key) => Some(&key.token_serial),
            Self::Certificate(key) => Some(&key.token_serial),
            _ => None,
        }
    }
}

/// A step begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepStarted {
    /// Its number, from 1.
    pub number: usize,
    /// Its act.
    pub act: String,
    /// Whether it was done before an interruption.
    pub again: bool,
}

/// A step is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepDone {
    /// Its number, from 1.
    pub number: usize,
}

/// A PIN is about to be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// At which token.
    pub token: TokenFacts,
}

/// The login went well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenOpen {
    /// At which token.
    pub token_serial: String,
}

/// Somebody typed what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    /// What was asked.
    pub asked: Prompt,
    /// The words in which it was asked, for people.
    pub question: String,
    /// What was typed.
    pub answer: String,
    /// By whom.
    pub by: String,
    /// In which role.
    pub role: Role,
}

/// What is written down in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StatementKind {
    /// What somebody says.
    Statement,
    /// A serial number.
    Serial,
    /// The number of a seal or of a tamper-evident bag.
    Seal,
    /// SHA-256 of a photograph.
    PhotographSha256,
}

impl StatementKind {
    /// The word for it in scripts and transcripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Serial => "serial",
            Self::Seal => "seal",
            Self::PhotographSha256 => "photograph-sha256",
        }
    }
}

/// Somebody stated something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// What it is.
    pub kind: StatementKind,
    /// Of what.
    pub label: String,
    /// What was stated.
    pub value: String,
    /// By whom.
    pub by: String,
    /// In which role.
    pub role: Role,
}

/// Somebody reported an exception.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// What happened, and why.
    pub text: String,
    /// Who reported it.
    pub by: String,
    /// In which step; 0 before the first.
    pub step: usize,
}

/// People leave the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Left {}

/// The ceremony was interrupted and can be resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interrupted {
    /// Why.
    pub reason: String,
}

/// The ceremony was given up before anything was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Abandoned {
    /// Why.
    pub reason: String,
    /// Who gave it up; nobody when it ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// The ledger is a copy of one of an older version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upgraded {
    /// The version of the older ledger.
    pub from_version: u64,
    /// SHA-256 over its database.
    pub database_sha256: Digest,
    /// The head of its last transcript.
    pub head: Digest,
}

/// The ceremony is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct End {}
