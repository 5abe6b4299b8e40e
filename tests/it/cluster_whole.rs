//! A cluster from its description to nodes that use TLS: requests, ceremony, installation on each
//! node, then kubectl and openssl with the installed files.

use crate::support::process::{Running, free_port, until};
use crate::support::{Lab, Ran};

fn description(layout: &str) -> String {
    format!(
        "name = \"loop\"\nlayout = \"{layout}\"\nendpoint = \"127.0.0.1:6443\"\nservice_cidr = [\"10.96.0.0/12\"]\n[[node]]\nname = \"cp-1\"\nroles = [\"control-plane\", \"etcd\"]\naddresses = [\"127.0.0.1\"]\n[[node]]\nname = \"w-1\"\nroles = [\"worker\"]\naddresses = [\"127.0.0.2\"]\n"
    )
}

/// Signs a cluster of this layout and installs each node; `pki` is relative to the node's folder.
fn sign_and_install(layout: &str, pki: &str) -> Lab {
    let lab = Lab::new();
    lab.write("cluster.toml", description(layout));
    lab.keyrite("request cluster cluster.toml --out c").ok();
    lab.ceremony("c/script/roots.toml", "--rehearsal --out roots").ok();
    lab.ceremony("c/script/sign.toml", "--rehearsal --in c/bundle --out release").ok();
    for node in ["cp-1", "w-1"] {
        let ran = lab
            .keyrite(&format!(
                "install release --root roots/authorities/kubernetes-ca.crt --rehearsal --pki c/nodes/{node}{pki} --kubeconfig-dir c/nodes/{node}"
            ))
            .ok();
        assert!(ran.out.contains("left out   "), "{}", ran.out);
    }
    complete(&lab);
    lab
}

/// Requires that each key has its certificate and each kubeconfig is complete.
fn complete(lab: &Lab) {
    for file in lab.files("c/nodes") {
        let path = format!("c/nodes/{file}");
        if let Some(stem) = path.strip_suffix(".key").filter(|stem| !stem.ends_with("/sa")) {
            let of_key = lab.openssl(&format!("pkey -in {path} -pubout")).ok().out;
            assert_eq!(
                of_key,
                lab.openssl(&format!("x509 -in {stem}.crt -noout -pubkey")).ok().out,
                "{path}"
            );
        }
        if path.ends_with(".conf") && !path.contains(".keyrite") {
            let view =
                kubectl(lab, &format!("config view --raw --minify -o json --kubeconfig {path}")).ok().out;
            for field in ["certificate-authority-data", "client-certificate-data", "client-key-data"] {
                assert!(view.contains(field), "{path}: {field}");
            }
        }
    }
}

fn kubectl(lab: &Lab, arguments: &str) -> Ran {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let mut command = lab.command("kubectl", &words);
    command.env("HOME", lab.path("home")).env("KUBECONFIG", "").env("no_proxy", "127.0.0.0/8");
    lab.output(&mut command)
}

/// Starts a server with this pair that requires a client of this CA.
fn serve(lab: &Lab, ip: &str, pair: &str, ca: &str) -> (Running, u16) {
    let port = free_port(ip);
    let command = format!(
        "openssl s_server -accept {ip}:{port} -cert {pair}.crt -key {pair}.key -CAfile {ca} -Verify 3 -verify_return_error -www"
    );
    let mut running = Running::start(lab, &format!("server-{port}"), &command);
    until(pair, || {
        assert!(!running.ended(), "{pair}: {}", lab.read(&format!("server-{port}.log")));
        std::net::TcpStream::connect((ip, port)).is_ok()
    });
    (running, port)
}

/// Every user reaches the API server, and the API server reaches the worker's kubelet.
fn check_tls(lab: &Lab, pki: &str, kubelet: &str, client: &str) {
    let (control, worker) = (format!("c/nodes/cp-1{pki}"), format!("c/nodes/w-1{pki}"));
    let (_api, port) = serve(lab, "127.0.0.1", &format!("{control}/apiserver"), &format!("{control}/ca.crt"));
    let users: Vec<String> = lab
        .files("c/nodes")
        .into_iter()
        .filter(|file| file.ends_with(".conf") && !file.contains(".keyrite"))
        .collect();
    assert!(users.len() >= 7, "{users:?}");
    for user in users {
        let page = kubectl(
            lab,
            &format!("--kubeconfig c/nodes/{user} --server https://127.0.0.1:{port} get --raw /"),
        )
        .ok();
        assert!(page.out.contains("Client certificate"), "{user}: {page:?}");
    }
    let (_kubelet, port) =
        serve(lab, "127.0.0.2", &format!("{worker}/{kubelet}"), &format!("{worker}/ca.crt"));
    let asks = format!(
        "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | openssl s_client -connect 127.0.0.2:{port} -CAfile {control}/ca.crt -verify_return_error -verify_ip 127.0.0.2 -quiet -ign_eof -cert {control}/{client}.crt -key {control}/{client}.key"
    );
    let answer = lab.run("sh", &["-c", &asks]);
    assert!(answer.out.contains("200 ok"), "{answer:?}");
}

#[test]
fn kubeadm_layout_from_description_to_tls() {
    let lab = sign_and_install("kubeadm", "/pki");
    check_tls(&lab, "/pki", "kubelet-server", "apiserver-kubelet-client");
    // As in kubeadm's external CA mode: the first CA verifies the leaves, and no CA key is present.
    let pki = "c/nodes/cp-1/pki";
    for leaf in ["apiserver", "apiserver-kubelet-client"] {
        lab.openssl(&format!("verify -CAfile {pki}/ca.crt {pki}/{leaf}.crt")).ok();
    }
    lab.openssl(&format!("verify -CAfile {pki}/front-proxy-ca.crt {pki}/front-proxy-client.crt")).ok();
    lab.openssl(&format!("verify -CAfile {pki}/etcd/ca.crt {pki}/etcd/server.crt {pki}/etcd/peer.crt {pki}/apiserver-etcd-client.crt")).ok();
    assert!(!lab.files("c/nodes").iter().any(|file| file.ends_with("ca.key")));
    // A worker has three files of its own, one CA, and no other node's files.
    let mut worker = lab.files("c/nodes/w-1");
    worker.retain(|file| !file.contains(".keyrite"));
    assert_eq!(
        worker,
        ["kube-proxy.conf", "kubelet.conf", "pki/ca.crt", "pki/kubelet-server.crt", "pki/kubelet-server.key"]
    );
}

#[test]
fn single_ca_layout_from_description_to_tls() {
    let lab = sign_and_install("single-ca", "");
    check_tls(&lab, "", "kubelet", "apiserver");
    let mut worker = lab.files("c/nodes/w-1");
    worker.retain(|file| !file.contains(".keyrite"));
    assert_eq!(
        worker,
        [
            "ca.crt",
            "kube-proxy.conf",
            "kube-proxy.crt",
            "kube-proxy.key",
            "kubelet.conf",
            "kubelet.crt",
            "kubelet.key"
        ]
    );
}
