//! keyrite runs offline CA key ceremonies: the CA's private key is generated in a PKCS#11 token and
//! never leaves it, and a reviewed script decides what it signs.
//!
//! # The flow
//!
//! Only the module named can construct each value, from the value above it; ARCHITECTURE.md has the exceptions.
//!
//! ```text
//! octets on media  ->  files of a bundle      media, request
//!                  ->  CertificationRequest   request      strict DER, proof of possession
//!                  ->  Approval | Refusal     policy       every control runs
//!                  ->  ToBeSigned             issuance     the exact octets
//!                  ->  Reservation            ledger       serial number and octets on disk, synced
//!                  ->  signature              token        of an authority only over a Reservation, or a challenge
//!                  ->  Signed                 issuance     verified, octets compared
//!                  ->  recorded               ledger       synced
//!                  ->  release                release      manifest signed by a separate key
//!                  ->  installed files        kubernetes   on a cluster node, all or none
//! ```
//!
//! # The import rule
//!
//! The modules are declared below in rank order, and a module imports only modules above it.
//! `tests/architecture.rs` enforces that, and confines PKCS#11, SQLite, wall clock, environment and
//! terminal to one module each.

pub mod failure;
pub(crate) mod parallel;
pub mod digest;
#[cfg(feature = "token")]
pub mod shares;
pub mod media;
pub mod keys;
pub mod request;
pub mod policy;
pub mod issuance;
pub mod record;
pub mod plan;
pub mod release;
#[cfg(feature = "token")]
pub mod ledger;
#[cfg(feature = "token")]
pub(crate) mod token;
#[cfg(feature = "token")]
pub(crate) mod signing;
pub mod audit;
#[cfg(feature = "token")]
pub mod ceremony;
#[cfg(feature = "token")]
pub(crate) mod paper;
pub mod kubernetes;
pub mod cli;
