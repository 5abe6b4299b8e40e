//! `machine`: show the state of the machine and confirm the clock.

use serde::Deserialize;

use super::{OnPaper, Rules};
use crate::record::{Prompt, State, question};

/// Shows the state of the machine and confirms the clock.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The treatment of a network interface that is up.
    #[serde(default)]
    pub network: MachineRule,
    /// The treatment of what could see the PIN: loader variables, and modules that log or pass on calls.
    #[serde(default)]
    pub observers: MachineRule,
}

/// The treatment of something that a machine should not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineRule {
    /// Prevents the ceremony from starting; a rehearsal only reports it.
    #[default]
    Refuse,
    /// Only records it.
    Report,
}

impl Rules for Machine {
    fn is_performed_again(&self) -> bool {
        true
    }

    fn asks(&self) -> Option<&'static str> {
        Some("clock")
    }

    fn is_asked(&self, prompt: &Prompt, state: &State) -> bool {
        matches!(prompt, Prompt::Clock(clock) if state.step_began <= clock.time && clock.time <= state.time)
    }

    fn explanation(&self) -> &'static str {
        "Shows the machine's state. Compare the clock with another clock and type the date."
    }

    fn paper(&self) -> OnPaper {
        OnPaper::new(
            ["Check that no network cable is connected and no radio is on".into(), question::clock("[time]")],
            ["Kernel, network interfaces that are up, swap, locked memory, loader variables, the clock"],
            ["Date and time in UTC"],
        )
    }
}
