//! Creates keys, requests, kubeconfigs, the bundle and the scripts of a cluster description.

use std::path::Path;

use der::DateTime;
use zeroize::Zeroizing;

use super::cluster::{Cluster, Role};
use super::keys::Pair;
use super::layout::{Party, parties, service_account_stem};
use super::{kubeconfig, request_for, script};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::media::{RelativePath, Whole};
use crate::parallel;
use crate::request::{Entry, INDEX, Index, IndexName, Sequence};

/// Arguments of [`make`].
#[derive(Clone, Debug)]
pub struct MakeOptions<'a> {
    /// Cluster description.
    pub cluster: &'a Cluster,
    /// Node to generate keys for; `None` for all nodes.
    pub node: Option<&'a str>,
    /// Output folder of an earlier run whose keys are reused.
    pub keys: Option<&'a Path>,
    /// Sequence number of the bundle.
    pub sequence: Sequence,
    /// Current time, in UTC.
    pub now: DateTime,
    /// When the bundle must no longer be used.
    pub expires: Option<DateTime>,
    /// Number of threads that generate keys.
    pub processors: usize,
}

/// Result of [`make`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MakeSummary {
    /// Number of requests.
    pub requests: usize,
    /// Whether the service account keys were created. They must be the same on all control-plane
    /// nodes, so that one node creates them and the others receive a copy.
    pub service_account: bool,
}

/// An output file.
struct File {
    path: String,
    octets: Zeroizing<Vec<u8>>,
    mode: u32,
}

impl File {
    fn private(path: String, text: &str) -> Self {
        Self { path, octets: Zeroizing::new(text.as_bytes().to_vec()), mode: 0o600 }
    }

    fn public(path: impl Into<String>, octets: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), octets: Zeroizing::new(octets.into()), mode: 0o644 }
    }
}

/// Files of a party, and the index entry of its request.
type PartyFiles = Result<(Vec<File>, Entry), Failure>;

/// Writes all files to a new folder, or nothing.
///
/// # Errors
/// [`Failure`] when the node does not exist, an old key cannot be read, or writing fails.
pub fn make(options: &MakeOptions<'_>, out: &Path) -> Result<MakeSummary, Failure> {
    let cluster = options.cluster;
    if let Some(name) = options.node.filter(|name| !cluster.node.iter().any(|node| node.name == *name)) {
        let names: Vec<&str> = cluster.node.iter().map(|node| node.name.as_str()).collect();
        return Err(Failure::usage(format!(
            "node {name}: not in the description, which has {}",
            names.join(", ")
        )));
    }
    let all = parties(cluster);
    let mine: Vec<Party> =
        all.iter().filter(|party| options.node.is_none_or(|node| party.node == node)).cloned().collect();
    if mine.is_empty() {
        return Err(Failure::usage("no party of the cluster is on that node, so there is nothing to make"));
    }
    if out.extension().is_some_and(|ending| ending == "tar") {
        return Err(Failure::usage(format!(
            "{}: must be a folder because it will contain keys; choose a name that does not end in .tar",
            out.display()
        )));
    }
    let mut whole = Whole::begin_private(out)?;
    let mut put = |file: File| -> Result<(), Failure> {
        Ok(whole.put(&RelativePath::new(&file.path)?, &file.octets, file.mode)?)
    };
    let mut requests = Vec::with_capacity(mine.len());
    let source = |each: &mut dyn FnMut(Party) -> Result<(), Failure>| mine.into_iter().try_for_each(each);
    parallel::ordered(
        options.processors,
        source,
        |party| files(options, &party),
        |made: PartyFiles| {
            let (files, entry) = made?;
            requests.push(entry);
            files.into_iter().try_for_each(&mut put)
        },
    )?;
    let service_account = service_account(options)?;
    let made = MakeSummary { requests: requests.len(), service_account: !service_account.is_empty() };
    service_account.into_iter().try_for_each(&mut put)?;
    put(File::public(format!("bundle/{INDEX}"), index(options, requests)?.encode()?))?;
    script::files(cluster, &all).into_iter().try_for_each(|(path, text)| put(File::public(path, text)))?;
    whole.finish()?;
    Ok(made)
}

fn files(options: &MakeOptions<'_>, party: &Party) -> PartyFiles {
    let pair = pair(options, party)?;
    let private = pair.private_pem()?;
    let mut files = Vec::new();
    files.extend(party.key_path().map(|path| File::private(path, &private)));
    if let Some((config, path)) = party.config_path() {
        files.push(File::private(path, &kubeconfig::text(options.cluster, config, &private)));
    }
    let request = request_for(&pair, &party.subject, &party.names)?;
    let path = RelativePath::new(&party.request_path())?;
    let sha256 = Digest::of(request.as_bytes());
    files.push(File::public(format!("bundle/{path}"), request));
    Ok((files, Entry { path, sha256, profile: Some(party.profile.to_owned()), object: None }))
}

fn pair(options: &MakeOptions<'_>, party: &Party) -> Result<Pair, Failure> {
    let Some(old) = options.keys else { return Pair::generate(options.cluster.key) };
    match (party.key_path(), party.config_path()) {
        (Some(path), _) => super::old_keys::key(old, &path),
        (None, Some((_, path))) => super::old_keys::key_of_config(old, &path),
        (None, None) => Pair::generate(options.cluster.key),
    }
}

/// Returns the files of the service account keys: one pair for all control-plane nodes.
fn service_account(options: &MakeOptions<'_>) -> Result<Vec<File>, Failure> {
    let MakeOptions { cluster, node, .. } = options;
    let first = cluster.first_control_plane().map(|node| node.name.as_str());
    let mut holders: Vec<&str> = cluster
        .node
        .iter()
        .filter(|node| node.is(Role::ControlPlane))
        .map(|node| node.name.as_str())
        .collect();
    if let Some(only) = node {
        holders.retain(|name| name == only && first == Some(*only));
    }
    if holders.is_empty() {
        return Ok(Vec::new());
    }
    let stem = service_account_stem(cluster.layout);
    let pair = match (options.keys, holders.first()) {
        (Some(old), Some(holder)) => super::old_keys::key(old, &format!("nodes/{holder}/{stem}.key"))?,
        _ => Pair::generate(cluster.key)?,
    };
    let (private, public) = (pair.private_pem()?, pair.public_pem()?);
    let both = |name: &&str| {
        [
            File::private(format!("nodes/{name}/{stem}.key"), &private),
            File::public(format!("nodes/{name}/{stem}.pub"), public.clone()),
        ]
    };
    Ok(holders.iter().flat_map(both).collect())
}

fn index(options: &MakeOptions<'_>, mut requests: Vec<Entry>) -> Result<Index, Failure> {
    requests.sort_by(|a, b| a.path.cmp(&b.path));
    let mut index = Index::new(options.sequence, options.now, requests);
    index.cluster = Some(options.cluster.name.clone());
    index.part =
        options.node.map(|node| IndexName::try_from(node.to_owned())).transpose().map_err(Failure::usage)?;
    index.expires = options.expires.map(crate::request::Time);
    Ok(index)
}
