//! Expiry and replacement of certificates.

use crate::support::{self, Lab, P256, WEB};
use serde_json::{Value, json};

/// Creates a bundle with the request `web/a.csr` and an index that names this cluster.
fn bundle(lab: &Lab, folder: &str, cluster: &str, key: &str) {
    // The key depends on the name of the key file.
    lab.csr(&format!("{key}/web/a.csr"), "/CN=a", "DNS:a.example.test", P256);
    let key = format!("keys/{key}_web_a.csr.key");
    lab.run("mkdir", &["-p", &format!("{folder}/web")]).ok();
    let path = format!("{folder}/web/a.csr");
    let names = "subjectAltName=DNS:a.example.test";
    lab.run("openssl", &["req", "-new", "-key", &key, "-subj", "/CN=a", "-addext", names, "-out", &path])
        .ok();
    let sum = lab.run("sha256sum", &[&path]).ok().out;
    let sequence = lab.files(".").len();
    let index = json!({
        "format": "keyrite-bundle-1", "cluster": cluster, "sequence": sequence, "created": "2026-01-01T00:00:00Z",
        "requests": [{ "path": "web/a.csr", "sha256": sum.split(' ').next().unwrap() }]
    });
    lab.write(&format!("{folder}/bundle.json"), index.to_string());
}

fn due(lab: &Lab, more: &str) -> Value {
    let ran = lab.keyrite(&format!("ledger due --ledger ledger --json {more}")).ok();
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {}", ran.out))
}

