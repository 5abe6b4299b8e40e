//! CertificateSigningRequest objects: from the API server's output to certificates.

use crate::support::{self, Lab, P256, repository};
use serde_json::{Value, json};

/// Output of `kubectl get csr -o json` from a cluster of version 1.36.
fn list() -> Value {
    let path = repository().join("tests/fixtures/csr-list.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn item<'l>(list: &'l mut Value, name: &str) -> &'l mut Value {
    let items = list["items"].as_array_mut().unwrap();
    items.iter_mut().find(|item| item["metadata"]["name"] == name).unwrap()
}

/// Returns the list with this object only.
fn alone(name: &str) -> Value {
    let mut list = list();
    list["items"].as_array_mut().unwrap().retain(|item| item["metadata"]["name"] == name);
    list
}

#[test]
fn approval_without_message_is_reported() {
    let lab = Lab::without_token();
    lab.ceremony_files();
    for (reason, message, told) in [
        ("", "", "approved (the server does not say by whom)"),
        ("KubectlApprove", "", "approved (KubectlApprove)"),
        ("", "by Ann", "approved (by Ann)"),
    ] {
        let mut list = alone("csr-7vpq2");
        let condition = &mut item(&mut list, "csr-7vpq2")["status"]["conditions"][0];
        condition["reason"] = reason.into();
        condition["message"] = message.into();
        lab.write("csr.json", list.to_string());
        let out = format!("{}.tar", told.len());
        lab.keyrite(&format!("request objects csr.json --out {out}")).ok();
        let check =
            lab.keyrite(&format!("request check {out} --script ceremony/kubernetes-objects.toml")).ok().out;
        assert!(check.contains(told), "no {told:?} in {check}");
    }
}

/// Creates a request for an object with openssl.
fn base64(lab: &Lab, subject: &str, names: &str) -> String {
    let path = format!("made/{}.csr", support::walk(lab.dir.path()).len());
    lab.csr(&path, subject, names, P256);
    lab.run("base64", &["-w0", &path]).ok().out
}

#[test]
fn objects_become_certificates_by_the_shipped_script() {
    let lab = Lab::new();
    lab.write("csr.json", list().to_string());
    let ran = lab.keyrite("request objects csr.json --out objects.tar --cluster prod-1 --expires-in 7").ok();
    for line in [
        "left out bob: is not approved; run `kubectl certificate approve bob`",
        "left out carol: is denied",
        "left out dave: is already signed",
        "left out erin: has failed",
        "left out registry: signer example.com/serving is not selected",
        "4 requests in objects.tar",
    ] {
        assert!(ran.out.contains(line), "no {line:?} in {}", ran.out);
    }
    lab.ceremony_files();
    let check = lab.keyrite("request check objects.tar --script ceremony/kubernetes-objects.toml").ok();
    let object = "object csr-7vpq2 for kubernetes.io/kube-apiserver-client-kubelet, asked by system:bootstrap:abcdef (system:bootstrappers, system:bootstrappers:kubeadm:default-node-token, system:authenticated), approved (AutoApproved: Auto approving kubelet client certificate after SubjectAccessReview.)";
    assert!(check.out.contains(object), "{}", check.out);
    lab.ceremony("ceremony/kubernetes-roots.toml", "--rehearsal --out roots").ok();
    lab.ceremony("ceremony/kubernetes-objects.toml", "--rehearsal --in objects.tar --out out").ok();
    assert_eq!(
        lab.files("out/certificates"),
        [
            "objects/alice.crt",
            "objects/csr-7vpq2.crt",
            "objects/csr-x9k4m.crt",
            "objects/system_3aserving_3a_57_5f2.crt"
        ]
    );
    let shown = |name: &str| {
        lab.openssl(&format!("x509 -in out/certificates/objects/{name}.crt -noout -subject -nameopt RFC2253 -ext extendedKeyUsage,subjectAltName")).ok().out
    };
    let alice = shown("alice");
    assert!(
        alice.contains("CN=alice,O=developers") && alice.contains("TLS Web Client Authentication"),
        "{alice}"
    );
    let serving = shown("system_3aserving_3a_57_5f2");
    assert!(serving.contains("DNS:w-2.nodes.example, IP Address:192.168.0.22"), "{serving}");
    assert!(serving.contains("TLS Web Server Authentication"), "{serving}");
    let entry = lab.manifest("out")["certificates"][0].clone();
    let second = |text: &Value| {
        lab.run("date", &["-u", "-d", text.as_str().unwrap(), "+%s"]).ok().out.trim().parse::<i64>().unwrap()
    };
    assert_eq!(second(&entry["not_after"]) - second(&entry["not_before"]), 86_399, "alice asked for a day");
}

#[test]
fn a_custom_signer_has_a_profile_in_the_script() {
    let lab = Lab::new();
    lab.root("ecdsa-p256");
    lab.write("csr.json", list().to_string());
    let bundle = "request objects csr.json --out bundle --signer example.com/serving";
    assert!(lab.keyrite(bundle).ok().out.contains("1 request in bundle"));
    lab.sign_script("[[roster]]\npath = \"objects/*.csr\"\nsigner = \"example.com/serving\"\nprofile = \"server\"\nauthority = \"root-ca\"\nsubject = [\"CN=*\"]\ndns = [\"{subject}\"]\ndays = 10\n");
    lab.sign("bundle", "out").ok();
    assert_eq!(lab.files("out/certificates"), ["objects/registry.crt"]);
}

/// Each object that must not be signed is named, with an exit code, and nothing is written.
#[test]
fn objects_that_must_not_be_signed() {
    let lab = Lab::without_token();
    let refused = |list: &Value, code: i32, texts: &[&str]| {
        lab.write("csr.json", list.to_string());
        let ran = lab.keyrite("request objects csr.json --out bundle");
        let (out, err) = (ran.out.clone(), ran.err.clone());
        ran.fails(code, &[]);
        for text in texts {
            assert!(out.contains(text) || err.contains(text), "no {text:?} in:\n{out}\n{err}");
        }
        assert!(!lab.path("bundle").exists() && !lab.path("bundle.partial").exists());
    };
    let none = "csr.json: no object is approved, unsigned and for a selected signer (1 left out); nothing was written";
    refused(&alone("bob"), 1, &["left out bob: is not approved", none]);
    refused(&alone("carol"), 1, &["left out carol: is denied", none]);
    refused(&alone("dave"), 1, &["left out dave: is already signed", none]);
    refused(&alone("erin"), 1, &["left out erin: has failed", none]);
    refused(&alone("registry"), 1, &["left out registry: signer example.com/serving is not selected", none]);
    let mut both = alone("alice");
    both["items"][0]["status"]["conditions"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "type": "Denied", "status": "True" }));
    refused(&both, 1, &["left out alice: is denied"]);
    // One object that breaks its signer's rules stops all of them.
    let mut all = list();
    let nodes = "/O=system:nodes/CN=system:node:w-1";
    item(&mut all, "csr-x9k4m")["spec"]["username"] = json!("system:node:w-9");
    item(&mut all, "csr-7vpq2")["spec"]["username"] = json!("mallory");
    item(&mut all, "alice")["spec"]["request"] = json!(base64(&lab, "/O=system:masters/CN=alice", ""));
    refused(
        &all,
        1,
        &[
            "approved objects that violate their signer's rules: 3; nothing was written",
            "csr-x9k4m: CN is system:node:w-1, but the requester is system:node:w-9",
            "csr-7vpq2: CN is system:node:w-1, but the requester is mallory",
            "alice: subject has O=system:masters",
        ],
    );
    let with = |name: &str, key: &str, value: Value, text: &str| {
        let mut changed = alone(name);
        changed["items"][0]["spec"][key] = value;
        refused(&changed, 1, &[name, text]);
    };
    with(
        "csr-x9k4m",
        "usages",
        json!(["digital signature", "server auth", "client auth"]),
        "usages are digitalSignature, serverAuth, clientAuth",
    );
    with("csr-x9k4m", "usages", json!(["server auth"]), "the signer requires digitalSignature, serverAuth");
    with(
        "csr-7vpq2",
        "usages",
        json!(["digital signature"]),
        "the signer requires digitalSignature, clientAuth",
    );
    with("alice", "usages", json!(["server auth"]), "the signer requires clientAuth");
    with("alice", "usages", json!(["client auth", "flying"]), "usage \"flying\" is unknown");
    with("alice", "request", json!("%%%"), "spec.request is not base64");
    with("alice", "request", json!("YWJj"), "[REQ-FORM]");
    with("alice", "request", json!(base64(&lab, "/O=x", "")), "subject has no CN");
    with(
        "csr-7vpq2",
        "request",
        json!(base64(&lab, nodes, "DNS:w-1")),
        "alternative names are requested (1)",
    );
    with(
        "csr-7vpq2",
        "request",
        json!(base64(&lab, "/O=system:nodes/CN=w-1", "")),
        "CN is w-1, must be system:node:NAME",
    );
    with("csr-x9k4m", "request", json!(base64(&lab, nodes, "")), "no DNS name or IP address is requested");
    with(
        "csr-x9k4m",
        "request",
        json!(base64(&lab, nodes, "DNS:w-1,URI:spiffe://x")),
        "is neither a DNS name nor an IP address",
    );
    with(
        "csr-x9k4m",
        "request",
        json!(base64(&lab, "/O=system:nodes/O=x/CN=system:node:w-1", "DNS:w-1")),
        "O is system:nodes, x, must be exactly system:nodes",
    );
    // A name that is not a valid path, and files that are not lists of objects.
    let mut long = alone("alice");
    long["items"][0]["metadata"]["name"] = json!("X".repeat(100));
    refused(&long, 1, &["[MEDIA-NAME]"]);
    let mut other = list();
    other["items"][0]["kind"] = json!("Pod");
    refused(&other, 2, &["contains certificates.k8s.io/v1 Pod", "kubectl get csr -o json"]);
    refused(&json!({ "kind": "PodList", "items": [] }), 2, &["has kind PodList"]);
    refused(&json!({ "kind": "List", "items": [] }), 1, &["(0 left out)"]);
    lab.write("csr.json", "[");
    lab.keyrite("request objects csr.json --out bundle")
        .fails(2, &["csr.json: is not a list of API objects"]);
    lab.keyrite("request objects none.json --out bundle").fails(2, &["none.json: No such file"]);
    // A single object, as printed by `kubectl get csr NAME -o json`, and an existing output.
    lab.write("csr.json", alone("alice")["items"][0].to_string());
    lab.write("taken/precious", "ours");
    lab.keyrite("request objects csr.json --out taken").fails(2, &["output folder is not empty"]);
    lab.keyrite("request objects csr.json --out bundle").ok();
    assert_eq!(lab.files("bundle"), ["bundle.json", "objects/alice.csr"]);
}

