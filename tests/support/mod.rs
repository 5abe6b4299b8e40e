//! A laboratory for one test: a folder, a separate SoftHSM token, and the real binary.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

pub mod cluster;
pub mod imports;
pub mod database;
pub mod messages;
pub mod process;
pub mod security_key;
pub mod typist;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use messages::Messages;

pub const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
pub const PIN: &str = "7351-user";

pub struct Lab {
    pub dir: tempfile::TempDir,
    pub env: Vec<(String, String)>,
    messages: Arc<Messages>,
}

/// Result of running a program.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
    /// The command as typed in a shell.
    pub command: String,
    pub messages: Option<Arc<Messages>>,
    /// Exit code and standard error of `ceremony check` before this `ceremony run`.
    pub check: Option<(i32, String)>,
}

/// Failures that a check cannot find: those that arise during the ceremony, those of the token, and
/// those of arguments that the check does not have.
const OF_THE_ROOM: [&str; 7] = [
    "PIN from",
    "The ceremony is closed",
    "keyrite ceremony resume --ledger",
    "token",
    "terminal",
    "name one or more with --in",
    "name its folder with --out",
];

impl std::fmt::Debug for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Self { code, out, err, .. } = self;
        f.debug_struct("Ran").field("code", code).field("out", out).field("err", err).finish()
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            command: String::new(),
            messages: None,
            check: None,
        }
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "expected success:\n{}\n{}", self.out, self.err);
        if let Some((code, found)) = &self.check {
            assert_eq!(*code, 0, "a check refuses what a run does:\n{found}");
        }
        self
    }

    /// Requires that check and run have the same messages and exit codes, except for failures that
    /// only a run can find.
    #[track_caller]
    fn as_checked(&self) {
        let Some((code, found)) = &self.check else { return };
        if *code == 0 {
            let of_the_room = self.code == 4 || OF_THE_ROOM.iter().any(|what| self.err.contains(what));
            assert!(of_the_room, "a check does not find what a run refuses:\n{}", self.err);
            return;
        }
        assert_eq!(*code, self.code, "exit codes of check and run:\n{found}\n{}", self.err);
        // The clock advances between the two.
        let timeless = |text: &str| {
            let is_time = |word: &&str| word.starts_with("20") && word.contains('T') && word.contains("Z");
            text.split(' ').filter(|word| !is_time(word)).collect::<Vec<_>>().join(" ")
        };
        let told = timeless(&self.err);
        for line in found.lines().skip(1).map(str::trim) {
            assert!(
                told.contains(&timeless(line)),
                "a check finds, and a run does not:\n{line}\n{}",
                self.err
            );
        }
    }

    /// Requires the exit code and all of these texts in the message, and compares the whole message
    /// with `tests/golden/messages`.
    #[track_caller]
    pub fn fails(self, code: i32, texts: &[&str]) -> Self {
        let ran = self.fails_somehow(code, texts);
        let messages = ran.messages.as_ref().expect("a command of a laboratory");
        messages.keep(&ran.command, &ran);
        ran
    }

    /// As [`Ran::fails`], if the rest of the message differs between runs.
    #[track_caller]
    pub fn fails_somehow(self, code: i32, texts: &[&str]) -> Self {
        assert_eq!(self.code, code, "exit code:\n{}\n{}", self.out, self.err);
        for text in texts {
            assert!(self.err.contains(text), "no {text:?} in:\n{}", self.err);
        }
        assert!(!self.out.contains(PIN) && !self.err.contains(PIN), "the PIN is shown");
        self.as_checked();
        self
    }
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Lab {
    /// Creates a folder with an initialised token labelled `lab`.
    pub fn new() -> Self {
        let lab = Self::without_token();
        lab.init_token("lab");
        lab
    }

    /// Creates a folder with a SoftHSM without tokens.
    pub fn without_token() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let lab = Self { env: Vec::new(), messages: Arc::new(Messages::of(dir.path())), dir };
        fs::create_dir(lab.path("tokens")).expect("tokens");
        lab.write(
            "softhsm2.conf",
            format!("directories.tokendir = {}\nlog.level = ERROR\n", lab.path("tokens").display()),
        );
        lab.write("pin", format!("{PIN}\n"));
        lab.write("so-pin", "9182-officer\n");
        lab.write("hsm.toml", format!("name = \"test\"\nmodule = [\"{SOFTHSM}\"]\n"));
        lab
    }

    /// Sets a variable for each run.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.set(key, value);
        self
    }

    pub fn set(&mut self, key: &str, value: &str) {
        self.env.retain(|(old, _)| old != key);
        self.env.push((key.to_owned(), value.to_owned()));
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    pub fn write(&self, relative: &str, text: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("parent")).expect("folders");
        fs::write(path, text).expect("file");
    }

    pub fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.path(relative)).unwrap_or_else(|e| panic!("{relative}: {e}"))
    }

    /// Reads a file of the repository's `ceremony/`.
    pub fn read_shipped(&self, name: &str) -> String {
        fs::read_to_string(repository().join("ceremony").join(name)).expect("shipped file")
    }

    pub fn init_token(&self, label: &str) {
        self.keyrite(&format!(
            "token init --hsm hsm.toml --label {label} --so-pin-file so-pin --pin-file pin"
        ))
        .ok();
    }

    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("SOFTHSM2_CONF", self.path("softhsm2.conf"))
            // Usage is wrapped to the width of a terminal.
            .env_remove("COLUMNS")
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, program: &str, arguments: &[&str]) -> Ran {
        self.output(&mut self.command(program, arguments))
    }

    /// Runs what [`Lab::command`] prepared.
    pub fn output(&self, command: &mut Command) -> Ran {
        let program = command.get_program().to_owned();
        let output = command.output().unwrap_or_else(|e| panic!("{}: {e}", program.display()));
        Ran { command: messages::shown(command), messages: Some(self.messages.clone()), ..Ran::of(output) }
    }

    /// Runs the real binary; arguments are separated by spaces.
    pub fn keyrite(&self, arguments: &str) -> Ran {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let check = self.check(&words);
        Ran { check, ..self.run(env!("CARGO_BIN_EXE_keyrite"), &words) }
    }

    /// Checks a ceremony before it is run, unless the token is the faulty one, which counts calls.
    fn check(&self, run: &[&str]) -> Option<(i32, String)> {
        let ["ceremony", "run", rest @ ..] = run else { return None };
        if self.env.iter().any(|(name, _)| name.starts_with("FAULTY_TOKEN")) {
            return None;
        }
        let mut words = vec!["ceremony", "check"];
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            match *word {
                "--pin-file" | "--pin-fd" | "--token-serial" | "--token-label" => drop(rest.next()),
                "--accept-final-try" => {}
                word => words.push(word),
            }
        }
        let ran = self.run(env!("CARGO_BIN_EXE_keyrite"), &words);
        Some((ran.code, ran.err))
    }

    pub fn openssl(&self, arguments: &str) -> Ran {
        let words: Vec<&str> = arguments.split(' ').collect();
        self.run("openssl", &words)
    }

    /// Copies the repository's `ceremony/`, so that scripts can be changed.
    pub fn ceremony_files(&self) {
        let source = repository().join("ceremony");
        for file in walk(&source) {
            let relative = file.strip_prefix(&source).expect("below").to_str().expect("text").to_owned();
            self.write(&format!("ceremony/{relative}"), fs::read(&file).expect("file"));
        }
    }

    /// Runs a script unattended.
    pub fn ceremony(&self, script: &str, more: &str) -> Ran {
        self.keyrite(&format!(
            "ceremony run {script} --hsm hsm.toml --ledger ledger --answers {}/ceremony/answers-accept.toml --pin-file pin {more}",
            repository().display()
        ))
    }

    pub fn resume(&self) -> Ran {
        self.keyrite(&format!(
            "ceremony resume --ledger ledger --answers {}/ceremony/answers-accept.toml --pin-file pin",
            repository().display()
        ))
    }

    /// Sets the time of later runs in the syntax of libfaketime, such as `+3d`.
    pub fn clock(&mut self, time: &str) {
        self.set("LD_PRELOAD", &faketime());
        self.set("FAKETIME", time);
    }

    /// Runs a program with this time; arguments are separated by spaces.
    pub fn run_at(&self, time: &str, program: &str, arguments: &str) -> Ran {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let mut command = self.command(program, &words);
        command.env("LD_PRELOAD", faketime()).env("FAKETIME", time).env("TZ", "UTC");
        self.output(&mut command)
    }

    /// Creates a token with a root, and a script that signs [`WEB`] requests under it.
    pub fn signing() -> Self {
        let lab = Self::new();
        lab.root("ecdsa-p256");
        lab.sign_script(WEB);
        lab
    }

    /// Writes the small script `root.toml` of an authority on P-256, with its profiles.
    pub fn write_root_script(&self) {
        self.write("profiles.toml", PROFILES);
        self.write("root.toml", root_script("ecdsa-p256"));
    }

    /// Creates a root authority `root-ca` and a manifest key with a small script, in production.
    pub fn root(&self, key: &str) {
        self.write("profiles.toml", PROFILES);
        self.write("root.toml", root_script(key));
        self.ceremony("root.toml", "--out root").ok();
    }

    /// Writes a signing script with these roster lines.
    pub fn sign_script(&self, roster: &str) {
        self.write("sign.toml", format!("{SIGN_STEPS}{roster}"));
    }

    pub fn sign(&self, bundle: &str, out: &str) -> Ran {
        self.ceremony("sign.toml", &format!("--in {bundle} --out {out}"))
    }

    /// Creates a key and a request with openssl; `key` has arguments of `openssl genpkey`.
    pub fn csr(&self, path: &str, subject: &str, san: &str, key: &str) {
        self.csr_with(
            path,
            subject,
            if san.is_empty() { vec![] } else { vec![format!("subjectAltName={san}")] },
            key,
        );
    }

    /// As [`Lab::csr`], with these values of openssl's `-addext`.
    pub fn csr_with(&self, path: &str, subject: &str, extensions: Vec<String>, key: &str) {
        let key_path = format!("keys/{}.key", path.replace('/', "_"));
        fs::create_dir_all(self.path("keys")).expect("keys");
        if !self.path(&key_path).exists() {
            let algorithm: Vec<&str> = key.split(' ').collect();
            let mut arguments = vec!["genpkey", "-out", &key_path];
            arguments.extend(algorithm);
            self.run("openssl", &arguments).ok();
        }
        fs::create_dir_all(self.path(path).parent().expect("parent")).expect("folders");
        let mut arguments = vec!["req", "-new", "-key", &key_path, "-subj", subject, "-out", path, "-utf8"];
        for extension in &extensions {
            arguments.extend(["-addext", extension]);
        }
        self.run("openssl", &arguments).ok();
    }

    pub fn manifest(&self, release: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(&format!("{release}/manifest.json"))).expect("manifest")
    }

    /// Lists all files below a folder with relative paths.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let root = self.path(folder);
        let mut found: Vec<String> = walk(&root)
            .iter()
            .map(|path| path.strip_prefix(&root).expect("below").to_str().expect("text").to_owned())
            .collect();
        found.sort();
        found
    }

    /// Returns the fingerprint of a certificate, computed by openssl.
    pub fn fingerprint(&self, certificate: &str) -> String {
        let text = self.openssl(&format!("x509 -in {certificate} -noout -fingerprint -sha256")).ok().out;
        text.trim().split('=').nth(1).expect("fingerprint").to_owned()
    }

    /// Builds the faulty token and writes an HSM profile `faulty.toml` for it.
    pub fn faulty(&self) {
        let source = repository().join("tests/support/faulty_token.c");
        let module = self.path("faulty_token.so");
        self.run(
            "cc",
            &["-shared", "-fPIC", "-o", module.to_str().unwrap(), source.to_str().unwrap(), "-ldl"],
        )
        .ok();
        self.write("hsm.toml", format!("name = \"faulty\"\nmodule = [\"{}\"]\n", module.display()));
    }
}

