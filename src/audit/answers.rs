//! Checks what people typed: the answer to each prompt, by the number of people of each role that the
//! script requires; the values of each step `record`; and the shares that custodians received.

use std::collections::BTreeMap;

use super::key_events::KeyEvents;
use super::reading::Reading;
use crate::plan::step::not_asked;
use crate::plan::{Count, Plan, Step};
use crate::record::{Confirmed, Custody, Event, Person, Prompt, Record, Role, State};

/// Checks that every prompt was confirmed by people who had signed in, and by as many of each role as
/// the script requires: the plan digest at the beginning and after each interruption, and the prompt of
/// each step.
pub fn confirmed(reading: &Reading, plan: &Plan) -> Result<String, String> {
    let mut check = Check {
        plan,
        state: State::default(),
        agreed: Vec::new(),
        answered: BTreeMap::new(),
        events: BTreeMap::new(),
        keys: KeyEvents::default(),
        count: 0,
        waits: false,
    };
    reading.acts.iter().try_for_each(|record| check.take(record))?;
    check.close()
}

/// Checks the records one by one.
struct Check<'s> {
    plan: &'s Plan,
    state: State,
    /// People who confirmed the plan since the last interruption.
    agreed: Vec<Person>,
    /// People who answered, by step and prompt.
    answered: BTreeMap<(usize, &'s str), Vec<Person>>,
    /// Events by step.
    events: BTreeMap<usize, Vec<&'s Event>>,
    keys: KeyEvents<'s>,
    /// Number of confirmations.
    count: usize,
    /// Whether the plan is yet to be confirmed.
    waits: bool,
}

impl<'s> Check<'s> {
    fn take(&mut self, record: &'s Record) -> Result<(), String> {
        // AUDIT-CHAIN reports a record that does not follow.
        let _ = self.state.apply(record);
        let number = self.state.step;
        self.events.entry(number).or_default().push(&record.event);
        match &record.event {
            Event::Begin(_) | Event::Resume(_) => {
                self.agreed.clear();
                self.keys.start_run();
                self.waits = true;
            }
            Event::Step(_) if std::mem::take(&mut self.waits) => {
                enough(&self.agreed, &self.plan.script().people.confirm).map_err(|few| {
                    format!("step {number} began before the plan digest was confirmed: {few}")
                })?;
            }
            Event::Confirmed(said) => self.confirmation(said)?,
            Event::Mistyped(one) => drop(self.person(one.role, &one.by, "gave a wrong answer")?),
            Event::Statement(found) => {
                self.person(found.role, &found.by, "stated something")?;
                self.allowed(&record.event)?;
            }
            Event::Custody(Custody::HandedOut { shares, .. }) => {
                self.allowed(&record.event)?;
                for share in shares {
                    self.person(Role::Custodian, &share.custodian, "received a share")?;
                }
            }
            event => self.key(event)?,
        }
        Ok(())
    }

    /// Returns the current step of the script.
    fn scripted(&self) -> Option<&'s Step> {
        self.plan.script().step(self.state.step)
    }

    /// Checks that the current step may have this event.
    fn allowed(&self, event: &Event) -> Result<(), String> {
        let allowed = self.scripted().map_or_else(|| not_asked(event), |step| step.act.rules().allows(event));
        allowed.map_err(|wrong| format!("step {} {wrong}", self.state.step))
    }

    /// Returns the person of this role and name, who must have signed in.
    fn person(&self, role: Role, name: &str, what: &str) -> Result<Person, String> {
        let person = Person::new(role, name)?;
        if self.state.present.iter().any(|other| other.is(&person) && other.role == role) {
            Ok(person)
        } else {
            Err(format!("{} {what} but had not signed in", person.title()))
        }
    }

    fn confirmation(&mut self, said: &'s Confirmed) -> Result<(), String> {
        let (prompt, step) = (said.asked.id(), self.state.step);
        let person = self.person(said.role, &said.by, &format!("confirmed {prompt}"))?;
        self.count += 1;
        match &said.asked {
            Prompt::FoundKey(asked) => {
                return self
                    .keys
                    .decide(asked, said, person)
                    .map_err(|wrong| format!("step {step}: {wrong}"));
            }
            Prompt::Plan(asked) if asked.sha256 == self.plan.digest() => self.agreed.push(person.clone()),
            asked if self.scripted().is_some_and(|step| step.is_asked(asked, &self.state)) => {}
            asked => {
                return Err(format!(
                    "{prompt} was confirmed in step {step}, where the ceremony does not ask {:?}",
                    asked.question()
                ));
            }
        }
        if said.asked.chosen(&said.answer).is_none() {
            return Err(format!(
                "{:?} was typed in step {step} for {prompt}, which asks for {:?}",
                said.answer,
                said.asked.options().join(" or ")
            ));
        }
        self.answered.entry((step, prompt)).or_default().push(person);
        Ok(())
    }

    /// Checks a key event of the current step.
    fn key(&mut self, event: &'s Event) -> Result<(), String> {
        let usual = &self.plan.script().people.confirm;
        let confirm = *self.scripted().map_or(usual, |step| step.confirm(&self.plan.script().people));
        let taken = self.keys.take(event, &|by: &[Person]| enough(by, &confirm));
        taken.map_err(|wrong| format!("step {}: {wrong}", self.state.step))
    }

    fn close(self) -> Result<String, String> {
        let script = self.plan.script();
        for (at, step) in script.step.iter().enumerate().take(self.state.done) {
            let (number, act) = (at + 1, step.act.name());
            let events = self.events.get(&number).map(Vec::as_slice).unwrap_or_default();
            let rules = step.act.rules();
            if rules.key().is_none() {
                rules
                    .is_done(&self.state, events)
                    .map_err(|wrong| format!("step {number} ({act}): {wrong}"))?;
            }
            let Some(prompt) = step.asks() else { continue };
            let by = self.answered.get(&(number, prompt)).map(Vec::as_slice).unwrap_or_default();
            enough(by, step.confirm(&script.people))
                .map_err(|few| format!("step {number} ({act}): {prompt} was not confirmed: {few}"))?;
        }
        Ok(format!(
            "{} confirmations, each with an expected answer, by the people whom the script requires",
            self.count
        ))
    }
}

/// Checks that there are enough different people of each role.
fn enough(by: &[Person], wanted: &Count) -> Result<(), String> {
    for role in Role::ALL {
        let mut different: Vec<&Person> = Vec::new();
        for person in by.iter().filter(|person| person.role == role) {
            if different.len() < wanted.of(role) && !different.iter().any(|other| other.is(person)) {
                different.push(person);
            }
        }
        if different.len() < wanted.of(role) {
            return Err(format!("by {} of {} {}", different.len(), wanted.of(role), role.as_str()));
        }
    }
    Ok(())
}
