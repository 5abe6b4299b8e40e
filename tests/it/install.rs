//! `keyrite install`: all files of a node are installed, or none.

use crate::support::cluster::{KUBECONFIGS, PKI, kubeconfig};
use crate::support::{Lab, Ran};

/// Creates a cluster whose first node is signed: `node`, `bundle`, `release` (number 2).
fn signed() -> Lab {
    let lab = Lab::cluster();
    lab.control_plane("node", "bundle");
    lab.sign_cluster("bundle", "release").ok();
    lab
}

fn public_of_key(lab: &Lab, key: &str) -> String {
    lab.openssl(&format!("pkey -in {key} -pubout")).ok().out
}

fn public_of_certificate(lab: &Lab, certificate: &str) -> String {
    lab.openssl(&format!("x509 -in {certificate} -noout -pubkey")).ok().out
}

/// Runs keyrite as the child of a shell that prepares a mount namespace.
fn in_namespace(lab: &Lab, prepare: &str, command: &str) -> Ran {
    let script = format!("{prepare} && exec {} {command}", env!("CARGO_BIN_EXE_keyrite"));
    lab.run("unshare", &["--mount", "sh", "-c", &script])
}

const INSTALL: &str = "install release --root roots/authorities/kubernetes-ca.crt --pki node/pki";

#[test]
fn release_is_installed_and_undone() {
    let lab = signed();
    lab.run("chown", &["1234:1234", "node/admin.conf"]).ok();
    let bare = lab.listing("node");
    let dry = lab.install("release", "node", "--dry-run").ok();
    assert!(
        dry.out.contains("DRY RUN: nothing was changed; the release would be installed, but UNATTENDED")
            && dry.out.contains("pki/apiserver.crt: kube-apiserver"),
        "{dry:?}"
    );
    assert_eq!(lab.listing("node"), bare, "a dry run changed something");

    let ran = lab.install("release", "node", "").ok();
    assert_eq!(ran.out.lines().last(), Some("INSTALLED, but UNATTENDED: the answers came from a file"));
    for part in ["restart    etcd, kube-apiserver", "kubelet: systemctl restart kubelet"] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    assert!(!ran.out.contains("sa.key"), "no certificate belongs to it: {}", ran.out);
    for (stem, _, _) in PKI {
        let (key, certificate) = (format!("node/pki/{stem}.key"), format!("node/pki/{stem}.crt"));
        assert_eq!(public_of_key(&lab, &key), public_of_certificate(&lab, &certificate), "{stem}");
        let ca = match stem {
            "front-proxy-client" => "front-proxy-ca.crt",
            other if other.contains("etcd") => "etcd/ca.crt",
            _ => "ca.crt",
        };
        lab.openssl(&format!("verify -x509_strict -CAfile node/pki/{ca} {certificate}")).ok();
    }
    for (name, _) in KUBECONFIGS {
        let text = lab.read(&format!("node/{name}"));
        for field in ["certificate-authority-data", "client-certificate-data", "client-key-data"] {
            assert_eq!(text.matches(field).count(), 1, "{name}: {text}");
        }
    }
    let installed = lab.listing("node");
    let keys = |listing: &str| {
        let lines: Vec<String> = listing
            .lines()
            .filter(|line| line.trim_end().ends_with(".key") || line.contains(".key f "))
            .map(str::to_owned)
            .collect();
        lines
    };
    assert_eq!(keys(&installed), keys(&bare), "a key was touched");
    assert!(installed.contains("pki/apiserver.crt f 644"));
    assert!(
        installed.contains(
            "
admin.conf f 600 1234:1234"
        ),
        "mode and owner are kept: {installed}"
    );

    let again = lab.install("release", "node", "").ok();
    assert_eq!(
        again.out.lines().last(),
        Some(
            "NOTHING TO DO: this release is already installed, but UNATTENDED: the answers came from a file"
        )
    );
    assert_eq!(lab.listing("node"), installed, "the second run changed something");

    let undone = lab.keyrite("install undo --pki node/pki").ok();
    assert!(undone.out.contains("restore    ") && undone.out.contains("admin.conf"), "{undone:?}");
    assert_eq!(lab.listing("node"), bare, "undo left something");
    lab.keyrite("install undo --pki node/pki").fails(1, &["there is no installation to undo"]);
}

