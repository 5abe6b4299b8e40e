//! Witnesses' signatures over a transcript, made afterwards with `ssh-keygen -Y sign`
//! (PROTOCOL.sshsig), checked against a file of allowed signers (ssh-keygen(1), ALLOWED SIGNERS).

use std::path::{Path, PathBuf};

use ssh_key::PublicKey;

use super::{Kind, Order, Section};
use crate::failure::Failure;
use crate::media::{RelativePath, Tree, read_file, read_text, shown};
use crate::release::{LIMITS, TRANSCRIPT};
use crate::request::{SshSignature, is_verifiable};

/// Namespace of these signatures.
pub const NAMESPACE: &str = "keyrite-transcript";

/// Maximum size in octets of a transcript, which is held in memory.
const LIMIT: usize = 256 << 20;
/// Maximum size in octets of a signature or of a file of allowed signers.
const SMALL: usize = 1 << 20;

/// An allowed signer.
#[derive(Clone, Debug)]
pub struct Signer {
    name: String,
    key: PublicKey,
    namespaces: Option<Vec<String>>,
}

/// Reads a file of allowed signers.
///
/// # Errors
/// [`Failure::usage`] names the line and the problem.
pub fn allowed_signers(path: &Path) -> Result<Vec<Signer>, Failure> {
    let text = read_text(path, SMALL).map_err(|e| Failure::usage(e.to_string()))?;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let signer = signer(line)
            .map_err(|why| Failure::usage(format!("{}: line {}: {why}", path.display(), number + 1)))?;
        found.push(signer);
    }
    Ok(found)
}

/// Parses one line: principal, options, key.
fn signer(line: &str) -> Result<Signer, String> {
    let (name, rest) = line.split_once([' ', '\t']).ok_or("has no key")?;
    if let Some(mark) = name.chars().find(|c| "!*?".contains(*c)) {
        return Err(format!(
            "{:?} is a pattern (it contains {mark:?}), expected a name; give each signer a line with a name, or check this signature with ssh-keygen -Y verify",
            shown(name)
        ));
    }
    let (rest, mut namespaces) = (rest.trim_start(), None);
    let key = match rest.parse::<PublicKey>() {
        Ok(key) => key,
        Err(_) => {
            let (options, key) = rest.split_once([' ', '\t']).ok_or("has no key")?;
            for option in options.split("\",").map(|option| option.trim_end_matches('"')) {
                match option.split_once("=\"") {
                    Some(("namespaces", list)) => {
                        namespaces = Some(list.split(',').map(str::to_owned).collect());
                    }
                    _ => {
                        return Err(format!(
                            "option {:?} is not supported; check this signature with ssh-keygen -Y verify",
                            shown(option)
                        ));
                    }
                }
            }
            key.trim_start().parse().map_err(|e| format!("not an OpenSSH public key: {e}"))?
        }
    };
    Ok(Signer { name: name.trim_matches('"').to_owned(), key, namespaces })
}

/// Returns the signature files next to a source: `SOURCE.*.sig`.
pub fn signatures_of(source: &Path) -> Vec<PathBuf> {
    let Some(name) = source.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let folder = source.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let other = path.file_name().and_then(|other| other.to_str()).unwrap_or_default();
            other.starts_with(&format!("{name}.")) && other.ends_with(".sig") && path.is_file()
        })
        .collect();
    found.sort();
    found
}

/// Adds a claim for every signature over the transcripts of these sources.
pub fn audit(order: &Order, sources: &[(Kind, &PathBuf)], section: &mut Section) -> Result<(), Failure> {
    let mut signatures = order.signatures.clone();
    for (_, source) in sources {
        signatures.extend(signatures_of(source).into_iter().filter(|path| !order.signatures.contains(path)));
    }
    if signatures.is_empty() {
        return Ok(());
    }
    let mut transcripts: Vec<(String, Vec<u8>)> = Vec::new();
    for (kind, source) in sources {
        let octets = match kind {
            Kind::Ledger => continue,
            Kind::Transcript => read_file(source, LIMIT).map_err(|e| e.to_string()),
            Kind::Release => transcript_of(source),
        };
        match octets {
            Ok(octets) => transcripts.push((source.display().to_string(), octets)),
            Err(why) => section.unknown(
                "AUDIT-WITNESS",
                format!("signatures over the transcript of {}: {why}", source.display()),
            ),
        }
    }
    for path in &signatures {
        check(path, &transcripts, order.signers.as_deref(), section)?;
    }
    section.note(format!(
        "the same check:  ssh-keygen -Y verify -f ALLOWED -I WHO -n {NAMESPACE} -s SIGNATURE < {TRANSCRIPT}"
    ));
    Ok(())
}

fn transcript_of(source: &Path) -> Result<Vec<u8>, String> {
    let tree = Tree::open(source, LIMITS).map_err(|e| e.to_string())?;
    let path = RelativePath::new(TRANSCRIPT).map_err(|e| e.to_string())?;
    tree.read(&path, LIMIT as u64).map_err(|e| e.to_string())
}

fn check(
    path: &Path,
    transcripts: &[(String, Vec<u8>)],
    signers: Option<&[Signer]>,
    section: &mut Section,
) -> Result<(), Failure> {
    let name = path.display().to_string();
    let octets = read_file(path, SMALL).map_err(|e| Failure::usage(e.to_string()))?;
    let signature = SshSignature::parse(&octets).and_then(|signature| {
        signature.check(NAMESPACE).map_err(|why| format!("is signed {why}"))?;
        Ok(signature)
    });
    let signature = match signature {
        Ok(signature) => signature,
        Err(wrong) => {
            section.compared("AUDIT-WITNESS", Err(format!("{name}: {wrong}")));
            return Ok(());
        }
    };
    let key = signature.key();
    let print = key.fingerprint(Default::default());
    let over = transcripts.iter().find(|(_, octets)| signature.is_over(NAMESPACE, octets));
    let Some((source, _)) = over else {
        if is_verifiable(&key) {
            section.compared(
                "AUDIT-WITNESS",
                Err(format!("{name}: is not a signature of {print} over a given transcript")),
            )
        } else {
            section.unknown(
                "AUDIT-WITNESS",
                format!("{name}: is by a {} key, which only ssh-keygen can verify", key.algorithm()),
            )
        }
        return Ok(());
    };
    check_signer(&name, source, &key, &print.to_string(), signers, section);
    Ok(())
}

fn check_signer(
    name: &str,
    source: &str,
    key: &PublicKey,
    print: &str,
    signers: Option<&[Signer]>,
    section: &mut Section,
) {
    let Some(signers) = signers else {
        return section.unknown(
            "AUDIT-WITNESS",
            format!("{name}: is over the transcript of {source}, by the key {print}; name its owner with --allowed-signers"),
        );
    };
    let found = signers.iter().find(|signer| {
        let allowed = signer.namespaces.as_ref().is_none_or(|list| list.iter().any(|one| one == NAMESPACE));
        allowed && signer.key.key_data() == key.key_data()
    });
    section.compared(
        "AUDIT-WITNESS",
        match found {
            Some(signer) => {
                Ok(format!("{} signed the transcript of {source} ({name}, key {print})", signer.name))
            }
            None => Err(format!(
                "{name}: is over the transcript of {source}, by the key {print}, which is not an allowed signer"
            )),
        },
    );
}
