//! Which manifest keys are accepted: keys certified as such by authorities in the token, and no
//! others below the same root, however their release is forged; on a node, the key that signed
//! before.

use crate::support::{self, Lab, P256};
use keyrite::digest::Digest;
use keyrite::issuance::{Certificate, MANIFEST_SIGNING};
use keyrite::release::{CertificateEntry, Head, ManifestWriter, entry};
use serde_json::{Value, json};

const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n";
const CA_0: &str = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n";
const MAIL: &str = "keyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n";

fn policy() -> String {
    format!("certificatePolicies={MANIFEST_SIGNING}\n")
}

/// Certificates made by openssl, whose keys the forger has.
struct Forge {
    lab: Lab,
    template: Value,
    /// From the root down to the manifest key.
    path: Vec<String>,
}

impl Forge {
    /// Creates a root outside any token, and a real release to be forged.
    fn new() -> Self {
        let lab = Lab::new();
        lab.root("ecdsa-p256");
        let mut forge = Self { template: lab.manifest("root"), lab, path: Vec::new() };
        forge.below(CA);
        forge
    }

    /// Adds a certificate below the last one, with these extensions.
    fn below(&mut self, extensions: &str) -> &mut Self {
        let number = self.path.len();
        let name = format!("c{number}");
        self.lab.openssl(&format!("genpkey {P256} -out {name}.key")).ok();
        self.lab.openssl(&format!("req -new -key {name}.key -subj /O=Forged/CN={name} -out {name}.csr")).ok();
        self.lab.write(&format!("{name}.ext"), extensions);
        let by = match self.path.last() {
            None => format!("-signkey {name}.key -days 900"),
            Some(above) => {
                format!("-CA {above}.crt -CAkey {above}.key -CAcreateserial -days {}", 900 - number)
            }
        };
        self.lab.openssl(&format!("x509 -req -in {name}.csr {by} -extfile {name}.ext -out {name}.crt")).ok();
        self.path.push(name);
        self
    }

    /// Goes back to the root.
    fn root(&mut self) -> &mut Self {
        self.path.truncate(1);
        self
    }

    fn certificate(&self, name: &str) -> Certificate {
        Certificate::from_pem(self.lab.read(&format!("{name}.crt")).as_bytes()).unwrap()
    }

    /// Writes a release to `out` whose manifest is signed by the last certificate's key.
    fn release(&self, edit: impl FnOnce(&mut Value)) -> &Self {
        let _ = std::fs::remove_dir_all(self.lab.path("out"));
        let (signer, authorities) = self.path.split_last().unwrap();
        let mut manifest = self.template.clone();
        let mut entries = Vec::new();
        for (at, name) in authorities.iter().enumerate() {
            let chain: String =
                authorities[..=at].iter().rev().map(|name| self.lab.read(&format!("{name}.crt"))).collect();
            let pem = self.lab.read(&format!("{name}.crt"));
            let (path, chain_path) =
                (format!("authorities/{name}.crt"), format!("authorities/{name}.chain.crt"));
            self.lab.write(&format!("out/{path}"), &pem);
            self.lab.write(&format!("out/{chain_path}"), &chain);
            let facts = self.certificate(name).facts();
            entries.push(json!({
                "name": name, "path": path, "file_sha256": Digest::of(pem.as_bytes()),
                "chain_path": chain_path, "chain_file_sha256": Digest::of(chain.as_bytes()),
                "sha256": facts.sha256, "serial": facts.serial, "profile": "forged", "subject": facts.subject,
                "issuer": authorities[at.saturating_sub(1)], "not_before": facts.not_before.to_string(),
                "not_after": facts.not_after.to_string(), "spki_sha256": facts.spki_sha256,
            }));
        }
        let key = self.certificate(signer).digest();
        manifest["authorities"] = Value::from(entries);
        manifest["signer"] = json!({ "authority": authorities.last(), "certificate_sha256": key });
        manifest["manifest_keys"] = json!([{ "name": "manifest", "certificate_sha256": key }]);
        manifest["created"] = json!(self.certificate(signer).facts().not_before.to_string());
        edit(&mut manifest);
        let certificates = manifest.as_object_mut().unwrap().remove("certificates").unwrap();
        manifest.as_object_mut().unwrap().remove("refusals").unwrap();
        let head: Head = serde_json::from_value(manifest).unwrap();
        let mut writer = ManifestWriter::new(Vec::new(), &head).unwrap();
        for certificate in certificates.as_array().unwrap() {
            let certificate: CertificateEntry = serde_json::from_value(certificate.clone()).unwrap();
            writer.certificate(&entry(&certificate).unwrap()).unwrap();
        }
        self.lab.write("out/manifest.json", writer.finish().unwrap());
        self.lab.run("cp", &["root/transcript.jsonl", "out/"]).ok();
        self.lab
            .openssl(&format!(
                "cms -sign -binary -nosmimecap -md sha256 -in out/manifest.json -signer {signer}.crt -inkey {signer}.key -outform DER -out out/manifest.json.p7s"
            ))
            .ok();
        self
    }

