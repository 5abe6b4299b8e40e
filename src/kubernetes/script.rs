//! Writes what the security team reviews: the roster lines of a cluster, the script that signs its
//! requests, and the script that creates its authorities.

use std::fmt::Write;

use super::cluster::{Cluster, Layout};
use super::layout::Party;

const ROOTS: &str = include_str!("../../ceremony/kubernetes-roots.toml");
const SINGLE_CA_ROOTS: &str = include_str!("../../ceremony/kubernetes-single-ca-roots.toml");
const PROFILES: [(&str, &str); 4] = [
    ("script/profiles/authorities.toml", include_str!("../../ceremony/profiles/authorities.toml")),
    ("script/profiles/manifest.toml", include_str!("../../ceremony/profiles/manifest.toml")),
    ("script/profiles/kubernetes.toml", include_str!("../../ceremony/profiles/kubernetes.toml")),
    ("script/profiles/etcd.toml", include_str!("../../ceremony/profiles/etcd.toml")),
];

/// Returns paths and texts of `roster.toml`, `script/roots.toml`, `script/sign.toml` and
/// `script/profiles/`. They depend only on the cluster description, so that all nodes get the same.
pub fn files(cluster: &Cluster, parties: &[Party]) -> Vec<(String, String)> {
    let roster = roster(cluster, parties);
    let mut files = vec![
        ("script/roots.toml".to_owned(), roots(cluster)),
        ("script/sign.toml".to_owned(), format!("{}{roster}", steps(cluster))),
        ("roster.toml".to_owned(), roster),
    ];
    files.extend(PROFILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    files
}

/// The shipped script with the names of this cluster and its authorities.
fn roots(cluster: &Cluster) -> String {
    let text = match cluster.layout {
        Layout::Kubeadm => ROOTS,
        Layout::SingleCa => SINGLE_CA_ROOTS,
    };
    let names = &cluster.authorities;
    let mut out = String::new();
    for line in text.lines() {
        let renamed = [
            ("kubernetes-ca", &names.kubernetes),
            ("etcd-ca", &names.etcd),
            ("front-proxy-ca", &names.front_proxy),
            ("manifest", &names.manifest),
        ];
        let key =
            ["name", "issuer", "manifest_key"].iter().find(|key| line.starts_with(&format!("{key} = ")));
        let new = key.and_then(|key| {
            let (_, name) = renamed.iter().find(|(old, _)| line == format!("{key} = \"{old}\""))?;
            Some(format!("{key} = \"{name}\""))
        });
        out.push_str(new.as_deref().unwrap_or(line));
        out.push('\n');
        if line.starts_with("purpose = ") {
            out.push_str(&format!("cluster = \"{}\"\n", cluster.name.as_str()));
        }
    }
    out
}

fn steps(cluster: &Cluster) -> String {
    let name = cluster.name.as_str();
    let mut out = format!(
        "# Signs the requests of the cluster {name}. Written by `keyrite request cluster` from the cluster's
# description: every name and address below is from there, and none is a pattern.

title = \"{name}: sign the cluster's requests\"
purpose = \"Issue the certificates of the cluster {name} from its own authorities.\"
cluster = \"{name}\"
# The bundle of one node has requests of that node alone.
parts = [\"nodes/{{part}}\"]
profiles = [\"profiles/kubernetes.toml\", \"profiles/etcd.toml\"]

# Each seat is filled by a different person; operator and witness both confirm.
[people]
administrator = 1
operator = 1
witness = 1
confirm = {{ operator = 1, witness = 1 }}
"
    );
    for act in ["machine", "open-token", "inventory", "import"] {
        out.push_str(&format!("\n[[step]]\nact = \"{act}\"\n"));
    }
    out.push_str(&format!(
        "
# A refused request is listed with its reasons; the others are issued.
[[step]]
act = \"review\"
refusals = \"list\"

[[step]]
act = \"issue\"

[[step]]
act = \"release\"
manifest_key = \"{}\"
",
        cluster.authorities.manifest
    ));
    out
}

fn roster(cluster: &Cluster, parties: &[Party]) -> String {
    let mut out = String::new();
    for node in &cluster.node {
        out.push_str(&format!("\n# --- node {} ---\n", node.name));
        parties
            .iter()
            .filter(|party| party.node == node.name)
            .for_each(|party| line(&mut out, cluster, party));
    }
    out
}

fn line(out: &mut String, cluster: &Cluster, party: &Party) {
    let list =
        |items: &[String]| items.iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", ");
    let ip: Vec<String> = party
        .names
        .ip
        .iter()
        .map(|address| format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 }))
        .collect();
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "\n[[roster]]\npath = \"{}\"\nprofile = \"{}\"\nauthority = \"{}\"\nsubject = [{}]\n",
        party.request_path(),
        party.profile,
        party.authority,
        list(&party.subject)
    );
    if !party.names.dns.is_empty() {
        let _ = writeln!(out, "dns = [{}]", list(&party.names.dns));
    }
    if !ip.is_empty() {
        let _ = writeln!(out, "ip = [{}]", list(&ip));
    }
    if cluster.reuse_keys {
        out.push_str("reuse_key = true\n");
    }
}
