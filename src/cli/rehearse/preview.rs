//! Previews of what would be signed: each TBSCertificate in DER and as text. Only fields that depend
//! on the real key or on the time differ.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Workspace;
use crate::cli::system;
use crate::failure::Failure;
use crate::issuance::{Authority, Certificate, Reserved, Templates, preview};
use crate::ledger::{Entries, Ledger, ReservedRow, Row, Rows};
use crate::media::{RelativePath, read_file, shown};
use crate::plan::Plan;
use crate::policy::Policy;

/// Differences of the real ceremony under a stand-in, under the real authority's certificate, and for
/// a key in the token.
const UNDER_STAND_IN: &str = "REHEARSAL. The real ceremony differs in: serial number, times, issuer and its key identifier,\nand the signature algorithm if the real issuer's key is of another type.\n";
const UNDER_REAL: &str = "REHEARSAL. The real ceremony differs in: serial number and times.\n";
const OF_KEY: &str = "REHEARSAL. The real ceremony differs in: key and its identifiers, serial number and times; the\nsubject has no OU=REHEARSAL.\n";

/// Maximum size of a certificate file, in octets.
const MAX_CERTIFICATE: usize = 1 << 16;

/// Certificates of real authorities.
pub struct RealAuthorities(BTreeMap<String, Arc<Authority>>);

impl RealAuthorities {
    /// Reads the certificates. Each name must be an authority in the plan's roster.
    pub fn read(plan: &Plan, files: &[(String, PathBuf)]) -> Result<Self, Failure> {
        let mut authorities = BTreeMap::new();
        for (name, path) in files {
            if !plan.script().roster.iter().any(|line| line.authority == *name) {
                return Err(Failure::usage(format!(
                    "--authority {name}: no roster line of the script issues under it"
                )));
            }
            let bad = |e: String| Failure::usage(format!("--authority {name}: {}: {e}", path.display()));
            let octets = read_file(path, MAX_CERTIFICATE).map_err(|e| Failure::usage(e.to_string()))?;
            let certificate = Certificate::from_pem(&octets).map_err(|e| bad(e.to_string()))?;
            let authority = Authority::new(name, certificate).map_err(|e| bad(e.to_string()))?;
            if authorities.insert(name.clone(), Arc::new(authority)).is_some() {
                return Err(Failure::usage(format!("--authority {name}: duplicate")));
            }
        }
        Ok(Self(authorities))
    }
}

/// Writes previews of the certificates of the last ceremony and returns their number.
pub fn write(workspace: &Workspace, plan: &Plan, real: &RealAuthorities) -> Result<usize, Failure> {
    let folder = workspace.folder.join("ledger");
    let mut ledger = Ledger::read(&folder, &system::temporary())?;
    let Some(last) = ledger.ceremonies()?.pop() else { return Ok(0) };
    let previews = Previews::new(workspace, plan, real, ledger.entries(last)?).map_err(fault)?;
    previews.all(&mut ledger, last)
}

fn fault(error: String) -> Failure {
    Failure::fault(format!("preview: {error}"))
}

struct Previews<'s> {
    workspace: &'s Workspace,
    policy: Policy,
    entries: Entries,
    templates: Templates,
}

impl<'s> Previews<'s> {
    fn new(
        workspace: &'s Workspace,
        plan: &Plan,
        real: &RealAuthorities,
        entries: Entries,
    ) -> Result<Self, String> {
        let policy = Policy::new(plan.profiles(), plan.script().rules(), HashMap::new()).map_err(|e| e.0)?;
        let templates =
            Templates::new(&policy, |name| real.0.get(name).cloned()).map_err(|e| e.to_string())?;
        Ok(Self { workspace, policy, entries, templates })
    }

    fn all(&self, ledger: &mut Ledger, ceremony: i64) -> Result<usize, Failure> {
        let mut count = 0;
        ledger.rows::<Failure>(Rows::All, ceremony, &mut |group| {
            for row in &group {
                if let Some(reserved) = &row.reserved {
                    self.one(row, reserved).map_err(|e| fault(format!("{}: {e}", row.path)))?;
                    count += 1;
                }
            }
            Ok(())
        })?;
        Ok(count)
    }

    fn one(&self, row: &Row, reserved: &ReservedRow) -> Result<(), String> {
        if let Some(name) = row.token_key() {
            return self.put(&format!("keys/{name}"), OF_KEY, &[("key in the token", name)], &reserved.tbs);
        }
        let path = RelativePath::new(&row.path).map_err(|e| e.to_string())?;
        let entry = self.entries.of(row.bundle, &path)?;
        let again = self.policy.judge(path, &row.octets, entry);
        let approval = again.outcome.map_err(|_| "is now refused".to_owned())?;
        let facts = [
            ("request", row.path.as_str()),
            ("certificate profile", approval.profile_name()),
            ("authority", approval.authority()),
        ];
        let stem = row.path.trim_end_matches(".csr");
        let Some(template) = self.templates.get(&approval) else {
            return self.put(stem, UNDER_STAND_IN, &facts, &reserved.tbs);
        };
        let Reserved { serial, start, .. } = Reserved::of(&reserved.tbs).map_err(|e| e.to_string())?;
        let tbs = template.fill(&approval, serial, start).map_err(|e| e.to_string())?;
        self.put(stem, UNDER_REAL, &facts, tbs.octets())
    }

    fn put(&self, stem: &str, differs: &str, facts: &[(&str, &str)], tbs: &[u8]) -> Result<(), String> {
        let mut text = format!("{differs}\n");
        for (label, value) in facts {
            text.push_str(&format!("{label:<34} {value}\n"));
        }
        for (label, value) in preview(tbs).map_err(|e| e.to_string())? {
            text.push_str(&format!("{label:<34} {}\n", shown(&value)));
        }
        let write = |ending: &str, octets: &[u8]| {
            self.workspace
                .write_octets(&format!("preview/{stem}.{ending}"), octets, 0o644)
                .map_err(|e| e.text)
        };
        write("txt", text.as_bytes())?;
        write("tbs.der", tbs)
    }
}

/// Parses NAME=FILE.
pub fn named_file(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("is not NAME=FILE")?;
    Ok((name.to_owned(), Path::new(path).to_owned()))
}
