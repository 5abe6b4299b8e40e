//! Invalid scripts, bundles and requests: each refusal has its control ID and both values, and
//! nothing is written.

use crate::support::{self, Lab, P256, WEB};

/// Requires that a single request is refused by this control with these texts.
#[track_caller]
fn refused(lab: &Lab, control: &str, texts: &[&str]) {
    let mut all = vec![control, "nothing was signed"];
    all.extend(texts);
    lab.sign("in", "out").fails(1, &all);
    assert!(!lab.path("out").exists());
    std::fs::remove_dir_all(lab.path("in")).unwrap();
}

#[test]
fn scripts_are_strict() {
    let lab = Lab::new();
    lab.write("profiles.toml", support::PROFILES);
    let good = support::root_script("ecdsa-p256");
    let check = |text: String, needles: &[&str]| {
        lab.write("x.toml", text);
        lab.keyrite("ceremony check x.toml").fails(2, needles);
        lab.ceremony("x.toml", "--out out").fails(2, needles);
        assert!(!lab.path("ledger").exists() && !lab.path("out").exists());
    };
    check(good.replace("purpose", "purpse"), &["x.toml", "purpse"]);
    check(good.replace("network = ", "netwrk = "), &["netwrk"]);
    check(good.replace("act = \"inventory\"", "act = \"inventory\"\nsurprise = 1"), &["surprise"]);
    check(good.replace("act = \"inventory\"", "act = \"dance\""), &["dance"]);
    check(good.replace("profiles.toml", "absent.toml"), &["absent.toml"]);
    check(good.replace("profiles.toml", "../profiles.toml"), &["../profiles.toml", "MEDIA-NAME"]);
    check(
        good.replace("profile = \"root\"", "profile = \"server\""),
        &["certificate profile server has kind Leaf, must be Root"],
    );
    check(good.replace("profile = \"root\"", "profile = \"ghost\""), &["\"ghost\" is not in any file"]);
    check(good.replace("days = 3650", "days = 3651"), &["days is 3651", "allows 1 to 3650"]);
    check(good.replace("\"O=Test\"", "\"X=Test\""), &["X=Test"]);
    check(good.replace("key = \"ecdsa-p256\"", "key = \"rsa-1024\""), &["rsa-1024"]);
    check(
        good.replace("[[step]]\nact = \"open-token\"\n", ""),
        &["step 2 (inventory): requires an earlier open-token step"],
    );
    check(
        good.replace("issuer = \"root-ca\"", "issuer = \"root-ca\"\n[[step]]\nact = \"issue\""),
        &["requires an earlier review step"],
    );
    lab.ceremony("none.toml", "--out out").fails(2, &["none.toml"]);
    // Script text is escaped before it reaches the terminal.
    lab.write("evil.toml", "title = \u{1b}]0;owned\u{7}\n");
    let ran = lab.keyrite("ceremony check evil.toml").fails(2, &["\\u{1b}]0;owned"]);
    assert!(
        !ran.err.contains('\u{1b}') && !ran.err.contains('\u{7}') && ran.err.lines().count() > 1,
        "{ran:?}"
    );
    // Names that the ledger does not have, and conflicting arguments.
    lab.write("x.toml", good.replace("issuer = \"root-ca\"", "issuer = \"ghost-ca\""));
    lab.ceremony("x.toml", "--out out")
        .fails(2, &["ledger: no ledger exists, but x.toml needs one with ghost-ca"]);
    lab.write("x.toml", good);
    lab.ceremony("x.toml", "").fails(2, &["--out"]);
    lab.ceremony("x.toml", "--out out --in in").fails(2, &["omit --in"]);
    assert!(!lab.path("ledger").exists());
}

const PROMPTS: &str = "plan = \"accept\"\nclock = \"accept\"\ncreate = \"accept\"\nmanifest = \"accept\"\n";

#[test]
fn answers_are_complete_and_known() {
    let lab = Lab::new();
    lab.write_root_script();
    let run = |answers: &str| {
        lab.write("a.toml", answers);
        lab.keyrite(
            "ceremony run root.toml --hsm hsm.toml --ledger ledger --answers a.toml --pin-file pin --out out",
        )
    };
    run("plan = \"accept\"\nclock = \"accept\"\n").fails(2, &["\"create\", which the answers file lacks"]);
    run("plan = \"accept\"\nclok = \"accept\"\n").fails(2, &["\"clok\" is not a prompt"]);
    run(PROMPTS).fails(2, &["requires 1 operator, but the answers file names 0 in [people]"]);
    run(&format!("{PROMPTS}[people]\noperator = [\"\\u001b[2J\"]\n"))
        .fails(2, &["a name must be 2 to 60 characters"]);
    run("plan = \"accept\"\nclock = \"1999-01-01\"\ncreate = \"accept\"\nmanifest = \"accept\"\n[people]\noperator = [\"Ann Example\"]\n")
        .fails(1, &["clock is \"1999-01-01\", the ceremony expects"]);
    assert!(!lab.path("out").exists());
    lab.keyrite("ceremony run root.toml --hsm hsm.toml --ledger ledger --pin-file pin --out out")
        .fails(2, &["no terminal"]);
}

