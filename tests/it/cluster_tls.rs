//! TLS of a node with stock programs: kubectl with every kubeconfig, API server and kubelet in both
//! directions, and the contents of each certificate.

use std::io::Write;
use std::process::Stdio;

use crate::support::cluster::KUBECONFIGS;
use crate::support::process::{Running, free_port, until};
use crate::support::{Lab, Ran};

/// Creates a control-plane node with everything installed, including the kubelet's serving
/// certificate.
fn installed() -> Lab {
    let lab = Lab::cluster();
    lab.control_plane("node", "bundle");
    lab.party(
        "node/pki/kubelet-server.key",
        "bundle/nodes/cp-1/pki/kubelet-server.csr",
        "/O=system:nodes/CN=system:node:cp-1",
        "DNS:cp-1,IP:127.0.0.1",
        "pkcs8",
    );
    lab.sign_cluster("bundle", "release").ok();
    lab.install("release", "node", "").ok();
    lab
}

/// Starts an `openssl s_server` that requires a client of this CA and answers with a page about the
/// client.
fn server(lab: &Lab, name: &str, ca: &str) -> (Running, u16) {
    let port = free_port("127.0.0.1");
    let mut running = Running::start(
        lab,
        &name.replace('/', "-"),
        &format!(
            "openssl s_server -accept 127.0.0.1:{port} -cert node/pki/{name}.crt -key node/pki/{name}.key -CAfile node/pki/{ca} -Verify 3 -verify_return_error -www"
        ),
    );
    until(name, || {
        assert!(!running.ended(), "{name}: {}", lab.read(&format!("{}.log", name.replace('/', "-"))));
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    (running, port)
}

/// Returns the server's answer to a client with this certificate, which verifies the server.
fn ask(lab: &Lab, port: u16, ca: &str, client: Option<&str>, more: &str) -> Ran {
    let pair = client.map(|stem| format!("-cert {stem}.crt -key {stem}.key")).unwrap_or_default();
    let all = format!(
        "s_client -connect 127.0.0.1:{port} -CAfile node/pki/{ca} -verify_return_error -purpose sslserver -quiet -ign_eof {pair} {more}"
    );
    let words: Vec<&str> = all.split_whitespace().collect();
    let mut child = lab
        .command("openssl", &words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A client that was refused before its request gets no answer either.
    let _ = child.stdin.take().unwrap().write_all(b"GET / HTTP/1.0\r\n\r\n");
    Ran::of(child.wait_with_output().unwrap())
}

fn accepted(ran: &Ran) -> bool {
    ran.out.contains("HTTP/1.0 200 ok")
}

#[test]
fn servers_and_clients_authenticate_each_other_for_their_purpose() {
    let lab = installed();
    lab.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout stranger.key -out stranger.crt -subj /CN=kubernetes-ca -days 2").ok();
    for (server_name, ca, names, friends, strangers) in [
        // The API server and its kubelets.
        (
            "apiserver",
            "ca.crt",
            "-verify_hostname kubernetes.default.svc",
            ["apiserver-kubelet-client"].as_slice(),
            ["apiserver-etcd-client", "front-proxy-client", "apiserver", "kubelet-server"].as_slice(),
        ),
        (
            "kubelet-server",
            "ca.crt",
            "-verify_ip 127.0.0.1",
            ["apiserver-kubelet-client"].as_slice(),
            ["etcd/healthcheck-client", "front-proxy-client", "apiserver"].as_slice(),
        ),
        (
            "etcd/server",
            "etcd/ca.crt",
            "-verify_hostname localhost",
            ["apiserver-etcd-client", "etcd/healthcheck-client", "etcd/peer"].as_slice(),
            ["apiserver-kubelet-client"].as_slice(),
        ),
    ] {
        let (_running, port) = server(&lab, server_name, ca);
        for friend in friends {
            let ran = ask(&lab, port, ca, Some(&format!("node/pki/{friend}")), names);
            assert!(accepted(&ran), "{friend} at {server_name}: {ran:?}");
        }
        for stranger in strangers {
            let ran = ask(&lab, port, ca, Some(&format!("node/pki/{stranger}")), names);
            assert!(!accepted(&ran), "{stranger} at {server_name}: {ran:?}");
        }
        for stranger in [None, Some("stranger")] {
            assert!(!accepted(&ask(&lab, port, ca, stranger, names)), "{stranger:?} at {server_name}");
        }
        // The client refuses another name and another authority's server.
        let friend = format!("node/pki/{}", friends[0]);
        let ran = ask(&lab, port, ca, Some(&friend), "-verify_hostname other.example");
        assert!(!accepted(&ran) && ran.err.contains("ostname mismatch"), "{ran:?}");
        let other = if ca == "ca.crt" { "etcd/ca.crt" } else { "ca.crt" };
        assert!(!accepted(&ask(&lab, port, other, Some(&friend), names)), "{server_name} under {other}");
    }
    // A client certificate is not accepted for a server.
    let (_running, port) = server(&lab, "front-proxy-client", "front-proxy-ca.crt");
    let ran = ask(&lab, port, "front-proxy-ca.crt", Some("node/pki/front-proxy-client"), "");
    assert!(!accepted(&ran) && ran.err.contains("purpose"), "{ran:?}");
}

fn kubectl(lab: &Lab, arguments: &str) -> Ran {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let mut command = lab.command("kubectl", &words);
    command.env("HOME", lab.path("home")).env("KUBECONFIG", "").env("no_proxy", "127.0.0.1");
    lab.output(&mut command)
}

#[test]
fn kubectl_reads_every_kubeconfig_and_connects_with_it() {
    let lab = installed();
    let (_running, port) = server(&lab, "apiserver", "ca.crt");
    for (name, subject) in KUBECONFIGS {
        let view = kubectl(&lab, &format!("config view --raw -o json --kubeconfig node/{name}")).ok().out;
        let view: serde_json::Value = serde_json::from_str(&view).unwrap();
        let (cluster, user) = (&view["clusters"][0]["cluster"], &view["users"][0]["user"]);
        assert_eq!(cluster["server"], "https://127.0.0.1:6443");
        for (data, file) in [
            (&cluster["certificate-authority-data"], "ca.pem"),
            (&user["client-certificate-data"], "client.pem"),
            (&user["client-key-data"], "client.key"),
        ] {
            use base64ct::Encoding;
            lab.write(file, base64ct::Base64::decode_vec(data.as_str().unwrap()).unwrap());
        }
        assert_eq!(lab.read("ca.pem"), lab.read("node/pki/ca.crt"), "{name}");
        lab.openssl("verify -x509_strict -purpose sslclient -CAfile ca.pem client.pem").ok();
        let key = lab.openssl("pkey -in client.key -pubout").ok().out;
        assert_eq!(key, lab.openssl("x509 -in client.pem -noout -pubkey").ok().out, "{name}");
        assert_eq!(
            lab.openssl("x509 -in client.pem -noout -subject -nameopt compat").ok().out.trim(),
            format!("subject={subject}"),
        );
        // A mutual TLS handshake; the page names the client that the server saw.
        let page =
            kubectl(&lab, &format!("--kubeconfig node/{name} --server https://127.0.0.1:{port} get --raw /"))
                .ok()
                .out;
        let user = subject.rsplit('=').next().unwrap();
        assert!(
            page.contains(&format!("CN={user}")) || page.contains(&format!("CN = {user}")),
            "{name}: {page}"
        );
    }
    // Another cluster's kubeconfig: each side refuses the other.
    let other = Lab::cluster();
    other.control_plane("node", "bundle");
    other.sign_cluster("bundle", "release").ok();
    other.install("release", "node", "").ok();
    let stranger = other.path("node/admin.conf");
    let ran = kubectl(
        &lab,
        &format!("--kubeconfig {} --server https://127.0.0.1:{port} get --raw /", stranger.display()),
    );
    assert!(ran.code != 0 && ran.err.contains("certificate signed by unknown authority"), "{ran:?}");
    let ran = kubectl(
        &lab,
        &format!(
            "--kubeconfig {} --insecure-skip-tls-verify --server https://127.0.0.1:{port} get --raw /",
            stranger.display()
        ),
    );
    assert_ne!(ran.code, 0, "{ran:?}");
}

#[test]
fn certificate_contents_match_their_roles() {
    let lab = installed();
    let (server, client) = ("TLS Web Server Authentication", "TLS Web Client Authentication");
    let both = format!("{server}, {client}");
    for (stem, usages, names) in [
        (
            "apiserver",
            server,
            Some(
                "DNS:cp-1, DNS:kubernetes, DNS:kubernetes.default, DNS:kubernetes.default.svc, DNS:kubernetes.default.svc.cluster.local, IP Address:10.96.0.1, IP Address:127.0.0.1",
            ),
        ),
        ("apiserver-kubelet-client", client, None),
        ("apiserver-etcd-client", client, None),
        ("front-proxy-client", client, None),
        ("etcd/server", &both, Some("DNS:cp-1, DNS:localhost, IP Address:127.0.0.1")),
        ("etcd/peer", &both, Some("DNS:cp-1, DNS:localhost, IP Address:127.0.0.1")),
        ("etcd/healthcheck-client", client, None),
        ("kubelet-server", server, Some("DNS:cp-1, IP Address:127.0.0.1")),
    ] {
        let text = |extension: &str| {
            let ran = lab.openssl(&format!("x509 -in node/pki/{stem}.crt -noout -ext {extension}")).ok();
            ran.out.lines().nth(1).map(|line| line.trim().to_owned())
        };
        assert_eq!(text("extendedKeyUsage").as_deref(), Some(usages), "{stem}");
        assert_eq!(text("subjectAltName").as_deref(), names, "{stem}");
        let usage = text("keyUsage").unwrap();
        assert!(usage.starts_with("Digital Signature"), "{stem}: {usage}");
    }
}
