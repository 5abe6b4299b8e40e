//! Abandons an unfinished ceremony that has created nothing.

use super::Environment;
use super::checks::{check_clock, check_ledger};
use super::transcript::Transcript;
use crate::failure::Failure;
use crate::ledger::{Ledger, resume_command};
use crate::record::{Abandoned, Event, Person, Role};

/// Closes the ledger's unfinished ceremony and returns its number.
///
/// # Errors
/// [`Failure::usage`] when there is none or it has created something.
pub fn abandon(
    ledger: &mut Ledger,
    by: &str,
    reason: &str,
    environment: &Environment<'_>,
) -> Result<i64, Failure> {
    let now = (environment.now)();
    let open = ledger
        .open_ceremony()?
        .ok_or_else(|| Failure::usage(format!("{}: no unfinished ceremony", ledger.folder().display())))?;
    Person::new(Role::Operator, by).map_err(Failure::usage)?;
    if reason.trim().is_empty() || reason.chars().count() > 1000 || reason.chars().any(char::is_control) {
        return Err(Failure::usage("the reason must be 1 to 1000 characters on one line"));
    }
    check_clock(ledger, now)?;
    check_ledger(ledger, environment.processors)?;
    let mut transcript = Transcript::open(ledger, open.id)?;
    let made = transcript.state().made();
    if !made.is_empty() {
        return Err(Failure::usage(format!(
            "ceremony {}: it has already created something ({}), so it can only be resumed:\n  {}",
            open.id,
            made.join(", "),
            resume_command(ledger.folder())
        )));
    }
    let abandoned = Abandoned { reason: reason.to_owned(), by: Some(by.to_owned()) };
    transcript.note(now, Event::Abandoned(abandoned))?;
    ledger.finish(open.id, transcript.pending())?;
    Ok(open.id)
}
