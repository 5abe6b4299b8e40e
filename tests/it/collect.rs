//! Collecting kubeadm's requests, and checking them before the ceremony.

use crate::support::{self, Lab, P256};

/// Creates a folder as `kubeadm certs generate-csr --cert-dir new/pki --kubeconfig-dir new` does:
/// twelve requests, with keys and kubeconfigs.
fn generated() -> Lab {
    let lab = Lab::without_token();
    let api = "DNS:cp-1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:10.96.0.1,IP:192.168.0.10";
    let etcd = "DNS:cp-1,DNS:localhost,IP:192.168.0.10,IP:127.0.0.1,IP:::1";
    for (stem, subject, names) in [
        ("pki/apiserver", "/CN=kube-apiserver", api),
        ("pki/apiserver-kubelet-client", "/CN=kube-apiserver-kubelet-client", ""),
        ("pki/apiserver-etcd-client", "/CN=kube-apiserver-etcd-client", ""),
        ("pki/front-proxy-client", "/CN=front-proxy-client", ""),
        ("pki/etcd/server", "/CN=cp-1", etcd),
        ("pki/etcd/peer", "/CN=cp-1", etcd),
        ("pki/etcd/healthcheck-client", "/CN=kube-etcd-healthcheck-client", ""),
        ("admin.conf", "/O=kubeadm:cluster-admins/CN=kubernetes-admin", ""),
        ("super-admin.conf", "/O=system:masters/CN=kubernetes-super-admin", ""),
        ("controller-manager.conf", "/CN=system:kube-controller-manager", ""),
        ("scheduler.conf", "/CN=system:kube-scheduler", ""),
        ("kubelet.conf", "/O=system:nodes/CN=system:node:cp-1", ""),
    ] {
        lab.csr(&format!("new/{stem}.csr"), subject, names, P256);
        let key = lab.read(&format!("keys/new_{}.csr.key", stem.replace('/', "_")));
        let path = if stem.ends_with(".conf") { format!("new/{stem}") } else { format!("new/{stem}.key") };
        lab.write(&path, key);
    }
    lab
}

#[test]
fn kubeadm_requests_are_collected_checked_and_signed() {
    let lab = generated();
    lab.write("new/pki/notes of today.txt", "a name that does not travel\n");
    lab.run("ln", &["-s", "../../precious", "new/pki/link.csr"]).ok();
    let ran = lab.keyrite("request collect new --out cp-1.tar --cluster c1 --part cp-1 --sequence 5").ok();
    assert!(
        ran.out.contains("12 requests in cp-1.tar, sequence 5; 13 other files not collected"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("not followed: pki/link.csr"), "{}", ran.out);
    let names = lab.run("tar", &["-tf", "cp-1.tar"]).ok().out;
    let names: Vec<&str> = names.lines().collect();
    assert_eq!(names.len(), 13);
    assert_eq!(names[0], "bundle.json", "a tar is read once");
    assert!(names[1..].iter().all(|name| name.ends_with(".csr")) && names.contains(&"pki/etcd/peer.csr"));
    lab.ceremony_files();
    let check = lab.keyrite("request check cp-1.tar --script ceremony/kubernetes-sign.toml").ok();
    assert!(check.out.contains("12 would be issued, 0 refused"), "{}", check.out);
    let json = lab.keyrite("request check cp-1.tar --script ceremony/kubernetes-sign.toml --json").ok().out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["requests"].as_array().unwrap().len(), 12);
    assert_eq!(json["indexes"][0]["cluster"], "c1");
    // The ceremony agrees.
    lab.init_token("lab");
    lab.ceremony("ceremony/kubernetes-roots.toml", "--rehearsal --out roots").ok();
    let ran = lab.ceremony("ceremony/kubernetes-sign.toml", "--rehearsal --in cp-1.tar --out out").ok();
    assert!(ran.out.contains("12 certificates issued, 0 requests refused"), "{}", ran.out);
    let digest = lab.manifest("out")["bundle_sha256"].as_str().unwrap().to_owned();
    assert_eq!(json["bundle_sha256"], digest);
    for line in check.out.lines().filter(|line| line.starts_with("  issue ")) {
        assert!(ran.out.contains(line), "{line}");
    }
}

#[test]
fn check_agrees_with_the_ceremony() {
    let lab = generated();
    lab.csr("new/pki/stranger.csr", "/CN=stranger", "", P256);
    lab.csr("new/scheduler.conf.csr", "/O=system:masters/CN=system:kube-scheduler", "", P256);
    lab.run("cp", &["new/pki/etcd/server.csr", "new/pki/etcd/peer.csr"]).ok();
    lab.keyrite("request collect new --out bundle").ok();
    lab.ceremony_files();
    let check = lab.keyrite("request check bundle --script ceremony/kubernetes-sign.toml");
    let check = check.fails(1, &["4 of 13 requests would be refused"]);
    lab.init_token("lab");
    lab.ceremony("ceremony/kubernetes-roots.toml", "--rehearsal --out roots").ok();
    lab.ceremony("ceremony/kubernetes-sign.toml", "--rehearsal --in bundle --out out").ok();
    let manifest = lab.manifest("out");
    let mut reasons = 0;
    for refusal in manifest["refusals"].as_array().unwrap() {
        for reason in refusal["reasons"].as_array().unwrap() {
            let line = format!(
                "  refused {}: {} [{}]",
                refusal["request_path"].as_str().unwrap(),
                reason["message"].as_str().unwrap(),
                reason["control"].as_str().unwrap()
            );
            assert!(check.out.contains(&line), "{line}");
            reasons += 1;
        }
    }
    assert_eq!(check.out.matches("  refused ").count(), reasons);
    let json = lab.keyrite("request check bundle --script ceremony/kubernetes-sign.toml --json");
    assert_eq!(json.code, 1);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["refused"], 4);
    // Errors of the whole bundle; inputs that are not a bundle or a script.
    lab.write("bundle/pki/more.csr", "");
    lab.keyrite("request check bundle --script ceremony/kubernetes-sign.toml")
        .fails(1, &["pki/more.csr: not listed in bundle.json", "[BUNDLE-INDEX]"]);
    lab.keyrite("request check none --script ceremony/kubernetes-sign.toml")
        .fails(3, &["none: No such file"]);
    lab.keyrite("request check bundle --script ceremony/kubernetes-roots.toml")
        .fails(2, &["kubernetes-roots.toml: the script imports no bundle"]);
}

