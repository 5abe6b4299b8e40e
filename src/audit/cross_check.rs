//! Cross-checks all sources: one history without gaps and duplicates.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::RandomState;

use super::reading::{Reading, Sealed, approved};
use super::{Order, Section};
use crate::digest::Digest;
use crate::plan::Plan;
use crate::record::FIRST;
use crate::release::Head;

/// One transcript of any source.
#[derive(Debug)]
pub struct Chapter {
    pub source: String,
    /// Number of the ceremony, if it comes from a ledger.
    pub ceremony: Option<i64>,
    /// Whether it is part of a release, whose manifest is signed.
    pub released: bool,
    pub plan: Option<Digest>,
    pub previous: Digest,
    pub head: Digest,
    pub seal: Option<Sealed>,
}

impl Chapter {
    pub fn of(source: String, ceremony: Option<i64>, reading: Reading) -> Self {
        Self {
            source,
            ceremony,
            released: false,
            plan: reading.state.begin.map(|begin| begin.plan.sha256),
            previous: reading.previous.unwrap_or(FIRST),
            head: reading.head.unwrap_or(FIRST),
            seal: reading.seal,
        }
    }

    /// A transcript that is part of a release.
    pub fn of_release(source: String, reading: Reading) -> Self {
        Self { released: true, ..Self::of(source, None, reading) }
    }

    fn name(&self) -> String {
        match self.ceremony {
            Some(number) => format!("ceremony {number} of {}", self.source),
            None => self.source.clone(),
        }
    }
}

/// A release, on a medium or in a ledger.
#[derive(Clone, Debug)]
pub struct Told {
    pub source: String,
    pub in_ledger: bool,
    pub sequence: u64,
    pub manifest: Digest,
    pub previous: Option<Digest>,
    /// Its ledger, identified by the certificate of the first authority.
    pub lineage: Option<Digest>,
}

impl Told {
    pub fn of(source: String, in_ledger: bool, manifest: Digest, head: &Head) -> Self {
        Self {
            source,
            in_ledger,
            sequence: head.sequence,
            manifest,
            previous: head.previous_manifest_sha256,
            lineage: head.authorities.first().map(|authority| authority.sha256),
        }
    }
}

/// Data of all sources.
#[derive(Debug, Default)]
pub struct History {
    chapters: Vec<Chapter>,
    plans: Vec<Plan>,
    releases: Vec<Told>,
    serials: HashSet<u64>,
    hasher: RandomState,
    twice: usize,
}

impl History {
    /// Adds a transcript.
    pub fn tell(&mut self, chapter: Chapter) {
        self.chapters.push(chapter);
    }

    /// Adds a plan that a ledger keeps.
    #[cfg(feature = "token")]
    pub fn keep(&mut self, plan: Plan) {
        self.plans.push(plan);
    }

    /// Returns the plan of this transcript if a ledger keeps it.
    pub fn plan(&self, reading: &Reading) -> Option<&Plan> {
        approved(reading, &self.plans)
    }

    /// Adds a release, and returns whether its certificates are new.
    pub fn release(&mut self, told: Told) -> bool {
        let new = !self.releases.iter().any(|known| !known.in_ledger && known.manifest == told.manifest);
        self.releases.push(told);
        new
    }

    /// Returns the hasher of serial numbers.
    pub fn hasher(&self) -> RandomState {
        self.hasher.clone()
    }

    /// Adds the certificates of a medium: hashes of ledger, authority and serial number.
    pub fn serials(&mut self, serials: &[u64]) {
        // Two of a million collide once in ten million audits.
        self.twice += serials.iter().filter(|serial| !self.serials.insert(**serial)).count();
    }

