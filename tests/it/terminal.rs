//! A real terminal: confirmations are typed, the PIN is not echoed, and a wrong word stops.

use crate::support::typist::{ROOT, typed};
use crate::support::{self, Lab, PIN};

const RUN: &str = "ceremony run root.toml --hsm hsm.toml --ledger ledger --out out";

const RUN_AGAIN: &str =
    "ceremony run root.toml --hsm hsm.toml --ledger ledger --out out --answers accept.toml --pin-file pin";

fn ready() -> Lab {
    let lab = Lab::new();
    lab.write(
        "accept.toml",
        std::fs::read(support::repository().join("ceremony/answers-accept.toml")).unwrap(),
    );
    lab.write_root_script();
    lab
}

#[test]
fn typed_ceremony_is_attended_and_hides_the_pin() {
    let lab = ready();
    let mut steps = ROOT.to_vec();
    steps.insert(2, ("type words", "not these words"));
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(!ran.out.contains(PIN), "the PIN was echoed:\n{}", ran.out);
    assert_eq!(lab.manifest("out")["unattended"], false);
    for file in support::walk(lab.dir.path()) {
        let octets = std::fs::read(&file).unwrap();
        let own = ["pin", "driver.py", "steps.json"].contains(&file.file_name().unwrap().to_str().unwrap());
        assert!(
            own || !octets.windows(PIN.len()).any(|w| w == PIN.as_bytes()),
            "{}: holds the PIN",
            file.display()
        );
    }
    // The wrong answer is recorded, and not what was typed.
    let records = transcript_of_the_ledger(&lab);
    assert_eq!(records.matches("\"event\":\"mistyped\"").count(), 1, "{records}");
    assert!(!records.contains("not these words"), "{records}");
    let report = lab.keyrite("ceremony report ledger --format markdown").ok();
    assert!(report.out.contains("Ann Example (operator) gave a wrong answer to plan"), "{}", report.out);
    lab.keyrite("audit ledger out --root out/authorities/root-ca.crt").ok();
    lab.keyrite("verify out --root out/authorities/root-ca.crt").ok();
}

/// A wrong PIN is asked for again if the operator says so, never by itself; "stop" ends there.
#[test]
fn wrong_pin_is_typed_again_on_request() {
    let lab = ready();
    let at = ROOT.iter().position(|(_, typed)| *typed == PIN).unwrap();
    let wrong = ("User PIN of token lab: ", "0000-wrong");
    let again = ("type \"again\" to be asked for it", "again");
    let mut steps = ROOT[..at].to_vec();
    steps.extend([wrong, ("type \"again\" to be asked for it", ""), again, wrong, again]);
    steps.extend(&ROOT[at..]);
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert_eq!(ran.out.matches("the PIN is wrong; ").count(), 2, "{}", ran.out);
    assert!(!ran.out.contains("0000-wrong"), "{}", ran.out);
    // Each attempt is in the transcript, which is audited.
    assert_eq!(transcript_of_the_ledger(&lab).matches("\"event\":\"login\"").count(), 3);
    lab.keyrite("audit ledger out --root out/authorities/root-ca.crt").ok();
    let lab = ready();
    let mut steps = ROOT[..at].to_vec();
    steps.extend([wrong, ("type \"again\" to be asked for it", "stop")]);
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert_eq!(transcript_of_the_ledger(&lab).matches("\"event\":\"login\"").count(), 1);
    lab.resume().ok();
    // A PIN from a file is tried once: it would be the same again.
    let lab = ready();
    lab.write("wrong", "0000-wrong\n");
    let ran = typed(&lab, &ROOT[..at], &format!("{RUN} --pin-file wrong"));
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("the PIN is wrong; ") && !ran.out.contains("type \"again\""), "{}", ran.out);
    // Nor when the token says that one more wrong PIN locks it.
    let mut lab = ready();
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "tokenflags");
    lab.set("FAULTY_TOKEN_FLAGS", "20000");
    let ran = typed(&lab, &ROOT[..at], RUN);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("CKF_USER_PIN_FINAL_TRY") && !ran.out.contains("PIN of token"), "{}", ran.out);
}

