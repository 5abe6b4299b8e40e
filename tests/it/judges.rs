//! Independent programs check every kind of artifact. `scripts/install-debian.sh test` installs
//! them.

use crate::support::{Lab, P256, Ran, repository};

/// Creates a rehearsal's release: every shipped certificate profile except the single ones.
fn rehearsal() -> Lab {
    let lab = Lab::without_token();
    lab.keyrite("rehearse --out show").ok();
    lab
}

fn judge(lab: &Lab, script: &str) -> Ran {
    let python = repository().join("target/judges/bin/python");
    assert!(python.exists(), "run scripts/install-debian.sh test first");
    lab.write("judge.py", script);
    lab.run(python.to_str().unwrap(), &["judge.py"])
}

#[test]
fn openssl_and_gnutls_verify_every_certificate_for_its_purpose() {
    let lab = rehearsal();
    let manifest = lab.manifest("show/release");
    for entry in manifest["certificates"].as_array().unwrap() {
        let path = format!("show/release/{}", entry["path"].as_str().unwrap());
        let authority = format!("show/release/authorities/{}.crt", entry["authority"].as_str().unwrap());
        let purposes = lab.openssl(&format!("x509 -in {path} -noout -ext extendedKeyUsage")).ok().out;
        for (name, purpose, oid) in [
            ("TLS Web Server", "sslserver", "1.3.6.1.5.5.7.3.1"),
            ("TLS Web Client", "sslclient", "1.3.6.1.5.5.7.3.2"),
        ] {
            let verify = lab.openssl(&format!(
                "verify -x509_strict -check_ss_sig -purpose {purpose} -CAfile {authority} {path}"
            ));
            assert_eq!(verify.code == 0, purposes.contains(name), "{path} {purpose}: {verify:?}");
            if purposes.contains(name) {
                let certtool = lab.run(
                    "certtool",
                    &[
                        "--verify",
                        "--load-ca-certificate",
                        &authority,
                        "--verify-purpose",
                        oid,
                        "--infile",
                        &path,
                    ],
                );
                assert!(certtool.out.contains("Chain verification output: Verified"), "{path}: {certtool:?}");
            }
        }
    }
    // The manifest signer is not accepted as a TLS peer, and has the policy of manifest keys.
    lab.openssl("pkcs7 -inform DER -in show/release/manifest.json.p7s -print_certs -out signer.crt").ok();
    let policy = keyrite::issuance::MANIFEST_SIGNING;
    lab.openssl(&format!(
        "verify -purpose smimesign -explicit_policy -policy {policy} -CAfile show/release/authorities/kubernetes-ca.crt signer.crt"
    ))
    .ok();
    for purpose in ["sslserver", "sslclient"] {
        let verify = lab.openssl(&format!(
            "verify -purpose {purpose} -CAfile show/release/authorities/kubernetes-ca.crt signer.crt"
        ));
        assert_ne!(verify.code, 0, "{verify:?}");
    }
}

#[test]
fn pkilint_reports_only_single_label_names_and_a_long_arc() {
    let lab = rehearsal();
    lab.openssl("pkcs7 -inform DER -in show/release/manifest.json.p7s -print_certs -out signer.crt").ok();
    let ran = judge(
        &lab,
        r#"
import glob, json, subprocess, sys, os
lint = os.path.join(os.path.dirname(sys.executable), "lint_pkix_cert")
subprocess.run("openssl x509 -in signer.crt -out show/release/signer.crt", shell=True, check=True)
seen = 0
for path in sorted(glob.glob("show/release/**/*.crt", recursive=True)):
    if path.endswith(".chain.crt"):
        continue
    ran = subprocess.run([lint, "lint", "-s", "WARNING", "-f", "JSON", path], capture_output=True, text=True)
    assert ran.stdout, (path, ran.stderr)
    seen += 1
    for result in json.loads(ran.stdout)["results"]:
        for finding in result["finding_descriptions"]:
            # It decodes no arc of more than 32 bits, and 2.25 is followed by a UUID.
            arc = "OID contains arc which is larger than 32-bits" in finding["message"]
            if path.endswith("signer.crt") and "CertificatePolicies" in finding["message"] and arc:
                continue
            if finding["code"] != "pkix.invalid_domain_name_syntax":
                print(path, finding)
                sys.exit(1)
assert seen == 24, seen
print("clean", seen)
"#,
    );
    assert!(ran.out.contains("clean 24"), "{ran:?}");
}

