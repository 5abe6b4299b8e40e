//! Which components read a file, and how each takes in a new one.

/// Components by the files that they read at their start, and how they are restarted.
const COMPONENTS: [(&str, &[&str], &str); 6] = [
    ("etcd", &["etcd/", "etcdserver.", "etcd."], STATIC_POD),
    (
        "kube-apiserver",
        &["ca.", "apiserver", "kube-apiserver", "front-proxy", "kubernetes.", "etcd/ca."],
        STATIC_POD,
    ),
    (
        "kube-controller-manager",
        &["ca.", "controller-manager.", "kube-controller-manager.", "cluster-signer."],
        STATIC_POD,
    ),
    ("kube-scheduler", &["ca.", "scheduler.", "kube-scheduler."], STATIC_POD),
    ("kubelet", &["ca.", "kubelet.", "kubelet-server."], "systemctl restart kubelet"),
    (
        "kube-proxy",
        &["ca.", "kube-proxy."],
        "kubectl -n kube-system rollout restart daemonset kube-proxy; as a service, systemctl restart it",
    ),
];

const STATIC_POD: &str = "as a static pod, move its file out of /etc/kubernetes/manifests, wait until the container is gone, move it back; as a service, systemctl restart it";

/// How components are restarted that read one of these files, and which they are.
pub fn restarts<'a>(changed: impl Iterator<Item = &'a str> + Clone) -> Vec<(&'static str, String)> {
    let mut told: Vec<(&'static str, String)> = Vec::new();
    for (name, files, how) in COMPONENTS {
        if !changed.clone().any(|path| files.iter().any(|file| path.starts_with(file))) {
            continue;
        }
        match told.iter_mut().find(|(known, _)| *known == how) {
            Some((_, names)) => *names += &format!(", {name}"),
            None => told.push((how, name.to_owned())),
        }
    }
    told
}
