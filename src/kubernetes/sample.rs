//! The small cluster of a rehearsal: one control-plane node, two workers, and one request that
//! asks for more than the roster allows.

use std::net::IpAddr;

use zeroize::Zeroizing;

use super::{Error, request};

/// One party of the sample cluster.
#[derive(Debug)]
pub struct SampleFile {
    /// Path of the request in the bundle.
    pub request_path: String,
    /// Path of the private key on the cluster's side.
    pub key_path: String,
    /// The private key, PEM.
    pub private_key: Zeroizing<String>,
    /// The request, PEM.
    pub request: String,
}

const CLUSTER: [(&str, &str, &str, &str); 18] = [
    (
        "pki/apiserver",
        "CN=kube-apiserver",
        "cp-1 kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local api.cluster.example",
        "10.96.0.1 192.168.0.10",
    ),
    ("pki/apiserver-kubelet-client", "CN=kube-apiserver-kubelet-client", "", ""),
    ("pki/apiserver-etcd-client", "CN=kube-apiserver-etcd-client", "", ""),
    ("pki/front-proxy-client", "CN=front-proxy-client", "", ""),
    ("pki/etcd/server", "CN=cp-1", "cp-1 localhost", "127.0.0.1 192.168.0.10 ::1"),
    ("pki/etcd/peer", "CN=cp-1", "cp-1 localhost", "127.0.0.1 192.168.0.10 ::1"),
    ("pki/etcd/healthcheck-client", "CN=kube-etcd-healthcheck-client", "", ""),
    ("admin.conf", "O=kubeadm:cluster-admins CN=kubernetes-admin", "", ""),
    ("super-admin.conf", "O=system:masters CN=kubernetes-super-admin", "", ""),
    ("controller-manager.conf", "CN=system:kube-controller-manager", "", ""),
    ("scheduler.conf", "CN=system:kube-scheduler", "", ""),
    ("kubelet.conf", "O=system:nodes CN=system:node:cp-1", "", ""),
    ("kube-proxy", "O=system:node-proxier CN=system:kube-proxy", "", ""),
    ("nodes/worker-1/kubelet", "O=system:nodes CN=system:node:worker-1", "", ""),
    ("nodes/worker-1/kubelet-server", "O=system:nodes CN=system:node:worker-1", "worker-1", "192.168.0.21"),
    ("nodes/worker-2/kubelet", "O=system:nodes CN=system:node:worker-2", "", ""),
    ("nodes/worker-2/kubelet-server", "O=system:nodes CN=system:node:worker-2", "worker-2", "192.168.0.22"),
    // Worker 3 was taken over: it asks for the group that no authorizer refuses anything.
    ("nodes/worker-3/kubelet", "O=system:masters CN=system:node:worker-3", "", ""),
];

/// Makes the keys and requests of the sample cluster.
///
/// # Errors
/// [`Error`] when a key cannot be generated.
pub fn sample_cluster() -> Result<Vec<SampleFile>, Error> {
    CLUSTER
        .iter()
        .map(|(stem, subject, dns, ip)| {
            let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let ip: Vec<IpAddr> = ip.split_whitespace().filter_map(|text| text.parse().ok()).collect();
            let made = request(&list(subject), &list(dns), &ip)?;
            Ok(SampleFile {
                request_path: format!("{stem}.csr"),
                key_path: format!("{stem}.key"),
                private_key: made.private_key,
                request: made.request,
            })
        })
        .collect()
}
