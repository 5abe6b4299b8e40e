//! The cluster's side: keys, certification requests, installation. No token, no ledger.
//!
//! # Paths
//!
//! A request's path in its bundle says where its certificate belongs; `request cluster` makes them
//! so, and an installer takes them apart again. The certificate of `PATH.csr` is `PATH.crt`.
//!
//! | path | belongs |
//! |---|---|
//! | `nodes/NODE/REST.csr` | on the node NODE |
//! | `objects/NAME.csr` | into the CertificateSigningRequest object NAME, escaped as below |
//! | anything else | on the node whose folder was collected, as `kubeadm certs generate-csr` leaves it |
//!
//! REST is a path below the folder where the node keeps everything. In the layout `kubeadm` that is
//! `/etc/kubernetes`, and REST has kubeadm's own names: `pki/apiserver`,
//! `pki/apiserver-kubelet-client`, `pki/apiserver-etcd-client`, `pki/front-proxy-client`,
//! `pki/etcd/server`, `pki/etcd/peer`, `pki/etcd/healthcheck-client`, `pki/kubelet-server` (the
//! kubelet's serving certificate), and for each kubeconfig its own name: `admin.conf`,
//! `super-admin.conf`, `controller-manager.conf`, `scheduler.conf`, `kubelet.conf`,
//! `kube-proxy.conf`. In the layout `single-ca` the folder is flat: `apiserver`, `etcdserver`,
//! `kubelet`, `admin`, `scheduler`, `controller-manager`, `kube-proxy`; the last five have a
//! kubeconfig `NAME.conf` beside `NAME.key`, with the same key in it.
//!
//! The key of `REST.csr` is `REST.key` on the node, or for a kubeconfig of the layout `kubeadm` the
//! `client-key-data` in it.
//!
//! In `objects/NAME.csr` every character of the object's name but `a-z 0-9 - .` stands as `_` and
//! two hexadecimal digits for each octet of UTF-8; a name is cut into components of at most 90
//! characters, and a dot at the beginning of a component is escaped, too.

pub mod install;
mod before;
mod cluster;
mod keys;
mod kubeconfig;
mod layout;
mod make;
mod objects;
mod requests;
mod script;
mod signers;

pub use cluster::{AltNames, Authorities, Cluster, Layout, Node, Role};
pub use keys::{KeyType, Pair};
pub use layout::{Config, Party, parties};
pub use make::{Made, Making, make};
pub use objects::{Picked, pick};
pub use requests::{NewKey, request, request_for};
pub use signers::BUILT_IN as BUILT_IN_SIGNERS;
