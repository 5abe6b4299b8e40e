//! People in a ceremony: attendance and confirmations, stop and resume at every prompt, exceptions,
//! records, foreign objects on the token, and screens.

use std::fmt::Write as _;

use crate::support::messages::golden;
use crate::support::typist::typed;
use crate::support::{self, Lab, PIN, SOFTHSM};
use serde_json::Value;

const PEOPLE: &str = "[people]\nadministrator = 1\noperator = 1\nwitness = 2\nconfirm = { operator = 1, witness = 1 }\nmay_share = [[\"administrator\", \"operator\"]]\n";
const SEAL: &str =
    "[[step]]\nact = \"record\"\nkind = \"seal\"\nlabel = \"bag of the token\"\nby = \"witness\"\n";
const RUN: &str = "ceremony run root.toml --hsm hsm.toml --ledger ledger --out out";
const RESUME: &str = "ceremony resume --ledger ledger";

/// The small root script with people, a seal at the beginning, and both witnesses before the root.
fn ready() -> Lab {
    let mut lab = Lab::new();
    lab.set("TERM", "dumb");
    lab.write("profiles.toml", support::PROFILES);
    let script = support::root_script("ecdsa-p256")
        .replacen("[[step]]\n", &format!("{PEOPLE}{SEAL}[[step]]\n"), 1)
        .replacen("key = ", "confirm = { operator = 1, witness = 2 }\nkey = ", 1);
    lab.write("root.toml", script);
    lab
}

type Prompt = (usize, &'static str, &'static str);

/// Every prompt of that script: step (0 before the first), expected text, input.
const PROMPTS: [Prompt; 19] = [
    (0, "administrator: type your name", "Olga Operator"),
    (0, "operator: type your name", "Olga Operator"),
    (0, "witness 1 of 2: type your name", "Wim Witness"),
    (0, "witness 2 of 2: type your name", "Wanda Witness"),
    (0, "Are the names right?", "yes"),
    (0, "Olga Operator (operator): compare", "{words}"),
    (0, "Wim Witness (witness): compare", "{words}"),
    (1, "Wim Witness (witness): read the number", "AB 1234567"),
    (1, "Wim Witness (witness): read it off again", "AB 1234567"),
    (2, "Olga Operator (operator): The clock", "{date}"),
    (2, "Wim Witness (witness): The clock", "{date}"),
    (3, "User PIN of token lab: ", PIN),
    (5, "Olga Operator (operator): To generate the key of root-ca", "root-ca"),
    (5, "Wim Witness (witness): To generate the key of root-ca", "root-ca"),
    (5, "Wanda Witness (witness): To generate the key of root-ca", "root-ca"),
    (6, "Olga Operator (operator): To generate the key of manifest", "manifest"),
    (6, "Wim Witness (witness): To generate the key of manifest", "manifest"),
    (7, "Olga Operator (operator): write all of it", "{words}"),
    (7, "Wim Witness (witness): write all of it", "{words}"),
];

fn prompts() -> Vec<Prompt> {
    PROMPTS.to_vec()
}

fn lines(prompts: impl IntoIterator<Item = Prompt>) -> Vec<(&'static str, &'static str)> {
    prompts.into_iter().map(|(_, wait, line)| (wait, line)).collect()
}

/// Prompts after a resume in this step: people, plan, machine and token again.
fn from_step(step: usize) -> Vec<(&'static str, &'static str)> {
    let again = |at: usize| at == 0 || ((2..=3).contains(&at) && at < step);
    lines(prompts().into_iter().filter(|(at, ..)| *at >= step || again(*at)))
}

