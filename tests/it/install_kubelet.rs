//! `keyrite install` and the kubelet's folder: the kubelet uses the certificate that
//! `kubelet-client-current.pem` links to, whatever `kubelet.conf` contains.

use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::cluster::kubeconfig;
use crate::support::{Lab, PROFILES};

const LINK: &str = "kubelet/pki/kubelet-client-current.pem";
const FIRST: &str = "kubelet-client-2026-01-02-03-04-05.pem";
const NODE: &str = "/O=system:nodes/CN=system:node:cp-1";
const PLACES: &str = "--kubelet-dir kubelet";

/// Creates a worker `node` that has only its kubeconfig, whose certificate is installed from
/// `release`.
fn worker() -> Lab {
    let lab = Lab::cluster();
    renewed(&lab, "node", "release");
    lab.write("node/pki/ca.crt", lab.read("roots/authorities/kubernetes-ca.crt"));
    lab.install("release", "node", "").ok();
    lab
}

/// Creates a new `kubelet.conf` in a folder, and the release with its certificate.
fn renewed(lab: &Lab, folder: &str, release: &str) {
    let bundle = format!("bundle-{release}");
    lab.party("made.key", &format!("{bundle}/kubelet.conf.csr"), NODE, "", "pkcs8");
    lab.write(&format!("{folder}/kubelet.conf"), kubeconfig("cp-1", &lab.read("made.key")));
    lab.run("chmod", &["600", &format!("{folder}/kubelet.conf")]).ok();
    std::fs::rename(lab.path("made.key"), lab.path(&format!("{release}.key"))).unwrap();
    lab.sign_cluster(&bundle, release).ok();
}

/// Creates the kubelet's folder as a kubelet does at its first start: a copy of the pair in
/// `kubelet.conf`.
fn started(lab: &Lab) {
    let script = "mkdir -p kubelet/pki && for f in certificate key; do sed -n \"s/.*client-$f-data: //p\" node/kubelet.conf | base64 -d; done";
    let pem = lab.run("sh", &["-c", script]).ok().out;
    pair(lab, &pem);
}

fn pair(lab: &Lab, pem: &str) {
    lab.write(&format!("kubelet/pki/{FIRST}"), pem);
    lab.run("chmod", &["600", &format!("kubelet/pki/{FIRST}")]).ok();
    link(lab, &lab.path(&format!("kubelet/pki/{FIRST}")));
}

fn link(lab: &Lab, to: &Path) {
    let _ = std::fs::remove_file(lab.path(LINK));
    symlink(to, lab.path(LINK)).unwrap();
}

