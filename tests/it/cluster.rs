//! Clusters: from a description to a verified release, for both layouts.

use std::os::unix::fs::PermissionsExt;

use crate::support::Lab;
use crate::support::messages::golden;

const KUBEADM: &str = r#"
name = "prod-1"
layout = "kubeadm"
endpoint = "api.example.test:6443"
service_cidr = ["10.96.0.0/12", "fd00:10:96::/112"]
domain = "cluster.test"
extra_sans = ["api.internal.test", "203.0.113.7"]
[[node]]
name = "cp-1"
roles = ["control-plane", "etcd"]
addresses = ["192.168.7.10", "fd00::10"]
[[node]]
name = "cp-2"
roles = ["control-plane", "etcd"]
addresses = ["192.168.7.11"]
extra_sans = ["cp-2.example.test"]
[[node]]
name = "w-1"
roles = ["worker"]
addresses = ["192.168.7.21"]
"#;

const SINGLE_CA: &str = r#"
name = "lab"
layout = "single-ca"
endpoint = "[fd00::10]:8443"
service_cidr = ["10.32.0.0/24"]
key = "rsa-2048"
[[node]]
name = "server"
roles = ["control-plane", "etcd"]
addresses = ["192.168.7.10", "fd00::10"]
[[node]]
name = "node-0"
roles = ["worker"]
addresses = ["192.168.7.20"]
"#;

const CLIENT: &str = "TLS Web Client Authentication";
const SERVER: &str = "TLS Web Server Authentication";
const BOTH: &str = "TLS Web Server Authentication, TLS Web Client Authentication";

/// Creates the requests of a cluster in the folder `c`.
fn made(description: &str) -> Lab {
    let lab = Lab::without_token();
    lab.write("cluster.toml", description);
    lab.keyrite("request cluster cluster.toml --out c").ok();
    lab
}

/// Signs the bundles with the generated script.
fn signed(lab: &Lab, bundles: &str) {
    lab.init_token("lab");
    lab.ceremony("c/script/roots.toml", "--rehearsal --out roots").ok();
    lab.ceremony("c/script/sign.toml", &format!("--rehearsal {bundles} --out release")).ok();
    let root = lab.fingerprint("roots/authorities/kubernetes-ca.crt").replace(':', "").to_lowercase();
    lab.keyrite(&format!("verify release --root-sha256 {root}")).ok();
    assert_eq!(lab.manifest("release")["refusals"].as_array().unwrap().len(), 0);
}

/// Expected contents of a certificate: path, authority, subject, purposes, names.
type Expected = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// Compares every certificate of a release, as read by openssl.
fn check_certificates(lab: &Lab, expected: &[Expected]) {
    let mut paths: Vec<String> = expected.iter().map(|(path, ..)| format!("{path}.crt")).collect();
    paths.sort();
    assert_eq!(lab.files("release/certificates"), paths);
    for (path, authority, subject, purposes, names) in expected {
        let file = format!("release/certificates/{path}.crt");
        let text = lab
            .openssl(&format!(
                "x509 -in {file} -noout -subject -nameopt RFC2253 -ext extendedKeyUsage,subjectAltName"
            ))
            .ok()
            .out;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(lines[0], format!("subject={subject}"), "{path}");
        let after =
            |title: &str| lines.iter().position(|line| line.starts_with(title)).map(|at| lines[at + 1]);
        assert_eq!(after("X509v3 Extended Key Usage"), Some(*purposes), "{path}");
        assert_eq!(after("X509v3 Subject Alternative Name").unwrap_or_default(), *names, "{path}");
        for (purpose, name) in [("sslserver", SERVER), ("sslclient", CLIENT)] {
            let ran = lab.openssl(&format!(
                "verify -x509_strict -purpose {purpose} -CAfile release/authorities/{authority}.crt {file}"
            ));
            assert_eq!(ran.code == 0, purposes.contains(name), "{path} as {purpose}: {ran:?}");
        }
    }
}

/// Requires that each key matches the certificate at its path.
fn check_key(lab: &Lab, stem: &str) {
    let key = lab.openssl(&format!("pkey -in c/nodes/{stem}.key -pubout")).ok().out;
    let certificate =
        lab.openssl(&format!("x509 -in release/certificates/nodes/{stem}.crt -noout -pubkey")).ok().out;
    assert_eq!(key, certificate, "{stem}");
}

/// Lists modes and paths of a folder, in the format of the golden files.
fn tree(lab: &Lab, folder: &str) -> String {
    let mode =
        |path: &str| lab.path(&format!("{folder}/{path}")).metadata().unwrap().permissions().mode() & 0o777;
    lab.files(folder).iter().map(|path| format!("{:o} {path}\n", mode(path))).collect()
}