    fn verify(&self, more: &str) -> support::Ran {
        self.lab.keyrite(&format!("verify out --root c0.crt {more}"))
    }

    /// Requires that it is not verified, not installed and not converted to objects, and that
    /// nothing was written.
    #[track_caller]
    fn refused(&self, why: &str) {
        let lab = &self.lab;
        self.verify("").fails(1, &[why, "NOT VERIFIED"]);
        lab.run("sh", &["-c", "rm -rf node objects && mkdir -p node/pki"]).ok();
        lab.keyrite("install out --root c0.crt --pki node/pki --ca c0=ca.crt").fails(1, &[why]);
        lab.keyrite("install objects out --root c0.crt --out objects").fails(1, &[why]);
        assert_eq!(lab.files("node"), [""; 0]);
        assert!(!lab.path("objects").exists());
    }

    /// Requires that it is verified, with or without the warning.
    #[track_caller]
    fn accepted(&self, bound: bool, more: &str) {
        let ran = self.verify(more).ok();
        assert_eq!(ran.out.contains("WARNING"), !bound, "{}", ran.out);
        assert_eq!(ran.out.contains("NOT BOUND"), !bound, "{}", ran.out);
    }
}

/// The forger's releases are valid except for the certificates.
#[test]
fn keys_certified_as_manifest_keys_are_accepted() {
    let mut forge = Forge::new();
    let bound = format!("{MAIL}{}", policy());
    forge.below(&bound).release(|_| {}).accepted(true, "");
    forge.root().below(MAIL).release(|_| {}).accepted(false, "");
    forge.root().below(&format!("{CA_0}{}", policy())).below(&bound).release(|_| {}).accepted(true, "");
    let limited =
        "nameConstraints=critical,permitted;dirName:base,excluded;DNS:example.test\n[base]\nO=Forged\n";
    forge
        .root()
        .below(&format!("{CA_0}{}{limited}", policy()))
        .below(&bound)
        .release(|_| {})
        .accepted(true, "");
    // The first format, which names no manifest keys.
    forge.root().below(MAIL).release(|manifest| {
        manifest["format"] = json!("keyrite-manifest-1");
        manifest.as_object_mut().unwrap().remove("manifest_keys");
    });
    forge.accepted(false, "");
}

/// The key of a subordinate or a leaf is rejected, whatever it signs.
#[test]
fn subordinate_keys_are_rejected() {
    let mut forge = Forge::new();
    let bound = format!("{MAIL}{}", policy());
    let first = |manifest: &mut Value| {
        manifest["format"] = json!("keyrite-manifest-1");
        manifest.as_object_mut().unwrap().remove("manifest_keys");
    };
    // The cluster's own signer: for servers and clients.
    let signer = format!("{CA_0}extendedKeyUsage=serverAuth,clientAuth\n");
    forge
        .root()
        .below(&signer)
        .below(&bound)
        .release(|_| {})
        .refused("extended key usage 1.3.6.1.5.5.7.3.4 is not allowed");
    forge.release(first).refused("extended key usage 1.3.6.1.5.5.7.3.4 is not allowed");
    forge
        .root()
        .below(&format!("{signer}{}", policy()))
        .below(&bound)
        .release(|_| {})
        .refused("is not allowed by the authorities above it");
    // A foreign subordinate for any purpose lacks the policy, and cannot delegate it.
    for (leaf, edit) in [(&bound, false), (&bound, true), (&MAIL.to_owned(), true)] {
        forge.root().below(CA).below(leaf);
        forge
            .release(|manifest| {
                if edit {
                    first(manifest)
                }
            })
            .refused("lacks the certificate policy of manifest keys");
        // The key is named explicitly.
        let key = forge.certificate(forge.path.last().unwrap()).digest();
        forge.accepted(false, &format!("--manifest-key {key}"));
        let other = Digest::of(b"");
        forge.verify(&format!("--manifest-key {other}")).fails(1, &["the manifest key that you trust has"]);
    }
    forge
        .root()
        .below(&format!("{CA_0}{}", policy()))
        .below(MAIL)
        .release(|_| {})
        .refused("lacks the certificate policy");
    forge.root().below(CA).below(&format!("{CA_0}{}", policy())).below(&bound).release(|_| {});
    forge.refused("lacks the certificate policy");
    // anyPolicy is not the policy.
    forge.root().below(&format!("{CA_0}certificatePolicies=2.5.29.32.0\n")).below(&bound).release(|_| {});
    forge.refused("lacks the certificate policy");
}

