//! Reads kubeconfigs and embeds CA and client certificates.
//!
//! Kubeconfigs of keyrite and kubeadm have one cluster and one user, with an embedded key
//! (`client-key-data`). All other content is preserved, except comments.

use base64ct::{Base64, Encoding};
use saphyr::{LoadableYamlNode, Mapping, Scalar, Yaml, YamlEmitter};
use zeroize::Zeroizing;

use super::pem::{self, Present};
use super::private_key::public_key;
use crate::digest::Digest;

/// Certificates and key of a kubeconfig.
#[derive(Debug)]
pub struct Kubeconfig {
    /// SHA-256 of the SubjectPublicKeyInfo of the key, if embedded.
    pub key: Option<Digest>,
    /// Paths of client certificate and key, if neither is embedded.
    pub files: Option<(String, String)>,
    /// Client certificate and its chain, if embedded.
    pub client: Vec<Present>,
    /// CA certificates, if embedded.
    pub authorities: Vec<Present>,
}

/// Changes to client certificate and key.
#[derive(Clone, Copy, Debug)]
pub enum Client<'a> {
    /// No change.
    Same,
    /// Embed this PEM certificate; the key is unchanged.
    Embedded(&'a str),
    /// Refer to this file for both.
    File(&'a str),
}

type Parsed<'a> = Yaml<'a>;

/// Parses a kubeconfig.
///
/// # Errors
/// The reason why it is invalid or cannot be completed.
pub fn read(octets: &[u8]) -> Result<Kubeconfig, String> {
    let document = parse(octets)?;
    let cluster = only(&document, "clusters", "cluster")?;
    let user = only(&document, "users", "user")?;
    if cluster.as_mapping_get("insecure-skip-tls-verify").and_then(Parsed::as_bool) == Some(true) {
        return Err(
            "has insecure-skip-tls-verify: true, which cannot be combined with a CA; remove it".into()
        );
    }
    let key = embedded(user, "client-key-data")?;
    let key =
        key.map(|octets| public_key(&octets).map_err(|e| format!("client-key-data: {e}"))).transpose()?;
    let list = |of: &Parsed<'_>, name: &str| match embedded(of, name)? {
        Some(octets) => pem::certificates(&octets).map_err(|e| format!("{name}: {e}")),
        None => Ok(Vec::new()),
    };
    let data = ["client-key-data", "client-certificate-data"];
    let embeds = data.iter().any(|name| text_of(user, name).is_some_and(|text| !text.trim().is_empty()));
    let files = text_of(user, "client-certificate").zip(text_of(user, "client-key"));
    Ok(Kubeconfig {
        key,
        files: files.filter(|_| !embeds).map(|(client, key)| (client.to_owned(), key.to_owned())),
        client: list(user, "client-certificate-data")?,
        authorities: list(cluster, "certificate-authority-data")?,
    })
}

/// Returns the embedded key in PEM, if any.
pub fn key(octets: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    embedded(only(&parse(octets)?, "users", "user")?, "client-key-data")
}

/// Returns the kubeconfig with these CA certificates (PEM) and the change to the client's.
///
/// # Errors
/// Also when the result does not parse to the same document.
pub fn complete(octets: &[u8], authorities: &str, client: Client<'_>) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut document = parse(octets)?;
    put(&mut document, ("clusters", "cluster"), "certificate-authority", authorities)?;
    match client {
        Client::Same => {}
        Client::Embedded(pem) => put(&mut document, ("users", "user"), "client-certificate", pem)?,
        Client::File(path) => refer(&mut document, path)?,
    }
    let mut text = Zeroizing::new(String::with_capacity(octets.len() + 32_768));
    YamlEmitter::new(&mut *text).dump(&document).map_err(|e| e.to_string())?;
    text.push('\n');
    if parse(text.as_bytes())? != document {
        return Err("cannot be rewritten without loss; simplify it with kubectl config view --raw".into());
    }
    Ok(Zeroizing::new(text.as_bytes().to_vec()))
}

/// Whether two kubeconfigs are the same document.
pub fn same(one: &[u8], other: &[u8]) -> Result<bool, String> {
    Ok(parse(one)? == parse(other)?)
}

