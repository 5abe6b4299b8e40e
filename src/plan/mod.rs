//! The plan: a script and all files it names, covered by one digest.
//!
//! Input: TOML files. Output: a [`Plan`] whose steps can be performed in order and whose people, profiles and
//! keys are consistent, as far as can be checked from the files alone. Each act has a file in `step`.

mod roles;
mod script;
mod setup;
pub mod step;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use roles::{Count, Roles};
pub use script::Script;
pub use setup::Setup;
pub use step::{Act, KeySpec, KeyUse, Step};

use crate::digest::Digest;
use crate::failure::Failure;
use crate::media::{RelativePath, read_text};
use crate::policy::ProfileFile;
use crate::record::{FileFacts, PlanFacts};

/// Maximum size of a script or profile file, in octets.
pub const MAX_FILE: usize = 16 << 20;

/// A script and the files it names.
#[derive(Clone, Debug)]
pub struct Plan {
    files: PlanFiles,
    script: Script,
    profiles: ProfileFile,
}

/// The files of a plan: the script, followed by the files in the order in which it names them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanFiles(Vec<(RelativePath, String)>);

impl PlanFiles {
    /// Returns path and text of each file.
    pub fn texts(&self) -> impl Iterator<Item = (&RelativePath, &str)> {
        self.0.iter().map(|(path, text)| (path, text.as_str()))
    }

    /// Returns the file name of the script.
    pub fn name(&self) -> &str {
        self.0.first().map(|(path, _)| path.as_str()).unwrap_or_default()
    }

    /// Returns path and SHA-256 of each file.
    pub fn listing(&self) -> Vec<(&str, Digest)> {
        self.0.iter().map(|(path, text)| (path.as_str(), Digest::of(text.as_bytes()))).collect()
    }

    /// Returns the plan digest, whether or not the files are a valid plan.
    pub fn digest(&self) -> Digest {
        Digest::of_listing(self.listing())
    }
}

impl Plan {
    /// Reads and checks a script and its files.
    ///
    /// # Errors
    /// [`Failure::usage`] names the file and the problem.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut files = vec![(portable(name)?, text(path)?)];
        let script = Script::parse(&files.first().map(|(_, text)| text.clone()).unwrap_or_default())
            .map_err(|e| Failure::usage(format!("{name}: {e}")))?;
        for named in &script.profiles {
            let relative = portable(named)?;
            if files.iter().any(|(path, _)| *path == relative) {
                return Err(Failure::usage(format!("{name}: duplicate entry {named} in profiles")));
            }
            let text = text(&folder.join(relative.as_str()))?;
            files.push((relative, text));
        }
        Self::from_files(PlanFiles(files))
    }

    /// Parses and checks files that were read before.
    pub fn from_files(files: PlanFiles) -> Result<Self, Failure> {
        let mut parts = files.0.iter();
        let (name, text) = parts.next().ok_or_else(|| Failure::usage("plan is empty"))?;
        let script = Script::parse(text).map_err(|e| Failure::usage(format!("{name}: {e}")))?;
        let mut profiles = ProfileFile::new();
        for (path, text) in parts {
            let file: ProfileFile = toml::from_str(text)
                .map_err(|e| Failure::usage(format!("{path}: {}", e.to_string().trim_end())))?;
            for (profile, value) in file {
                if profiles.insert(profile.clone(), value).is_some() {
                    return Err(Failure::usage(format!(
                        "{path}: duplicate certificate profile {profile}, also in another file"
                    )));
                }
            }
        }
        let placed = |e: Failure| format!("{name}: {}", e.to_string().replace('\n', &format!("\n{name}: ")));
        script.check(&profiles).map_err(|e| Failure::usage(placed(e)))?;
        Ok(Self { files, script, profiles })
    }

    /// Returns the script.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Returns the certificate profiles.
    pub fn profiles(&self) -> &ProfileFile {
        &self.profiles
    }

    /// Returns the files.
    pub fn files(&self) -> &PlanFiles {
        &self.files
    }

    /// Returns the file name of the script.
    pub fn name(&self) -> &str {
        self.files.name()
    }

    /// Returns path and SHA-256 of each file.
    pub fn listing(&self) -> Vec<(&str, Digest)> {
        self.files.listing()
    }

    /// Returns the facts that the record states.
    pub fn facts(&self) -> PlanFacts {
        let file = |(path, text): (&RelativePath, &str)| FileFacts {
            path: path.clone(),
            sha256: Digest::of(text.as_bytes()),
        };
        PlanFacts { sha256: self.digest(), files: self.files.texts().map(file).collect() }
    }

    /// Returns the plan digest, as `sha256sum SCRIPT FILE... | sha256sum` prints it in the script's folder.
    pub fn digest(&self) -> Digest {
        self.files.digest()
    }
}

fn portable(name: &str) -> Result<RelativePath, Failure> {
    RelativePath::new(name).map_err(|e| Failure::usage(e.to_string()))
}

fn text(path: &Path) -> Result<String, Failure> {
    read_text(path, MAX_FILE).map_err(|e| Failure::usage(e.to_string()))
}
