//! Split custody: shares in a published format, any M of N open the token, no PIN that nobody can
//! produce, and no secret in any file.

use crate::support::typist::typed;
use crate::support::{self, Lab, PIN};
use keyrite::shares::{Collected, Error, Share, split};
use secrecy::ExposeSecret;

fn collected(texts: &[&str]) -> Result<Collected, Error> {
    let mut set = Collected::default();
    texts.iter().try_for_each(|text| set.add(Share::read(text)?))?;
    Ok(set)
}

/// BIP-93 test vectors 2 and 3: the payload of the string with index s is the secret.
#[test]
fn published_vectors() {
    let two = [
        "MS12NAMEA320ZYXWVUTSRQPNMLKJHGFEDCAXRPP870HKKQRM",
        "MS12NAMECACDEFGHJKLMNPQRSTUVWXYZ023FTR2GDZMPY6PN",
    ];
    let set = collected(&two).unwrap();
    assert_eq!(set.secret().unwrap().expose_secret(), "6xqguzttxkeqnjsjzv4jv3nz5k");
    let derived = "MS12NAMEDLL4F8JLH4E5VDVULDLFXU2JHDNLSM97XVENRXEG";
    assert_eq!(
        collected(&[two[1], derived]).unwrap().secret().unwrap().expose_secret(),
        "6xqguzttxkeqnjsjzv4jv3nz5k"
    );
    let three = [
        "ms13casha320zyxwvutsrqpnmlkjhgfedca2a8d0zehn8a0t",
        "ms13cashcacdefghjklmnpqrstuvwxyz023949xq35my48dr",
        "ms13cashd0wsedstcdcts64cd7wvy4m90lm28w4ffupqs7rm",
        "ms13casheekgpemxzshcrmqhaydlp6yhms3ws7320xyxsar9",
        "ms13cashf8jh6sdrkpyrsp5ut94pj8ktehhw2hfvyrj48704",
    ];
    for [a, b, c] in [[0, 1, 2], [4, 3, 2], [0, 2, 4], [1, 4, 3]] {
        let set = collected(&[three[a], three[b], three[c]]).unwrap();
        assert_eq!(set.secret().unwrap().expose_secret(), "llhdmn9m42vcsamx24zrxgs3qq");
    }
    assert_eq!(collected(&three[..2]).unwrap().secret().unwrap_err(), Error::TooFew { have: 2, need: 3 });
    assert_eq!(
        collected(&[three[0], two[0]]).unwrap_err(),
        Error::Foreign { found: "name".into(), wanted: "cash".into() }
    );
    assert_eq!(collected(&[three[0], three[0]]).unwrap_err(), Error::Repeated('a'));
    // The secret itself is not a share, and a set has more than one.
    let secret = "ms13cashsllhdmn9m42vcsamx24zrxgs3qqjzqud4m0d6nln";
    assert_eq!(Share::read(secret).unwrap_err(), Error::NoShare);
    let single = "ms10testsxxxxxxxxxxxxxxxxxxxxxxxxxx4nzvca9cmczlw";
    assert_eq!(Share::read(single).unwrap_err(), Error::NoShare);
}

#[test]
fn every_single_error_is_detected() {
    let good = "ms13casha320zyxwvutsrqpnmlkjhgfedca2a8d0zehn8a0t";
    assert!(Share::read(&format!(" {} ", good.to_uppercase().replace("CASH", "CA-SH "))).is_ok());
    for at in 3..good.len() {
        for other in "qpzry9x8gf2tvdw0s3jn54khce6mua7l".chars().filter(|c| *c != good.as_bytes()[at] as char)
        {
            let mut bad = good.to_owned();
            bad.replace_range(at..=at, &other.to_string());
            assert_eq!(Share::read(&bad).unwrap_err(), Error::Checksum, "{bad}");
        }
        let mut bad = good.to_owned();
        bad.replace_range(at..=at, "b");
        assert_eq!(Share::read(&bad).unwrap_err(), Error::Character(at + 1));
        bad.replace_range(at..=at, "");
        assert_eq!(Share::read(&bad).unwrap_err(), Error::Form(47));
    }
    for bad in ["", "ms1", "xx13casha320zyxwvutsrqpnmlkjhgfedca2a8d0zehn8a0t", "ms1\u{e9}", "\u{1f600}"] {
        assert!(Share::read(bad).is_err(), "{bad}");
    }
}