#[test]
fn typing_stop_stops() {
    let lab = ready();
    let mut steps = ROOT[..4].to_vec();
    steps[3].1 = "stop";
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("stopped at the prompt"), "{}", ran.out);
    assert!(!lab.path("out").exists());
    // People who confirmed the plan resume it or abandon it.
    lab.keyrite(RUN_AGAIN).fails(2, &["ceremony 1 is not finished"]);
    lab.keyrite("ceremony abandon --ledger ledger --by Ann --reason wrong").ok();
    lab.resume().fails(2, &["nothing to resume"]);
    // Stopped after a signature: the ledger continues from there.
    let mut steps = ROOT[..7].to_vec();
    steps[6].1 = "stop";
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 4, "{}", ran.out);
    assert!(ran.out.contains("keyrite ceremony resume --ledger ledger"), "{}", ran.out);
    lab.keyrite("ceremony abandon --ledger ledger --by Ann --reason wrong")
        .fails(2, &["1 key, 1 reserved serial number", "it can only be resumed"]);
    // The head that was written down at the stop is shown at resume.
    let (_, head) = ran.out.split_once("to be written down; resume shows it again").unwrap();
    let head = head.split_whitespace().next().unwrap();
    assert_eq!(head.len(), 64, "{head}");
    let resumed = lab.resume().ok();
    let shown = resumed.out.find(head).unwrap();
    assert!(shown < resumed.out.find("Sign in: the script requires").unwrap(), "{}", resumed.out);
    lab.keyrite("verify out --root out/authorities/root-ca.crt").ok();
    assert_eq!(lab.manifest("out")["unattended"], true, "the second run was answered by a file");
}

fn transcript_of_the_ledger(lab: &Lab) -> String {
    lab.query("ledger", "SELECT line FROM transcript ORDER BY ceremony, number").join("\n")
}

/// Input before a prompt is discarded, and Enter alone is not an answer: neither counts as an
/// attempt at the PIN or the question.
#[test]
fn type_ahead_is_discarded() {
    let lab = ready();
    let steps = [
        ("operator: type your name", "Ann Example\n\nyes\n\n"),
        ("Are the names right?", ""),
        ("neither", "yes\n\nstop"),
        ("type words", "{words}\nstop"),
        ("type the date in UTC (YYYY-MM-DD)", "25.11.2026"),
        ("Type it again: 2 attempts are left", "{date}\n\n\n"),
        ("User PIN of token lab: ", ""),
        ("not sent to the token. User PIN of token lab: ", PIN),
        ("type: root-ca", "root-ca\n\nx\ny\nz"),
        ("type: manifest", ""),
        ("not counted as an attempt", "manifest\n\nx\ny\nz"),
        ("type words", "x"),
        ("Type it again: 2 attempts are left", ""),
        ("not counted as an attempt", "y"),
        ("Type it again: one attempt is left", "z"),
    ];
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 4, "{}", ran.out);
    assert!(ran.out.contains("not confirmed in 3 attempts"), "{}", ran.out);
    assert_eq!(ran.out.matches("Type it again").count(), 3, "{}", ran.out);
    assert_eq!(ran.out.matches("not counted as an attempt").count(), 2, "{}", ran.out);
    let records = transcript_of_the_ledger(&lab);
    assert_eq!(records.matches("\"event\":\"login\"").count(), 1, "{records}");
    let list = lab.keyrite("token list --hsm hsm.toml").ok().out;
    assert!(!list.contains("wrong PIN"), "{list}");
    lab.resume().ok();
}

/// A review longer than the screen is paged, and shown again on request.
#[test]
fn review_is_paged() {
    let mut lab = Lab::new();
    lab.set("TERM", "dumb");
    lab.root("ecdsa-p256");
    lab.sign_script(support::WEB);
    for number in 10..30 {
        let names = format!("DNS:host-{number}.example.test,DNS:host-{number}-of-many.example.test");
        lab.csr(&format!("in/web/{number}.csr"), &format!("/CN=host-{number}"), &names, support::P256);
    }
    let steps = [
        ("operator: type your name", "Ann Example"),
        ("Are the names right?", "yes"),
        ("type words", "{words}"),
        ("type the date in UTC", "{date}"),
        ("User PIN of token lab: ", PIN),
        ("type words", "{words}"),
        ("Page 1 of 3", ""),
        ("Page 2 of 3", "issue 20 refuse 0"),
        ("type: issue 20 refuse 0", "again"),
        ("Page 1 of 3", "exception"),
        ("Who reports it", ""),
        ("Page 1 of 3", ""),
        ("Page 2 of 3", ""),
        ("type: issue 20 refuse 0", "issue 20 refuse 0"),
        ("type words", "{words}"),
    ];
    let run = "ceremony run sign.toml --hsm hsm.toml --ledger ledger --in in --out out";
    let ran = typed(&lab, &steps, run);
    assert_eq!(ran.code, 0, "{}", ran.out);
    for number in 10..30 {
        assert_eq!(
            ran.out.matches(&format!("web/{number}.csr")).count(),
            2 + usize::from(number < 19),
            "{}",
            ran.out
        );
    }
    let (_, page) = ran.out.split_once("Page 1 of 3").unwrap();
    let (page, _) = page.split_once("Page 2 of 3").unwrap();
    assert!(page.lines().count() <= 24, "{page}");
}