/// RFC 5280 section 6.1, from the root down.
#[test]
fn invalid_paths_are_rejected() {
    let mut forge = Forge::new();
    let bound = format!("{MAIL}{}", policy());
    let ca = |more: &str| format!("{CA}{}{more}", policy());
    let cases: [(Vec<String>, &str); 12] = [
        (vec![format!("{CA_0}{}", policy()), ca("")], "path length above it is 0"),
        (
            vec!["basicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyCertSign\n".into()],
            "does not allow it to sign",
        ),
        (
            vec!["basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature\n".into()],
            "does not allow it to sign",
        ),
        (vec![ca("1.2.3.4=critical,ASN1:NULL\n")], "critical extension 1.2.3.4"),
        (vec![ca("policyConstraints=critical,requireExplicitPolicy:0\n")], "critical extension 2.5.29.36"),
        (vec![ca("extendedKeyUsage=clientAuth\n")], "is not allowed by the authorities above it"),
        (
            vec![ca("extendedKeyUsage=emailProtection\n"), ca("extendedKeyUsage=clientAuth\n")],
            "is not allowed by the authorities above it",
        ),
        (
            vec![ca("nameConstraints=critical,excluded;dirName:base\n[base]\nO=Forged\n")],
            "exclude CN=c2,O=Forged",
        ),
        (vec![ca("nameConstraints=critical,permitted;dirName:base\n[base]\nO=Other\n")], "do not permit"),
        (
            vec![ca("nameConstraints=critical,excluded;dirName:base\n[base]\nO=FORGED\n")],
            "exclude CN=c2,O=Forged",
        ),
        (
            vec![ca("nameConstraints=critical,permitted;dirName:base\n[base]\nO=Other\n"), ca("")],
            "do not permit",
        ),
        (
            vec![
                ca("nameConstraints=critical,permitted;URI:.example.test\n"),
                ca("subjectAltName=URI:https://a.example.test/\n"),
            ],
            "does not support",
        ),
    ];
    for (authorities, why) in cases {
        forge.root();
        for extensions in &authorities {
            forge.below(extensions);
        }
        forge.below(&bound).release(|_| {}).refused(why);
    }
    // The purposes of the certificate itself.
    for (leaf, why) in [
        (
            format!("{}extendedKeyUsage=emailProtection\nkeyUsage=keyAgreement\n", policy()),
            "not for signing manifests",
        ),
        (
            format!("{}extendedKeyUsage=emailProtection,clientAuth\nkeyUsage=digitalSignature\n", policy()),
            "not for signing manifests",
        ),
        (format!("{CA}{}extendedKeyUsage=emailProtection\n", policy()), "not for signing manifests"),
        (format!("{}keyUsage=digitalSignature\n", policy()), "not for signing manifests"),
        (format!("{bound}1.2.3.4=critical,ASN1:NULL\n"), "critical extension 1.2.3.4"),
    ] {
        forge.root().below(&leaf).release(|_| {}).refused(why);
    }
    // The second format names the key that signed.
    forge
        .root()
        .below(&bound)
        .release(|manifest| manifest["manifest_keys"][0]["certificate_sha256"] = json!(Digest::of(b"")));
    forge.refused("not among the manifest keys");
    forge.release(|manifest| _ = manifest.as_object_mut().unwrap().remove("manifest_keys"));
    forge.refused("not among the manifest keys");
}