    /// Returns the claims about all sources together.
    pub fn close(&self, order: &Order) -> Section {
        let mut section = Section::new("all together".to_owned());
        self.scripts(order, &mut section);
        self.transcripts(&mut section);
        let lineages: BTreeSet<Option<Digest>> = self.releases.iter().map(|told| told.lineage).collect();
        for lineage in lineages {
            self.sequence(lineage, &mut section);
        }
        if self.releases.iter().any(|told| !told.in_ledger) {
            let count = self.serials.len();
            section.compared(
                "AUDIT-SERIALS",
                match self.twice {
                    0 => Ok(format!("{count} certificates on the given releases, no serial number twice under one authority")),
                    twice => Err(format!(
                        "{twice} certificates on the given releases have a serial number that another one of the same authority has"
                    )),
                },
            );
        }
        section
    }

    /// Checks that each given script is the plan of a ceremony.
    fn scripts(&self, order: &Order, section: &mut Section) {
        for plan in &order.plans {
            let (name, digest) = (plan.name(), plan.digest());
            let ran = self.chapters.iter().find(|chapter| chapter.plan == Some(digest));
            section.compared(
                "AUDIT-SCRIPT",
                match ran {
                    Some(chapter) => Ok(format!("the given script {name} is the plan of {}: {digest}", chapter.name())),
                    None => Err(format!(
                        "the given script {name} has the plan digest {digest}, no ceremony here ran it; they ran {}",
                        self.plans()
                    )),
                },
            );
        }
    }

    fn plans(&self) -> String {
        let plans: BTreeSet<String> =
            self.chapters.iter().filter_map(|chapter| Some(chapter.plan?.to_string())).collect();
        if plans.is_empty() { "none".into() } else { plans.into_iter().collect::<Vec<_>>().join(", ") }
    }

    /// Checks that transcripts outside a ledger are in the given ledger, or else follow one another.
    fn transcripts(&self, section: &mut Section) {
        let (ledger, media): (Vec<_>, Vec<_>) =
            self.chapters.iter().partition(|chapter| chapter.ceremony.is_some());
        for chapter in media {
            if !chapter.released {
                self.signed(chapter, section);
            }
            let same = ledger.iter().find(|known| known.tells(chapter));
            if let Some(same) = same {
                section.compared(
                    "AUDIT-HISTORY",
                    Ok(format!("the transcript in {} is that of {}", chapter.source, same.name())),
                );
            } else if !ledger.is_empty() {
                section.compared(
                    "AUDIT-HISTORY",
                    Err(format!("the transcript in {} is in no ledger that was given", chapter.source)),
                );
            } else {
                self.before(chapter, section);
            }
        }
    }

    /// Checks whether a transcript given by itself is sealed by a given release.
    fn signed(&self, chapter: &Chapter, section: &mut Section) {
        match self.chapters.iter().find(|known| known.released && chapter.tells(known)) {
            Some(release) => section.compared(
                "AUDIT-SEAL",
                Ok(format!("the transcript in {} is the one that {} seals", chapter.source, release.source)),
            ),
            None => section.untold(
                "AUDIT-SEAL",
                format!(
                    "whether the transcript in {} is as it was written: no release here seals it; compare its head {} with the paper, or name its release",
                    chapter.source, chapter.head
                ),
            ),
        }
    }

    /// Checks what came before a transcript if no ledger was given.
    fn before(&self, chapter: &Chapter, section: &mut Section) {
        let name = chapter.name();
        if chapter.previous == FIRST {
            return section
                .compared("AUDIT-HISTORY", Ok(format!("{name}: the first transcript of its ledger")));
        }
        match self.chapters.iter().find(|before| before.head == chapter.previous) {
            Some(before) => section.compared(
                "AUDIT-HISTORY",
                Ok(format!("{name}: carries the head of {}, which came before it", before.name())),
            ),
            None => section.untold(
                "AUDIT-HISTORY",
                format!(
                    "{name}: carries {} as the head of the transcript before it, whose last record no source here has; name the ledger",
                    chapter.previous
                ),
            ),
        }
    }

