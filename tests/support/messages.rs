//! Goldens: texts for people are compared with `tests/golden`. `SNAPSHOTS=overwrite cargo test`
//! rewrites the differing ones.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use regex::Regex;
use snapbox::{Assert, Data, Redactions};

use super::{Ran, repository};

/// Compares a text with a file below `tests/golden`.
#[track_caller]
pub fn golden(name: &str, text: &str) {
    compare(&repository().join("tests/golden").join(name), text, Redactions::new());
}

#[track_caller]
fn compare(kept: &Path, text: &str, masks: Redactions) {
    let assert = Assert::new().action_env("SNAPSHOTS").normalize_paths(false).redact_with(masks);
    assert.eq(text.to_owned(), Data::read_from(kept, None));
}

/// Messages of failing commands in one laboratory. On drop they are compared with
/// `messages/TOPIC/TEST.txt`; a test's second laboratory has `TEST-2.txt`, and so on.
pub struct Messages {
    folder: PathBuf,
    /// The golden file, unless this is not a test's own thread.
    kept: Option<PathBuf>,
    said: Mutex<Vec<String>>,
}

thread_local! {
    /// Number of laboratories of this thread, which is one test.
    static LABORATORIES: Cell<usize> = const { Cell::new(0) };
}

impl Messages {
    pub fn of(folder: &Path) -> Self {
        let number = LABORATORIES.get() + 1;
        LABORATORIES.set(number);
        let thread = std::thread::current();
        let test = thread.name().and_then(|name| name.rsplit_once("::"));
        let kept = test.map(|(topic, test)| {
            let file = if number == 1 { format!("{test}.txt") } else { format!("{test}-{number}.txt") };
            repository().join("tests/golden/messages").join(topic.replace("::", "/")).join(file)
        });
        Self { folder: folder.to_owned(), kept, said: Mutex::default() }
    }

    /// Adds the messages of a command, once.
    pub fn keep(&self, command: &str, ran: &Ran) {
        let mut text = format!("$ {command}\nexit {}\n{}", ran.code, ran.err);
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let text = masks(&self.folder).redact(&text);
        let mut said = self.said.lock().unwrap();
        if !said.contains(&text) {
            said.push(text);
        }
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        let said = self.said.lock().map(|said| said.join("\n")).unwrap_or_default();
        match &self.kept {
            Some(kept) if !std::thread::panicking() && (!said.is_empty() || kept.exists()) => {
                compare(kept, &said, Redactions::new());
            }
            _ => {}
        }
    }
}

/// Masks what differs between runs and machines.
static PATTERNS: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    let patterns = [
        // Another laboratory of the same test.
        ("[LAB]", r"/[\w./-]*/\.tmp\w{6}\b"),
        ("[LIBRARIES]", r"(/usr)?/lib/\w+-linux-gnu\b"),
        ("[TIME]", r"\bx?\d{3,4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ|-\d\d-\d\d-\d\d)?"),
        // Digests, serial numbers, IDs of installations.
        ("[HEX]", r"\b([0-9a-f]{16,}|[0-9A-F]{16,})\b"),
        ("[HEX]", r"\b\d{6}-(?<redacted>[0-9a-f]{12})\b"),
        ("[FINGERPRINT]", r"\b(([0-9A-F]{2}:){19,}[0-9A-F]{2}|SHA256:[A-Za-z0-9+/]{43})"),
        // Identifiers of share sets.
        ("[SET]", r"\bset (?<redacted>[a-z0-9]{4}), expected\b"),
        ("[SET]", r"\bexpected set (?<redacted>[a-z0-9]{4})\b"),
        // Number of the faulty call, and length of a signature.
        ("[N]", r"\bwhen=(?<redacted>\d+)"),
        ("[N]", r"\bdecoded (?<redacted>\d+) bytes\b"),
        ("[N]", r"\bDER byte (?<redacted>\d+)\b"),
        ("[N]", r"\bincomplete: expected (?<redacted>\d+), actual\b"),
        ("[N]", r"\bactual (?<redacted>\d+) at DER byte\b"),
        // A public key of OpenSSH.
        ("[KEY]", r"\bAAAA[A-Za-z0-9+/]{40,}=*"),
    ];
    patterns.map(|(mask, pattern)| (mask, Regex::new(pattern).unwrap())).into()
});

fn masks(folder: &Path) -> Redactions {
    let mut masks = Redactions::new();
    masks.insert("[LAB]", folder.display().to_string()).unwrap();
    masks.insert("[KEYRITE]", env!("CARGO_BIN_EXE_keyrite")).unwrap();
    masks.insert("[REPOSITORY]", repository()).unwrap();
    // 2^53 - 1, which has as many digits as a token's serial number.
    masks.insert("[LARGEST]", "9007199254740991").unwrap();
    for (mask, pattern) in PATTERNS.iter() {
        masks.insert(mask, pattern).unwrap();
    }
    masks
}

/// Formats a command as typed in a shell.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = [program].into_iter().chain(command.get_args()).map(|word| word.to_string_lossy());
    let quoted = words.map(|word| {
        let bare = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
        if !word.is_empty() && word.chars().all(bare) { word.into_owned() } else { format!("'{word}'") }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
