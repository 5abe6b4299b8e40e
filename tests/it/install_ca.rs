//! Trust in `keyrite install`: chains with intermediates, one CA for everything, and CA rotation.

use crate::support::cluster::kubeconfig;
use crate::support::{Lab, PROFILES, WEB};

/// Returns the subjects of a certificate file in order.
fn subjects(lab: &Lab, file: &str) -> Vec<String> {
    let script = format!(
        "openssl crl2pkcs7 -nocrl -certfile {file} | openssl pkcs7 -print_certs -noout | sed -n 's/^subject=//p'"
    );
    lab.run("sh", &["-c", &script]).ok().out.lines().map(str::to_owned).collect()
}

fn embedded(lab: &Lab, kubeconfig: &str, field: &str) -> Vec<String> {
    let script = format!("sed -n 's/.*{field}: //p' {kubeconfig} | base64 -d > embedded.pem");
    lab.run("sh", &["-c", &script]).ok();
    subjects(lab, "embedded.pem")
}

const STEPS: &str = "title = \"more\"\npurpose = \"test\"\nprofiles = [\"profiles.toml\"]\n[[step]]\nact = \"machine\"\nnetwork = \"report\"\n[[step]]\nact = \"open-token\"\n[[step]]\nact = \"inventory\"\n";

/// A script that creates another authority.
fn authority(lab: &Lab, name: &str, issuer: Option<&str>) {
    let (profile, issuer) = match issuer {
        Some(issuer) => ("intermediate", format!("issuer = \"{issuer}\"\n")),
        None => ("root", String::new()),
    };
    lab.write("profiles.toml", PROFILES);
    lab.write(
        &format!("{name}.toml"),
        format!("{STEPS}[[step]]\nact = \"create-authority\"\nname = \"{name}\"\nprofile = \"{profile}\"\nsubject = [\"CN={name}\"]\nkey = \"ecdsa-p256\"\ndays = 1000\n{issuer}[[step]]\nact = \"release\"\n"),
    );
    lab.ceremony(&format!("{name}.toml"), &format!("--out release-{name}")).ok();
}

#[test]
fn leaf_is_followed_by_intermediates() {
    let lab = Lab::new();
    lab.root("ecdsa-p256");
    authority(&lab, "issuing-ca", Some("root-ca"));
    lab.sign_script(&WEB.replace("root-ca", "issuing-ca"));
    lab.party("node/pki/web.key", "in/web/web.csr", "/CN=web", "DNS:web.example.test", "sec1");
    lab.sign("in", "out").ok();
    let install = |more: &str| {
        lab.keyrite(&format!("install out --root root/authorities/root-ca.crt --pki node/pki {more}"))
    };
    install("").ok();
    assert_eq!(subjects(&lab, "node/pki/web.crt"), ["CN = web", "CN = issuing-ca"]);
    assert_eq!(subjects(&lab, "node/pki/ca.crt"), ["O = Test, CN = Test Root"]);
    lab.openssl("verify -x509_strict -purpose sslserver -CAfile node/pki/ca.crt -untrusted node/pki/web.crt node/pki/web.crt").ok();
    // The intermediate itself as trust anchor is another CA, which must be requested.
    install("--ca issuing-ca=ca.crt").fails(1, &["contains another CA, CN=Test Root,O=Test", "--rotate-ca"]);
    install("--ca issuing-ca=ca.crt --rotate-ca").ok();
    assert_eq!(subjects(&lab, "node/pki/web.crt"), ["CN = web"]);
    assert_eq!(subjects(&lab, "node/pki/ca.crt"), ["CN = issuing-ca", "O = Test, CN = Test Root"]);
    install("--ca nobody=ca.crt")
        .fails(1, &["the release has no authority nobody; it has issuing-ca, root-ca"]);
    for (bad, needle) in [
        ("root-ca", "is not NAME=FILE"),
        ("root-ca=../ca.crt", "MEDIA-NAME"),
        ("root-ca=/etc/ca.crt", "MEDIA-NAME"),
    ] {
        install(&format!("--ca {bad}")).fails(2, &[needle]);
    }
}

/// Two roots without a given place, and a front proxy that would trust the whole cluster.
#[test]
fn trusted_authorities_are_never_guessed() {
    let lab = Lab::new();
    lab.root("ecdsa-p256");
    authority(&lab, "second-ca", None);
    lab.sign_script(&format!("{WEB}{}", WEB.replace("root-ca", "second-ca").replace("web/", "etcd/")));
    lab.party("node/pki/web.key", "in/web/web.csr", "/CN=web", "DNS:web.example.test", "pkcs8");
    lab.party("node/pki/etcd/server.key", "in/etcd/server.csr", "/CN=s", "DNS:s.example.test", "pkcs8");
    lab.sign("in", "out").ok();
    let bare = lab.listing("node");
    let install = |more: &str| {
        lab.keyrite(&format!("install out --root root/authorities/root-ca.crt --pki node/pki {more}"))
    };
    install("").fails(1, &["authority root-ca: has no CA file", "--ca root-ca=ca.crt"]);
    install("--ca root-ca=ca.crt").fails(1, &["authority second-ca: has no CA file"]);
    install("--ca root-ca=ca.crt --ca second-ca=etcd/ca.crt --ca root-ca=front-proxy-ca.crt")
        .fails(1, &["front-proxy-ca.crt: would trust an authority that is also trusted elsewhere"]);
    assert_eq!(lab.listing("node"), bare);
    install("--ca root-ca=ca.crt --ca second-ca=certs/etcd/ca.crt").ok();
    assert_eq!(subjects(&lab, "node/pki/certs/etcd/ca.crt"), ["CN = second-ca"]);
    lab.keyrite("install undo --pki node/pki").ok();
    assert_eq!(lab.listing("node"), bare, "a folder that was made is left");
}

