//! Cross-checks all sources: one history without gaps and duplicates.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::RandomState;

use super::reading::{Reading, approved};
use super::{Order, Section};
use crate::digest::Digest;
use crate::plan::Plan;
use crate::record::{FIRST, count};
use crate::release::Head;

/// One transcript of any source.
#[derive(Debug)]
pub struct TranscriptSource {
    pub source: String,
    /// Number of the ceremony, if it comes from a ledger.
    pub ceremony: Option<i64>,
    /// Whether it is part of a release, whose manifest is signed.
    pub released: bool,
    pub plan: Option<Digest>,
    pub previous: Digest,
    pub head: Digest,
    /// Digests of its lines, each of which covers the lines before.
    heads: Vec<Digest>,
}

impl TranscriptSource {
    pub fn of(source: String, ceremony: Option<i64>, reading: Reading) -> Self {
        Self {
            source,
            ceremony,
            released: false,
            plan: reading.state.begin.map(|begin| begin.plan.sha256),
            previous: reading.previous.unwrap_or(FIRST),
            head: reading.head.unwrap_or(FIRST),
            heads: reading.heads,
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
pub struct ReleaseSource {
    pub source: String,
    pub in_ledger: bool,
    pub sequence: u64,
    pub manifest: Digest,
    pub previous: Option<Digest>,
    /// Its ledger, identified by the certificate of the first authority.
    pub lineage: Option<Digest>,
}

impl ReleaseSource {
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
pub struct CrossCheck {
    transcripts: Vec<TranscriptSource>,
    plans: Vec<Plan>,
    releases: Vec<ReleaseSource>,
    serials: HashSet<u64>,
    hasher: RandomState,
    duplicates: usize,
}

impl CrossCheck {
    /// Adds a transcript.
    pub fn add_transcript(&mut self, transcript: TranscriptSource) {
        self.transcripts.push(transcript);
    }

    /// Adds a plan that a ledger keeps.
    #[cfg(feature = "token")]
    pub fn add_plan(&mut self, plan: Plan) {
        self.plans.push(plan);
    }

    /// Returns the plan of this transcript if a ledger keeps it.
    pub fn plan(&self, reading: &Reading) -> Option<&Plan> {
        approved(reading, &self.plans)
    }

    /// Adds a release, and returns whether its certificates are new.
    pub fn add_release(&mut self, release: ReleaseSource) -> bool {
        let new = !self.releases.iter().any(|known| !known.in_ledger && known.manifest == release.manifest);
        self.releases.push(release);
        new
    }

    /// Returns the hasher of serial numbers.
    pub fn hasher(&self) -> RandomState {
        self.hasher.clone()
    }

    /// Adds the certificates of a medium: hashes of ledger, authority and serial number.
    pub fn add_serials(&mut self, serials: &[u64]) {
        // Two of a million collide once in ten million audits.
        self.duplicates += serials.iter().filter(|serial| !self.serials.insert(**serial)).count();
    }

    /// Returns the claims about all sources together.
    pub fn close(&self, order: &Order) -> Section {
        let mut section = Section::new("all together".to_owned());
        self.scripts(order, &mut section);
        self.transcripts(&mut section);
        let lineages: BTreeSet<Option<Digest>> =
            self.releases.iter().map(|release| release.lineage).collect();
        for lineage in lineages {
            self.sequence(lineage, &mut section);
        }
        if self.releases.iter().any(|release| !release.in_ledger) {
            let count = self.serials.len();
            section.compared(
                "AUDIT-SERIALS",
                match self.duplicates {
                    0 => Ok(format!("{count} certificates on the given releases, no duplicate serial number under one authority")),
                    twice => Err(format!(
                        "{twice} certificates on the given releases have a duplicate serial number under the same authority"
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
            let ran = self.transcripts.iter().find(|transcript| transcript.plan == Some(digest));
            section.compared(
                "AUDIT-SCRIPT",
                match ran {
                    Some(transcript) => Ok(format!("the given script {name} is the plan of {}: {digest}", transcript.name())),
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
            self.transcripts.iter().filter_map(|transcript| Some(transcript.plan?.to_string())).collect();
        if plans.is_empty() { "none".into() } else { plans.into_iter().collect::<Vec<_>>().join(", ") }
    }

    /// Checks that transcripts outside a ledger are in the given ledger, or else follow one another.
    fn transcripts(&self, section: &mut Section) {
        let (ledger, media): (Vec<_>, Vec<_>) =
            self.transcripts.iter().partition(|transcript| transcript.ceremony.is_some());
        for transcript in media {
            if !transcript.released {
                self.signed(transcript, section);
            }
            let same = ledger.iter().find(|known| known.begins_with(transcript));
            if let Some(same) = same {
                section.compared(
                    "AUDIT-HISTORY",
                    Ok(format!("the transcript in {} is that of {}", transcript.source, same.name())),
                );
            } else if !ledger.is_empty() {
                section.compared(
                    "AUDIT-HISTORY",
                    Err(format!("the transcript in {} is not in any given ledger", transcript.source)),
                );
            } else {
                self.before(transcript, section);
            }
        }
    }

    /// Checks whether a transcript given by itself is sealed by a given release.
    fn signed(&self, transcript: &TranscriptSource, section: &mut Section) {
        let sealing = |known: &&TranscriptSource| {
            known.released && (transcript.begins_with(known) || known.begins_with(transcript))
        };
        match self.transcripts.iter().find(sealing) {
            Some(release) => {
                let (source, more) = (&release.source, transcript.heads.len().saturating_sub(release.heads.len()));
                let more = match more {
                    0 => String::new(),
                    more => format!("; the {} after its seal are not signed", count(more as u64, "record")),
                };
                section.compared(
                    "AUDIT-SEAL",
                    Ok(format!("the transcript in {} is the one that {source} seals{more}", transcript.source)),
                );
            }
            None => section.unknown(
                "AUDIT-SEAL",
                format!(
                    "whether the transcript in {} was modified: no given release seals it; compare its head {} with the paper, or name its release",
                    transcript.source, transcript.head
                ),
            ),
        }
    }

    /// Checks what came before a transcript if no ledger was given.
    fn before(&self, transcript: &TranscriptSource, section: &mut Section) {
        let name = transcript.name();
        if transcript.previous == FIRST {
            return section
                .compared("AUDIT-HISTORY", Ok(format!("{name}: the first transcript of its ledger")));
        }
        match self.transcripts.iter().find(|before| before.head == transcript.previous) {
            Some(before) => section.compared(
                "AUDIT-HISTORY",
                Ok(format!("{name}: carries the head of {}, which came before it", before.name())),
            ),
            None => section.unknown(
                "AUDIT-HISTORY",
                format!(
                    "{name}: states {} as the head of the previous transcript, which no given source has; name the ledger",
                    transcript.previous
                ),
            ),
        }
    }

    /// Checks the releases of one ledger: no gap in the numbers, each naming the previous manifest.
    fn sequence(&self, lineage: Option<Digest>, section: &mut Section) {
        let mut given: BTreeMap<u64, Vec<&ReleaseSource>> = BTreeMap::new();
        let of = |release: &&ReleaseSource| release.lineage == lineage;
        for release in self.releases.iter().filter(of).filter(|release| !release.in_ledger) {
            given.entry(release.sequence).or_default().push(release);
        }
        let ledger: BTreeMap<u64, &ReleaseSource> = self
            .releases
            .iter()
            .filter(of)
            .filter(|release| release.in_ledger)
            .map(|release| (release.sequence, release))
            .collect();
        if given.is_empty() {
            return;
        }
        section.compared("AUDIT-SEQUENCE", linked(&given));
        if ledger.is_empty() {
            let first = given.keys().next().copied().unwrap_or_default();
            let last = given.keys().last().copied().unwrap_or_default();
            let before = if first > 1 { format!("before release {first} and ") } else { String::new() };
            section.unknown(
                "AUDIT-SEQUENCE",
                format!("whether there are releases {before}after release {last}; name the ledger"),
            );
            return;
        }
        section.compared("AUDIT-SEQUENCE", in_ledger(&given, &ledger));
        let missing: Vec<String> =
            ledger.keys().filter(|number| !given.contains_key(number)).map(u64::to_string).collect();
        if !missing.is_empty() {
            section.unknown(
                "AUDIT-SEQUENCE",
                format!(
                    "whether the media of the releases {} are intact: the ledger has them, they were not given",
                    missing.join(", ")
                ),
            );
        }
    }
}

impl TranscriptSource {
    /// Whether the other transcript is this one, or a part of it from the first record.
    fn begins_with(&self, other: &Self) -> bool {
        self.head == other.head || self.heads.contains(&other.head)
    }
}

fn linked(given: &BTreeMap<u64, Vec<&ReleaseSource>>) -> Result<String, String> {
    let mut last: Option<&ReleaseSource> = None;
    for (number, release) in given {
        let Some(one) = release.first() else { continue };
        if let Some(other) = release.iter().find(|other| other.manifest != one.manifest) {
            return Err(format!(
                "{} and {} are both release {number}, with the manifests {} and {}",
                one.source, other.source, one.manifest, other.manifest
            ));
        }
        if *number == 1 && one.previous.is_some() {
            return Err(format!("{}: is release 1 and names a previous release", one.source));
        }
        if let Some(last) = last {
            if *number != last.sequence + 1 {
                return Err(format!(
                    "release {} is missing between {} and {}; write it again from the ledger: keyrite release again --ledger LEDGER --out RELEASE --sequence {}",
                    last.sequence + 1,
                    last.source,
                    one.source,
                    last.sequence + 1
                ));
            }
            if one.previous != Some(last.manifest) {
                return Err(format!(
                    "{}: names {} as the previous manifest, {} has {}",
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

fn in_ledger(
    given: &BTreeMap<u64, Vec<&ReleaseSource>>,
    ledger: &BTreeMap<u64, &ReleaseSource>,
) -> Result<String, String> {
    for release in given.values().flatten() {
        match ledger.get(&release.sequence) {
            Some(row) if row.manifest == release.manifest => {}
            Some(row) => {
                return Err(format!(
                    "{}: is release {} with the manifest {}, the ledger has {}",
                    release.source, release.sequence, release.manifest, row.manifest
                ));
            }
            None => {
                return Err(format!(
                    "{}: is release {}, which the ledger does not have; it is an older copy, or was truncated",
                    release.source, release.sequence
                ));
            }
        }
    }
    Ok(format!("each of the {} given releases is in the ledger, with the same manifest", given.len()))
}