/// Ctrl-C at a prompt acts like the end of input: the same message, the same exit code.
#[test]
fn ctrl_c_at_a_prompt_stops_cleanly() {
    let lab = ready();
    for (at, end) in [(0, "{interrupt}"), (2, "{interrupt}"), (0, "\u{4}"), (2, "\u{4}")] {
        let mut steps = ROOT[..=at].to_vec();
        steps[at].1 = end;
        let ran = typed(&lab, &steps, RUN);
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert!(ran.out.contains("stopped at the prompt"), "{}", ran.out);
        assert!(ran.out.contains("Run it again to start over"), "{}", ran.out);
        assert!(!ran.out.contains("Ctrl-C again"), "{}", ran.out);
        lab.resume().fails(2, &["nothing to resume"]);
    }
    let mut steps = ROOT[..5].to_vec();
    steps[4].1 = "{interrupt}";
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("echo is on"), "{}", ran.out);
    let told = ["ceremony resume --ledger ledger", "ceremony abandon --ledger ledger"];
    assert!(told.iter().all(|command| ran.out.contains(command)), "{}", ran.out);
    lab.keyrite("ceremony abandon --ledger ledger --by Ann --reason wrong").ok();
    let mut steps = ROOT[..7].to_vec();
    steps[6].1 = "{interrupt}";
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 4, "{}", ran.out);
    assert!(ran.out.contains("ceremony resume --ledger ledger"), "{}", ran.out);
    lab.resume().ok();
    // A command that only asks for a PIN restores the terminal too.
    let steps = [("User PIN of token lab: ", "{interrupt}")];
    let ran = typed(&lab, &steps, "token inspect --hsm hsm.toml --token-label lab");
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("echo is on"), "{}", ran.out);
}

#[test]
fn pin_from_a_descriptor() {
    let lab = ready();
    let command = format!(
        "{} {RUN} --answers {}/ceremony/answers-accept.toml --pin-fd 3 3<pin",
        env!("CARGO_BIN_EXE_keyrite"),
        support::repository().display()
    );
    lab.run("sh", &["-c", &command]).ok();
}

/// Counts the occurrences of a text in the memory of the program that waits at a prompt.
const SCAN: &str = r#"
import re, subprocess, sys
pid = subprocess.check_output(["pgrep", "-P", sys.argv[1], "keyrite"], text=True).split()[0]
found = 0
with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
    for line in maps:
        start, end, mode = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
        if not mode.startswith("rw") or "[v" in line:
            continue
        try:
            memory.seek(int(start, 16))
            octets = memory.read(int(end, 16) - int(start, 16))
        except OSError:
            continue
        found += octets.count(sys.argv[2].encode())
print(found)
"#;

/// A used PIN is no longer in memory in any form, whether typed or read from a file.
#[test]
fn used_pin_is_wiped_from_memory() {
    // Letters of both cases, to find a lower-case copy; and a suffix that survives when an
    // allocator overwrites the start of freed memory. SoftHSM keeps no PIN in clear.
    let (pin, end) = (format!("{}Zq7-Memory-Pin", "7".repeat(100)), "Zq7-Memory-Pin");
    let pin = pin.as_str();
    for from in ["", " --pin-file pin"] {
        let lab = support::Lab::without_token();
        lab.write("pin", format!("{pin}\n"));
        lab.init_token("lab");
        lab.write_root_script();
        lab.write("scan.py", SCAN);
        let scan = |text: &str| {
            format!(
                "python3 {} $PPID {text} >> {}",
                lab.path("scan.py").display(),
                lab.path("found").display()
            )
        };
        let scans =
            format!("{{sh {}; {}; {}}}root-ca", scan(end), scan(&end.to_lowercase()), scan("root.toml"));
        let steps: Vec<(&str, &str)> = support::typist::ROOT
            .iter()
            .filter(|(wait, _)| from.is_empty() || !wait.starts_with("User PIN"))
            .map(|(wait, line)| match *wait {
                "User PIN of token lab: " => (*wait, pin),
                "type: root-ca" => (*wait, scans.as_str()),
                _ => (*wait, *line),
            })
            .collect();
        typed(
            &lab,
            &steps,
            &format!("ceremony run root.toml --hsm hsm.toml --ledger ledger --out root{from}"),
        )
        .ok();
        let found = lab.read("found");
        let found: Vec<usize> = found.lines().map(|line| line.parse().unwrap()).collect();
        // The name of the script is found: the scan works.
        assert_eq!(found[..2], [0, 0], "{from}: {found:?}");
        assert!(found[2] > 0, "{from}: {found:?}");
    }
}

/// Help at a terminal of 80 columns breaks lines between words.
#[test]
fn help_fits_the_terminal() {
    let lab = Lab::without_token();
    for command in ["ceremony run", "install", "request cluster", "audit"] {
        let ran = typed::<&str, &str>(&lab, &[], &format!("{command} --help")).ok();
        let after = ran.out.split("Options:").nth(1).unwrap();
        for line in after.lines() {
            let mut plain = String::new();
            let mut escaped = false;
            for c in line.trim_end().chars() {
                match c {
                    '\u{1b}' => escaped = true,
                    'm' if escaped => escaped = false,
                    _ if escaped => {}
                    c => plain.push(c),
                }
            }
            assert!(plain.chars().count() <= 80, "{command}: {plain}");
        }
    }
}