#[test]
fn manifest_matches_its_schema_and_another_library_reads_the_certificates() {
    let lab = rehearsal();
    let schema = repository().join("ceremony/manifest.schema.json");
    let ran = judge(
        &lab,
        &format!(
            r#"
import json, jsonschema, ipaddress
from cryptography import x509
schema = json.load(open({:?}))
jsonschema.Draft202012Validator.check_schema(schema)
for release in ("show/roots", "show/release"):
    manifest = json.load(open(release + "/manifest.json"))
    jsonschema.validate(manifest, schema, cls=jsonschema.Draft202012Validator)
    broken = dict(manifest, surprise=1)
    try:
        jsonschema.validate(broken, schema, cls=jsonschema.Draft202012Validator)
        raise SystemExit("unknown key passes")
    except jsonschema.ValidationError:
        pass
    authorities = {{a["name"]: a for a in manifest["authorities"]}}
    for entry in manifest["certificates"]:
        leaf = x509.load_pem_x509_certificate(open(release + "/" + entry["path"], "rb").read())
        ca = x509.load_pem_x509_certificate(open(release + "/" + authorities[entry["authority"]]["path"], "rb").read())
        leaf.verify_directly_issued_by(ca)
        assert leaf.issuer.public_bytes() == ca.subject.public_bytes()
        assert leaf.serial_number == int(entry["serial"], 16) and leaf.serial_number.bit_length() > 128
        aki = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        ski = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        assert aki == ski
        try:
            san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            dns = san.get_values_for_type(x509.DNSName)
            ip = [str(i) for i in san.get_values_for_type(x509.IPAddress)]
        except x509.ExtensionNotFound:
            dns, ip = [], []
        assert dns == entry["dns"] and ip == entry["ip"], entry
print("read")
"#,
            schema.to_str().unwrap()
        ),
    );
    assert!(ran.out.contains("read"), "{ran:?}");
}

/// Serial numbers: every bit after the fixed first octet takes both values.
#[test]
fn serial_numbers_are_random_in_every_bit() {
    let lab = Lab::signing();
    for number in 0..48 {
        lab.csr(&format!("in/web/n{number}.csr"), "/CN=a", &format!("DNS:n{number}.example.test"), P256);
    }
    lab.sign("in", "out").ok();
    let manifest = lab.manifest("out");
    let serials: Vec<&str> =
        manifest["certificates"].as_array().unwrap().iter().map(|c| c["serial"].as_str().unwrap()).collect();
    assert_eq!(serials.len(), 48);
    for position in 2..40 {
        let digits: Vec<u32> = serials
            .iter()
            .map(|s| s[position..=position].chars().next().unwrap().to_digit(16).unwrap())
            .collect();
        for bit in 0..4 {
            let ones = digits.iter().filter(|digit| (*digit >> bit) & 1 == 1).count();
            assert!((4..=44).contains(&ones), "digit {position} bit {bit}: {ones} of 48");
        }
    }
    assert!(serials.iter().all(|serial| serial.starts_with("01") && serial.len() == 40));
}

