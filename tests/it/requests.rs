//! Bundles with an index: it lists the requests, for one cluster, in one order.

use crate::support::security_key::SecurityKey;
use crate::support::{self, Lab, P256, WEB};
use serde_json::{Value, json};

/// Creates an index of everything below a folder, with these additional keys.
fn index(lab: &Lab, folder: &str, more: Value) -> Value {
    let requests: Vec<Value> = lab
        .files(folder)
        .into_iter()
        .filter(|path| !path.starts_with("bundle.json"))
        .map(|path| {
            let sum = lab.run("sha256sum", &[&format!("{folder}/{path}")]).ok().out;
            json!({ "path": path, "sha256": sum.split(' ').next().unwrap() })
        })
        .collect();
    let mut index = json!({
        "format": "keyrite-bundle-1", "sequence": 1, "created": "2026-01-01T00:00:00Z", "requests": requests
    });
    index.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    index
}

fn write(lab: &Lab, folder: &str, index: &Value) {
    lab.write(&format!("{folder}/bundle.json"), index.to_string());
}

/// Creates an authority, a script and the bundle `in` with two requests.
fn ready() -> Lab {
    let lab = Lab::signing();
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.csr("in/web/b.csr", "/CN=b", "DNS:b.example.test", P256);
    lab
}

#[test]
fn bundles_with_an_index_are_signed() {
    let lab = ready();
    let mut listed = index(&lab, "in", json!({ "cluster": "test-1", "part": "cp-1" }));
    listed["requests"][0]["profile"] = json!("server");
    write(&lab, "in", &listed);
    lab.csr("two/web/c.csr", "/CN=c", "DNS:c.example.test", P256);
    write(
        &lab,
        "two",
        &index(
            &lab,
            "two",
            json!({ "cluster": "test-1", "part": "cp-2", "expires": "9999-01-01T00:00:00Z" }),
        ),
    );
    // A folder and a tar together.
    lab.run("tar", &["-cf", "two.tar", "-C", "two", "bundle.json", "web"]).ok();
    let ran = lab.ceremony("sign.toml", "--in in --in two.tar --out out").ok();
    assert!(ran.out.contains("3 certificates issued, 0 requests refused"), "{}", ran.out);
    assert!(ran.out.contains("cluster test-1, part cp-2, sequence 1"), "{}", ran.out);
    let transcript = lab.read("out/transcript.jsonl");
    let record = transcript.lines().find(|line| line.contains("\"event\":\"import\"")).unwrap();
    let record: Value = serde_json::from_str(record).unwrap();
    let sum = lab.run("sha256sum", &["two/bundle.json"]).out;
    assert_eq!(
        record["data"]["indexes"][1]["index_sha256"].as_str().unwrap(),
        sum.split(' ').next().unwrap()
    );
    // The bundle digest covers the requests only, not the index.
    let command = "cd in && cp -r ../two/web . && find . -name '*.csr' | sed 's,^./,,' | LC_ALL=C sort | xargs sha256sum | sha256sum";
    let digest = lab.run("sh", &["-c", command]).ok().out;
    assert_eq!(record["data"]["bundle_sha256"].as_str().unwrap(), digest.split(' ').next().unwrap());
}

