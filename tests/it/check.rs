//! `keyrite ceremony check` reports everything that would fail in the room.

use crate::support::{Lab, P256, PROFILES, SIGN_STEPS, WEB, repository, root_script};

fn checked(script: &str, more: &str, texts: &[&str]) {
    let lab = Lab::without_token();
    lab.write("profiles.toml", PROFILES);
    lab.write("s.toml", script);
    lab.keyrite(&format!("ceremony check s.toml {more}")).fails(2, texts);
}

fn sign(roster: &str) -> String {
    format!("{SIGN_STEPS}{roster}")
}

#[test]
fn shipped_scripts_pass() {
    let lab = Lab::without_token();
    for file in std::fs::read_dir(repository().join("ceremony")).unwrap() {
        let path = file.unwrap().path();
        if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("[[step]]")) && path.is_file() {
            let ran = lab.keyrite(&format!("ceremony check {}", path.display()));
            let ran = if path.extension().is_some_and(|e| e == "toml") { ran.ok() } else { continue };
            assert!(ran.out.contains("plan digest"), "{}", ran.out);
        }
    }
}

#[test]
fn all_unmet_preconditions_are_reported() {
    let steps = "title = \"t\"\npurpose = \"p\"\nprofiles = [\"profiles.toml\"]\n[[step]]\nact = \"issue\"\n[[step]]\nact = \"review\"\n[[step]]\nact = \"inventory\"\n[[step]]\nact = \"release\"\n";
    checked(
        &format!("{steps}{WEB}"),
        "",
        &[
            "s.toml: step 1 (issue): requires an earlier review step",
            "s.toml: step 2 (review): requires an earlier import step",
            "s.toml: step 3 (inventory): requires an earlier open-token step",
            "s.toml: step 4 (release): requires an earlier open-token step",
        ],
    );
}

#[test]
fn roster_lines_that_never_match() {
    let line = |path: &str, more: &str| {
        format!("[[roster]]\npath = \"{path}\"\nprofile = \"server\"\nauthority = \"root-ca\"\n{more}\n")
    };
    let good = "subject = [\"CN=*\"]\ndns = [\"*.example.test\"]";
    checked(&sign(&line("../*.csr", good)), "", &["roster line 1", "no file of a bundle can have this path"]);
    checked(&sign(&line("w eb/*.csr", good)), "", &["no file of a bundle"]);
    checked(
        &sign(&(line("web/*.csr", good) + &line("web/a.csr", good))),
        "",
        &[
            "roster line 2 (\"web/a.csr\"): matches only paths of line 1 (\"web/*.csr\")",
            "narrow one of them",
        ],
    );
    checked(
        &sign(&(line("web/a.csr", good) + &line("web/*.csr", good))),
        "",
        &["matches all paths of line 1"],
    );
    checked(
        &sign(&(line("web/*.csr", good) + &line("web/*.csr", good))),
        "",
        &["matches the same paths as line 1"],
    );
    checked(
        &sign(&line("web/*.csr", "subject = [\"CN=*\"]")),
        "",
        &["requires a name, but the line allows none"],
    );
    checked(
        &sign(&line("web/*.csr", "subject = [\"XX=*\"]\ndns = [\"a.test\"]")),
        "",
        &["no subject can have \"XX=*\""],
    );
    checked(
        &sign(&line("web/*.csr", "dns = [\"-bad.test\", \"a..b\", \"ok.test\"]")),
        "",
        &["no DNS name matches \"-bad.test\"", "no DNS name matches \"a..b\"", "2 problems"],
    );
    checked(&sign(&line("web/*.csr", "wildcards = [\"*example.test\"]")), "", &["is not a wildcard name"]);
    let names =
        "[[roster]]\npath = \"c/*.csr\"\nprofile = \"client\"\nauthority = \"root-ca\"\ndns = [\"a.test\"]\n";
    checked(&sign(names), "", &["certificate profile client allows no names"]);
}

#[test]
fn validity_beyond_the_issuer_and_profiles_that_contradict_themselves() {
    let root = root_script("ecdsa-p256");
    checked(
        &root.replacen("days = 3650", "days = 400", 1),
        "",
        &[
            "step 5 (create-manifest-key): manifest would be valid for 3650 days, but its issuer root-ca has only 400 left",
        ],
    );
    let second = "[[step]]\nact = \"create-authority\"\nname = \"sub\"\nprofile = \"intermediate\"\nsubject = [\"CN=s\"]\nkey = \"ecdsa-p256\"\ndays = 9\nissuer = \"root-ca\"\n[[step]]\nact = \"create-authority\"\nname = \"subsub\"\nprofile = \"intermediate\"\nsubject = [\"CN=t\"]\nkey = \"ecdsa-p256\"\ndays = 9\nissuer = \"sub\"\n[[step]]\nact = \"release\"\n";
    let deep = root.replace("[[step]]\nact = \"release\"\n", second);
    checked(&deep, "", &["sub has path length 0, so subsub cannot be an authority below it"]);
    let late = root
        .replace("issuer = \"root-ca\"", "issuer = \"late\"")
        .replace("[[step]]\nact = \"release\"\n", &second.replace("name = \"subsub\"", "name = \"late\""));
    checked(&late, "", &["key late: is used before the step that creates it"]);
    let lab = Lab::without_token();
    lab.write(
        "profiles.toml",
        PROFILES.replace(
            "key_usage = [\"digitalSignature\", \"keyEncipherment\"]",
            "key_usage = [\"keyEncipherment\"]",
        ),
    );
    lab.write("s.toml", sign(WEB));
    lab.keyrite("ceremony check s.toml").fails(2, &["certificate profile server: has no digitalSignature"]);
}

