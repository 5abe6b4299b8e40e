//! `custody`: set a random PIN, and give each custodian a share of it.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{OnPaper, Rules};
use crate::plan::Roles;
use crate::policy::ProfileFile;
use crate::record::{self, Event, PinChange, Prompt, State, question};

/// Sets a random PIN, and gives each custodian a share of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custody {
    /// Number of shares that open the token, 2 to 9.
    pub threshold: usize,
    /// Number of shares, one per custodian.
    pub shares: usize,
}

impl Rules for Custody {
    fn needs(&self) -> &'static [&'static str] {
        &["open-token"]
    }

    fn check(&self, roles: &Roles, _: &ProfileFile) -> Result<(), String> {
        let Self { threshold, shares } = self;
        if !(2..=9).contains(threshold) || threshold > shares {
            return Err(format!(
                "threshold is {threshold} of {shares} shares, must be 2 to 9 and at most the number of shares"
            ));
        }
        if *shares > roles.custodian {
            return Err(format!(
                "{shares} shares require as many custodians, [people] has {}",
                roles.custodian
            ));
        }
        Ok(())
    }

    fn asks(&self) -> Option<&'static str> {
        Some("custody")
    }

    fn is_asked(&self, prompt: &Prompt, state: &State) -> bool {
        match (prompt, &state.pin) {
            (Prompt::Custody(new), Some(PinChange::HandedOut(set))) => {
                new.set == *set && new.shares == self.shares
            }
            _ => false,
        }
    }

    fn explanation(&self) -> &'static str {
        "Generates a new PIN. Each custodian, alone, sees one share, writes it down and types it back."
    }

    fn paper(&self) -> OnPaper {
        let paper = OnPaper::new(
            [
                "Each custodian, alone, writes the share down, types it back, and seals it".into(),
                question::custody(self.shares, "[set]"),
            ],
            ["One share at a time, to one custodian"],
            ["The number of each seal"],
        );
        let shares = format!("{} of {} open the token", self.threshold, self.shares);
        OnPaper { facts: vec![("Shares", shares)], ..paper }
    }

    fn allows(&self, event: &Event) -> Result<(), String> {
        let Event::Custody(record::Custody::HandedOut { threshold, shares, .. }) = event else {
            return super::not_asked(event);
        };
        let different: BTreeSet<&str> = shares.iter().map(|share| share.custodian.as_str()).collect();
        if *threshold == self.threshold && shares.len() == self.shares && different.len() == self.shares {
            Ok(())
        } else {
            Err(format!(
                "handed out {} shares, any {threshold} of which open the token, to {} people; the script requires {}, {} and {}",
                shares.len(),
                different.len(),
                self.shares,
                self.threshold,
                self.shares
            ))
        }
    }

    fn is_done(&self, state: &State, _: &[&Event]) -> Result<(), String> {
        match state.pin {
            Some(PinChange::Changed(_)) => Ok(()),
            _ => Err("the token did not receive the PIN of the last set of shares".into()),
        }
    }
}
