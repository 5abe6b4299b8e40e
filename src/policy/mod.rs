//! Policy: certificate profiles and the script's roster decide what may be issued.
//!
//! In: a [`CertificationRequest`](crate::request::CertificationRequest) and its path.
//! Out: a [`Judgement`]: an [`Approval`], or every control that failed.

mod approval;
mod judge;
mod names;
mod never;
mod object;
mod pattern;
mod profile;
mod reserved;
mod roster;

pub use approval::{Approval, Judgement, Kept, NamedProfile, Objection};
pub use judge::Policy;
pub use names::attributes as subject_attributes;
pub use names::{SubjectError, subject_from, subject_text};
pub use never::never_matching;
pub use profile::{CertificatePolicy, CertificateProfile, ExtendedUse, Kind, Names, ProfileFile, Use};
pub use reserved::Reserved;
use roster::Roster;
pub use roster::RosterLine;
pub use roster::check as check_line;

/// An invalid certificate profile or roster.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);