/// `/etc/kubernetes` instead of `/etc/kubernetes/pki`, where no path would match.
#[test]
fn parent_of_pki_folder_is_rejected() {
    let lab = signed();
    let before = lab.listing("node");
    let install = |pki: &str, more: &str| {
        let root = "--root roots/authorities/kubernetes-ca.crt";
        lab.keyrite(&format!("install release {root} --pki {pki} {more}"))
    };
    let key = "pki/apiserver-etcd-client.key: is a private key in a folder pki below --pki";
    install("node", "").fails(1, &[key, "name that folder: --pki /", "node/pki\n", "Nothing was changed"]);
    install(".", "--dry-run").fails(1, &["node/pki/apiserver-etcd-client.key", "/node/pki\n"]);
    assert_eq!(lab.listing("node"), before);
    // A worker's only key is in its kubeconfig.
    lab.run(
        "sh",
        &["-c", "mkdir -p worker/pki flat && cp node/kubelet.conf worker && cp node/kubelet.conf flat"],
    )
    .ok();
    install("worker", "")
        .fails(1, &["worker/kubelet.conf: is a kubeconfig in the folder of keys", "worker/pki\n"]);
    install("flat", "").fails(1, &["flat/kubelet.conf: is a kubeconfig", "--kubeconfig-dir /"]);
    install("flat", "--kubeconfig-dir flat").ok();
    let ran = install("worker/pki", "").ok();
    let told: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("restart")).collect();
    assert!(told[0].starts_with("restart    kubelet: ") && told[1].starts_with("restart    kube-proxy: "));
    assert_eq!(told.len(), 2, "a worker has no control plane: {told:?}");
}

/// A node receives only its own certificates, and a replaced file that is not one is kept.
#[test]
fn node_receives_only_its_own_certificates() {
    let lab = signed();
    lab.run(
        "sh",
        &[
            "-c",
            "mkdir -p worker/pki && mv node/kubelet.conf worker/ && mkdir other && mv node/pki/etcd other/ ",
        ],
    )
    .ok();
    lab.write("worker/pki/ca.crt", lab.read("roots/authorities/kubernetes-ca.crt"));
    lab.write("node/pki/apiserver.crt", "something of ours\n");
    let ran = lab.install("release", "worker", "").ok();
    assert!(ran.out.contains("unchanged") && ran.out.contains("left out   and 1 more"), "{}", ran.out);
    assert_eq!(
        lab.files("worker/pki"),
        [
            ".keyrite/000001-".to_owned() + &generation(&lab, "worker") + "/undo.json",
            ".keyrite/installed.json".into(),
            "ca.crt".into(),
        ]
    );
    let ran = lab.install("release", "node", "").ok();
    assert!(ran.out.contains("apiserver.crt: contains no PEM block; it is kept in .keyrite"), "{}", ran.out);
    let kept = lab.run("grep", &["-rl", "something of ours", "node/pki/.keyrite"]).ok();
    assert_eq!(kept.out.lines().count(), 1);
    // Modified since: undo does not touch it.
    lab.write("node/pki/apiserver.crt", "changed\n");
    let before = lab.listing("node");
    lab.keyrite("install undo --pki node/pki")
        .fails(1, &["apiserver.crt: has been changed since", "Nothing was changed"]);
    assert_eq!(lab.listing("node"), before);
}

fn generation(lab: &Lab, node: &str) -> String {
    let names = lab.run("ls", &[&format!("{node}/pki/.keyrite")]).ok().out;
    names.lines().next().unwrap().split('-').nth(1).unwrap().to_owned()
}