/// A flat folder with one CA, where a kubeconfig and a key file share one key.
#[test]
fn one_ca_in_a_flat_folder() {
    let lab = Lab::new();
    lab.root("ecdsa-p256");
    lab.sign_script(&format!("{WEB}[[roster]]\npath = \"*.csr\"\nprofile = \"client\"\nauthority = \"root-ca\"\nsubject = [\"CN=*\"]\n"));
    lab.party("flat/admin.key", "in/admin.csr", "/CN=admin", "", "pkcs8");
    lab.party("flat/kube-proxy-key.pem", "in/kube-proxy.csr", "/CN=proxy", "", "rsa");
    lab.party("flat/apiserver.key", "in/web/apiserver.csr", "/CN=a", "DNS:a.example.test", "sec1");
    lab.write("flat/admin.conf", kubeconfig("admin", &lab.read("flat/admin.key")));
    lab.write("proxy/config", kubeconfig("proxy", &lab.read("flat/kube-proxy-key.pem")));
    lab.sign("in", "out").ok();
    let ran = lab.keyrite("install out --root root/authorities/root-ca.crt --pki flat --kubeconfig-dir flat --kubeconfig proxy/config").ok();
    assert!(ran.out.contains("flat/admin.crt") && ran.out.contains("proxy/config"), "{}", ran.out);
    assert_eq!(subjects(&lab, "flat/ca.crt"), ["O = Test, CN = Test Root"]);
    assert_eq!(subjects(&lab, "flat/kube-proxy.pem"), ["CN = proxy"]);
    assert_eq!(embedded(&lab, "flat/admin.conf", "client-certificate-data"), ["CN = admin"]);
    assert_eq!(embedded(&lab, "proxy/config", "client-certificate-data"), ["CN = proxy"]);
    assert_eq!(embedded(&lab, "proxy/config", "certificate-authority-data"), ["O = Test, CN = Test Root"]);
    lab.keyrite("install out --root root/authorities/root-ca.crt --pki flat --kubeconfig proxy/absent")
        .fails(3, &["proxy/absent: no such file"]);
}

/// CA rotation: the new CA is trusted second, then first, then alone.
#[test]
fn ca_rotation_step_by_step() {
    let lab = Lab::cluster();
    lab.control_plane("node", "bundle");
    lab.sign_cluster("bundle", "release").ok();
    lab.install("release", "node", "").ok();
    authority(&lab, "kubernetes-ca-2", None);

    // Trust first: no leaf changes, the old CA stays first.
    let both = "--ca kubernetes-ca=ca.crt --ca kubernetes-ca-2=ca.crt";
    let before = lab.listing("node");
    lab.install("release-kubernetes-ca-2", "node", both)
        .fails(1, &["ca.crt: contains another CA", "kubernetes-ca-2", "--rotate-ca"]);
    // The new CA cannot be added and the old one dropped in one step.
    lab.install("release-kubernetes-ca-2", "node", "--ca kubernetes-ca-2=ca.crt --drop-old-ca")
        .fails(1, &["ca.crt: contains another CA", "--rotate-ca"]);
    assert_eq!(lab.listing("node"), before);
    lab.install("release-kubernetes-ca-2", "node", &format!("{both} --rotate-ca")).ok();
    let (old, new) = ("CN = kubernetes-ca", "CN = kubernetes-ca-2");
    assert_eq!(subjects(&lab, "node/pki/ca.crt"), [old, new]);
    assert_eq!(embedded(&lab, "node/admin.conf", "certificate-authority-data"), [old, new]);
    assert_eq!(embedded(&lab, "node/admin.conf", "client-certificate-data").len(), 1);
    assert_eq!(subjects(&lab, "node/pki/etcd/ca.crt"), ["CN = etcd-ca"]);

    // New leaves for the API server only: the new CA comes first.
    let script =
        lab.read("ceremony/kubernetes-sign.toml").replace("\"kubernetes-ca\"", "\"kubernetes-ca-2\"");
    lab.write("ceremony/kubernetes-sign.toml", script);
    lab.control_plane("next", "bundle4");
    lab.sign_cluster("bundle4", "release4").ok();
    lab.run("cp", &["next/pki/apiserver.key", "node/pki/apiserver.key"]).ok();
    let one = "--ca kubernetes-ca-2=ca.crt";
    lab.install("release4", "node", one).ok();
    assert_eq!(subjects(&lab, "node/pki/ca.crt"), [new, old]);
    assert_eq!(embedded(&lab, "node/kubelet.conf", "certificate-authority-data"), [new, old]);
    lab.openssl(
        "verify -CAfile node/pki/ca.crt node/pki/apiserver.crt node/pki/apiserver-kubelet-client.crt",
    )
    .ok();

    // The old CA is dropped only when no file here depends on it.
    let before = lab.listing("node");
    lab.install("release4", "node", &format!("{one} --drop-old-ca")).fails(
        1,
        &["apiserver-kubelet-client.crt: was issued under a CA that would be removed from", "renew it first"],
    );
    assert_eq!(lab.listing("node"), before);
    lab.run(
        "sh",
        &["-c", "cd next && for f in $(find . -name '*.key' -o -name '*.conf'); do cp $f ../node/$f; done"],
    )
    .ok();
    lab.install("release4", "node", one).ok();
    lab.install("release4", "node", &format!("{one} --drop-old-ca")).ok();
    assert_eq!(subjects(&lab, "node/pki/ca.crt"), [new]);
    assert_eq!(embedded(&lab, "node/scheduler.conf", "certificate-authority-data"), [new]);
    // Each step can be undone separately, unless its files were changed since.
    lab.keyrite("install undo --pki node/pki").ok();
    assert_eq!(subjects(&lab, "node/pki/ca.crt"), [new, old]);
    lab.keyrite("install undo --pki node/pki").ok();
    lab.keyrite("install undo --pki node/pki").fails(1, &["has been changed since it was installed"]);
}

