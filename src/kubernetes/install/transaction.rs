//! Applies all changes or none.
//!
//! New files are written and synced next to their destinations, old files get a second hard
//! link, and the journal of both is synced. Only then are files renamed, each atomically. Until the
//! journal is moved away, [`recover`](super::recover) can revert every step.

use std::collections::HashSet;

use zeroize::Zeroizing;

use super::folder::{Folder, Owner, link_digest};
use super::folders::{Folders, Paths};
use super::journal::{DRAFT, Entry, FORMAT, JOURNAL, Journal, UNDO, UNDONE, kept};
use super::record::STATE;
use super::recover;
use crate::digest::Digest;
use crate::failure::Failure;

const PRIVATE: Owner = Owner { mode: 0o600, ids: None };

/// New contents of a path.
#[derive(Debug)]
pub enum New {
    /// A file with these octets, mode and owner.
    Octets(Zeroizing<Vec<u8>>, Owner),
    /// A symbolic link with this target.
    Link(String, Owner),
    /// The kept file at this path.
    Kept(String),
    /// No file.
    Absent,
}

/// A change.
#[derive(Debug)]
pub struct Step {
    /// Number of the folder.
    pub folder: usize,
    /// Path in the folder.
    pub path: String,
    /// Digest of the current file, if any.
    pub before: Option<Digest>,
    /// New contents.
    pub new: New,
}

fn staged(id: &str, number: usize) -> String {
    format!("{STATE}/{id}/new-{number}")
}

/// Applies all changes, or none.
///
/// # Errors
/// The cause of the failure; the target is unchanged unless the message says otherwise.
pub fn run(folders: &Folders, steps: &[Step], made: Vec<String>) -> Result<(), Failure> {
    perform(folders, steps, made, None)
}

fn perform(
    folders: &Folders,
    steps: &[Step],
    made: Vec<String>,
    undoes: Option<&str>,
) -> Result<(), Failure> {
    let id = recover::next_id(folders.pki())?;
    let done = stage(folders, &id, steps, made)
        .and_then(|journal| exchange(folders, steps, &journal))
        .and_then(|()| commit(folders.pki(), undoes.unwrap_or(&id), undoes.is_some()));
    // After success this cleans up; after a failure it rolls back.
    let cleared = recover::recover(folders);
    let what = if undoes.is_some() { "everything is undone" } else { "everything is installed" };
    match (done, cleared) {
        (Ok(Ok(())), Ok(_)) => Ok(()),
        (Ok(Ok(())), Err(e)) => Err(Failure::fault(format!("{what}, but cleanup failed: {e}"))),
        (Ok(Err(e)), _) => Err(Failure::fault(format!(
            "{what}, but a power failure could still revert it, because it could not be synced: {e}\nCorrect the cause and run `sync` before you rely on it"
        ))),
        (Err(e), Ok(_)) => Err(e),
        (Err(e), Err(worse)) => Err(Failure::fault(format!(
            "{e}\nand the target could not be rolled back: {worse}\nCorrect the cause and run the same command again, which rolls back first"
        ))),
    }
}

/// Checks that no file changes twice, which could not be reverted.
fn each_once(folders: &Folders, steps: &[Step]) -> Result<(), Failure> {
    let mut places = HashSet::new();
    match steps.iter().find(|step| !places.insert((step.folder, &step.path))) {
        None => Ok(()),
        Some(step) => Err(Failure::refused(format!(
            "{}: would change twice in one installation, which cannot be reverted",
            folders.at(step.folder).name(&step.path)
        ))),
    }
}

