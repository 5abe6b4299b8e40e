//! The step `pause`: people leave and come back, and continue from the same state.
use crate::support::Lab;
use crate::support::typist::{ROOT, typed};

const PAUSE: &str = "[[step]]\nact = \"pause\"\nseals = [\"safe\"]\n";
const RUN: &str = "ceremony run root.toml --hsm hsm.toml --ledger ledger --out out";

/// A pause before the manifest key is created, with these seal numbers.
fn ready() -> Lab {
    let lab = Lab::new();
    lab.write("profiles.toml", crate::support::PROFILES);
    let script = crate::support::root_script("ecdsa-p256");
    let (before, after) = script.split_once("[[step]]\nact = \"create-manifest-key\"").unwrap();
    lab.write("root.toml", format!("{before}{PAUSE}[[step]]\nact = \"create-manifest-key\"{after}"));
    lab
}

/// Input before, in and after the pause.
fn steps(number: &'static str, back: &'static str) -> Vec<(&'static str, &'static str)> {
    let at = ROOT.iter().position(|(wait, _)| wait.contains("manifest")).unwrap();
    let (before, after) = ROOT.split_at(at);
    let mut steps = before.to_vec();
    steps.extend([
        ("read the number of the seal", number),
        ("type it once more", number),
        ("press Enter", ""),
        ("type your name", "Ann Example"),
        ("Are the names right", "yes"),
        ("read the number of the seal", back),
        ("type it once more", back),
    ]);
    if number == back {
        steps.extend([
            ("what you wrote on paper when you left", "{words}"),
            ("User PIN of token lab: ", crate::support::PIN),
        ]);
        steps.extend_from_slice(after);
    }
    steps
}

#[test]
fn people_leave_and_come_back() {
    let lab = ready();
    let ran = typed(&lab, &steps("4711", "4711"), RUN);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let audit = lab.keyrite("audit ledger out --script root.toml").ok();
    assert!(audit.out.contains("THE RECORD HOLDS"), "{}", audit.out);
    let report = lab.keyrite("ceremony report ledger --format markdown").ok();
    assert!(report.out.contains("people leave the room; the token is closed"), "{}", report.out);
    assert_eq!(report.out.matches("4711").count(), 4, "{}", report.out);
    let paper = lab.keyrite("ceremony print root.toml --format markdown").ok();
    assert!(paper.out.contains("Leave, and come back together"), "{}", paper.out);
}

#[test]
fn a_seal_with_another_number_stops_the_ceremony() {
    let lab = ready();
    let ran = typed(&lab, &steps("4711", "4712"), RUN);
    assert_eq!(ran.code, 4, "{}", ran.out);
    assert!(ran.out.contains("its number is 4712, it was 4711 when you left"), "{}", ran.out);
}

/// A pause answered by a file is audited like one answered by people.
#[test]
fn pauses_are_rehearsed_and_audited() {
    let lab = ready();
    let answers = lab.read_shipped("answers-accept.toml");
    lab.write("answers.toml", answers.as_bytes());
    let run = "ceremony run root.toml --hsm hsm.toml --ledger ledger --out out --rehearsal --pin-file pin --answers answers.toml";
    let check = "ceremony check root.toml --ledger ledger --rehearsal --answers answers.toml";
    for command in [check, run] {
        lab.keyrite(command).fails(2, &["records \"safe\", which the answers file lacks"]);
    }
    lab.write("answers.toml", format!("{answers}safe = \"4711\"\n"));
    lab.keyrite(check).ok();
    lab.keyrite(run).ok();
    let audit = lab.keyrite("audit ledger out").ok();
    assert!(audit.out.contains("THE RECORD HOLDS"), "{}", audit.out);
    // Rewritten: another number, nobody signs in again, another head, no pause at all.
    for edit in [
        "[x for x in r if x['event'] == 'statement'][-1]['data']['value'] = '4712'",
        "r.remove([x for x in r if x['event'] == 'statement'][-1])",
        "r.remove([x for x in r if x['event'] == 'present'][-1])",
        "[x for x in r if x['data'].get('asked', {}).get('prompt') == 'head'][0]['data']['asked']['sha256'] = '0' * 64",
        "r.remove([x for x in r if x['data'].get('asked', {}).get('prompt') == 'head'][0])",
        "r.remove([x for x in r if x['event'] == 'left'][0])",
    ] {
        lab.rewrite(1, edit);
        let audit = lab.keyrite("audit bad");
        let people = |line: &str| line.contains("FAILS") && line.contains("[AUDIT-CONFIRMED]");
        let absent = |line: &str| line.contains("FAILS") && line.contains("[AUDIT-PEOPLE]");
        assert!(audit.out.lines().any(|line| people(line) || absent(line)), "{edit}:\n{}", audit.out);
    }
}

#[test]
fn invalid_pauses() {
    let lab = ready();
    let script = lab.read("root.toml");
    for (bad, why) in [
        ("seals = [\"safe\", \"safe\"]", "duplicate label \"safe\""),
        ("seals = [\"\"]", "must be 1 to 60 printable ASCII characters"),
        ("by = \"witness\"\nseals = [\"safe\"]", "by is witness, but [people] has none"),
        ("seal = [\"safe\"]", "unknown field"),
    ] {
        lab.write("bad.toml", script.replace("seals = [\"safe\"]", bad));
        lab.keyrite("ceremony check bad.toml").fails(2, &[why]);
    }
}
