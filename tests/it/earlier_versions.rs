//! Later versions read what an earlier version wrote: a frozen rehearsal of two ceremonies, the
//! second interrupted at its last prompt and resumed, with its ledger, releases, bundle index and
//! token.

use std::sync::Arc;

use keyrite::ceremony::Environment;
use keyrite::failure::Failure;
use keyrite::ledger::{Migration, Older};
use keyrite::record::MachineFacts;

use crate::support::{Lab, repository};

/// Copies the frozen files to a laboratory whose token is the frozen one.
fn frozen() -> Lab {
    let mut lab = Lab::without_token();
    let from = repository().join("tests/fixtures/v1");
    lab.run("sh", &["-c", &format!("cp -r {}/. . && chmod -R u+rwX . && chmod 700 ledger", from.display())])
        .ok();
    let objects = lab.path("token");
    lab.write("softhsm2.conf", format!("directories.tokendir = {}\nlog.level = ERROR\n", objects.display()));
    let configuration = lab.path("softhsm2.conf").to_str().unwrap().to_owned();
    lab.set("SOFTHSM2_CONF", &configuration);
    // The certificates expire in 2027.
    lab.clock("@2026-12-01 12:00:00");
    lab.write("hsm.toml", lab.read_shipped("../hsm-profiles/softhsm2.toml"));
    lab
}

#[test]
fn first_version_is_audited_reported_and_verified() {
    let lab = frozen();
    let audit =
        lab.keyrite("audit ledger root release --script single-root.toml --script single-sign.toml").ok();
    assert!(audit.out.contains("THE RECORD HOLDS"), "{}", audit.out);
    assert!(audit.out.contains("ceremony 2: all 7 steps ran"), "{}", audit.out);
    for source in ["ledger", "release", "release/transcript.jsonl"] {
        let report = lab.keyrite(&format!("ceremony report {source} --format markdown")).ok();
        assert!(report.out.contains("typed \"issue 3 refuse 1\""), "{source}:\n{}", report.out);
    }
    // Signatures over an index that the script does not require are in no record.
    lab.edit_copy(
        "ledger",
        "edited",
        "INSERT INTO bundle_signature VALUES (2, 0, 'bundle.json.x.sig', x'00')",
    );
    let edited = lab.keyrite("audit edited root release");
    assert!(
        edited.code == 1 && edited.out.contains("signatures that the script does not require"),
        "{}",
        edited.out
    );
    lab.keyrite("verify release --root root/authorities/root-ca.crt").ok();
    lab.keyrite("ledger due --ledger ledger").ok();
    lab.keyrite("release again --ledger ledger --out again").ok();
    lab.run("diff", &["-r", "release", "again"]).ok();
}

#[test]
fn first_version_is_continued() {
    let lab = frozen();
    let common = "--hsm hsm.toml --ledger ledger --rehearsal --answers answers.toml --in more --out third";
    lab.keyrite(&format!("ceremony check single-sign.toml {common}")).ok();
    lab.keyrite(&format!("ceremony run single-sign.toml {common} --pin-file pin")).ok();
    let audit = lab.keyrite("audit ledger root release third").ok();
    assert!(audit.out.contains("releases 1, 2, 3 follow"), "{}", audit.out);
    // Earlier requests are still known.
    lab.keyrite(&format!(
        "ceremony run single-sign.toml {} --pin-file pin",
        common.replace("more", "bundle").replace("third", "fourth")
    ))
    .fails(1, &["sequence is 1, but the ledger already has"]);
}

/// A ledger of another version is reported as such, not as damaged.
#[test]
fn other_versions_are_named() {
    let lab = frozen();
    for (version, whose) in
        [(6, "it was written by an older keyrite"), (99, "it was written by a newer keyrite")]
    {
        lab.edit_copy("ledger", "other", &format!("PRAGMA user_version = {version}"));
        for command in
            ["audit other", "ledger due --ledger other", "release again --ledger other --out again"]
        {
            lab.keyrite(command).fails(2, &[&format!("is a ledger of version {version}"), whose]);
        }
    }
}

/// Every record round-trips to the identical line.
#[test]
fn records_round_trip() {
    for release in ["root", "release"] {
        let path = repository().join("tests/fixtures/v1").join(release).join("transcript.jsonl");
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let record = keyrite::record::Record::read(line).unwrap();
            assert_eq!(record.line().unwrap(), line);
        }
    }
}

const OLDER: &[Migration] =
    &[Migration { from: 6, statements: "CREATE INDEX renewal_of ON renewal (replaces);" }];

/// Creates a ledger as an older version would have left it, and upgrades it.
fn upgraded(lab: &Lab, out: &str) -> Result<Older, Failure> {
    let now = || "2026-12-01T12:00:00Z".parse().unwrap();
    let environment = Environment {
        now: &now,
        random: &|| Ok([7; 32]),
        stopped: &|| false,
        processors: 2,
        machine: MachineFacts::default(),
        tool_version: "test".into(),
        tool_date: now(),
        tool_digest: Arc::default(),
    };
    keyrite::ceremony::upgrade(&lab.path("older"), &lab.path(out), OLDER, &environment)
}