#[test]
fn share_sets_of_every_size() {
    let mut state = 1u32;
    let mut random = |octets: &mut [u8]| -> Result<(), Error> {
        for octet in octets {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *octet = (state >> 24) as u8;
        }
        Ok(())
    };
    for threshold in 2..=9 {
        for count in [threshold, threshold + 2, 16] {
            let shares = split(threshold, count, &mut random).unwrap();
            let secret = |from: usize| {
                let mut set = Collected::default();
                shares
                    .iter()
                    .cycle()
                    .skip(from)
                    .take(threshold)
                    .for_each(|share| set.add(share.clone()).unwrap());
                set.secret().unwrap().expose_secret().to_owned()
            };
            let first = secret(0);
            assert_eq!(first.len(), 26);
            assert!((1..count).all(|from| secret(from) == first), "{threshold} of {count}");
        }
    }
    assert_eq!(split(1, 3, &mut random).unwrap_err(), Error::Numbers { threshold: 1, count: 3 });
    assert_eq!(split(3, 2, &mut random).unwrap_err(), Error::Numbers { threshold: 3, count: 2 });
}

fn script(people: &str, pin: &str, custody: &str) -> String {
    format!(
        "title = \"custody\"\npurpose = \"test\"\n[people]\noperator = 1\n{people}\n[[step]]\nact = \"machine\"\nnetwork = \"report\"\n[[step]]\nact = \"open-token\"\npin = \"{pin}\"\n[[step]]\nact = \"inventory\"\n{custody}"
    )
}

const SPLIT: &str = "[[step]]\nact = \"custody\"\nthreshold = 2\nshares = 3\n";

/// Creates a token whose PIN is split 2 of 3 by an unattended rehearsal, with the shares in
/// `shares`.
fn ready() -> Lab {
    let lab = Lab::new();
    lab.write("split.toml", script("custodian = 3", "typed", SPLIT));
    lab.write("open.toml", script("custodian = 3", "shares", ""));
    lab
}

fn run(lab: &Lab, script: &str, more: &str) -> support::Ran {
    lab.ceremony(script, &format!("--rehearsal {more}"))
}

#[test]
fn any_two_of_three_open_the_token() {
    let lab = ready();
    run(&lab, "split.toml", "").fails(2, &["--new-share-file"]);
    lab.ceremony("split.toml", "--new-share-file shares").fails(2, &["at a terminal with the custodians"]);
    // Neither an existing file nor a link gets shares.
    lab.run("ln", &["-s", "elsewhere", "shares"]).ok();
    run(&lab, "split.toml", "--new-share-file shares").fails(2, &["shares: exists; name a new file"]);
    assert!(!lab.path("elsewhere").exists());
    lab.run("rm", &["shares"]).ok();
    run(&lab, "split.toml", "--new-share-file shares").ok();
    let text = lab.read("shares");
    let shares: Vec<&str> = text.lines().collect();
    assert_eq!(shares.len(), 3);
    let open = |list: &[&str]| {
        lab.write("some", list.join("\n") + "\n");
        run(&lab, "open.toml", "--share-file some")
    };
    for [one, other] in [[0, 1], [1, 2], [2, 0]] {
        open(&[shares[one], shares[other]]).ok();
    }
    open(&[shares[0]]).fails(1, &["1 share collected from 3 custodians; 2 needed"]);
    open(&[shares[0], shares[0]]).fails(2, &["share a was already entered"]);
    let wrong = shares[1].replace("ms1 2", "ms1 3");
    open(&[shares[0], &wrong]).fails(2, &["checksum does not match"]);
    let foreign = "MS12NAMEA320ZYXWVUTSRQPNMLKJHGFEDCAXRPP870HKKQRM";
    open(&[foreign]).fails(2, &["belongs to set name"]);
    // The initial PIN is no longer valid.
    lab.keyrite("token inspect --hsm hsm.toml --pin-file pin").fails(3, &["CKR_PIN_INCORRECT"]);
    // After another set, the shares of the previous one are rejected.
    lab.write("again.toml", script("custodian = 3", "shares", SPLIT));
    lab.write("some", format!("{}\n{}\n", shares[0], shares[2]));
    run(&lab, "again.toml", "--share-file some --new-share-file more").ok();
    open(&[shares[0], shares[1]]).fails(2, &["expected set"]);
    let text = lab.read("more");
    let more: Vec<&str> = text.lines().collect();
    open(&[more[2], more[1]]).ok();
    lab.keyrite("audit ledger").ok();
    // The recorded custody is compared with the script.
    lab.write("rewrite.py", support::REWRITE);
    lab.write("split.jsonl", lab.transcript("ledger", 1));
    let audited = |edit: &str| {
        let edit = format!("c = [x for x in r if x['data'].get('phase') == 'handed-out'][0]['data']; {edit}");
        lab.run("python3", &["rewrite.py", "split.jsonl", "bad.jsonl", &edit]).ok();
        lab.keyrite("audit bad.jsonl --script split.toml")
    };
    audited("pass").ok();
    for edit in [
        "c['threshold'] = 1",
        "del c['shares'][0]",
        "c['shares'][0] = c['shares'][1]",
        "c['shares'][0]['custodian'] = 'Somebody Else'",
        "[x for x in r if x['event'] == 'custody'][-1]['data']['set'] = 'name'",
        "r[:] = [x for x in r if x['data'].get('phase') != 'changed']",
    ] {
        audited(edit).fails(1, &["THE RECORD DOES NOT HOLD"]);
    }
}