fn kept(lab: &Lab, name: &str) {
    golden(name, &tree(lab, "c"));
    assert_eq!(lab.path("c").metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

const API: &str = "DNS:kubernetes, DNS:kubernetes.default, DNS:kubernetes.default.svc, DNS:kubernetes.default.svc.cluster.test, DNS:api.example.test";

/// Three nodes in kubeadm's layout: authority, subject, purposes and names of every certificate.
#[test]
fn kubeadm_layout_from_description_to_release() {
    let lab = made(KUBEADM);
    kept(&lab, "kubeadm-tree.txt");
    let check = lab.keyrite("request check c/bundle --script c/script/sign.toml").ok();
    assert!(check.out.contains("30 would be issued, 0 refused"), "{}", check.out);
    signed(&lab, "--in c/bundle");
    let cp1 = "DNS:cp-1, DNS:localhost, IP Address:192.168.7.10, IP Address:FD00:0:0:0:0:0:0:10, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1";
    let cp2 = "DNS:cp-2, DNS:cp-2.example.test, DNS:localhost, IP Address:192.168.7.11, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1";
    let services = "IP Address:10.96.0.1, IP Address:FD00:10:96:0:0:0:0:1";
    let api1 = format!("DNS:cp-1, {API}, DNS:api.internal.test, {services}, IP Address:192.168.7.10, IP Address:FD00:0:0:0:0:0:0:10, IP Address:203.0.113.7").leak();
    let api2 = format!("DNS:cp-2, {API}, DNS:api.internal.test, DNS:cp-2.example.test, {services}, IP Address:192.168.7.11, IP Address:203.0.113.7").leak();
    let mut expected: Vec<Expected> = vec![
        (
            "nodes/cp-1/super-admin.conf",
            "kubernetes-ca",
            "CN=kubernetes-super-admin,O=system:masters",
            CLIENT,
            "",
        ),
        ("nodes/cp-1/kubelet.conf", "kubernetes-ca", "CN=system:node:cp-1,O=system:nodes", CLIENT, ""),
        (
            "nodes/cp-1/pki/kubelet-server",
            "kubernetes-ca",
            "CN=system:node:cp-1,O=system:nodes",
            SERVER,
            "DNS:cp-1, IP Address:192.168.7.10, IP Address:FD00:0:0:0:0:0:0:10",
        ),
        ("nodes/cp-2/kubelet.conf", "kubernetes-ca", "CN=system:node:cp-2,O=system:nodes", CLIENT, ""),
        (
            "nodes/cp-2/pki/kubelet-server",
            "kubernetes-ca",
            "CN=system:node:cp-2,O=system:nodes",
            SERVER,
            "DNS:cp-2, DNS:cp-2.example.test, IP Address:192.168.7.11",
        ),
        ("nodes/w-1/kubelet.conf", "kubernetes-ca", "CN=system:node:w-1,O=system:nodes", CLIENT, ""),
        (
            "nodes/w-1/pki/kubelet-server",
            "kubernetes-ca",
            "CN=system:node:w-1,O=system:nodes",
            SERVER,
            "DNS:w-1, IP Address:192.168.7.21",
        ),
        (
            "nodes/w-1/kube-proxy.conf",
            "kubernetes-ca",
            "CN=system:kube-proxy,O=system:node-proxier",
            CLIENT,
            "",
        ),
        ("nodes/cp-1/pki/apiserver", "kubernetes-ca", "CN=kube-apiserver", SERVER, api1),
        ("nodes/cp-2/pki/apiserver", "kubernetes-ca", "CN=kube-apiserver", SERVER, api2),
        ("nodes/cp-1/pki/etcd/server", "etcd-ca", "CN=cp-1", BOTH, cp1),
        ("nodes/cp-1/pki/etcd/peer", "etcd-ca", "CN=cp-1", BOTH, cp1),
        ("nodes/cp-2/pki/etcd/server", "etcd-ca", "CN=cp-2", BOTH, cp2),
        ("nodes/cp-2/pki/etcd/peer", "etcd-ca", "CN=cp-2", BOTH, cp2),
    ];
    for node in ["cp-1", "cp-2"] {
        let at = |rest: &str| -> &'static str { format!("nodes/{node}/{rest}").leak() };
        expected.extend([
            (
                at("pki/apiserver-kubelet-client"),
                "kubernetes-ca",
                "CN=kube-apiserver-kubelet-client",
                CLIENT,
                "",
            ),
            (at("pki/apiserver-etcd-client"), "etcd-ca", "CN=kube-apiserver-etcd-client", CLIENT, ""),
            (at("pki/front-proxy-client"), "front-proxy-ca", "CN=front-proxy-client", CLIENT, ""),
            (at("pki/etcd/healthcheck-client"), "etcd-ca", "CN=kube-etcd-healthcheck-client", CLIENT, ""),
            (at("admin.conf"), "kubernetes-ca", "CN=kubernetes-admin,O=kubeadm:cluster-admins", CLIENT, ""),
            (at("controller-manager.conf"), "kubernetes-ca", "CN=system:kube-controller-manager", CLIENT, ""),
            (at("scheduler.conf"), "kubernetes-ca", "CN=system:kube-scheduler", CLIENT, ""),
            (
                at("kube-proxy.conf"),
                "kubernetes-ca",
                "CN=system:kube-proxy,O=system:node-proxier",
                CLIENT,
                "",
            ),
        ]);
    }
    assert_eq!(expected.len(), 30);
    check_certificates(&lab, &expected);
    for stem in ["cp-1/pki/apiserver", "cp-2/pki/etcd/peer", "w-1/pki/kubelet-server"] {
        check_key(&lab, stem);
    }
    // One service account key pair on all control-plane nodes, none on workers.
    assert_eq!(lab.read("c/nodes/cp-1/pki/sa.key"), lab.read("c/nodes/cp-2/pki/sa.key"));
    let public = lab.openssl("pkey -in c/nodes/cp-1/pki/sa.key -pubout").ok().out;
    assert_eq!(lab.read("c/nodes/cp-2/pki/sa.pub"), public);
    // A kubeconfig has the endpoint, except for components next to their API server, and the key of
    // its certificate.
    let config = lab.read("c/nodes/cp-2/scheduler.conf");
    assert!(config.contains("server: \"https://192.168.7.11:6443\""), "{config}");
    assert!(lab.read("c/nodes/w-1/kubelet.conf").contains("server: \"https://api.example.test:6443\""));
    let data = config.lines().find_map(|line| line.trim().strip_prefix("client-key-data: ")).unwrap();
    lab.write("data", data);
    lab.run("sh", &["-c", "base64 -d data > key"]).ok();
    assert_eq!(
        lab.openssl("pkey -in key -pubout").ok().out,
        lab.openssl("x509 -in release/certificates/nodes/cp-2/scheduler.conf.crt -noout -pubkey").ok().out
    );
    assert!(lab.read("c/script/roots.toml").contains("cluster = \"prod-1\""));
    assert!(!lab.read("c/roster.toml").contains('*'), "exact names, no patterns");
    assert!(lab.read("c/script/sign.toml").ends_with(&lab.read("c/roster.toml")));
}

/// Two nodes in the layout with one authority, with RSA keys.
#[test]
fn single_ca_layout_from_description_to_release() {
    let lab = made(SINGLE_CA);
    kept(&lab, "single-ca-tree.txt");
    signed(&lab, "--in c/bundle");
    let own = "IP Address:192.168.7.10, IP Address:FD00:0:0:0:0:0:0:10";
    let api = "DNS:server, DNS:kubernetes, DNS:kubernetes.default, DNS:kubernetes.default.svc, DNS:kubernetes.default.svc.cluster.local, IP Address:FD00:0:0:0:0:0:0:10, IP Address:10.32.0.1, IP Address:192.168.7.10";
    let server = format!("DNS:server, {own}").leak();
    let etcd =
        format!("DNS:server, DNS:localhost, {own}, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1").leak();
    let ca = "kubernetes-ca";
    check_certificates(
        &lab,
        &[
            ("nodes/server/apiserver", ca, "CN=kube-apiserver", BOTH, api),
            ("nodes/server/etcdserver", ca, "CN=server", BOTH, etcd),
            ("nodes/server/kubelet", ca, "CN=system:node:server,O=system:nodes", BOTH, server),
            ("nodes/server/admin", ca, "CN=kubernetes-admin,O=kubeadm:cluster-admins", CLIENT, ""),
            ("nodes/server/scheduler", ca, "CN=system:kube-scheduler", CLIENT, ""),
            ("nodes/server/controller-manager", ca, "CN=system:kube-controller-manager", CLIENT, ""),
            ("nodes/server/kube-proxy", ca, "CN=system:kube-proxy,O=system:node-proxier", CLIENT, ""),
            (
                "nodes/node-0/kubelet",
                ca,
                "CN=system:node:node-0,O=system:nodes",
                BOTH,
                "DNS:node-0, IP Address:192.168.7.20",
            ),
            ("nodes/node-0/kube-proxy", ca, "CN=system:kube-proxy,O=system:node-proxier", CLIENT, ""),
        ],
    );
    for stem in ["server/apiserver", "server/admin", "node-0/kubelet"] {
        check_key(&lab, stem);
    }
    assert!(lab.openssl("pkey -in c/nodes/server/apiserver.key -noout -text").ok().out.contains("2048 bit"));
    assert!(lab.read("c/nodes/server/admin.conf").contains("server: \"https://[fd00::10]:8443\""));
    assert!(lab.read("c/nodes/server/scheduler.conf").contains("server: \"https://192.168.7.10:8443\""));
}

/// Each node creates its own keys; their bundles are imported together, later one alone.
#[test]
fn nodes_create_their_own_keys() {
    let lab = Lab::without_token();
    lab.write("cluster.toml", KUBEADM);
    for node in ["cp-1", "cp-2", "w-1"] {
        let out = if node == "cp-1" { "c".to_owned() } else { node.to_owned() };
        let ran = lab.keyrite(&format!("request cluster cluster.toml --node {node} --out {out}")).ok();
        assert_eq!(ran.out.contains("copy of its sa.key"), node == "cp-2", "{}", ran.out);
        assert!(lab.files(&format!("{out}/nodes")).iter().all(|path| path.starts_with(&format!("{node}/"))));
    }
    // The script depends only on the description: it is the same on every node.
    assert_eq!(lab.read("c/script/sign.toml"), lab.read("w-1/script/sign.toml"));
    assert!(!lab.path("cp-2/nodes/cp-2/pki/sa.key").exists());
    signed(&lab, "--in c/bundle --in cp-2/bundle --in w-1/bundle");
    assert_eq!(lab.files("release/certificates").len(), 30);
    // Renewal of one node: new keys, the same script.
    lab.keyrite("request cluster cluster.toml --node w-1 --out again --sequence 9000000000").ok();
    lab.ceremony("c/script/sign.toml", "--rehearsal --in again/bundle --out release-2").ok();
    assert_eq!(lab.files("release-2/certificates").len(), 3);
    // Again with the existing keys.
    let same = "request cluster cluster.toml --node w-1 --out same --sequence 9000000001 --keys again";
    lab.keyrite(same).fails(2, &["set reuse_keys = true"]);
    lab.write("cluster.toml", KUBEADM.replace("layout =", "reuse_keys = true\nlayout ="));
    lab.keyrite(same).ok();
    assert_eq!(
        lab.read("same/nodes/w-1/pki/kubelet-server.key"),
        lab.read("again/nodes/w-1/pki/kubelet-server.key")
    );
    lab.ceremony("c/script/sign.toml", "--rehearsal --in same/bundle --out release-3")
        .fails(1, &["[KEY-REUSE]"]);
    lab.ceremony("same/script/sign.toml", "--rehearsal --in same/bundle --out release-3").ok();
}

/// Every key type of kubeadm, also under kubeadm's name for it.
#[test]
fn every_key_type_is_accepted() {
    let lab = Lab::without_token();
    for (key, shown) in
        [("rsa-3072", "3072 bit"), ("RSA-4096", "4096 bit"), ("ecdsa-p384", "P-384"), ("ECDSA-P256", "P-256")]
    {
        let text = SINGLE_CA.replace("rsa-2048", key);
        lab.write(
            "cluster.toml",
            text.replace("layout =", "kube_proxy = false\nreuse_keys = true\nlayout ="),
        );
        let make = "request cluster cluster.toml --node node-0";
        lab.keyrite(&format!("{make} --out {key}")).ok();
        lab.keyrite(&format!("request check {key}/bundle --script {key}/script/sign.toml")).ok();
        let text = lab.openssl(&format!("pkey -in {key}/nodes/node-0/kubelet.key -noout -text")).ok().out;
        assert!(text.contains(shown), "{key}: {text}");
        // New requests for old keys: different octets, so that they are not replays.
        lab.keyrite(&format!("{make} --out {key}-2 --keys {key}")).ok();
        let path = "bundle/nodes/node-0/kubelet.csr";
        assert_ne!(lab.read(&format!("{key}/{path}")), lab.read(&format!("{key}-2/{path}")));
        lab.openssl(&format!("req -in {key}-2/{path} -noout -verify")).ok();
    }
}

#[test]
fn invalid_descriptions() {
    let lab = Lab::without_token();
    let refused = |from: &str, to: &str, texts: &[&str]| {
        assert!(KUBEADM.contains(from), "{from}");
        lab.write("cluster.toml", KUBEADM.replacen(from, to, 1));
        lab.keyrite("request cluster cluster.toml --out c").fails(2, texts);
        assert!(!lab.path("c").exists() && !lab.path("c.partial").exists());
    };
    for (from, to, text) in [
        ("layout =", "color = 1\nlayout =", "unknown field `color`"),
        ("\"192.168.7.11\"", "\"192.168.7.256\"", "invalid IP address syntax"),
        ("\"192.168.7.11\"", "\"192.168.7.10\"", "node cp-2: duplicate address 192.168.7.10"),
        ("\"192.168.7.11\"", "\"0.0.0.0\"", "node cp-2: address 0.0.0.0 cannot be a node's address"),
        ("\"192.168.7.11\"", "", "node cp-2: has no address"),
        ("\"cp-2\"", "\"cp-1\"", "duplicate node cp-1"),
        ("\"cp-2\"", "\"cp_2\"", "node: \"cp_2\" is not a DNS name"),
        ("\"cp-2\"", "\"CP-2\"", "node: \"CP-2\" is not a DNS name"),
        ("\"cp-2\"", "\"\"", "node: \"\" is not a DNS name"),
        ("\"cp-2\"", &format!("\"{}\"", "x".repeat(53)), "has 53 characters, but at most 52"),
        ("\"control-plane\", \"etcd\"", "", "node cp-1: has no role"),
        ("\"etcd\"", "\"control-plane\"", "node cp-1: duplicate role"),
        ("\"etcd\"", "\"master\"", "unknown variant `master`"),
        ("\"api.example.test:6443\"", "\"api.example.test:0\"", "has no valid port (1 to 65535)"),
        ("\"api.example.test:6443\"", "\"https://api\"", "endpoint"),
        ("\"api.example.test:6443\"", "\"[fd00::1\"", "endpoint"),
        ("\"10.96.0.0/12\", ", "\"10.96.0.0/12\", \"10.97.0.0/16\", ", "service_cidr has 3 networks"),
        ("\"10.96.0.0/12\"", "\"10.96.0.1/32\"", "service_cidr 10.96.0.1/32 has no address"),
        ("\"cluster.test\"", "\"cluster..test\"", "domain: \"cluster..test\" is not a DNS name"),
        ("\"api.internal.test\"", "\"*.internal.test\"", "extra_sans: \"*.internal.test\" is not a DNS name"),
        ("\"api.internal.test\"", "\"192.168.300.1\"", "is neither a DNS name nor an address"),
        ("\"kubeadm\"", "\"kops\"", "unknown variant `kops`"),
        ("layout =", "key = \"rsa-1024\"\nlayout =", "unknown variant `rsa-1024`"),
        (
            "[[node]]",
            "[authorities]\netcd = \"kubernetes-ca\"\n[[node]]",
            "authorities: duplicate name kubernetes-ca",
        ),
        ("\"prod-1\"", "\"prod/1\"", "must be 1 to 100"),
    ] {
        refused(from, to, &["cluster.toml: ", text]);
    }
    lab.write("cluster.toml", KUBEADM.replace("\"control-plane\", ", ""));
    lab.keyrite("request cluster cluster.toml --out c").fails(2, &["no node has the role control-plane"]);
    lab.write("cluster.toml", KUBEADM);
    lab.keyrite("request cluster cluster.toml --out c --node cp-9")
        .fails(2, &["node cp-9: not in the description, which has cp-1, cp-2, w-1"]);
    // Keys are never written to a tar.
    lab.keyrite("request cluster cluster.toml --out c.tar")
        .fails(2, &["choose a name that does not end in .tar"]);
    assert!(!lab.path("c.tar").exists() && !lab.path("c.tar.partial").exists());
    // Existing output is never overwritten.
    lab.write("c/nodes/cp-1/pki/apiserver.key", "precious");
    lab.keyrite("request cluster cluster.toml --out c").fails(2, &["output folder is not empty"]);
    assert_eq!(lab.files("c"), ["nodes/cp-1/pki/apiserver.key"]);
    assert_eq!(lab.read("c/nodes/cp-1/pki/apiserver.key"), "precious");
    // A failure leaves no output: here, missing keys.
    lab.write("cluster.toml", KUBEADM.replace("layout =", "reuse_keys = true\nlayout ="));
    lab.keyrite("request cluster cluster.toml --out d --keys c")
        .fails(2, &["c/nodes/cp-1/pki/apiserver.key: is not an RSA, P-256 or P-384 private key"]);
    assert!(!lab.path("d").exists() && !lab.path("d.partial").exists());
}
