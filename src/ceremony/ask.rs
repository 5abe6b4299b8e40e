//! Prompts: who answers, what is compared, and how "stop" and "exception" are handled.

use secrecy::SecretString;

use super::conductor::Conductor;
use super::room::{Answer, Question, Reply, Secret, SecretReply};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::media::shown;
use crate::record::{Confirmed, Event, Exception, Mistyped, Person, Prompt, Role, Words, question};

/// Maximum wrong answers at a prompt; the last one stops the ceremony.
const TRIES: usize = 3;
/// Words of a digest per line.
const WORDS_OF_A_LINE: usize = 6;
/// Maximum length of an exception's text, in characters.
const LONGEST_EXCEPTION: usize = 1000;

/// Tells people what can be typed at every prompt.
pub const ALWAYS: &str =
    "At every prompt: \"stop\" interrupts the ceremony, to be resumed later; \"exception\" records one.";

impl Conductor<'_> {
    /// Has each confirmer answer the prompt, and records the answers.
    pub(super) fn confirm(&mut self, prompt: &Prompt) -> Result<(), Failure> {
        self.confirm_what_was_read(prompt, None)
    }

    /// As [`Conductor::confirm`]; "again" shows `read` once more.
    pub(super) fn confirm_what_was_read(
        &mut self,
        prompt: &Prompt,
        read: Option<&str>,
    ) -> Result<(), Failure> {
        for person in self.confirmers()? {
            self.confirm_by(&person, prompt, read)?;
        }
        Ok(())
    }

    /// Shows a text page by page.
    pub(super) fn read_through(&mut self, text: &str) -> Result<(), Failure> {
        loop {
            match self.room.show_pages(text)? {
                Reply::Text(_) => return Ok(()),
                Reply::Stop => return Err(Failure::stopped("stopped at the prompt")),
                Reply::Exception => self.exception()?,
            }
        }
    }

    /// Shows a digest in words and digits, and has each confirmer type different words of it.
    pub(super) fn compare(
        &mut self,
        digest: Digest,
        prompt: impl Fn(Words) -> Prompt,
    ) -> Result<(), Failure> {
        let title = question::title(prompt(Words::of_turn(0)).id());
        self.room.show(&format!("  {title}:\n{}", written_out(&digest)));
        let first = usize::from(self.environment.random()?.first().copied().unwrap_or_default());
        for (turn, person) in self.confirmers()?.into_iter().enumerate() {
            // The words are unpredictable, and no two people type the same ones.
            self.confirm_by(&person, &prompt(Words::of_turn(first + turn)), None)?;
        }
        Ok(())
    }

    /// Has one person answer the prompt; records and returns the answer.
    pub(super) fn confirm_by(
        &mut self,
        person: &Person,
        prompt: &Prompt,
        read: Option<&str>,
    ) -> Result<String, Failure> {
        let question = prompt.question();
        let options = prompt.options();
        // The text to type is on a separate line, which is never folded.
        let only = options.first().filter(|_| options.len() == 1);
        let asked = match only.and_then(|only| Some((only, question.strip_suffix(only)?))) {
            Some((only, rest)) => format!("{}\n    {only}", rest.trim_end()),
            None => question.clone(),
        };
        let text = format!("{}: {asked}", person.title());
        let typed =
            self.answer(&Question { text, wanted: Answer::To(prompt.clone()) }, read, Some(person))?;
        let answer = prompt.chosen(&typed).unwrap_or(typed);
        self.record(Event::Confirmed(Confirmed {
            asked: prompt.clone(),
            question,
            answer: answer.clone(),
            by: person.name.clone(),
            role: person.role,
        }))?;
        Ok(answer)
    }

    /// Returns the confirmers of this step: as many of each role as script or step require.
    pub(super) fn confirmers(&self) -> Result<Vec<Person>, Failure> {
        let mut found: Vec<Person> = Vec::new();
        for role in Role::ALL {
            let mut wanted = self.confirm_count.of(role);
            for person in self.state().present.iter().filter(|person| person.role == role) {
                if wanted > 0 && !found.iter().any(|other| other.is(person)) {
                    found.push(person.clone());
                    wanted -= 1;
                }
            }
            if wanted > 0 {
                return Err(Failure::fault(format!("{wanted} {} missing", role.as_str())));
            }
        }
        Ok(found)
    }

    /// Returns the first person of a role.
    pub(super) fn seat(&self, role: Role) -> Result<Person, Failure> {
        let found = self.state().present.iter().find(|person| person.role == role).cloned();
        found.ok_or_else(|| Failure::fault(format!("no {} has signed in", role.as_str())))
    }

    /// Asks until the answer is accepted; "again" shows `read` once more. Wrong answers of `person` are recorded.
    pub(super) fn answer(
        &mut self,
        question: &Question,
        read: Option<&str>,
        person: Option<&Person>,
    ) -> Result<String, Failure> {
        let mut left = TRIES;
        loop {
            let typed = self.listen(question)?;
            if question.accepts(&typed) {
                return Ok(typed);
            }
            if let Some(read) = read.filter(|_| typed.eq_ignore_ascii_case("again")) {
                self.read_through(read)?;
                continue;
            }
            if typed.is_empty() {
                self.room.show("  Empty input; not counted as an attempt.");
                continue;
            }
            left -= 1;
            if let (Some(person), Answer::To(prompt)) = (person, &question.wanted) {
                let (prompt, by) = (prompt.id().to_owned(), person.name.clone());
                self.record(Event::Mistyped(Mistyped { prompt, by, role: person.role }))?;
            }
            match left {
                0 => return Err(Failure::stopped(format!("not confirmed in {TRIES} attempts"))),
                1 => self.room.show("  That is not the expected answer. Type it again: one attempt is left."),
                _ => self.room.show(&format!(
                    "  That is not the expected answer. Type it again: {left} attempts are left."
                )),
            }
        }
    }

    /// Asks once and returns the typed line.
    pub(super) fn listen(&mut self, question: &Question) -> Result<String, Failure> {
        loop {
            if !self.room.unattended() {
                // An answer may take long, and the power may fail meanwhile.
                self.write_down()?;
            }
            match self.room.ask(question)? {
                Reply::Text(text) => return Ok(text),
                Reply::Stop => return Err(Failure::stopped("stopped at the prompt")),
                Reply::Exception => self.exception()?,
            }
        }
    }

    /// Asks for a secret; None if the person has none.
    pub(super) fn secret(&mut self, secret: Secret<'_>) -> Result<Option<SecretString>, Failure> {
        loop {
            self.write_down()?;
            match self.room.secret(secret)? {
                SecretReply::Secret(secret) => return Ok(Some(secret)),
                SecretReply::None => return Ok(None),
                SecretReply::Stop => return Err(Failure::stopped("stopped at the prompt")),
                SecretReply::Exception => self.exception()?,
            }
        }
    }

    /// Asks for an exception and writes it down at once.
    pub(super) fn exception(&mut self) -> Result<(), Failure> {
        self.room.show("\n  Exception. An empty line returns to the prompt without one. Never type a PIN or a share here.");
        let Some(by) = self.free_text("Who reports it? Type the name")? else { return Ok(()) };
        let Some(text) = self.free_text("What happened, and why? Type one line")? else { return Ok(()) };
        let text: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_EXCEPTION).collect();
        let by: String = by.chars().filter(|c| !c.is_control()).take(60).collect();
        let step = self.state().step;
        self.record(Event::Exception(Exception { text: text.clone(), by: by.clone(), step }))?;
        self.write_down()?;
        self.room.show(&format!("  recorded as reported by {}: {}\n", shown(&by), shown(&text)));
        Ok(())
    }

    fn free_text(&mut self, question: &str) -> Result<Option<String>, Failure> {
        match self.room.ask(&Question { text: question.to_owned(), wanted: Answer::Text })? {
            Reply::Text(text) if text.is_empty() => Ok(None),
            Reply::Text(text) => Ok(Some(text)),
            Reply::Exception => Ok(None),
            Reply::Stop => Err(Failure::stopped("stopped at the prompt")),
        }
    }
}

/// Formats a digest for comparison by people: digits in groups of eight, and numbered words.
pub fn written_out(digest: &Digest) -> String {
    let digits: Vec<char> = digest.to_string().chars().collect();
    let groups: Vec<String> = digits.chunks(8).map(|group| group.iter().collect()).collect();
    let mut lines: Vec<String> = groups.chunks(4).map(|line| format!("    {}", line.join(" "))).collect();
    let words = digest.words();
    let words: Vec<String> =
        words.split(' ').enumerate().map(|(at, word)| format!("{:>2} {word:<9}", at + 1)).collect();
    for line in words.chunks(WORDS_OF_A_LINE) {
        lines.push(format!("   {}", line.join("").trim_end()));
    }
    lines.join("\n")
}
