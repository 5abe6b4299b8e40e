//! Installation: from a verified release to files that the components of this node read.
//!
//! In: a [`Report`](crate::release::Report) of a verified release, and a [`Target`], the folders of
//! a node as they are. Out: a [`Plan`] of changes, and its [`Plan::apply`], which makes them all or
//! none. Private keys are only read, but for those that a renewal brings.

mod ca_file;
mod folder;
mod folders;
mod journal;
mod kubeconfig;
mod kubelet;
mod node_files;
mod object_name;
mod objects;
mod pem;
mod plan;
mod private_key;
mod record;
mod recover;
mod renewal;
mod restart;
mod target;
mod transaction;
mod trust;

pub use folders::Where;
pub use objects::{KeyFolder, ObjectFile, Objects};
pub use plan::{Action, Options, Plan};
pub use record::Record as Installed;
pub use target::Target;
pub use transaction::undo;
