//! The journal: the list of the changes that are under way, or were made.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::folder::Folder;
use super::folders::Folders;
use super::record::STATE;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::media::shown;

/// The list of the changes that are under way.
pub const JOURNAL: &str = ".keyrite/journal.json";
/// The list while it is written.
pub const DRAFT: &str = ".keyrite/journal.new";
/// In a generation's folder: the list of its changes, by which they are undone.
pub const UNDO: &str = "undo.json";
/// In a generation's folder: the list of the changes that undid it.
pub const UNDONE: &str = "undone.json";
pub const FORMAT: &str = "keyrite-journal-1";

/// A change as the list has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The folder; none for that of keys and certificates.
    pub folder: Option<String>,
    /// Path in it.
    pub path: String,
    /// What stood there.
    pub before: Option<Digest>,
    /// What is to stand there.
    pub after: Option<Digest>,
}

/// The list of changes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    pub format: String,
    /// The generation.
    pub id: String,
    /// Folders that are made for them, the outer ones first.
    pub made: Vec<String>,
    /// The changes, in their order.
    pub entries: Vec<Entry>,
}

impl Journal {
    /// Reads a list.
    pub fn read(folder: &Folder, path: &str) -> Result<Option<Self>, Failure> {
        let Some(found) = folder.read(path)? else { return Ok(None) };
        let journal: Self = serde_json::from_slice(&found.octets)
            .map_err(|e| Failure::fault(format!("{}: {e}", folder.name(path))))?;
        let bad = |what: String| Err(Failure::fault(format!("{}: {what}", folder.name(path))));
        let inside = |path: &str| !path.split('/').any(|part| matches!(part, "" | "." | ".."));
        let paths = journal.entries.iter().map(|entry| &entry.path).chain(&journal.made).chain([&journal.id]);
        if let Some(outside) = paths.into_iter().find(|path| !inside(path)) {
            return bad(format!("{:?} does not lie below its folder", shown(outside)));
        }
        match journal.format.as_str() {
            FORMAT => Ok(Some(journal)),
            other => bad(format!("format is {other:?}, this version reads {FORMAT:?}")),
        }
    }

    /// The number of an entry's folder, which must be one that this run was told of.
    pub fn folder(&self, folders: &Folders, entry: &Entry) -> Result<usize, Failure> {
        let Some(path) = &entry.folder else { return Ok(0) };
        folders.number(Path::new(path)).ok_or_else(|| {
            Failure::refused(format!(
                "{}: the installation before also changed files in {}; name that folder too, by --kubeconfig-dir or --kubeconfig, or a kubelet's by --kubelet-dir",
                folders.pki().name(""),
                shown(path)
            ))
        })
    }
}

/// Where a generation keeps what it replaced and what is to come, by the number of the change.
pub fn kept(id: &str, number: usize) -> String {
    format!("{STATE}/{id}/old-{number}")
}
