//! Assigns authorities to CA files, and determines the intermediates of a leaf.
//!
//! The chain of a leaf leads from its issuer to the first authority with a CA file, its anchor. The
//! intermediates follow the leaf in its file.

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::Failure;
use crate::issuance::Certificate;
use crate::media::shown;
use crate::release::{AuthorityEntry, Report};

/// The CA files of kubeadm's layout.
const KUBEADM: [(&str, &str); 3] =
    [("kubernetes-ca", "ca.crt"), ("etcd-ca", "etcd/ca.crt"), ("front-proxy-ca", "front-proxy-ca.crt")];
/// CA file of the cluster.
const CLUSTER: &str = "ca.crt";
/// CA file of the front proxy.
pub const FRONT_PROXY: &str = "front-proxy-ca.crt";

/// The authorities of a release and their CA files.
#[derive(Debug)]
pub struct Trust<'a> {
    authorities: &'a [(AuthorityEntry, Certificate)],
    /// Authorities outside the token, by the paths of their certificates.
    delegated: BTreeMap<&'a str, &'a Certificate>,
    /// Names and paths, those named by the operator first.
    places: Vec<(String, String)>,
    explicit: usize,
}

/// Chain from a leaf to its anchor.
#[derive(Debug)]
pub struct Chain<'a> {
    pub anchor: &'a str,
    pub intermediates: Vec<&'a Certificate>,
}

impl<'a> Trust<'a> {
    /// Assigns the authorities of these issuers to CA files.
    pub fn new(
        report: &'a Report,
        explicit: &[(String, String)],
        issuers: &BTreeSet<&str>,
    ) -> Result<Self, Failure> {
        let mut places = explicit.to_vec();
        let taken = |path: &str| explicit.iter().any(|(_, named)| named == path);
        let default = KUBEADM.iter().filter(|(_, path)| !taken(path));
        places.extend(default.map(|(name, path)| ((*name).to_owned(), (*path).to_owned())));
        let delegated = report.kept.iter().filter(|(entry, _)| entry.delegated);
        let delegated = delegated.map(|(entry, certificate)| (entry.path.as_str(), certificate)).collect();
        let authorities = &report.authorities;
        let mut trust = Self { authorities, delegated, places, explicit: explicit.len() };
        for (name, path) in explicit {
            trust
                .certificate(name)
                .map_err(|e| e.map(|why| format!("--ca {}={}: {why}", shown(name), shown(path))))?;
        }
        trust.only_root(issuers)?;
        Ok(trust)
    }

    /// Uses only kubeadm's CA files; everything else has its root as the anchor.
    pub fn of_roots(authorities: &'a [(AuthorityEntry, Certificate)]) -> Self {
        let places = KUBEADM.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned()));
        Self { authorities, delegated: BTreeMap::new(), places: places.collect(), explicit: 0 }
    }

    /// If exactly one root has no CA file, it is the cluster's CA.
    fn only_root(&mut self, issuers: &BTreeSet<&str>) -> Result<(), Failure> {
        let mut roots = BTreeSet::new();
        let mut anchors = BTreeSet::new();
        for issuer in issuers {
            let (anchor, _) = self.climb(issuer)?;
            match self.places.iter().any(|(name, _)| name == anchor) {
                true => anchors.insert(anchor.to_owned()),
                false => roots.insert(anchor.to_owned()),
            };
        }
        let free = !self.places.iter().any(|(name, path)| path == CLUSTER && anchors.contains(name))
            && !self.places.iter().take(self.explicit).any(|(_, path)| path == CLUSTER);
        let mut left = roots.iter();
        match (left.next(), left.next()) {
            (None, _) => Ok(()),
            (Some(root), None) if free => {
                self.places.push((root.clone(), CLUSTER.to_owned()));
                Ok(())
            }
            (Some(root), _) => Err(Failure::refused(format!(
                "authority {root}: has no CA file; name one with --ca {root}=FILE, for example --ca {root}={CLUSTER}"
            ))),
        }
    }

    fn entry(&self, name: &str) -> Result<&'a (AuthorityEntry, Certificate), Failure> {
        let found = self.authorities.iter().find(|(entry, _)| entry.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.authorities.iter().map(|(entry, _)| entry.name.as_str()).collect();
            Failure::refused(format!(
                "the release has no authority {}; it has {}",
                shown(name),
                names.join(", ")
            ))
        })
    }

    /// Returns the first authority with a CA file, or else the root, and the certificates below it.
    fn climb(&self, issuer: &str) -> Result<(&'a str, Vec<&'a Certificate>), Failure> {
        let mut below = Vec::new();
        let (mut entry, mut certificate) = self.entry(issuer).map(|(e, c)| (e, c))?;
        // A release with circular issuers does not verify; the bound ensures termination anyway.
        for _ in 0..=self.authorities.len() {
            let has_file = self.places.iter().any(|(name, _)| *name == entry.name);
            if has_file || entry.issuer == entry.name {
                break;
            }
            below.push(certificate);
            (entry, certificate) = self.entry(&entry.issuer).map(|(e, c)| (e, c))?;
        }
        Ok((&entry.name, below))
    }

    /// Returns the anchor of an issuer's leaves, and the intermediates between them.
    pub fn chain(&self, issuer: &str) -> Result<Chain<'a>, Failure> {
        let (anchor, intermediates) = self.climb(issuer)?;
        Ok(Chain { anchor, intermediates })
    }

    /// Returns the CA files of an authority.
    pub fn files_of(&self, anchor: &str) -> impl Iterator<Item = &str> {
        self.places.iter().filter(move |(name, _)| name == anchor).map(|(_, path)| path.as_str())
    }

    /// Returns the authorities of this release that use a CA file.
    pub fn authorities_of(&self, file: &str) -> Vec<&str> {
        let of_file = self.places.iter().filter(|(_, path)| path == file).map(|(name, _)| name.as_str());
        of_file.filter(|name| self.certificate(name).is_ok()).collect()
    }

    /// Returns the authorities named by the operator, with their CA files.
    pub fn explicit(&self) -> impl Iterator<Item = (&str, &str)> {
        self.places.iter().take(self.explicit).map(|(name, path)| (name.as_str(), path.as_str()))
    }

    /// Returns an authority's certificate; one outside the token is named by its certificate's
    /// path.
    pub fn certificate(&self, name: &str) -> Result<&'a Certificate, Failure> {
        match self.delegated.get(name) {
            Some(certificate) => Ok(certificate),
            None => self.entry(name).map(|(_, certificate)| certificate),
        }
    }
}
