//! Records of a transcript in words. What comes in many records is told once, with its sum.

use serde_json::Value;

use crate::ceremony::wording;
use crate::release::Record;

/// The words for a record.
#[derive(Debug)]
pub enum Told {
    /// A line of its own.
    New(String),
    /// A line instead of the last one, which it continues.
    Instead(String),
}

/// What was told of the step under way.
#[derive(Debug, Default)]
pub struct Sum {
    step: usize,
    certificates: u64,
    refusals: u64,
    proved: u64,
    last: &'static str,
}

/// A member of a record as text.
pub fn text(data: &Value, key: &str) -> String {
    match data.get(key) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(Value::Array(list)) if list.is_empty() => "none".to_owned(),
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
            list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        Some(other) => other.to_string(),
    }
}

impl Sum {
    /// A step that begins.
    pub fn at(step: usize) -> Self {
        Self { step, ..Self::default() }
    }

    /// The number of the step under way.
    pub fn step(&self) -> usize {
        self.step
    }

    /// The words for the next record.
    pub fn take(&mut self, record: &Record) -> Option<Told> {
        let count = |key: &str| record.data.get(key).and_then(Value::as_u64).unwrap_or_default();
        let (sum, kind, thing, what) = match record.event.as_str() {
            // Written for resume and audit.
            "done" | "reserved" => return None,
            "signed" => {
                self.certificates += count("certificates");
                (self.certificates, "signed", "certificate", "signed, each signature verified")
            }
            "refused" => {
                let list = record.data.get("requests").and_then(Value::as_array);
                self.refusals += list.map_or(0, |list| list.len() as u64);
                (self.refusals, "refused", "request", "refused, listed below")
            }
            "key-proved" => {
                self.proved += 1;
                (
                    self.proved,
                    "key-proved",
                    "key",
                    "proved: attributes read back, a challenge signed and verified",
                )
            }
            _ => {
                self.last = "";
                return sentence(record).map(Told::New);
            }
        };
        let line = format!("{} {what}", wording::count(sum, thing));
        let told = if self.last == kind { Told::Instead(line) } else { Told::New(line) };
        self.last = kind;
        Some(told)
    }
}

/// One record in words.
fn sentence(record: &Record) -> Option<String> {
    let data = &record.data;
    let t = |key: &str| text(data, key);
    Some(match record.event.as_str() {
        "step" if data.get("again") == Some(&Value::Bool(true)) => "done again after an interruption".into(),
        "step" => return None,
        "begin" => "the ceremony begins".into(),
        "resume" => "the ceremony goes on after an interruption".into(),
        "present" => format!("{} signed in as {}", t("name"), t("role")),
        "confirmed" => {
            format!("{} ({}) confirmed {}: typed \"{}\"", t("by"), t("role"), t("prompt"), t("answer"))
        }
        "exception" => format!("EXCEPTION, told by {}: {}", t("by"), t("text")),
        "statement" => {
            format!("{} of {}: {}, by {} ({})", t("kind"), t("label"), t("value"), t("by"), t("role"))
        }
        "machine" => format!(
            "{}; network up: {}; swap: {}; memory locked: {}; loader variables: {}",
            t("kernel"),
            t("network_up"),
            t("swap"),
            t("memory_locked"),
            t("loader_variables")
        ),
        "login" => {
            let token = data.get("token").cloned().unwrap_or_default();
            format!(
                "login tried at the token {}, serial {}, {} {}, firmware {}",
                text(&token, "label"),
                text(&token, "serial"),
                text(&token, "manufacturer"),
                text(&token, "model"),
                text(&token, "firmware")
            )
        }
        "token-open" => format!("the login went well: the token of serial {} is open", t("token_serial")),
        "inventory" => inventory(data),
        "custody" => custody(data),
        "key-generated" => format!(
            "key {} generated in the token: {}, SPKI SHA-256 {}",
            t("name"),
            t("key"),
            t("spki_sha256")
        ),
        "key-intended" => {
            format!("the key of {} is about to be made: {}, ID {}", t("name"), t("key"), t("key_id"))
        }
        "key-found" if t("reason").is_empty() => format!(
            "after an interruption, a whole key pair of {} was found, ID {}, SPKI SHA-256 {}",
            t("name"),
            t("key_id"),
            t("spki_sha256")
        ),
        "key-found" => format!(
            "after an interruption, something of the key of {} was found, ID {}: {}",
            t("name"),
            t("key_id"),
            t("reason")
        ),
        "key-withdrawn" => format!(
            "the key of {} with the ID {} was not made: the token holds nothing of it; destroyed: {}",
            t("name"),
            t("key_id"),
            wording::count(
                data.get("destroyed").and_then(Value::as_array).map_or(0, |list| list.len() as u64),
                "object"
            )
        ),
        "key-reserved" => {
            format!("serial number {} reserved for the certificate of {}", t("serial"), t("name"))
        }
        "certificate" => format!(
            "certificate of {}: {}, serial number {}, valid to {}, SHA-256 {}",
            t("name"),
            t("subject"),
            t("serial"),
            t("not_after"),
            t("sha256")
        ),
        "import" => import(data),
        "review" => format!("{} approved, {} refused", t("approved"), t("refused")),
        "issued" => format!("{} issued in all", counted(data, "certificates", "certificate")),
        "seal" => format!(
            "the transcript is sealed for release {}, to be signed by {}",
            t("sequence"),
            t("manifest_key")
        ),
        "sealed" => {
            format!("the manifest of release {} is signed, SHA-256 {}", t("sequence"), t("manifest_sha256"))
        }
        "released" => format!("release {}, manifest SHA-256 {}", t("sequence"), t("manifest_sha256")),
        "abandoned" if !t("by").is_empty() => format!("given up by {}: {}", t("by"), t("reason")),
        "interrupted" | "abandoned" => format!("{}: {}", record.event, t("reason")),
        "end" => "the ceremony ends".into(),
        other => format!("{other}: {}", members(data)),
    })
}

