//! The steps that sign nothing: machine, token, inventory, import, review.

use crate::failure::Failure;
use serde_json::{Value, json};

use super::Prompt;
use super::conductor::Conductor;
use super::import::{SHOWN, reasons, refusal_lines};
use super::script::{NetworkRule, PinRule};
use super::wording::{self, BUNDLE};
use crate::media::shown;
use crate::policy::Approval;
use crate::request::IndexName;

/// So many refusals stand in one record of the transcript.
const REFUSALS_OF_A_RECORD: usize = 256;
/// A record of refusals ends with the one that makes their reasons so many octets: 256 of a hostile
/// bundle would be longer than the longest line that [`crate::release::TRANSCRIPT_LINE`] lets in.
const REASONS_OF_A_RECORD: usize = 1 << 20;

impl Conductor<'_> {
    pub(super) fn machine(&mut self, network: NetworkRule) -> Result<(), Failure> {
        let facts = self.surroundings.machine.clone();
        let now = self.now()?;
        self.record("machine", json!(facts))?;
        let list =
            |items: &[String]| if items.is_empty() { "none".to_owned() } else { shown(&items.join(", ")) };
        self.people.show(&format!(
            "  kernel             {}\n  network up         {}\n  swap in use        {}\n  memory locked      {}\n  loader variables   {}\n  clock (UTC)        {now}",
            shown(&facts.kernel),
            list(&facts.network_up),
            list(&facts.swap),
            if facts.memory_locked { "yes" } else { "no" },
            list(&facts.loader_variables),
        ));
        if network == NetworkRule::Refuse && !facts.network_up.is_empty() && !self.ledger.is_rehearsal() {
            return Err(Failure::fault(format!(
                "network interface {} is up and the script refuses that; take it down, or say network = \"report\" in the script's step machine",
                list(&facts.network_up)
            )));
        }
        let text = now.to_string();
        let expected = text.split('T').next().unwrap_or_default().to_owned();
        self.confirm(Prompt { id: "clock", question: wording::clock(now), expected })
    }

    pub(super) fn open_token(&mut self, rule: PinRule) -> Result<(), Failure> {
        let token = self.token.clone();
        self.people.show(&format!("  token  {}", token.line()));
        let (session, pin) = self.log_in(rule)?;
        self.session = Some(session);
        // Kept only for a step that changes it.
        self.old_pin = pin.filter(|_| self.plan.script().has("custody"));
        self.record("token-open", json!({ "token_serial": token.serial }))
    }

    pub(super) fn import(&mut self) -> Result<(), Failure> {
        let requests = self.approved + self.refused;
        let digest = self.setup.bundle;
        self.people.show(&format!("  {} came in", wording::count(requests as u64, "request")));
        for facts in &self.setup.indexes {
            let name =
                |name: &Option<IndexName>| name.as_ref().map_or("none named", IndexName::as_str).to_owned();
            self.people.show(&format!(
                "  index   cluster {}, part {}, sequence {} of {}, SHA-256\n          {}",
                name(&facts.cluster),
                name(&facts.part),
                facts.sequence.number(),
                facts.created.0,
                facts.index_sha256
            ));
            if !facts.approvers.is_empty() {
                self.people.show(&format!("          approved by {}", facts.approvers.join(", ")));
            }
        }
        let indexes = json!(self.setup.indexes);
        self.record("import", json!({ "requests": requests, "bundle_sha256": digest, "indexes": indexes }))?;
        match digest {
            Some(digest) => self.compare(&BUNDLE, digest),
            None => Ok(()),
        }
    }

    pub(super) fn review(&mut self) -> Result<(), Failure> {
        let before = self.ledger.before(self.id)?;
        let mut lines = Vec::new();
        for approved in self.ledger.approved_after(before, SHOWN)? {
            lines.push(issue_lines(&self.approval(approved)?));
        }
        if self.approved > SHOWN {
            lines.push(format!("  issue   and {} more", self.approved - SHOWN));
        }
        if self.refused > 0 {
            let first = self.ledger.refused_after(before, SHOWN)?;
            lines.push(format!("  refused:\n{}", refusal_lines(&first, self.refused)?));
        }
        let lines = lines.join("\n");
        self.read_through(&lines)?;
        self.record_refusals(before)?;
        let (issue, refuse) = (self.approved, self.refused);
        self.record("review", json!({ "approved": issue, "refused": refuse }))?;
        let prompt = Prompt {
            id: "review",
            question: wording::review(issue, refuse),
            expected: format!("issue {issue} refuse {refuse}"),
        };
        self.confirm_what_was_read(prompt, Some(&lines))
    }

    /// Writes down every refusal, so many in a record; what is not refused is approved.
    fn record_refusals(&mut self, mut row: i64) -> Result<(), Failure> {
        loop {
            let mut refused = self.ledger.refused_after(row, REFUSALS_OF_A_RECORD)?;
            let mut octets = 0;
            let fit = refused.iter().take_while(|refused| {
                let fits = octets < REASONS_OF_A_RECORD;
                octets += refused.reasons.len();
                fits
            });
            refused.truncate(fit.count());
            let Some(last) = refused.last() else { return Ok(()) };
            row = last.row;
            let list = refused
                .iter()
                .map(|r| Ok(json!({ "path": r.path, "request_sha256": r.request, "reasons": reasons(r)? })))
                .collect::<Result<Vec<Value>, Failure>>()?;
            self.record("refused", json!({ "requests": list }))?;
        }
    }
}

/// What people see of a request that would be issued.
pub fn issue_lines(approval: &Approval) -> String {
    let names = approval.names();
    let names = if names.is_empty() { String::new() } else { format!(" [{}]", names.join(", ")) };
    let mut lines = format!(
        "  issue   {}: {}{} under {}, {}{}",
        approval.path(),
        if approval.delegates() { "AN AUTHORITY OUTSIDE THE TOKEN, " } else { "" },
        approval.profile_name(),
        approval.authority(),
        shown(&approval.subject_text()),
        shown(&names)
    );
    if let Some(object) = approval.object() {
        lines += &format!("\n          {}", shown(object));
    }
    for note in approval.notes() {
        lines += &format!("\n          note: {}", shown(note));
    }
    lines
}
