//! Reads CertificateSigningRequest objects (certificates.k8s.io/v1) as printed by `kubectl get csr
//! -o json`; those approved and not yet signed become requests.

use base64ct::{Base64, Encoding};
use serde::Deserialize;

use super::signers;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::media::{RelativePath, shown};
use crate::request::{Entry, Object, Requests};

/// Maximum length of a path component of an object's name, in characters.
const COMPONENT: usize = 90;

/// The parts of an API server's response that are used; other fields are ignored.
#[derive(Deserialize)]
struct List {
    kind: String,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "apiVersion")]
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    request: String,
    signer_name: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    usages: Vec<String>,
    expiration_seconds: Option<std::num::NonZeroU32>,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
    #[serde(default)]
    certificate: String,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

/// Result of [`pick`].
#[derive(Debug, Default)]
pub struct Picked {
    /// Requests with their index entries.
    pub requests: Requests,
    /// Names of objects left out, with the reason: not approved, signed, or for another signer.
    pub left: Vec<(String, String)>,
    /// Names of approved objects that violate rules, each with all violations.
    pub refused: Vec<(String, Vec<String>)>,
}

/// Picks the approved, unsigned objects of the chosen signers.
///
/// # Errors
/// [`Failure::usage`] unless the JSON is a list of CertificateSigningRequest objects.
pub fn pick(json: &[u8], chosen: &[String]) -> Result<Picked, Failure> {
    let mut picked = Picked::default();
    for item in items(json)? {
        let name = item.metadata.name.clone();
        match exclusion(&item, chosen) {
            Some(why) => picked.left.push((name, why)),
            None => match request(item) {
                Ok(request) => picked.requests.push(request),
                Err(why) => picked.refused.push((name, why)),
            },
        }
    }
    Ok(picked)
}

fn items(json: &[u8]) -> Result<Vec<Item>, Failure> {
    let wrong = |why: String| Failure::usage(format!("{why}; create it with `kubectl get csr -o json`"));
    let bad =
        |e: serde_json::Error| wrong(format!("is not a list of API objects: {}", shown(&e.to_string())));
    let list: List = serde_json::from_slice(json).map_err(bad)?;
    let items = match list.kind.as_str() {
        "CertificateSigningRequest" => vec![serde_json::from_slice(json).map_err(bad)?],
        "List" | "CertificateSigningRequestList" => list.items,
        other => return Err(wrong(format!("has kind {}", shown(other)))),
    };
    let fits = |item: &&Item| {
        item.kind == "CertificateSigningRequest" && item.api_version == "certificates.k8s.io/v1"
    };
    match items.iter().find(|item| !fits(item)) {
        None => Ok(items),
        Some(other) => Err(wrong(format!(
            "contains {} {}, must contain only certificates.k8s.io/v1 CertificateSigningRequest",
            shown(&other.api_version),
            shown(&other.kind)
        ))),
    }
}

/// Returns the reason why an object is left out, if any.
fn exclusion(item: &Item, chosen: &[String]) -> Option<String> {
    let is = |kind: &str| item.status.conditions.iter().any(|one| one.kind == kind && one.status != "False");
    let signer = &item.spec.signer_name;
    if !chosen.contains(signer) {
        return Some(format!("signer {} is not selected; select it with --signer", shown(signer)));
    }
    // The API server never allows both approval and denial, but the file may be edited.
    match (is("Denied"), is("Failed"), item.status.certificate.is_empty(), is("Approved")) {
        (true, ..) => Some("is denied".to_owned()),
        (_, true, ..) => Some("has failed".to_owned()),
        (_, _, false, _) => Some("is already signed".to_owned()),
        (.., false) => {
            Some(format!("is not approved; run `kubectl certificate approve {}`", shown(&item.metadata.name)))
        }
        _ => None,
    }
}

fn request(item: Item) -> Result<(Entry, Vec<u8>), Vec<String>> {
    let one = |why: String| vec![why];
    let octets =
        Base64::decode_vec(&item.spec.request).map_err(|_| one("spec.request is not base64".into()))?;
    let path = path(&item.metadata.name).map_err(one)?;
    let (usages, unknown): (Vec<_>, Vec<_>) =
        item.spec.usages.iter().map(|usage| usage_name(usage)).partition(Result::is_ok);
    let mut found: Vec<String> = unknown.into_iter().filter_map(Result::err).collect();
    let approval = item.status.conditions.into_iter().find(|one| one.kind == "Approved");
    let object = Object {
        name: item.metadata.name,
        signer: item.spec.signer_name,
        requester: item.spec.username,
        groups: item.spec.groups,
        approver: approval.and_then(|one| joined(&[&one.reason, &one.message])),
        usages: usages.into_iter().filter_map(Result::ok).map(str::to_owned).collect(),
        expiration_seconds: item.spec.expiration_seconds,
    };
    found.extend(signers::check(&object, &octets));
    match found.is_empty() {
        true => {
            let sha256 = Digest::of(&octets);
            Ok((Entry { path, sha256, profile: None, object: Some(object) }, octets))
        }
        false => Err(found),
    }
}

/// Joins the parts that are not blank; `None` when there is none.
fn joined(parts: &[&str]) -> Option<String> {
    let parts: Vec<&str> = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

/// Returns the path of an object's request in a bundle; see [`super`] for the escapes.
fn path(name: &str) -> Result<RelativePath, String> {
    let mut text = String::from("objects");
    let mut room = 0;
    for c in name.chars() {
        let plain = c.is_ascii_lowercase()
            || c.is_ascii_digit()
            || c == '-'
            || (c == '.' && room > 0 && room < COMPONENT);
        let mut buffer = [0; 4];
        let escaped = match plain {
            true => c.to_string(),
            false => c.encode_utf8(&mut buffer).bytes().map(|octet| format!("_{octet:02x}")).collect(),
        };
        if escaped.len() > room {
            text.push('/');
            room = COMPONENT;
        }
        room -= escaped.len();
        text.push_str(&escaped);
    }
    RelativePath::new(&format!("{text}.csr")).map_err(|e| e.to_string())
}

/// Maps a Kubernetes usage (certificates.k8s.io/v1 KeyUsage) to its name in RFC 5280.
fn usage_name(usage: &str) -> Result<&'static str, String> {
    const NAMES: [(&str, &str); 18] = [
        ("signing", "digitalSignature"),
        ("digital signature", "digitalSignature"),
        ("content commitment", "nonRepudiation"),
        ("key encipherment", "keyEncipherment"),
        ("key agreement", "keyAgreement"),
        ("data encipherment", "dataEncipherment"),
        ("cert sign", "keyCertSign"),
        ("crl sign", "cRLSign"),
        ("encipher only", "encipherOnly"),
        ("decipher only", "decipherOnly"),
        ("any", "anyExtendedKeyUsage"),
        ("server auth", "serverAuth"),
        ("client auth", "clientAuth"),
        ("code signing", "codeSigning"),
        ("email protection", "emailProtection"),
        ("s/mime", "emailProtection"),
        ("timestamping", "timeStamping"),
        ("ocsp signing", "OCSPSigning"),
    ];
    let found = NAMES.iter().find(|(theirs, _)| *theirs == usage);
    found.map(|(_, ours)| *ours).ok_or_else(|| format!("usage {:?} is unknown", shown(usage)))
}
