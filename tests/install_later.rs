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
