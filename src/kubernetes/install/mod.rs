//! Installs a verified release as files that the components of a node read.
//!
//! In: a [`Report`](crate::release::Report) of a verified release, and a [`Target`], the state of a
//! node. Out: a [`Plan`] of changes; [`Plan::apply`] makes all of them or none. Private keys are
//! only read, except those of a renewal.

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

pub use folders::Paths;
pub use objects::{KeyFolder, ObjectFile, Objects};
pub use plan::{Action, Options, Plan};
pub use record::Record as Installed;
pub use target::Target;
pub use transaction::undo;
