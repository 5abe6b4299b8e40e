//! `machine`: records facts about the machine and has its clock confirmed.

use super::Perform;
use crate::ceremony::checks::check_machine;
use crate::ceremony::conductor::Conductor;
use crate::failure::Failure;
use crate::media::shown;
use crate::plan::step::Machine;
use crate::record::{Clock, Event, Prompt};

impl Perform for Machine {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        let facts = conductor.environment.machine.clone();
        let now = conductor.now()?;
        conductor.record(Event::Machine(facts.clone()))?;
        let list =
            |items: &[String]| if items.is_empty() { "none".to_owned() } else { shown(&items.join(", ")) };
        conductor.room.show(&format!(
            "  kernel             {}\n  network up         {}\n  swap in use        {}\n  memory locked      {}\n  loader variables   {}\n  clock (UTC)        {now}",
            shown(&facts.kernel),
            list(&facts.network_up),
            list(&facts.swap),
            if facts.memory_locked { "yes" } else { "no" },
            list(&facts.loader_variables),
        ));
        let (rehearsal, module) = (conductor.ledger.is_rehearsal(), conductor.module.path().to_owned());
        let or = |_: &str| "and resume the ceremony".to_owned();
        let found = check_machine(self, rehearsal, &facts, &[module], &or);
        found.into_iter().next().map_or(Ok(()), Err)?;
        conductor.confirm(&Prompt::Clock(Clock { time: now.to_string() }))
    }
}
