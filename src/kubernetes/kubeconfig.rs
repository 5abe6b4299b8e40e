//! Writes a kubeconfig without certificates, as `kubeadm certs generate-csr` does: it contains
//! server and client key; the installation adds CA and client certificate.

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::cluster::Cluster;
use super::layout::Config;

/// Returns the text of a kubeconfig. All values are validated before; the quotes keep names such as
/// `null` or `1` strings.
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
