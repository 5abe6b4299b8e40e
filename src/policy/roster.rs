//! The roster: which request may become which certificate under which authority.

use ipnet::IpNet;
use serde::Deserialize;

use super::pattern;

/// One line of a script's roster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterLine {
    /// Pattern of the request's path in the bundle.
    pub path: String,
    /// Name of the certificate profile.
    pub profile: String,
    /// Name of the authority that issues.
    pub authority: String,
    /// Subject attributes, each matched by exactly one of the request's: `CN=system:node:*`.
    #[serde(default)]
    pub subject: Vec<String>,
    /// Subject attributes that the request may have besides.
    #[serde(default)]
    pub subject_optional: Vec<String>,
    /// Patterns of DNS names.
    #[serde(default)]
    pub dns: Vec<String>,
    /// Networks of IP addresses.
    #[serde(default)]
    pub ip: Vec<IpNet>,
    /// Wildcard DNS names that may be issued, spelled out: `*.apps.example`.
    #[serde(default)]
    pub wildcards: Vec<String>,
    /// Validity in days, when shorter than the profile's.
    pub days: Option<u32>,
    /// Whether a key that was certified before may be certified again.
    #[serde(default)]
    pub reuse_key: bool,
}

impl RosterLine {
    /// What the stars of the path pattern matched, or none.
    pub fn captures<'t>(&self, path: &'t str) -> Option<Vec<&'t str>> {
        pattern::capture(&self.path, path, pattern::in_path)
    }
}
