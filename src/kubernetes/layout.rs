//! Certificates of each node, with authority and names. Sources: kubeadm's certlist and kubeconfig
//! phases for `kubeadm`, the flat folder of one authority for `single-ca`.

use super::cluster::{AltNames, Cluster, Layout, Node, Role};

/// A party of a cluster, with a key, a request and a certificate.
#[derive(Clone, Debug)]
pub struct Party {
    /// Name of its node.
    pub node: String,
    /// Path of its files on the node, without extension.
    pub rest: &'static str,
    /// Name of its certificate profile.
    pub profile: &'static str,
    /// Name of the issuing authority.
    pub authority: String,
    /// Subject as `TYPE=value` strings, organization first as in kubeadm.
    pub subject: Vec<String>,
    /// Subject alternative names.
    pub names: AltNames,
    /// Kubeconfig, if it has one.
    pub config: Option<Config>,
}

/// A kubeconfig to be written.
#[derive(Clone, Debug)]
pub struct Config {
    /// Path on the node.
    pub rest: &'static str,
    /// URL of the API server.
    pub server: String,
    /// Name of the user.
    pub user: String,
    /// Whether the key is only in the kubeconfig, without a key file.
    pub holds_key: bool,
}

impl Party {
    /// Returns the path of the request in a bundle.
    pub fn request_path(&self) -> String {
        format!("nodes/{}/{}.csr", self.node, self.rest)
    }

    /// Returns the path of the private key, unless only the kubeconfig contains it.
    pub fn key_path(&self) -> Option<String> {
        match &self.config {
            Some(config) if config.holds_key => None,
            _ => Some(format!("nodes/{}/{}.key", self.node, self.rest)),
        }
    }

    /// Returns the kubeconfig and its path.
    pub fn config_path(&self) -> Option<(&Config, String)> {
        self.config.as_ref().map(|config| (config, format!("nodes/{}/{}", self.node, config.rest)))
    }
}

/// Returns the path of the service account keys below `nodes/NODE/`, without extension.
pub fn service_account_stem(layout: Layout) -> &'static str {
    match layout {
        Layout::Kubeadm => "pki/sa",
        Layout::SingleCa => "sa",
    }
}

/// Returns all parties of a cluster, grouped by node.
pub fn parties(cluster: &Cluster) -> Vec<Party> {
    let on = |node| match cluster.layout {
        Layout::Kubeadm => kubeadm(cluster, node),
        Layout::SingleCa => single_ca(cluster, node),
    };
    cluster.node.iter().flat_map(on).collect()
}

fn kubeadm(cluster: &Cluster, node: &Node) -> Vec<Party> {
    let builder = Builder { cluster, node, authority: &cluster.authorities.kubernetes };
    let etcd = Builder { authority: &cluster.authorities.etcd, ..builder };
    let front = Builder { authority: &cluster.authorities.front_proxy, ..builder };
    let node_name = format!("CN={}", node.name);
    let (local, endpoint) = (builder.local(), builder.endpoint());
    let mut parties = Vec::new();
    if node.is(Role::ControlPlane) {
        parties.extend([
            builder.server("pki/apiserver", "kube-apiserver", "CN=kube-apiserver", builder.api_server()),
            builder.client(
                "pki/apiserver-kubelet-client",
                "apiserver-kubelet-client",
                "CN=kube-apiserver-kubelet-client",
            ),
            etcd.client(
                "pki/apiserver-etcd-client",
                "apiserver-etcd-client",
                "CN=kube-apiserver-etcd-client",
            ),
            front.client("pki/front-proxy-client", "front-proxy-client", "CN=front-proxy-client"),
        ]);
    }
    if node.is(Role::Etcd) {
        parties.extend([
            etcd.server("pki/etcd/server", "etcd-server", &node_name, builder.with_loopback()),
            etcd.server("pki/etcd/peer", "etcd-peer", &node_name, builder.with_loopback()),
            etcd.client(
                "pki/etcd/healthcheck-client",
                "etcd-healthcheck-client",
                "CN=kube-etcd-healthcheck-client",
            ),
        ]);
    }
    if node.is(Role::ControlPlane) {
        parties.push(builder.config(
            "admin.conf",
            "admin",
            "O=kubeadm:cluster-admins CN=kubernetes-admin",
            &endpoint,
        ));
        // Break-glass: kubeadm creates it only where it initializes the cluster.
        if cluster.first_control_plane().is_some_and(|first| first.name == node.name) {
            let subject = "O=system:masters CN=kubernetes-super-admin";
            parties.push(builder.config("super-admin.conf", "super-admin", subject, &endpoint));
        }
        parties.extend([
            builder.config(
                "controller-manager.conf",
                "controller-manager",
                "CN=system:kube-controller-manager",
                &local,
            ),
            builder.config("scheduler.conf", "scheduler", "CN=system:kube-scheduler", &local),
        ]);
    }
    if node.has_kubelet() {
        let subject = format!("O=system:nodes CN=system:node:{}", node.name);
        parties.push(builder.config("kubelet.conf", "kubelet-client", &subject, &endpoint));
        parties.push(builder.server("pki/kubelet-server", "kubelet-server", &subject, builder.own()));
        if cluster.kube_proxy {
            let subject = "O=system:node-proxier CN=system:kube-proxy";
            parties.push(builder.config("kube-proxy.conf", "kube-proxy", subject, &endpoint));
        }
    }
    parties
}

