//! `keyrite verify` detects everything that was changed, removed or added.

use crate::support::{self, Lab, P256};

fn released() -> Lab {
    let lab = Lab::signing();
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.csr("in/web/b.csr", "/CN=b", "DNS:b.example.test,IP:10.0.0.1", P256);
    lab.csr("in/web/bad.csr", "/CN=b", "DNS:b.example.org", P256);
    lab.sign("in", "good").ok();
    lab
}

fn verify(lab: &Lab, release: &str) -> support::Ran {
    lab.keyrite(&format!("verify {release} --root root/authorities/root-ca.crt"))
}

#[test]
fn release_verifies_by_file_and_by_digest() {
    let lab = released();
    let ran = verify(&lab, "good").ok();
    assert_eq!(ran.out.lines().last(), Some("VERIFIED, but UNATTENDED: the answers came from a file"));
    assert!(ran.out.contains("unattended") && ran.out.contains("NAME-DNS"));
    lab.keyrite(&format!("verify good --root-sha256 {}", lab.fingerprint("root/authorities/root-ca.crt")))
        .ok();
    let der = "x509 -in root/authorities/root-ca.crt -outform DER -out root.der";
    lab.openssl(der).ok();
    lab.keyrite("verify good --root root.der").ok();
    lab.keyrite("verify good").fails(2, &["--root"]);
    lab.keyrite("verify good --root-sha256 12").fails(2, &["64 hexadecimal digits"]);
    lab.keyrite("verify good --root absent.pem").fails(2, &["absent.pem"]);
    lab.keyrite("verify absent --root root.der").fails(3, &["absent"]);
    let other = "11".repeat(32);
    lab.keyrite(&format!("verify good --root-sha256 {other}")).fails(1, &[&other, "NOT VERIFIED"]);
}

#[test]
fn every_modification_is_detected() {
    let lab = released();
    let broken = |change: &str, needle: &str| {
        lab.run("sh", &["-c", &format!("rm -rf bad && cp -r good bad && cd bad && {change}")]).ok();
        verify(&lab, "bad").fails(1, &[needle, "NOT VERIFIED"]);
    };
    // Each file in turn: removed, truncated, one octet longer.
    for file in lab.files("good") {
        broken(&format!("rm {file}"), &file);
        broken(&format!("truncate -s -1 {file}"), "");
        broken(&format!("printf x >> {file}"), "");
    }
    broken("cp certificates/web/a.crt certificates/web/c.crt", "web/c.crt: is not in the manifest");
    broken("cp certificates/web/a.crt certificates/web/b.crt", "web/b.crt: SHA-256 is");
    broken("ln -sf /etc/hostname certificates/web/a.crt", "MEDIA-TYPE");
    broken("sed -i s/NAME-DNS/NAME-IP/ manifest.json", "does not cover this manifest");
    broken("sed -i s/production/rehearsal/ manifest.json", "does not cover this manifest");
    broken("cd ../root && cp manifest.json manifest.json.p7s ../bad && cd ../bad", "");
    broken("cp ../root/manifest.json.p7s .", "does not cover this manifest");
    // An unsigned manifest is not parsed, whatever it contains.
    let signed = "transcript.jsonl: SHA-256 is";
    broken("sed -i '2s/.*/{\"data\":/' transcript.jsonl", signed);
    broken("printf 'begin' > transcript.jsonl", signed);
    broken("mkdir extra && echo x > extra/file", "extra/file: is not in the manifest");
}

/// A record of refusals never exceeds the readers' limits.
#[test]
fn hostile_refusals_stay_within_reader_limits() {
    let lab = Lab::signing();
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    let names: Vec<String> = (0..300).map(|number| format!("DNS:{number}")).collect();
    lab.csr("in/web/bad.csr", "/CN=bad", &names.join(","), P256);
    let name = |number| format!("DNS:{number}{}", "x".repeat(240));
    let long: Vec<String> = (0..66).map(name).collect();
    lab.csr("in/web/long.csr", "/CN=long", &long.join(","), P256);
    lab.run("sh", &["-c", "for at in $(seq 1 99); do cp in/web/long.csr in/web/long$at.csr; done"]).ok();
    lab.sign("in", "good").ok();
    verify(&lab, "good").ok();
    let refusals = lab.manifest("good")["refusals"].as_array().unwrap().clone();
    let reasons = refusals[0]["reasons"].as_array().unwrap();
    assert_eq!(refusals[0]["request_path"], "web/bad.csr");
    assert_eq!(reasons.len(), 65);
    assert_eq!(reasons[64]["message"], "and 236 more violations, which are not listed");
    let longest = lab.read("good/transcript.jsonl").lines().map(str::len).max().unwrap();
    assert!(longest < 2 << 20, "{longest}");
    assert!(lab.read("good/transcript.jsonl").matches("\"event\":\"refused\"").count() > 1);
    lab.keyrite("audit ledger good --root root/authorities/root-ca.crt").ok();
    // A longer one is rejected.
    lab.run("sh", &["-c", "(printf '{'; head -c 9000000 /dev/zero | tr '\\0' x; echo) > long.jsonl"]).ok();
    lab.keyrite("audit long.jsonl").fails(1, &["THE RECORD DOES NOT HOLD"]);
}

/// A manifest signed by another key, or by a TLS certificate of the same CA.
#[test]
fn signatures_of_other_keys_are_rejected() {
    let lab = released();
    lab.run("cp", &["-r", "good", "bad"]).ok();
    lab.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout evil.key -out evil.crt -subj /CN=evil -days 30").ok();
    lab.openssl("cms -sign -binary -in bad/manifest.json -signer evil.crt -inkey evil.key -outform DER -out bad/manifest.json.p7s").ok();
    verify(&lab, "bad").fails(1, &["manifest signer"]);
    let key = "keys/in_web_a.csr.key";
    lab.openssl(&format!("cms -sign -binary -in bad/manifest.json -signer good/certificates/web/a.crt -inkey {key} -outform DER -out bad/manifest.json.p7s")).ok();
    verify(&lab, "bad").fails(1, &["manifest signer"]);
}
