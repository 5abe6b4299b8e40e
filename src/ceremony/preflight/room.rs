//! Checks that those in the room can answer what the plan asks, and which answers a file may give.

use crate::ceremony::{Room, Wanted};
use crate::failure::Failure;
use crate::plan::Plan;

/// Checks that the room can answer what this plan asks from `next_step` on; performed at the beginning
/// and at each resumption.
pub fn check_room(plan: &Plan, rehearsal: bool, next_step: usize, room: &dyn Room) -> Result<(), Failure> {
    let script = plan.script();
    let wrong = |message: &str| Err(Failure::usage(format!("{}: {message}", plan.name())));
    if script.has("custody") && room.unattended() && !rehearsal {
        return wrong(
            "the script hands out shares, but the answers come from a file; run it at a terminal with the custodians, or with --rehearsal",
        );
    }
    let to_come = script.step.iter().skip(next_step).any(|step| step.act.name() == "custody");
    if to_come && !room.can_hand_out() {
        return wrong(
            "the script hands out shares; in a rehearsal, name a new file for them with --new-share-file",
        );
    }
    let wanted = Wanted {
        prompts: script.prompts(),
        roles: &script.people,
        labels: script.step.iter().skip(next_step).flat_map(|step| step.act.rules().labels()).collect(),
    };
    room.lacks(&wanted).map_or(Ok(()), |lack| wrong(&lack))
}
