//! Architecture: modules import only modules above them, and some dependencies are confined to one
//! module.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{imports, repository, walk};

/// Returns the modules in rank order, as listed in `lib.rs`.
fn ranks() -> Vec<String> {
    let text = fs::read_to_string(repository().join("src/lib.rs")).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("pub")?.trim_start_matches("(crate)").strip_prefix(" mod "))
        .filter_map(|rest| Some(rest.strip_suffix(';')?.to_owned()))
        .collect()
}

/// Returns every source file with its module's name.
fn sources() -> Vec<(PathBuf, String, String)> {
    let root = repository().join("src");
    walk(&root)
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let module = relative.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            (path, module, text)
        })
        .collect()
}

/// From `use` trees and paths, whatever the import is renamed to.
#[test]
fn modules_import_only_modules_above_them() {
    let ranks = ranks();
    assert!(ranks.len() > 8, "lib.rs lists the modules: {ranks:?}");
    let rank = |module: &imports::Module| {
        let place = ranks.iter().position(|rank| *rank == module[0]);
        place.unwrap_or_else(|| panic!("{} is not in lib.rs", module.join("::")))
    };
    for (module, used) in imports::imports(&repository().join("src")) {
        for other in &used {
            assert!(
                rank(other) <= rank(&module),
                "{} imports {}, which is not above it",
                module.join("::"),
                other.join("::")
            );
        }
    }
}

#[test]
fn no_circular_imports() {
    let imports = imports::imports(&repository().join("src"));
    let cycles = imports::cycles(&imports);
    let edges = |cycle: &[imports::Module], module: &imports::Module| {
        let others = cycle.iter().filter(|other| imports[module].contains(*other));
        others.map(|other| format!("  {} -> {}", module.join("::"), other.join("::"))).collect::<Vec<_>>()
    };
    let cycle = |cycle: &Vec<imports::Module>| {
        cycle.iter().flat_map(|module| edges(cycle, module)).collect::<Vec<_>>().join("\n")
    };
    let cycles: Vec<String> = cycles.iter().map(cycle).collect();
    assert!(cycles.is_empty(), "files with circular imports:\n{}", cycles.join("\n"));
}

#[test]
fn dependencies_are_confined() {
    let rooms: [(&str, &[&str]); 8] = [
        ("cryptoki", &["token"]),
        ("rusqlite", &["ledger"]),
        ("SystemTime", &["cli"]),
        ("std::env::", &["cli"]),
        ("std::io::stdin", &["cli"]),
        ("println!", &[]),
        ("termios", &["cli"]),
        ("std::process::Command", &["cli"]),
    ];
    for (path, module, text) in sources() {
        for (word, allowed) in rooms {
            let found = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .any(|line| line.contains(word));
            assert!(
                !found || allowed.contains(&module.as_str()),
                "{}: {word} belongs into {allowed:?}",
                path.display()
            );
        }
    }
}

#[test]
fn no_catch_all_modules_and_no_long_files() {
    for (path, _, text) in sources() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let parents = path.to_str().unwrap();
        for odd in ["util", "utils", "common", "misc", "helpers", "prelude"] {
            assert!(name != odd && !parents.contains(&format!("/{odd}/")), "{}", path.display());
        }
        assert!(text.lines().count() <= 400, "{}: longer than 400 lines, split it", path.display());
    }
}

/// Each control is documented, and the document names existing tests.
#[test]
fn controls_are_documented_and_tested() {
    let document = fs::read_to_string(repository().join("ceremony/controls.md")).unwrap();
    let files = walk(&repository().join("tests")).into_iter();
    let tests: String = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for control in keyrite::request::Control::ALL {
        let row = document.lines().find(|line| line.contains(&format!("`{}`", control.id())));
        let row = row.unwrap_or_else(|| panic!("{} is not in ceremony/controls.md", control.id()));
        let named: Vec<&str> = row
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| word.contains('_') && !word.contains('.'))
            .collect();
        assert!(!named.is_empty(), "{}: no test is named in {row}", control.id());
        for test in named {
            assert!(tests.contains(&format!("fn {test}(")), "{}: there is no test {test}", control.id());
        }
    }
}

