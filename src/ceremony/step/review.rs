//! `review`: people read and confirm what would be issued and what is refused.

use super::Perform;
use crate::ceremony::bundles::{SHOWN, refusal_lines};
use crate::ceremony::conductor::Conductor;
use crate::failure::Failure;
use crate::ledger::{Row, Rows};
use crate::media::shown;
use crate::plan::step::Review;
use crate::policy::Approval;
use crate::record::{Event, Prompt, RefusedRequest, RefusedRequests, Review as Counts, Reviewed};
use crate::signing::approval;

/// Maximum refusals in one record of the transcript.
const REFUSALS_OF_A_RECORD: usize = 256;
/// A record of refusals ends once its reasons reach this many octets: 256 refusals of a hostile bundle could
/// exceed [`crate::record::LONGEST_LINE`].
const REASONS_OF_A_RECORD: usize = 1 << 20;

impl Perform for Review {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        let before = conductor.ledger.before(conductor.id)?;
        let (approved, refused) = (conductor.approved, conductor.refused);
        let mut lines = Vec::new();
        for row in conductor.ledger.rows_after(Rows::Approved, before, SHOWN)? {
            lines.push(issue_lines(&approval(&conductor.policy, &row)?));
        }
        if approved > SHOWN {
            lines.push(format!("  issue   and {} more", approved - SHOWN));
        }
        if refused > 0 {
            let first = conductor.ledger.rows_after(Rows::Refused, before, SHOWN)?;
            lines.push(format!("  refused:\n{}", refusal_lines(&first, refused)?));
        }
        let lines = lines.join("\n");
        conductor.read_through(&lines)?;
        record_refusals(conductor, before)?;
        let (issue, refuse) = (approved as u64, refused as u64);
        conductor.record(Event::Review(Counts { approved: issue, refused: refuse }))?;
        conductor.confirm_what_was_read(&Prompt::Review(Reviewed { issue, refuse }), Some(&lines))
    }
}

/// Records every refusal; all other requests are approved.
fn record_refusals(conductor: &mut Conductor<'_>, mut row: i64) -> Result<(), Failure> {
    loop {
        let mut refused = conductor.ledger.rows_after(Rows::Refused, row, REFUSALS_OF_A_RECORD)?;
        let mut octets = 0;
        let fit = refused.iter().take_while(|refused| {
            let fits = octets < REASONS_OF_A_RECORD;
            octets += refused.refusal.as_ref().map_or(0, String::len);
            fits
        });
        refused.truncate(fit.count());
        let Some(last) = refused.last() else { return Ok(()) };
        row = last.id;
        let request = |row: &Row| {
            let (path, request_sha256) = (row.request_path()?, row.request()?);
            Ok(RefusedRequest { path, request_sha256, reasons: row.reasons()? })
        };
        let requests = refused.iter().map(request).collect::<Result<_, Failure>>()?;
        conductor.record(Event::Refused(RefusedRequests { requests }))?;
    }
}

/// Describes a request that would be issued.
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