/// What came in, and who approved it.
fn import(data: &Value) -> String {
    let mut line = format!(
        "{} came in, bundle digest {}",
        counted(data, "requests", "request"),
        text(data, "bundle_sha256")
    );
    let indexes = data.get("indexes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for index in indexes {
        let approvers = text(index, "approvers");
        line.push_str(&format!(
            "; index {}: cluster {}, sequence {}, made {}, approved by {approvers}",
            text(index, "index_sha256"),
            Some(text(index, "cluster")).filter(|name| !name.is_empty()).unwrap_or_else(|| "none".into()),
            text(index, "sequence"),
            text(index, "created"),
        ));
    }
    line
}

/// A look at the token, and what was not there before.
fn inventory(data: &Value) -> String {
    let count = |key: &str| data.get(key).and_then(Value::as_array).map_or(0, Vec::len);
    let mut line = format!(
        "{} on the token, {} not of this ledger",
        wording::count(count("objects") as u64, "object"),
        text(data, "not_of_this_ledger")
    );
    for (key, what) in [("appeared", "APPEARED"), ("gone", "gone")] {
        let list = data.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let names: Vec<String> =
            list.iter().map(|one| format!("{} {}", text(one, "class"), text(one, "label"))).collect();
        if !names.is_empty() {
            line.push_str(&format!("; {what} since the last look: {}", names.join(", ")));
        }
    }
    if data.get("accepted") == Some(&Value::Bool(false)) {
        line.push_str("; NOT ACCEPTED");
    }
    line
}

/// A step of the custody of the PIN; shares are told by their numbers, never by themselves.
fn custody(data: &Value) -> String {
    let t = |key: &str| text(data, key);
    match t("phase").as_str() {
        "handed-out" => {
            format!(
                "set {}: each share of the new PIN was handed out; {} of them open the token once it has that PIN",
                t("set"),
                t("threshold")
            )
        }
        "begun" => format!("set {}: a new PIN was made and split, its shares are being handed out", t("set")),
        "changed" => format!("set {}: the new PIN became the token's", t("set")),
        "void" => format!("set {}: the new PIN did not become the token's, its shares are void", t("set")),
        "not-taken" => format!("set {}: the token REFUSED the PIN that its shares give", t("set")),
        "share" if t("from") == "file" => {
            format!("share {}, in the place of {}, came from a file: nobody typed it", t("share"), t("by"))
        }
        "share" => format!("{} typed share {}", t("by"), t("share")),
        "shown-again" => format!("share {} was shown again to {}", t("share"), t("to")),
        "collected" => format!("enough shares of set {} were given", t("set")),
        other => format!("custody, {other}: {}", members(data)),
    }
}

/// A number of a record, with what it counts.
fn counted(data: &Value, key: &str, thing: &str) -> String {
    wording::count(data.get(key).and_then(Value::as_u64).unwrap_or_default(), thing)
}

/// Whatever else stands in a record.
fn members(data: &Value) -> String {
    let Some(map) = data.as_object() else { return data.to_string() };
    map.keys().map(|key| format!("{key} {}", text(data, key))).collect::<Vec<_>>().join(", ")
}