/// The page for auditors has each claim of an audit, and no others.
#[test]
fn claims_of_an_audit_are_documented() {
    let ids = |text: &str| -> std::collections::BTreeSet<String> {
        let after = text.split("AUDIT-").skip(1);
        after.map(|rest| rest.chars().take_while(|c| c.is_ascii_uppercase()).collect()).collect()
    };
    let sources = sources().into_iter().filter(|(_, module, _)| module == "audit");
    let code: String = sources.map(|(_, _, text)| text).collect();
    let document = fs::read_to_string(repository().join("docs/audit.md")).unwrap();
    assert!(ids(&code).len() > 15, "{:?}", ids(&code));
    assert_eq!(ids(&code), ids(&document));
}

/// `controls.md` has all controls of bundles, media and tokens, and no others.
#[test]
fn controls_of_bundles_media_and_tokens_are_documented() {
    let code: String = sources().into_iter().map(|(_, _, text)| text).collect();
    let document = fs::read_to_string(repository().join("ceremony/controls.md")).unwrap();
    // Messages have them in brackets, the document in table rows.
    let ids = |text: &str| -> std::collections::BTreeSet<String> {
        let prefixes = ["BUNDLE-", "MEDIA-", "TOKEN-"];
        let is_id = |word: &&str| {
            prefixes.iter().any(|prefix| word.starts_with(prefix))
                && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
        };
        text.split(['[', ']', '|']).map(str::trim).filter(is_id).map(str::to_owned).collect()
    };
    assert!(ids(&code).len() > 10, "{:?}", ids(&code));
    assert_eq!(ids(&code), ids(&document));
}

/// The auditors' checklist is complete, and the tests that it names exist.
#[test]
fn auditors_checklist_names_existing_tests() {
    let document = fs::read_to_string(repository().join("docs/audit.md")).unwrap();
    let tests: String = walk(&repository().join("tests"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for number in 1..=21 {
        let row = document.lines().find(|line| line.starts_with(&format!("| A{number} |")));
        let row = row.unwrap_or_else(|| panic!("A{number} is not in docs/audit.md"));
        let named: Vec<&str> = row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty() || row.contains("absent: "), "A{number}: no test is named");
        for test in named {
            assert!(tests.contains(&format!("fn {test}(")), "A{number}: there is no test {test}");
        }
    }
}

/// The README is short, and links are valid.
#[test]
fn readme_is_short_and_links_are_valid() {
    let text = fs::read_to_string(repository().join("README.md")).unwrap();
    assert!(text.len() < 8 << 10, "README.md has {} octets", text.len());
    for page in walk(&repository().join("docs")).into_iter().chain([
        repository().join("README.md"),
        repository().join("ARCHITECTURE.md"),
        repository().join("ceremony/README.md"),
    ]) {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap();
            let there = link.contains("://") || page.parent().unwrap().join(file).exists() || file.is_empty();
            assert!(there, "{}: {link} leads nowhere", page.display());
        }
    }
}

/// Files that pages name exist, and the line counts of the reading order are right to a tenth.
#[test]
fn named_source_files_exist_and_line_counts_are_right() {
    let root = repository();
    let pages = walk(&root.join("docs")).into_iter().chain(walk(&root.join("ceremony"))).chain([
        root.join("README.md"),
        root.join("ARCHITECTURE.md"),
        root.join("CONTRIBUTING.md"),
    ]);
    for page in pages.filter(|page| page.extension().is_some_and(|ending| ending == "md")) {
        for line in fs::read_to_string(&page).unwrap().lines() {
            let named = line.split('`').skip(1).step_by(2).filter(|word| {
                word.starts_with("src/") && !word.contains("NAME") && !word.contains(char::is_whitespace)
            });
            let files: Vec<PathBuf> = named.map(|name| root.join(name)).collect();
            for file in &files {
                assert!(file.exists(), "{}: there is no {}", page.display(), file.display());
            }
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let Some(Ok(written)) = cells.last().map(|cell| cell.replace(',', "").parse::<usize>()) else {
                continue;
            };
            let counted: usize = files.iter().map(|file| lines_of(file)).sum();
            let right = written.abs_diff(counted) <= counted / 10;
            assert!(right, "{}: {line}\nthese files have {counted} lines", page.display());
        }
    }
}

/// Counts the lines of a file, or of all files in a folder.
fn lines_of(path: &Path) -> usize {
    let files = if path.is_dir() { walk(path) } else { vec![path.to_owned()] };
    files.iter().map(|file| fs::read_to_string(file).unwrap().lines().count()).sum()
}
