//! Paper: the printed script is the one that runs, and the page loads nothing.

use crate::support::messages::golden;
use crate::support::{self, Lab, P256, repository};

/// Returns the numbered steps of a printed script.
fn printed(markdown: &str) -> Vec<String> {
    let steps = markdown.lines().filter_map(|line| line.strip_prefix("### Step "));
    steps.map(|line| format!("Step {line}")).collect()
}

/// Returns the steps of a ceremony from its transcript.
fn executed(lab: &Lab, release: &str) -> Vec<String> {
    let transcript = lab.read(&format!("{release}/transcript.jsonl"));
    let records: Vec<serde_json::Value> =
        transcript.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps: Vec<&serde_json::Value> =
        records.iter().filter(|record| record["event"] == "step").map(|record| &record["data"]).collect();
    let all = steps.len();
    steps
        .iter()
        .map(|step| format!("Step {} of {all}: {}", step["number"], step["act"].as_str().unwrap()))
        .collect()
}

fn print(lab: &Lab, script: &str) -> String {
    lab.keyrite(&format!("ceremony print {script} --format markdown")).ok().out
}

/// Removes the digest of the program, which depends on the build.
fn without_program(text: &str) -> String {
    let lines = text.lines().map(|line| match line.starts_with("| Its SHA-256 |") {
        true => "| Its SHA-256 | (of the program) |",
        false => line,
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn printed_steps_match_executed_steps() {
    let lab = Lab::without_token();
    lab.ceremony_files();
    lab.keyrite("rehearse --out show").ok();
    let run = |script: &str, more: &str, out: &str| {
        lab.ceremony(&format!("ceremony/{script}"), &format!("--rehearsal --out {out} {more}")).ok();
    };
    lab.init_token("lab");
    run("single-root.toml", "", "root");
    run("intermediate.toml", "", "intermediate");
    lab.csr("bundle/servers/a.csr", "/CN=a", "DNS:a.example.internal", P256);
    run("single-sign.toml", "--in bundle", "single");
    // On a separate token, because it creates a manifest key too.
    let other = Lab::new();
    other.ceremony_files();
    other.ceremony("ceremony/kubernetes-single-ca-roots.toml", "--rehearsal --out root").ok();
    other.party("signer.key", "in/pki/cluster-signer.csr", "/CN=cluster-signer", "", "pkcs8");
    other.ceremony("ceremony/kubernetes-signer.toml", "--rehearsal --in in --out signed").ok();
    // With stand-ins for the authorities that they need.
    lab.csr("signer/pki/cluster-signer.csr", "/CN=cluster-signer", "", P256);
    let objects = repository().join("tests/fixtures/csr-list.json");
    let collect = "--out objects.tar --cluster prod-1 --expires-in 7";
    lab.keyrite(&format!("request objects {} {collect}", objects.display())).ok();
    for (script, bundle) in [("signer", "signer"), ("objects", "objects.tar")] {
        let more = format!("--in {bundle} --out show-{script} --answers ceremony/answers-accept.toml");
        lab.keyrite(&format!("rehearse ceremony/kubernetes-{script}.toml {more}")).ok();
    }
    let pairs = [
        (&lab, "kubernetes-signer.toml", "show-signer/release"),
        (&lab, "kubernetes-objects.toml", "show-objects/release"),
        (&other, "kubernetes-signer.toml", "signed"),
        (&other, "kubernetes-single-ca-roots.toml", "root"),
        (&lab, "kubernetes-roots.toml", "show/roots"),
        (&lab, "kubernetes-sign.toml", "show/release"),
        (&lab, "single-root.toml", "root"),
        (&lab, "intermediate.toml", "intermediate"),
        (&lab, "single-sign.toml", "single"),
    ];
    for (lab, script, release) in pairs {
        let paper = print(lab, &format!("ceremony/{script}"));
        assert_eq!(printed(&paper), executed(lab, release), "{script}");
        // The digest on paper is the one that ran, and the one computed with stock tools.
        let digest = lab.manifest(release)["plan"]["sha256"].as_str().unwrap().to_owned();
        let groups: Vec<&str> = (0..8).map(|at| &digest[at * 8..at * 8 + 8]).collect();
        assert!(paper.contains(&groups[..4].join(" ")) && paper.contains(&groups[4..].join(" ")), "{script}");
    }
    // No shipped script is missing from this test.
    let known = pairs.map(|(_, script, _)| script);
    // Custody scripts make no release; custody.rs runs them and compares the steps.
    let known: Vec<&str> = known.into_iter().chain(["custody.toml", "custody-change.toml"]).collect();
    for file in std::fs::read_dir(repository().join("ceremony")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let script = std::fs::read_to_string(&path).is_ok_and(|text| text.contains("[[step]]"));
        assert!(!script || !name.ends_with(".toml") || known.contains(&name.as_str()), "{name} is not tried");
    }
}

#[test]
fn markdown_of_a_small_script() {
    let lab = Lab::without_token();
    lab.write_root_script();
    golden("script.md", &without_program(&print(&lab, "root.toml")));
}

/// The page is self-contained, and script text is escaped.
#[test]
fn page_loads_nothing_and_escapes_everything() {
    let lab = Lab::without_token();
    lab.write("profiles.toml", support::PROFILES);
    let title = r#"title = "<script src='http://evil'>\u202E & \"; } body { background: url(x)""#;
    let script = support::root_script("ecdsa-p256").replace("title = \"root\"", title);
    lab.write("evil.toml", format!("# </pre><img src=x onerror=alert(1)>\n{script}"));
    lab.keyrite("ceremony print evil.toml --out evil.html").ok();
    let page = lab.read("evil.html");
    for forbidden in ["<script", "<img", "<link", "@import", "\u{202e}"] {
        assert!(!page.contains(forbidden), "{forbidden} in\n{page}");
    }
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    assert!(!style.contains("url(") && !style.contains("http://"), "{style}");
    // Only tags and attributes that load nothing, and every tag is closed. The title is complete in
    // the page footer, where it is escaped for CSS.
    let foot = "\\3c script src\\3d \\27 http:\\2f \\2f evil\\27 \\3e ";
    assert!(style.contains(foot), "{style}");
    let check = r#"
import html.parser
stack = []
tags = "html head meta title style body p h1 h2 h3 table thead tbody tr th td section ol ul li span wbr div pre code header b".split()
attributes = "lang charset name content http-equiv scope class".split()
class Page(html.parser.HTMLParser):
    def handle_starttag(self, tag, found):
        assert tag in tags and all(name in attributes for name, _ in found), (tag, found)
        if tag not in ("meta", "wbr"):
            stack.append(tag)
    def handle_endtag(self, tag):
        assert stack.pop() == tag, tag
Page().feed(open("evil.html").read())
assert not stack
"#;
    lab.run("python3", &["-c", check]).ok();
    let markdown = print(&lab, "evil.toml");
    assert!(markdown.starts_with("# \\<script"), "{markdown}");
    lab.keyrite("ceremony print evil.toml --out evil.html").fails(2, &["evil.html: exists"]);
    lab.keyrite("ceremony print absent.toml").fails(2, &["absent.toml"]);
}

/// The report lists every request of a ceremony, from ledger or release.
#[test]
fn report_lists_issued_and_refused() {
    let lab = Lab::signing();
    for name in ["a", "b", "c"] {
        let san = format!("DNS:{name}.example.test");
        lab.csr(&format!("in/web/{name}.csr"), &format!("/CN={name}"), &san, P256);
        lab.csr(&format!("in/bad/{name}.csr"), &format!("/CN={name}"), &san, P256);
    }
    lab.sign("in", "out").ok();
    let manifest = lab.manifest("out");
    let by_release = lab.keyrite("ceremony report out --script sign.toml --format markdown").ok().out;
    let by_ledger = lab.keyrite("ceremony report ledger --format markdown").ok().out;
    for report in [&by_release, &by_ledger] {
        assert_eq!(printed(report), executed(&lab, "out"));
        for issued in manifest["certificates"].as_array().unwrap() {
            let (path, serial) =
                (issued["request_path"].as_str().unwrap(), issued["serial"].as_str().unwrap());
            let entry = report.split(&format!("- **{path}** ")).nth(1).unwrap();
            let entry = entry.split("\n- ").next().unwrap();
            // Digits are in groups of eight, each digest on a separate line.
            let digits = entry.replace(' ', "");
            assert!(digits.contains(&format!("serial{serial}")), "{entry}");
            assert!(digits.contains(&format!("SHA-256{}\n", issued["sha256"].as_str().unwrap())), "{entry}");
            assert!(entry.contains(issued["not_after"].as_str().unwrap()), "{entry}");
        }
        for refused in manifest["refusals"].as_array().unwrap() {
            let path = refused["request_path"].as_str().unwrap();
            let row = report.lines().find(|line| line.starts_with(&format!("| {path} |"))).unwrap();
            for reason in refused["reasons"].as_array().unwrap() {
                assert!(row.contains(reason["control"].as_str().unwrap()), "{row}");
            }
        }
        assert!(report.contains("Issued: 3") && report.contains("Refused: 3"), "{report}");
    }
    // A report from a transcript alone has the refusals, and says what is missing.
    let alone = lab.keyrite("ceremony report out/transcript.jsonl --format markdown").ok().out;
    assert!(alone.contains("| bad/a.csr |") && alone.contains("name the release or the ledger"), "{alone}");
    let first = lab.keyrite("ceremony report ledger --ceremony 1 --format markdown").ok().out;
    assert!(first.contains("key root-ca generated in the token"), "{first}");
    // Nothing was issued; the created keys are listed.
    assert!(first.contains("Issued: 0") && first.contains("Keys created: 2"), "{first}");
    assert!(first.contains("- **root-ca** authority CN=Test Root,O=Test: root under root-ca"), "{first}");
    golden("report.md", &masked(&lab, &by_release));
    lab.keyrite("ceremony report out --script root.toml").fails(2, &["the ceremony ran"]);
    // The extension selects the format, and unknown extensions are refused.
    lab.keyrite("ceremony report ledger --out paper.md").ok();
    assert!(lab.read("paper.md").starts_with("# "), "{}", lab.read("paper.md"));
    lab.keyrite("ceremony report ledger --out paper.HTML").ok();
    assert!(lab.read("paper.HTML").starts_with("<!DOCTYPE html>"));
    lab.keyrite("ceremony report ledger --out paper.pdf")
        .fails(2, &["paper.pdf: unknown file extension", "--format"]);
    assert!(!lab.path("paper.pdf").exists());
    lab.keyrite("ceremony report ledger --ceremony 9").fails(2, &["1 to 2"]);
    lab.keyrite("ceremony report out --ceremony 1").fails(2, &["is not a ledger"]);
    lab.keyrite("ceremony report absent").fails(3, &["absent"]);
    lab.write("broken.jsonl", "{}\n");
    lab.keyrite("ceremony report broken.jsonl").fails(3, &["record 1"]);
}

/// Masks times, digests, serial numbers, the machine, and the number of records per batch.
fn masked(lab: &Lab, text: &str) -> String {
    lab.write("text", text);
    let sed = r#"s/([0-9a-f]{8} ){7}[0-9a-f]{8}/(digest in groups)/g; s/([0-9a-f]{8} ){4}[0-9a-f]{8}/(serial in groups)/g; s/[0-9a-f]{64}/(digest)/g; s/01[0-9a-f]{38}/(serial)/g; s/20[0-9]{2}-[0-9-]+T[0-9:]+Z/(time)/g; s/typed ".*"/typed (something)/; s/Linux [^|]*/(machine) /; s/serial [0-9a-f]{16}/serial (token)/; s/^\| Records \| [0-9]+/| Records | (number)/"#;
    lab.run("sed", &["-E", sed, "text"]).ok().out
}

/// Unicode is preserved everywhere: on the screen, in the record, in both paper formats.
#[test]
fn unicode_is_preserved() {
    let lab = Lab::new();
    lab.write("profiles.toml", support::PROFILES);
    let script = support::root_script("ecdsa-p256");
    let script =
        script.replace("title = \"root\"", "title = \"Müller AG, Zürich\"").replace("O=Test", "O=Müller AG");
    lab.write("root.toml", script);
    let accept = lab.read_shipped("answers-accept.toml");
    lab.write("answers.toml", accept.replace("\"Rehearsal Operator\"", "\"Jürgen Müller-Lüdenscheidt\""));
    let ran = lab
        .keyrite("ceremony run root.toml --hsm hsm.toml --ledger ledger --answers answers.toml --pin-file pin --out out")
        .ok();
    for form in ["md", "html"] {
        lab.keyrite(&format!("ceremony report ledger --out report.{form}")).ok();
        lab.keyrite(&format!("ceremony print root.toml --out script.{form}")).ok();
    }
    let verified = lab.keyrite("verify out --root out/authorities/root-ca.crt").ok().out;
    assert!(verified.contains("Müller AG, Zürich"), "{verified}");
    for text in [ran.out, lab.read("report.md"), lab.read("report.html")] {
        for part in ["Müller AG, Zürich", "Jürgen Müller-Lüdenscheidt", "O=Müller AG"] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        assert!(!text.contains("u{"), "{text}");
    }
    for text in [lab.read("script.md"), lab.read("script.html")] {
        assert!(text.contains("Müller AG, Zürich") && !text.contains("u{"), "{text}");
    }
}