/// Returns the kubeconfig with references to this file, as kubeadm and TLS bootstrap write it.
fn referring(lab: &Lab, path: &str) -> String {
    let text = lab.read("node/kubelet.conf");
    let line = |line: &str| match line.split_once("-data: ") {
        Some((key, _)) if key.contains("client-") => format!("{key}: {path}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn public(lab: &Lab, command: &str, file: &str) -> String {
    lab.openssl(&format!("{command} -in {file}")).ok().out
}

/// Requires that the link leads to a complete pair, and returns its public key.
fn whole(lab: &Lab) -> String {
    let target = std::fs::read_link(lab.path(LINK)).unwrap();
    assert!(target.is_absolute() && target.parent() == Some(&lab.path("kubelet/pki")), "{target:?}");
    let key = public(lab, "pkey -pubout", LINK);
    assert_eq!(public(lab, "x509 -noout -pubkey", LINK), key, "certificate and key differ");
    key
}

fn both(lab: &Lab) -> String {
    lab.listing("node") + &lab.listing("kubelet")
}

fn install(release: &str, more: &str) -> String {
    format!("install {release} --root roots/authorities/kubernetes-ca.crt --pki node/pki {PLACES} {more}")
}

#[test]
fn renewal_updates_the_kubelet_pair_and_is_undone() {
    let lab = worker();
    started(&lab);
    lab.run("chown", &["-h", "1234:1235", LINK, &format!("kubelet/pki/{FIRST}")]).ok();
    let old = whole(&lab);
    renewed(&lab, "next", "release3");
    let before = both(&lab);

    let told = format!("kubelet/pki/{FIRST}: CN=system:node:cp-1,O=system:nodes, until 20");
    let dry = lab.keyrite(&install("release3", "--renewal next --dry-run")).ok();
    for part in [&told, ", issued by CN=kubernetes-ca\n", "kubelet-client-current.pem: links to /"] {
        assert!(dry.out.contains(part), "{part} in {}", dry.out);
    }
    assert_eq!(both(&lab), before, "a dry run changed something");

    // Two names are in use, one of them by a dangling link.
    let date = |seconds: &str, format: &str| {
        let time = format!("{} + 1 hour + {seconds} seconds", lab.read("now").trim_end());
        lab.run("date", &["-u", "-d", &time, format]).ok().out.trim_end().to_owned()
    };
    lab.write("now", lab.run("date", &["-u", "+%F %T UTC"]).ok().out);
    let dated = |seconds| date(seconds, "+kubelet-client-%Y-%m-%d-%H-%M-%S.pem");
    lab.write(&format!("kubelet/pki/{}", dated("0")), "taken\n");
    symlink("nowhere", lab.path(&format!("kubelet/pki/{}", dated("1")))).unwrap();
    let before = both(&lab);
    let keyrite = env!("CARGO_BIN_EXE_keyrite");
    let ran = lab.run_at(&date("0", "+%F %T"), keyrite, &install("release3", "--renewal next")).ok();
    assert!(ran.out.contains(&told) && ran.out.contains("\nrestart    kubelet: "), "{}", ran.out);

    let new = whole(&lab);
    assert_ne!(new, old);
    assert_eq!(new, public(&lab, "pkey -pubout", "release3.key"));
    let file = dated("2");
    assert_eq!(std::fs::read_link(lab.path(LINK)).unwrap(), lab.path(&format!("kubelet/pki/{file}")));
    lab.openssl(&format!("verify -x509_strict -purpose sslclient -CAfile node/pki/ca.crt {LINK}")).ok();
    let now = both(&lab);
    assert!(now.contains(&format!("pki/{file} f 600 1234:1235")), "mode and owner are kept: {now}");
    assert!(now.contains("kubelet-client-current.pem l 777 1234:1235"), "{now}");
    for line in before.lines().filter(|line| line.contains("kubelet-client-20") && !line.contains("current"))
    {
        assert!(now.contains(line), "{line} is gone");
    }

    for more in ["--renewal next", ""] {
        let again = lab.keyrite(&install("release3", more)).ok();
        assert!(again.out.contains("NOTHING TO DO"), "{}", again.out);
    }
    assert_eq!(both(&lab), now);
    lab.keyrite("install undo --pki node/pki").fails(1, &["also changed files in", "--kubelet-dir"]);
    // Without its file the old link would be broken.
    let first = lab.path(&format!("kubelet/pki/{FIRST}"));
    std::fs::rename(&first, lab.path("away.pem")).unwrap();
    let undo = format!("install undo --pki node/pki {PLACES}");
    lab.keyrite(&undo).fails(1, &["current.pem: linked to", "no longer exists", "Nothing was changed"]);
    std::fs::rename(lab.path("away.pem"), &first).unwrap();
    let undone = lab.keyrite(&undo).ok();
    assert!(undone.out.contains("kubelet-client-current.pem\n"), "{}", undone.out);
    assert_eq!(both(&lab), before, "undo left something");
}

/// A kubeconfig was renewed without --kubelet-dir.
#[test]
fn missed_kubelet_renewal_is_completed_later() {
    let lab = worker();
    started(&lab);
    renewed(&lab, "next", "release3");
    lab.install("release3", "node", "--renewal next").ok();
    assert_ne!(whole(&lab), public(&lab, "pkey -pubout", "release3.key"));
    lab.keyrite(&install("release3", "")).ok();
    assert_eq!(whole(&lab), public(&lab, "pkey -pubout", "release3.key"));
    // A pair that is newer than the one in kubelet.conf comes from the kubelet's own rotation, and
    // is kept.
    let request =
        format!("req -x509 -newkey rsa:2048 -nodes -keyout own.key -out own.crt -subj {NODE} -days 20");
    lab.run_at("+1h", "openssl", &request).ok();
    pair(&lab, &(lab.read("own.crt") + &lab.read("own.key")));
    let before = both(&lab);
    let ran = lab.keyrite(&install("release3", "")).ok();
    assert!(ran.out.contains("current.pem: this release has no certificate for it"), "{}", ran.out);
    // If a release would replace it, the newer pair and everything else are kept.
    renewed(&lab, "next", "release4");
    lab.keyrite(&install("release4", "--renewal next")).fails(
        1,
        &["kubelet-client-current.pem: has a certificate valid from", "a newer certificate is not replaced"],
    );
    assert_eq!(both(&lab), before);
}

/// As kubeadm and TLS bootstrap leave it: the kubeconfig does not contain the key.
#[test]
fn kubeconfig_may_refer_to_the_link() {
    let lab = worker();
    let key = lab.read("release.key");
    let request = format!("req -x509 -key release.key -subj {NODE} -days 20 -out old.crt");
    lab.run_at("-3d", "openssl", &request).ok();
    lab.run("mkdir", &["-p", "kubelet/pki"]).ok();
    pair(&lab, &(lab.read("old.crt") + &key));
    let path = lab.path(LINK).display().to_string();
    lab.write("node/kubelet.conf", referring(&lab, &path));
    let conf = lab.read("node/kubelet.conf");
    assert!(conf.contains("client-key: /") && !conf.contains("client-key-data"), "{conf}");
    let before = both(&lab);

    // The same key with a new certificate; the kubelet's other files do not change.
    let ran = lab.keyrite(&install("release", "")).ok();
    assert!(ran.out.contains("\nrestart    kubelet: "), "{}", ran.out);
    assert_eq!(whole(&lab), public(&lab, "pkey -pubout", "release.key"));
    lab.openssl(&format!("verify -x509_strict -CAfile node/pki/ca.crt {LINK}")).ok();
    assert_eq!(lab.read("node/kubelet.conf"), conf);
    lab.keyrite(&format!("install undo --pki node/pki {PLACES}")).ok();
    assert_eq!(both(&lab), before);

    // A renewal: the kubeconfig still refers to the link, which is the only place of the key.
    renewed(&lab, "next", "release3");
    let bare = lab.install("release3", "node", "--renewal next");
    bare.fails(1, &["kubelet.conf: refers to /", "would not be renewed", "--kubelet-dir"]);
    assert_eq!(both(&lab), before);
    lab.keyrite(&install("release3", "--renewal next")).ok();
    assert_eq!(whole(&lab), public(&lab, "pkey -pubout", "release3.key"));
    let conf = lab.read("node/kubelet.conf");
    for part in [format!("client-certificate: {path}"), format!("client-key: {path}")] {
        assert!(conf.contains(&part), "{part} in {conf}");
    }
    assert!(!conf.contains("client-key-data") && !conf.contains("client-certificate-data"), "{conf}");
    for more in ["--renewal next", ""] {
        assert!(lab.keyrite(&install("release3", more)).ok().out.contains("NOTHING TO DO"), "{more}");
    }
    lab.keyrite(&format!("install undo --pki node/pki {PLACES}")).ok();
    assert_eq!(both(&lab), before);
}

/// Killed at each modifying call: the linked pair is complete at all times, and the next run rolls
/// back.
#[test]
fn killed_at_each_step_with_a_kubelet() {
    let lab = worker();
    started(&lab);
    renewed(&lab, "next", "release3");
    lab.run("sh", &["-c", "cp -a release3 changed && echo >> changed/transcript.jsonl"]).ok();
    let before = both(&lab);
    let killed = |call: &str, when: usize, command: &str| {
        let traced = format!(
            "-f -o /dev/null -e trace={call} -e inject={call}:signal=SIGKILL:when={when} {} {command}",
            env!("CARGO_BIN_EXE_keyrite")
        );
        lab.run("strace", &traced.split_whitespace().collect::<Vec<_>>()).code != 0
    };
    let (command, undo) =
        (install("release3", "--renewal next"), format!("install undo --pki node/pki {PLACES}"));
    let repair = || {
        whole(&lab);
        lab.keyrite(&install("changed", "")).fails(1, &["NOT VERIFIED"]);
    };
    let installed = || both(&lab).matches("/undo.json").count() > before.matches("/undo.json").count();
    let mut count = 0;
    for call in ["renameat", "linkat", "symlinkat", "fsync", "unlinkat", "fchownat", "mkdirat"] {
        for when in 1..60 {
            let died = killed(call, when, &command);
            repair();
            if installed() {
                assert_eq!(whole(&lab), public(&lab, "pkey -pubout", "release3.key"), "{call} {when}");
                lab.keyrite(&undo).ok();
            }
            assert_eq!(both(&lab), before, "{call} {when}");
            if !died {
                break;
            }
            count += 1;
        }
    }
    assert!(count > 30, "killed {count} times");
    for call in ["symlinkat", "fchownat"] {
        let traced = format!(
            "-f -o /dev/null -e trace={call} -e inject={call}:error=EIO {} {command}",
            env!("CARGO_BIN_EXE_keyrite")
        );
        let ran = lab.run("strace", &traced.split_whitespace().collect::<Vec<_>>());
        ran.fails(3, &["kubelet/pki/.keyrite/", "Input/output error"]);
        assert_eq!(both(&lab), before, "{call}");
    }
    // During the rollback.
    let mut count = 0;
    for when in 1..20 {
        lab.keyrite(&command).ok();
        let now = both(&lab);
        let died = killed("renameat", when, &undo);
        repair();
        if installed() {
            assert_eq!(both(&lab), now, "{when}");
            lab.keyrite(&undo).ok();
        }
        assert_eq!(both(&lab), before, "{when}");
        if !died {
            break;
        }
        count += 1;
    }
    assert!(count > 4, "killed {count} times");
}

/// A script that creates another authority.
fn second_ca(lab: &Lab) {
    lab.write("profiles.toml", PROFILES);
    lab.write("second.toml", "title = \"more\"\npurpose = \"test\"\nprofiles = [\"profiles.toml\"]\n[[step]]\nact = \"machine\"\nnetwork = \"report\"\n[[step]]\nact = \"open-token\"\n[[step]]\nact = \"inventory\"\n[[step]]\nact = \"create-authority\"\nname = \"kubernetes-ca-2\"\nprofile = \"root\"\nsubject = [\"CN=kubernetes-ca-2\"]\nkey = \"ecdsa-p256\"\ndays = 1000\n[[step]]\nact = \"release\"\n");
    lab.ceremony("second.toml", "--out second").ok();
    let script =
        lab.read("ceremony/kubernetes-sign.toml").replace("\"kubernetes-ca\"", "\"kubernetes-ca-2\"");
    lab.write("ceremony/kubernetes-sign.toml", script);
}

/// Only the kubelet's own files still depend on the old CA.
#[test]
fn ca_that_the_kubelet_needs_is_not_dropped() {
    let lab = worker();
    started(&lab);
    let old = lab.read(&format!("kubelet/pki/{FIRST}"));
    second_ca(&lab);
    let both_trusted = "--ca kubernetes-ca=ca.crt --ca kubernetes-ca-2=ca.crt --rotate-ca";
    lab.install("second", "node", both_trusted).ok();
    renewed(&lab, "next", "release4");
    // Without the kubelet's folder: as if the kubelet read kubelet.conf.
    let one = "--ca kubernetes-ca-2=ca.crt";
    lab.install("release4", "node", &format!("{one} --renewal next")).ok();
    // A release without certificates for this node.
    renewed(&lab, "other", "release5");
    let drop = install("release5", &format!("{one} --drop-old-ca"));
    let dropped = |needles: &[&str]| {
        let before = both(&lab);
        lab.keyrite(&drop).fails(1, needles);
        assert_eq!(both(&lab), before, "{needles:?}");
    };
    dropped(&[
        "kubelet-client-current.pem: was issued under a CA that would be removed from /",
        "pki/ca.crt; renew it first",
        "--renewal",
    ]);
    // The previous release has the certificate for the key of kubelet.conf.
    lab.keyrite(&install("release4", one)).ok();
    lab.openssl(&format!("verify -partial_chain -CAfile second/authorities/kubernetes-ca-2.crt {LINK}")).ok();

    // The serving certificate, issued by a signer of the cluster.
    lab.write("kubelet/pki/kubelet-server-2026-01-02-03-04-05.pem", &old);
    symlink("kubelet-server-2026-01-02-03-04-05.pem", lab.path("kubelet/pki/kubelet-server-current.pem"))
        .unwrap();
    dropped(&[
        "kubelet-server-current.pem: was issued under a CA that would be removed from",
        "remove the link",
    ]);
    lab.run("sh", &["-c", "rm kubelet/pki/kubelet-server-*"]).ok();
    // A certificate of an authority in place of the kubelet's own.
    lab.write("kubelet/pki/kubelet.crt", &old);
    dropped(&["kubelet.crt: was issued under a CA that would be removed from"]);

    // A folder that was not examined.
    let conf = lab.read("node/kubelet.conf");
    lab.write("node/kubelet.conf", referring(&lab, "/srv/kubelet/pki/kubelet-client-current.pem"));
    lab.install("release5", "node", &format!("{one} --drop-old-ca"))
        .fails(1, &["kubelet.conf: refers to /srv/kubelet/pki/", "may be under a CA", "--kubelet-dir"]);
    lab.write("node/kubelet.conf", conf);

    // A self-signed certificate does not depend on a CA.
    let request = "req -x509 -newkey rsa:2048 -nodes -keyout kubelet/pki/kubelet.key -out kubelet/pki/kubelet.crt -subj /CN=cp-1@1767322800 -days 20";
    lab.openssl(request).ok();
    let ran = lab.keyrite(&drop).ok();
    assert!(ran.out.contains("kubelet.crt: CN=cp-1@1767322800, until "), "{}", ran.out);
    lab.openssl(&format!("verify -CAfile node/pki/ca.crt {LINK}")).ok();
}

/// A pair that cannot be renewed is refused with instructions, and nothing changes.
#[test]
fn untrusted_kubelet_folder_stops_installation() {
    let lab = worker();
    started(&lab);
    let (conf, pem) = (lab.read("node/kubelet.conf"), lab.read(&format!("kubelet/pki/{FIRST}")));
    renewed(&lab, "next", "release3");
    let first = lab.path(&format!("kubelet/pki/{FIRST}"));
    let refused = |needles: &[&str]| {
        let before = both(&lab);
        for more in ["--renewal next", "--renewal next --dry-run"] {
            lab.keyrite(&install("release3", more)).fails(1, needles);
            lab.keyrite(&install("release3", more)).fails(1, &["Nothing was changed"]);
        }
        assert_eq!(both(&lab), before, "{needles:?}");
    };
    let gone = lab.path("kubelet/pki/kubelet-client-2025-01-01-01-01-01.pem");
    link(&lab, &gone);
    refused(&[
        "kubelet-client-current.pem: links to /",
        "2025-01-01-01-01-01.pem, which does not exist",
        "the kubelet copies",
    ]);
    lab.write("elsewhere/pair.pem", &pem);
    for outside in [
        lab.path("elsewhere/pair.pem"),
        "../../elsewhere/pair.pem".into(),
        format!("../pki/{FIRST}").into(),
        "..".into(),
    ] {
        link(&lab, &outside);
        refused(&["kubelet-client-current.pem: links to ", "must link to a file in /"]);
    }
    let second = lab.path("kubelet/pki/kubelet-client-2026-02-02-02-02-02.pem");
    symlink(lab.path("elsewhere/pair.pem"), &second).unwrap();
    link(&lab, &second);
    refused(&["kubelet-client-2026-02-02-02-02-02.pem: is a symbolic link"]);
    std::fs::remove_file(&second).unwrap();
    std::fs::remove_file(lab.path(LINK)).unwrap();
    lab.write(LINK, &pem);
    refused(&["kubelet-client-current.pem: is a regular file", "symbolic link"]);

    link(&lab, &first);
    let (certificate, key) = pem.split_at(pem.find("-----BEGIN PRIVATE KEY").unwrap());
    let other = lab.read("release3.key");
    let party = |subject: &str| {
        lab.openssl(&format!("req -x509 -key release3.key -subj {subject} -days 20 -out other.crt")).ok();
        lab.read("other.crt") + &other
    };
    for (text, needle) in [
        (certificate.to_owned(), "contains 0 private keys"),
        (format!("{certificate}{key}{other}"), "contains 2 private keys"),
        (
            format!("{certificate}-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n"),
            "PRIVATE KEY",
        ),
        (key.to_owned(), "which contains no certificate"),
        (format!("{certificate}{other}"), "whose certificate does not match its key"),
        (
            party("/O=system:nodes/CN=system:node:cp-2"),
            "is for CN=system:node:cp-2, the release's certificate",
        ),
    ] {
        lab.write(&format!("kubelet/pki/{FIRST}"), text);
        refused(&["kubelet-client-current.pem: ", needle, "the kubelet copies"]);
    }
    lab.write(&format!("kubelet/pki/{FIRST}"), &pem);

    // Kubeconfigs that refer to another file.
    lab.run("mkdir", &["-p", "srv/pki"]).ok();
    let elsewhere = lab.path("srv/pki/kubelet-client-current.pem").display().to_string();
    lab.write("node/kubelet.conf", referring(&lab, &elsewhere));
    refused(&["kubelet.conf: client-certificate is /", "the kubelet's folder is /", "--kubelet-dir"]);
    lab.write("node/kubelet.conf", &conf);
    let half = referring(&lab, &lab.path(LINK).display().to_string());
    let half = half.replace("client-key: ", "client-key: /etc");
    lab.write("node/kubelet.conf", half);
    refused(&["kubelet.conf: client-certificate is /", "both must be the same file"]);
    lab.write("node/kubelet.conf", &conf);

    let before = both(&lab);
    let named = |dir: &str| lab.install("release3", "node", &format!("--renewal next --kubelet-dir {dir}"));
    named("kubelet/pki").fails(1, &["is in the folder that --kubelet-dir names", "use --kubelet-dir /"]);
    named("absent").fails(3, &["absent"]);
    assert_eq!(both(&lab), before);
    lab.keyrite(&install("release3", "--renewal next")).ok();
}

/// The machine's own kubelet belongs only to /etc/kubernetes/pki.
#[test]
fn machine_kubelet_belongs_to_its_own_pki() {
    let lab = worker();
    started(&lab);
    renewed(&lab, "next", "release3");
    // As on a node: the link has the path that the kubelet uses.
    link(&lab, Path::new(&format!("/var/lib/kubelet/pki/{FIRST}")));
    let before = both(&lab);
    let mounted = |pki: &str, more: &str| {
        let script = format!(
            "mount -t tmpfs tmpfs /etc && mkdir /etc/kubernetes && mount --bind node /etc/kubernetes && mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/kubelet && mount --bind kubelet /var/lib/kubelet && exec {} {more} --pki {pki}",
            env!("CARGO_BIN_EXE_keyrite")
        );
        lab.run("unshare", &["--mount", "sh", "-c", &script])
    };
    let install = "install release3 --root roots/authorities/kubernetes-ca.crt --renewal next";
    lab.run("cp", &["-a", "node", "staging"]).ok();
    let ran = mounted("staging/pki", install).ok();
    assert!(ran.out.contains("note       /var/lib/kubelet: is left alone because --pki is /"), "{}", ran.out);
    assert_eq!(both(&lab), before);

    let ran = mounted("/etc/kubernetes/pki", install).ok();
    assert!(ran.out.contains("replace    /var/lib/kubelet/pki/kubelet-client-current.pem: links to /var/lib/kubelet/pki/kubelet-client-20"), "{}", ran.out);
    let target = std::fs::read_link(lab.path(LINK)).unwrap();
    assert!(target.starts_with("/var/lib/kubelet/pki"), "{target:?}");
    let file = format!("kubelet/pki/{}", target.file_name().unwrap().to_str().unwrap());
    assert_eq!(public(&lab, "x509 -noout -pubkey", &file), public(&lab, "pkey -pubout", "release3.key"));
    mounted("/etc/kubernetes/pki", "install undo").ok();
    assert_eq!(both(&lab), before);
}