#[test]
fn invalid_bundles() {
    let lab = Lab::signing();
    std::fs::create_dir_all(lab.path("in")).unwrap();
    lab.sign("in", "out").fails(1, &["BUNDLE-EMPTY"]);
    lab.sign("absent", "out").fails(3, &["absent"]);
    lab.ceremony("sign.toml", "--out out").fails(2, &["--in"]);
    // A bundle with a private key is refused as a whole.
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    let both = lab.read("in/web/a.csr") + &lab.read("keys/in_web_a.csr.key");
    lab.write("in/web/b.csr", both);
    lab.sign("in", "out").fails(1, &["web/b.csr", "BUNDLE-PRIVATE-KEY", "compromised"]);
    std::fs::remove_file(lab.path("in/web/b.csr")).unwrap();
    for (name, text) in [
        ("in/we b.csr", "[MEDIA-NAME]"),
        ("in/.hidden", "[MEDIA-NAME]"),
        ("in/web/A.csr", "[MEDIA-NAME]"),
        ("in/\u{202e}x", "\\u{202e}"),
    ] {
        lab.write(name, "x");
        lab.sign("in", "out").fails(1, &[text]);
        std::fs::remove_file(lab.path(name)).unwrap();
    }
    let make = |command: &str, needle: &str| {
        lab.run("sh", &["-c", command]).ok();
        lab.sign("in", "out").fails(1, &[needle]);
        std::fs::remove_file(lab.path("in/odd")).unwrap();
    };
    make("ln -s web/a.csr in/odd", "MEDIA-TYPE");
    make("ln in/web/a.csr in/odd", "MEDIA-TYPE");
    make("mkfifo in/odd", "MEDIA-TYPE");
    make("truncate -s 10G in/odd", "MEDIA-SIZE");
    assert!(!lab.path("out").exists());
    lab.sign("in", "out").ok();
}

