//! Determines which components must be restarted for a changed file, and how.

/// A component and how to restart it.
struct Component {
    name: &'static str,
    /// Prefixes of the paths of its own files, which it reads at startup.
    own: &'static [&'static str],
    /// Prefixes of the paths of CA files that it reads if it runs on the node.
    shared: &'static [&'static str],
    /// Whether it runs on every node; other components run where their own files are.
    everywhere: bool,
    how: &'static str,
}

const COMPONENTS: [Component; 6] = [
    Component {
        name: "etcd",
        own: &["etcd/server.", "etcd/peer.", "etcdserver.", "etcd."],
        shared: &["etcd/ca."],
        everywhere: false,
        how: STATIC_POD,
    },
    Component {
        name: "kube-apiserver",
        own: &["apiserver", "kube-apiserver", "front-proxy", "kubernetes."],
        shared: &["ca.", "etcd/ca."],
        everywhere: false,
        how: STATIC_POD,
    },
    Component {
        name: "kube-controller-manager",
        own: &["controller-manager.", "kube-controller-manager.", "cluster-signer."],
        shared: &["ca."],
        everywhere: false,
        how: STATIC_POD,
    },
    Component {
        name: "kube-scheduler",
        own: &["scheduler.", "kube-scheduler."],
        shared: &["ca."],
        everywhere: false,
        how: STATIC_POD,
    },
    Component {
        name: "kubelet",
        own: &["kubelet.", "kubelet-server.", "kubelet-client-"],
        shared: &["ca."],
        everywhere: true,
        how: "systemctl restart kubelet",
    },
    Component {
        name: "kube-proxy",
        own: &["kube-proxy."],
        shared: &["ca."],
        everywhere: true,
        how: "kubectl -n kube-system rollout restart daemonset kube-proxy; if a service, systemctl restart",
    },
];

const STATIC_POD: &str = "if a static pod, move its manifest out of /etc/kubernetes/manifests, wait until the container is gone, and move it back; if a service, systemctl restart";

/// Returns how to restart, and the components to restart that way, for changed files. `here` lists
/// the certificates and kubeconfigs whose keys are on the node.
pub fn restarts<'a>(
    changed: impl Iterator<Item = &'a str> + Clone,
    here: impl Iterator<Item = &'a str> + Clone,
) -> Vec<(&'static str, String)> {
    let mut groups: Vec<(&'static str, String)> = Vec::new();
    for component in COMPONENTS {
        let own = |path: &str| component.own.iter().any(|file| path.starts_with(file));
        let shared = |path: &str| component.shared.iter().any(|file| path.starts_with(file));
        let runs = component.everywhere || here.clone().any(own);
        if !changed.clone().any(|path| own(path) || (runs && shared(path))) {
            continue;
        }
        match groups.iter_mut().find(|(known, _)| *known == component.how) {
            Some((_, names)) => *names += &format!(", {}", component.name),
            None => groups.push((component.how, component.name.to_owned())),
        }
    }
    groups
}