#[test]
fn modified_release_is_not_installed() {
    let lab = signed();
    let bare = lab.listing("node");
    for (change, needle) in [
        ("sed -i 's/^M/N/' certificates/pki/apiserver.crt", "apiserver.crt"),
        ("truncate -s -20 certificates/pki/etcd/peer.crt", "peer.crt"),
        ("rm certificates/scheduler.conf.crt", "scheduler.conf.crt"),
        ("cp certificates/pki/apiserver.crt certificates/pki/more.crt", "more.crt: is not in the manifest"),
        ("sed -i s/unattended/Unattended/ manifest.json", "does not cover this manifest"),
    ] {
        lab.run("sh", &["-c", &format!("rm -rf bad && cp -r release bad && cd bad && {change}")]).ok();
        lab.install("bad", "node", "").fails(1, &[needle, "NOT VERIFIED"]);
        assert_eq!(lab.listing("node"), bare, "{change}");
    }
    lab.run("tar", &["-cf", "whole.tar", "-C", "release", "."]).ok();
    lab.run("sh", &["-c", "head -c 9000 whole.tar > cut.tar"]).ok();
    lab.install("cut.tar", "node", "").fails(1, &["NOT VERIFIED"]);
    lab.keyrite("install release --root-sha256 11 --pki node/pki").fails(2, &["64 hexadecimal digits"]);
    let other = "11".repeat(32);
    lab.keyrite(&format!("install release --root-sha256 {other} --pki node/pki")).fails(1, &[&other]);
    lab.keyrite("install release --pki node/pki").fails(2, &["--root"]);
    lab.install("release", "absent", "").fails(3, &["absent/pki"]);
    assert_eq!(lab.listing("node"), bare);
}

/// Rehearsals, other keys, older releases, forks, and installed certificates that are newer.
#[test]
fn unsuitable_release_is_not_installed() {
    let lab = signed();
    let bare = lab.listing("node");
    lab.keyrite("rehearse --out show").ok();
    let root = lab.fingerprint("show/release/authorities/kubernetes-ca.crt");
    let show = |node: &str, more: &str| {
        lab.keyrite(&format!("install show/release --root-sha256 {root} --pki {node}/pki {more}"))
    };
    show("node", "").fails(1, &["REHEARSAL", "--rehearsal"]);
    show("node", "--rehearsal").fails(1, &["none of the 20 certificates in this release is for any of them"]);
    lab.install("release", "node", "--rehearsal").fails(1, &["this release is not a rehearsal"]);
    assert_eq!(lab.listing("node"), bare);
    let marked = show("show/cluster/nodes/cp-1", "--rehearsal").ok();
    assert!(
        marked.out.ends_with("INSTALLED, but a REHEARSAL: this target is for rehearsals only\n"),
        "{marked:?}"
    );

    // A second set of keys, and release 3 for it.
    lab.control_plane("next", "bundle3");
    lab.sign_cluster("bundle3", "release3").ok();
    lab.install("release3", "node", "").fails(1, &["none of the 12 certificates"]);
    lab.install("release", "node", "").ok();
    let second = lab.listing("node");
    show("node", "--rehearsal").fails(1, &["has a release of kind Production"]);
    // The new keys are installed with their certificates; then the old release is old.
    lab.run(
        "sh",
        &["-c", "cd next && for f in $(find . -name '*.key' -o -name '*.conf'); do cp $f ../node/$f; done"],
    )
    .ok();
    lab.install("release3", "node", "").ok();
    let third = lab.listing("node");
    lab.install("release", "node", "")
        .fails(1, &["this release is number 2, but number 3 was installed at", "undo"]);
    assert_eq!(lab.listing("node"), third);
    lab.keyrite("install undo --pki node/pki").ok();
    assert_ne!(lab.listing("node"), third);
    lab.install("release", "node", "").fails(1, &["none of the 12 certificates"]);
    // Another release with the installed number, and one with another predecessor.
    let record = lab.path("node/pki/.keyrite/installed.json");
    let text = std::fs::read_to_string(&record).unwrap();
    let digest = lab.manifest("release3")["previous_manifest_sha256"].as_str().unwrap().to_owned();
    assert!(text.contains(&digest));
    std::fs::write(&record, text.replace(&digest, &"22".repeat(32))).unwrap();
    lab.install("release3", "node", "").fails(1, &["follows a release 2 other than the installed one"]);
    std::fs::write(
        &record,
        text.replace(&digest, &"22".repeat(32)).replace("\"sequence\": 2", "\"sequence\": 3"),
    )
    .unwrap();
    lab.install("release3", "node", "").fails(1, &["two different releases have number 3"]);
    std::fs::write(&record, "{}").unwrap();
    lab.install("release3", "node", "").fails(1, &["installed.json"]);
    assert!(second.contains("installed.json"));
}

