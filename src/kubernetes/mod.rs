//! The cluster's side: keys, certification requests, installation. No token, no ledger.
//!
//! # Paths
//!
//! The path of a request in its bundle states where its certificate belongs; `request cluster`
//! writes such paths, and `install` parses them. The certificate of `PATH.csr` is `PATH.crt`.
//!
//! | path | destination |
//! |---|---|
//! | `nodes/NODE/REST.csr` | the node NODE |
//! | `objects/NAME.csr` | the CertificateSigningRequest object NAME, escaped as below |
//! | anything else | the node whose folder was collected, as `kubeadm certs generate-csr` wrote it |
//!
//! REST is a path below the configuration folder of the node. In the layout `kubeadm` this is
//! `/etc/kubernetes`, and REST is kubeadm's own: `pki/apiserver`, `pki/apiserver-kubelet-client`,
//! `pki/apiserver-etcd-client`, `pki/front-proxy-client`, `pki/etcd/server`, `pki/etcd/peer`,
//! `pki/etcd/healthcheck-client`, `pki/kubelet-server` (the kubelet's serving certificate), and the
//! names of the kubeconfigs: `admin.conf`, `super-admin.conf`, `controller-manager.conf`,
//! `scheduler.conf`, `kubelet.conf`, `kube-proxy.conf`. In the layout `single-ca` the folder is
//! flat: `apiserver`, `etcdserver`, `kubelet`, `admin`, `scheduler`, `controller-manager`,
//! `kube-proxy`; the last five have a kubeconfig `NAME.conf` next to `NAME.key`, with the same key
//! embedded.
//!
//! The key of `REST.csr` is `REST.key` on the node; for a kubeconfig of the layout `kubeadm` it is
//! the embedded `client-key-data`.
//!
//! In `objects/NAME.csr` every character of the object's name except `a-z 0-9 - .` is escaped: `_`
//! and two hexadecimal digits per octet of UTF-8. A name is split into components of at most 90
//! characters, and a dot at the start of a component is escaped as well.

pub mod install;
mod cluster;
mod keys;
mod kubeconfig;
mod layout;
mod make;
mod objects;
mod old_keys;
mod requests;
mod script;
mod signers;

pub use cluster::{AltNames, Authorities, Cluster, Layout, Node, Role};
pub use keys::{KeyType, Pair};
pub use layout::{Config, Party, parties};
pub use make::{MakeOptions, MakeSummary, make};
pub use objects::{Picked, pick};
pub use requests::{NewKey, request, request_for};
pub use signers::BUILT_IN as BUILT_IN_SIGNERS;