#[test]
fn invalid_requests_and_proofs_of_possession() {
    let lab = Lab::signing();
    lab.csr("x.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.openssl("req -in x.csr -outform DER -out x.der").ok();
    let der = std::fs::read(lab.path("x.der")).unwrap();
    let mut flipped = der.clone();
    *flipped.last_mut().unwrap() ^= 1;
    lab.write("in/web/a.csr", &flipped);
    refused(&lab, "REQ-POP", &["web/a.csr"]);
    let trailing = [der.clone(), vec![0]].concat();
    lab.write("in/web/a.csr", trailing);
    refused(&lab, "REQ-DER", &[]);
    // A sample of single-bit changes: each is refused, none crashes.
    for at in (0..der.len()).step_by(7) {
        let mut changed = der.clone();
        changed[at] ^= 4;
        lab.write(&format!("in/web/m{at}.csr"), changed);
    }
    let ran = lab.sign("in", "out");
    assert_eq!(ran.code, 1, "{ran:?}");
    std::fs::remove_dir_all(lab.path("in")).unwrap();
    let pem = lab.read("x.csr");
    for text in [
        String::new(),
        "hello".to_owned(),
        format!("{pem}{pem}"),
        format!("words\n{pem}"),
        pem.replace("CERTIFICATE REQUEST", "CERTIFICATE"),
        pem.replace("-----END", "----END"),
    ] {
        lab.write("in/web/a.csr", &text);
        refused(&lab, "REQ-FORM", &[]);
    }
    lab.write("in/web/a.csr", pem.replace('\n', "\r\n").replace("CERTIFICATE", "NEW CERTIFICATE"));
    lab.sign("in", "out").ok();
}

#[test]
fn weak_and_unknown_keys() {
    let lab = Lab::signing();
    let refuse = |key: &str, more: &[&str], control: &str, texts: &[&str]| {
        let key_path = "weak.key";
        let algorithm: Vec<&str> = key.split(' ').collect();
        let mut arguments = vec!["genpkey", "-out", key_path];
        arguments.extend(algorithm);
        lab.run("openssl", &arguments).ok();
        std::fs::create_dir_all(lab.path("in/web")).unwrap();
        let mut arguments = vec![
            "req",
            "-new",
            "-key",
            key_path,
            "-subj",
            "/CN=a",
            "-addext",
            "subjectAltName=DNS:a.example.test",
            "-out",
            "in/web/a.csr",
        ];
        arguments.extend(more);
        lab.run("openssl", &arguments).ok();
        refused(&lab, control, texts);
    };
    let rsa = |bits: u32| format!("-algorithm RSA -pkeyopt rsa_keygen_bits:{bits}");
    refuse(&rsa(1024), &[], "KEY-STRENGTH", &["RSA modulus is 1024 bits", "2048"]);
    refuse(&rsa(2044), &[], "KEY-STRENGTH", &["2044 bits"]);
    refuse(
        &format!("{} -pkeyopt rsa_keygen_pubexp:3", rsa(2048)),
        &[],
        "KEY-STRENGTH",
        &["RSA exponent is 3"],
    );
    refuse(&rsa(2048), &["-sha1"], "SIG-ALGORITHM", &["sha1WithRSAEncryption"]);
    refuse("-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1", &[], "KEY-TYPE", &["curve"]);
    refuse("-algorithm EC -pkeyopt ec_paramgen_curve:P-224", &[], "KEY-TYPE", &["curve"]);
    refuse(
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
        &[],
        "KEY-TYPE",
        &["not a named curve"],
    );
    refuse("-algorithm ED448", &[], "KEY-TYPE", &["1.3.101.113"]);
}

#[test]
fn names_outside_the_roster() {
    let lab = Lab::signing();
    let try_san = |san: &str, control: &str, texts: &[&str]| {
        let _ = std::fs::remove_dir_all(lab.path("keys"));
        lab.csr("in/web/a.csr", "/CN=a", san, P256);
        refused(&lab, control, texts);
    };
    try_san("DNS:a.example.org", "NAME-DNS", &["a.example.org", "roster"]);
    try_san("DNS:a.b.example.test", "NAME-DNS", &["a.b.example.test"]);
    try_san("DNS:*.example.test", "NAME-DNS", &["wildcard"]);
    try_san("DNS:a_b.example.test", "NAME-DNS", &["preferred name syntax"]);
    try_san("DNS:a.example.test.", "NAME-DNS", &["preferred name syntax"]);
    try_san("DNS:10.0.0.1", "NAME-DNS", &["address"]);
    try_san("DNS:a.example.test,DNS:A.example.test", "NAME-DNS", &["duplicate name"]);
    try_san("DNS:a.example.test,IP:192.0.2.1", "NAME-IP", &["192.0.2.1"]);
    try_san("DNS:a.example.test,IP:::ffff:10.0.0.1", "NAME-IP", &["IPv4-mapped IPv6 address"]);
    try_san("DNS:a.example.test,email:a@example.test", "NAME-TYPE", &["email"]);
    try_san("DNS:a.example.test,URI:https://a.example.test/", "NAME-TYPE", &["URI"]);
    try_san("", "NAME-MISSING", &["certificate profile server requires one"]);
    let try_subject = |subject: &str, texts: &[&str]| {
        let _ = std::fs::remove_dir_all(lab.path("keys"));
        lab.csr("in/web/a.csr", subject, "DNS:a.example.test", P256);
        refused(&lab, "NAME-SUBJECT", texts);
    };
    try_subject("/CN=a/O=system:masters", &["O=system:masters", "not allowed"]);
    try_subject("/CN=system:node:a", &["CN=system:node:a"]);
    try_subject("/CN=a/CN=b", &["expected exactly one", "found 2"]);
    try_subject("/O=x", &["expected exactly one CN=*"]);
    try_subject("/CN=a\u{1b}[2J", &["\\u{1b}[2J"]);
    try_subject("/CN=sys\u{0442}em", &["\\u{442}"]);
    try_subject("/CN=a+O=b", &["RDN"]);
    lab.csr("in/other/a.csr", "/CN=a", "DNS:a.example.test", P256);
    refused(&lab, "ROSTER-LINE", &["no roster line matches the path other/a.csr"]);
}

#[test]
fn node_names_are_bound_to_their_folder() {
    let lab = Lab::signing();
    lab.sign_script("[[roster]]\npath = \"nodes/*/kubelet.csr\"\nprofile = \"client\"\nauthority = \"root-ca\"\nsubject = [\"O=system:nodes\", \"CN=system:node:{1}\"]\n");
    lab.csr("in/nodes/w1/kubelet.csr", "/O=system:nodes/CN=system:node:w2", "", P256);
    refused(&lab, "NAME-SUBJECT", &["expected exactly one CN=system:node:w1"]);
    lab.csr("in/nodes/w1/kubelet.csr", "/O=system:nodes/CN=system:node:w1", "", P256);
    lab.sign("in", "out").ok();
    let subject = lab.openssl("x509 -in out/certificates/nodes/w1/kubelet.crt -noout -subject").ok().out;
    assert_eq!(subject.trim(), "subject=O = system:nodes, CN = system:node:w1");
}

#[test]
fn duplicate_reused_and_authority_keys() {
    let lab = Lab::signing();
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    std::fs::copy(lab.path("in/web/a.csr"), lab.path("in/web/b.csr")).unwrap();
    refused(
        &lab,
        "KEY-TWICE",
        &["web/a.csr: has the same key as web/b.csr; 2 requests", "web/b.csr: has the same key as web/a.csr"],
    );
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.sign("in", "first").ok();
    refused(&lab, "LEDGER-REPLAY", &["answered by ceremony 2 as web/a.csr"]);
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    // Same key, another request (ECDSA signatures differ).
    lab.csr("in/web/a.csr", "/CN=a2", "DNS:a2.example.test", P256);
    refused(&lab, "KEY-REUSE", &["certified by ceremony 2"]);
    lab.sign_script(&format!("{WEB}reuse_key = true\n"));
    lab.csr("in/web/a.csr", "/CN=a2", "DNS:a2.example.test", P256);
    lab.sign("in", "second").ok();
    // The authority's own key: the token itself signs that request.
    let request = "req -new -engine pkcs11 -keyform engine -subj /CN=a -addext subjectAltName=DNS:a.example.test -out in/web/a.csr -key";
    std::fs::remove_dir_all(lab.path("in")).unwrap();
    std::fs::create_dir_all(lab.path("in/web")).unwrap();
    let mut words: Vec<&str> = request.split(' ').collect();
    let uri = format!("pkcs11:token=lab;object=root-ca;type=private;pin-value={}", support::PIN);
    words.push(&uri);
    let mut command = lab.command("openssl", &words);
    command.env("PKCS11_MODULE_PATH", support::SOFTHSM);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    refused(&lab, "KEY-AUTHORITY", &["the key is that of root-ca in the token"]);
}

#[test]
fn requested_extensions_are_refused_or_reported() {
    let lab = Lab::signing();
    let names = "subjectAltName=DNS:a.example.test".to_owned();
    lab.csr_with("in/web/a.csr", "/CN=a", vec![names.clone(), "basicConstraints=CA:TRUE".into()], P256);
    refused(&lab, "ASK-CA", &["CA:TRUE"]);
    lab.csr_with("in/web/a.csr", "/CN=a", vec![names.clone(), "keyUsage=keyCertSign".into()], P256);
    refused(&lab, "ASK-KEYCERTSIGN", &[]);
    lab.csr_with(
        "in/web/a.csr",
        "/CN=a",
        vec![names, "extendedKeyUsage=clientAuth".into(), "keyUsage=critical,digitalSignature".into()],
        P256,
    );
    lab.sign("in", "out").ok();
    let notes = lab.manifest("out")["certificates"][0]["notes"].to_string();
    assert!(notes.contains("extendedKeyUsage") || notes.contains("extKeyUsage"), "{notes}");
    let purposes = lab.openssl("x509 -in out/certificates/web/a.crt -noout -ext extendedKeyUsage").ok().out;
    assert!(purposes.contains("Server") && !purposes.contains("Client"), "{purposes}");
}

#[test]
fn existing_output() {
    let lab = Lab::signing();
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.write("out/mine.txt", "precious");
    lab.sign("in", "out").fails(2, &["output folder is not empty"]);
    assert_eq!(lab.files("out"), ["mine.txt"]);
    lab.write("file", "x");
    assert_ne!(lab.sign("in", "file").code, 0);
    for name in ["out.tgz", "out.tar.gz", "out.TAR", "out.zip"] {
        lab.sign("in", name).fails(2, &[name, "name a folder, or a file that ends in .tar"]);
        assert!(!lab.path(name).exists());
    }
    lab.sign("in", "no/such/parent").fails(3, &["no/such"]);
    lab.write("notaledger/x", "x");
    lab.keyrite("ceremony resume --ledger notaledger --answers sign.toml").fails(2, &["has no ledger"]);
    lab.run("mv", &["ledger", "kept"]).ok();
    lab.run("mv", &["notaledger", "ledger"]).ok();
    lab.resume().fails(2, &["has no ledger"]);
    lab.sign("in", "out2").fails(2, &["has no ledger and is not empty"]);
    lab.run("rm", &["-r", "ledger"]).ok();
    lab.run("mv", &["kept", "ledger"]).ok();
    std::fs::create_dir(lab.path("empty")).unwrap();
    lab.sign("in", "empty").ok();
}

/// Requests from other projects, if that corpus is next to the repository: each is issued or
/// refused by a named control, without a crash.
#[test]
fn requests_of_other_projects_are_issued_or_refused() {
    let corpus = support::repository().join("../shared/corpora/csr");
    if !corpus.exists() {
        return;
    }
    let lab = Lab::signing();
    lab.sign_script("[[roster]]\npath = \"*/*\"\nprofile = \"server\"\nauthority = \"root-ca\"\nsubject_optional = [\"CN=*\", \"O=*\", \"OU=*\", \"C=*\", \"ST=*\", \"L=*\"]\ndns = [\"*\", \"*.*\", \"*.*.*\", \"*.*.*.*\"]\nip = [\"0.0.0.0/0\", \"::/0\"]\n");
    let mut count = 0;
    for file in support::walk(&corpus) {
        let folder = file.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        if ["valid", "malformed", "unknown"].contains(&folder.as_str()) {
            let octets = std::fs::read(&file).unwrap();
            if !String::from_utf8_lossy(&octets).contains("PRIVATE KEY-") {
                lab.write(&format!("in/{folder}/{count}.csr"), octets);
                count += 1;
            }
        }
    }
    let ran = lab.sign("in", "out").ok();
    let manifest = lab.manifest("out");
    let issued = manifest["certificates"].as_array().unwrap();
    let refused = manifest["refusals"].as_array().unwrap();
    assert_eq!(issued.len() + refused.len(), count, "{}", ran.out);
    assert!(issued.iter().all(|c| c["request_path"].as_str().unwrap().starts_with("valid/")), "{issued:?}");
    assert!(!issued.is_empty());
    lab.keyrite("verify out --root root/authorities/root-ca.crt").ok();
}

#[test]
fn requests_for_the_same_file() {
    let lab = Lab::signing();
    lab.sign_script(&WEB.replace("web/*.csr", "web/*"));
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.csr("in/web/a.pem", "/CN=b", "DNS:b.example.test", P256);
    refused(&lab, "REQ-COLLISION", &["web/a.csr", "web/a.pem", "web/a.crt"]);
    // Two bundles with the same path.
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.csr("in2/web/a.csr", "/CN=b", "DNS:b.example.test", P256);
    lab.ceremony("sign.toml", "--in in --in in2 --out out").fails(1, &["REQ-COLLISION", "two bundles"]);
}

#[test]
fn malformed_and_duplicate_extensions() {
    let lab = Lab::signing();
    let names = "subjectAltName=DNS:a.example.test".to_owned();
    lab.csr_with(
        "in/web/a.csr",
        "/CN=a",
        vec![names.clone(), "basicConstraints=DER:3003010100".into()],
        P256,
    );
    refused(&lab, "REQ-ATTRIBUTE", &["malformed"]);
    // Encoded default values: cA FALSE inside an extension, critical FALSE outside.
    lab.csr_with("in/web/a.csr", "/CN=a", vec![names, "basicConstraints=DER:3003010100".into()], P256);
    refused(&lab, "REQ-ATTRIBUTE", &["malformed"]);
    lab.run("rm", &["-r", "keys"]).ok();
    let critical = vec!["subjectAltName=critical,DNS:a.example.test".to_owned()];
    lab.csr_with("in/web/a.csr", "/CN=a", critical, "-algorithm RSA -pkeyopt rsa_keygen_bits:2048");
    resign(&lab, "web/a", |info| {
        let flag = info.windows(3).position(|octets| octets == [1, 1, 0xff]).unwrap();
        info[flag + 2] = 0;
    });
    refused(&lab, "REQ-ATTRIBUTE", &["default value such as critical FALSE is encoded"]);
}

/// Changes the certificationRequestInfo of a request with an RSA key of 2048 bits and signs it again: the
/// signature has always the same length.
fn resign(lab: &Lab, name: &str, change: impl Fn(&mut [u8])) {
    let request = format!("in/{name}.csr");
    lab.openssl(&format!("req -in {request} -outform DER -out changed.der")).ok();
    let mut der = std::fs::read(lab.path("changed.der")).unwrap();
    let info = 4..8 + usize::from(u16::from_be_bytes([der[6], der[7]]));
    change(&mut der[info.clone()]);
    lab.write("info", &der[info]);
    lab.openssl(&format!(
        "dgst -sha256 -sign keys/in_{}.csr.key -out signature info",
        name.replace('/', "_")
    ))
    .ok();
    let signature = std::fs::read(lab.path("signature")).unwrap();
    let at = der.len() - signature.len();
    der[at..].copy_from_slice(&signature);
    lab.write(&request, der);
}

/// A private key is recognised in every form in which tools write it, and nothing of its bundle is kept.
#[test]
fn private_keys_in_every_form() {
    let lab = Lab::signing();
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    let make = "set -e
mkdir forms && cd forms
openssl genpkey -quiet -algorithm RSA -out rsa 2>/dev/null
openssl genpkey -algorithm ED25519 -out ed 2>/dev/null
openssl ecparam -name prime256v1 -genkey -out ec.params.pem 2>/dev/null
openssl ec -in ec.params.pem -outform DER -out sec1.der 2>/dev/null
openssl pkcs8 -topk8 -nocrypt -in rsa -outform DER -out pkcs8.der
openssl pkcs8 -topk8 -nocrypt -in ed -outform DER -out ed25519.der
openssl pkcs8 -topk8 -passout pass:x -in rsa -outform DER -out encrypted.der
openssl pkcs8 -topk8 -passout pass:x -in rsa -out encrypted.pem
openssl rsa -in rsa -traditional -outform DER -out pkcs1.der 2>/dev/null
openssl req -x509 -key rsa -subj /CN=x -out cert 2>/dev/null
openssl pkcs12 -export -inkey rsa -in cert -passout pass:x -out pkcs12.p12
(cat pkcs8.der; printf trailing) > pkcs8.trailing
base64 pkcs8.der > base64.der.txt
base64 -w0 rsa > base64.pem.txt
for shift in '' x xx; do printf '{\"tls.key\":\"%s\"}' \"$( (printf '%s' \"$shift\"; cat rsa) | base64 -w0)\" > secret$shift.json; done
iconv -f ascii -t utf-16le rsa > utf16le.pem
iconv -f ascii -t utf-16 rsa > utf16.pem
iconv -f ascii -t utf-16be rsa > utf16be.pem
iconv -f ascii -t utf-32 rsa > utf32.pem
ssh-keygen -q -t ed25519 -N '' -C c -f openssh && rm openssh.pub
printf 'PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n' > putty.ppk
printf -- '---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n' > ssh2.key
printf -- '-----BEGIN PGP PRIVATE KEY BLOCK-----\n' > pgp.asc
printf '{ \"kty\": \"EC\", \"crv\": \"P-256\", \"d\": \"x\" }' > key.jwk
printf 'users:\n- name: admin\n  user:\n    client-key-data: LS0t\n' > admin.conf
printf '\\376\\355\\376\\355\\0\\0\\0\\2' > store.jks
rm rsa ed cert
";
    lab.run("sh", &["-c", make]).ok();
    let forms = lab.files("forms");
    assert!(forms.len() > 20, "{forms:?}");
    for form in &forms {
        lab.run("cp", &[&format!("forms/{form}"), "in/web/b.csr"]).ok();
        let ran = lab.sign("in", "out");
        assert_eq!(ran.code, 1, "{form}: {ran:?}");
        for text in ["in: web/b.csr: contains a PRIVATE KEY (", "[BUNDLE-PRIVATE-KEY]"] {
            assert!(ran.err.contains(text), "{form}: {}", ran.err);
        }
        lab.keyrite("request collect in --out sent").fails(1, &["web/b.csr", "[BUNDLE-PRIVATE-KEY]"]);
        assert!(!lab.path("sent").exists() && !lab.path("out").exists(), "{form}");
    }
    // The ledger has the ceremony of the root alone, and what is no key is no key.
    lab.run("cp", &["ledger/ledger.sqlite", "copy"]).ok();
    let count = lab.run("python3", &["-c", "import sqlite3\nprint(*sqlite3.connect('copy').execute(\"SELECT count(*) FROM request WHERE path LIKE 'web/%'\").fetchone())"]);
    assert_eq!(count.ok().out, "0\n");
    let public = "set -e
openssl req -in in/web/a.csr -outform DER -out a.der
openssl asn1parse -inform DER -in a.der -noout -strparse $(openssl asn1parse -inform DER -in a.der | sed -n '2s/:.*//p') -out in/web/info.csr
openssl x509 -in root/authorities/root-ca.crt -outform DER -out in/web/certificate.csr
openssl x509 -in root/authorities/root-ca.crt -noout -pubkey > in/web/public.csr
openssl crl2pkcs7 -nocrl -certfile root/authorities/root-ca.crt -outform DER -out in/web/certificates.csr
base64 a.der > in/web/base64.csr
rm in/web/b.csr";
    lab.run("sh", &["-c", public]).ok();
    let ran = lab.sign("in", "out").ok();
    assert!(ran.out.contains("5 requests refused"), "{}", ran.out);
}

/// No argument can print lines or move the cursor.
#[test]
fn arguments_that_forge_output() {
    let lab = Lab::without_token();
    for word in ["a\n\nTHE RECORD HOLDS: 99 claims hold", "a\u{1b}[31m", "a\u{202e}b", "a\rb", "a\u{2028}b"] {
        let ran = lab.run(env!("CARGO_BIN_EXE_keyrite"), &["audit", word]);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.lines().count()), (2, "", 1), "{ran:?}");
        assert!(ran.err.contains("could forge what is shown") && !ran.err.contains('\u{1b}'), "{}", ran.err);
    }
}