/// An older ledger is copied, audited and continued; the original is not modified.
#[test]
fn older_ledger_is_upgraded_and_continued() {
    let lab = frozen();
    lab.edit_copy("ledger", "older", "DROP INDEX renewal_of; PRAGMA user_version = 6");
    let before = lab.run("sh", &["-c", "sha256sum older/* && ls older"]).ok().out;
    assert_eq!(upgraded(&lab, "newer").unwrap().version, 6);
    assert_eq!(lab.run("sh", &["-c", "sha256sum older/* && ls older"]).ok().out, before);
    assert_eq!(lab.run("ls", &["newer"]).ok().out, "ledger.sqlite\n");
    let audit = lab.keyrite("audit newer root release").ok();
    assert!(audit.out.contains("THE RECORD HOLDS"), "{}", audit.out);
    let digest = before.split(' ').next().unwrap();
    let note = format!("copied from one of version 6, whose database had SHA-256 {digest}");
    assert!(audit.out.contains(&note), "{}", audit.out);
    let run = |ledger: &str, out: &str| {
        format!(
            "ceremony run single-sign.toml --hsm hsm.toml --ledger {ledger} --rehearsal --answers answers.toml --in more --out {out} --pin-file pin"
        )
    };
    // The ceremony of an upgrade has one record and nothing else.
    for (what, sql) in [
        (
            "a key",
            "INSERT INTO token_key SELECT 'other', role, x'00', token_serial, issuer, profile, 3, NULL FROM token_key LIMIT 1",
        ),
        (
            "a key",
            "INSERT INTO token_key SELECT 'other', role, x'00', token_serial, issuer, profile, 3, certificate FROM token_key LIMIT 1",
        ),
        (
            "a request",
            "INSERT INTO request (ceremony, path, sha256, octets) VALUES (3, 'token-key:other', x'', x'')",
        ),
        (
            "an index",
            "INSERT INTO bundle SELECT 3, number, cluster, part, sequence + 1, index_sha256, octets FROM bundle LIMIT 1",
        ),
        (
            "a release",
            "INSERT INTO release SELECT sequence + 1, 3, head, manifest_sha256, signature FROM release ORDER BY sequence DESC LIMIT 1",
        ),
        ("record of an upgrade", "UPDATE ceremony SET cluster = 'other' WHERE id = 3"),
        ("record of an upgrade", "UPDATE ceremony SET approved = 1 WHERE id = 3"),
    ] {
        lab.edit_copy("newer", "edited", sql);
        let audit = lab.keyrite("audit edited root release");
        let found = |line: &str| line.contains("FAILS") && line.contains("ceremony 3") && line.contains(what);
        assert!(audit.code == 1 && audit.out.lines().any(found), "{sql}:\n{}", audit.out);
        lab.keyrite(&run("edited", "other")).fails(3, &["upgrade", "was modified"]);
    }
    lab.keyrite(&run("newer", "third")).ok();
    let audit = lab.keyrite("audit newer root release third").ok();
    assert!(audit.out.contains("THE RECORD HOLDS"), "{}", audit.out);
    let report = lab.keyrite("ceremony report newer --ceremony 3 --format markdown").ok();
    assert!(report.out.contains("an upgraded copy of one of version 6"), "{}", report.out);
    // A rewritten record of an upgrade does not hold.
    for edit in ["r[0]['data']['head'] = '0' * 64", "r.append(dict(r[0], number=2))"] {
        lab.run("sh", &["-c", "rm -rf ledger && cp -r newer ledger"]).ok();
        lab.rewrite(3, edit);
        let audit = lab.keyrite("audit bad");
        let found = audit.out.lines().any(|line| line.contains("FAILS") && line.contains("ceremony 3"));
        assert!(found, "{edit}:\n{}", audit.out);
    }
}

/// A refused upgrade leaves nothing behind.
#[test]
fn refused_upgrades() {
    let lab = frozen();
    for (sql, why) in [
        ("PRAGMA user_version = 7", "no upgrade is needed"),
        ("PRAGMA user_version = 3", "which cannot be upgraded"),
        ("PRAGMA user_version = 99", "written by a newer keyrite"),
        ("PRAGMA application_id = 1", "is not a ledger"),
        (
            "DROP INDEX renewal_of; PRAGMA user_version = 6; UPDATE request SET path = path || 'x' WHERE id = 4",
            "was modified",
        ),
        ("DROP INDEX renewal_of; DROP TABLE issued; PRAGMA user_version = 6", "is not as keyrite created it"),
    ] {
        lab.edit_copy("ledger", "older", sql);
        let refused = upgraded(&lab, "newer").unwrap_err().text;
        assert!(refused.contains(why), "{sql}: {refused}");
        assert!(!lab.path("newer").exists(), "{sql}");
    }
    lab.keyrite("ledger upgrade ledger --out newer").fails(2, &["no upgrade is needed"]);
    lab.keyrite("ledger upgrade root --out newer").fails(2, &["root: has no ledger"]);
    lab.edit_copy("ledger", "older", "DROP INDEX renewal_of; PRAGMA user_version = 6");
    let taken = upgraded(&lab, "more").unwrap_err().text;
    assert!(taken.contains("more: exists; name a new folder"), "{taken}");
    assert!(lab.path("more/bundle.json").exists());
}
