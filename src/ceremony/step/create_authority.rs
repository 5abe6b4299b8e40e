//! `create-authority`.

use super::Perform;
use crate::ceremony::conductor::Conductor;
use crate::failure::Failure;
use crate::plan::step::{CreateAuthority, Rules};

impl Perform for CreateAuthority {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        self.key().map_or(Ok(()), |key| conductor.create(&key))
    }
}
