//! The plan: a script and every file it names, with one digest over all of them.
//!
//! In: TOML files. Out: a [`Plan`] whose steps are in an order that can be performed, with people, profiles
//! and keys that go together as far as the files alone say. Each act of a script has a file in `step`.

mod roles;
mod script;
mod setup;
pub mod step;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use roles::{Count, Seats};
pub use script::Script;
pub use setup::Setup;
pub use step::{Act, KeySpec, KeyUse, Step};

use crate::digest::Digest;
use crate::failure::Failure;
use crate::media::{RelativePath, read_file};
use crate::policy::ProfileFile;
use crate::record::{FileFacts, PlanFacts};

/// The largest script or file of profiles, in octets.
pub const MAX_FILE: usize = 16 << 20;

/// A script and the files it names, as they were read.
#[derive(Clone, Debug)]
pub struct Plan {
    files: PlanFiles,
    script: Script,
    profiles: ProfileFile,
}

/// The texts of a plan: the script first, then the files in the order in which it names them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanFiles(Vec<(RelativePath, String)>);

impl PlanFiles {
    /// Each file's path and text.
    pub fn texts(&self) -> impl Iterator<Item = (&RelativePath, &str)> {
        self.0.iter().map(|(path, text)| (path, text.as_str()))
    }

    /// The script's file name.
    pub fn name(&self) -> &str {
        self.0.first().map(|(path, _)| path.as_str()).unwrap_or_default()
    }

    /// Each file with its digest.
    pub fn listing(&self) -> Vec<(&str, Digest)> {
        self.0.iter().map(|(path, text)| (path.as_str(), Digest::of(text.as_bytes()))).collect()
    }

    /// As [`Plan::digest`], whatever stands in the files.
    pub fn digest(&self) -> Digest {
        Digest::of_listing(self.listing())
    }
}

impl Plan {
    /// Reads and checks a script with its files.
    ///
    /// # Errors
    /// [`Failure::usage`] names the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut files = vec![(portable(name)?, text(path)?)];
        let script = Script::parse(&files.first().map(|(_, text)| text.clone()).unwrap_or_default())
            .map_err(|e| Failure::usage(format!("{name}: {e}")))?;
        for named in &script.profiles {
            let relative = portable(named)?;
            if files.iter().any(|(path, _)| *path == relative) {
                return Err(Failure::usage(format!("{name}: profiles names {named} twice")));
            }
            let text = text(&folder.join(relative.as_str()))?;
            files.push((relative, text));
        }
        Self::from_files(PlanFiles(files))
    }

    /// The plan of files that were read before.
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
                        "{path}: certificate profile {profile} is in another file too"
                    )));
                }
            }
        }
        let placed = |e: Failure| format!("{name}: {}", e.to_string().replace('\n', &format!("\n{name}: ")));
        script.check(&profiles).map_err(|e| Failure::usage(placed(e)))?;
        Ok(Self { files, script, profiles })
    }

    /// The script.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// The certificate profiles.
    pub fn profiles(&self) -> &ProfileFile {
        &self.profiles
    }

    /// The texts.
    pub fn files(&self) -> &PlanFiles {
        &self.files
    }

    /// The script's file name.
    pub fn name(&self) -> &str {
        self.files.name()
    }

    /// Each file with its digest.
    pub fn listing(&self) -> Vec<(&str, Digest)> {
        self.files.listing()
    }

    /// What the record says of it.
    pub fn facts(&self) -> PlanFacts {
        let file = |(path, text): (&RelativePath, &str)| FileFacts {
            path: path.clone(),
            sha256: Digest::of(text.as_bytes()),
        };
        PlanFacts { sha256: self.digest(), files: self.files.texts().map(file).collect() }
    }

    /// The plan digest: what `sha256sum SCRIPT FILE... | sha256sum` prints in the script's folder.
    pub fn digest(&self) -> Digest {
        self.files.digest()
    }
}

fn portable(name: &str) -> Result<RelativePath, Failure> {
    RelativePath::new(name).map_err(|e| Failure::usage(e.to_string()))
}

fn text(path: &Path) -> Result<String, Failure> {
    let octets = read_file(path, MAX_FILE).map_err(|e| Failure::usage(e.to_string()))?;
    String::from_utf8(octets).map_err(|_| Failure::usage(format!("{}: not valid UTF-8", path.display())))
}
