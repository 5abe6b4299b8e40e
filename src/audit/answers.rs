//! What people typed, held against what had to be typed: at each prompt the answer that script,
//! digests and numbers give, by as many of each role as the script wants; in each step `record` what
//! it records; and the shares that custodians got.

use std::collections::{BTreeMap, BTreeSet};

use super::key_events::KeyEvents;
use super::marks::{KeyMark, Mark};
use super::records::{Custody, Said, Statement};
use super::story::Story;
use crate::ceremony::{Count, Person, Plan, Role, Step, wording};
use crate::digest::Digest;

/// What had to be confirmed was confirmed by those who signed in, and by as many of each role as
/// the script wants: the plan digest at the beginning and after each interruption, and in each
/// step what that step asks.
pub fn confirmed(story: &Story, plan: &Plan) -> Result<String, String> {
    let mut room = Room {
        story,
        plan,
        seated: Vec::new(),
        agreed: Vec::new(),
        answered: BTreeMap::new(),
        written: BTreeSet::new(),
        handed_out: None,
        keys: KeyEvents::default(),
        changed: None,
        step: (0, ""),
        count: 0,
        waits: false,
    };
    story.marks.iter().try_for_each(|mark| room.take(mark))?;
    room.close()
}

/// Who is there, and what was typed so far.
struct Room<'s> {
    story: &'s Story,
    plan: &'s Plan,
    seated: Vec<Person>,
    /// Who confirmed the plan since the last interruption.
    agreed: Vec<Person>,
    answered: BTreeMap<(usize, &'s str), Vec<Person>>,
    /// Steps whose record was written down.
    written: BTreeSet<usize>,
    /// The last set of shares, and the last one whose PIN the token took.
    handed_out: Option<&'s Custody>,
    keys: KeyEvents<'s>,
    changed: Option<&'s str>,
    /// The step under way and when it began.
    step: (usize, &'s str),
    count: usize,
    waits: bool,
}

impl<'s> Room<'s> {
    fn take(&mut self, mark: &'s Mark) -> Result<(), String> {
        match mark {
            Mark::Begin | Mark::Resume => {
                self.seated.clear();
                self.agreed.clear();
                self.keys.run();
                self.waits = true;
            }
            // No more than there are seats; that there were no others is looked at elsewhere.
            Mark::Present(role, name) if self.seated.len() < self.plan.script().people.all().count() => {
                self.seated.extend(Person::new(*role, name));
            }
            Mark::Step { number, time, .. } => {
                if std::mem::take(&mut self.waits) {
                    enough(&self.agreed, &self.plan.script().people.confirm).map_err(|few| {
                        format!("step {number} began before the plan digest was confirmed: {few}")
                    })?;
                }
                self.step = (*number, time);
            }
            Mark::Confirmed(said, time) => self.said(said, time)?,
            Mark::Statement(statement) => self.statement(statement)?,
            Mark::Custody(custody) => self.custody(custody)?,
            Mark::Key(mark) => self.key(mark)?,
            Mark::Present(..) | Mark::Done(_) => {}
        }
        Ok(())
    }

    /// The step under way, as the script has it.
    fn scripted(&self) -> Option<&'s Step> {
        self.plan.script().step.get(self.step.0.checked_sub(1)?)
    }

    /// Somebody of this role and name who signed in.
    fn person(&self, role: Role, name: &str, what: &str) -> Result<Person, String> {
        let person = Person::new(role, name)?;
        match self.seated.iter().any(|other| other.is(&person) && other.role == role) {
            true => Ok(person),
            false => Err(format!("{} {what} and had not signed in", person.title())),
        }
    }

    fn said(&mut self, said: &'s Said, time: &str) -> Result<(), String> {
        let prompt = said.prompt.as_str();
        let person = self.person(said.role, &said.by, &format!("confirmed {prompt}"))?;
        let step = self.step.0;
        if prompt == "found-key" {
            self.count += 1;
            return self.keys.said(said, person).map_err(|wrong| format!("step {step}: {wrong}"));
        }
        let expected = self.expected(said, time).ok_or_else(|| {
            format!("{prompt} was confirmed in step {step}, where the ceremony asks no {:?}", said.question)
        })?;
        if !said.answer.eq_ignore_ascii_case(&expected) {
            return Err(format!(
                "{:?} was typed in step {step} for {prompt}, which asks for {expected:?}",
                said.answer
            ));
        }
        self.count += 1;
        if prompt == "plan" {
            self.agreed.push(person.clone());
        }
        self.answered.entry((step, prompt)).or_default().push(person);
        Ok(())
    }

    /// What had to be typed; none where the question is none that is asked here.
    fn expected(&self, said: &Said, time: &str) -> Option<String> {
        let question = said.question.as_str();
        let words = |what, digest: Option<Digest>| wording::asked(what, &digest?, question);
        if said.prompt == "plan" {
            return words(&wording::PLAN, Some(self.plan.digest()));
        }
        let step = self.scripted().filter(|step| step.prompt() == Some(said.prompt.as_str()))?;
        let typed = |asked: String, expected: String| (asked == question).then_some(expected);
        match step {
            Step::Machine { .. } => {
                let clock =
                    wording::clock_of(question).filter(|clock| self.step.1 <= *clock && *clock <= time)?;
                clock.split('T').next().map(str::to_owned)
            }
            Step::Import { .. } => words(&wording::BUNDLE, self.story.begin.as_ref()?.bundle_sha256),
            Step::Release { .. } => words(&wording::MANIFEST_DIGEST, self.story.released.map(|(_, own)| own)),
            Step::Review { .. } => {
                let (issue, refuse) = self.story.reviewed?;
                typed(wording::review(issue, refuse), format!("issue {issue} refuse {refuse}"))
            }
            Step::Custody { shares, .. } => {
                let set = self.handed_out?.set.as_deref()?;
                typed(wording::custody(shares, set), format!("set pin {set}"))
            }
            Step::CreateAuthority { name, .. } | Step::CreateManifestKey { name, .. } => {
                typed(wording::create(name), name.clone())
            }
            Step::OpenToken { .. } | Step::Inventory { .. } | Step::Issue { .. } => {
                typed(wording::go_on(step.act()), step.act().to_owned())
            }
            Step::Record { .. } => None,
        }
    }

    /// Takes in a record of a key in the step under way.
    fn key(&mut self, mark: &'s KeyMark) -> Result<(), String> {
        let confirm = self.scripted().and_then(Step::confirm);
        let confirm = *confirm.unwrap_or(&self.plan.script().people.confirm);
        let enough = |by: &[Person]| enough(by, &confirm);
        let taken = match mark {
            KeyMark::Intended(key) => {
                self.keys.intended(key);
                Ok(())
            }
            KeyMark::Found(key) => {
                self.keys.found(key);
                Ok(())
            }
            KeyMark::Generated(key) => self.keys.generated(key, &enough),
            KeyMark::Withdrawn(key) => self.keys.withdrawn(key, &enough),
            KeyMark::Certificate(key) => self.keys.certificate(key),
        };
        taken.map_err(|wrong| format!("step {}: {wrong}", self.step.0))
    }

    fn statement(&mut self, found: &Statement) -> Result<(), String> {
        let number = self.step.0;
        self.person(found.role, &found.by, "stated something")?;
        match self.scripted() {
            Some(Step::Record { kind, label, by, .. })
                if *kind == found.kind && *label == found.label && *by == found.role =>
            {
                self.written.insert(number);
                Ok(())
            }
            _ => Err(format!(
                "step {number} wrote down the {} {:?} of a {}, which the script does not ask there",
                found.kind.as_str(),
                found.label,
                found.role.as_str()
            )),
        }
    }

    fn custody(&mut self, found: &'s Custody) -> Result<(), String> {
        let set = found.set.as_deref().unwrap_or_default();
        if found.phase == "changed" {
            self.changed = Some(set);
            return Ok(());
        }
        let number = self.step.0;
        let Some(Step::Custody { threshold, shares, .. }) = self.scripted() else {
            return Err(format!(
                "step {number} handed out the shares of set {set}, which the script does not ask"
            ));
        };
        let holders: Vec<&str> = found.shares.as_array().into_iter().flatten().filter_map(holder).collect();
        let different: BTreeSet<&str> = holders.iter().copied().collect();
        if found.threshold != Some(*threshold) || holders.len() != *shares || different.len() != *shares {
            return Err(format!(
                "step {number} handed out {} shares, any {} of which open the token, to {} people; the script wants {shares}, {threshold} and {shares}",
                holders.len(),
                found.threshold.unwrap_or_default(),
                different.len()
            ));
        }
        for holder in holders {
            self.person(Role::Custodian, holder, "got a share")?;
        }
        self.handed_out = Some(found);
        Ok(())
    }

    fn close(self) -> Result<String, String> {
        let usual = &self.plan.script().people.confirm;
        for (at, one) in self.plan.script().step.iter().enumerate() {
            let (number, act) = (at + 1, one.act());
            if number > self.story.done {
                break;
            }
            if matches!(one, Step::Record { .. }) && !self.written.contains(&number) {
                return Err(format!("step {number} ({act}): nothing was written down"));
            }
            let set = self.handed_out.and_then(|custody| custody.set.as_deref());
            if matches!(one, Step::Custody { .. }) && (set.is_none() || self.changed != set) {
                return Err(format!(
                    "step {number} ({act}): the token did not get the PIN of the last shares"
                ));
            }
            let Some(prompt) = one.prompt() else { continue };
            let by = self.answered.get(&(number, prompt)).map(Vec::as_slice).unwrap_or_default();
            enough(by, one.confirm().unwrap_or(usual))
                .map_err(|few| format!("step {number} ({act}): {prompt} was not confirmed: {few}"))?;
        }
        Ok(format!("{} confirmations, each what was asked, by those of whom the script asks it", self.count))
    }
}

fn holder(share: &serde_json::Value) -> Option<&str> {
    share.get("custodian")?.as_str()
}

/// So many different people of each role.
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
