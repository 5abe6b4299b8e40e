//! What an earlier version wrote is read by every later one: a frozen rehearsal of two ceremonies, the second of
//! them interrupted at its last prompt and resumed, with its ledger, releases, bundle index and token.

use crate::support::{Lab, repository};

/// The frozen files in a laboratory whose token is the frozen one.
fn frozen() -> Lab {
    let mut lab = Lab::without_token();
    let from = repository().join("tests/fixtures/v1");
    lab.run("sh", &["-c", &format!("cp -r {}/. . && chmod -R u+rwX . && chmod 700 ledger", from.display())])
        .ok();
    let objects = lab.path("token");
    lab.write("softhsm2.conf", format!("directories.tokendir = {}\nlog.level = ERROR\n", objects.display()));
    let configuration = lab.path("softhsm2.conf").to_str().unwrap().to_owned();
    lab.set("SOFTHSM2_CONF", &configuration);
    // The certificates end in 2027.
    lab.clock("@2026-12-01 12:00:00");
    lab.write("hsm.toml", lab.read_shipped("../hsm-profiles/softhsm2.toml"));
    lab
}

#[test]
fn the_first_version_is_audited_reported_and_verified() {
    let lab = frozen();
    let audit =
        lab.keyrite("audit ledger root release --script single-root.toml --script single-sign.toml").ok();
    assert!(audit.out.contains("THE RECORD HOLDS"), "{}", audit.out);
    assert!(audit.out.contains("ceremony 2: all 7 steps ran"), "{}", audit.out);
    for source in ["ledger", "release", "release/transcript.jsonl"] {
        let report = lab.keyrite(&format!("ceremony report {source} --format markdown")).ok();
        assert!(report.out.contains("typed \"issue 3 refuse 1\""), "{source}:\n{}", report.out);
    }
    lab.keyrite("verify release --root root/authorities/root-ca.crt").ok();
    lab.keyrite("ledger due --ledger ledger").ok();
    lab.keyrite("release again --ledger ledger --out again").ok();
    lab.run("diff", &["-r", "release", "again"]).ok();
}

#[test]
fn the_first_version_goes_on() {
    let lab = frozen();
    let common = "--hsm hsm.toml --ledger ledger --rehearsal --answers answers.toml --in more --out third";
    lab.keyrite(&format!("ceremony check single-sign.toml {common}")).ok();
    lab.keyrite(&format!("ceremony run single-sign.toml {common} --pin-file pin")).ok();
    let audit = lab.keyrite("audit ledger root release third").ok();
    assert!(audit.out.contains("releases 1, 2, 3 follow"), "{}", audit.out);
    // What was asked for before is known still.
    lab.keyrite(&format!(
        "ceremony run single-sign.toml {} --pin-file pin",
        common.replace("more", "bundle").replace("third", "fourth")
    ))
    .fails(1, &["sequence is 1, the ledger has"]);
}

/// A ledger of another version is refused as one, and not as a damaged one.
#[test]
fn another_version_is_named() {
    let lab = frozen();
    for (version, whose) in [(6, "an older keyrite wrote it"), (99, "a newer keyrite wrote it")] {
        lab.edit_copy("ledger", "other", &format!("PRAGMA user_version = {version}"));
        for command in
            ["audit other", "ledger due --ledger other", "release again --ledger other --out again"]
        {
            lab.keyrite(command).fails(2, &[&format!("is a ledger of version {version}"), whose]);
        }
    }
}

/// Each record means what it says: read and written again it is the very line.
#[test]
fn records_are_written_again_as_they_were() {
    for release in ["root", "release"] {
        let path = repository().join("tests/fixtures/v1").join(release).join("transcript.jsonl");
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let record = keyrite::record::Record::read(line).unwrap();
            assert_eq!(record.line().unwrap(), line);
        }
    }
}