#[test]
fn indexes_must_match_their_bundle() {
    let lab = ready();
    let good = index(&lab, "in", json!({ "cluster": "test-1" }));
    let refused = |texts: &[&str]| {
        lab.sign("in", "out").fails(1, texts);
        assert!(!lab.path("out").exists());
    };
    let with = |key: &str, value: Value| {
        let mut changed = good.clone();
        changed[key] = value;
        write(&lab, "in", &changed);
    };
    for (key, value, text) in [
        ("format", json!("keyrite-bundle-2"), "unknown variant"),
        ("more", json!(1), "unknown field `more`"),
        ("sequence", json!(0), "sequence is 0"),
        ("sequence", json!(1u64 << 53), "must be 1 to 9007199254740991"),
        ("created", json!("2026-1-1"), "is not of the form 2026-11-24T10:00:00Z"),
        ("expires", json!("2025-01-01T00:00:00Z"), "expires is not after created"),
        ("cluster", json!("a/b"), "must be 1 to 100"),
        ("requests", json!([{ "path": "bundle.json", "sha256": "00".repeat(32) }]), "which is not a request"),
    ] {
        with(key, value);
        refused(&["in: ", text, "[BUNDLE-INDEX]"]);
    }
    with("created", json!("2999-01-01T00:00:00Z"));
    refused(&["in: bundle.json: was created at 2999-01-01T00:00:00Z, but the clock says", "[BUNDLE-TIME]"]);
    with("expires", json!("2026-01-02T00:00:00Z"));
    refused(&["expired at 2026-01-02T00:00:00Z", "[BUNDLE-TIME]"]);
    let mut twice = good.clone();
    let first = twice["requests"][0].clone();
    twice["requests"].as_array_mut().unwrap().push(first);
    write(&lab, "in", &twice);
    refused(&["duplicate path web/a.csr", "[BUNDLE-INDEX]"]);
    let mut missing = good.clone();
    missing["requests"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "path": "web/z.csr", "sha256": "00".repeat(32) }));
    write(&lab, "in", &missing);
    refused(&["web/z.csr: listed in bundle.json but missing (1 of 3", "[BUNDLE-INDEX]"]);
    let mut unlisted = good.clone();
    unlisted["requests"].as_array_mut().unwrap().pop();
    write(&lab, "in", &unlisted);
    refused(&["web/b.csr: not listed in bundle.json", "[BUNDLE-INDEX]"]);
    let mut changed = good.clone();
    changed["requests"][1]["sha256"] = json!("00".repeat(32));
    write(&lab, "in", &changed);
    refused(&["web/b.csr: SHA-256 is", "bundle.json lists 0000", "[BUNDLE-DIGEST]"]);
    write(&lab, "in", &good);
    // A tar is read once, so the index must be its first file.
    lab.run("tar", &["-cf", "late.tar", "-C", "in", "web", "bundle.json"]).ok();
    lab.sign("late.tar", "out").fails(1, &["late.tar: bundle.json: out of order", "[BUNDLE-INDEX]"]);
    // The script and the bundle must have the same cluster.
    let script = lab.read("sign.toml");
    lab.write("sign.toml", format!("cluster = \"test-2\"\n{script}"));
    refused(&["cluster is test-1, but the script signs for test-2", "[BUNDLE-CLUSTER]"]);
    lab.write("sign.toml", script);
    lab.sign("in", "out").ok();
}

/// A folder's name does not become the API server's: names that a script reserves are refused under every
/// other certificate profile.
#[test]
fn reserved_names_are_nobody_elses() {
    let lab = Lab::without_token();
    lab.ceremony_files();
    let check = |path: &str, subject: &str, san: &str| {
        let _ = std::fs::remove_dir_all(lab.path("in"));
        lab.csr(&format!("in/{path}.csr"), subject, san, P256);
        lab.keyrite("request check in --script ceremony/kubernetes-sign.toml")
    };
    let refused = |ran: &support::Ran, texts: &[&str]| {
        assert_eq!(ran.code, 1, "{ran:?}");
        texts.iter().for_each(|text| assert!(ran.out.contains(text), "no {text:?} in:\n{}", ran.out));
    };
    let node = |name: &str, san: &str| {
        check(
            &format!("nodes/{name}/pki/kubelet-server"),
            &format!("/O=system:nodes/CN=system:node:{name}"),
            san,
        )
    };
    let only = "is reserved: only kube-apiserver may have it, and this request is for kubelet-server [NAME-RESERVED]";
    for name in [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "api.cluster.example",
        "API.cluster.example",
    ] {
        refused(&node(name, &format!("DNS:{name}")), &[name, only]);
    }
    refused(&node("worker-1", "DNS:worker-1,IP:10.96.0.1"), &["10.96.0.1 ", only]);
    refused(
        &node("localhost", "DNS:localhost"),
        &["only kube-apiserver, etcd-server, etcd-peer may have it"],
    );
    node("worker-1", "DNS:worker-1,IP:10.1.2.3").ok();
    // The API server has them, and a super-admin is requested by the first control-plane node alone.
    let names = "DNS:kubernetes,DNS:kubernetes.default.svc,DNS:api.cluster.example,IP:10.96.0.1";
    check("nodes/cp-1/pki/apiserver", "/CN=kube-apiserver", names).ok();
    check("nodes/cp-1/pki/etcd/server", "/CN=cp-1", "DNS:cp-1,DNS:localhost,IP:127.0.0.1").ok();
    let admin = "/O=system:masters/CN=kubernetes-super-admin";
    check("nodes/cp-1/super-admin.conf", admin, "").ok();
    refused(&check("nodes/cp-evil/super-admin.conf", admin, ""), &["[ROSTER-LINE]"]);
    // A wildcard that covers a reserved name, and what a script must not say.
    let script = lab.read("ceremony/kubernetes-sign.toml");
    let path = "path = \"nodes/*/pki/kubelet-server.csr\"\n";
    lab.write(
        "ceremony/kubernetes-sign.toml",
        script.replace(path, &format!("{path}wildcards = [\"*.cluster.example\"]\n")),
    );
    refused(&node("worker-1", "DNS:worker-1,DNS:*.cluster.example"), &["*.cluster.example", only]);
    for (from, to, text) in [
        (
            "profiles = [\"kube-apiserver\"]",
            "profiles = [\"other\"]",
            "reserved: certificate profile \"other\" is not in any file",
        ),
        (
            "dns = [\"localhost\"]\nip = [\"127.0.0.0/8\", \"::1/128\"]\n",
            "",
            "reserved: neither dns nor ip is given",
        ),
    ] {
        assert!(script.contains(from), "{from}");
        lab.write("ceremony/kubernetes-sign.toml", script.replace(from, to));
        node("worker-1", "DNS:worker-1").fails(2, &[text]);
    }
}