/// What no release could contain is refused before it is signed.
#[test]
fn requests_without_a_place_in_a_release() {
    let lab = Lab::signing();
    let line = |path: &str| {
        format!(
            "[[roster]]\npath = \"{path}\"\nprofile = \"server\"\nauthority = \"root-ca\"\nsubject = [\"CN=*\"]\ndns = [\"*.example.test\"]\n"
        )
    };
    lab.sign_script(&["*/*/*.csr", "*.csr", "*/*.csr", "*/*/*/*/*/*/*/*.csr"].map(line).concat());
    // Valid in a bundle, and too long or too deep below the folder of certificates.
    for path in [
        format!("{}/{}/{}.csr", "a".repeat(90), "a".repeat(90), "b".repeat(64)),
        "1/2/3/4/5/6/7/8.csr".to_owned(),
    ] {
        lab.csr("a.csr", "/CN=a", "DNS:a.example.test", P256);
        lab.write(&format!("in/{path}"), lab.read("a.csr"));
        refused(
            &lab,
            "REQ-COLLISION",
            &["has no place in a release", "at most 255 characters and 8 components"],
        );
    }
    // A certificate where another one needs a folder.
    lab.csr("in/x.csr", "/CN=x", "DNS:x.example.test", P256);
    lab.csr("in/x.crt-1.csr", "/CN=y", "DNS:y.example.test", P256);
    lab.csr("in/X.crt/z.csr", "/CN=z", "DNS:z.example.test", P256);
    let ran = lab.sign("in", "out").ok();
    assert!(ran.out.contains("x.csr: other requests would produce certificates/x.crt too, or a folder of this name [REQ-COLLISION]"), "{}", ran.out);
    assert_eq!(lab.files("out/certificates"), ["X.crt/z.crt", "x.crt-1.crt"]);
}

