//! Checks the requirements of Kubernetes' built-in signers (Kubernetes documentation, 'Certificates
//! and Certificate Signing Requests', section 'Kubernetes signers') before a bundle is made.
//! `ceremony/kubernetes-objects.toml` enforces the same when signing.

use crate::media::shown;
use crate::policy::subject_attributes;
use crate::request::{CertificationRequest, Contents, Object, Violation};

/// Built-in signers of Kubernetes that keyrite signs for.
pub const BUILT_IN: [&str; 3] = [CLIENT, KUBELET_CLIENT, KUBELET_SERVING];

const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
const KUBELET_SERVING: &str = "kubernetes.io/kubelet-serving";

/// Prefix of a kubelet's user name before it has a certificate.
const BOOTSTRAP: &str = "system:bootstrap:";
const NODE: &str = "system:node:";

/// Returns all violations by the request itself or of the rules of a built-in signer.
pub fn check(object: &Object, request: &[u8]) -> Vec<String> {
    let contents = match CertificationRequest::from_file(request) {
        Ok(request) => request.contents().clone(),
        Err(rejection) => return rejection.violations.iter().map(Violation::to_string).collect(),
    };
    let subject = match subject_attributes(&contents.subject) {
        Ok(subject) => subject,
        Err(error) => return vec![error.0],
    };
    let subject = Subject(&subject);
    let mut found = match object.signer.as_str() {
        CLIENT => client(object, &subject),
        KUBELET_CLIENT => kubelet_client(object, &subject, &contents),
        KUBELET_SERVING => kubelet_serving(object, &subject, &contents),
        _ => Vec::new(),
    };
    if BUILT_IN.contains(&object.signer.as_str()) {
        found.extend(usages(object));
    }
    found
}

struct Subject<'a>(&'a [String]);

impl Subject<'_> {
    fn all(&self, kind: &str) -> Vec<&str> {
        self.0.iter().filter_map(|text| text.strip_prefix(kind)?.strip_prefix('=')).collect()
    }

    fn common_name(&self) -> &str {
        self.all("CN").first().copied().unwrap_or_default()
    }
}

fn client(_: &Object, subject: &Subject<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if subject.common_name().is_empty() {
        found.push("subject has no CN, which is the user name".to_owned());
    }
    if subject.all("O").contains(&"system:masters") {
        found.push(
            "subject has O=system:masters, which the API server does not allow in a request".to_owned(),
        );
    }
    found
}

fn kubelet_client(object: &Object, subject: &Subject<'_>, contents: &Contents) -> Vec<String> {
    let mut found = node(subject);
    let asked = &contents.requested;
    let names = asked.dns.len() + asked.ip.len() + asked.other_names.len();
    if names > 0 {
        found.push(format!("alternative names are requested ({names}), but the signer allows none"));
    }
    // A kubelet's first request uses a bootstrap token, each later one the identity of the node.
    let bootstraps = object.requester.starts_with(BOOTSTRAP);
    if !bootstraps && object.requester != subject.common_name() {
        found.push(differs(object, subject));
    }
    found
}

fn kubelet_serving(object: &Object, subject: &Subject<'_>, contents: &Contents) -> Vec<String> {
    let mut found = node(subject);
    let asked = &contents.requested;
    if asked.dns.is_empty() && asked.ip.is_empty() {
        found.push("no DNS name or IP address is requested, but the signer requires one".to_owned());
    }
    found.extend(
        asked.other_names.iter().map(|name| format!("name {name} is neither a DNS name nor an IP address")),
    );
    if object.requester != subject.common_name() {
        found.push(differs(object, subject));
    }
    found
}

fn differs(object: &Object, subject: &Subject<'_>) -> String {
    format!("CN is {}, but the requester is {}", shown(subject.common_name()), shown(&object.requester))
}

fn node(subject: &Subject<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if subject.all("O") != ["system:nodes"] {
        found.push(format!("O is {}, must be exactly system:nodes", shown(&subject.all("O").join(", "))));
    }
    if subject.common_name().strip_prefix(NODE).is_none_or(str::is_empty) {
        found.push(format!("CN is {}, must be {NODE}NAME", shown(subject.common_name())));
    }
    found
}

/// keyEncipherment is optional; all other usages are exact, but clients need only clientAuth.
fn usages(object: &Object) -> Option<String> {
    let required: &[&str] = match object.signer.as_str() {
        KUBELET_SERVING => &["digitalSignature", "serverAuth"],
        KUBELET_CLIENT => &["digitalSignature", "clientAuth"],
        _ => &["clientAuth"],
    };
    let allowed = [
        "digitalSignature",
        "keyEncipherment",
        if object.signer == KUBELET_SERVING { "serverAuth" } else { "clientAuth" },
    ];
    let has = |usage: &str| object.usages.iter().any(|asked| asked == usage);
    let fits = required.iter().all(|usage| has(usage))
        && object.usages.iter().all(|asked| allowed.contains(&asked.as_str()));
    (!fits).then(|| {
        format!(
            "usages are {}; the signer requires {} and allows only {}",
            shown(&object.usages.join(", ")),
            required.join(", "),
            allowed.join(", ")
        )
    })
}
