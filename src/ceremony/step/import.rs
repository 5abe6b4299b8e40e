//! `import`: shows what the bundles contain, which were read and judged at preflight, and has their digest
//! compared with the sender's.

use super::Perform;
use crate::ceremony::conductor::Conductor;
use crate::failure::Failure;
use crate::plan::step::Import;
use crate::record::{BundleFacts, Compared, Event, Import as Imported, Prompt, count};
use crate::request::IndexName;

impl Perform for Import {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        let requests = conductor.approved + conductor.refused;
        conductor.room.show(&format!("  {} imported", count(requests as u64, "request")));
        let (bundle_sha256, indexes) = (conductor.setup.bundle, conductor.setup.indexes.clone());
        for facts in &indexes {
            show(conductor, facts);
        }
        conductor.record(Event::Import(Imported { requests, bundle_sha256, indexes }))?;
        match bundle_sha256 {
            Some(sha256) => conductor.compare(sha256, |words| Prompt::Bundle(Compared { sha256, words })),
            None => Ok(()),
        }
    }
}

fn show(conductor: &mut Conductor<'_>, facts: &BundleFacts) {
    let name = |name: &Option<IndexName>| name.as_ref().map_or("none named", IndexName::as_str).to_owned();
    conductor.room.show(&format!(
        "  index   cluster {}, part {}, sequence {} of {}, SHA-256\n          {}",
        name(&facts.cluster),
        name(&facts.part),
        facts.sequence.number(),
        facts.created.0,
        facts.index_sha256
    ));
    if !facts.approvers.is_empty() {
        conductor.room.show(&format!("          approved by {}", facts.approvers.join(", ")));
    }
}