/// The release of another cluster whose CA has the same name is recognised by its certificate.
#[test]
fn ca_with_the_same_name_is_different() {
    let (ours, theirs) = (Lab::cluster(), Lab::cluster());
    ours.control_plane("node", "bundle");
    ours.sign_cluster("bundle", "release").ok();
    ours.install("release", "node", "").ok();
    let before = ours.listing("node");
    // The same keys, certified by the other cluster's CA.
    let command = format!("cp -r {} {}", ours.path("bundle").display(), theirs.path("bundle").display());
    ours.run("sh", &["-c", &command]).ok();
    theirs.sign_cluster("bundle", "release").ok();
    let (release, root) = (theirs.path("release"), theirs.path("roots/authorities/kubernetes-ca.crt"));
    let command = format!("install {} --root {} --pki node/pki", release.display(), root.display());
    ours.keyrite(&command)
        .fails(1, &["ca.crt: contains another CA, CN=kubernetes-ca with SHA-256", "--rotate-ca"]);
    assert_eq!(ours.listing("node"), before);
}

/// The cluster's own signer: its certificate is installed with its key and where its leaves are
/// verified.
#[test]
fn delegated_authority_is_trusted_where_configured() {
    let lab = Lab::cluster();
    for node in ["node", "other"] {
        lab.control_plane(node, &format!("bundle-{node}"));
        lab.sign_cluster(&format!("bundle-{node}"), &format!("release-{node}")).ok();
        lab.install(&format!("release-{node}"), node, "").ok();
    }
    lab.party("node/pki/cluster-signer.key", "in/pki/cluster-signer.csr", "/CN=cluster-signer", "", "pkcs8");
    lab.ceremony("ceremony/kubernetes-signer.toml", "--in in --out signed").ok();
    lab.install("signed", "node", "")
        .fails(1, &["ca.crt: contains another CA", "CN=cluster-signer", "--rotate-ca"]);
    let ran = lab.install("signed", "node", "--rotate-ca").ok();
    assert!(ran.out.contains("restart    kube-apiserver, kube-controller-manager"), "{}", ran.out);
    assert_eq!(subjects(&lab, "node/pki/cluster-signer.crt"), ["CN = cluster-signer"]);
    let both = ["CN = kubernetes-ca", "CN = cluster-signer"];
    assert_eq!(subjects(&lab, "node/pki/ca.crt"), both);
    // A control plane without the key must trust it as well.
    let path = "certificates/pki/cluster-signer.crt";
    let more = format!("--ca kubernetes-ca=ca.crt --ca {path}=ca.crt --rotate-ca");
    lab.install("signed", "other", &more).ok();
    assert_eq!(subjects(&lab, "other/pki/ca.crt"), both);
    assert!(!lab.path("other/pki/cluster-signer.crt").exists());
    // It stays trusted while its certificate is installed.
    lab.control_plane("next", "bundle-next");
    lab.sign_cluster("bundle-next", "release-next").ok();
    lab.run(
        "sh",
        &["-c", "cd next && for f in $(find . -name '*.key' -o -name '*.conf'); do cp $f ../node/$f; done"],
    )
    .ok();
    lab.install("release-next", "node", "--drop-old-ca")
        .fails(1, &["cluster-signer.crt: was issued under a CA that would be removed from"]);
    lab.run("rm", &["node/pki/cluster-signer.crt", "node/pki/cluster-signer.key"]).ok();
    lab.install("release-next", "node", "--drop-old-ca").ok();
    assert_eq!(subjects(&lab, "node/pki/ca.crt"), ["CN = kubernetes-ca"]);
}
