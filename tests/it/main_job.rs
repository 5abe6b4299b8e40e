//! The main job: authorities in a token, requests in, certificates and a signed manifest out,
//! verified by independent programs.

use crate::support::{self, Lab, P256, WEB, repository};

#[test]
fn rehearsal_runs_everything_and_marks_its_output() {
    let lab = Lab::without_token();
    let ran = lab.keyrite("rehearse --out show").ok();
    assert!(ran.out.contains("20 certificates, 1 refused"), "{}", ran.out);
    assert!(ran.out.lines().count() < 50, "more than one screen:\n{}", ran.out);
    let manifest = lab.manifest("show/release");
    assert_eq!(manifest["kind"], "rehearsal");
    assert_eq!(manifest["unattended"], true);
    for authority in manifest["authorities"].as_array().unwrap() {
        assert!(authority["subject"].as_str().unwrap().contains("REHEARSAL"), "{authority}");
    }
    // The printed commands succeed.
    let cms = "cms -verify -binary -inform DER -in show/release/manifest.json.p7s -content show/release/manifest.json -CAfile show/release/authorities/kubernetes-ca.crt -out /dev/null";
    assert!(lab.openssl(cms).ok().err.contains("Verification successful"));
    let digest = repository().join("ceremony");
    let plan = lab.run("sh", &["-c", &format!(
        "cd {} && sha256sum kubernetes-sign.toml profiles/kubernetes.toml profiles/etcd.toml | sha256sum", digest.display()
    )]);
    assert_eq!(
        manifest["plan"]["sha256"].as_str().unwrap(),
        plan.out.split(' ').next().unwrap(),
        "the shipped script ran"
    );
    lab.keyrite("rehearse --out show").fails(2, &["show: exists"]);
    // A rehearsal's ledger never becomes a production ledger.
    lab.write_root_script();
    lab.init_token("lab");
    lab.keyrite(&format!(
        "ceremony run root.toml --hsm hsm.toml --ledger show/ledger --answers {}/ceremony/answers-accept.toml --pin-file pin --out o",
        repository().display()
    )).fails(2, &["is a rehearsal's ledger"]);
}

/// Every type of authority key signs, and `openssl` verifies with purpose.
#[test]
fn every_authority_key_signs_what_openssl_verifies() {
    for key in ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-3072", "rsa-4096"] {
        let lab = Lab::new();
        lab.root(key);
        lab.sign_script(WEB);
        lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test,IP:10.1.2.3", P256);
        lab.sign("in", "out").ok();
        let ran = lab.openssl("verify -x509_strict -check_ss_sig -purpose sslserver -CAfile root/authorities/root-ca.crt out/certificates/web/a.crt");
        assert!(ran.out.contains("OK"), "{key}: {ran:?}");
        assert_ne!(
            lab.openssl(
                "verify -purpose sslclient -CAfile root/authorities/root-ca.crt out/certificates/web/a.crt"
            )
            .code,
            0
        );
        lab.keyrite(&format!("verify out --root-sha256 {}", lab.fingerprint("root/authorities/root-ca.crt")))
            .ok();
        let cms = lab.openssl("cms -verify -binary -inform DER -in out/manifest.json.p7s -content out/manifest.json -CAfile root/authorities/root-ca.crt -out /dev/null");
        assert!(cms.err.contains("Verification successful"), "{key}: {cms:?}");
    }
}