fn transcript(lab: &Lab) -> Vec<Value> {
    lab.read("out/transcript.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'a>(records: &'a [Value], event: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["event"] == event).map(|record| &record["data"]).collect()
}

#[track_caller]
fn whole(lab: &Lab) {
    lab.keyrite("verify out --root out/authorities/root-ca.crt").ok();
    let inspect = lab.keyrite("token inspect --hsm hsm.toml --pin-file pin").ok();
    assert_eq!(inspect.out.matches("private key").count(), 2, "{}", inspect.out);
    let ran = lab.keyrite("audit ledger out --script root.toml").ok();
    assert!(ran.out.contains("THE RECORD HOLDS"), "{}", ran.out);
}

#[test]
fn stopped_at_each_prompt_and_resumed() {
    for (at, (step, wait, _)) in prompts().into_iter().enumerate() {
        let lab = ready();
        let mut until = lines(prompts().into_iter().take(at));
        until.push((wait, "stop"));
        let ran = typed(&lab, &until, RUN);
        // There is a certificate once the root's step is done.
        let code = if step > 5 { 4 } else { 1 };
        assert_eq!(ran.code, code, "{wait}:\n{}", ran.out);
        let on = ran.out.contains("keyrite ceremony resume --ledger ledger");
        assert_eq!(on, step > 0, "says how to go on at {wait}:\n{}", ran.out);
        let ran = match step {
            0 => typed(&lab, &lines(prompts()), RUN),
            _ => typed(&lab, &from_step(step), RESUME),
        };
        assert_eq!(ran.code, 0, "{wait}:\n{}", ran.out);
        if step > 5 {
            // Completed steps are not announced again.
            let told = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
            let next = ["", "create-manifest-key", "release"][step - 5];
            assert!(told.contains(&format!("Look for unknown objects. Next: {next}")), "{}", ran.out);
        }
        whole(&lab);
    }
}

#[test]
fn killed_in_each_step_and_resumed() {
    for step in 0..=7 {
        let Some(at) = prompts().iter().rposition(|(of, ..)| *of == step) else { continue };
        let lab = ready();
        let mut until = lines(prompts().into_iter().take(at));
        until.push((prompts()[at].1, "{kill}"));
        assert_eq!(typed(&lab, &until, RUN).code, 255);
        let mut on = from_step(step);
        if step == 7 {
            assert!(lab.path("out/manifest.json.p7s").exists());
        }
        on.dedup();
        let ran = typed(&lab, &on, RESUME);
        assert_eq!(ran.code, 0, "step {step}:\n{}", ran.out);
        assert!(ran.out.contains("This ceremony was interrupted and continues."), "{}", ran.out);
        whole(&lab);
    }
}

#[test]
fn confirmations_are_recorded() {
    let lab = ready();
    let mut steps = lines(prompts());
    // An exception; a person in two roles; a mistyped seal; a wrong word.
    steps.splice(
        14..14,
        [
            (steps[14].0, "exception"),
            ("Who reports it", "Wanda Witness"),
            ("What happened", "The camera \u{1b}[31mstopped   for a minute"),
        ],
    );
    steps.splice(
        8..9,
        [
            (steps[8].0, "AB 7654321"),
            ("The two differ", ""),
            (steps[7].0, "AB 1234567"),
            (steps[8].0, "AB 1234567"),
        ],
    );
    steps.splice(
        3..4,
        [
            (steps[3].0, "WIM  witness"),
            ("already signed in as witness", "W"),
            ("a name must be 2 to 60", "Wanda Witness"),
        ],
    );
    steps.retain(|(_, line)| !line.is_empty());
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 0, "{}", ran.out);
    lab.write("rewrite.py", support::REWRITE);
    for edit in [
        "r.remove(s)",
        "s['data']['label'] = 'bag'",
        "s['data']['kind'] = 'serial'",
        "s['data']['role'] = 'operator'",
        "s['data']['by'] = 'Nobody Known'",
    ] {
        let edit = format!("s = [x for x in r if x['event'] == 'statement'][0]; {edit}");
        lab.run("python3", &["rewrite.py", "out/transcript.jsonl", "bad.jsonl", &edit]).ok();
        let found = lab.keyrite("audit bad.jsonl --script root.toml");
        found.fails(1, &["THE RECORD DOES NOT HOLD"]);
    }
    let records = transcript(&lab);
    let present: Vec<String> =
        of(&records, "present").iter().map(|p| format!("{} {}", p["role"], p["name"])).collect();
    assert_eq!(
        present,
        [
            "\"administrator\" \"Olga Operator\"",
            "\"operator\" \"Olga Operator\"",
            "\"witness\" \"Wim Witness\"",
            "\"witness\" \"Wanda Witness\""
        ]
    );
    let by = |prompt: &str| -> Vec<String> {
        let said = of(&records, "confirmed");
        said.iter()
            .filter(|c| c["asked"]["prompt"] == prompt)
            .map(|c| c["by"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(by("plan"), ["Olga Operator", "Wim Witness"]);
    assert_eq!(
        by("create"),
        ["Olga Operator", "Wim Witness", "Wanda Witness", "Olga Operator", "Wim Witness"]
    );
    // Nobody types words that another person typed before.
    let plan: Vec<&Value> =
        of(&records, "confirmed").into_iter().filter(|c| c["asked"]["prompt"] == "plan").collect();
    assert_ne!(plan[0]["answer"], plan[1]["answer"]);
    let exception = of(&records, "exception");
    assert_eq!(exception.len(), 1);
    assert_eq!(exception[0]["by"], "Wanda Witness");
    assert_eq!(exception[0]["text"], "The camera [31mstopped for a minute");
    assert_eq!(exception[0]["step"], 5);
    let statement = of(&records, "statement");
    assert_eq!(statement.len(), 1);
    assert_eq!(
        (&statement[0]["kind"], &statement[0]["label"], &statement[0]["value"], &statement[0]["by"]),
        (&"seal".into(), &"bag of the token".into(), &"AB 1234567".into(), &"Wim Witness".into())
    );
    whole(&lab);
}

#[test]
fn photographs_and_statements_are_recorded() {
    let lab = Lab::new();
    let digest = "0123456789abcdef".repeat(4);
    let step = |kind: &str, label: &str| {
        format!("[[step]]\nact = \"record\"\nkind = \"{kind}\"\nlabel = \"{label}\"\n")
    };
    let script = ["statement", "serial", "seal", "photograph-sha256"].map(|kind| step(kind, kind)).concat();
    lab.write("record.toml", format!("title = \"record\"\npurpose = \"test\"\n{script}"));
    let answers = |photograph: &str| {
        let text = format!(
            "plan = \"accept\"\nclock = \"accept\"\n[people]\noperator = [\"Ann Example\"]\n[record]\nstatement = \"I saw it\"\nserial = \"S/N 1\"\nseal = \"A 1\"\nphotograph-sha256 = \"{photograph}\"\n"
        );
        lab.write("a.toml", text);
        lab.keyrite("ceremony run record.toml --hsm hsm.toml --ledger ledger --answers a.toml")
    };
    answers("0123").fails(2, &["photograph-sha256", "64 hexadecimal digits"]);
    answers(&digest).ok();
    lab.write("a.toml", "plan = \"accept\"\nclock = \"accept\"\n[people]\noperator = [\"Ann Example\"]\n");
    lab.keyrite("ceremony run record.toml --hsm hsm.toml --ledger ledger --answers a.toml")
        .fails(2, &["records \"statement\"", "[record]"]);
}

#[test]
fn missing_and_duplicate_people_are_refused() {
    let lab = ready();
    let check = |people: &str, from: &str, to: &str| {
        let script =
            support::root_script("ecdsa-p256").replacen("[[step]]\n", &format!("{people}[[step]]\n"), 1);
        lab.write("x.toml", script.replacen(from, to, 1));
        lab.keyrite("ceremony check x.toml")
    };
    let bad: [(&str, &[&str]); 7] = [
        ("[people]\noperator = 0\n", &["operator is 0", "at least 1"]),
        ("[people]\nwitness = 17\n", &["witness is 17, must be at most 16"]),
        ("[people]\nnotary = 1\n", &["notary"]),
        ("[people]\nconfirm = { witness = 1 }\n", &["confirm requires 1 witness, [people] has 0"]),
        ("[people]\nconfirm = {}\n", &["confirm is empty"]),
        ("[people]\nmay_share = [[\"operator\", \"witness\"]]\n", &["may_share pairs operator with witness"]),
        (
            "[people]\nwitness = 1\nmay_share = [[\"operator\", \"witness\"]]\nconfirm = { operator = 1, witness = 1 }\n",
            &["which may_share allows one person to hold"],
        ),
    ];
    for (people, texts) in bad {
        check(people, "", "").fails(2, texts);
    }
    check("", "act = \"inventory\"", "act = \"inventory\"\nconfirm = { witness = 1 }")
        .fails(2, &["step 3 (inventory)", "[people] has 0"]);
    check(
        "",
        "act = \"inventory\"",
        "act = \"inventory\"\n[[step]]\nact = \"custody\"\nthreshold = 2\nshares = 3",
    )
    .fails(2, &["3 shares require as many custodians"]);
    check(
        "[people]\ncustodian = 3\n",
        "act = \"inventory\"",
        "act = \"inventory\"\n[[step]]\nact = \"custody\"\nthreshold = 1\nshares = 3",
    )
    .fails(2, &["threshold is 1 of 3"]);
    check("", "act = \"open-token\"", "act = \"open-token\"\npin = \"shares\"")
        .fails(2, &["requires at least 2 custodians"]);
    // One person in two roles, from an answers file.
    let answers = lab
        .read_shipped("answers-accept.toml")
        .replace("bag that held", "bag of")
        .replace("Rehearsal Witness\", \"Second ", "REHEARSAL  Operator\", \"");
    lab.write("a.toml", answers);
    lab.keyrite(&format!("{RUN} --answers a.toml --pin-file pin"))
        .fails(2, &["already signed in as operator", "a different person as witness"]);
    assert!(!lab.path("ledger").exists());
}

/// Invalid names are rejected, mistyped ones are corrected, and neither is recorded.
#[test]
fn names_are_read_back_and_corrected() {
    let lab = ready();
    let mut steps = lines(prompts());
    steps.splice(
        0..5,
        [
            ("administrator: type your name", "12345678"),
            ("more letters than digits", "help"),
            ("this word is not accepted as a name", "Olga Operater"),
            ("operator: type your name", "Olga Operator"),
            ("witness 1 of 2: type your name", "Wim Witness"),
            ("witness 2 of 2: type your name", "Wanda Witness"),
            ("Are the names right?", "5"),
            ("neither", "1"),
            ("administrator: type your name", "Wim Witness"),
            ("already signed in as witness", "Olga Operator"),
            ("Are the names right?", ""),
            ("neither", "YES"),
        ],
    );
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let records = transcript(&lab);
    let names: Vec<&str> = of(&records, "present").iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Olga Operator", "Olga Operator", "Wim Witness", "Wanda Witness"]);
    for file in support::walk(&lab.path("ledger")).into_iter().chain(support::walk(&lab.path("out"))) {
        let octets = std::fs::read(&file).unwrap();
        for word in [&b"12345678"[..], b"Operater"] {
            assert!(!octets.windows(word.len()).any(|found| found == word), "{}", file.display());
        }
    }
    whole(&lab);
    // Names in an answers file follow the same rules.
    let answers = lab.read_shipped("answers-accept.toml");
    let answers = answers.replace("bag that held", "bag of").replace("\"Rehearsal Operator", "\"0000 1111");
    lab.write("a.toml", answers);
    lab.keyrite(
        &format!("{RUN} --ledger other --answers a.toml --pin-file pin").replace("--ledger ledger ", ""),
    )
    .fails(2, &["operator 1: a name must have more letters than digits"]);
}

/// The whole digest in the answers file is accepted, another one is not.
#[test]
fn answers_may_pin_the_plan() {
    let lab = Lab::new();
    lab.write_root_script();
    let checked = lab.keyrite("ceremony check root.toml").ok().out;
    let line = checked.lines().find(|line| line.starts_with("plan digest")).unwrap();
    let digest = line.split_whitespace().last().unwrap();
    let run = |plan: &str| {
        lab.write(
            "a.toml",
            lab.read_shipped("answers-accept.toml")
                .replace("plan = \"accept\"", &format!("plan = \"{plan}\"")),
        );
        lab.keyrite(&format!("{RUN} --answers a.toml --pin-file pin"))
    };
    run(&"0".repeat(64)).fails(1, &["the ceremony expects", digest]);
    run(digest).ok();
}

#[test]
fn unexpected_object_stops_the_ceremony() {
    let lab = ready();
    let make = format!(
        "pkcs11-tool --module {SOFTHSM} --token-label lab --login --pin {PIN} --keypairgen --key-type EC:prime256v1 --label other >/dev/null 2>&1"
    );
    // It appears during a prompt: nothing more is signed.
    let script = format!("{{sh {make}}}manifest");
    let mut steps: Vec<(&str, &str)> = lines(prompts());
    steps[16].1 = &script;
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 4, "{}", ran.out);
    let told = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("TOKEN-APPEARED") && told.contains("EC private key \"other\""), "{}", ran.out);
    assert!(!lab.path("out/manifest.json.p7s").exists());
    lab.resume().fails(4, &["TOKEN-APPEARED"]);
    // A foreign object that existed before: the script may report it, and it is known from then on.
    let lab = Lab::new();
    lab.run("sh", &["-c", &make]).ok();
    lab.write_root_script();
    lab.ceremony("root.toml", "--out out").fails(3, &["TOKEN-STRANGER", "\"other\""]);
    let script = support::root_script("ecdsa-p256");
    lab.write("root.toml", script.replace("\"inventory\"", "\"inventory\"\nstrangers = \"report\""));
    lab.ceremony("root.toml", "--out out").ok();
    let records = transcript(&lab);
    let looks = of(&records, "inventory");
    assert_eq!(looks.len(), 2, "before and after");
    assert_eq!((&looks[0]["when"], &looks[1]["when"]), (&"step".into(), &"after".into()));
    assert_eq!(looks[1]["not_of_this_ledger"], 2);
    assert_eq!(looks[1]["objects"].as_array().unwrap().len(), 6);
    lab.sign_script(support::WEB);
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", support::P256);
    lab.sign("in", "second").ok();
}

/// The screens of a whole ceremony, reviewed once: 80 columns, plain text.
#[test]
fn golden_screens() {
    let lab = ready();
    let ran = typed(&lab, &lines(prompts()), RUN);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let screen = ran.out.replace('\r', "");
    assert!(screen.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "plain text only");
    for line in screen.lines() {
        assert!(line.len() <= 80 || line.contains('/'), "longer than 80 columns: {line}");
    }
    golden("root-screens.txt", &normalised(&screen));
}

/// Replaces text that changes from run to run by words in capitals.
fn normalised(screen: &str) -> String {
    let mut text = String::new();
    for line in screen.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let row = words.len() == 12 && words.iter().step_by(2).all(|word| word.parse::<u8>().is_ok());
        if row {
            text.push_str("   WORDS\n");
            continue;
        }
        if ["kernel", "network", "swap", "memory", "loader"].contains(words.first().unwrap_or(&"")) {
            writeln!(text, "  {} MACHINE", words[0]).unwrap();
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let words: Vec<String> = words.iter().map(|word| normal(word, line.contains("type words"))).collect();
        writeln!(text, "{}{}", " ".repeat(indent), words.join(" ")).unwrap();
    }
    // Typed words, their positions, and line breaks that depend on them.
    let mut kept: Vec<&str> = Vec::new();
    for line in text.lines() {
        match line {
            line if line.starts_with("  > ") && line.split(' ').count() == 6 && !line.contains("1234567") => {
                kept.push("  > THREE WORDS")
            }
            line => kept.push(line),
        }
    }
    kept.join("\n") + "\n"
}

fn normal(word: &str, numbers: bool) -> String {
    let plain = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let hex = plain.len() >= 8 && plain.bytes().all(|b| b.is_ascii_hexdigit());
    let date = plain.len() >= 10 && plain.starts_with("20") && plain.contains('-');
    let number = numbers && plain.len() <= 2 && plain.parse::<u8>().is_ok();
    match () {
        () if hex && plain.len() != 64 => word.replace(plain, "HEXADECIMAL"),
        () if hex => "DIGEST".into(),
        () if date => word.replace(plain, "TIME"),
        () if number && (word.ends_with(',') || plain == word) => word.replace(plain, "N"),
        () if word.starts_with('/') => "PATH".into(),
        () => word.to_owned(),
    }
}
