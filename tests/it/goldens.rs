//! `tests/golden/messages` belongs to existing tests and contains nothing specific to one run.

use crate::support::{repository, walk};

#[test]
fn golden_messages_belong_to_existing_tests() {
    let root = repository().join("tests/golden/messages");
    let files = walk(&root);
    assert!(files.len() > 100, "{}", files.len());
    for file in files {
        let path = file.strip_prefix(&root).unwrap().with_extension("");
        let topic = path.parent().unwrap().display().to_string();
        let source =
            std::fs::read_to_string(repository().join(format!("tests/it/{topic}.rs"))).unwrap_or_default();
        // A test's second laboratory has a separate file.
        let test = path.file_name().unwrap().to_str().unwrap().split('-').next().unwrap();
        assert!(source.contains(&format!("fn {test}(")), "no test says what is in {}", file.display());
    }
}

#[test]
fn golden_messages_contain_no_local_paths() {
    for file in walk(&repository().join("tests/golden/messages")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let temporary = std::env::temp_dir().join(".tmp");
        for path in [repository(), &temporary] {
            assert!(!text.contains(path.to_str().unwrap()), "{} in {}", path.display(), file.display());
        }
    }
}

/// The page of commands matches the help texts.
#[test]
fn commands_page_matches_help() {
    let script = repository().join("scripts/commands.sh");
    let program = env!("CARGO_BIN_EXE_keyrite");
    let output = std::process::Command::new("sh").arg(&script).arg(program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = std::fs::read_to_string(repository().join("docs/commands.md")).unwrap();
    let same = String::from_utf8(output.stdout).unwrap() == page;
    assert!(same, "scripts/commands.sh target/debug/keyrite > docs/commands.md writes it anew");
}
