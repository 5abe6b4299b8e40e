//! Events: everything that can happen in a ceremony, each with its data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Custody, Facts, Import, Issued, KeyCertificate, KeyFound, KeyGenerated, KeyIntended, KeyProved,
    KeyReserved, KeyWithdrawn, Look, MachineFacts, Person, Prompt, RefusedRequests, Release, Review, Role,
    Run, Seal, TokenFacts,
};
use crate::digest::Digest;

/// An event of a ceremony.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", content = "data", rename_all = "kebab-case")]
pub enum Event {
    /// The ceremony began.
    Begin(Box<Facts>),
    /// The ceremony was resumed after an interruption.
    Resume(Box<Facts>),
    /// A person signed in.
    Present(Person),
    /// A step began.
    Step(StepStarted),
    /// A step was completed.
    Done(StepDone),
    /// The state of the machine.
    Machine(MachineFacts),
    /// A login is about to be attempted.
    Login(Login),
    /// The login succeeded.
    TokenOpen(TokenOpen),
    /// The objects on the token.
    Inventory(Look),
    /// A set of shares of the token's PIN changed state.
    Custody(Custody),
    /// A key is about to be generated.
    KeyIntended(KeyIntended),
    /// Objects of a key were found after an interruption.
    KeyFound(KeyFound),
    /// A key was withdrawn: the token has no objects of it.
    KeyWithdrawn(KeyWithdrawn),
    /// A key pair was generated, or found and kept.
    KeyGenerated(KeyGenerated),
    /// A key of the ledger was proved to be in the token.
    KeyProved(KeyProved),
    /// The certificate of a key is about to be signed.
    KeyReserved(KeyReserved),
    /// The certificate of a key was signed.
    Certificate(KeyCertificate),
    /// Requests were imported.
    Import(Import),
    /// Requests were refused.
    Refused(RefusedRequests),
    /// Requests were reviewed.
    Review(Review),
    /// Certificates are about to be signed.
    Reserved(Run),
    /// Certificates were signed.
    Signed(Run),
    /// All approved requests have certificates.
    Issued(Issued),
    /// The transcript so far was sealed: its digest goes into a manifest.
    Seal(Seal),
    /// The manifest was signed.
    Sealed(Release),
    /// The release was written.
    Released(Release),
    /// A person answered a prompt.
    Confirmed(Confirmed),
    /// A person gave a wrong answer to a prompt.
    Mistyped(Mistyped),
    /// A person made a statement.
    Statement(Statement),
    /// A person reported an exception.
    Exception(Exception),
    /// People left the room; they sign in again when they return.
    Left(Left),
    /// The ceremony was interrupted and can be resumed.
    Interrupted(Interrupted),
    /// The ceremony was abandoned before it had any effect.
    Abandoned(Abandoned),
    /// The ceremony is complete.
    End(End),
    /// The ledger is a copy of an older version's: a separate transcript, in place of a ceremony.
    Upgraded(Upgraded),
}

impl Event {
    /// Returns the token serial that the event names.
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

/// A step began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepStarted {
    /// Number of the step, from 1.
    pub number: usize,
    /// The step's act.
    pub act: String,
    /// Whether the step had been done before an interruption.
    pub again: bool,
}

/// A step was completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepDone {
    /// Number of the step, from 1.
    pub number: usize,
}

/// A login is about to be attempted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The token.
    pub token: TokenFacts,
}

/// The login succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenOpen {
    /// Serial of the token.
    pub token_serial: String,
}

/// A person answered a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    /// The prompt.
    pub asked: Prompt,
    /// The displayed question.
    pub question: String,
    /// The input.
    pub answer: String,
    /// Name of the person.
    pub by: String,
    /// Role of the person.
    pub role: Role,
}

/// The kind of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StatementKind {
    /// A free-text statement.
    Statement,
    /// A serial number.
    Serial,
    /// The number of a seal or tamper-evident bag.
    Seal,
    /// The SHA-256 of a photograph.
    PhotographSha256,
}

impl StatementKind {
    /// Returns the name of the kind in scripts and transcripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Serial => "serial",
            Self::Seal => "seal",
            Self::PhotographSha256 => "photograph-sha256",
        }
    }
}

/// A person made a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Kind of statement.
    pub kind: StatementKind,
    /// What the statement is about.
    pub label: String,
    /// The statement.
    pub value: String,
    /// Name of the person.
    pub by: String,
    /// Role of the person.
    pub role: Role,
}

/// A wrong answer to a prompt. Its text is not recorded: it may be a PIN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mistyped {
    /// Name of the prompt.
    pub prompt: String,
    /// Name of the person.
    pub by: String,
    /// Role of the person.
    pub role: Role,
}

/// A person reported an exception.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// What happened and why.
    pub text: String,
    /// Name of the reporter.
    pub by: String,
    /// Number of the step; 0 before the first.
    pub step: usize,
}

/// People left the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Left {}

/// The ceremony was interrupted and can be resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interrupted {
    /// The reason.
    pub reason: String,
}

/// The ceremony was abandoned before it had any effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Abandoned {
    /// The reason.
    pub reason: String,
    /// Name of the person who abandoned it; none if the program did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// The ledger is a copy of an older version's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upgraded {
    /// Version of the older ledger.
    pub from_version: u64,
    /// SHA-256 of its database.
    pub database_sha256: Digest,
    /// Head of its last transcript.
    pub head: Digest,
}

/// The ceremony is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct End {}