#[test]
fn newer_certificate_is_kept() {
    let lab = signed();
    let clock =
        "req -x509 -key node/pki/apiserver.key -subj /CN=kube-apiserver -days 20 -out node/pki/apiserver.crt";
    let later = |arguments: &str| lab.run_at("+3d", "openssl", arguments);
    later(clock).ok();
    let before = lab.listing("node");
    lab.install("release", "node", "").fails(
        1,
        &["pki/apiserver.crt: has a certificate valid from", "a newer certificate is not replaced"],
    );
    assert_eq!(lab.listing("node"), before);
    // The same inside a kubeconfig.
    std::fs::remove_file(lab.path("node/pki/apiserver.crt")).unwrap();
    lab.run("sh", &["-c", "sed -n 's/.*client-key-data: //p' node/admin.conf | base64 -d > admin.key"]).ok();
    later("req -x509 -key admin.key -subj /CN=kubernetes-admin -days 20 -out admin.crt").ok();
    lab.run(
        "sh",
        &["-c", "printf '    client-certificate-data: %s\\n' $(base64 -w0 admin.crt) >> node/admin.conf"],
    )
    .ok();
    let before = lab.listing("node");
    lab.install("release", "node", "").fails(1, &["admin.conf: has a certificate valid from"]);
    assert_eq!(lab.listing("node"), before);
    // Before and after the validity of the certificates.
    for (time, needle) in [("-3d", "the clock says"), ("+3y", "the clock says")] {
        lab.run_at(time, env!("CARGO_BIN_EXE_keyrite"), INSTALL).fails(1, &[needle, "is valid from"]);
        assert_eq!(lab.listing("node"), before);
    }
}

#[test]
fn foreign_kubeconfig_stops_installation() {
    let lab = signed();
    let good = lab.read("node/admin.conf");
    let bare = lab.listing("node");
    let other = kubeconfig("someone", &lab.read("node/pki/sa.key"));
    let two = good.replace("users:\n", "users:\n- name: other\n  user:\n    token: abc\n");
    let many = good.replace("clusters:\n", "clusters:\n- name: b\n  cluster:\n    server: https://b\n");
    let bomb = format!(
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [{0}]\nc: &c [{1}]\nd: &d [{2}]\ne: &e [{3}]\nf: &f [{4}]\ng: [{5}]\n",
        ["*a"; 9].join(","),
        ["*b"; 9].join(","),
        ["*c"; 9].join(","),
        ["*d"; 9].join(","),
        ["*e"; 9].join(","),
        ["*f"; 9].join(",")
    );
    let doubled = good.clone() + "kind: Config\n";
    for (text, needle) in [
        (other.as_str(), "this release has no certificate for its key, and it has none yet"),
        (two.as_str(), "has 2 entries in users"),
        (many.as_str(), "has 2 entries in clusters"),
        ("nameserver 10.0.0.1\n", "is not a kubeconfig"),
        ("apiVersion: v1\nkind: Pod\n", "kind is \"Pod\""),
        ("{", "is not a kubeconfig"),
        (bomb.as_str(), "is not a kubeconfig"),
        (doubled.as_str(), "is not a kubeconfig"),
        (
            &good.replace("    server:", "    insecure-skip-tls-verify: true\n    server:"),
            "insecure-skip-tls-verify",
        ),
        (&good.replace("client-key-data: ", "client-key-data: !!"), "client-key-data"),
    ] {
        lab.write("node/admin.conf", text);
        let before = lab.listing("node");
        lab.install("release", "node", "").fails(1, &["node/admin.conf: ", needle, "Nothing was changed"]);
        assert_eq!(lab.listing("node"), before, "{needle}");
    }
    // Unknown fields are kept; references to files are replaced by embedded data.
    let richer = good
        .replace(
            "    server:",
            "    certificate-authority: /nowhere/ca.crt\n    proxy-url: http://10.0.0.9:3128\n    server:",
        )
        .replace(
            "preferences: {}",
            "preferences:\n  colors: true\nextensions:\n- name: mine\n  extension: [1, 2.5, \"yes\", null]",
        );
    lab.write("node/admin.conf", richer);
    lab.install("release", "node", "").ok();
    let text = lab.read("node/admin.conf");
    for part in ["proxy-url", "colors: true", "name: mine", "\"yes\"", "2.5"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("/nowhere/ca.crt"));
    // A complete kubeconfig that a later release does not change is kept as it is.
    lab.keyrite("install undo --pki node/pki").ok();
    lab.write("node/admin.conf", good);
    assert_eq!(lab.listing("node"), bare);
}

