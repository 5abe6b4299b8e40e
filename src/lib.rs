//! keyrite runs offline CA key ceremonies: the CA's key is generated in a PKCS#11 token and never
//! leaves it, and a reviewed script decides what it signs.
//!
//! # The flow
//!
//! Each value can be made only by the module named, from the value above it.
//!
//! ```text
//! octets on media  ->  files of a bundle      media, request
//!                  ->  CertificationRequest   request      strict DER, proof of possession
//!                  ->  Approval | Refusal     policy       every control run
//!                  ->  ToBeSigned             issuance     the exact octets
//!                  ->  Reservation            ledger       serial and octets on disk, synced
//!                  ->  signature              token        only a Reservation can be signed
//!                  ->  Certificate            issuance     verified, octets compared
//!                  ->  recorded               ledger       synced
//!                  ->  release                release      manifest signed by a key of its own
//!                  ->  installed files        kubernetes   on a node of the cluster, all or none
//! ```
//!
//! # The import rule
//!
//! The modules stand below in rank order, and a module imports only modules above it.
//! `tests/architecture.rs` checks that, and that PKCS#11, SQLite, clock, environment and terminal
//! stay in their rooms.

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
