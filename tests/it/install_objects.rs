//! `keyrite install objects`: output for kubectl, checked by kubectl.

use crate::support::{self, Lab, WEB};
use base64ct::{Base64, Encoding};
use serde_json::Value;

const OBJECTS: &str = "[[roster]]\npath = \"objects/*.csr\"\nprofile = \"client\"\nauthority = \"root-ca\"\nsubject = [\"CN=*\"]\n";

/// Creates a release with certificates for two objects, one with an unusual name, and for a server.
fn released() -> Lab {
    let lab = Lab::new();
    lab.root("ecdsa-p256");
    lab.sign_script(&format!("{WEB}{OBJECTS}"));
    for (name, key) in [("node-csr-x7f", "a"), ("it_27s_20_24_28id_29", "b")] {
        lab.party(
            &format!("away/{key}.key"),
            &format!("in/objects/{name}.csr"),
            &format!("/CN={key}"),
            "",
            "sec1",
        );
    }
    lab.party("keys/web.key", "in/web/Web_1.csr", "/CN=w", "DNS:w.example.test", "rsa");
    lab.sign("in", "release").ok();
    lab
}

const OBJECTS_OF: &str = "install objects release --root root/authorities/root-ca.crt --out";

fn json(lab: &Lab, path: &str) -> Value {
    serde_json::from_str(&lab.read(path)).unwrap()
}

fn decoded(value: &Value) -> String {
    String::from_utf8(Base64::decode_vec(value.as_str().unwrap()).unwrap()).unwrap()
}