    /// Checks the releases of one ledger: no gap in the numbers, each naming the previous manifest.
    fn sequence(&self, lineage: Option<Digest>, section: &mut Section) {
        let mut given: BTreeMap<u64, Vec<&Told>> = BTreeMap::new();
        let of = |told: &&Told| told.lineage == lineage;
        for told in self.releases.iter().filter(of).filter(|told| !told.in_ledger) {
            given.entry(told.sequence).or_default().push(told);
        }
        let ledger: BTreeMap<u64, &Told> = self
            .releases
            .iter()
            .filter(of)
            .filter(|told| told.in_ledger)
            .map(|told| (told.sequence, told))
            .collect();
        if given.is_empty() {
            return;
        }
        section.compared("AUDIT-SEQUENCE", linked(&given));
        if ledger.is_empty() {
            let first = given.keys().next().copied().unwrap_or_default();
            let last = given.keys().last().copied().unwrap_or_default();
            let before = if first > 1 { format!("before release {first} and ") } else { String::new() };
            section.untold(
                "AUDIT-SEQUENCE",
                format!("whether there are releases {before}after release {last}; name the ledger"),
            );
            return;
        }
        section.compared("AUDIT-SEQUENCE", known(&given, &ledger));
        let missing: Vec<String> =
            ledger.keys().filter(|number| !given.contains_key(number)).map(u64::to_string).collect();
        if !missing.is_empty() {
            section.untold(
                "AUDIT-SEQUENCE",
                format!(
                    "whether the media of the releases {} hold: the ledger has them, they were not given",
                    missing.join(", ")
                ),
            );
        }
    }
}

impl Chapter {
    /// Whether the other transcript is this one, or this one up to its seal.
    fn tells(&self, other: &Self) -> bool {
        let sealed = |seal: &Option<Sealed>| seal.as_ref().map(|seal| seal.file);
        self.head == other.head || (other.seal.is_some() && sealed(&self.seal) == sealed(&other.seal))
    }
}

fn linked(given: &BTreeMap<u64, Vec<&Told>>) -> Result<String, String> {
    let mut last: Option<&Told> = None;
    for (number, told) in given {
        let Some(one) = told.first() else { continue };
        if let Some(other) = told.iter().find(|other| other.manifest != one.manifest) {
            return Err(format!(
                "{} and {} are both release {number}, with the manifests {} and {}",
                one.source, other.source, one.manifest, other.manifest
            ));
        }
        if *number == 1 && one.previous.is_some() {
            return Err(format!("{}: is release 1 and names a release before it", one.source));
        }
        if let Some(last) = last {
            if *number != last.sequence + 1 {
                return Err(format!(
                    "release {} is missing between {} and {}; have it written again from the ledger: keyrite release again --ledger LEDGER --out RELEASE --sequence {}",
                    last.sequence + 1,
                    last.source,
                    one.source,
                    last.sequence + 1
                ));
            }
            if one.previous != Some(last.manifest) {
                return Err(format!(
                    "{}: names {} as the manifest before it, {} has {}",
                    one.source,
                    one.previous.map_or_else(|| "none".into(), |previous| previous.to_string()),
                    last.source,
                    last.manifest
                ));
            }
        }
        last = Some(one);
    }
    let numbers: Vec<String> = given.keys().map(u64::to_string).collect();
    Ok(format!("the given releases {} follow one another without a gap", numbers.join(", ")))
}

fn known(given: &BTreeMap<u64, Vec<&Told>>, ledger: &BTreeMap<u64, &Told>) -> Result<String, String> {
    for told in given.values().flatten() {
        match ledger.get(&told.sequence) {
            Some(row) if row.manifest == told.manifest => {}
            Some(row) => {
                return Err(format!(
                    "{}: is release {} with the manifest {}, the ledger has {}",
                    told.source, told.sequence, told.manifest, row.manifest
                ));
            }
            None => {
                return Err(format!(
                    "{}: is release {}, which the ledger does not have; it is an older copy, or was cut short",
                    told.source, told.sequence
                ));
            }
        }
    }
    Ok(format!("each of the {} given releases is in the ledger, with the same manifest", given.len()))
}