fn faketime() -> String {
    let folders = ["x86_64", "aarch64"].map(|cpu| format!("/usr/lib/{cpu}-linux-gnu/faketime"));
    let mut libraries = folders.iter().map(|folder| format!("{folder}/libfaketime.so.1"));
    libraries.find(|library| Path::new(library).exists()).expect("libfaketime is not installed")
}

pub fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())).flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

pub const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
pub const WEB: &str = "[[roster]]\npath = \"web/*.csr\"\nprofile = \"server\"\nauthority = \"root-ca\"\nsubject = [\"CN=*\"]\ndns = [\"*.example.test\"]\nip = [\"10.0.0.0/8\"]\n";

pub const PROFILES: &str = r#"
[root]
source = "test"
kind = "root"
days = 3650
key_usage = ["keyCertSign", "cRLSign"]
[intermediate]
source = "test"
kind = "intermediate"
days = 1825
key_usage = ["keyCertSign", "cRLSign"]
path_length = 0
[manifest]
source = "test"
kind = "manifest"
days = 3650
key_usage = ["digitalSignature"]
extended_key_usage = ["emailProtection"]
certificate_policies = ["manifest-signing"]
[server]
source = "test"
kind = "leaf"
days = 365
key_usage = ["digitalSignature", "keyEncipherment"]
extended_key_usage = ["serverAuth"]
names = "required"
[client]
source = "test"
kind = "leaf"
days = 365
key_usage = ["digitalSignature"]
extended_key_usage = ["clientAuth"]
names = "forbidden"
"#;