/// Writes new files, links old files, and syncs the journal of both.
fn stage(folders: &Folders, id: &str, steps: &[Step], made: Vec<String>) -> Result<Journal, Failure> {
    each_once(folders, steps)?;
    let mut journal = Journal { format: FORMAT.to_owned(), id: id.to_owned(), made, entries: Vec::new() };
    for (number, step) in steps.iter().enumerate() {
        let folder = folders.at(step.folder);
        folder.make_folder(STATE, 0o700)?;
        folder.make_folder(&format!("{STATE}/{id}"), 0o700)?;
        if step.before.is_some() {
            folder.link(&step.path, &kept(id, number))?;
        }
        if folder.digest(&step.path)? != step.before {
            return Err(Failure::refused(format!(
                "{}: changed during the installation",
                folder.name(&step.path)
            )));
        }
        let after = match &step.new {
            New::Octets(octets, owner) => {
                folder.write(&staged(id, number), octets, *owner)?;
                Some(Digest::of(octets))
            }
            New::Link(text, owner) => {
                folder.symlink(text, &staged(id, number), *owner)?;
                Some(link_digest(text))
            }
            New::Kept(path) => {
                folder.link(path, &staged(id, number))?;
                folder.digest(path)?
            }
            New::Absent => None,
        };
        let elsewhere = (step.folder != 0).then(|| folder.path().to_string_lossy().into_owned());
        journal.entries.push(Entry {
            folder: elsewhere,
            path: step.path.clone(),
            before: step.before,
            after,
        });
    }
    // A folder may contain older generations and take no part in this one.
    let generation = format!("{STATE}/{id}");
    folders.iter().filter(|folder| folder.has_folder(&generation)).try_for_each(|folder| {
        folder
            .sync_parent(&kept(id, 0))
            .and_then(|()| folder.sync_parent(JOURNAL))
            .and_then(|()| folder.sync_parent(STATE))
    })?;
    let text = serde_json::to_vec(&journal).map_err(|e| Failure::fault(e.to_string()))?;
    let pki = folders.pki();
    pki.make_folder(STATE, 0o700)?;
    pki.make_folder(&format!("{STATE}/{id}"), 0o700)?;
    pki.write(DRAFT, &text, PRIVATE)?;
    pki.rename(DRAFT, JOURNAL)?;
    pki.sync_parent(JOURNAL)?;
    Ok(journal)
}

fn exchange(folders: &Folders, steps: &[Step], journal: &Journal) -> Result<(), Failure> {
    for folder in &journal.made {
        folders.pki().make_folder(folder, 0o755)?;
        folders.pki().sync_parent(folder)?;
    }
    for (number, step) in steps.iter().enumerate() {
        let folder = folders.at(step.folder);
        match &step.new {
            New::Absent => folder.remove(&step.path)?,
            _ => folder.rename(&staged(&journal.id, number), &step.path)?,
        }
    }
    steps.iter().try_for_each(|step| folders.at(step.folder).sync_parent(&step.path))
}

/// Commits the changes by moving the journal away: from then on they are in effect. The inner result says
/// whether that is on the disk.
fn commit(pki: &Folder, generation: &str, undone: bool) -> Result<Result<(), Failure>, Failure> {
    let name = if undone { UNDONE } else { UNDO };
    let path = format!("{STATE}/{generation}/{name}");
    pki.rename(JOURNAL, &path)?;
    Ok(pki.sync_parent(&path).and_then(|()| pki.sync_parent(JOURNAL)))
}

/// Reverts the last installation and returns lines for display about the files changed.
///
/// # Errors
/// [`Failure::refused`] when there is no installation, or a file was changed since;
/// [`Failure::fault`] when the system fails. The target is then unchanged.
pub fn undo(places: &Paths) -> Result<Vec<String>, Failure> {
    let folders = Folders::open(places)?;
    recover::recover(&folders)?;
    let pki = folders.pki();
    let Some((id, journal)) = recover::last(pki)? else {
        return Err(Failure::refused(format!("{}: there is no installation to undo", pki.name(""))));
    };
    let mut steps = Vec::new();
    let mut lines = Vec::new();
    for (number, entry) in journal.entries.iter().enumerate().rev() {
        let folder = journal.folder(&folders, entry)?;
        let place = folders.at(folder);
        if place.digest(&entry.path)? != entry.after {
            return Err(Failure::refused(format!(
                "{}: has been changed since it was installed; nothing was undone",
                place.name(&entry.path)
            )));
        }
        let new = match entry.before {
            Some(_) => {
                place.check_link(&kept(&id, number), &entry.path)?;
                New::Kept(kept(&id, number))
            }
            None => New::Absent,
        };
        let verb = if entry.before.is_some() { "restore" } else { "remove " };
        if !entry.path.starts_with(STATE) {
            lines.push(format!("{verb}    {}", place.name(&entry.path)));
        }
        steps.push(Step { folder, path: entry.path.clone(), before: entry.after, new });
    }
    perform(&folders, &steps, Vec::new(), Some(&id))?;
    for folder in journal.made.iter().rev() {
        pki.remove_folder(folder);
    }
    lines.reverse();
    Ok(lines)
}
