//! Policy: certificate profiles and the script's roster decide what may be issued.
//!
//! In: a [`CertificationRequest`](crate::request::CertificationRequest) and its path.
//! Out: an [`Approval`], or a [`Refusal`] that lists every control it failed.

mod approval;
mod names;
mod pattern;
mod profile;
mod roster;

pub use approval::{Approval, History, Judged, Policy, Refusal};
pub use names::{SubjectError, subject_from};
pub use profile::{CertificateProfile, ExtendedUse, Kind, Names, ProfileFile, Use};
pub use roster::RosterLine;

/// What is wrong with certificate profiles or a roster.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);