/// Leaves and delegated authorities of a release are below their authorities, and are not manifest
/// keys.
#[test]
fn misplaced_certificates_are_rejected() {
    let mut forge = Forge::new();
    let bound = format!("{MAIL}{}", policy());
    let server =
        "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:a.example.test\n";
    let mail = "extendedKeyUsage=emailProtection\n";
    let cases: [(String, &str, bool, Option<&str>); 8] = [
        (CA.into(), server, false, None),
        (CA.into(), CA_0, true, None),
        (format!("{CA}{mail}"), server, false, Some("extended key usage 1.3.6.1.5.5.7.3.1 is not allowed")),
        (
            format!("{CA}nameConstraints=excluded;DNS:example.test\n"),
            server,
            false,
            Some("exclude a.example.test"),
        ),
        (
            format!("{CA}nameConstraints=permitted;DNS:.example.org\n"),
            server,
            false,
            Some("do not permit a.example.test"),
        ),
        (CA.into(), &bound, false, Some("asserts the certificate policy of manifest keys")),
        (
            CA.into(),
            &format!("{CA_0}{}", policy()),
            true,
            Some("asserts the certificate policy of manifest keys"),
        ),
        (CA_0.into(), CA_0, true, Some("path length above it is 0")),
    ];
    for (authority, extensions, delegated, why) in cases {
        forge.root().below(&authority).below(extensions);
        // The certificate below the authority is listed; it does not sign the manifest.
        let (pem, facts) = (forge.lab.read("c2.crt"), forge.certificate("c2").facts());
        let dns = if extensions == server { json!(["a.example.test"]) } else { json!([]) };
        let entry = json!({
            "path": "certificates/web/x.crt", "file_sha256": Digest::of(pem.as_bytes()),
            "request_path": "web/x.csr", "request_sha256": Digest::of(b""), "sha256": facts.sha256,
            "serial": facts.serial, "profile": "server", "authority": "c1", "subject": facts.subject,
            "dns": dns, "ip": [], "not_before": facts.not_before.to_string(),
            "not_after": facts.not_after.to_string(), "spki_sha256": facts.spki_sha256, "notes": [],
            "delegated": delegated,
        });
        forge.path.pop();
        forge.below(MAIL).release(|manifest| manifest["certificates"] = json!([entry]));
        forge.lab.write("out/certificates/web/x.crt", pem);
        let key = forge.certificate("c2").digest();
        let ran = forge.verify(&format!("--manifest-key {key}"));
        match why {
            None => _ = ran.ok(),
            Some(why) => _ = ran.fails(1, &[why, "NOT VERIFIED"]),
        }
    }
}

/// A release of the first format is verified and installed, with a warning.
#[test]
fn first_format_releases_are_accepted_with_a_warning() {
    let lab = Lab::without_token();
    let from = support::repository().join("tests/fixtures/first-edition");
    lab.run("cp", &["-r", from.to_str().unwrap(), "old"]).ok();
    let ran = lab.keyrite("verify old/release --root old/root.crt").ok();
    for part in
        ["WARNING    the manifest key's certificate lacks", MANIFEST_SIGNING, "NOT BOUND", "proves less"]
    {
        assert!(ran.out.contains(part), "no {part:?} in {}", ran.out);
    }
    std::fs::create_dir_all(lab.path("node/pki")).unwrap();
    let ran = lab.keyrite("install old/release --root old/root.crt --pki node/pki --ca root-ca=ca.crt").ok();
    assert!(ran.out.contains("WARNING") && ran.out.contains("INSTALLED"), "{}", ran.out);
}

/// A script with another manifest key, and one that signs with it.
fn second_key(lab: &Lab) {
    let head = "title = \"more\"\npurpose = \"test\"\nprofiles = [\"profiles.toml\"]\n[[step]]\nact = \"machine\"\nnetwork = \"report\"\n[[step]]\nact = \"open-token\"\n[[step]]\nact = \"inventory\"\n";
    let create = "[[step]]\nact = \"create-manifest-key\"\nname = \"second\"\nprofile = \"manifest\"\nsubject = [\"CN=Second\"]\ndays = 300\nissuer = \"root-ca\"\n";
    let release = |key: &str| format!("[[step]]\nact = \"release\"\nmanifest_key = \"{key}\"\n");
    lab.write("announce.toml", format!("{head}{create}{}", release("manifest")));
    lab.write("silent.toml", format!("{head}{create}{}", release("second")));
    let sign =
        lab.read("sign.toml").replace("act = \"release\"", "act = \"release\"\nmanifest_key = \"second\"");
    lab.write("sign-second.toml", sign);
}

