//! The cluster side for tests: keys and requests as kubeadm leaves them, signed by the shipped
//! scripts on a real token.

use base64ct::{Base64, Encoding};

use super::{Lab, P256, Ran};

/// Requests of a control-plane node: path without extension, subject, names.
pub const PKI: [(&str, &str, &str); 7] = [
    (
        "apiserver",
        "/CN=kube-apiserver",
        "DNS:cp-1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:10.96.0.1,IP:127.0.0.1",
    ),
    ("apiserver-kubelet-client", "/CN=kube-apiserver-kubelet-client", ""),
    ("apiserver-etcd-client", "/CN=kube-apiserver-etcd-client", ""),
    ("front-proxy-client", "/CN=front-proxy-client", ""),
    ("etcd/server", "/CN=cp-1", "DNS:cp-1,DNS:localhost,IP:127.0.0.1"),
    ("etcd/peer", "/CN=cp-1", "DNS:cp-1,DNS:localhost,IP:127.0.0.1"),
    ("etcd/healthcheck-client", "/CN=kube-etcd-healthcheck-client", ""),
];

/// Kubeconfigs and their users.
pub const KUBECONFIGS: [(&str, &str); 5] = [
    ("admin.conf", "/O=kubeadm:cluster-admins/CN=kubernetes-admin"),
    ("super-admin.conf", "/O=system:masters/CN=kubernetes-super-admin"),
    ("controller-manager.conf", "/CN=system:kube-controller-manager"),
    ("scheduler.conf", "/CN=system:kube-scheduler"),
    ("kubelet.conf", "/O=system:nodes/CN=system:node:cp-1"),
];

/// A kubeconfig before its certificate is added.
pub fn kubeconfig(user: &str, key_pem: &str) -> String {
    let key = Base64::encode_string(key_pem.as_bytes());
    format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    server: https://127.0.0.1:6443\n  name: kubernetes\ncontexts:\n- context:\n    cluster: kubernetes\n    user: {user}\n  name: {user}@kubernetes\ncurrent-context: {user}@kubernetes\nkind: Config\npreferences: {{}}\nusers:\n- name: {user}\n  user:\n    client-key-data: {key}\n"
    )
}

impl Lab {
    /// Copies the shipped scripts, changed for a machine on a network and a cluster on the
    /// loopback.
    pub fn cluster_scripts(&self) {
        self.ceremony_files();
        for script in ["kubernetes-roots", "kubernetes-sign", "kubernetes-signer"] {
            let path = format!("ceremony/{script}.toml");
            let text = self
                .read(&path)
                .replace(
                    "act = \"machine\"\n",
                    "act = \"machine\"\nnetwork = \"report\"\nobservers = \"report\"\n",
                )
                .replace("ip = [\"10.96.0.1/32\"]\n", "")
                .replace("ip = [\"127.0.0.0/8\", \"::1/128\"]\n", "")
                .replace("\"10.96.0.1/32\"", "\"10.96.0.1/32\", \"127.0.0.1/32\"")
                .replace("dns = [\"{1}\"]\nip = [", "dns = [\"{1}\"]\nip = [\"127.0.0.1/32\", ");
            self.write(&path, text);
        }
    }

    /// Creates a token with the three authorities of a cluster; release 1 is in `roots/`.
    pub fn cluster() -> Self {
        let lab = Self::new();
        lab.cluster_scripts();
        lab.ceremony("ceremony/kubernetes-roots.toml", "--out roots").ok();
        lab
    }

    /// Creates a key and its request; `key` is `rsa`, `sec1`, or else PKCS #8 on P-256.
    pub fn party(&self, key_path: &str, request: &str, subject: &str, san: &str, kind: &str) {
        for path in [key_path, request] {
            std::fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        }
        match kind {
            "rsa" => self.openssl(&format!("genrsa -traditional -out {key_path} 2048")).ok(),
            // Preceded by its parameters, the default of openssl.
            "sec1" => self.openssl(&format!("ecparam -name prime256v1 -genkey -out {key_path}")).ok(),
            _ => self.openssl(&format!("genpkey {P256} -out {key_path}")).ok(),
        };
        let mut arguments = vec!["req", "-new", "-key", key_path, "-subj", subject, "-out", request];
        let san = format!("subjectAltName={san}");
        if san.len() > "subjectAltName=".len() {
            arguments.extend(["-addext", &san]);
        }
        self.run("openssl", &arguments).ok();
    }

    /// Creates a control-plane node in `node`, as `kubeadm certs generate-csr` leaves it, and its
    /// requests in `bundle`: keys in every form, kubeconfigs without certificates.
    pub fn control_plane(&self, node: &str, bundle: &str) {
        for (number, (stem, subject, san)) in PKI.iter().enumerate() {
            let kind = ["rsa", "sec1", "pkcs8"][number.min(2)];
            let (key, request) = (format!("{node}/pki/{stem}.key"), format!("{bundle}/pki/{stem}.csr"));
            self.party(&key, &request, subject, san, kind);
        }
        for (name, subject) in KUBECONFIGS {
            let request = format!("{bundle}/{name}.csr");
            self.party("made.key", &request, subject, "", "pkcs8");
            let user = subject.rsplit('=').next().unwrap();
            self.write(&format!("{node}/{name}"), kubeconfig(user, &self.read("made.key")));
            std::fs::remove_file(self.path("made.key")).unwrap();
            self.run("chmod", &["600", &format!("{node}/{name}")]).ok();
        }
        self.openssl(&format!("genrsa -out {node}/pki/sa.key 2048")).ok();
    }

    /// Signs a bundle with the shipped script.
    pub fn sign_cluster(&self, bundle: &str, out: &str) -> Ran {
        self.ceremony("ceremony/kubernetes-sign.toml", &format!("--in {bundle} --out {out}"))
    }

    /// Runs `keyrite install` on a node, with the root of the first ceremony.
    pub fn install(&self, release: &str, node: &str, more: &str) -> Ran {
        self.keyrite(&format!(
            "install {release} --root roots/authorities/kubernetes-ca.crt --pki {node}/pki {more}"
        ))
    }

    /// Lists every file and folder with type, permissions, owner and digest, without following
    /// links.
    pub fn listing(&self, folder: &str) -> String {
        let script = format!(
            "cd {folder} && find . -printf '%P %y %m %U:%G %l\\n' | LC_ALL=C sort && find . -type f | LC_ALL=C sort | xargs -d '\\n' sha256sum"
        );
        self.run("sh", &["-c", &script]).ok().out
    }
}