/// The bundle of one part has no request in the folder of another, in whatever form it comes.
#[test]
fn parts_own_their_folders() {
    let lab = Lab::signing();
    let roster = ["nodes/*/server.csr", "web/*.csr"].map(|path| {
        format!("[[roster]]\npath = \"{path}\"\nprofile = \"server\"\nauthority = \"root-ca\"\nsubject = [\"CN=*\"]\ndns = [\"*.example.test\"]\n")
    });
    lab.sign_script(&roster.concat());
    let script = lab.read("sign.toml");
    lab.write("sign.toml", format!("parts = [\"nodes/{{part}}\"]\n{script}"));
    for path in ["nodes/worker-1/server", "nodes/cp-1/server", "web/a"] {
        lab.csr(&format!("all/{path}.csr"), "/CN=a", "DNS:a.example.test", P256);
    }
    let collect = |part: &str, out: &str| {
        lab.keyrite(&format!("request collect all --out {out} --cluster test-1 --part {part}")).ok();
    };
    for (part, other) in [("worker-1", "cp-1"), ("cp-1", "worker-1"), ("worker", "cp-1"), ("nodes", "cp-1")] {
        for out in [format!("of-{part}"), format!("of-{part}.tar")] {
            collect(part, &out);
            let text = format!(
                "{out}: bundle.json: nodes/{other}/server.csr belongs to part {other}, but the bundle is of part {part}"
            );
            lab.sign(&out, "out").fails(1, &[&text, "[BUNDLE-PART]"]);
            lab.keyrite(&format!("request check {out} --script sign.toml"))
                .fails(1, &[&text, "[BUNDLE-PART]"]);
            assert!(!lab.path("out").exists());
        }
    }
    // Its own folder, and what belongs to no part.
    lab.run("rm", &["-r", "all/nodes/cp-1"]).ok();
    collect("worker-1", "mine");
    lab.sign("mine", "out").ok();
    for (parts, text) in
        [("nodes", "nodes"), ("{part}", "{part}"), ("../{part}", "../{part}"), ("a/{part}/b", "a/{part}/b")]
    {
        lab.write("sign.toml", format!("parts = [\"{parts}\"]\n{script}"));
        lab.sign("mine", "next").fails(2, &[text, "is not a folder followed by /{part}"]);
    }
}

#[test]
fn sequence_numbers_only_increase() {
    let lab = ready();
    write(&lab, "in", &index(&lab, "in", json!({ "cluster": "test-1", "sequence": 7 })));
    // A ceremony that signs nothing does not use a sequence number.
    lab.write("pin", "wrong\n");
    assert_ne!(lab.sign("in", "out").code, 0);
    lab.write("pin", format!("{}\n", support::PIN));
    lab.sign("in", "out").ok();
    for (sequence, part, code) in
        [(7, json!(null), 1), (6, json!(null), 1), (7, json!("other"), 0), (8, json!(null), 0)]
    {
        let folder = format!("in-{sequence}-{code}-{part}").replace('"', "");
        lab.csr(&format!("{folder}/web/c{sequence}{code}.csr"), "/CN=c", "DNS:c.example.test", P256);
        write(
            &lab,
            &folder,
            &index(&lab, &folder, json!({ "cluster": "test-1", "sequence": sequence, "part": part })),
        );
        let ran = lab.sign(&folder, &format!("out-{folder}"));
        match code {
            0 => _ = ran.ok(),
            _ => {
                _ = ran.fails(
                    1,
                    &[&format!("sequence is {sequence}, but the ledger already has 7"), "[BUNDLE-SEQUENCE]"],
                )
            }
        }
    }
}