fn node() -> Lab {
    let lab = Lab::signing();
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.sign("in", "out1").ok();
    std::fs::create_dir_all(lab.path("node/pki")).unwrap();
    lab.run("cp", &["keys/in_web_a.csr.key", "node/pki/a.key"]).ok();
    second_key(&lab);
    install(&lab, "out1").ok();
    lab
}

fn install(lab: &Lab, arguments: &str) -> support::Ran {
    lab.keyrite(&format!(
        "install {arguments} --root root/authorities/root-ca.crt --pki node/pki --ca root-ca=ca.crt"
    ))
}

/// A node pins the key that signed, and accepts another only if an installed release announced it
/// or it is named explicitly.
#[test]
fn node_pins_the_known_manifest_key() {
    let lab = node();
    let before = lab.read("node/pki/.keyrite/installed.json");
    // Under the same root, from the same ledger, and not announced to this node.
    lab.ceremony("silent.toml", "--out out2").ok();
    lab.keyrite("verify out2 --root root/authorities/root-ca.crt").ok();
    let key = lab.manifest("out2")["signer"]["certificate_sha256"].as_str().unwrap().to_owned();
    let first = lab.manifest("out1")["signer"]["certificate_sha256"].as_str().unwrap().to_owned();
    for more in ["", " --dry-run"] {
        install(&lab, &format!("out2{more}")).fails(
            1,
            &[
                "this release was signed by another manifest key",
                &key,
                &first,
                "with --manifest-key",
                "Nothing was changed",
            ],
        );
    }
    assert_eq!(lab.read("node/pki/.keyrite/installed.json"), before);
    install(&lab, &format!("out2 --manifest-key {first}"))
        .fails(1, &["the manifest key that you trust has", "NOT VERIFIED"]);
    install(&lab, &format!("out2 --manifest-key {key}")).ok();
    install(&lab, "out2").ok();
    // It is known from now on, and the release lists the first one too.
    lab.ceremony("sign-second.toml", "--in in --out out3").fails(1, &["LEDGER-REPLAY"]);
    lab.csr("more/web/b.csr", "/CN=b", "DNS:b.example.test", P256);
    lab.ceremony("sign-second.toml", "--in more --out out3").ok();
    install(&lab, "out3").ok();
    lab.csr("again/web/c.csr", "/CN=c", "DNS:c.example.test", P256);
    lab.sign("again", "out4").ok();
    install(&lab, "out4").ok();
}

#[test]
fn announced_manifest_key_is_accepted() {
    let lab = node();
    lab.ceremony("announce.toml", "--out out2").ok();
    let keys = lab.manifest("out2")["manifest_keys"].clone();
    assert_eq!(keys.as_array().unwrap().len(), 2, "{keys}");
    install(&lab, "out2").ok();
    lab.csr("more/web/b.csr", "/CN=b", "DNS:b.example.test", P256);
    lab.ceremony("sign-second.toml", "--in more --out out3").ok();
    install(&lab, "out3").ok();
    lab.keyrite("audit ledger root out1 out2 out3 --root root/authorities/root-ca.crt").ok();
    // An old record without a key pins the next one that signs.
    let record = lab.read("node/pki/.keyrite/installed.json").replace("installed-3", "installed-2");
    let mut old: Value = serde_json::from_str(&record).unwrap();
    old["releases"][0].as_object_mut().unwrap().remove("manifest_keys").unwrap();
    lab.write("node/pki/.keyrite/installed.json", old.to_string());
    install(&lab, "out3").ok();
    assert!(lab.read("node/pki/.keyrite/installed.json").contains("manifest_keys"));
}

