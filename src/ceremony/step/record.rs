//! `record`: a statement, or a value read off and typed twice.

use super::Perform;
use crate::ceremony::conductor::Conductor;
use crate::ceremony::room::Question;
use crate::failure::Failure;
use crate::media::shown;
use crate::plan::step::Record;
use crate::record::{Event, Statement, StatementKind};

impl Perform for Record {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        self.stated(conductor).map(drop)
    }
}

impl Record {
    /// Asks for the value, records and returns it.
    pub(super) fn stated(&self, conductor: &mut Conductor<'_>) -> Result<String, Failure> {
        let Self { kind, label, by, .. } = self;
        let person = conductor.seat(*by)?;
        conductor.room.show(&format!("  {}: {}", kind.as_str(), shown(label)));
        let mut question = Question::value(label, format!("{}: {}", person.title(), shown(self.ask())));
        let value = loop {
            let typed = conductor.answer(&question, None, None)?;
            let value = match self.value(&typed) {
                Ok(value) => value,
                Err(wrong) if conductor.room.unattended() => {
                    return Err(Failure::usage(format!("answers: record {label:?}: {wrong}")));
                }
                Err(wrong) => {
                    conductor.room.show(&format!("  That cannot be recorded: {}.", shown(&wrong)));
                    continue;
                }
            };
            if *kind == StatementKind::Statement || conductor.room.unattended() {
                break value;
            }
            question.text = format!("{}: read it off again and type it once more", person.title());
            let again = conductor.answer(&question, None, None)?;
            question.text = format!("{}: {}", person.title(), shown(self.ask()));
            if self.value(&again).is_ok_and(|again| again == value) {
                break value;
            }
            conductor.room.show("  The two differ; nothing was recorded. Start again.");
        };
        conductor.room.show(&format!("  recorded: {}", shown(&value)));
        conductor.record(Event::Statement(Statement {
            kind: *kind,
            label: label.clone(),
            value: value.clone(),
            by: person.name,
            role: person.role,
        }))?;
        Ok(value)
    }
}
