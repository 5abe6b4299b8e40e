//! `pause`: closes the token while people leave; when they are back, checks seals and transcript head.

use super::Perform;
use crate::ceremony::conductor::Conductor;
use crate::ceremony::room::{Answer, Question};
use crate::failure::Failure;
use crate::plan::Act;
use crate::plan::step::Pause;
use crate::record::{Compared, Event, Left, Prompt, question};

impl Perform for Pause {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        let left = self.numbers(conductor)?;
        let was_open = conductor.open.take().is_some();
        conductor.record(Event::Left(Left {}))?;
        conductor.write_down()?;
        let head = conductor.transcript.head();
        let title = question::title("head");
        conductor.room.show(&format!("  The token is closed. {title}, to be written down:\n    {head}"));
        if !conductor.room.unattended() {
            let text = "Leave the room together. When everybody is back, press Enter".to_owned();
            conductor.listen(&Question { text, wanted: Answer::Text })?;
        }
        conductor.sign_in()?;
        let back = self.numbers(conductor)?;
        if let Some((label, (left, back))) =
            self.seals.iter().zip(left.iter().zip(&back)).find(|(_, (left, back))| left != back)
        {
            return Err(Failure::fault(format!(
                "seal {label:?}: its number is {back}, it was {left} when you left; find out who was in the room before anything more is signed"
            )));
        }
        conductor.compare(head, |words| Prompt::Head(Compared { sha256: head, words }))?;
        if was_open {
            reopen(conductor)?;
        }
        Ok(())
    }
}

impl Pause {
    fn numbers(&self, conductor: &mut Conductor<'_>) -> Result<Vec<String>, Failure> {
        self.records().map(|record| record.stated(conductor)).collect()
    }
}

/// Logs in again as the script specifies, and checks the objects on the token.
fn reopen(conductor: &mut Conductor<'_>) -> Result<(), Failure> {
    let open = |act: &Act| match act {
        Act::OpenToken(open) => Some(open.clone()),
        _ => None,
    };
    let open = conductor.plan.script().step.iter().find_map(|step| open(&step.act));
    open.map_or(Ok(()), |open| open.perform(conductor))?;
    conductor.inventory_after()
}