/// Unreadable keys, links in the target, and confusable certificates.
#[test]
fn untrusted_keys_and_links() {
    let lab = signed();
    let bare = lab.listing("node");
    for (key, needle) in [
        ("-----BEGIN PRIVATE KEY-----\nMIGH\n", "PRIVATE KEY"),
        ("none\n", "contains 0 private keys"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGH\n-----END ENCRYPTED PRIVATE KEY-----\n", "encrypted"),
    ] {
        lab.write("node/pki/odd.key", key);
        let before = lab.listing("node");
        lab.install("release", "node", "").fails(1, &["pki/odd.key: ", needle, "move it away"]);
        assert_eq!(lab.listing("node"), before);
    }
    std::fs::remove_file(lab.path("node/pki/odd.key")).unwrap();
    let traced = format!(
        "-f -o /dev/null -P {} -e trace=openat2 -e inject=openat2:error=EIO {} {INSTALL}",
        lab.path("node/pki/apiserver.key").display(),
        env!("CARGO_BIN_EXE_keyrite")
    );
    let traced =
        traced.replace(&format!("{}", lab.path("node/pki/apiserver.key").display()), "apiserver.key");
    lab.run("strace", &traced.split(' ').collect::<Vec<_>>()).fails(3, &["apiserver.key"]);
    assert_eq!(lab.listing("node"), bare);

    lab.write("elsewhere/precious", "precious\n");
    std::os::unix::fs::symlink("../../elsewhere/precious", lab.path("node/pki/apiserver.crt")).unwrap();
    let before = lab.listing(".");
    lab.install("release", "node", "").fails(1, &["pki/apiserver.crt: is a symbolic link"]);
    assert_eq!(lab.listing("."), before);
    std::fs::remove_file(lab.path("node/pki/apiserver.crt")).unwrap();
    // Keys in a linked folder are not searched, and nothing is written through the link.
    lab.run("sh", &["-c", "mv node/pki/etcd elsewhere/etcd && ln -s ../../elsewhere/etcd node/pki/etcd"])
        .ok();
    let before = lab.listing(".");
    lab.install("release", "node", "").fails(1, &["etcd", "a symbolic link"]);
    assert_eq!(lab.listing("."), before);
}

#[test]
fn full_or_read_only_disk_leaves_target_unchanged() {
    let lab = signed();
    let bare = lab.listing("node");
    in_namespace(&lab, "mount --bind node node && mount -o remount,bind,ro node", INSTALL)
        .fails(3, &["node/pki", "Read-only file system"]);
    assert_eq!(lab.listing("node"), bare);
    // A small disk with less and less free space.
    let list = "(cd small && find . -printf '%P %y %m\\n' | LC_ALL=C sort && find . -type f | LC_ALL=C sort | xargs sha256sum)";
    let mut refused = 0;
    for pages in [18, 20, 22, 26, 30, 34, 40, 48] {
        let prepare = format!(
            "mkdir -p small && mount -t tmpfs -o size={}k tmpfs small && cp -a node/. small/ && {list} > small.before && (trap '{list} > small.after' EXIT; {} {}; code=$?; {list} > small.after; exit $code); exit $?",
            pages * 4,
            env!("CARGO_BIN_EXE_keyrite"),
            INSTALL.replace("node/pki", "small/pki"),
        );
        let ran = lab.run("unshare", &["--mount", "sh", "-c", &prepare]);
        if ran.err.contains("cp: ") {
            continue;
        }
        if ran.code == 0 {
            break;
        }
        refused += 1;
        ran.fails_somehow(3, &["No space left on device"]);
        assert_eq!(lab.read("small.before"), lab.read("small.after"), "{pages} pages");
    }
    assert!(refused > 2, "the disk was never full: {refused}");
}

/// Killed at each rename and sync: the next run rolls back, then installs.
#[test]
fn killed_at_each_step() {
    let lab = signed();
    let bare = lab.listing("node");
    lab.run("cp", &["-a", "release", "changed"]).ok();
    lab.run("sh", &["-c", "echo >> changed/transcript.jsonl"]).ok();
    lab.install("release", "node", "").ok();
    let whole = without_times(&lab.listing("node"));
    lab.keyrite("install undo --pki node/pki").ok();
    for (call, all) in [("renameat", true), ("linkat", false), ("fsync", false), ("unlinkat", false)] {
        let mut killed = 0;
        let numbers: Vec<usize> = if all { (1..40).collect() } else { vec![1, 2, 3, 5, 8, 13, 21, 34] };
        for at in numbers {
            let traced = format!(
                "-f -o /dev/null -e trace={call} -e inject={call}:signal=SIGKILL:when={at} {} {INSTALL}",
                env!("CARGO_BIN_EXE_keyrite")
            );
            let ran = lab.run("strace", &traced.split(' ').collect::<Vec<_>>());
            if ran.code == 0 {
                lab.keyrite("install undo --pki node/pki").ok();
                break;
            }
            killed += 1;
            // A run that installs nothing still rolls back.
            let repaired = lab.install("changed", "node", "");
            repaired.fails(1, &["NOT VERIFIED"]);
            let now = lab.listing("node");
            if now.contains("undo.json") {
                // Killed after the installation was complete.
                assert_eq!(without_times(&now), whole, "{call} {at}");
                lab.keyrite("install undo --pki node/pki").ok();
            }
            assert_eq!(lab.listing("node"), bare, "{call} {at}");
        }
        assert!(killed > 2, "{call} was hit {killed} times");
    }
    // The next run recovers by itself.
    let traced = format!(
        "-f -o /dev/null -e trace=renameat -e inject=renameat:signal=SIGKILL:when=6 {} {INSTALL}",
        env!("CARGO_BIN_EXE_keyrite")
    );
    lab.run("strace", &traced.split(' ').collect::<Vec<_>>());
    lab.install("release", "node", "--dry-run").fails(1, &["an installation was interrupted here"]);
    let ran = lab.install("release", "node", "").ok();
    assert!(ran.out.starts_with("restored   "), "{}", ran.out);
    let now = lab.listing("node");
    assert_eq!(without_times(&now), whole);
}

/// Lists a folder without the digests of keyrite's own files, whose record has a time.
fn without_times(listing: &str) -> String {
    let lines = listing.lines().filter(|line| !(line.contains("/.keyrite/") && line.len() > 64));
    lines
        .map(|line| {
            format!(
                "{line}
"
            )
        })
        .collect()
}

/// Failing calls: everything is rolled back at once, or otherwise by the next run.
#[test]
fn failing_calls_leave_target_unchanged() {
    let lab = signed();
    let bare = lab.listing("node");
    for (call, error) in [("renameat", "EIO"), ("linkat", "EMLINK"), ("fsync", "EIO"), ("mkdirat", "EDQUOT")]
    {
        let mut failed = 0;
        for at in [1, 2, 3, 5, 8, 13, 18] {
            let traced = format!(
                "-f -o /dev/null -e trace={call} -e inject={call}:error={error}:when={at} {} {INSTALL}",
                env!("CARGO_BIN_EXE_keyrite")
            );
            let ran = lab.run("strace", &traced.split(' ').collect::<Vec<_>>());
            if ran.code != 0 {
                failed += 1;
                ran.fails_somehow(3, &["node"]);
                let now = lab.listing("node");
                if now.contains("undo.json") {
                    lab.keyrite("install undo --pki node/pki").ok();
                }
                assert_eq!(lab.listing("node"), bare, "{call} {at}");
            } else {
                lab.keyrite("install undo --pki node/pki").ok();
            }
        }
        assert!(failed > 0, "{call} never failed");
    }
    let traced = format!(
        "-f -o /dev/null -e trace=renameat -e inject=renameat:error=EIO:when=14+ {} {INSTALL}",
        env!("CARGO_BIN_EXE_keyrite")
    );
    lab.run("strace", &traced.split(' ').collect::<Vec<_>>())
        .fails(3, &["could not be rolled back", "run the same command again"]);
    assert_ne!(lab.listing("node"), bare);
    lab.keyrite("install undo --pki node/pki").fails(1, &["there is no installation to undo"]);
    assert_eq!(lab.listing("node"), bare);
}

/// A call that fails once the changes are in effect does not make it look as if nothing had changed.
#[test]
fn failing_calls_after_the_change_are_reported_as_such() {
    let lab = signed();
    let bare = lab.listing("node");
    let attempt = |at: usize, command: &str| {
        let traced = format!(
            "-f -o /dev/null -e trace=fsync -e inject=fsync:error=EIO:when={at} {} {command}",
            env!("CARGO_BIN_EXE_keyrite")
        );
        lab.run("strace", &traced.split(' ').collect::<Vec<_>>())
    };
    for (command, back, says) in [
        (INSTALL, "install undo --pki node/pki", "everything is installed, but a power failure could"),
        ("install undo --pki node/pki", INSTALL, "everything is undone, but a power failure could"),
    ] {
        let mut late = 0;
        for at in 1.. {
            let before = lab.listing("node") == bare;
            let ran = attempt(at, command);
            let changed = (lab.listing("node") == bare) != before;
            assert_eq!(ran.code == 0 || ran.err.contains(says), changed, "{command} {at}: {ran:?}");
            late += usize::from(ran.code != 0 && changed);
            if ran.code == 0 {
                break;
            }
            if changed {
                lab.keyrite(back).ok();
            }
        }
        assert!(late > 0, "{command}: no call failed late");
        lab.keyrite(INSTALL).ok();
    }
}

/// Journals that another user could have written are not used.
#[test]
fn untrusted_journals_are_not_used() {
    let lab = signed();
    lab.write("victim/file", "precious\n");
    let digest = lab.run("sha256sum", &["victim/file"]).ok().out;
    let digest = digest.split(' ').next().unwrap();
    let victim = lab.path("victim");
    let journal = format!(
        r#"{{"format":"keyrite-journal-1","id":"000001-{0}","made":[],"entries":[{{"folder":"{1}","path":"file","before":null,"after":"{digest}"}}]}}"#,
        "0".repeat(12),
        victim.display()
    );
    lab.write("node/pki/.keyrite/journal.json", &journal);
    lab.run("chmod", &["700", "node/pki/.keyrite"]).ok();
    lab.install("release", "node", "").fails(1, &["also changed files in", "victim"]);
    for path in ["../../victim/file", "/etc/hostname"] {
        let escaping = journal
            .replace(&format!("\"{}\"", victim.display()), "null")
            .replace("\"file\"", &format!("{path:?}"));
        lab.write("node/pki/.keyrite/journal.json", escaping);
        lab.install("release", "node", "").fails(3, &["is not below its folder"]);
    }
    assert_eq!(lab.read("victim/file"), "precious\n");
    lab.write("node/pki/.keyrite/journal.json", &journal);
    for (owner, mode) in [("1234", "700"), ("0", "777")] {
        lab.run("chown", &[owner, "node/pki/.keyrite"]).ok();
        lab.run("chmod", &[mode, "node/pki/.keyrite"]).ok();
        lab.install("release", "node", "").fails(1, &["pki/.keyrite: is owned by user", "not trusted"]);
        lab.keyrite("install undo --pki node/pki").fails(1, &["not trusted"]);
    }
    assert_eq!(lab.read("victim/file"), "precious\n");
}

/// Concurrent installations: the second does not wait and changes nothing.
#[test]
fn concurrent_installations() {
    let lab = signed();
    let bare = lab.listing("node");
    let lock = "import fcntl,os,sys;d=os.open('node/pki',os.O_RDONLY);fcntl.flock(d,fcntl.LOCK_EX);print('held',flush=True);sys.stdin.read()";
    let mut holder = lab.command("python3", &["-c", lock]);
    holder.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().unwrap()), &mut line)
        .unwrap();
    lab.install("release", "node", "").fails(3, &["another installation is in progress here"]);
    assert_eq!(lab.listing("node"), bare);
    drop(holder.stdin.take());
    holder.wait().unwrap();
    lab.install("release", "node", "").ok();
}

