//! Paper: what is printed is what runs, and nothing in it comes from elsewhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use support::{Lab, P256, repository};

/// The numbered steps of a printed script.
fn printed(markdown: &str) -> Vec<String> {
    let steps = markdown.lines().filter_map(|line| line.strip_prefix("### Step "));
    steps.map(|line| format!("Step {line}")).collect()
}

/// The steps that a ceremony performed, by its transcript.
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

/// Compares with a text that is kept; `GOLDEN=write` keeps a new one.
fn golden(name: &str, text: &str) {
    let path = repository().join("tests/golden").join(name);
    if std::env::var("GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{name} differs, see with GOLDEN=write and git diff:\n{text}");
}

/// Without the digest of the program, which differs from one build to the next.
fn without_program(text: &str) -> String {
    let lines = text.lines().map(|line| match line.starts_with("| Its SHA-256 |") {
        true => "| Its SHA-256 | (of the program) |",
        false => line,
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn printed_steps_are_the_executed_ones_for_every_shipped_script() {
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
    let pairs = [
        ("kubernetes-roots.toml", "show/roots"),
        ("kubernetes-sign.toml", "show/release"),
        ("single-root.toml", "root"),
        ("intermediate.toml", "intermediate"),
        ("single-sign.toml", "single"),
    ];
    for (script, release) in pairs {
        let paper = print(&lab, &format!("ceremony/{script}"));
        assert_eq!(printed(&paper), executed(&lab, release), "{script}");
        // The digest on paper is the digest that ran, and the one that the stock tools give.
        let digest = lab.manifest(release)["plan"]["sha256"].as_str().unwrap().to_owned();
        let groups: Vec<&str> = (0..8).map(|at| &digest[at * 8..at * 8 + 8]).collect();
        assert!(paper.contains(&groups[..4].join(" ")) && paper.contains(&groups[4..].join(" ")), "{script}");
    }
    // A shipped script that this test does not know would not be tried.
    let known = pairs.map(|(script, _)| script);
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
    lab.write("profiles.toml", support::PROFILES);
    lab.write("root.toml", support::root_script("ecdsa-p256"));
    golden("script.md", &without_program(&print(&lab, "root.toml")));
}

/// The page stands alone, and what a script says is text and nothing else.
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
    // Only tags and attributes that load and do nothing, and every tag is closed.
    let check = r#"
import html.parser
stack = []
tags = "html head meta title style body p h1 h2 h3 table thead tbody tr th td section ol ul li span div pre code header b".split()
attributes = "lang charset name content http-equiv scope class".split()
class Page(html.parser.HTMLParser):
    def handle_starttag(self, tag, found):
        assert tag in tags and all(name in attributes for name, _ in found), (tag, found)
        if tag != "meta":
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