/// Killed before and after C_SetPIN: the token opens with the old PIN or with shares that people
/// hold.
#[test]
fn killed_while_the_pin_changes() {
    for (mode, changed) in [("killsetpin", false), ("killsetpinafter", true)] {
        let mut lab = ready();
        lab.faulty();
        lab.set("FAULTY_TOKEN_MODE", mode);
        assert_eq!(run(&lab, "split.toml", "--new-share-file shares").code, -1, "{mode}");
        lab.set("FAULTY_TOKEN_MODE", "none");
        let resume = format!(
            "ceremony resume --ledger ledger --answers {}/ceremony/answers-accept.toml --pin-file pin --share-file shares --new-share-file more",
            support::repository().display()
        );
        if !changed {
            // With a wrong old PIN no set is void yet: it is unknown which PIN is valid.
            lab.write("wrong", "0000-wrong\n");
            let ran = lab.keyrite(&resume.replace("--pin-file pin", "--pin-file wrong"));
            let ran = ran.fails(3, &["CKR_PIN_INCORRECT"]);
            assert!(
                !ran.out.contains("destroy every paper of it") && ran.out.contains("Keep the shares"),
                "{}",
                ran.out
            );
        }
        let ran = lab.keyrite(&resume).ok();
        let void = ran.out.contains("destroy every paper of it");
        assert_eq!(void, !changed, "{mode}: {}", ran.out);
        let report = lab.keyrite("ceremony report ledger --format markdown").ok().out;
        assert_eq!(report.contains("the token REFUSED the PIN of its shares"), !changed, "{report}");
        assert!(ran.out.contains("head of the transcript"), "{}", ran.out);
        assert_eq!(lab.path("more").exists(), !changed, "{mode}");
        let hold = if changed { "shares" } else { "more" };
        run(&lab, "open.toml", &format!("--share-file {hold}")).ok();
    }
}

