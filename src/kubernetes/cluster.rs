//! Cluster description: a short, strict TOML file.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use super::keys::KeyType;
use crate::failure::Failure;
use crate::media::shown;
use crate::request::IndexName;

/// Maximum length of a node name: `system:node:NAME` must fit the upper bound of 64 for a common
/// name (RFC 5280 A.1).
const MAX_NODE: usize = 52;

/// A cluster description.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Name of the cluster.
    pub name: IndexName,
    /// Files of the nodes, and the authorities that issue them.
    pub layout: Layout,
    /// `HOST` or `HOST:PORT` where clients reach the API server; the default port is 6443.
    pub endpoint: String,
    /// Service networks: one, or one per address family.
    pub service_cidr: Vec<IpNet>,
    /// DNS domain of services.
    #[serde(default = "default_domain")]
    pub domain: String,
    /// Type of the keys to generate.
    #[serde(default)]
    pub key: KeyType,
    /// Additional DNS names and IP addresses of the API server.
    #[serde(default)]
    pub extra_sans: Vec<String>,
    /// Whether kube-proxy has a certificate; kubeadm gives it a ServiceAccount instead.
    #[serde(default = "default_kube_proxy")]
    pub kube_proxy: bool,
    /// Whether the roster allows keys that were certified before.
    #[serde(default)]
    pub reuse_keys: bool,
    /// Names of the authorities in scripts and in the token.
    #[serde(default)]
    pub authorities: Authorities,
    /// Nodes of the cluster.
    pub node: Vec<Node>,
}

fn default_domain() -> String {
    "cluster.local".to_owned()
}

fn default_kube_proxy() -> bool {
    true
}

/// Files of the nodes, and the authorities that issue them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Three authorities, with kubeadm's paths and names.
    Kubeadm,
    /// One authority and a flat folder.
    SingleCa,
}

/// Names of the authorities; the layout `single-ca` has only the first.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Authorities {
    /// Authority of the cluster.
    pub kubernetes: String,
    /// Authority of etcd.
    pub etcd: String,
    /// Authority of the front proxy.
    pub front_proxy: String,
    /// The key that signs manifests.
    pub manifest: String,
}

impl Default for Authorities {
    fn default() -> Self {
        Self {
            kubernetes: "kubernetes-ca".into(),
            etcd: "etcd-ca".into(),
            front_proxy: "front-proxy-ca".into(),
            manifest: "manifest".into(),
        }
    }
}

/// A machine of the cluster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Name under which the node registers.
    pub name: String,
    /// Components on the node.
    pub roles: Vec<Role>,
    /// IP addresses of the node, the advertised one first.
    pub addresses: Vec<IpAddr>,
    /// Additional DNS names and IP addresses of the node.
    #[serde(default)]
    pub extra_sans: Vec<String>,
}

/// Components on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// API server, controller manager, scheduler, kubelet.
    ControlPlane,
    /// A member of etcd.
    Etcd,
    /// A kubelet.
    Worker,
}

impl Node {
    /// Whether the node has this role.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether a kubelet runs on the node.
    pub fn has_kubelet(&self) -> bool {
        self.is(Role::ControlPlane) || self.is(Role::Worker)
    }
}

/// Distinct DNS names and IP addresses in order of insertion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AltNames {
    /// DNS names.
    pub dns: Vec<String>,
    /// IP addresses.
    pub ip: Vec<IpAddr>,
}

impl AltNames {
    /// Adds a DNS name or an IP address.
    pub fn add(&mut self, name: &str) {
        match name.parse::<IpAddr>() {
            Ok(ip) => self.add_ip(ip),
            Err(_) if self.dns.iter().any(|dns| dns == name) => {}
            Err(_) => self.dns.push(name.to_owned()),
        }
    }

    /// Adds an IP address.
    pub fn add_ip(&mut self, ip: IpAddr) {
        if !self.ip.contains(&ip) {
            self.ip.push(ip);
        }
    }
}