pub fn root_script(key: &str) -> String {
    format!(
        r#"title = "root"
purpose = "test"
profiles = ["profiles.toml"]
[[step]]
act = "machine"
network = "report"
observers = "report"
[[step]]
act = "open-token"
[[step]]
act = "inventory"
[[step]]
act = "create-authority"
name = "root-ca"
profile = "root"
subject = ["O=Test", "CN=Test Root"]
key = "{key}"
days = 3650
[[step]]
act = "create-manifest-key"
name = "manifest"
profile = "manifest"
subject = ["CN=Test Manifest"]
days = 3650
issuer = "root-ca"
[[step]]
act = "release"
"#
    )
}

pub const SIGN_STEPS: &str = r#"title = "sign"
purpose = "test"
profiles = ["profiles.toml"]
[[step]]
act = "machine"
network = "report"
observers = "report"
[[step]]
act = "open-token"
[[step]]
act = "inventory"
[[step]]
act = "import"
[[step]]
act = "review"
[[step]]
act = "issue"
[[step]]
act = "release"
"#;

/// Changes the list of records `r` and recomputes numbers and chain, as an attacker would.
pub const REWRITE: &str = r#"
import sys, json, hashlib
text = open(sys.argv[1]).read().splitlines()
r = [json.loads(line) for line in text]
previous = r[0]["previous"]
exec(sys.argv[3])
out = open(sys.argv[2], "w")
for number, record in enumerate(r, 1):
    record["number"], record["previous"] = number, previous
    line = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
    previous = hashlib.sha256(line.encode()).hexdigest()
    out.write(line + "\n")
"#;
