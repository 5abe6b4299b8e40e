//! `keyrite install` after an earlier installation: what a later release changes, and what an older
//! one must not.

use crate::support::Lab;
use crate::support::cluster::PKI;

/// Creates a cluster whose first node is signed and installed: `node`, `bundle`, `release`.
fn installed() -> Lab {
    let lab = Lab::cluster();
    lab.control_plane("node", "bundle");
    lab.sign_cluster("bundle", "release").ok();
    lab.install("release", "node", "").ok();
    lab
}

/// An installation without changes to kubeconfigs, and its undo.
#[test]
fn installation_without_kubeconfig_changes() {
    let lab = installed();
    let certificate = lab.read("node/pki/apiserver.crt");
    std::fs::remove_file(lab.path("node/pki/apiserver.crt")).unwrap();
    let without = lab.listing("node");
    let ran = lab.install("release", "node", "").ok();
    assert_eq!(ran.out.lines().last(), Some("INSTALLED, but UNATTENDED: the answers came from a file"));
    assert_eq!(lab.read("node/pki/apiserver.crt"), certificate);
    lab.keyrite("install undo --pki node/pki").ok();
    assert_eq!(lab.listing("node"), without);

    // One new key, no kubeconfig.
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

/// A file has one role: a CA file cannot be a certificate's file, whatever it contains now.
#[test]
fn file_has_one_role() {
    let lab = installed();
    lab.keyrite("install undo --pki node/pki").ok();
    let refused = |release: &str, more: &str, needles: &[&str]| {
        let before = lab.listing("node");
        lab.install(release, "node", more).fails(1, needles);
        assert_eq!(lab.listing("node"), before, "{more}");
    };
    let both = ["apiserver.crt: is both the CA file of etcd-ca and the certificate of", "rename the key"];
    refused("release", "--ca etcd-ca=apiserver.crt", &both);
    // The same if one of them exists already.
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

/// A journal with a duplicate file is not used.
#[test]
fn journal_with_duplicate_file_undoes_nothing() {
    let lab = installed();
    let list = lab.run("find", &["node/pki/.keyrite", "-name", "undo.json"]).ok().out;
    let list = list.trim_end();
    let mut undo: serde_json::Value = serde_json::from_str(&lab.read(list)).unwrap();
    let entries = undo["entries"].as_array_mut().unwrap();
    let twice = entries.iter().find(|entry| entry["path"] == "apiserver.crt").unwrap().clone();
    entries.push(twice);
    lab.write(list, undo.to_string());
    let before = lab.listing("node");
    lab.keyrite("install undo --pki node/pki")
        .fails(1, &["apiserver.crt: would change twice in one installation"]);
    assert_eq!(lab.listing("node"), before);
}

/// Two ledgers share a node: each has its own sequence, and both are remembered.
#[test]
fn older_release_is_refused_after_another_ledger() {
    let (lab, theirs) = (installed(), Lab::cluster());
    lab.control_plane("next", "bundle3");
    lab.sign_cluster("bundle3", "release3").ok();
    lab.install("release3", "node", "--renewal next").ok();
    let ours = lab.read("node/pki/.keyrite/installed.json");
    let command = format!("cp -r {} {}", lab.path("bundle3").display(), theirs.path("bundle").display());
    lab.run("sh", &["-c", &command]).ok();
    theirs.sign_cluster("bundle", "release").ok();
    let (release, root) = (theirs.path("release"), theirs.path("roots/authorities/kubernetes-ca.crt"));
    let command =
        format!("install {} --root {} --pki node/pki --rotate-ca", release.display(), root.display());
    lab.keyrite(&command).ok();
    let both = lab.read("node/pki/.keyrite/installed.json");
    let record: serde_json::Value = serde_json::from_str(&both).unwrap();
    assert_eq!(record["releases"].as_array().map(Vec::len), Some(2), "{both}");
    let [root, other] = [0, 1].map(|at| record["releases"][at]["root_sha256"].as_str().unwrap().to_owned());
    let before = lab.listing("node");
    lab.install("release", "node", "--rotate-ca")
        .fails(1, &["this release is number 2, but number 3 was installed at"]);
    assert!(lab.keyrite(&command).ok().out.contains("NOTHING TO DO"));
    assert_eq!(lab.listing("node"), before);

    // A mix of rehearsal and production, a duplicate root, a record of another version.
    let record = "node/pki/.keyrite/installed.json";
    for (text, needle) in [
        (both.replacen("\"production\"", "\"rehearsal\"", 1), "has a release of kind Rehearsal"),
        (both.replace(&other, &root), "duplicate entry for the root"),
        (both.replace("installed-3", "installed-1"), "format is \"keyrite-installed-1\", this version reads"),
    ] {
        assert_ne!(text, both, "{needle}");
        lab.write(record, text);
        lab.keyrite(&command).fails(1, &[needle]);
    }
    lab.write(record, both);
    lab.keyrite("install undo --pki node/pki").ok();
    assert_eq!(lab.read(record), ours);
}
