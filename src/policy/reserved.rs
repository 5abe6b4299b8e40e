//! Names reserved for certain certificate profiles, whatever a roster line allows.

use ipnet::IpNet;
use serde::Deserialize;

use super::{Error, ProfileFile, pattern};
use crate::media::shown;
use crate::request::{Control, Requested, Violation};

/// Names and addresses, and the certificate profiles that may have them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reserved {
    /// Names of the certificate profiles.
    pub profiles: Vec<String>,
    /// Patterns of DNS names.
    #[serde(default)]
    pub dns: Vec<String>,
    /// Networks of IP addresses.
    #[serde(default)]
    pub ip: Vec<IpNet>,
}

impl Reserved {
    /// Checks that the profiles exist and that something is reserved.
    ///
    /// # Errors
    /// [`Error`] names the profile or what is missing.
    pub fn check(&self, profiles: &ProfileFile) -> Result<(), Error> {
        if self.dns.is_empty() && self.ip.is_empty() {
            return Err(Error("reserved: neither dns nor ip is given".to_owned()));
        }
        match self.profiles.iter().find(|name| !profiles.contains_key(*name)) {
            None => Ok(()),
            Some(name) => Err(Error(format!(
                "reserved: certificate profile {name:?} is not in any file that the script names"
            ))),
        }
    }

    /// Returns a violation for each name that a request under another profile asks for.
    pub(super) fn violations(&self, asked: &Requested, profile: &str) -> Vec<Violation> {
        if self.profiles.iter().any(|name| name == profile) {
            return Vec::new();
        }
        let dns = asked.dns.iter().filter(|name| self.covers(name)).map(|name| shown(name));
        let ip = asked.ip.iter().filter(|ip| self.ip.iter().any(|network| network.contains(*ip)));
        dns.chain(ip.map(ToString::to_string))
            .map(|name| {
                let only = match self.profiles.as_slice() {
                    [] => "no certificate profile may have it".to_owned(),
                    some => format!("only {} may have it", some.join(", ")),
                };
                let what = format!("{name} is reserved: {only}, and this request is for {profile}");
                Violation::new(Control::NameReserved, what)
            })
            .collect()
    }

    /// Whether a DNS name is reserved, or is a wildcard that covers a reserved one.
    fn covers(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.dns.iter().map(|pattern| pattern.to_ascii_lowercase()).any(|pattern| {
            let parent = pattern.split_once('.').map(|(_, parent)| parent);
            pattern::matches(&pattern, None, &name, pattern::in_label)
                || name.strip_prefix("*.").is_some_and(|of| Some(of) == parent)
        })
    }
}