/// An unattended run does not resume what people began: no share of a real token reaches a file.
#[test]
fn unattended_run_does_not_resume_custody_change() {
    let lab = ready();
    let run = "ceremony run split.toml --hsm hsm.toml --ledger ledger";
    assert_eq!(typed(&lab, &[("operator: type your name", "{kill}")], run).code, 255);
    let answers = support::repository().join("ceremony/answers-accept.toml");
    let resume = format!(
        "ceremony resume --ledger ledger --answers {} --pin-file pin --new-share-file shares",
        answers.display()
    );
    lab.keyrite(&resume)
        .fails(2, &["split.toml", "hands out shares, but the answers come from a file", "at a terminal"]);
    assert!(!lab.path("shares").exists());
    lab.keyrite("token inspect --hsm hsm.toml --pin-file pin").ok();
    // An incomplete answers file is reported before the ceremony begins.
    lab.write("few.toml", "plan = \"accept\"\n");
    lab.write("open.toml", script("custodian = 3", "typed", ""));
    let other = run.replace("split.toml", "open.toml").replace("ledger ledger", "ledger other");
    assert_eq!(typed(&lab, &[("operator: type your name", "{kill}")], &other).code, 255);
    let resume = "ceremony resume --ledger other --answers few.toml --pin-file pin";
    lab.keyrite(resume).fails(2, &["open.toml", "\"clock\", which the answers file lacks"]);
}

const SHOW: &str = "Type \"show\" to see your share";

fn handed_out() -> Vec<(&'static str, &'static str)> {
    let mut steps = vec![
        ("operator: type your name", "Olga Operator"),
        ("custodian 1 of 3: type your name", "Cara One"),
        ("custodian 2 of 3: type your name", "olga  OPERATOR"),
        ("already signed in as operator", "Carl Two"),
        ("custodian 3 of 3: type your name", "Cleo Three"),
        ("Are the names right?", "yes"),
        ("type words", "{words}"),
        ("type the date in UTC", "{date}"),
        ("User PIN of token lab: ", PIN),
    ];
    for shares in [["{share 1}"], ["{share 2}"], ["{share 3}"]] {
        steps.extend([(SHOW, "show"), ("type \"written\"", "written"), ("Share: ", shares[0])]);
    }
    steps
}

#[test]
fn handed_out_and_typed_in_at_a_terminal() {
    let lab = ready();
    let run = "ceremony run split.toml --hsm hsm.toml --ledger ledger";
    let mut steps = handed_out();
    // A typing error and another person's share are reported, and the share can be shown again.
    steps.splice(
        14..15,
        [
            ("Share: ", "ms1 2"),
            ("were typed", ""),
            ("Share: ", "{share 1}"),
            ("not yours", ""),
            ("Share: ", "again"),
            (SHOW, "show"),
            ("type \"written\"", "written"),
            ("Share: ", "show"),
            ("shown as you type", "{share 2}"),
        ],
    );
    steps.retain(|(_, line)| !line.is_empty());
    steps.push(("type: set pin", "{pin}"));
    let ran = typed(&lab, &steps, run);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let shares: Vec<String> = support::typist::shares(&ran.out);
    assert_eq!(shares.len(), 4, "three, and one of them twice:\n{}", ran.out);
    // The screen is cleared after each share.
    assert!(
        ran.out.matches("\u{1b}[2J").count() >= 8 || ran.out.contains(&"\r\r\n".repeat(100)),
        "{}",
        ran.out
    );

    let steps = [
        ("operator: type your name", "Olga Operator"),
        ("custodian 1 of 3: type your name", "Cara One"),
        ("custodian 2 of 3: type your name", "Carl Two"),
        ("custodian 3 of 3: type your name", "Cleo Three"),
        ("Are the names right?", "yes"),
        ("type words", "{words}"),
        ("type the date in UTC", "{date}"),
        ("Share: ", "ms1 2xxxx"),
        ("Share: ", "none"),
        ("Share: ", &shares[0]),
        ("Share: ", &shares[0]),
        ("Share: ", &shares[3]),
    ];
    let trace = "-f -s 4096 -e trace=!read -o trace.txt";
    let ran = support::typist::typed_under(
        &lab,
        &steps,
        &format!("strace {trace}"),
        "ceremony run open.toml --hsm hsm.toml --ledger ledger",
    );
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("was already entered"), "{}", ran.out);
    assert!(ran.out.contains("These shares yield the PIN"), "{}", ran.out);
    // Neither shares nor PIN are in any file in any form, nor in any system call except the
    // terminal's reads.
    let mut set = Collected::default();
    set.add(Share::read(&shares[0]).unwrap()).unwrap();
    set.add(Share::read(&shares[3]).unwrap()).unwrap();
    let pin = set.secret().unwrap();
    let mut secrets = vec![pin.expose_secret().to_owned()];
    for share in &shares {
        secrets.push(share.clone());
        secrets.push(share.replace(' ', ""));
    }
    for file in support::walk(lab.dir.path()) {
        if ["steps.json", "driver.py"].contains(&file.file_name().unwrap().to_str().unwrap()) {
            continue;
        }
        let octets = std::fs::read(&file).unwrap();
        for secret in &secrets {
            let found = octets.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{}: holds {secret}", file.display());
        }
    }
    assert!(!ran.out.contains(&shares[0]), "typed shares are not echoed");
}

