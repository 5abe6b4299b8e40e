//! The journal of the changes of an installation.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::folder::Folder;
use super::folders::Folders;
use super::record::STATE;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::media::shown;

/// Journal of changes in progress.
pub const JOURNAL: &str = ".keyrite/journal.json";
/// Journal while it is being written.
pub const DRAFT: &str = ".keyrite/journal.new";
/// In a generation's folder: journal of its changes, used to undo them.
pub const UNDO: &str = "undo.json";
/// In a generation's folder: journal of the changes that undid it.
pub const UNDONE: &str = "undone.json";
pub const FORMAT: &str = "keyrite-journal-1";

/// A change in the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Folder; `None` for that of keys and certificates.
    pub folder: Option<String>,
    /// Path in the folder.
    pub path: String,
    /// Digest of the previous file, if any.
    pub before: Option<Digest>,
    /// Digest of the new file, if any.
    pub after: Option<Digest>,
}

/// A journal of changes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    pub format: String,
    /// Name of the generation.
    pub id: String,
    /// Folders created for the changes, outermost first.
    pub made: Vec<String>,
    /// Changes in the order of execution.
    pub entries: Vec<Entry>,
}

impl Journal {
    /// Reads a journal.
    pub fn read(folder: &Folder, path: &str) -> Result<Option<Self>, Failure> {
        let Some(found) = folder.read(path)? else { return Ok(None) };
        let journal: Self = serde_json::from_slice(&found.octets)
            .map_err(|e| Failure::fault(format!("{}: {e}", folder.name(path))))?;
        let bad = |what: String| Err(Failure::fault(format!("{}: {what}", folder.name(path))));
        let inside = |path: &str| !path.split('/').any(|part| matches!(part, "" | "." | ".."));
        let paths = journal.entries.iter().map(|entry| &entry.path).chain(&journal.made).chain([&journal.id]);
        if let Some(outside) = paths.into_iter().find(|path| !inside(path)) {
            return bad(format!("{:?} is not below its folder", shown(outside)));
        }
        match journal.format.as_str() {
            FORMAT => Ok(Some(journal)),
            other => bad(format!("format is {other:?}, this version reads {FORMAT:?}")),
        }
    }

    /// Returns the number of an entry's folder, which must be among the folders of this run.
    pub fn folder(&self, folders: &Folders, entry: &Entry) -> Result<usize, Failure> {
        let Some(path) = &entry.folder else { return Ok(0) };
        folders.number(Path::new(path)).ok_or_else(|| {
            Failure::refused(format!(
                "{}: the previous installation also changed files in {}; name that folder too, with --kubeconfig-dir or --kubeconfig, or with --kubelet-dir if it is a kubelet's",
                folders.pki().name(""),
                shown(path)
            ))
        })
    }
}

/// Returns the path at which a generation keeps the previous file of a change.
pub fn kept(id: &str, number: usize) -> String {
    format!("{STATE}/{id}/old-{number}")
}