/// The ceremony applies the same rules to a bundle that was not made by keyrite.
#[test]
fn signer_rules_apply_in_the_ceremony() {
    let lab = Lab::without_token();
    lab.ceremony_files();
    lab.write("csr.json", list().to_string());
    lab.keyrite("request objects csr.json --out bundle").ok();
    let mut index: Value = serde_json::from_str(&lab.read("bundle/bundle.json")).unwrap();
    let nodes = "/O=system:nodes/CN=system:node:w-1";
    for (at, subject, names) in [
        (0, "/O=system:masters/CN=alice", ""),
        (1, "/O=system:nodes/O=x/CN=system:node:w-1", "DNS:w-1"),
        (2, nodes, "DNS:kubernetes,IP:192.168.0.21"),
        (3, "/O=system:nodes/CN=system:node:w-3", "DNS:w-3,IP:8.8.8.8"),
    ] {
        let path = index["requests"][at]["path"].as_str().unwrap().to_owned();
        lab.run("rm", &[&format!("bundle/{path}")]).ok();
        lab.csr(&format!("bundle/{path}"), subject, names, P256);
        let sum = lab.run("sha256sum", &[&format!("bundle/{path}")]).ok().out;
        index["requests"][at]["sha256"] = json!(sum.split(' ').next().unwrap());
    }
    index["requests"][1]["object"]["requester"] = json!("mallory");
    index["requests"][2]["object"]["usages"] = json!(["digitalSignature", "serverAuth", "clientAuth"]);
    lab.write("bundle/bundle.json", index.to_string());
    let ran = lab.keyrite("request check bundle --script ceremony/kubernetes-objects.toml");
    for line in [
        "refused objects/alice.csr: subject attribute O=system:masters is not allowed by the roster [NAME-SUBJECT]",
        "refused objects/csr-7vpq2.csr: alternative names are requested (1), but certificate profile kubelet-client allows none [NAME-TYPE]",
        "refused objects/csr-7vpq2.csr: subject attribute O=x is not allowed by the roster [NAME-SUBJECT]",
        "refused objects/csr-7vpq2.csr: object csr-7vpq2 was requested by mallory, but the roster line allows only {CN}, system:bootstrap:* (the subject's CN is system:node:w-1) [OBJECT-REQUESTER]",
        "refused objects/csr-x9k4m.csr: DNS name kubernetes is not allowed by the roster line [NAME-DNS]",
        "refused objects/csr-x9k4m.csr: object csr-x9k4m requests clientAuth, but certificate profile kubelet-server allows only digitalSignature, keyEncipherment, serverAuth [OBJECT-USAGES]",
        "refused objects/system_3aserving_3a_57_5f2.csr: IP address 8.8.8.8 is not allowed by the roster line [NAME-IP]",
        "was requested by system:node:w-2.nodes.example, but the roster line allows only {CN} (the subject's CN is system:node:w-3) [OBJECT-REQUESTER]",
    ] {
        assert!(ran.out.contains(line), "no {line:?} in {}", ran.out);
    }
    ran.fails(1, &["4 of 4 requests would be refused"]);
}
