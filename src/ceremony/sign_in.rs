//! The beginning: shows the plan, has people sign in and confirm the plan digest.

use super::ask::ALWAYS;
use super::conductor::Conductor;
use super::room::{Answer, Question};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::media::{Output, shown};
use crate::record::{Compared, Event, Person, Prompt, Role};

impl Conductor<'_> {
    /// Shows the plan, has people sign in, and has the plan digest confirmed.
    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        let kind = if self.ledger.is_rehearsal() { "REHEARSAL: " } else { "" };
        let script = self.plan.script();
        self.room.show(&format!(
            "{kind}{}\n{}\nCeremony {} of the ledger {}, {} steps\n{ALWAYS}",
            shown(&script.title),
            shown(&script.purpose),
            self.id,
            self.ledger.folder().display(),
            script.step.len(),
        ));
        if self.resumed {
            self.show_resumption()?;
        }
        self.sign_in()?;
        self.confirm_count = self.plan.script().people.confirm;
        self.room.show("\nThe plan");
        let sha256 = self.plan.digest();
        self.compare(sha256, |words| Prompt::Plan(Compared { sha256, words }))?;
        self.plan_confirmed = true;
        Ok(())
    }

    /// Shows the progress of an interrupted ceremony.
    fn show_resumption(&mut self) -> Result<(), Failure> {
        let mut lines = vec!["\nThis ceremony was interrupted and continues.".to_owned()];
        let steps = &self.plan.script().step;
        let done = self.state().done;
        for (at, step) in steps.iter().enumerate() {
            let state = match at {
                _ if at < done && step.act.rules().is_performed_again() => "done, and repeated now",
                _ if at < done => "done",
                _ if at == done => "continues here",
                _ => "to come",
            };
            lines.push(format!("  {:>2} {:<20} {state}", at + 1, step.act.name()));
        }
        let (answered, reserved) = (self.ledger.answered(self.id)?, self.state().reserved);
        let keys = self.ledger.keys()?;
        let mine = keys.iter().filter(|key| key.ceremony == self.id);
        let (made, wait): (Vec<_>, Vec<_>) = mine.partition(|key| key.certificate.is_some());
        let names = |keys: &[&crate::ledger::StoredKey]| match keys {
            [] => "none".to_owned(),
            keys => keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>().join(", "),
        };
        lines.push(format!("  keys made and certified    {}", names(&made)));
        lines.push(format!("  keys begun                 {}", names(&wait)));
        lines.push(format!("  certificates issued        {answered} of {}", self.approved));
        lines.push(format!("  serial numbers reserved    {reserved}"));
        let release = self.ledger.release(self.id)?;
        lines
            .push(format!("  manifest                   {}", release.map_or("not signed yet", |_| "signed")));
        lines.extend(self.describe_medium());
        // This run has not written a record yet.
        if let Some(last) = self.ledger.last_line()? {
            let head = Digest::of(last.as_bytes());
            lines
                .push(format!("  head of the transcript; compare it with what was written down\n    {head}"));
        }
        self.room.show(&lines.join("\n"));
        Ok(())
    }

    /// Describes the destination of the release, and whether its medium is the same as before.
    fn describe_medium(&self) -> Option<String> {
        let out = self.setup.out.as_deref()?;
        let (now, before) = (Output::medium(out), self.setup.medium.as_deref());
        let mut text = format!(
            "  the release goes to        {}\n  on the medium mounted at   {}",
            shown(&out.to_string_lossy()),
            shown(&now.to_string_lossy())
        );
        if let Some(before) = before.filter(|before| *before != now) {
            text += &format!(
                "\n  ANOTHER MEDIUM THAN BEFORE, which was mounted at {}: stop, mount it, and resume",
                shown(&before.to_string_lossy())
            );
        }
        Some(text)
    }

    /// Has everyone whom the script requires sign in by name. Names are recorded only after they were
    /// read back, so that a mistyped name, or a secret typed by mistake, is stored nowhere.
    pub(super) fn sign_in(&mut self) -> Result<(), Failure> {
        let roles = self.plan.script().people.clone();
        self.room.show(&format!("\nSign in: the script requires {}", roles.count().text()));
        let mut there: Vec<Person> = Vec::new();
        for (role, number) in roles.all() {
            there.push(self.sign_in_one(role, number, &there)?);
        }
        while let Some(at) = self.misnamed(&there)? {
            let Some((role, number)) = roles.all().nth(at) else { continue };
            let mut others = there.clone();
            others.remove(at);
            let person = self.sign_in_one(role, number, &others)?;
            there.splice(at..=at, [person]);
        }
        there.into_iter().try_for_each(|person| self.record(Event::Present(person)))
    }

    /// Reads the names back; returns the index of one to correct, if any.
    fn misnamed(&mut self, there: &[Person]) -> Result<Option<usize>, Failure> {
        if self.room.unattended() {
            return Ok(None);
        }
        let name = |(at, person): (usize, &Person)| {
            format!("    {:>2} {:<14} {}", at + 1, person.role.as_str(), shown(&person.name))
        };
        let names: Vec<String> = there.iter().enumerate().map(name).collect();
        self.room.show(&format!("\n  Signed in:\n{}", names.join("\n")));
        let text = "Are the names right? Type \"yes\", or the number of one to correct".to_owned();
        let question = Question { text, wanted: Answer::Text };
        loop {
            let typed = self.listen(&question)?;
            match typed.parse::<usize>() {
                _ if typed.eq_ignore_ascii_case("yes") => return Ok(None),
                Ok(number) if (1..=there.len()).contains(&number) => return Ok(Some(number - 1)),
                _ => self.room.show("  That is neither \"yes\" nor one of the numbers."),
            }
        }
    }

    fn sign_in_one(&mut self, role: Role, number: usize, others: &[Person]) -> Result<Person, Failure> {
        let roles = self.plan.script().people.clone();
        let of = roles.of(role);
        let which = if of > 1 { format!(" {number} of {of}") } else { String::new() };
        let text = format!("{}{which}: type your name", role.as_str());
        let question = Question { text, wanted: Answer::Name(role, number) };
        loop {
            let name = self.listen(&question)?;
            let wrong = match Person::new(role, &name) {
                Ok(person) => match roles.conflict(others, &person) {
                    None => return Ok(person),
                    Some(conflict) => conflict,
                },
                Err(wrong) => wrong,
            };
            if self.room.unattended() {
                return Err(Failure::usage(format!("answers: {wrong}")));
            }
            self.room.show(&format!("  {wrong}"));
        }
    }
}