const OBJECTS: &str = "[[roster]]\npath = \"web/*.csr\"\nsigner = \"example.test/serving\"\nprofile = \"server\"\nauthority = \"root-ca\"\nsubject = [\"CN=*\"]\nrequester = [\"{CN}\", \"robot-*\"]\nusages = [\"serverAuth\"]\ndns = [\"*.example.test\"]\ndays = 30\n";

fn object(requester: &str, usages: &[&str]) -> Value {
    json!({ "name": "csr-1", "signer": "example.test/serving", "requester": requester, "groups": ["team"], "approver": "boss", "usages": usages })
}

#[test]
fn index_and_roster_must_agree() {
    let lab = ready();
    lab.sign_script(&format!("{WEB}{OBJECTS}"));
    let mut listed = index(&lab, "in", json!({}));
    listed["requests"][0]["profile"] = json!("client");
    listed["requests"][1]["object"] = object("b", &["serverAuth"]);
    listed["requests"][1]["object"]["signer"] = json!("example.test/other");
    write(&lab, "in", &listed);
    lab.sign("in", "out").fails(
        1,
        &[
            "web/a.csr: the bundle's index names certificate profile client, the roster line has server [INDEX-PROFILE]",
            "web/b.csr: no roster line matches the path web/b.csr and the signer example.test/other; lines for this path have the signers none, example.test/serving [ROSTER-LINE]",
        ],
    );
}

#[test]
fn objects_are_signed_for_their_signer() {
    let lab = ready();
    lab.sign_script(&format!("{WEB}{OBJECTS}"));
    let mut listed = index(&lab, "in", json!({}));
    listed["requests"][0]["object"] = object("a", &["serverAuth", "keyEncipherment"]);
    listed["requests"][0]["object"]["expiration_seconds"] = json!(3600);
    listed["requests"][1]["object"] = object("robot-7", &["serverAuth"]);
    listed["requests"][1]["object"]["expiration_seconds"] = json!(4_000_000_000u32);
    write(&lab, "in", &listed);
    let ran = lab.sign("in", "out").ok();
    assert!(
        ran.out.contains("object csr-1 for example.test/serving, asked by robot-7 (team), approved (boss)"),
        "{}",
        ran.out
    );
    let lasts = |name: &str| {
        let file = format!("out/certificates/web/{name}.crt");
        let dates =
            lab.openssl(&format!("x509 -in {file} -noout -startdate -enddate -dateopt iso_8601")).ok().out;
        let second = |line: &str| {
            let text = line.split('=').nth(1).unwrap().to_owned();
            lab.run("date", &["-u", "-d", &text, "+%s"]).ok().out.trim().parse::<i64>().unwrap()
        };
        let mut lines = dates.lines();
        let start = second(lines.next().unwrap());
        second(lines.next().unwrap()) - start
    };
    assert_eq!(lasts("a"), 3599, "the asked lifetime, where it is shorter");
    assert_eq!(lasts("b"), 30 * 86_400 - 1, "never longer than the roster line's");
}

#[test]
fn objects_that_break_their_signers_rules() {
    let lab = ready();
    lab.sign_script(OBJECTS);
    let mut listed = index(&lab, "in", json!({}));
    listed["requests"][0]["object"] = object("mallory", &["serverAuth", "clientAuth"]);
    write(&lab, "in", &listed);
    lab.sign("in", "out").fails(
        1,
        &[
            "object csr-1 was requested by mallory, but the roster line allows only {CN}, robot-* (the subject's CN is a) [OBJECT-REQUESTER]",
            "object csr-1 requests clientAuth, but certificate profile server allows only digitalSignature, keyEncipherment, serverAuth [OBJECT-USAGES]",
            "web/b.csr: no roster line matches the path web/b.csr for a request without an object; lines for this path have the signers example.test/serving [ROSTER-LINE]",
        ],
    );
    listed["requests"][0]["object"] = object("a", &["digitalSignature"]);
    write(&lab, "in", &listed);
    lab.sign("in", "out").fails(
        1,
        &["requests digitalSignature, but the roster line also requires serverAuth [OBJECT-USAGES]"],
    );
    for (key, value, text) in [
        ("expiration_seconds", json!(0), "invalid value"),
        ("more", json!(1), "unknown field"),
        ("requester", Value::Null, "invalid type"),
    ] {
        let mut bad = listed.clone();
        bad["requests"][0]["object"][key] = value;
        write(&lab, "in", &bad);
        lab.sign("in", "out").fails(1, &[text, "[BUNDLE-INDEX]"]);
    }
    lab.sign_script(&OBJECTS.replace("signer = \"example.test/serving\"\n", ""));
    lab.sign("in", "out").fails(2, &["requester and usages apply to objects, so signer is required"]);
    lab.sign_script(&OBJECTS.replace("[\"serverAuth\"]", "[\"clientAuth\"]"));
    lab.sign("in", "out").fails(2, &["usage \"clientAuth\" is not in certificate profile server"]);
}

