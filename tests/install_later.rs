//! `keyrite install` on a node where something was installed before: what a later release touches,
//! and what an older one must not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use support::Lab;
use support::cluster::PKI;

/// A cluster whose first node's requests are signed and installed: `node`, `bundle`, `release`.
fn installed() -> Lab {
    let lab = Lab::cluster();
    lab.control_plane("node", "bundle");
    lab.sign_cluster("bundle", "release").ok();
    lab.install("release", "node", "").ok();
    lab
}

/// What changes no kubeconfig is installed as anything else, and goes back.
#[test]
fn keys_and_certificates_alone_change_later() {
    let lab = installed();
    let certificate = lab.read("node/pki/apiserver.crt");
    std::fs::remove_file(lab.path("node/pki/apiserver.crt")).unwrap();
    let without = lab.listing("node");
    let ran = lab.install("release", "node", "").ok();
    assert_eq!(ran.out.lines().last(), Some("INSTALLED"));
    assert_eq!(lab.read("node/pki/apiserver.crt"), certificate);
    lab.keyrite("install undo --pki node/pki").ok();
    assert_eq!(lab.listing("node"), without);

    // One new key, and nothing for a kubeconfig.
    let (stem, subject, names) = PKI[0];
    lab.party(&format!("next/pki/{stem}.key"), &format!("one/pki/{stem}.csr"), subject, names, "pkcs8");
    lab.sign_cluster("one", "release3").ok();
    let admin = lab.read("node/admin.conf");
    lab.install("release3", "node", "--renewal next").ok();
    assert_eq!(lab.read("node/pki/apiserver.key"), lab.read("next/pki/apiserver.key"));
    lab.openssl("verify -x509_strict -CAfile node/pki/ca.crt node/pki/apiserver.crt").ok();
    assert_eq!(lab.read("node/admin.conf"), admin);
    lab.keyrite("install undo --pki node/pki").ok();
    assert_eq!(lab.listing("node"), without);
}

/// A file is one thing: a CA file is no certificate's place, whatever lies there now.
#[test]
fn no_file_is_two_things_at_once() {
    let lab = installed();
    lab.keyrite("install undo --pki node/pki").ok();
    let refused = |release: &str, more: &str, needles: &[&str]| {
        let before = lab.listing("node");
        lab.install(release, "node", more).fails(1, needles);
        assert_eq!(lab.listing("node"), before, "{more}");
    };
    let both = ["apiserver.crt: is both the CA file of etcd-ca and the certificate of", "rename the key"];
    refused("release", "--ca etcd-ca=apiserver.crt", &both);
    // As much when one of them is there already.
    lab.install("release", "node", "").ok();
    refused("release", "--ca etcd-ca=apiserver.crt --rotate-ca", &both);
    std::fs::copy(lab.path("node/pki/etcd/ca.crt"), lab.path("node/pki/apiserver.crt")).unwrap();
    refused("release", "--ca etcd-ca=apiserver.crt", &both);
    std::fs::remove_file(lab.path("node/pki/apiserver.crt")).unwrap();
    lab.install("release", "node", "").ok();

    // A signer of the cluster whose key has the name of the cluster's CA.
    lab.party("node/pki/ca.key", "in/pki/cluster-signer.csr", "/CN=cluster-signer", "", "pkcs8");
    lab.ceremony("ceremony/kubernetes-signer.toml", "--in in --out signed").ok();
    let both = ["pki/ca.crt: is both the CA file of kubernetes-ca and the certificate of", "pki/ca.key"];
    refused("signed", "--rotate-ca", &both);
    lab.run("mv", &["node/pki/ca.key", "node/pki/cluster-signer.key"]).ok();
    lab.install("signed", "node", "--rotate-ca").ok();
}

/// A list that has a file twice is not followed.
#[test]
fn a_list_with_a_file_twice_undoes_nothing() {
    let lab = installed();
    let list = lab.run("find", &["node/pki/.keyrite", "-name", "undo.json"]).ok().out;
    let list = list.trim_end();
    let mut undo: serde_json::Value = serde_json::from_str(&lab.read(list)).unwrap();
    let entries = undo["entries"].as_array_mut().unwrap();
    let twice = entries.iter().find(|entry| entry["path"] == "apiserver.crt").unwrap().clone();
    entries.push(twice);
    lab.write(list, undo.to_string());
    let before = lab.listing("node");
    lab.keyrite("install undo --pki node/pki").fails(1, &["apiserver.crt: would change twice at once"]);
    assert_eq!(lab.listing("node"), before);
}