/// Shares from a file are recorded as such, and a run at a terminal that uses them is unattended.
#[test]
fn shares_from_a_file_are_recorded_as_such() {
    let lab = ready();
    run(&lab, "split.toml", "--new-share-file shares").ok();
    lab.write("profiles.toml", support::PROFILES);
    let script = support::root_script("ecdsa-p256")
        .replacen("[[step]]\n", "[people]\noperator = 1\ncustodian = 3\n[[step]]\n", 1)
        .replace("\"open-token\"", "\"open-token\"\npin = \"shares\"");
    lab.write("root.toml", script);
    let steps = [
        ("operator: type your name", "Olga Operator"),
        ("custodian 1 of 3: type your name", "Cara One"),
        ("custodian 2 of 3: type your name", "Carl Two"),
        ("custodian 3 of 3: type your name", "Cleo Three"),
        ("Are the names right?", "yes"),
        ("type words", "{words}"),
        ("type the date in UTC", "{date}"),
        ("type: root-ca", "root-ca"),
        ("type: manifest", "manifest"),
        ("type words", "{words}"),
    ];
    let run = "ceremony run root.toml --hsm hsm.toml --ledger real --out out --share-file shares";
    let ran = typed(&lab, &steps, run);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("nobody typed it"), "{}", ran.out);
    assert_eq!(lab.manifest("out")["kind"], "production");
    assert_eq!(lab.manifest("out")["unattended"], true);
    assert_eq!(lab.read("out/transcript.jsonl").matches("\"from\":\"file\"").count(), 2);
    let report = lab.keyrite("ceremony report out --script root.toml --format markdown").ok().out;
    assert!(
        report.contains("was read from a file: nobody typed it") && !report.contains("One typed"),
        "{report}"
    );
}

/// Stopped after shares were handed out and before the PIN changed: the old PIN is valid, and the
/// step starts over.
#[test]
fn stopped_before_the_pin_changes() {
    let lab = ready();
    let mut steps = handed_out();
    steps.push(("type: set pin", "stop"));
    let ran = typed(&lab, &steps, "ceremony run split.toml --hsm hsm.toml --ledger ledger");
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("ceremony resume --ledger ledger"), "{}", ran.out);
    let shares = support::typist::shares(&ran.out);
    let mut steps = handed_out();
    steps.splice(8..8, [("Share: ", shares[0].as_str()), ("Share: ", shares[1].as_str())]);
    let at = steps.len();
    steps.push(("type: set pin", "{pin}"));
    assert_eq!(at, 20);
    let ran = typed(&lab, &steps, "ceremony resume --ledger ledger");
    assert_eq!(ran.code, 0, "{}", ran.out);
    let told = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("destroy every paper of it"), "{}", ran.out);
}

