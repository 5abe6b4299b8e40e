//! `create-manifest-key`.

use super::Perform;
use crate::ceremony::conductor::Conductor;
use crate::failure::Failure;
use crate::plan::step::{CreateManifestKey, Rules};

impl Perform for CreateManifestKey {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        self.key().map_or(Ok(()), |key| conductor.create(&key))
    }
}