#[test]
fn unsafe_files_are_not_collected() {
    let lab = generated();
    let before = lab.files("new");
    // A file to be collected contains a private key.
    let key = lab.read("new/pki/apiserver.key");
    let request = lab.read("new/pki/apiserver.csr");
    lab.write("new/pki/apiserver.csr", format!("{request}{key}"));
    for out in ["bundle", "bundle.tar"] {
        lab.keyrite(&format!("request collect new --out {out}")).fails(
            1,
            &[
                "pki/apiserver.csr: contains a PRIVATE KEY (PEM), which must not leave this machine",
                "[BUNDLE-PRIVATE-KEY]",
            ],
        );
        assert!(!lab.path(out).exists() && !lab.path(&format!("{out}.partial")).exists());
    }
    lab.write("new/pki/apiserver.csr", request);
    // Names that are not portable, and a file too large for a request.
    lab.write("new/pki/two words.csr", "");
    lab.keyrite("request collect new --out bundle").fails(1, &["two words.csr", "[MEDIA-NAME]"]);
    lab.run("rm", &["new/pki/two words.csr"]).ok();
    lab.write("new/pki/large.csr", "x".repeat(65_537));
    lab.keyrite("request collect new --out bundle").fails(1, &["pki/large.csr: larger than 65536 octets"]);
    lab.run("rm", &["new/pki/large.csr"]).ok();
    lab.run("ln", &["new/admin.conf.csr", "new/twin.csr"]).ok();
    lab.keyrite("request collect new --out bundle").fails(1, &["[MEDIA-TYPE]"]);
    lab.run("rm", &["new/twin.csr"]).ok();
    // Folders that would exhaust descriptors and stack.
    lab.run("mkdir", &["-p", &format!("new/deep{}", "/d".repeat(70))]).ok();
    lab.keyrite("request collect new --out bundle")
        .fails(1, &["folders are nested more than 64 deep", "[MEDIA-NAME]"]);
    lab.run("rm", &["-r", "new/deep"]).ok();
    // An empty folder, a missing folder, an existing output.
    lab.run("mkdir", &["empty"]).ok();
    lab.keyrite("request collect empty --out bundle")
        .fails(1, &["empty: contains no *.csr files", "[BUNDLE-EMPTY]"]);
    lab.keyrite("request collect absent --out bundle").fails(3, &["absent: No such file"]);
    lab.write("taken/precious", "ours");
    lab.keyrite("request collect new --out taken").fails(2, &["output folder is not empty"]);
    lab.write("taken.tar", "ours");
    lab.keyrite("request collect new --out taken.tar").fails(2, &["taken.tar: exists"]);
    lab.keyrite("request collect new --out bundle --cluster a/b").fails(2, &["must be 1 to 100"]);
    lab.keyrite("request collect new --out bundle --sequence 0").fails(2, &["sequence is 0"]);
    assert_eq!(lab.read("taken/precious") + &lab.read("taken.tar"), "oursours");
    assert_eq!(lab.files("new"), before, "the folder is as it was");
    assert!(!lab.path("bundle").exists());
}

/// A disk that fails at the end is a fault and leaves no partial output.
#[test]
fn failing_disk_leaves_no_output() {
    let lab = generated();
    lab.write("cluster.toml", std::fs::read(support::repository().join("ceremony/cluster.toml")).unwrap());
    for (call, arguments, out) in [
        ("syncfs", "request collect new --out bundle", "bundle"),
        ("fsync", "request collect new --out bundle.tar", "bundle.tar"),
        ("syncfs", "request cluster cluster.toml --out c", "c"),
        ("mkdir", "request cluster cluster.toml --out c", "c"),
    ] {
        let mut words = vec!["-f", "-qq", "-o", "/dev/null"];
        let inject = format!("inject={call}:error=ENOSPC:when=1+");
        words.extend(["-e", &inject, env!("CARGO_BIN_EXE_keyrite")]);
        words.extend(arguments.split(' '));
        lab.run("strace", &words).fails(3, &["No space left on device"]);
        assert!(
            !lab.path(out).exists() && !lab.path(&format!("{out}.partial")).exists(),
            "{call}: {arguments}"
        );
    }
    // The rest of an interrupted run is reported and never used as a bundle.
    lab.write("bundle.partial/x", "");
    lab.keyrite("request collect new --out bundle")
        .fails(1, &["bundle.partial: exists; an interrupted run left it"]);
}
