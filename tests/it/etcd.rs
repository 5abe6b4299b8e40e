//! Real etcd: three members that authenticate each other and their clients with certificates signed
//! by a token and installed by `keyrite install`, and refuse all others.

use crate::support::process::{Running, free_port, until};
use crate::support::{Lab, Ran};

const MEMBERS: [(&str, &str); 3] = [("cp-1", "127.0.0.1"), ("cp-2", "127.0.0.2"), ("cp-3", "127.0.0.3")];

/// Creates three nodes `cp-1` to `cp-3` with their certificates, from one release.
fn nodes() -> Lab {
    let lab = Lab::cluster();
    // All members are on the loopback.
    let script = lab.read("ceremony/kubernetes-sign.toml").replace("127.0.0.1/32", "127.0.0.0/29");
    lab.write("ceremony/kubernetes-sign.toml", script);
    for (node, ip) in MEMBERS {
        for (name, kind) in [("server", "rsa"), ("peer", "sec1")] {
            lab.party(
                &format!("{node}/pki/etcd/{name}.key"),
                &format!("bundle/nodes/{node}/pki/etcd/{name}.csr"),
                &format!("/CN={node}"),
                &format!("DNS:{node},DNS:localhost,IP:{ip}"),
                kind,
            );
        }
    }
    for (client, subject) in [
        ("etcd/healthcheck-client", "/CN=kube-etcd-healthcheck-client"),
        ("apiserver-etcd-client", "/CN=kube-apiserver-etcd-client"),
        ("apiserver-kubelet-client", "/CN=kube-apiserver-kubelet-client"),
        ("front-proxy-client", "/CN=front-proxy-client"),
    ] {
        lab.party(
            &format!("cp-1/pki/{client}.key"),
            &format!("bundle/pki/{client}.csr"),
            subject,
            "",
            "pkcs8",
        );
    }
    lab.sign_cluster("bundle", "release").ok();
    for (node, _) in MEMBERS {
        let ran = lab.install("release", node, "").ok();
        assert!(ran.out.contains(&format!("{node}/pki/etcd/peer.crt: etcd-peer, CN={node}")), "{}", ran.out);
    }
    lab
}

struct Etcd {
    clients: Vec<String>,
    peers: Vec<String>,
    members: Vec<Running>,
}

fn start(lab: &Lab) -> Etcd {
    let urls = || -> Vec<String> {
        MEMBERS.iter().map(|(_, ip)| format!("https://{ip}:{}", free_port(ip))).collect()
    };
    let (clients, peers) = (urls(), urls());
    let cluster: Vec<String> =
        MEMBERS.iter().zip(&peers).map(|((node, _), url)| format!("{node}={url}")).collect();
    let cluster = cluster.join(",");
    let members = MEMBERS.iter().enumerate().map(|(at, (node, _))| {
        let pki = format!("{node}/pki/etcd");
        Running::start(lab, node, &format!(
            "etcd --name {node} --data-dir data-{node} --initial-cluster {cluster} --initial-cluster-token lab \
             --listen-client-urls {0} --advertise-client-urls {0} --listen-peer-urls {1} --initial-advertise-peer-urls {1} \
             --client-cert-auth --trusted-ca-file {pki}/ca.crt --cert-file {pki}/server.crt --key-file {pki}/server.key \
             --peer-client-cert-auth --peer-trusted-ca-file {pki}/ca.crt --peer-cert-file {pki}/peer.crt --peer-key-file {pki}/peer.key",
            clients[at], peers[at]
        ))
    });
    let members = members.collect();
    Etcd { clients, peers, members }
}

fn etcdctl(lab: &Lab, endpoints: &str, ca: &str, client: Option<&str>, command: &str) -> Ran {
    let pair = client.map(|stem| format!("--cert {stem}.crt --key {stem}.key")).unwrap_or_default();
    let all = format!(
        "--endpoints {endpoints} --cacert {ca} {pair} --dial-timeout 1s --command-timeout 2s {command}"
    );
    let words: Vec<&str> = all.split_whitespace().collect();
    lab.output(lab.command("etcdctl", &words).env("ETCDCTL_API", "3"))
}

