//! Recovery: rolls back or cleans up an interrupted installation.

use super::folder::Folder;
use super::folders::Folders;
use super::journal::{DRAFT, Entry, JOURNAL, Journal, UNDO, UNDONE, kept};
use super::record::STATE;
use crate::digest::Digest;
use crate::failure::Failure;

/// Rolls back changes in progress and removes what completed ones left; returns whether changes
/// were rolled back.
///
/// # Errors
/// [`Failure::refused`] when a file was changed since; [`Failure::fault`] when the system fails.
pub fn recover(folders: &Folders) -> Result<bool, Failure> {
    let pki = folders.pki();
    let mut restored = false;
    if pki.has_own_folder(STATE)? {
        pki.remove(DRAFT)?;
        if let Some(journal) = Journal::read(pki, JOURNAL)? {
            roll_back(folders, &journal)?;
            restored = true;
        }
    }
    for folder in folders.iter() {
        if !folder.has_own_folder(STATE)? {
            continue;
        }
        sweep(pki, folder)?;
    }
    Ok(restored)
}

/// Checks that no installation was interrupted.
pub fn require_whole(pki: &Folder) -> Result<(), Failure> {
    match pki.read(JOURNAL)? {
        None => Ok(()),
        Some(_) => Err(Failure::refused(format!(
            "{}: an installation was interrupted here; run without --dry-run, which first rolls it back",
            pki.name("")
        ))),
    }
}

fn roll_back(folders: &Folders, journal: &Journal) -> Result<(), Failure> {
    for (number, entry) in journal.entries.iter().enumerate().rev() {
        let folder = folders.at(journal.folder(folders, entry)?);
        restore(folder, &journal.id, number, entry)?;
        folder.sync_parent(&entry.path).or_else(|e| if entry.before.is_none() { Ok(()) } else { Err(e) })?;
    }
    let pki = folders.pki();
    journal.made.iter().rev().for_each(|made| pki.remove_folder(made));
    pki.remove(JOURNAL)?;
    pki.sync_parent(JOURNAL)
}

fn restore(folder: &Folder, id: &str, number: usize, entry: &Entry) -> Result<(), Failure> {
    // The folder to be created for it may not exist yet.
    let there = match folder.digest(&entry.path) {
        Err(_) if entry.before.is_none() && !folder.has_folder(parent(&entry.path)) => return Ok(()),
        other => other?,
    };
    if there == entry.before {
        return Ok(());
    }
    if there != entry.after {
        return Err(Failure::refused(format!(
            "{}: was changed after an installation was interrupted; the previous file is {}: put the right one in place, then remove {STATE}/journal.json",
            folder.name(&entry.path),
            folder.name(&kept(id, number))
        )));
    }
    if entry.before.is_none() {
        return folder.remove(&entry.path);
    }
    let back = format!("{STATE}/{id}/back-{number}");
    folder.remove(&back)?;
    folder.link(&kept(id, number), &back)?;
    folder.rename(&back, &entry.path)
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Returns the suffix that distinguishes generations of targets that share a folder.
fn mark(pki: &Folder) -> String {
    let digest = Digest::of(pki.path().to_string_lossy().as_bytes()).to_string();
    digest.chars().take(12).collect()
}

/// Returns the generations of this target in a folder.
fn generations(pki: &Folder, folder: &Folder) -> Result<Vec<String>, Failure> {
    let mark = mark(pki);
    let mut names = folder.names(STATE)?;
    names.retain(|name| name.split_once('-').is_some_and(|(_, of)| of == mark));
    names.sort_unstable();
    Ok(names)
}

/// Returns the name of the next generation.
pub fn next_id(pki: &Folder) -> Result<String, Failure> {
    let last = generations(pki, pki)?.pop();
    let number = last.and_then(|name| name.split('-').next().and_then(|digits| digits.parse::<u32>().ok()));
    Ok(format!("{:06}-{}", number.unwrap_or_default() + 1, mark(pki)))
}

/// Returns the last generation that can be undone.
pub fn last(pki: &Folder) -> Result<Option<(String, Journal)>, Failure> {
    let Some(id) = generations(pki, pki)?.pop() else { return Ok(None) };
    let journal = Journal::read(pki, &format!("{STATE}/{id}/{UNDO}"))?;
    Ok(journal.map(|journal| (id, journal)))
}

/// Removes the generations that were not committed, and those that were undone.
fn sweep(pki: &Folder, folder: &Folder) -> Result<(), Failure> {
    for id in generations(pki, folder)? {
        let path = format!("{STATE}/{id}");
        let counts = pki.read(&format!("{path}/{UNDO}"))?.is_some()
            && pki.read(&format!("{path}/{UNDONE}"))?.is_none();
        if counts {
            continue;
        }
        // The journal is removed last: until then it shows that the generation is obsolete.
        let mut names = folder.names(&path)?;
        names.sort_by_key(|name| [UNDO, UNDONE].iter().position(|list| list == name));
        for name in names {
            folder.remove(&format!("{path}/{name}"))?;
        }
        folder.remove_folder(&path);
    }
    folder.remove_folder(STATE);
    Ok(())
}
