//! `open-token`: the login.

use super::Perform;
use crate::ceremony::conductor::Conductor;
use crate::failure::Failure;
use crate::plan::step::OpenToken;
use crate::record::{Event, TokenOpen};

impl Perform for OpenToken {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        conductor.room.show(&format!("  token  {}", conductor.token.line()));
        conductor.open = Some(conductor.log_in(self.pin)?);
        let token_serial = conductor.token.serial.clone();
        conductor.record(Event::TokenOpen(TokenOpen { token_serial }))
    }
}