#[test]
fn kubectl_accepts_the_output() {
    let lab = released();
    let ran = lab.keyrite(&format!("{OBJECTS_OF} out")).ok();
    assert!(ran.out.contains("Certificates for 2 requests") && ran.out.contains("No Secrets"), "{}", ran.out);
    assert_eq!(
        lab.files("out"),
        ["status.sh", "status/it_27s_20_24_28id_29.json", "status/node-csr-x7f.json", "trust-bundle.json"]
    );
    let patch = json(&lab, "out/status/node-csr-x7f.json");
    assert_eq!(
        decoded(&patch["status"]["certificate"]),
        lab.read("release/certificates/objects/node-csr-x7f.crt")
    );

    // kubectl merges it into an object and keeps the conditions.
    lab.write("object.json", r#"{"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest","metadata":{"name":"node-csr-x7f"},"spec":{"request":"","signerName":"example.com/x","usages":["client auth"]},"status":{"conditions":[{"type":"Approved","status":"True"}]}}"#);
    let patch_text = lab.read("out/status/node-csr-x7f.json");
    let merged = lab
        .run(
            "kubectl",
            &["patch", "--local", "-f", "object.json", "--type=merge", "-p", &patch_text, "-o", "json"],
        )
        .ok()
        .out;
    let merged: Value = serde_json::from_str(&merged).unwrap();
    assert_eq!(merged["status"]["conditions"][0]["type"], "Approved");
    assert_eq!(merged["status"]["certificate"], patch["status"]["certificate"]);

    // The commands run by a shell, with a kubectl that records its arguments.
    lab.write("bin/kubectl", "#!/bin/sh\nfor word; do echo \"<$word>\"; done >> \"$LOG\"\n");
    lab.run("chmod", &["755", "bin/kubectl"]).ok();
    let script = "PATH=$PWD/bin:$PATH LOG=$PWD/log sh out/status.sh";
    lab.run("sh", &["-c", script]).ok();
    let log = lab.read("log");
    for word in [
        "<it's $(id)>",
        "<node-csr-x7f>",
        "<--subresource=status>",
        "<--patch-file=status/node-csr-x7f.json>",
    ] {
        assert!(log.contains(word), "{word}: {log}");
    }

    let trust = json(&lab, "out/trust-bundle.json");
    lab.run("cp", &["root/authorities/root-ca.crt", "root-ca.crt"]).ok();
    let made = lab
        .run(
            "kubectl",
            &[
                "create",
                "configmap",
                "trust-bundle",
                "--from-file=root-ca.crt",
                "--dry-run=client",
                "-o",
                "json",
            ],
        )
        .ok()
        .out;
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!((&trust["data"], &trust["kind"]), (&made["data"], &made["kind"]));
}

#[test]
fn secrets_need_a_given_key() {
    let lab = released();
    let ran = lab.keyrite(&format!("{OBJECTS_OF} out --key-dir keys")).ok();
    assert!(ran.out.contains("Secrets (1), each with a PRIVATE KEY"), "{}", ran.out);
    let listing = lab.listing("out");
    assert!(listing.contains("secrets/web-web-1.json f 600"), "{listing}");
    let secret = json(&lab, "out/secrets/web-web-1.json");
    let words = "create secret tls web-web-1 --cert=release/certificates/web/Web_1.crt --key=keys/web.key --dry-run=client -o json";
    let made = lab.run("kubectl", &words.split(' ').collect::<Vec<_>>()).ok().out;
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!((&secret["data"], &secret["type"]), (&made["data"], &made["type"]));
    assert!(!ran.out.contains("BEGIN") && !lab.read("out/trust-bundle.json").contains("PRIVATE"));
}

#[test]
fn errors_leave_no_output() {
    let lab = released();
    lab.run("sh", &["-c", "cp -r release bad && echo >> bad/transcript.jsonl && mkdir there"]).ok();
    let of = |release: &str, more: &str| {
        lab.keyrite(&format!("install objects {release} --root root/authorities/root-ca.crt {more}"))
    };
    of("bad", "--out new").fails(1, &["NOT VERIFIED"]);
    of("release", "--out there").fails(2, &["there: exists"]);
    of("release", "--out absent/new").fails(3, &["absent: No such file"]);
    of("release", "--out new --key-dir nowhere").fails(3, &["nowhere"]);
    of("release", "--out new --rehearsal").fails(1, &["is not a rehearsal"]);
    lab.write("odd/x.key", "none\n");
    of("release", "--out new --key-dir odd").fails(1, &["odd/x.key"]);
    let traced = format!(
        "-f -o /dev/null -e trace=syncfs -e inject=syncfs:error=EIO:when=1 {} {OBJECTS_OF} new",
        env!("CARGO_BIN_EXE_keyrite")
    );
    lab.run("strace", &traced.split(' ').collect::<Vec<_>>()).fails(3, &["new", "Input/output error"]);
    let full = format!(
        "mkdir small && mount -t tmpfs -o size=8k tmpfs small && {} {OBJECTS_OF} small/new; code=$?; ls small; exit $code",
        env!("CARGO_BIN_EXE_keyrite")
    );
    let ran = lab.run("unshare", &["--mount", "sh", "-c", &full]).fails(3, &["No space left on device"]);
    assert!(!ran.out.contains("new"), "{ran:?}");
    assert!(!lab.path("new").exists());
    // A path that does not decode to a valid object name.
    lab.party("away/c.key", "in2/objects/a_2fb.csr", "/CN=c", "", "sec1");
    lab.sign("in2", "release2").ok();
    of("release2", "--out new").fails(1, &["a_2fb.crt: is not an object name"]);
}

/// From the API server's output back to its objects: each gets the certificate of its own request.
#[test]
fn objects_receive_their_certificates() {
    let lab = Lab::new();
    let fixture = support::repository().join("tests/fixtures/csr-list.json");
    lab.write("csr.json", std::fs::read(fixture).unwrap());
    lab.keyrite("request objects csr.json --out objects.tar --cluster prod-1 --expires-in 7").ok();
    lab.ceremony_files();
    lab.ceremony("ceremony/kubernetes-roots.toml", "--rehearsal --out roots").ok();
    lab.ceremony("ceremony/kubernetes-objects.toml", "--rehearsal --in objects.tar --out release").ok();
    let root = "--root roots/authorities/kubernetes-ca.crt --out out";
    lab.keyrite(&format!("install objects release {root}")).fails(1, &["REHEARSAL"]);
    lab.keyrite(&format!("install objects release {root} --rehearsal")).ok();
    assert!(lab.read("out/trust-bundle.json").contains("keyrite/rehearsal"));
    // In place of the API server: the object of that name, merged by the real kubectl.
    lab.write(
        "bin/kubectl",
        "#!/bin/sh\nset -e\nfor word; do case $word in --patch-file=*) patch=$(cat \"${word#*=}\");; esac; name=$word; done\nPYTHONUTF8=1 python3 -c 'import json,sys; print(json.dumps([i for i in json.load(open(sys.argv[1]))[\"items\"] if i[\"metadata\"][\"name\"]==sys.argv[2]][0]))' \"$TOP/csr.json\" \"$name\" > \"$TOP/object.json\"\n\"$REAL\" patch --local -f \"$TOP/object.json\" --type=merge -p \"$patch\" -o json >> \"$TOP/patched.json\"\necho , >> \"$TOP/patched.json\"\n",
    );
    lab.run("chmod", &["755", "bin/kubectl"]).ok();
    let script = "REAL=$(command -v kubectl) TOP=$PWD; export REAL TOP; PATH=$PWD/bin:$PATH sh out/status.sh";
    lab.run("sh", &["-c", script]).ok();
    let text = lab.read("patched.json");
    let patched: Vec<Value> =
        serde_json::from_str(&format!("[{}]", text.trim_end_matches([',', '\n']))).unwrap();
    assert_eq!(patched.len(), 4);
    for object in patched {
        lab.write("of.csr", Base64::decode_vec(object["spec"]["request"].as_str().unwrap()).unwrap());
        lab.write("of.crt", decoded(&object["status"]["certificate"]));
        let asked = lab.openssl("req -in of.csr -noout -pubkey").ok().out;
        assert_eq!(
            asked,
            lab.openssl("x509 -in of.crt -noout -pubkey").ok().out,
            "{}",
            object["metadata"]["name"]
        );
        lab.openssl("verify -x509_strict -CAfile roots/authorities/kubernetes-ca.crt of.crt").ok();
        assert!(object["status"]["conditions"].is_array());
    }
}
