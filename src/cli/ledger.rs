//! `keyrite ledger`: commands on a ledger outside a ceremony.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use der::DateTime;
use schemars::JsonSchema;
use serde::Serialize;

use super::environment::environment;
use super::json_list::JsonList;
use super::output::say;
use super::system;
use crate::ceremony::upgrade;
use crate::failure::Failure;
use crate::ledger::{Ending, Ledger, MIGRATIONS};
use crate::media::shown;

/// Seconds per day.
const DAY: u64 = 86_400;

/// Subcommands of `ledger`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List certificates by cluster, in order of expiry
    Due(Due),
    /// Upgrade a copy of a ledger that an older keyrite wrote
    Upgrade(Upgrade),
}

/// Arguments of `ledger upgrade`.
#[derive(Debug, Args)]
pub struct Upgrade {
    /// Folder of the older ledger, which is not modified
    old: PathBuf,
    /// Folder of the new ledger, which must not exist yet
    #[arg(long, value_name = "NEW")]
    out: PathBuf,
}

/// Arguments of `ledger due`.
#[derive(Debug, Args)]
pub struct Due {
    /// Folder of the ledger
    #[arg(long, value_name = "DIR")]
    ledger: PathBuf,
    /// Only certificates that have expired or expire within this time, for example 30d, 12h or 4w
    #[arg(long, value_name = "TIME", value_parser = duration)]
    within: Option<Duration>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{:?} is not a duration such as 30d, 12h or 4w", shown(text));
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        'h' => 3600,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return Err(wrong()),
    };
    let number: u32 = text.trim_end_matches(unit).parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

/// Output of `ledger due --json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "keyrite ledger due --json")]
pub struct DueJson {
    /// Certificates in order of expiry.
    certificates: Vec<DueCertificate>,
    #[serde(flatten)]
    rest: DueCounts,
}

/// A certificate and its expiry.
#[derive(Debug, Serialize, JsonSchema)]
struct DueCertificate {
    /// Cluster, if the script or the index names one.
    cluster: Option<String>,
    /// notAfter, UTC.
    not_after: String,
    state: DueState,
    /// Path of the request; null for a key in the token.
    path: Option<String>,
    /// Name of the key in the token: an authority's or a manifest signer's.
    key: Option<String>,
    /// Name of the issuing authority.
    authority: String,
    /// Serial number, in hexadecimal.
    serial: String,
    /// Subject (RFC 4514).
    subject: String,
    /// Number of the ceremony that issued it.
    ceremony: i64,
    /// Number of the ceremony that issued the certificate it replaces.
    replaces: Option<i64>,
    /// Number of the ceremony that issued its replacement.
    replaced_by: Option<i64>,
}

/// State of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
enum DueState {
    #[serde(rename = "in use")]
    InUse,
    #[serde(rename = "ended")]
    Ended,
    #[serde(rename = "replaced")]
    Replaced,
}

#[derive(Debug, Serialize, JsonSchema)]
struct DueCounts {
    /// Current time, UTC.
    now: String,
    /// Number of certificates that are not replaced.
    due: usize,
    /// Number of those that have expired.
    ended: usize,
    /// Number of replaced certificates.
    replaced: usize,
    /// Whether the ledger belongs to a rehearsal.
    rehearsal: bool,
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Due(arguments) => due(&arguments),
        Command::Upgrade(arguments) => {
            let older = upgrade(&arguments.old, &arguments.out, MIGRATIONS, &environment())?;
            say(&format!(
                "{}, a ledger of version {}, was copied to {} and upgraded; keep both",
                arguments.old.display(),
                older.version,
                arguments.out.display()
            ));
            Ok(())
        }
    }
}

fn due(arguments: &Due) -> Result<(), Failure> {
    let ledger = Ledger::read(&arguments.ledger, &system::temporary())?;
    let now = system::now();
    let until = match arguments.within {
        None => DateTime::INFINITY,
        Some(within) => DateTime::from_unix_duration(now.unix_duration() + within)
            .map_err(|_| Failure::usage("--within: ends after the year 9999"))?,
    };
    let json = arguments.json.then(|| JsonList::new("certificates"));
    let mut list = List { json, now, cluster: None, counts: Counts::default() };
    ledger.endings::<Failure>(until, &mut |ending| list.one(ending))?;
    list.end(arguments, ledger.is_rehearsal())
}

#[derive(Default)]
struct Counts {
    all: usize,
    replaced: usize,
    ended: usize,
}

/// Prints certificates as they are read.
struct List {
    json: Option<JsonList>,
    now: DateTime,
    /// Cluster of the last printed heading.
    cluster: Option<Option<String>>,
    counts: Counts,
}

impl List {
    fn one(&mut self, ending: Ending) -> Result<(), Failure> {
        let state = match ending.replaced_by {
            Some(_) => DueState::Replaced,
            None if ending.end < self.now => DueState::Ended,
            None => DueState::InUse,
        };
        self.counts.all += 1;
        self.counts.replaced += usize::from(state == DueState::Replaced);
        self.counts.ended += usize::from(state == DueState::Ended);
        match &mut self.json {
            Some(list) => list.entry(&entry(ending, state)),
            None => {
                self.one_line(&ending, state == DueState::Ended);
                Ok(())
            }
        }
    }

    fn one_line(&mut self, ending: &Ending, ended: bool) {
        if self.cluster.as_ref() != Some(&ending.cluster) {
            let heading = ending
                .cluster
                .as_deref()
                .map_or("no cluster".to_owned(), |name| format!("cluster {}", shown(name)));
            say(&heading);
            self.cluster = Some(ending.cluster.clone());
        }
        let what = match (&ending.path, &ending.key) {
            (Some(path), _) => shown(path),
            (None, Some(key)) => format!("key {}", shown(key)),
            (None, None) => String::new(),
        };
        let note = match (ending.replaced_by, ending.replaces) {
            (Some(by), _) => format!("  replaced by ceremony {by}"),
            (None, Some(old)) => format!("  replaces one of ceremony {old}"),
            (None, None) => String::new(),
        };
        say(&format!(
            "  {}  {:<13} {what}  under {}, {}, ceremony {}{note}",
            ending.end,
            if ended { "EXPIRED".to_owned() } else { self.left(ending.end) },
            shown(&ending.authority),
            shown(&ending.subject),
            ending.ceremony
        ));
    }

    fn left(&self, end: DateTime) -> String {
        let seconds = end.unix_duration().saturating_sub(self.now.unix_duration()).as_secs();
        match seconds / DAY {
            0 => format!("in {} hours", seconds / 3600),
            days => format!("in {days} days"),
        }
    }

    fn end(self, arguments: &Due, rehearsal: bool) -> Result<(), Failure> {
        let Counts { all, replaced, ended } = self.counts;
        let due = all - replaced;
        if let Some(list) = self.json {
            return list.end(&DueCounts { now: self.now.to_string(), due, ended, replaced, rehearsal });
        }
        let what = if arguments.within.is_some() { "due" } else { "in use" };
        let kind = if rehearsal { "REHEARSAL: " } else { "" };
        say(&format!("{kind}{due} {what}, {ended} of them expired; {replaced} replaced"));
        Ok(())
    }
}

fn entry(ending: Ending, state: DueState) -> DueCertificate {
    let Ending { cluster, end, path, key, authority, serial, subject, ceremony, replaces, replaced_by } =
        ending;
    let (not_after, subject) = (end.to_string(), shown(&subject));
    DueCertificate {
        cluster,
        not_after,
        state,
        path,
        key,
        authority,
        serial,
        subject,
        ceremony,
        replaces,
        replaced_by,
    }
}
