//! A kubeconfig that still lacks its certificates, as `kubeadm certs generate-csr` leaves it: server
//! and client key are there, an installer adds the authority's and the client's certificate.

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::cluster::Cluster;
use super::layout::Config;

/// The text of a kubeconfig. Everything in it was checked before, and
/// quotes keep a name like `null` or `1` a text.
pub fn text(cluster: &Cluster, config: &Config, private_key: &str) -> Zeroizing<String> {
    let key = Zeroizing::new(Base64::encode_string(private_key.as_bytes()));
    let (name, Config { server, user, .. }) = (cluster.name.as_str(), config);
    Zeroizing::new(format!(
        r#"apiVersion: v1
clusters:
- cluster:
    server: "{server}"
  name: "{name}"
contexts:
- context:
    cluster: "{name}"
    user: "{user}"
  name: "{user}@{name}"
current-context: "{user}@{name}"
kind: Config
users:
- name: "{user}"
  user:
    client-key-data: {}
"#,
        key.as_str()
    ))
}