/// Findings that depend on ledger, bundle, HSM profile and output.
#[test]
fn ledger_bundle_and_output() {
    let lab = Lab::signing();
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.csr("bad/web/a.csr", "/CN=a", "DNS:a.example.org", P256);
    let all = "--ledger ledger --hsm hsm.toml --out out";
    lab.keyrite(&format!("ceremony check sign.toml {all} --in in")).ok();
    lab.keyrite("ceremony check root.toml --ledger new --hsm hsm.toml --out out").ok();
    assert!(!lab.path("new").exists() && !lab.path("out").exists(), "a check makes nothing");
    lab.keyrite("ceremony check root.toml --ledger ledger").fails(
        2,
        &[
            "key root-ca: the ledger already has a key with this name",
            "key manifest: the ledger already has a key with this name",
            "2 problems",
        ],
    );
    lab.write("other.toml", sign(&WEB.replace("root-ca", "other-ca")));
    lab.keyrite("ceremony check other.toml --ledger ledger")
        .fails(2, &["key other-ca: neither the ledger nor the script has it"]);
    lab.keyrite("ceremony check other.toml").ok();
    lab.write("roles.toml", sign(&WEB.replace("root-ca", "manifest")));
    lab.keyrite("ceremony check roles.toml --ledger ledger")
        .fails(2, &["key manifest: its role is manifest, but the script uses it as authority"]);
    lab.keyrite("ceremony check sign.toml --in bad --out root --hsm profiles.toml")
        .fails(2, &["every request is refused (1 of 1)", "root: ", "profiles.toml", "3 problems"]);
    let absent =
        lab.keyrite("ceremony check sign.toml --hsm absent.toml").fails(2, &["absent.toml: No such file"]);
    assert_eq!(absent.err.matches("absent.toml").count(), 1, "{}", absent.err);
    lab.keyrite("ceremony check root.toml --in in").fails(2, &["the script imports no bundle"]);
    lab.keyrite("ceremony check sign.toml --ledger in").fails(2, &["has no ledger and is not empty"]);
    // A ledger that is missing or of the other kind, as in a run.
    lab.keyrite("ceremony check sign.toml --ledger absent")
        .fails(2, &["absent: no ledger exists, but sign.toml needs one with root-ca, manifest"]);
    let run = |more: &str| lab.ceremony("sign.toml", &format!("--in in --out out {more}"));
    lab.keyrite("ceremony check sign.toml --ledger ledger --rehearsal")
        .fails(2, &["ledger: is a production ledger"]);
    run("--rehearsal").fails(2, &["ledger: is a production ledger"]);
    let rehearsed = Lab::new();
    rehearsed.write_root_script();
    rehearsed.sign_script(WEB);
    rehearsed.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    rehearsed.sign("in", "out").fails(2, &["ledger: no ledger exists, but sign.toml needs one with root-ca"]);
    rehearsed.ceremony("root.toml", "--out root --rehearsal").ok();
    rehearsed.sign("in", "out").fails(2, &["is a rehearsal's ledger"]);
    rehearsed
        .keyrite("ceremony check sign.toml --ledger ledger")
        .fails(2, &["ledger: is a rehearsal's ledger; name another folder, or add --rehearsal"]);
    rehearsed.keyrite("ceremony check sign.toml --ledger ledger --rehearsal").ok();
    // A root close to its expiry.
    let short = Lab::new();
    short.write("profiles.toml", PROFILES);
    short.write("root.toml", root_script("ecdsa-p256").replace("days = 3650", "days = 100"));
    short.ceremony("root.toml", "--out root").ok();
    short.sign_script(WEB);
    short
        .keyrite("ceremony check sign.toml --ledger ledger")
        .fails(2, &["certificates would be valid for 365 days, but their issuer root-ca has only 100 left"]);
}

#[test]
fn too_many_steps() {
    let steps = "title = \"t\"\npurpose = \"p\"\n".to_owned() + &"[[step]]\nact = \"machine\"\n".repeat(501);
    checked(&steps, "", &["s.toml: step: 501 steps, must be at most 500"]);
}

/// For ledger and output, `check` and `run` have the same messages and exit codes.
#[test]
fn check_and_run_agree_on_ledger_and_output() {
    let lab = Lab::signing();
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    let both = |out: &str, code: i32, text: &str| {
        lab.keyrite(&format!("ceremony check sign.toml --ledger ledger --out {out} --in in"))
            .fails(code, &[text]);
        lab.sign("in", out).fails(code, &[text]);
    };
    both("ledger/x", 2, "is in the ledger's folder");
    both("root", 2, "output folder is not empty");
    lab.edit("ledger", "UPDATE transcript SET line = replace(line, 'present', 'absent')");
    both("out", 3, "The ledger was modified");
    assert!(!lab.path("out").exists());
}