/// The output of `keyrite schema` equals the shipped schemas, which accept transcripts and indexes.
#[test]
fn transcripts_and_indexes_match_their_schemas() {
    let lab = rehearsal();
    for name in ["transcript", "index"] {
        let file = repository().join(format!("ceremony/{name}.schema.json"));
        let printed = lab.keyrite(&format!("schema {name}")).ok().out;
        let same = std::fs::read_to_string(&file).unwrap() == printed;
        assert!(same, "keyrite schema {name} > ceremony/{name}.schema.json writes it anew");
    }
    let ran = judge(
        &lab,
        &format!(
            r#"
import json, jsonschema, glob
def schema(name):
    schema = json.load(open({:?} + "/ceremony/" + name + ".schema.json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)
seen = set()
records = schema("transcript")
frozen = {:?} + "/tests/fixtures/v1/*/transcript.jsonl"
for name in glob.glob("show/*/transcript.jsonl") + glob.glob(frozen):
    for line in open(name):
        record = json.loads(line)
        records.validate(record)
        seen.add(record["event"])
        for broken in (
            dict(record, data=dict(record["data"], surprise=1)),
            dict(record, event="surprise"),
            dict(record, previous="none"),
            {{key: record[key] for key in record if key != "time"}},
        ):
            assert not records.is_valid(broken), (record["event"], broken)
index = json.load(open("show/cluster/bundle/bundle.json"))
schema("index").validate(index)
assert not schema("index").is_valid(dict(index, surprise=1))
assert not schema("index").is_valid(dict(index, created="yesterday"))
assert len(seen) >= 20, seen
print("fits", len(seen))
"#,
            repository(),
            repository()
        ),
    );
    assert!(ran.out.contains("fits"), "{ran:?}");
}

/// `--json` output and the record of an installation, against `keyrite schema`.
#[test]
fn json_output_matches_its_schemas() {
    let lab = rehearsal();
    let keyrite = env!("CARGO_BIN_EXE_keyrite");
    let write = |arguments: &str, to: &str| {
        let command = format!("SOFTHSM2_CONF=show/token/softhsm2.conf {keyrite} {arguments} > {to}");
        lab.run("sh", &["-c", &command])
    };
    let release = "install show/release --root show/roots/authorities/kubernetes-ca.crt --rehearsal";
    lab.keyrite(&format!("{release} --pki show/cluster/nodes/cp-1/pki")).ok();
    std::fs::copy(
        lab.path("show/cluster/nodes/cp-1/pki/.keyrite/installed.json"),
        lab.path("installed.json"),
    )
    .unwrap();
    write("audit show/ledger show/release --json", "audit.json").ok();
    // One request is unauthorised and refused by the script.
    let check = "show/cluster/bundle show/stranger --script show/plan/kubernetes-sign.toml";
    write(&format!("request check {check} --json"), "request-check.json").fails(1, &["1 of 21"]);
    write("ledger due --ledger show/ledger --json", "ledger-due.json").ok();
    write("token list --hsm show/plan/softhsm2.toml --json", "token-list.json").ok();
    let inspect = "token inspect --hsm show/plan/softhsm2.toml --pin-file show/token/pin --json";
    write(inspect, "token-inspect.json").ok();
    let names = ["installed", "audit", "request-check", "ledger-due", "token-list", "token-inspect"];
    for name in names {
        write(&format!("schema {name}"), &format!("{name}.schema.json")).ok();
    }
    let script = r#"
import json, jsonschema
def objects(value):
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from objects(inner)
for name in NAMES:
    schema = json.load(open(name + ".schema.json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    schema = jsonschema.Draft202012Validator(schema)
    value = json.load(open(name + ".json"))
    schema.validate(value)
    # Each member of each object in it is described by its type.
    count = 0
    for found in objects(value):
        for key in list(found):
            kept, found[key] = found[key], {"surprise": 1}
            assert not schema.is_valid(value), (name, key)
            found[key] = kept
            count += 1
    assert count > 5, (name, count)
print("fits")
"#;
    let ran = judge(&lab, &script.replace("NAMES", &format!("{names:?}")));
    assert!(ran.out.contains("fits"), "{ran:?}");
}
