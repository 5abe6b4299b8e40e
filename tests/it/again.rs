//! `keyrite release again`: a lost release is written again from the ledger, byte for byte.

use crate::support::{Lab, P256};

/// Creates a root and two releases: a folder and a tar.
fn released() -> Lab {
    let lab = Lab::signing();
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.csr("in/web/bad.csr", "/CN=b", "DNS:b.example.org", P256);
    lab.csr("more/web/c.csr", "/CN=c", "DNS:c.example.test", P256);
    lab.sign("in", "first").ok();
    lab.sign("more", "second.tar").ok();
    lab
}

#[test]
fn releases_are_reissued_byte_for_byte() {
    let lab = released();
    let before = lab.run("sh", &["-c", "cd ledger && stat -c '%n %s %Y %Z' . * && sha256sum *"]).ok().out;
    lab.keyrite("release again --ledger ledger --out last.tar").ok();
    lab.run("cmp", &["second.tar", "last.tar"]).ok();
    lab.keyrite("release again --ledger ledger --out again --sequence 2").ok();
    lab.run("diff", &["-r", "first", "again"]).ok();
    lab.keyrite("release again --ledger ledger --out roots --ceremony 1").ok();
    lab.run("diff", &["-r", "root", "roots"]).ok();
    let after = lab.run("sh", &["-c", "cd ledger && stat -c '%n %s %Y %Z' . * && sha256sum *"]).ok().out;
    assert_eq!(before, after, "the ledger was changed");
    lab.keyrite("verify again --root root/authorities/root-ca.crt").ok();
    // The output exists, or the number does not.
    lab.keyrite("release again --ledger ledger --out first").fails(2, &["first"]);
    lab.keyrite("release again --ledger ledger --out x --sequence 9").fails(2, &["no release 9", "is 3 of"]);
    lab.keyrite("release again --ledger absent --out x").fails(2, &["absent: has no ledger"]);
    assert!(!lab.path("x").exists());
}

/// Database edits by an attacker with write access: nothing unsigned is written.
#[test]
fn modified_ledger_reissues_nothing() {
    let lab = released();
    lab.run("cp", &["-r", "ledger", "kept"]).ok();
    // A valid signature over the same manifest by another key.
    lab.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout eve.key -out eve.crt -subj /CN=Eve").ok();
    lab.openssl("cms -sign -binary -in first/manifest.json -signer eve.crt -inkey eve.key -md sha256 -nosmimecap -outform DER -out eve.p7s").ok();
    let eve = format!("x'{}'", keyrite::digest::hex(&std::fs::read(lab.path("eve.p7s")).unwrap()));
    let cases = [
        (
            "UPDATE request SET refusal = replace(refusal, 'NAME-DNS', 'NAME-IP')",
            "its rows yield a manifest with SHA-256",
        ),
        (
            "UPDATE release SET signature = (SELECT signature FROM release WHERE sequence = 1) WHERE sequence = 2",
            "release 2: manifest signature: does not cover this manifest",
        ),
        (
            "UPDATE release SET (signature, manifest_sha256) = (SELECT signature, manifest_sha256 FROM release WHERE sequence = 1) WHERE sequence = 2",
            "its rows yield a manifest with SHA-256",
        ),
        (
            "UPDATE release SET signature = (eve.p7s) WHERE sequence = 2",
            "release 2: the manifest was signed by a key that the ledger does not have",
        ),
        (
            "UPDATE token_key SET role = 'authority' WHERE name = 'manifest'",
            "release 2: the manifest was signed by a key that the ledger does not have",
        ),
        (
            "UPDATE release SET head = replace(head, '\"sequence\":2', '\"sequence\":5') WHERE sequence = 2",
            "release 2: does not follow the previous release",
        ),
        ("DELETE FROM release WHERE sequence = 1", "release 2: does not follow the previous release"),
        ("UPDATE release SET head = 'x' WHERE sequence = 2", "release 2: expected value"),
        (
            "UPDATE issued SET signature = (SELECT signature FROM issued JOIN request USING (id) WHERE path = 'web/c.csr') WHERE id = (SELECT id FROM request WHERE path = 'web/a.csr')",
            "web/a.csr: its certificate under root-ca: ",
        ),
    ];
    for (sql, told) in cases {
        lab.run("rm", &["-rf", "x"]).ok();
        lab.edit_copy("kept", "ledger", &sql.replace("(eve.p7s)", &eve));
        lab.keyrite("release again --ledger ledger --out x --sequence 2")
            .fails(3, &[told, "the ledger was modified"]);
        assert!(!lab.path("x/manifest.json").exists(), "what is no release has no manifest");
    }
}

/// A manifest never refers to a previous release that was not signed.
#[test]
fn modified_previous_release_is_not_referenced() {
    let lab = released();
    let edit = "UPDATE release SET signature = (SELECT signature FROM release WHERE sequence = 2) WHERE sequence = 3";
    lab.edit("ledger", edit);
    lab.csr("last/web/d.csr", "/CN=d", "DNS:d.example.test", P256);
    lab.sign("last", "third").fails(3, &["manifest signature: does not cover this manifest"]);
    assert!(!lab.path("third").exists());
}

/// An interrupted run leaves SQLite's log behind. While another program writes, nothing is read.
#[test]
fn interrupted_ledger_is_read_without_changes() {
    let mut lab = released();
    lab.faulty();
    lab.csr("last/web/d.csr", "/CN=d", "DNS:d.example.test", P256);
    lab.set("FAULTY_TOKEN_MODE", "kill");
    // Two challenges and the certificate; the fourth signature is the manifest's, which is not
    // made.
    lab.set("FAULTY_TOKEN_AT", "4");
    assert_eq!(lab.sign("last", "third").code, -1);
    lab.set("FAULTY_TOKEN_MODE", "none");
    assert!(lab.path("ledger/ledger.sqlite-wal").exists(), "the test is to have a log");
    let before = lab.run("sh", &["-c", "sha256sum ledger/*"]).ok().out;
    lab.keyrite("release again --ledger ledger --out again.tar").ok();
    lab.run("cmp", &["second.tar", "again.tar"]).ok();
    assert_eq!(before, lab.run("sh", &["-c", "sha256sum ledger/*"]).ok().out);
    lab.resume().ok();
    lab.keyrite("release again --ledger ledger --out again").ok();
    lab.run("diff", &["-r", "third", "again"]).ok();
    let _held = lab.hold("ledger");
    lab.keyrite("release again --ledger ledger --out y").fails(2, &["in use by another program"]);
}
