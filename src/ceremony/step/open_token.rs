//! `open-token`: the login.

use super::Perform;
use crate::ceremony::conductor::Conductor;
use crate::failure::Failure;
use crate::plan::step::OpenToken;
use crate::record::{Event, TokenOpen};

impl Perform for OpenToken {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        conductor.people.show(&format!("  token  {}", conductor.token.line()));
        let (session, pin) = conductor.log_in(self.pin)?;
        conductor.session = Some(session);
        // Kept only for a step that changes it.
        conductor.old_pin = pin.filter(|_| conductor.plan.script().has("custody"));
        let token_serial = conductor.token.serial.clone();
        conductor.record(Event::TokenOpen(TokenOpen { token_serial }))
    }
}