/// What is to be matched is bounded before it is matched.
#[test]
fn too_many_and_too_long_names() {
    let mut lab = Lab::signing();
    // OpenSSL makes no longer name unless it is told so.
    lab.write("long.cnf", "openssl_conf = all\n[all]\nstbl_section = types\n[types]\nCN = max:100000\n[req]\ndistinguished_name = dn\n[dn]\n");
    lab.set("OPENSSL_CONF", "long.cnf");
    let lab = lab;
    let names =
        |count: usize| (0..count).map(|n| format!("DNS:{n}.example.test")).collect::<Vec<_>>().join(",");
    let attempt = |subject: &str, count: usize, control: &str, texts: &[&str]| {
        let _ = std::fs::remove_dir_all(lab.path("keys"));
        lab.csr("in/web/a.csr", subject, &names(count), P256);
        refused(&lab, control, texts);
    };
    attempt(
        &format!("/CN=a{}", "/OU=x".repeat(32)),
        1,
        "NAME-COUNT",
        &["33 subject attributes", "at most 32"],
    );
    attempt("/CN=a", 1001, "NAME-COUNT", &["1001 alternative names", "at most 1000"]);
    let profiles = lab.read("profiles.toml");
    let limited = profiles.replace("names = \"required\"", "names = \"required\"\nmax_names = 2");
    assert_ne!(limited, profiles);
    lab.write("profiles.toml", limited);
    attempt("/CN=a", 3, "NAME-COUNT", &["3 alternative names", "at most 2"]);
    lab.csr("in/web/a.csr", "/CN=a", &names(2), P256);
    lab.sign("in", "out").ok();
    // Refused by length, whatever the patterns.
    let long = format!("/CN={}", ".".repeat(40_000));
    lab.run("rm", &["-r", "out"]).ok();
    attempt(&long, 1, "NAME-SUBJECT", &["CN has 40000 characters, at most 64"]);
    for (line, text) in [("max_names = 0", "between 1 and 1000"), ("max_names = 1001", "between 1 and 1000")]
    {
        lab.write(
            "profiles.toml",
            profiles.replace("names = \"required\"", &format!("names = \"required\"\n{line}")),
        );
        lab.sign("in", "out").fails(2, &["max_names", text]);
    }
}