#[test]
fn three_members_accept_only_their_own() {
    let lab = nodes();
    let mut etcd = start(&lab);
    let ca = "cp-1/pki/etcd/ca.crt";
    let api = Some("cp-1/pki/apiserver-etcd-client");
    let all = etcd.clients.join(",");
    until("three healthy members", || {
        assert!(!etcd.members.iter_mut().any(Running::ended), "{}", lab.read("cp-1.log"));
        etcdctl(&lab, &all, ca, Some("cp-1/pki/etcd/healthcheck-client"), "endpoint health").code == 0
    });
    let members = etcdctl(&lab, &all, ca, api, "member list").ok().out;
    assert_eq!(members.matches("started").count(), 3, "{members}");
    // Written through one member, read through each.
    etcdctl(&lab, &etcd.clients[0], ca, api, "put rite done").ok();
    for endpoint in &etcd.clients {
        let got = etcdctl(&lab, endpoint, ca, api, "get rite").ok().out;
        assert_eq!(got, "rite\ndone\n", "{endpoint}");
    }

    // No certificate, another CA with the same name, clients of the cluster's other authorities.
    for (name, subject) in [("stranger-ca", "/CN=etcd-ca"), ("self", "/CN=kube-apiserver-etcd-client")] {
        lab.openssl(&format!("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.crt -subj {subject} -days 2")).ok();
    }
    lab.openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout stranger.key -out stranger.csr -subj /CN=kube-apiserver-etcd-client").ok();
    lab.openssl(
        "x509 -req -in stranger.csr -CA stranger-ca.crt -CAkey stranger-ca.key -days 2 -out stranger.crt",
    )
    .ok();
    let strangers = [
        None,
        Some("stranger"),
        Some("self"),
        Some("cp-1/pki/apiserver-kubelet-client"),
        Some("cp-1/pki/front-proxy-client"),
    ];
    for stranger in strangers {
        let ran = etcdctl(&lab, &etcd.clients[0], ca, stranger, "get rite");
        assert_ne!(ran.code, 0, "{stranger:?}: {ran:?}");
        assert!(!ran.out.contains("done"), "{stranger:?}: {ran:?}");
        // The handshake itself fails, at client and peer ports. TLS 1.2, in which the client sees
        // that.
        for url in etcd.clients.iter().chain(&etcd.peers) {
            assert!(!handshake(&lab, url, ca, stranger), "{stranger:?} at {url}");
        }
    }
    for url in &etcd.clients {
        assert!(handshake(&lab, url, ca, api), "{url}");
    }
    for (url, (node, _)) in etcd.peers.iter().zip(MEMBERS) {
        assert!(handshake(&lab, url, ca, Some(&format!("{node}/pki/etcd/peer"))), "{url}");
    }
    let logs: String = MEMBERS.iter().map(|(node, _)| lab.read(&format!("{node}.log"))).collect();
    for why in ["didn't provide a certificate", "certificate signed by unknown authority"] {
        assert!(logs.contains(why), "{why}");
    }
    // A client refuses a server of any authority except etcd's.
    let other = "roots/authorities/kubernetes-ca.crt";
    assert_ne!(etcdctl(&lab, &etcd.clients[0], other, api, "get rite").code, 0);
    assert!(!handshake(&lab, &etcd.clients[0], other, api));
}

/// Returns whether a handshake with this client succeeds on both sides.
fn handshake(lab: &Lab, url: &str, ca: &str, client: Option<&str>) -> bool {
    let pair = client.map(|stem| format!("-cert {stem}.crt -key {stem}.key")).unwrap_or_default();
    let address = url.trim_start_matches("https://");
    let ip = address.split(':').next().unwrap();
    let all = format!(
        "s_client -connect {address} -tls1_2 -CAfile {ca} -verify_return_error -purpose sslserver -verify_ip {ip} {pair}"
    );
    lab.run("openssl", &all.split_whitespace().collect::<Vec<_>>()).code == 0
}