/// New keys are installed and undone together with their certificates.
#[test]
fn renewal_installs_keys_with_certificates() {
    let lab = signed();
    lab.install("release", "node", "").ok();
    lab.run("chown", &["1234:1234", "node/pki/etcd/server.key"]).ok();
    let old = lab.listing("node");
    lab.control_plane("next", "bundle3");
    lab.write("next/pki/extra.key", lab.read("next/pki/sa.key"));
    lab.sign_cluster("bundle3", "release3").ok();
    let renewal = lab.listing("next");
    lab.install("release3", "node", "--renewal next --dry-run").ok();
    assert_eq!(lab.listing("node"), old);
    // Killed in the middle and rolled back.
    let traced = format!(
        "-f -o /dev/null -e trace=renameat -e inject=renameat:signal=SIGKILL:when=9 {} install release3 --root roots/authorities/kubernetes-ca.crt --pki node/pki --renewal next",
        env!("CARGO_BIN_EXE_keyrite")
    );
    assert_eq!(lab.run("strace", &traced.split(' ').collect::<Vec<_>>()).code, -1);
    assert_ne!(lab.listing("node"), old);
    lab.install("release", "node", "").ok();
    assert_eq!(lab.listing("node"), old);

    let ran = lab.install("release3", "node", "--renewal next").ok();
    assert!(
        ran.out.contains("replace    ") && ran.out.contains("pki/apiserver.key: the new private key"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("extra.key: this release has no certificate for it"), "{}", ran.out);
    for (stem, _, _) in PKI {
        let (key, certificate) = (format!("node/pki/{stem}.key"), format!("node/pki/{stem}.crt"));
        assert_eq!(lab.read(&key), lab.read(&format!("next/pki/{stem}.key")));
        assert_eq!(public_of_key(&lab, &key), public_of_certificate(&lab, &certificate), "{stem}");
    }
    assert_eq!(lab.listing("next"), renewal, "the renewal's folder was touched");
    let new = lab.listing("node");
    assert!(new.contains("pki/etcd/server.key f 600 1234:1234") && new.contains("pki/apiserver.key f 600"));
    assert!(!lab.path("node/pki/extra.key").exists());
    for more in ["--renewal next", ""] {
        let again = lab.install("release3", "node", more).ok();
        assert!(again.out.contains("NOTHING TO DO"), "{more}: {}", again.out);
    }
    assert_eq!(lab.listing("node"), new);
    lab.keyrite("install undo --pki node/pki").ok();
    assert_eq!(lab.listing("node"), old);
    // A new kubeconfig without a certificate in the release stops the installation.
    lab.write("next/admin.conf", kubeconfig("someone", &lab.read("next/pki/sa.key")));
    lab.install("release3", "node", "--renewal next")
        .fails(1, &["admin.conf: this release has no certificate for its key"]);
    lab.install("release3", "node", "--renewal absent").fails(3, &["absent"]);
    assert_eq!(lab.listing("node"), old);
}