/// A script cannot create a manifest key without the policy.
#[test]
fn unbound_manifest_key_is_not_created() {
    let lab = Lab::new();
    lab.root("ecdsa-p256");
    let script = |profile: &str, manifest: &str| {
        format!(
            "title = \"mid\"\npurpose = \"test\"\nprofiles = [\"profiles.toml\"]\n[[step]]\nact = \"machine\"\nnetwork = \"report\"\n[[step]]\nact = \"open-token\"\n[[step]]\nact = \"inventory\"\n[[step]]\nact = \"create-authority\"\nname = \"mid\"\nissuer = \"root-ca\"\nprofile = \"{profile}\"\nsubject = [\"CN=Mid\"]\nkey = \"ecdsa-p256\"\ndays = 900\n[[step]]\nact = \"create-manifest-key\"\nname = \"second\"\nprofile = \"{manifest}\"\nsubject = [\"CN=Second\"]\ndays = 300\nissuer = \"mid\"\n[[step]]\nact = \"release\"\nmanifest_key = \"second\"\n"
        )
    };
    let unbound = support::PROFILES
        .replace("[manifest]", "[bare]")
        .replace("certificate_policies = [\"manifest-signing\"]\n", "");
    let unbound = unbound.split("[bare]").nth(1).unwrap().split('[').take(3).collect::<Vec<_>>().join("[");
    let more = "[bound]\nsource = \"test\"\nkind = \"intermediate\"\ndays = 1825\nkey_usage = [\"keyCertSign\"]\ncertificate_policies = [\"manifest-signing\"]\npath_length = 0\n";
    lab.write("profiles.toml", format!("{}{more}[bare]{}", support::PROFILES, unbound.trim_end_matches('[')));
    for (profile, manifest, why) in [
        ("intermediate", "manifest", "its issuer mid is not a root"),
        ("bound", "bare", "certificate profile bare lacks certificate_policies"),
    ] {
        lab.write("mid.toml", script(profile, manifest));
        lab.ceremony("mid.toml", "--out mid").fails(2, &[why]);
        lab.keyrite("ceremony check mid.toml --hsm hsm.toml --ledger ledger --out mid").fails(2, &[why]);
    }
    lab.write("mid.toml", script("bound", "manifest"));
    lab.ceremony("mid.toml", "--out mid").ok();
    let ran = lab.keyrite("verify mid --root root/authorities/root-ca.crt").ok();
    assert!(!ran.out.contains("WARNING"), "{}", ran.out);
    // openssl reads the documented policy.
    let text = lab.openssl("x509 -in mid/authorities/mid.crt -noout -text").ok().out;
    assert!(text.contains(&format!("Policy: {MANIFEST_SIGNING}")), "{text}");
}

/// An expired manifest key can forge any date in a manifest: it installs nothing unless it is named
/// explicitly, and neither does a release that claims to be older than the installed one.
#[test]
fn expired_manifest_key_installs_nothing() {
    let mut forge = Forge::new();
    forge.below(&format!("{MAIL}{}", policy()));
    let key = forge.certificate("c1").digest();
    let release = |forge: &Forge, sequence: u64, later: &str| {
        forge.release(|manifest| {
            manifest["sequence"] = json!(sequence);
            if !later.is_empty() {
                manifest["created"] = json!(later);
            }
        });
    };
    let mut lab = Lab::without_token();
    let install = |lab: &Lab, forge: &Forge, more: &str| {
        let (out, root) = (forge.lab.path("out"), forge.lab.path("c0.crt"));
        std::fs::create_dir_all(lab.path("node/pki")).unwrap();
        lab.keyrite(&format!(
            "install {} --root {} --pki node/pki --ca c0=ca.crt {more}",
            out.display(),
            root.display()
        ))
    };
    let later = forge.certificate("c1").facts().not_before;
    let later =
        der::DateTime::from_unix_duration(later.unix_duration() + std::time::Duration::from_secs(5)).unwrap();
    release(&forge, 1, &later.to_string());
    install(&lab, &forge, "").ok();
    release(&forge, 7, "");
    install(&lab, &forge, "").fails(1, &["before the installed one ("]);
    // 899 days and a minute later, on a new node.
    release(&forge, 1, "");
    std::fs::remove_dir_all(lab.path("node")).unwrap();
    lab.clock("+77673660s");
    install(&lab, &forge, "").fails(1, &["the manifest key's certificate is valid from", "--manifest-key"]);
    assert!(!lab.path("node/pki/ca.crt").exists());
    install(&lab, &forge, &format!("--manifest-key {key}")).ok();
}

/// A release that verify and install refuse fails an audit.
#[test]
fn audit_rejects_what_verify_rejects() {
    let mut forge = Forge::new();
    forge.below(CA).below(&format!("{MAIL}{}", policy())).release(|_| {});
    let ran = forge.lab.keyrite("audit out --root c0.crt");
    assert_eq!(ran.code, 1, "{}", ran.out);
    let claim = ran.out.lines().find(|line| line.contains("AUDIT-SIGNER")).unwrap_or_default();
    assert!(claim.contains("FAILS") && claim.contains("not bound"), "{}", ran.out);
}