impl Cluster {
    /// Parses and checks a description.
    ///
    /// # Errors
    /// [`Failure`] names the key, the actual and the required value.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let cluster: Self =
            toml::from_str(text).map_err(|e| Failure::usage(e.to_string().trim_end().to_owned()))?;
        cluster.check()?;
        Ok(cluster)
    }

    /// Returns the first control-plane node, where kubeadm initialises the cluster.
    pub fn first_control_plane(&self) -> Option<&Node> {
        self.node.iter().find(|node| node.is(Role::ControlPlane))
    }

    /// Returns host and port of the endpoint.
    pub fn endpoint(&self) -> (String, u16) {
        split_endpoint(&self.endpoint).unwrap_or_else(|_| (self.endpoint.clone(), 6443))
    }

    /// Returns the first address of each service network: the API server's, for clients in pods.
    pub fn service_addresses(&self) -> Vec<IpAddr> {
        self.service_cidr.iter().filter_map(first_address).collect()
    }

    fn check(&self) -> Result<(), Failure> {
        host("name", self.name.as_str())?;
        split_endpoint(&self.endpoint)?;
        host("domain", &self.domain)?;
        sans("extra_sans", &self.extra_sans)?;
        self.check_services()?;
        self.check_authorities()?;
        let mut names = HashSet::new();
        let mut addresses = HashSet::new();
        for node in &self.node {
            node.check()?;
            if !names.insert(&node.name) {
                return Err(Failure::usage(format!("duplicate node {}", node.name)));
            }
            if let Some(twice) = node.addresses.iter().find(|address| !addresses.insert(**address)) {
                return Err(Failure::usage(format!("node {}: duplicate address {twice}", node.name)));
            }
        }
        match self.first_control_plane() {
            Some(_) => Ok(()),
            None => Err(Failure::usage("no node has the role control-plane")),
        }
    }

    fn check_services(&self) -> Result<(), Failure> {
        let families: HashSet<bool> = self.service_cidr.iter().map(|net| net.addr().is_ipv4()).collect();
        if families.is_empty() || families.len() != self.service_cidr.len() {
            return Err(Failure::usage(format!(
                "service_cidr has {} networks, must have one, or one IPv4 and one IPv6",
                self.service_cidr.len()
            )));
        }
        match self.service_cidr.iter().find(|net| first_address(net).is_none()) {
            None => Ok(()),
            Some(net) => Err(Failure::usage(format!("service_cidr {net} has no address for the API server"))),
        }
    }

    fn check_authorities(&self) -> Result<(), Failure> {
        let Authorities { kubernetes, etcd, front_proxy, manifest } = &self.authorities;
        let names = [kubernetes, etcd, front_proxy, manifest];
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        for (at, name) in names.iter().enumerate() {
            if name.is_empty() || name.len() > 32 || !name.bytes().all(plain) {
                return Err(Failure::usage(format!(
                    "authorities: name {:?} must be 1 to 32 characters of a-z, 0-9 and -",
                    shown(name)
                )));
            }
            if names.iter().take(at).any(|other| other == name) {
                return Err(Failure::usage(format!("authorities: duplicate name {name}")));
            }
        }
        Ok(())
    }
}

impl Node {
    fn check(&self) -> Result<(), Failure> {
        host("node", &self.name)?;
        let at = |why: String| Err(Failure::usage(format!("node {}: {why}", self.name)));
        if self.name.len() > MAX_NODE {
            return at(format!(
                "name has {} characters, but at most {MAX_NODE} fit in system:node:NAME as a common name (RFC 5280 A.1)",
                self.name.len()
            ));
        }
        if self.roles.is_empty() {
            return at("has no role; roles are control-plane, etcd and worker".into());
        }
        if self.roles.iter().collect::<HashSet<_>>().len() != self.roles.len() {
            return at("duplicate role".into());
        }
        if self.addresses.is_empty() {
            return at("has no address".into());
        }
        if let Some(bad) = self.addresses.iter().find(|address| !usable(address)) {
            return at(format!("address {bad} cannot be a node's address"));
        }
        sans(&format!("node {}: extra_sans", self.name), &self.extra_sans)
    }
}

fn usable(address: &IpAddr) -> bool {
    let mapped = matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    !(address.is_unspecified() || address.is_multicast() || mapped)
}

fn first_address(net: &IpNet) -> Option<IpAddr> {
    net.hosts().find(|address| *address != net.network())
}

fn split_endpoint(text: &str) -> Result<(String, u16), Failure> {
    let bad = |why: &str| {
        Failure::usage(format!(
            "endpoint {:?} {why}; it must be HOST or HOST:PORT, with an IPv6 address in brackets",
            shown(text)
        ))
    };
    let (host_part, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            (address, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("6443")))
        }
        None => match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, Some("6443")),
        },
    };
    let port = port.and_then(|port| port.parse().ok()).filter(|port| *port > 0);
    let port = port.ok_or_else(|| bad("has no valid port (1 to 65535)"))?;
    match host_part.parse::<IpAddr>() {
        Ok(address) if usable(&address) => Ok((address.to_string(), port)),
        Ok(_) => Err(bad("cannot be a server's address")),
        Err(_) if text.starts_with('[') => Err(bad("has no IPv6 address in its brackets")),
        Err(_) => host("endpoint", host_part).map(|()| (host_part.to_owned(), port)),
    }
}

fn sans(key: &str, names: &[String]) -> Result<(), Failure> {
    names.iter().try_for_each(|name| match name.parse::<IpAddr>() {
        Ok(address) if usable(&address) => Ok(()),
        Ok(_) => Err(Failure::usage(format!("{key}: {name} cannot be a server's address"))),
        Err(_) => host(key, name),
    })
}

/// Checks a lower-case DNS name (RFC 1123 2.1). A numeric last label means a malformed address.
fn host(key: &str, name: &str) -> Result<(), Failure> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let digits = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    match name.split('.').find(|part| !label(part)) {
        None if name.len() <= 253 && !(digits && name.contains('.')) => Ok(()),
        None => Err(Failure::usage(format!("{key}: {:?} is neither a DNS name nor an address", shown(name)))),
        Some(part) => Err(Failure::usage(format!(
            "{key}: {:?} is not a DNS name: label {:?} must be 1 to 63 characters of a-z, 0-9 and -, with a letter or digit at both ends (RFC 1123 2.1)",
            shown(name),
            shown(part)
        ))),
    }
}
