//! All tests except those of the architecture (`tests/architecture.rs`) in one program, one module
//! per topic, so that SQLite and the cryptography library are linked once.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod again;
mod audit;
mod bad_input;
mod bad_token;
mod batch;
mod check;
mod cluster;
mod cluster_binary;
mod cluster_tls;
mod cluster_whole;
mod collect;
mod custody;
mod due;
mod earlier_versions;
mod etcd;
mod faults;
mod goldens;
mod install;
mod install_ca;
mod install_kubelet;
mod install_later;
mod install_objects;
mod interrupted;
mod judges;
mod ledger;
mod main_job;
mod manifest_key;
mod objects;
mod paper;
mod pause;
mod people;
mod properties;
mod rehearse;
mod requests;
mod terminal;
mod verify;
