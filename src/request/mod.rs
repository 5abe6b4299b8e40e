//! Certification requests (PKCS #10, RFC 2986) and bundles of them.
//!
//! In: octets from media. Out: a [`CertificationRequest`] with a strict encoding and a valid proof
//! of possession, or its [`Violation`]s.

mod approvals;
mod bundle;
mod collect;
mod control;
mod extensions;
mod index;
mod parse;
mod pem;
mod private_key;
mod ssh_signature;
mod write;

pub use approvals::{Approvals, Approver, NAMESPACE, SshKey};
pub use bundle::{BundleFile, ENTRY_LIMITS, Gate, Opened, read_bundles};
pub use collect::{Collected, collect};
pub use control::{Control, Reason, Violation};
pub use extensions::Requested;
pub use index::{Entry, INDEX, Index, IndexName, MAX_INDEX, Object, Sequence, Time};
pub use parse::{CertificationRequest, Contents, Rejection};
pub use ssh_signature::{SshSignature, is_verifiable};
pub use write::{Requests, refuse_private_key, write_bundle};