/// The shipped scripts: split, then change, then open with the new shares only.
#[test]
fn shipped_scripts_split_and_change() {
    let lab = Lab::new();
    lab.ceremony_files();
    run(&lab, "ceremony/custody.toml", "--new-share-file one").ok();
    run(&lab, "ceremony/custody-change.toml", "--share-file one --new-share-file two").ok();
    run(&lab, "ceremony/custody-change.toml", "--share-file one --new-share-file three")
        .fails(2, &["expected set"]);
    assert_eq!(lab.read("two").lines().count(), 5);
    // Printed and executed steps are the same.
    for (ceremony, script) in [(1, "custody.toml"), (2, "custody-change.toml")] {
        let lines = lab.transcript("ledger", ceremony);
        let records = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let steps: Vec<_> = records.filter(|record| record["event"] == "step").collect();
        let executed = steps.iter().map(|step| {
            let (number, act) = (&step["data"]["number"], step["data"]["act"].as_str().unwrap());
            format!("### Step {number} of {}: {act}", steps.len())
        });
        let paper = lab.keyrite(&format!("ceremony print ceremony/{script} --format markdown")).ok().out;
        let printed: Vec<&str> = paper.lines().filter(|line| line.starts_with("### Step ")).collect();
        assert_eq!(executed.collect::<Vec<_>>(), printed, "{script}");
    }
    assert!(!lab.path("three").exists());
    lab.write("open.toml", script("custodian = 5", "shares", ""));
    run(&lab, "open.toml", "--share-file two").ok();
}

/// Custody scripts are rehearsed too, on a throwaway token whose PIN is split for it.
#[test]
fn custody_is_rehearsed() {
    let lab = Lab::without_token();
    lab.ceremony_files();
    let answers = "--answers ceremony/answers-accept.toml";
    lab.keyrite(&format!("rehearse ceremony/custody.toml {answers} --out first")).ok();
    lab.keyrite(&format!("rehearse ceremony/custody-change.toml {answers} --out change")).ok();
    lab.keyrite(&format!(
        "rehearse ceremony/custody-change.toml --after ceremony/custody.toml {answers} --out both"
    ))
    .ok();
    assert_eq!(lab.read("both/token/shares-2").lines().count(), 5);
}

/// A share is shown and cleared only by the words for it: Enter does nothing, and input typed
/// before the prompt is discarded.
#[test]
fn type_ahead_shows_no_share() {
    let lab = ready();
    let mut steps = handed_out();
    let ahead = format!("{PIN}\n\nshow\n\nwritten\n");
    steps[8].1 = &ahead;
    steps.splice(
        9..12,
        [
            (SHOW, ""),
            ("Type only \"show\"", "yes"),
            ("Type only \"show\"", "show\n\nwritten\n\nwritten"),
            ("type \"written\"", ""),
            ("Type only \"written\"", "written\n\nagain\nshow"),
            ("Share: ", "{share 1}\n\nshow\nwritten\n\n"),
        ],
    );
    steps.push(("type: set pin", "{pin}"));
    let ran = typed(&lab, &steps, "ceremony run split.toml --hsm hsm.toml --ledger ledger");
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert_eq!(support::typist::shares(&ran.out).len(), 3, "{}", ran.out);
    assert_eq!(ran.out.matches("Type only").count(), 3, "{}", ran.out);
    assert!(!ran.out.contains("Not valid") && !ran.out.contains("It is shown once more"), "{}", ran.out);
    assert_eq!(ran.out.matches(SHOW).count(), 3, "{}", ran.out);
}

/// Ctrl-C while a share is on the screen, and at a prompt without echo: the screen is cleared, echo
/// is restored, and the ceremony can be resumed.
#[test]
fn interrupted_at_a_share() {
    let lab = ready();
    let run = "ceremony run split.toml --hsm hsm.toml --ledger ledger";
    for (at, wait) in [(10, "type \"written\""), (11, "Share: ")] {
        let mut steps = handed_out()[..at].to_vec();
        if at == 11 {
            steps.truncate(at);
        }
        steps.push((wait, "{interrupt}"));
        let ran = typed(&lab, &steps, if at == 10 { run } else { "ceremony resume --ledger ledger" });
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert!(ran.out.contains("ceremony resume --ledger ledger"), "{}", ran.out);
        assert!(ran.out.contains("echo is on"), "{}", ran.out);
        // Papers of an incomplete set are void, which is reported.
        let void = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(void.contains("are void: destroy every paper of it"), at == 11, "{}", ran.out);
        let last = ran.out.rfind("ms1 ").unwrap();
        let after = &ran.out[last..];
        assert!(after.contains("\u{1b}[2J") || after.contains(&"\r\r\n".repeat(100)), "{}", ran.out);
    }
}