fn single_ca(cluster: &Cluster, node: &Node) -> Vec<Party> {
    let builder = Builder { cluster, node, authority: &cluster.authorities.kubernetes };
    let (local, endpoint) = (builder.local(), builder.endpoint());
    let mut parties = Vec::new();
    if node.is(Role::ControlPlane) {
        // One key pair with three uses: API server, client of etcd, client of the kubelets.
        parties.push(builder.server(
            "apiserver",
            "kube-apiserver-all",
            "CN=kube-apiserver",
            builder.api_server(),
        ));
    }
    if node.is(Role::Etcd) {
        let subject = format!("CN={}", node.name);
        parties.push(builder.server("etcdserver", "etcd-server", &subject, builder.with_loopback()));
    }
    if node.has_kubelet() {
        // One key pair with two uses: the kubelet's server, and its client of the API server.
        let subject = format!("O=system:nodes CN=system:node:{}", node.name);
        let pair = builder.server("kubelet", "kubelet-all", &subject, builder.own());
        parties.push(builder.with_config(pair, "kubelet.conf", &endpoint));
    }
    if node.is(Role::ControlPlane) {
        for (rest, config, profile, subject, server) in [
            ("admin", "admin.conf", "admin", "O=kubeadm:cluster-admins CN=kubernetes-admin", &endpoint),
            ("scheduler", "scheduler.conf", "scheduler", "CN=system:kube-scheduler", &local),
            (
                "controller-manager",
                "controller-manager.conf",
                "controller-manager",
                "CN=system:kube-controller-manager",
                &local,
            ),
        ] {
            parties.push(builder.with_config(builder.client(rest, profile, subject), config, server));
        }
    }
    if node.has_kubelet() && cluster.kube_proxy {
        let pair = builder.client("kube-proxy", "kube-proxy", "O=system:node-proxier CN=system:kube-proxy");
        parties.push(builder.with_config(pair, "kube-proxy.conf", &endpoint));
    }
    parties
}

/// Creates the parties of one node under one authority.
#[derive(Clone, Copy)]
struct Builder<'c> {
    cluster: &'c Cluster,
    node: &'c Node,
    authority: &'c str,
}

impl Builder<'_> {
    fn server(&self, rest: &'static str, profile: &'static str, subject: &str, names: AltNames) -> Party {
        Party {
            node: self.node.name.clone(),
            rest,
            profile,
            authority: self.authority.to_owned(),
            subject: subject.split(' ').map(str::to_owned).collect(),
            names,
            config: None,
        }
    }

    fn client(&self, rest: &'static str, profile: &'static str, subject: &str) -> Party {
        self.server(rest, profile, subject, AltNames::default())
    }

    fn config(&self, rest: &'static str, profile: &'static str, subject: &str, server: &str) -> Party {
        let mut party = self.with_config(self.client(rest, profile, subject), rest, server);
        party.config.iter_mut().for_each(|config| config.holds_key = true);
        party
    }

    fn with_config(&self, mut party: Party, rest: &'static str, server: &str) -> Party {
        let user = party.subject.iter().find_map(|text| text.strip_prefix("CN=")).unwrap_or_default();
        let (user, server) = (user.to_owned(), server.to_owned());
        party.config = Some(Config { rest, server, user, holds_key: false });
        party
    }

    /// Name and addresses of the node.
    fn own(&self) -> AltNames {
        let mut names = AltNames::default();
        names.add(&self.node.name);
        self.node.addresses.iter().for_each(|address| names.add_ip(*address));
        self.node.extra_sans.iter().for_each(|name| names.add(name));
        names
    }

    fn with_loopback(&self) -> AltNames {
        let mut names = self.own();
        ["localhost", "127.0.0.1", "::1"].iter().for_each(|name| names.add(name));
        names
    }

    fn api_server(&self) -> AltNames {
        let mut names = AltNames::default();
        names.add(&self.node.name);
        for service in ["kubernetes", "kubernetes.default", "kubernetes.default.svc"] {
            names.add(service);
        }
        names.add(&format!("kubernetes.default.svc.{}", self.cluster.domain));
        names.add(&self.cluster.endpoint().0);
        self.cluster.service_addresses().into_iter().for_each(|address| names.add_ip(address));
        self.node.addresses.iter().for_each(|address| names.add_ip(*address));
        self.cluster.extra_sans.iter().chain(&self.node.extra_sans).for_each(|name| names.add(name));
        names
    }

    fn endpoint(&self) -> String {
        let (host, port) = self.cluster.endpoint();
        url(&host, port)
    }

    /// URL of the API server on this node.
    fn local(&self) -> String {
        let (_, port) = self.cluster.endpoint();
        self.node.addresses.first().map_or_else(|| self.endpoint(), |address| url(&address.to_string(), port))
    }
}

fn url(host: &str, port: u16) -> String {
    if host.contains(':') { format!("https://[{host}]:{port}") } else { format!("https://{host}:{port}") }
}