/// Every type of request key is accepted, in PEM and DER, with each SHA-2 hash.
#[test]
fn every_request_key_and_form_is_certified() {
    let lab = Lab::signing();
    for (name, key) in [
        ("rsa2048", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
        ("rsa3072", "-algorithm RSA -pkeyopt rsa_keygen_bits:3072"),
        ("p256", P256),
        ("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
        ("p521", "-algorithm EC -pkeyopt ec_paramgen_curve:P-521"),
        ("ed25519", "-algorithm ED25519"),
    ] {
        lab.csr(
            &format!("in/web/{name}.csr"),
            &format!("/CN={name}"),
            &format!("DNS:{name}.example.test"),
            key,
        );
    }
    lab.csr("der.csr", "/CN=der", "DNS:der.example.test", P256);
    lab.openssl("req -in der.csr -outform DER -out in/web/der.csr").ok();
    lab.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out pss.key").ok();
    lab.run(
        "openssl",
        &[
            "req",
            "-new",
            "-key",
            "pss.key",
            "-subj",
            "/CN=pss",
            "-addext",
            "subjectAltName=DNS:pss.example.test",
            "-sigopt",
            "rsa_padding_mode:pss",
            "-sigopt",
            "rsa_pss_saltlen:32",
            "-sha256",
            "-out",
            "in/web/pss.csr",
        ],
    )
    .ok();
    let ran = lab.sign("in", "out").ok();
    assert!(ran.out.contains("8 certificates issued"), "{}", ran.out);
    let manifest = lab.manifest("out");
    assert_eq!(manifest["refusals"].as_array().unwrap().len(), 0, "{}", manifest["refusals"]);
    let usage = |name: &str| {
        lab.openssl(&format!("x509 -in out/certificates/web/{name}.crt -noout -ext keyUsage")).ok().out
    };
    assert!(usage("rsa2048").contains("Key Encipherment"));
    assert!(!usage("p256").contains("Key Encipherment"), "RFC 8813 section 3");
}

/// Request paths determine certificate paths, and the manifest lists every certificate and refusal.
#[test]
fn names_paths_and_manifest_agree() {
    let lab = Lab::new();
    lab.root("ecdsa-p256");
    lab.sign_script(&format!("{WEB}[[roster]]\npath = \"admin.conf.csr\"\nprofile = \"client\"\nauthority = \"root-ca\"\nsubject = [\"CN=admin\"]\n"));
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.csr("in/admin.conf.csr", "/CN=admin", "", P256);
    lab.csr("in/web/evil.csr", "/CN=evil", "DNS:evil.example.org", P256);
    lab.sign("in", "out").ok();
    assert_eq!(
        lab.files("out"),
        [
            "authorities/root-ca.chain.crt",
            "authorities/root-ca.crt",
            "certificates/admin.conf.crt",
            "certificates/web/a.crt",
            "manifest.json",
            "manifest.json.p7s",
            "transcript.jsonl"
        ]
    );
    let manifest = lab.manifest("out");
    assert_eq!(manifest["kind"], "production");
    assert_eq!(manifest["sequence"], 2);
    let previous = lab.run("sha256sum", &["root/manifest.json"]).out;
    assert_eq!(manifest["previous_manifest_sha256"].as_str().unwrap(), previous.split(' ').next().unwrap());
    let refusal = &manifest["refusals"][0];
    assert_eq!(refusal["request_path"], "web/evil.csr");
    assert_eq!(refusal["reasons"][0]["control"], "NAME-DNS");
    let bundle = lab
        .run(
            "sh",
            &["-c", "cd in && find . -type f | sed 's,^./,,' | LC_ALL=C sort | xargs sha256sum | sha256sum"],
        )
        .out;
    assert_eq!(manifest["bundle_sha256"].as_str().unwrap(), bundle.split(' ').next().unwrap());
    for certificate in manifest["certificates"].as_array().unwrap() {
        let path = format!("out/{}", certificate["path"].as_str().unwrap());
        let sum = lab.run("sha256sum", &[&path]).out;
        assert_eq!(certificate["file_sha256"].as_str().unwrap(), sum.split(' ').next().unwrap());
        let printed = lab.fingerprint(&path).replace(':', "").to_lowercase();
        assert_eq!(certificate["sha256"].as_str().unwrap(), printed);
    }
}

/// A chain of two: the intermediate has path length 0, expires before its root, and signs.
#[test]
fn intermediate_signs_within_its_root() {
    let lab = Lab::new();
    lab.root("ecdsa-p256");
    let steps = support::root_script("ecdsa-p384");
    let create = steps.find("[[step]]\nact = \"create-authority\"").unwrap();
    lab.write("intermediate.toml", format!(
        "{}[[step]]\nact = \"create-authority\"\nname = \"issuing-ca\"\nprofile = \"intermediate\"\nsubject = [\"CN=Issuing\"]\nkey = \"ecdsa-p384\"\ndays = 1825\nissuer = \"root-ca\"\n[[step]]\nact = \"release\"\n",
        &steps[..create]
    ));
    lab.ceremony("intermediate.toml", "--out mid").ok();
    lab.sign_script(&WEB.replace("root-ca", "issuing-ca"));
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.sign("in", "out").ok();
    let verify = "verify -x509_strict -purpose sslserver -CAfile root/authorities/root-ca.crt -untrusted out/authorities/issuing-ca.crt out/certificates/web/a.crt";
    lab.openssl(verify).ok();
    assert!(
        lab.openssl("x509 -in mid/authorities/issuing-ca.crt -noout -text")
            .ok()
            .out
            .contains("CA:TRUE, pathlen:0")
    );
    lab.keyrite("verify out --root root/authorities/root-ca.crt").ok();
    let chain = lab.read("out/authorities/issuing-ca.chain.crt");
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2, "authority first, then its root");
    // No authority can be below a path length of 0.
    lab.write(
        "below.toml",
        lab.read("intermediate.toml")
            .replace("\"root-ca\"", "\"issuing-ca\"")
            .replace("name = \"issuing-ca\"", "name = \"lower-ca\""),
    );
    lab.ceremony("below.toml", "--out low").fails(2, &["path length 0"]);
}

/// The shipped scripts that the rehearsal does not run.
#[test]
fn shipped_single_scripts_run() {
    let lab = Lab::new();
    lab.ceremony_files();
    lab.ceremony("ceremony/single-root.toml", "--rehearsal --out root").ok();
    lab.csr("in/servers/www.csr", "/O=Team/CN=www.example.internal", "DNS:www.example.internal", P256);
    lab.csr("in/clients/job.csr", "/CN=batch job", "", P256);
    lab.ceremony("ceremony/single-sign.toml", "--rehearsal --in in --out out").ok();
    assert_eq!(lab.manifest("out")["certificates"].as_array().unwrap().len(), 2);
    lab.ceremony("ceremony/intermediate.toml", "--rehearsal --out mid").ok();
    lab.openssl("verify -x509_strict -CAfile root/authorities/root-ca.crt mid/authorities/issuing-ca.crt")
        .ok();
    lab.keyrite("verify mid --root root/authorities/root-ca.crt").ok();
}

/// An authority outside the token: one request, shown to people, limited by its certificate.
#[test]
fn shipped_signer_script_delegates() {
    let lab = Lab::cluster();
    lab.party("signer.key", "in/pki/cluster-signer.csr", "/CN=cluster-signer", "", "pkcs8");
    let ran = lab.ceremony("ceremony/kubernetes-signer.toml", "--in in --out out").ok();
    assert!(
        ran.out.contains("cluster-signer.csr: AN AUTHORITY OUTSIDE THE TOKEN, cluster-signer"),
        "{}",
        ran.out
    );
    assert_eq!(lab.manifest("out")["certificates"][0]["delegated"], true);
    lab.keyrite("verify out --root roots/authorities/kubernetes-ca.crt").ok();
    let (signer, root) = ("out/certificates/pki/cluster-signer.crt", "roots/authorities/kubernetes-ca.crt");
    let text = lab.openssl(&format!("x509 -in {signer} -noout -text")).ok().out;
    for part in ["CA:TRUE, pathlen:0", "TLS Web Server Authentication, TLS Web Client Authentication"] {
        assert!(text.contains(part), "{text}");
    }
    // As the controller manager signs: a kubelet's certificate verifies; one for another authority
    // or for a purpose that was not delegated does not.
    lab.write("client.ext", "extendedKeyUsage=clientAuth\n");
    lab.write("mail.ext", "extendedKeyUsage=emailProtection\n");
    lab.write("sub.ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n");
    for (name, ext) in [("client", "client"), ("mail", "mail"), ("sub", "sub")] {
        lab.party(&format!("{name}.key"), &format!("{name}.csr"), &format!("/CN={name}"), "", "pkcs8");
        lab.openssl(&format!("x509 -req -in {name}.csr -CA {signer} -CAkey signer.key -days 1 -extfile {ext}.ext -out {name}.crt")).ok();
    }
    lab.openssl(
        "x509 -req -in client.csr -CA sub.crt -CAkey sub.key -days 1 -extfile client.ext -out below.crt",
    )
    .ok();
    let verify = |leaf: &str, purpose: &str, more: &str| {
        lab.openssl(&format!("verify -purpose {purpose} -CAfile {root} -untrusted {signer}{more} {leaf}"))
    };
    verify("client.crt", "sslclient", "").ok();
    assert_ne!(verify("mail.crt", "smimesign", "").code, 0);
    assert!(verify("below.crt", "sslclient", " -untrusted sub.crt").err.contains("path length"));
}

/// Attributes of the keys, read by an independent program.
#[test]
fn keys_cannot_leave_the_token() {
    let lab = Lab::new();
    lab.root("ecdsa-p256");
    let list = lab.run(
        "pkcs11-tool",
        &[
            "--module",
            support::SOFTHSM,
            "--token-label",
            "lab",
            "--login",
            "--pin",
            support::PIN,
            "-O",
            "--type",
            "privkey",
        ],
    );
    assert_eq!(list.out.matches("Private Key Object").count(), 2, "{list:?}");
    assert_eq!(
        list.out.matches("sensitive, always sensitive, never extractable, local").count(),
        2,
        "{list:?}"
    );
    assert!(
        !list.out.contains("decrypt") && !list.out.contains("unwrap") && !list.out.contains("derive"),
        "{list:?}"
    );
    let inspect = lab.keyrite("token inspect --hsm hsm.toml --pin-file pin").ok();
    assert!(inspect.out.contains("root-ca") && inspect.out.contains("manifest"));
}

/// Validity is inclusive, never outlives the issuer, and dates after 2049 are GeneralizedTime.
#[test]
fn validity_is_exact() {
    let lab = Lab::signing();
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.sign("in", "out").ok();
    let entry = lab.manifest("out")["certificates"][0].clone();
    let second = |text: &serde_json::Value| {
        let out = lab.run("date", &["-u", "-d", text.as_str().unwrap(), "+%s"]).ok().out;
        out.trim().parse::<i64>().unwrap()
    };
    assert_eq!(second(&entry["not_after"]) - second(&entry["not_before"]), 365 * 86_400 - 1);
    // Nine and a half years later, the leaf expires with its root.
    let mut lab = lab;
    lab.clock("+3467d");
    lab.csr("late/web/b.csr", "/CN=b", "DNS:b.example.test", P256);
    lab.sign("late", "out2")
        .fails(2, &["certificates would be valid for 365 days, but their issuer root-ca has only 183 left"]);
    lab.sign_script(&WEB.replace("authority = ", "days = 183\nauthority = "));
    lab.sign("late", "out2").ok();
    let manifest = lab.manifest("out2");
    assert_eq!(manifest["certificates"][0]["not_after"], manifest["authorities"][0]["not_after"]);
    // Nothing is issued after the root's expiry.
    lab.clock("+3700d");
    lab.csr("gone/web/c.csr", "/CN=c", "DNS:c.example.test", P256);
    lab.write("pin", "wrong, but never asked for");
    lab.sign("gone", "out3").fails(3, &["key root-ca: is valid from", "the clock says"]);
    assert!(!lab.path("out3").exists());
}