fn parse(octets: &[u8]) -> Result<Parsed<'_>, String> {
    let none = |why: String| format!("is not a kubeconfig: {why}");
    let text = std::str::from_utf8(octets).map_err(|_| none("not valid UTF-8".into()))?;
    let mut documents = Yaml::load_from_str(text).map_err(|e| none(e.to_string()))?;
    let count = documents.len();
    let Some(document) = documents.pop().filter(|_| count == 1) else {
        return Err(none(format!("has {count} YAML documents, must have exactly one")));
    };
    let value = |name: &str| document.as_mapping_get(name).and_then(Parsed::as_str).unwrap_or_default();
    match (value("apiVersion"), value("kind")) {
        ("v1", "Config") => Ok(document),
        (version, kind) => Err(none(format!(
            "apiVersion is {version:?} and kind is {kind:?}, must be \"v1\" and \"Config\""
        ))),
    }
}

/// Returns the only entry of a list.
fn only<'a, 'b>(document: &'a Parsed<'b>, list: &str, entry: &str) -> Result<&'a Parsed<'b>, String> {
    let entries = document.as_mapping_get(list).and_then(Parsed::as_sequence);
    match entries.map(Vec::as_slice) {
        Some([one]) => one
            .as_mapping_get(entry)
            .filter(|entry| entry.is_mapping())
            .ok_or_else(|| format!("its one entry of {list} has no {entry}")),
        other => Err(format!(
            "has {} entries in {list}, must have exactly one; split it",
            other.map_or(0, <[_]>::len)
        )),
    }
}

fn embedded(of: &Parsed<'_>, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let Some(value) = of.as_mapping_get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let text = value.as_str().ok_or_else(|| format!("{name}: is not a string"))?;
    let mut bare = Zeroizing::new(String::with_capacity(text.len()));
    bare.extend(text.chars().filter(|c| !c.is_ascii_whitespace()));
    if bare.is_empty() {
        return Ok(None);
    }
    let octets = Base64::decode_vec(&bare).map_err(|e| format!("{name}: not base64: {e}"))?;
    Ok(Some(Zeroizing::new(octets)))
}

fn text_of<'a>(of: &'a Parsed<'_>, name: &str) -> Option<&'a str> {
    of.as_mapping_get(name).and_then(Parsed::as_str)
}

/// Returns the mapping in the only entry of a list.
fn only_mut<'a, 'b>(
    document: &'a mut Parsed<'b>,
    (list, entry): (&str, &str),
) -> Result<&'a mut Mapping<'b>, String> {
    only(document, list, entry)?;
    document
        .as_mapping_get_mut(list)
        .and_then(|list| list.as_sequence_get_mut(0))
        .and_then(|one| one.as_mapping_get_mut(entry))
        .and_then(Parsed::as_mapping_mut)
        .ok_or_else(|| format!("its one entry of {list} has no {entry}"))
}

fn text<'a>(text: String) -> Parsed<'a> {
    Yaml::Value(Scalar::String(text.into()))
}

fn set<'a>(target: &mut Mapping<'a>, name: String, value: String) {
    let (name, value) = (text(name), text(value));
    match target.get_mut(&name) {
        Some(there) => *there = value,
        None => {
            target.insert(name, value);
        }
    }
}

/// Embeds PEM text as `NAME-data` and removes `NAME`, the path that it replaces.
fn put(document: &mut Parsed<'_>, place: (&str, &str), name: &str, pem: &str) -> Result<(), String> {
    let target = only_mut(document, place)?;
    target.remove(&text(name.to_owned()));
    set(target, format!("{name}-data"), Base64::encode_string(pem.as_bytes()));
    Ok(())
}

/// Refers to a file for the user's certificate and key, and embeds neither.
fn refer(document: &mut Parsed<'_>, path: &str) -> Result<(), String> {
    let target = only_mut(document, ("users", "user"))?;
    for name in ["client-certificate", "client-key"] {
        target.remove(&text(format!("{name}-data")));
        set(target, name.to_owned(), path.to_owned());
    }
    Ok(())
}
