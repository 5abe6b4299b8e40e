//! `keyrite ledger`: what the ledger knows, without a ceremony.

use crate::failure::Failure;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use der::DateTime;
use serde_json::json;

use super::environment::environment;
use super::output::say;
use super::system;
use crate::ceremony::upgrade;
use crate::ledger::{Ending, Ledger, MIGRATIONS};
use crate::media::shown;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// What can be asked of a ledger.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what ends when, cluster by cluster, the first to end first
    Due(Due),
    /// Copy a ledger that an older keyrite wrote into a new folder, as one that this keyrite writes
    Upgrade(Upgrade),
}

/// Arguments of `ledger upgrade`.
#[derive(Debug, Args)]
pub struct Upgrade {
    /// The older ledger's folder, which is not changed
    old: PathBuf,
    /// The new ledger's folder, which does not exist yet
    #[arg(long, value_name = "NEW")]
    out: PathBuf,
}

/// Arguments of `ledger due`.
#[derive(Debug, Args)]
pub struct Due {
    /// The ledger's folder
    #[arg(long, value_name = "DIR")]
    ledger: PathBuf,
    /// Only what ends within this time, as 30d, 12h or 4w; what has ended is listed, too
    #[arg(long, value_name = "TIME", value_parser = duration)]
    within: Option<Duration>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{:?} is not as 30d, 12h or 4w", shown(text));
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

/// Performs the command.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Due(arguments) => due(&arguments),
        Command::Upgrade(arguments) => {
            let older = upgrade(&arguments.old, &arguments.out, MIGRATIONS, &environment())?;
            say(&format!(
                "{} is a copy of {}, a ledger of version {}; keep that too",
                arguments.out.display(),
                arguments.old.display(),
                older.version
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
    let mut list = List { json: arguments.json, now, cluster: None, counts: Counts::default() };
    ledger.endings::<Failure>(until, &mut |ending| {
        list.one(&ending);
        Ok(())
    })?;
    list.end(arguments, ledger.is_rehearsal());
    Ok(())
}

#[derive(Default)]
struct Counts {
    all: usize,
    replaced: usize,
    ended: usize,
}

/// Prints what ends as it comes.
struct List {
    json: bool,
    now: DateTime,
    /// The cluster whose heading stands above.
    cluster: Option<Option<String>>,
    counts: Counts,
}

impl List {
    fn one(&mut self, ending: &Ending) {
        let replaced = ending.replaced_by.is_some();
        let ended = !replaced && ending.end < self.now;
        self.counts.all += 1;
        self.counts.replaced += usize::from(replaced);
        self.counts.ended += usize::from(ended);
        match self.json {
            true => self.one_json(ending, ended),
            false => self.one_line(ending, ended),
        }
    }

    fn one_line(&mut self, ending: &Ending, ended: bool) {
        if self.cluster.as_ref() != Some(&ending.cluster) {
            let heading = ending
                .cluster
                .as_deref()
                .map_or("no cluster named".to_owned(), |name| format!("cluster {}", shown(name)));
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
            (None, Some(old)) => format!("  replaces that of ceremony {old}"),
            (None, None) => String::new(),
        };
        say(&format!(
            "  {}  {:<11} {what}  under {}, {}, ceremony {}{note}",
            ending.end,
            if ended { "ENDED".to_owned() } else { self.left(ending.end) },
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

    fn one_json(&self, ending: &Ending, ended: bool) {
        let state = match (ending.replaced_by, ended) {
            (Some(_), _) => "replaced",
            (None, true) => "ended",
            (None, false) => "in use",
        };
        let entry = json!({
            "cluster": ending.cluster,
            "not_after": ending.end.to_string(),
            "state": state,
            "path": ending.path,
            "key": ending.key,
            "authority": ending.authority,
            "serial": ending.serial,
            "subject": shown(&ending.subject),
            "ceremony": ending.ceremony,
            "replaces": ending.replaces,
            "replaced_by": ending.replaced_by,
        });
        let before = if self.counts.all == 1 { "{\"certificates\":[\n" } else { "," };
        say(&format!("{before}{entry}"));
    }

    fn end(&self, arguments: &Due, rehearsal: bool) {
        let Counts { all, replaced, ended } = self.counts;
        let due = all - replaced;
        if self.json {
            let rest = json!({ "now": self.now.to_string(), "due": due, "ended": ended, "replaced": replaced, "rehearsal": rehearsal });
            let before = if all == 0 { "{\"certificates\":[\n" } else { "" };
            return say(&format!("{before}],{}", rest.to_string().trim_start_matches('{')));
        }
        let what = match arguments.within {
            Some(_) => "are due",
            None => "are in use",
        };
        let kind = if rehearsal { "a REHEARSAL's ledger: " } else { "" };
        say(&format!("{kind}{due} {what}, {ended} of them have ended; {replaced} are replaced"));
    }
}
