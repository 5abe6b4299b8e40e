//! `machine`: records facts about the machine and has its clock confirmed.

use super::Perform;
use crate::ceremony::conductor::Conductor;
use crate::failure::Failure;
use crate::media::shown;
use crate::plan::step::{Machine, NetworkRule};
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
        let refused = self.network == NetworkRule::Refuse && !facts.network_up.is_empty();
        if refused && !conductor.ledger.is_rehearsal() {
            return Err(Failure::fault(format!(
                "network interface {} is up and the script refuses that; take it down, or set network = \"report\" in the script's step machine",
                list(&facts.network_up)
            )));
        }
        conductor.confirm(&Prompt::Clock(Clock { time: now.to_string() }))
    }
}