/// A refusal lists every violation of a request, not only the first.
#[test]
fn a_refusal_lists_every_violation() {
    let lab = Lab::signing();
    lab.csr(
        "in/web/a.csr",
        "/O=system:masters",
        "DNS:a.example.org,IP:192.0.2.1",
        "-algorithm RSA -pkeyopt rsa_keygen_bits:1024",
    );
    refused(
        &lab,
        "KEY-STRENGTH",
        &["1024 bits", "O=system:masters", "[NAME-SUBJECT]", "[NAME-DNS]", "[NAME-IP]"],
    );
}

/// Weak moduli in place of a good one: the key is judged before it is used to verify.
#[test]
fn weak_moduli() {
    let lab = Lab::signing();
    lab.csr("good.csr", "/CN=a", "DNS:a.example.test", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048");
    lab.openssl("req -in good.csr -outform DER -out good.der").ok();
    let script = r#"
import random, subprocess, sys
def prime(n):
    return all(n % p for p in (2, 3, 5, 7, 11, 13)) and all(pow(a, n - 1, n) == 1 for a in (2, 3, 5, 7))
def following(n):
    n |= 1
    while not prime(n):
        n += 2
    return n
def small(limit):
    return [n for n in range(2, limit) if all(n % d for d in range(2, n))]
random.seed(1)
top = 3 << 1022
p = following(top | random.getrandbits(1000))
close = p * following(p + 2)
product = 1
for q in small(168):
    product *= q
def roca():
    while True:
        k = random.randrange((3 << 1022) // product, (1 << 1024) // product - 1)
        n = k * product + pow(65537, random.getrandbits(60), product)
        if pow(2, n - 1, n) == 1:
            return n
infected = roca() * roca()
cofactor = (1 << 2047) // 743 + random.getrandbits(1900) | 1
while any(cofactor % q == 0 for q in small(752)):
    cofactor += 2
divisible = 743 * cofactor
der = open("good.der", "rb").read()
modulus = subprocess.run("openssl req -in good.csr -noout -modulus", shell=True, capture_output=True, text=True).stdout
old = bytes.fromhex(modulus.strip().split("=")[1])
for name, n in (("close", close), ("infected", infected), ("divisible", divisible)):
    assert n.bit_length() == 2048, (name, n.bit_length())
    open(name + ".der", "wb").write(der.replace(old, n.to_bytes(256, "big")))
"#;
    lab.write("weak.py", script);
    lab.run("python3", &["weak.py"]).ok();
    for (name, text) in [("close", "Fermat"), ("infected", "ROCA"), ("divisible", "divisible by 743")] {
        lab.write("in/web/a.csr", std::fs::read(lab.path(&format!("{name}.der"))).unwrap());
        refused(&lab, "KEY-STRENGTH", &[text]);
    }
}

/// An authority outside the token must be named in the script exactly, and once.
#[test]
fn invalid_delegated_authorities() {
    let lab = Lab::new();
    lab.root("ecdsa-p256");
    let profile = "[signer]\nsource = \"test\"\nkind = \"delegated\"\ndays = 30\nkey_usage = [\"keyCertSign\"]\nextended_key_usage = [\"clientAuth\"]\npath_length = 0\n";
    let line = "[[roster]]\npath = \"signer.csr\"\nprofile = \"signer\"\nauthority = \"root-ca\"\nsubject = [\"CN=signer\"]\n";
    let good = format!("{line}delegate = true\n");
    let with = |profile: &str, roster: &str| {
        lab.write("profiles.toml", format!("{}{profile}", support::PROFILES));
        lab.sign_script(roster);
        lab.sign("in", "out")
    };
    lab.csr("in/signer.csr", "/CN=signer", "", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048");
    with(profile, &good).fails(
        1,
        &[
            "CA-DELEGATE",
            "the key is RSA 2048, a delegated authority requires ECDSA or RSA of at least 3072 bits",
        ],
    );
    for (roster, needle) in [
        (line.to_owned(), "so delegate = true is required"),
        (good.replace("signer.csr", "*.csr"), "path must not contain *"),
        (good.replace("CN=signer", "CN=*"), "exact subject"),
        (good.replace("subject = [\"CN=signer\"]\n", ""), "exact subject"),
        (format!("{good}subject_optional = [\"O=*\"]\n"), "subject_optional must be absent"),
        (format!("{good}reuse_key = true\n"), "reuse_key must be absent"),
        (good.replace("\"signer\"", "\"client\""), "certificate profile client is a leaf"),
        (good.replace("\"signer\"", "\"root\""), "certificate profile root is neither leaf nor delegated"),
    ] {
        with(profile, &roster).fails(2, &[needle]);
    }
    for (from, to, needle) in [
        ("path_length = 0\n", "", "path_length must be 0"),
        ("path_length = 0", "path_length = 1", "path_length must be 0"),
        ("extended_key_usage = [\"clientAuth\"]\n", "", "extended_key_usage is required"),
        (
            "[\"clientAuth\"]",
            "[\"clientAuth\", \"emailProtection\"]",
            "emailProtection is not allowed for delegated",
        ),
        ("[\"keyCertSign\"]", "[\"digitalSignature\"]", "require keyCertSign"),
    ] {
        with(&profile.replace(from, to), &good).fails(2, &[needle]);
    }
    // Another key can sign, but its request must not ask for what the script decides.
    std::fs::remove_dir_all(lab.path("keys")).unwrap();
    lab.csr_with("in/signer.csr", "/CN=signer", vec!["basicConstraints=critical,CA:TRUE".into()], P256);
    with(profile, &good).fails(1, &["ASK-CA"]);
    // An authority with path length 0 has no authorities below it.
    lab.write(
        "mid.toml",
        support::root_script("ecdsa-p256")
            .replace(
                "name = \"root-ca\"\nprofile = \"root\"",
                "name = \"mid-ca\"\nissuer = \"root-ca\"\nprofile = \"intermediate\"",
            )
            .replace(
                "days = 3650\n[[step]]\nact = \"create-manifest-key\"",
                "days = 1000\n[[step]]\nact = \"create-manifest-key\"",
            )
            .replace("name = \"manifest\"", "name = \"manifest-2\"")
            .replace("act = \"release\"", "act = \"release\"\nmanifest_key = \"manifest-2\""),
    );
    lab.ceremony("mid.toml", "--out mid").ok();
    lab.csr("in2/signer.csr", "/CN=signer", "", P256);
    lab.sign_script(&good.replace("root-ca", "mid-ca"));
    lab.sign("in2", "out").fails(2, &["mid-ca: has path length 0, so nothing can be delegated under it"]);
}