/// Cluster, path or key, state, and the ceremonies that it replaces and that replaced it.
fn rows(due: &Value) -> Vec<(Value, Value, Value, Value, Value)> {
    let row = |entry: &Value| {
        let what = if entry["path"].is_null() { &entry["key"] } else { &entry["path"] };
        (
            entry["cluster"].clone(),
            what.clone(),
            entry["state"].clone(),
            entry["replaces"].clone(),
            entry["replaced_by"].clone(),
        )
    };
    due["certificates"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn replaced_certificates_are_not_due() {
    let lab = Lab::new();
    lab.root("ecdsa-p256");
    let with = |days: u32| lab.sign_script(&format!("{WEB}days = {days}\nreuse_key = true\n"));
    let null = || Value::Null;
    with(20);
    bundle(&lab, "one", "c1", "first");
    lab.sign("one", "out1").ok();
    // The same path and subject in another cluster is another certificate.
    with(300);
    bundle(&lab, "two", "c2", "second");
    lab.sign("two", "out2").ok();
    let manifest = (null(), json!("manifest"), json!("in use"), null(), null());
    let root = (null(), json!("root-ca"), json!("in use"), null(), null());
    let mut expected = vec![
        manifest,
        root,
        (json!("c1"), json!("web/a.csr"), json!("in use"), null(), null()),
        (json!("c2"), json!("web/a.csr"), json!("in use"), null(), null()),
    ];
    // The manifest key expires with its issuer, so names decide the order; certificates without a
    // cluster come first.
    assert_eq!(rows(&due(&lab, "")), expected);
    let soon = due(&lab, "--within 30d");
    assert_eq!((rows(&soon), &soon["due"]), (vec![expected[2].clone()], &json!(1)));
    assert_eq!(due(&lab, "--within 12h")["due"], 0);
    assert_eq!(due(&lab, "--within 60w")["due"], 2);
    // With a new key, then with the same key.
    with(200);
    bundle(&lab, "three", "c1", "third");
    lab.sign("three", "out3").ok();
    bundle(&lab, "four", "c1", "third");
    lab.sign("four", "out4").ok();
    expected[2] = (json!("c1"), json!("web/a.csr"), json!("replaced"), null(), json!(4));
    expected.insert(3, (json!("c1"), json!("web/a.csr"), json!("replaced"), json!(2), json!(5)));
    expected.insert(4, (json!("c1"), json!("web/a.csr"), json!("in use"), json!(4), null()));
    let all = due(&lab, "");
    assert_eq!(rows(&all), expected);
    assert_eq!((&all["due"], &all["replaced"]), (&json!(4), &json!(2)));
    assert_eq!(due(&lab, "--within 30d")["due"], 0, "what was replaced is not due");
    let text = lab.keyrite("ledger due --ledger ledger").ok().out;
    for line in [
        "no cluster",
        "key root-ca  under root-ca",
        "cluster c1",
        "replaced by ceremony 4",
        "replaces one of ceremony 4",
        "4 in use, 0 of them expired; 2 replaced",
    ] {
        assert!(text.contains(line), "no {line:?} in {text}");
    }
    // A ceremony that signs nothing replaces nothing.
    bundle(&lab, "five", "c1", "fifth");
    lab.write("pin", "wrong\n");
    assert_ne!(lab.sign("five", "out5").code, 0);
    assert_eq!(rows(&due(&lab, "")), expected);
    // The audit recomputes the links.
    lab.keyrite("audit ledger root out1 out2 out3 out4").ok();
    for edit in [
        "UPDATE bundle SET cluster = 'c2' WHERE ceremony = 2",
        "UPDATE bundle SET part = 'p' WHERE ceremony = 2",
        "UPDATE bundle SET sequence = -sequence",
        "UPDATE bundle SET sequence = sequence + 1 WHERE ceremony = 2",
        "UPDATE bundle SET index_sha256 = zeroblob(32) WHERE ceremony = 2",
        "UPDATE bundle SET octets = CAST(octets || x'0a' AS BLOB) WHERE ceremony = 2",
        "DELETE FROM bundle WHERE ceremony = 2",
        "INSERT INTO bundle_signature VALUES (2, 7, 'x', x'00')",
        "INSERT INTO bundle SELECT ceremony, 7, cluster, part, sequence, index_sha256, octets FROM bundle WHERE ceremony = 2",
        "UPDATE request SET bundle = NULL WHERE ceremony = 2",
        "DELETE FROM renewal WHERE id = (SELECT max(id) FROM renewal)",
        "INSERT INTO renewal SELECT i.id, r.id FROM request i, request r WHERE i.ceremony = 3 AND r.ceremony = 2",
        "UPDATE renewal SET replaces = (SELECT min(replaces) FROM renewal)",
    ] {
        lab.edit_copy("ledger", "bad", edit);
        let ran = lab.keyrite("audit bad");
        assert_eq!(ran.code, 1, "{edit}: {}", ran.out);
    }
    // The ledger is only read.
    let before = lab.run("sha256sum", &["ledger/ledger.sqlite"]).ok().out;
    due(&lab, "");
    assert_eq!(lab.run("sha256sum", &["ledger/ledger.sqlite"]).ok().out, before);
}

#[test]
fn clocks_clusters_and_arguments() {
    let mut lab = Lab::new();
    lab.write("profiles.toml", support::PROFILES);
    lab.write("root.toml", format!("cluster = \"c9\"\n{}", support::root_script("ecdsa-p256")));
    lab.ceremony("root.toml", "--out root").ok();
    lab.sign_script(WEB);
    // Without an index the cluster of the script applies.
    lab.write("sign.toml", format!("cluster = \"c9\"\n{}", lab.read("sign.toml")));
    lab.csr("in/web/b.csr", "/CN=b", "DNS:b.example.test", P256);
    lab.sign("in", "out").ok();
    let clusters = |due: &Value| -> Vec<String> {
        rows(due).iter().map(|row| row.0.as_str().unwrap_or("none").to_owned()).collect()
    };
    assert_eq!(clusters(&due(&lab, "")), ["c9", "c9", "c9"]);
    for wrong in ["30", "d", "3m", "-1d", "30 d", ""] {
        let ran = lab.run(
            env!("CARGO_BIN_EXE_keyrite"),
            &["ledger", "due", "--ledger", "ledger", &format!("--within={wrong}")],
        );
        ran.fails(2, &["--within"]);
    }
    lab.keyrite("ledger due --ledger ledger --within 9999999w").fails(2, &["after the year 9999"]);
    lab.keyrite("ledger due --ledger none").fails(2, &["none: has no ledger"]);
    // After its expiry it is always listed, as ended.
    lab.clock("+400d");
    let late = due(&lab, "--within 1d");
    assert_eq!((&late["due"], &late["ended"]), (&json!(1), &json!(1)));
    assert_eq!(late["certificates"][0]["state"], "ended");
}

/// A large ledger is listed in order, in constant memory.
#[test]
fn large_ledger_is_listed_in_constant_memory() {
    let lab = Lab::signing();
    lab.csr("in/web/b.csr", "/CN=b", "DNS:b.example.test", P256);
    lab.sign("in", "out").ok();
    let peak = || -> (u64, u64) {
        let script = "import resource,subprocess,sys\nr=subprocess.run(sys.argv[1:],stdout=subprocess.PIPE,check=True)\nprint(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, r.stdout.count(b'\\n'))";
        let program = env!("CARGO_BIN_EXE_keyrite");
        let out =
            lab.run("python3", &["-c", script, program, "ledger", "due", "--ledger", "ledger"]).ok().out;
        let mut numbers = out.split_whitespace().map(|text| text.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    };
    let few = peak();
    // Copies of one certificate with different expiry times.
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 100999)";
    let one = "(SELECT id FROM request WHERE approval IS NOT NULL AND id < 1000)";
    lab.edit("ledger", &format!(
        "BEGIN;
        {numbers} INSERT INTO request (id, ceremony, path, sha256, spki_sha256, spki, octets, approval) SELECT n.i, ceremony, 'web/' || n.i || '.csr', sha256, spki_sha256, spki, octets, approval FROM n, request WHERE request.id = {one};
        {numbers} INSERT INTO certificate (id, authority, serial, tbs, not_after) SELECT n.i, authority, serial, tbs, not_after + (n.i * 7919) % 100000 FROM n, certificate WHERE certificate.id = {one};
        {numbers} INSERT INTO issued (id, signature) SELECT n.i, signature FROM n, issued WHERE issued.id = {one};
        COMMIT"
    ));
    let many = peak();
    assert_eq!(many.1, few.1 + 100_000, "every certificate is listed");
    assert!(many.0 < few.0 + 12_000, "{} KiB for one certificate, {} KiB for 100,001", few.0, many.0);
    let all = lab.keyrite("ledger due --ledger ledger").ok().out;
    let times: Vec<&str> =
        all.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    assert!(times.len() > 100_000 && times.is_sorted(), "the first to end comes first");
}