/// Creates an SSH key with this name and returns its public line.
fn ssh_key(lab: &Lab, name: &str, kind: &[&str]) -> String {
    lab.run("ssh-keygen", &[&["-q", "-N", "", "-C", name, "-f", name, "-t"], kind].concat()).ok();
    lab.read(&format!("{name}.pub")).trim().to_owned()
}

/// Signs the index with the documented shell command, into a file with the approver's name.
fn approve(lab: &Lab, name: &str, namespace: &str) {
    let command = format!(
        "ssh-keygen -q -Y sign -n {namespace} -f {name} < in/bundle.json > in/bundle.json.{name}.sig"
    );
    lab.run("sh", &["-c", &command]).ok();
}

#[test]
fn bundles_need_their_approvals() {
    let lab = ready();
    let keys = [
        ssh_key(&lab, "alice", &["ed25519"]),
        ssh_key(&lab, "bob", &["ecdsa", "-b", "256"]),
        ssh_key(&lab, "carol", &["ecdsa", "-b", "384"]),
    ];
    let signers = |names: [&str; 3]| {
        let list: Vec<String> = names
            .iter()
            .zip(&keys)
            .map(|(name, key)| format!("{{ name = \"{name}\", key = \"{key}\" }}"))
            .collect();
        format!("[approvals]\nrequired = 2\nsigners = [{}]\n", list.join(", "))
    };
    let approvals = signers(["alice", "bob", "carol"]);
    lab.sign_script(&format!("{approvals}{WEB}"));
    let plan = lab.keyrite("ceremony check sign.toml").ok().out;
    assert!(plan.contains("approvals of a bundle: 2 of alice, bob, carol"), "{plan}");
    // Without an index there is nothing to approve.
    lab.sign("in", "out").fails(1, &["in: has no bundle.json", "[BUNDLE-APPROVAL]"]);
    write(&lab, "in", &index(&lab, "in", json!({ "cluster": "test-1" })));
    lab.write("pin", "wrong, but never asked for");
    let refused = |texts: &[&str]| {
        lab.sign("in", "out").fails(1, texts);
        lab.keyrite("request check in --script sign.toml").fails(1, texts);
        assert!(!lab.path("out").exists());
    };
    refused(&[
        "bundle.json: 0 of 2 required approvals; approvers are alice, bob, carol",
        "[BUNDLE-APPROVAL]",
    ]);
    lab.keyrite("request check in --script sign.toml --before-approval").ok();
    approve(&lab, "alice", "keyrite-bundle");
    refused(&["1 of 2 required approvals (alice)"]);
    // One approver counts once.
    lab.run("cp", &["in/bundle.json.alice.sig", "in/bundle.json.sig"]).ok();
    refused(&["1 of 2 required approvals (alice)"]);
    lab.run("rm", &["in/bundle.json.sig"]).ok();
    approve(&lab, "bob", "file");
    refused(&["bundle.json.bob.sig: is signed by bob in the namespace \"file\"", "[BUNDLE-APPROVAL]"]);
    lab.write("in/bundle.json.bob.sig", "yes\n");
    refused(&["bundle.json.bob.sig: is not an SSH signature"]);
    ssh_key(&lab, "mallory", &["ed25519"]);
    approve(&lab, "bob", "keyrite-bundle");
    approve(&lab, "mallory", "keyrite-bundle");
    refused(&["bundle.json.mallory.sig: is signed by SHA256:", "who is not an approver"]);
    lab.run("rm", &["in/bundle.json.mallory.sig"]).ok();
    lab.write("pin", format!("{}\n", support::PIN));
    // The approval covers exactly these octets.
    let index = lab.read("in/bundle.json");
    lab.write("in/bundle.json", format!("{index}\n"));
    refused(&["bundle.json.alice.sig: is not a valid signature by alice over this bundle.json"]);
    lab.write("in/bundle.json", &index);
    // A security key that nobody touched says nothing of anybody.
    let dora = SecurityKey::generate();
    lab.sign_script(&format!("{}{WEB}", approvals.replace(&keys[2], &dora.line())));
    let signed = |touched| dora.sign("keyrite-bundle", index.as_bytes(), touched);
    lab.write("in/bundle.json.dora.sig", signed(false));
    refused(&["bundle.json.dora.sig: is signed by carol without touching the security key"]);
    lab.write("in/bundle.json.dora.sig", signed(true));
    lab.keyrite("request check in --script sign.toml").ok();
    lab.run("rm", &["in/bundle.json.dora.sig"]).ok();
    lab.sign_script(&format!("{approvals}{WEB}"));
    // As a tar: index, signatures, requests.
    lab.run("sh", &["-c", "tar -cf in.tar -C in bundle.json bundle.json.alice.sig bundle.json.bob.sig web"])
        .ok();
    lab.keyrite("request check in.tar --script sign.toml").ok();
    lab.run(
        "sh",
        &["-c", "tar -cf late.tar -C in bundle.json web bundle.json.alice.sig bundle.json.bob.sig"],
    )
    .ok();
    lab.keyrite("request check late.tar --script sign.toml").fails(1, &["0 of 2 required approvals"]);
    approve(&lab, "carol", "keyrite-bundle");
    let ran = lab.sign("in", "out").ok();
    assert!(ran.out.contains("approved by alice, bob, carol"), "{}", ran.out);
    assert!(lab.read("out/transcript.jsonl").contains("\"approvers\":[\"alice\",\"bob\",\"carol\"]"));
    // An audit reports the approvals, and detects it if one is removed.
    let audit = lab.keyrite("audit out --script sign.toml").ok();
    assert!(audit.out.contains("each approved by at least 2 of the script's approvers"), "{}", audit.out);
    let audit = lab.keyrite("audit ledger").ok();
    assert!(audit.out.contains("their signatures verify under the keys of the script"), "{}", audit.out);
    for edit in [
        "DELETE FROM bundle_signature WHERE path LIKE '%alice%'",
        "DELETE FROM bundle_signature",
        "UPDATE bundle_signature SET octets = x'00' WHERE path LIKE '%bob%'",
        "UPDATE bundle_signature SET octets = (SELECT octets FROM bundle_signature s WHERE s.path LIKE '%alice%')",
    ] {
        lab.edit_copy("ledger", "bad", edit);
        let ran = lab.keyrite("audit bad");
        assert!(ran.code == 1 && ran.out.contains("[AUDIT-APPROVALS]"), "{edit}: {}", ran.out);
    }
    let report = lab.keyrite("ceremony report out --format markdown").ok();
    assert!(report.out.contains("approved by alice, bob, carol"), "{}", report.out);
    let one = lab.read("out/transcript.jsonl").replace("[\"alice\",\"bob\",\"carol\"]", "[\"alice\",\"x\"]");
    lab.write("one.jsonl", one);
    let found = lab.keyrite("audit one.jsonl --script sign.toml");
    assert!(found.out.contains("has 1 of 2 required approvals"), "{}", found.out);
    // Approvers must be different people with supported keys.
    let rsa = ssh_key(&lab, "dave", &["rsa"]);
    for (from, to, text) in [
        ("required = 2", "required = 4", "required is 4, must be 1 to 3"),
        ("required = 2", "required = 0", "required is 0, must be 1 to 3"),
        ("\"bob\"", "\"alice\"", "duplicate name alice"),
        (keys[1].as_str(), keys[0].as_str(), "alice and bob have the same key"),
        (keys[1].as_str(), rsa.as_str(), "key type ssh-rsa is not accepted"),
        (keys[1].as_str(), "ssh-ed25519 AAAA", "is not an OpenSSH public key"),
    ] {
        lab.sign_script(&format!("{}{WEB}", approvals.replacen(from, to, 1)));
        lab.keyrite("ceremony check sign.toml").fails(2, &[text]);
    }
}
