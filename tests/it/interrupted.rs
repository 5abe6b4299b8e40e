//! Kills and stops: an interrupted ceremony is finished by `resume`, with each request answered
//! exactly once and every signature accounted for.

use std::collections::HashSet;

use rusqlite::{Connection, Row};

use crate::support::{self, Lab, P256, WEB};

/// Creates a root, a script and a bundle of three valid requests and an invalid one.
fn ready() -> Lab {
    let lab = Lab::signing();
    for name in ["a", "b", "c"] {
        lab.csr(
            &format!("in/web/{name}.csr"),
            &format!("/CN={name}"),
            &format!("DNS:{name}.example.test"),
            P256,
        );
    }
    lab.csr("in/web/bad.csr", "/CN=bad", "DNS:bad.example.org", P256);
    lab
}

/// Requires the same release as from an undisturbed run, except serial numbers and times.
fn whole(lab: &Lab) {
    assert_eq!(
        lab.files("out"),
        [
            "authorities/root-ca.chain.crt",
            "authorities/root-ca.crt",
            "certificates/web/a.crt",
            "certificates/web/b.crt",
            "certificates/web/c.crt",
            "manifest.json",
            "manifest.json.p7s",
            "transcript.jsonl"
        ]
    );
    lab.keyrite("verify out --root root/authorities/root-ca.crt").ok();
    lab.keyrite("audit ledger root out --root root/authorities/root-ca.crt").ok();
    let manifest = lab.manifest("out");
    assert_eq!(manifest["refusals"].as_array().unwrap().len(), 1);
    let serials: HashSet<&str> =
        manifest["certificates"].as_array().unwrap().iter().map(|c| c["serial"].as_str().unwrap()).collect();
    assert_eq!(serials.len(), 3);
    let reserved = count(lab, "SELECT count(*) FROM certificate JOIN request USING (id) WHERE ceremony = 2");
    assert_eq!(reserved, 3, "a serial number was spent twice");
    assert_eq!(
        count(lab, "SELECT count(*) FROM certificate LEFT JOIN issued USING (id) WHERE signature IS NULL"),
        0
    );
}

fn count(lab: &Lab, query: &str) -> i64 {
    lab.database("ledger").query_row(query, [], |row| row.get(0)).unwrap()
}

#[test]
fn killed_at_each_signature() {
    for mode in ["kill", "killafter"] {
        // Challenges of both keys, three certificates, the manifest.
        for at in 1..=6 {
            let mut lab = ready();
            lab.faulty();
            lab.set("FAULTY_TOKEN_MODE", mode);
            lab.set("FAULTY_TOKEN_AT", &at.to_string());
            let ran = lab.sign("in", "out");
            assert_eq!(ran.code, -1, "{mode} {at}: was not killed: {ran:?}");
            lab.set("FAULTY_TOKEN_MODE", "none");
            lab.resume().ok();
            whole(&lab);
            lab.resume().fails(2, &["nothing to resume"]);
        }
    }
}

/// Runs `check` with an edited ledger, and puts the ledger back.
fn with_edit(lab: &Lab, edit: impl FnOnce(&Connection), check: impl FnOnce()) {
    lab.run("sh", &["-c", "rm -rf kept && cp -r ledger kept"]).ok();
    edit(&lab.database("ledger"));
    check();
    lab.run("sh", &["-c", "rm -rf ledger && mv kept ledger"]).ok();
}

/// Edits the database of an open ceremony: `resume` signs nothing more, and `audit` reports the
/// edit.
#[track_caller]
fn edited(lab: &Lab, what: &str, edit: impl FnOnce(&Connection)) {
    with_edit(lab, edit, || {
        let (reserved, issued) = ("SELECT count(*) FROM certificate", "SELECT count(*) FROM issued");
        let before = (count(lab, reserved), count(lab, issued));
        let audit = lab.keyrite("audit ledger");
        assert_eq!(audit.code, 1, "{what}: audit found nothing\n{}", audit.out);
        assert!(audit.err.contains("THE RECORD DOES NOT HOLD"), "{}", audit.err);
        let resumed = lab.resume();
        // An edit found after people have signed in may come after a signature.
        let code = if resumed.code == 3 { 3 } else { 4 };
        resumed.fails(code, &["The ledger was modified"]);
        assert_eq!(before, (count(lab, reserved), count(lab, issued)), "{what}");
    });
}

/// Returns the position of these octets.
fn place(octets: &[u8], what: &[u8]) -> usize {
    octets.windows(what.len()).position(|window| window == what).unwrap()
}

/// Replaces octets, wherever they are.
fn exchange(octets: &mut [u8], from: &[u8], to: &[u8]) {
    place(octets, from);
    for at in 0..=octets.len() - from.len() {
        if octets[at..].starts_with(from) {
            octets[at..at + to.len()].copy_from_slice(to);
        }
    }
}

/// Overwrites the octets that follow the first occurrence.
fn overwrite(octets: &mut [u8], after: &[u8], with: &[u8]) {
    let start = place(octets, after) + after.len();
    octets[start..start + with.len()].copy_from_slice(with);
}

#[test]
fn edits_of_open_ceremony_are_detected() {
    let anywhere = [
        r#"UPDATE request SET approval = replace(approval, 'seconds":', 'seconds":1') WHERE path = 'web/a.csr'"#,
        "UPDATE request SET approval = replace(approval, 'a.example', 'z.example') WHERE path = 'web/a.csr'",
        "UPDATE request SET spki = (SELECT spki FROM request WHERE path = 'web/b.csr') WHERE path = 'web/a.csr'",
        // Another valid request, with all its data.
        "UPDATE request SET (octets, sha256, spki, spki_sha256, approval) = (SELECT octets, sha256, spki, spki_sha256, approval FROM request WHERE path = 'web/b.csr') WHERE path = 'web/a.csr'",
        // A refused request becomes approved.
        "UPDATE request SET refusal = NULL, (spki, approval) = (SELECT spki, approval FROM request WHERE path = 'web/a.csr') WHERE path = 'web/bad.csr'; UPDATE ceremony SET approved = 4, refused = 0 WHERE id = 2",
        "UPDATE request SET refusal = '[]', approval = NULL WHERE path = 'web/b.csr'",
        "UPDATE transcript SET line = replace(line, 'present', 'absent') WHERE ceremony = 2",
        "DELETE FROM transcript WHERE ceremony = 2 AND number = 3",
        "UPDATE ceremony SET plan = replace(plan, 'example.test', 'example.fest') WHERE id = 2",
        "UPDATE ceremony SET plan = replace(plan, 'module = ', 'module =  ') WHERE id = 2",
        // Other facts of the ceremony: token, output, the begin record.
        r#"UPDATE ceremony SET plan = replace(plan, '"token_serial":"', '"token_serial":"0') WHERE id = 2"#,
        r#"UPDATE ceremony SET plan = replace(plan, '/out"', '/our"') WHERE id = 2"#,
        "DELETE FROM transcript WHERE ceremony = 2",
        // Keys and releases of earlier ceremonies.
        "UPDATE token_key SET certificate = (SELECT certificate FROM token_key WHERE name = 'manifest') WHERE name = 'root-ca'",
        "UPDATE token_key SET key_id = x'00' WHERE name = 'root-ca'",
        "UPDATE token_key SET token_serial = 'other' WHERE name = 'root-ca'",
        "INSERT INTO token_key SELECT 'ghost', role, x'99', token_serial, 'ghost', profile, ceremony, NULL FROM token_key WHERE name = 'root-ca'",
        // An authority of somebody else, as if this ceremony had just made it.
        "INSERT INTO token_key SELECT 'ghost', role, x'99', 'elsewhere', 'ghost', profile, 2, certificate FROM token_key WHERE name = 'root-ca'",
        "DELETE FROM release",
        "UPDATE release SET sequence = -1",
        "UPDATE ledger SET rehearsal = 1",
        "UPDATE release SET manifest_sha256 = zeroblob(32)",
    ];
    let pending: [fn(&mut Vec<u8>); 5] = [
        // digitalSignature becomes keyCertSign and cRLSign.
        |tbs| exchange(tbs, &[3, 2, 7, 0x80], &[3, 2, 1, 6]),
        // The year of notBefore.
        |tbs| overwrite(tbs, &[0x17, 0x0d], b"20"),
        |tbs| overwrite(tbs, &[0x17, 0x0d], b"45"),
        // Another serial number, in octets and column.
        |tbs| overwrite(tbs, &[0x02, 0x14], &[0x11; 20]),
        // The common name.
        |tbs| exchange(tbs, b"\x0c\x01a", b"\x0c\x01b"),
    ];
    for (at, killed_at) in ["2", "3"].into_iter().enumerate() {
        let mut lab = ready();
        lab.faulty();
        lab.set("FAULTY_TOKEN_MODE", "kill");
        lab.set("FAULTY_TOKEN_AT", killed_at);
        assert_eq!(lab.sign("in", "out").code, -1);
        lab.set("FAULTY_TOKEN_MODE", "none");
        for sql in &anywhere {
            edited(&lab, sql, |database| database.execute_batch(sql).unwrap());
        }
        for (number, change) in pending.iter().enumerate().filter(|_| at == 1) {
            edited(&lab, &format!("pending {number}"), |database| {
                let row = "SELECT id, serial, tbs FROM certificate JOIN request USING (id) WHERE path = 'web/a.csr'";
                let read = |row: &Row| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
                let (id, serial, mut tbs): (i64, Vec<u8>, Vec<u8>) =
                    database.query_row(row, [], read).unwrap();
                change(&mut tbs);
                let serial = if number == 3 { vec![0x11; 20] } else { serial };
                let write = "UPDATE certificate SET tbs = ?, serial = ? WHERE id = ?";
                database.execute(write, (tbs, serial, id)).unwrap();
            });
        }
        lab.resume().ok();
        whole(&lab);
    }
}

/// Rows that contradict chained records of reservations and abandonment have no effect.
#[test]
fn records_override_edited_rows() {
    let mut lab = ready();
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "kill");
    lab.set("FAULTY_TOKEN_AT", "3");
    assert_eq!(lab.sign("in", "out").code, -1);
    lab.set("FAULTY_TOKEN_MODE", "none");
    lab.run("cp", &["-r", "ledger", "kept"]).ok();
    let edit = |sql: &str| lab.edit("ledger", sql);
    let give_up = || lab.keyrite("ceremony abandon --ledger ledger --by Eve --reason none");
    edit("DELETE FROM certificate WHERE id > 2");
    give_up().fails(3, &["The ledger was modified"]);
    lab.resume().fails(4, &["The ledger was modified"]);
    lab.run("sh", &["-c", "rm -rf ledger && mv kept ledger"]).ok();
    give_up().fails(2, &["it can only be resumed"]);
    // Only the module of the begin record receives the PIN.
    lab.run("sh", &["-c", "cp faulty_token.so kept.so && printf x >> faulty_token.so"]).ok();
    lab.resume().fails(4, &["faulty_token.so", "SHA-256", "restore that file"]);
    lab.run("mv", &["kept.so", "faulty_token.so"]).ok();
    lab.resume().ok();
    whole(&lab);

    // An abandoned ceremony stays abandoned.
    let mut lab = ready();
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "kill");
    lab.set("FAULTY_TOKEN_AT", "2");
    assert_eq!(lab.sign("in", "out").code, -1);
    lab.set("FAULTY_TOKEN_MODE", "none");
    lab.keyrite("ceremony abandon --ledger ledger --by Ada --reason none").ok();
    lab.edit("ledger", "UPDATE ceremony SET done = 0 WHERE id = 2");
    lab.resume().fails(3, &["The ledger was modified"]);
}

#[test]
fn edits_of_pending_key_are_detected() {
    let mut lab = Lab::new();
    lab.write_root_script();
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "kill");
    lab.set("FAULTY_TOKEN_AT", "2");
    assert_eq!(lab.ceremony("root.toml", "--out root").code, -1);
    lab.set("FAULTY_TOKEN_MODE", "none");
    edited(&lab, "another name", |database| {
        let mut tbs: Vec<u8> =
            database.query_row("SELECT tbs FROM certificate", [], |row| row.get(0)).unwrap();
        exchange(&mut tbs, b"Root", b"Rust");
        database.execute("UPDATE certificate SET tbs = ?", [tbs]).unwrap();
    });
    lab.resume().ok();
    lab.keyrite("audit ledger root --root root/authorities/root-ca.crt").ok();

    // A key that was announced and not certified, and one that was not announced at all.
    let mut lab = Lab::new();
    lab.write_root_script();
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "killgen");
    lab.set("FAULTY_TOKEN_AT", "2");
    assert_eq!(lab.ceremony("root.toml", "--out root").code, -1);
    lab.set("FAULTY_TOKEN_MODE", "none");
    for sql in [
        "UPDATE token_key SET role = 'authority' WHERE name = 'manifest'",
        "UPDATE token_key SET profile = 'root' WHERE name = 'manifest'",
        "UPDATE token_key SET issuer = 'manifest' WHERE name = 'manifest'",
        "UPDATE token_key SET token_serial = 'elsewhere' WHERE name = 'manifest'",
        "UPDATE token_key SET key_id = x'99' WHERE name = 'manifest'",
        "UPDATE token_key SET certificate = (SELECT certificate FROM token_key WHERE name = 'root-ca') WHERE name = 'manifest'",
        "DELETE FROM token_key WHERE name = 'manifest'",
        "INSERT INTO request (ceremony, path, sha256, spki_sha256, octets) VALUES (1, 'token-key:ghost', x'', zeroblob(32), x'00')",
    ] {
        edited(&lab, sql, |database| database.execute_batch(sql).unwrap());
    }
    lab.resume().ok();
    lab.keyrite("audit ledger root --root root/authorities/root-ca.crt").ok();
}

/// Edits of finished ceremonies stop the next one before anything is signed.
#[test]
fn edits_of_finished_ceremonies_stop_the_next() {
    let lab = ready();
    lab.sign("in", "out").ok();
    lab.csr("more/web/c.csr", "/CN=c", "DNS:c.example.test", P256);
    for sql in [
        // The same requests would be certified again.
        "UPDATE request SET sha256 = randomblob(32), spki_sha256 = randomblob(32) WHERE approval IS NOT NULL; DELETE FROM request_key; INSERT INTO request_key SELECT spki_sha256, id FROM request WHERE approval IS NOT NULL",
        "UPDATE request SET spki_sha256 = NULL WHERE approval IS NOT NULL; DELETE FROM request_key",
        "UPDATE issued SET signature = zeroblob(64) WHERE id = (SELECT max(id) FROM issued)",
        "UPDATE certificate SET not_after = 0 WHERE id = (SELECT max(id) FROM certificate)",
        "UPDATE ledger SET rehearsal = 1",
        "UPDATE release SET sequence = -2 WHERE sequence = 2",
        "UPDATE release SET head = replace(head, '\"sequence\":2', '\"sequence\": 2') WHERE sequence = 2",
        "UPDATE ceremony SET approved = 0 WHERE id = 2",
    ] {
        let rows = || count(&lab, "SELECT count(*) FROM certificate");
        let rehearsal = if sql.contains("rehearsal") { " --rehearsal" } else { "" };
        with_edit(
            &lab,
            |database| database.execute_batch(sql).unwrap(),
            || {
                let before = rows();
                let audit = lab.keyrite("audit ledger root out");
                assert_eq!(audit.code, 1, "{sql}: audit found nothing\n{}", audit.out);
                for bundle in ["more", "in"] {
                    lab.ceremony("sign.toml", &format!("--in {bundle} --out next{rehearsal}"))
                        .fails(3, &["The ledger was modified"]);
                }
                assert_eq!(before, rows(), "{sql}");
                assert!(!lab.path("next").exists());
            },
        );
    }
    lab.sign("more", "next").ok();
}

/// Whatever stops a resumption, the exit code says that something may have been signed.
#[test]
fn failed_resumption_after_signing_is_reported_as_such() {
    let mut lab = ready();
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "kill");
    lab.set("FAULTY_TOKEN_AT", "4");
    assert_eq!(lab.sign("in", "out").code, -1);
    lab.set("FAULTY_TOKEN_MODE", "none");
    let resume = |arguments: &str| {
        lab.keyrite(&format!("ceremony resume --ledger ledger {arguments}"))
            .fails(4, &["Something may have been signed"]);
    };
    let answers = format!("--answers {}/ceremony/answers-accept.toml", support::repository().display());
    resume("--answers absent --pin-file pin");
    resume(&format!("{answers} --pin-file absent"));
    for edit in [
        "DELETE FROM transcript WHERE line LIKE '%\"event\":\"reserved\"%'",
        "DELETE FROM certificate",
        "UPDATE transcript SET line = 'x' WHERE ceremony = 2",
    ] {
        with_edit(
            &lab,
            |database| database.execute_batch(edit).unwrap(),
            || {
                resume(&format!("{answers} --pin-file pin"));
            },
        );
    }
    lab.run("sh", &["-c", "cp -r ledger kept && truncate -s 20000 ledger/ledger.sqlite"]).ok();
    resume(&format!("{answers} --pin-file pin"));
    lab.run("sh", &["-c", "rm -rf ledger && mv kept ledger"]).ok();
    lab.resume().ok();
    whole(&lab);
}

#[test]
fn killed_while_creating_keys() {
    for mode in ["kill", "killafter", "killgen"] {
        // Challenge and certificate of the root, the manifest key's certificate, challenge and
        // manifest.
        for at in 1..=if mode == "killgen" { 2 } else { 5 } {
            let mut lab = Lab::new();
            lab.write_root_script();
            lab.faulty();
            lab.set("FAULTY_TOKEN_MODE", mode);
            lab.set("FAULTY_TOKEN_AT", &at.to_string());
            let ran = lab.ceremony("root.toml", "--out root");
            assert_eq!(ran.code, -1, "{mode} {at}: was not killed: {ran:?}");
            lab.set("FAULTY_TOKEN_MODE", "none");
            lab.resume().ok();
            lab.keyrite("verify root --root root/authorities/root-ca.crt").ok();
            lab.keyrite("audit ledger root --root root/authorities/root-ca.crt").ok();
            let inspect = lab.keyrite("token inspect --hsm hsm.toml --pin-file pin").ok();
            assert_eq!(inspect.out.matches("private key").count(), 2, "{mode} {at}: {}", inspect.out);
        }
    }
}

/// Objects that a token created and did not report are recognised by label and ID: shown, and kept
/// or destroyed by decision.
#[test]
fn found_key_objects_are_kept_or_destroyed() {
    // A pair with an error reported by the token; half a pair; half a pair of a killed run.
    for (mode, code, decisions) in [
        ("generror", 4, ["keep", "accept", "destroy"].as_slice()),
        ("genpublic", 4, &["destroy"]),
        ("genprivate", -1, &["destroy"]),
    ] {
        for at in [1, 2] {
            for decision in decisions {
                let mut lab = Lab::new();
                lab.write_root_script();
                lab.faulty();
                lab.set("FAULTY_TOKEN_MODE", mode);
                lab.set("FAULTY_TOKEN_AT", &at.to_string());
                let ran = lab.ceremony("root.toml", "--out root");
                let what = format!("{mode} {at} {decision}");
                // Nothing is signed yet with a first key.
                assert_eq!(ran.code, if at == 1 { code.min(3) } else { code }, "{what}: {ran:?}");
                if code > 0 {
                    assert!(ran.err.contains("C_GenerateKeyPair: CKR_DEVICE_ERROR"), "{what}: {}", ran.err);
                    assert!(ran.err.contains("asks whether to keep or destroy them"), "{what}: {}", ran.err);
                }
                lab.set("FAULTY_TOKEN_MODE", "none");
                let given_up = lab.keyrite("ceremony abandon --ledger ledger --by Ada --reason none");
                given_up.fails(2, &["it can only be resumed"]);
                let accepting = lab.read_shipped("answers-accept.toml");
                let silent = accepting.replace("found-key = \"accept\"", "");
                assert_ne!(silent, accepting);
                lab.write("answers.toml", silent);
                let resume = "ceremony resume --ledger ledger --answers answers.toml --pin-file pin";
                let ran = lab.keyrite(resume);
                assert!([1, 4].contains(&ran.code), "{what}: {ran:?}");
                assert!(ran.err.contains("found-key has no answer"), "{what}: {}", ran.err);
                lab.write(
                    "answers.toml",
                    accepting.replace("found-key = \"accept\"", &format!("found-key = \"{decision}\"")),
                );
                let ran = lab.keyrite(resume).ok();
                let done = decision;
                let done = if *done == "accept" { "keep" } else { done };
                let name = ["root-ca", "manifest"][at - 1];
                assert!(ran.out.contains(&format!("> {done} {name}")), "{what}: {}", ran.out);
                lab.keyrite("verify root --root root/authorities/root-ca.crt").ok();
                lab.keyrite("audit ledger root --root root/authorities/root-ca.crt").ok();
                let inspect = lab.keyrite("token inspect --hsm hsm.toml --pin-file pin").ok();
                assert_eq!(inspect.out.matches("private key").count(), 2, "{what}: {}", inspect.out);
                assert_eq!(inspect.out.matches("public key").count(), 2, "{what}: {}", inspect.out);
            }
        }
    }
}

/// An answers file with "accept" destroys nothing. A decision is final in the audit and in later
/// runs, even if the program is killed while it destroys.
#[test]
fn destruction_needs_a_decision() {
    for (mode, kills) in [("genpublic", 1), ("generror", 2)] {
        for at in 1..=kills {
            let mut lab = Lab::new();
            lab.write_root_script();
            lab.faulty();
            lab.set("FAULTY_TOKEN_MODE", mode);
            lab.ceremony("root.toml", "--out root").fails(3, &["CKR_DEVICE_ERROR"]);
            lab.set("FAULTY_TOKEN_MODE", "none");
            if mode == "genpublic" {
                lab.resume().fails(1, &["found-key is \"accept\"", "destroy root-ca"]);
            }
            let accepting = lab.read_shipped("answers-accept.toml");
            let destroying = accepting.replace("found-key = \"accept\"", "found-key = \"destroy\"");
            lab.write("answers.toml", destroying);
            let resume = "ceremony resume --ledger ledger --answers answers.toml --pin-file pin";
            lab.set("FAULTY_TOKEN_MODE", "killdestroy");
            lab.set("FAULTY_TOKEN_AT", &at.to_string());
            assert_eq!(lab.keyrite(resume).code, -1, "{mode} {at}");
            lab.set("FAULTY_TOKEN_MODE", "none");
            lab.keyrite(resume).ok();
            lab.keyrite("audit ledger root --root root/authorities/root-ca.crt").ok();
            lab.sign_script(WEB);
            lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
            lab.sign("in", "out").ok();
        }
    }
}

/// Only the key's own objects are destroyed: not another program's object, and not while the token
/// hides part of the key.
#[test]
fn other_objects_are_not_destroyed() {
    let pkcs11 = |lab: &Lab, what: &str| {
        let command = format!("pkcs11-tool --module {} --login --pin $(cat pin) {what}", support::SOFTHSM);
        lab.run("sh", &["-c", &command]).ok()
    };
    for stranger in [true, false] {
        let mut lab = Lab::new();
        lab.root("ecdsa-p256");
        lab.faulty();
        let root = support::root_script("ecdsa-p256")
            .replace("\"root-ca\"", "\"other-ca\"")
            .replace("name = \"manifest\"", "name = \"other\"")
            .replace("act = \"release\"", "act = \"release\"\nmanifest_key = \"other\"");
        lab.write("other.toml", root);
        lab.set("FAULTY_TOKEN_MODE", "genpublic");
        lab.ceremony("other.toml", "--out other").fails(3, &["CKR_DEVICE_ERROR"]);
        lab.set("FAULTY_TOKEN_MODE", if stranger { "none" } else { "blind" });
        if stranger {
            lab.write("data", "x");
            pkcs11(&lab, "--write-object data --type data --private");
        }
        let accepting = lab.read_shipped("answers-accept.toml");
        lab.write("answers.toml", accepting.replace("found-key = \"accept\"", "found-key = \"destroy\""));
        let resume = "ceremony resume --ledger ledger --answers answers.toml --pin-file pin";
        lab.keyrite(resume).fails(3, &["TOKEN-APPEARED"]);
        let left = pkcs11(&lab, "-O").out;
        assert!(left.contains("root-ca") && left.matches("Private Key Object").count() == 2, "{left}");
        assert_eq!(left.contains("Data object"), stranger, "{left}");
        if !stranger {
            // It was only hidden: the ceremony continues.
            lab.set("FAULTY_TOKEN_MODE", "none");
            lab.keyrite(resume).ok();
            lab.keyrite("audit ledger").ok();
        }
    }
}

/// A token that creates nothing leaves nothing to decide; if destruction fails, the question is
/// asked again.
#[test]
fn failed_key_generation_leaves_ledger_usable() {
    let mut lab = Lab::new();
    lab.write_root_script();
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "genrefuse");
    lab.ceremony("root.toml", "--out root")
        .fails(3, &["C_GenerateKeyPair: CKR_MECHANISM_INVALID", "is closed"]);
    lab.resume().fails(2, &["nothing to resume"]);
    // A token that failed may hide what it created: it is searched again before the ceremony can be
    // closed.
    lab.set("FAULTY_TOKEN_MODE", "genfail");
    lab.ceremony("root.toml", "--out root").fails(3, &["C_GenerateKeyPair: CKR_DEVICE_ERROR"]);
    lab.resume().fails(3, &["C_GenerateKeyPair: CKR_DEVICE_ERROR"]);
    let accepting = lab.read_shipped("answers-accept.toml");
    lab.write("answers.toml", accepting.replace("create = \"accept\"", "create = \"no\""));
    let stopping = "ceremony resume --ledger ledger --answers answers.toml --pin-file pin";
    lab.keyrite(stopping).fails(1, &["create is \"no\"", "is closed"]);
    lab.resume().fails(2, &["nothing to resume"]);
    lab.keyrite("audit ledger").ok();
    // It does not destroy a key that it created with other attributes.
    lab.set("FAULTY_TOKEN_MODE", "stuck");
    lab.ceremony("root.toml", "--out root").fails(3, &["CKA_EXTRACTABLE is true", "could NOT be destroyed"]);
    lab.write("answers.toml", accepting.replace("found-key = \"accept\"", "found-key = \"destroy\""));
    lab.keyrite(stopping).fails(3, &["C_DestroyObject: CKR_ACTION_PROHIBITED"]);
    lab.set("FAULTY_TOKEN_MODE", "none");
    let ran = lab.resume().ok();
    assert!(ran.out.contains("> keep root-ca"), "{}", ran.out);
    lab.keyrite("audit ledger root --root root/authorities/root-ca.crt").ok();
}

/// A reserved key that disappeared from the token: its serial number stays spent, and another key
/// is created.
#[test]
fn missing_key_is_regenerated() {
    for objects in [vec!["privkey"], vec!["pubkey"], vec!["privkey", "pubkey"]] {
        let mut lab = Lab::new();
        lab.write_root_script();
        lab.faulty();
        lab.set("FAULTY_TOKEN_MODE", "kill");
        lab.set("FAULTY_TOKEN_AT", "2");
        assert_eq!(lab.ceremony("root.toml", "--out root").code, -1);
        lab.set("FAULTY_TOKEN_MODE", "none");
        for object in &objects {
            let destroy = format!(
                "pkcs11-tool --module {} --login --pin $(cat pin) --delete-object --type {object} --label root-ca",
                support::SOFTHSM
            );
            lab.run("sh", &["-c", &destroy]).ok();
        }
        let accepting = lab.read_shipped("answers-accept.toml");
        lab.write("answers.toml", accepting.replace("found-key = \"accept\"", "found-key = \"destroy\""));
        let ran = lab.keyrite("ceremony resume --ledger ledger --answers answers.toml --pin-file pin").ok();
        assert_eq!(ran.out.contains("> destroy root-ca"), objects.len() == 1, "{}", ran.out);
        lab.keyrite("verify root --root root/authorities/root-ca.crt").ok();
        lab.keyrite("audit ledger root --root root/authorities/root-ca.crt").ok();
        assert_eq!(count(&lab, "SELECT count(*) FROM certificate"), 3);
        lab.keyrite("ceremony report ledger --out report.html").ok();
    }
}

/// Kills at calls that write, sync or rename: every n-th, through the whole run.
#[test]
fn killed_at_system_calls() {
    for call in ["pwrite64", "fsync", "write", "mkdir", "openat"] {
        let mut killed = 0;
        for at in [1, 2, 3, 5, 8, 13, 21, 34, 55, 89] {
            let lab = ready();
            let arguments = format!(
                "-f -o /dev/null -e trace={call} -e inject={call}:signal=SIGKILL:when={at} {} ceremony run sign.toml --hsm hsm.toml --ledger ledger --answers {}/ceremony/answers-accept.toml --pin-file pin --in in --out out",
                env!("CARGO_BIN_EXE_keyrite"),
                support::repository().display()
            );
            let words: Vec<&str> = arguments.split(' ').collect();
            let ran = lab.run("strace", &words);
            if ran.code == 0 {
                whole(&lab);
                break;
            }
            killed += 1;
            // A ceremony killed before its begin is started, any other is finished.
            let resumed = lab.resume();
            if resumed.code == 2 && resumed.err.contains("nothing to resume") {
                if !lab.path("out/manifest.json.p7s").exists() {
                    lab.sign("in", "out").ok();
                }
            } else {
                resumed.ok();
            }
            assert!(lab.path("out/manifest.json.p7s").exists(), "{call} {at}");
            lab.keyrite("verify out --root root/authorities/root-ca.crt").ok();
            assert_eq!(
                count(&lab, "SELECT count(*) FROM certificate JOIN request USING (id) WHERE ceremony > 1"),
                3,
                "{call} {at}"
            );
        }
        assert!(killed > 0, "{call} was never hit");
    }
}

/// A tar is renamed last: killed before or after that, `resume` finishes it exactly once.
#[test]
fn killed_while_a_tar_is_written() {
    for call in ["fsync", "rename", "unlink"] {
        let mut killed = 0;
        for at in 1..=40 {
            let lab = ready();
            let arguments = format!(
                "-f -o /dev/null -e trace={call} -e inject={call}:signal=SIGKILL:when={at} {} ceremony run sign.toml --hsm hsm.toml --ledger ledger --answers {}/ceremony/answers-accept.toml --pin-file pin --in in --out out.tar",
                env!("CARGO_BIN_EXE_keyrite"),
                support::repository().display()
            );
            let words: Vec<&str> = arguments.split(' ').collect();
            if lab.run("strace", &words).code == 0 {
                break;
            }
            killed += 1;
            let resumed = lab.resume();
            if resumed.code == 2 && resumed.err.contains("nothing to resume") {
                if !lab.path("out.tar").exists() {
                    lab.sign("in", "out.tar").ok();
                }
            } else {
                resumed.ok();
            }
            lab.keyrite("verify out.tar --root root/authorities/root-ca.crt").ok();
            assert!(!lab.path("out.tar.partial").exists(), "{call} {at}");
            // The ledger is free for the next ceremony. How many runs there are differs, so no message is kept.
            let again = lab.resume();
            assert!(again.code == 2 && again.err.contains("nothing to resume"), "{call} {at}: {again:?}");
        }
        assert!(killed > 0, "{call} was never hit");
    }
}

/// A full or failing disk under the ledger: a named fault, and `resume` after the repair.
#[test]
fn failing_disk() {
    for (call, error) in [("pwrite64", "ENOSPC"), ("fsync", "EIO")] {
        let mut failed = 0;
        for at in [1, 3, 6, 10, 15] {
            let lab = ready();
            let arguments = format!(
                "-f -o /dev/null -e trace={call} -e inject={call}:error={error}:when={at} {} ceremony run sign.toml --hsm hsm.toml --ledger ledger --answers {}/ceremony/answers-accept.toml --pin-file pin --in in --out out",
                env!("CARGO_BIN_EXE_keyrite"),
                support::repository().display()
            );
            let words: Vec<&str> = arguments.split(' ').collect();
            let ran = lab.run("strace", &words);
            if ran.code != 0 {
                failed += 1;
                assert!([3, 4].contains(&ran.code), "{call} {at}: {ran:?}");
                let resumed = lab.resume();
                if resumed.code == 2 {
                    lab.sign("in", "out").ok();
                } else {
                    resumed.ok();
                }
            }
            lab.keyrite("verify out --root root/authorities/root-ca.crt").ok();
            assert_eq!(
                count(&lab, "SELECT count(*) FROM certificate JOIN request USING (id) WHERE ceremony > 1"),
                3,
                "{call} {at}"
            );
        }
        assert!(failed > 0, "{call} never failed");
    }
}

/// A clock that cannot be right is refused before anything is made: it is before the program, behind the
/// ledger, or long after everything in it.
#[test]
fn implausible_clocks() {
    let mut lab = ready();
    for (clock, why) in [
        ("1970-01-02 00:00:00", "this program dates from"),
        ("2020-01-01 00:00:00", "this program dates from"),
        ("-60s", "the ledger's last record is dated"),
        ("2038-01-20 00:00:00", "more than a year earlier"),
    ] {
        lab.clock(clock);
        lab.sign("in", "out").fails(3, &["the clock says", why, "set the clock correctly"]);
    }
    assert!(!lab.path("out").exists());
    // Before a first key is made, too.
    let mut lab = Lab::new();
    lab.write_root_script();
    lab.clock("1970-01-02 00:00:00");
    lab.ceremony("root.toml", "--out root").fails(3, &["this program dates from"]);
    assert!(!lab.path("ledger").exists() && !lab.path("root").exists());
    assert!(!lab.keyrite("token inspect --hsm hsm.toml --pin-file pin").ok().out.contains("private key"));
}

/// A bundle that expires while the ceremony is open is not signed; the ceremony can be abandoned.
#[test]
fn bundle_expired_meanwhile() {
    let mut lab = ready();
    lab.keyrite("request collect in --out short --cluster lab --expires-in 1").ok();
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "kill");
    lab.set("FAULTY_TOKEN_AT", "1");
    assert_eq!(lab.sign("short", "out").code, -1);
    lab.set("FAULTY_TOKEN_MODE", "none");
    lab.clock("+2d");
    lab.resume().fails(1, &["expired at", "ceremony abandon", "BUNDLE-TIME"]);
    assert!(!lab.path("out").exists());
    lab.keyrite("ceremony abandon --ledger ledger --by Ada --reason ended").ok();
}

/// A medium that is not mounted at resume, with its mount point present.
#[test]
fn missing_medium_is_reported() {
    let mut lab = ready();
    lab.faulty();
    std::fs::create_dir(lab.path("stick")).unwrap();
    lab.set("FAULTY_TOKEN_MODE", "kill");
    let stick = lab.path("stick").display().to_string();
    let run = format!(
        "mount -t tmpfs tmpfs {stick} && exec {} ceremony run sign.toml --hsm hsm.toml --ledger ledger --answers {}/ceremony/answers-accept.toml --pin-file pin --in in --out {stick}/out",
        env!("CARGO_BIN_EXE_keyrite"),
        support::repository().display()
    );
    assert_ne!(lab.run("unshare", &["--mount", "sh", "-c", &run]).code, 0);
    lab.set("FAULTY_TOKEN_MODE", "none");
    let ran = lab.resume().ok();
    for part in [
        format!("the release goes to        {stick}/out"),
        format!("ANOTHER MEDIUM THAN BEFORE, which was mounted at {stick}:"),
    ] {
        assert!(ran.out.contains(&part), "no {part:?} in {}", ran.out);
    }
}

#[test]
fn concurrent_ceremonies() {
    let lab = ready();
    let held = lab.hold("ledger");
    lab.sign("in", "out").fails(2, &["is in use by another program; wait until its ceremony is done"]);
    drop(held);
    lab.sign("in", "out").ok();
}

/// What has expired since it was signed is released only if people say so.
#[test]
fn expired_certificates_are_released_on_request() {
    let mut lab = ready();
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "kill");
    // At the signature of the manifest.
    lab.set("FAULTY_TOKEN_AT", "6");
    assert_eq!(lab.sign("in", "out").code, -1);
    lab.set("FAULTY_TOKEN_MODE", "none");
    lab.clock("+400d");
    lab.resume().fails(4, &["expired has no answer"]);
    let answers = lab.read_shipped("answers-accept.toml");
    for (typed, right) in [("accept", false), ("release 2 expired", false), ("release 3 expired", true)] {
        lab.write("answers.toml", format!("expired = \"{typed}\"\n{answers}"));
        let ran = lab.keyrite("ceremony resume --ledger ledger --answers answers.toml --pin-file pin");
        assert_eq!(ran.code == 0, right, "{typed}: {}\n{}", ran.out, ran.err);
        assert_eq!(lab.path("out/manifest.json.p7s").exists(), right, "{typed}");
        if right {
            assert!(
                ran.out.contains("3 of 3 certificates have expired since they were signed"),
                "{}",
                ran.out
            );
        }
    }
    lab.keyrite("audit ledger out --script sign.toml").ok();
}

/// Printed commands run as they are printed, whatever the folder of the ledger is called.
#[test]
fn printed_commands_can_be_pasted() {
    let mut lab = Lab::new();
    lab.write_root_script();
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "generror");
    lab.set("FAULTY_TOKEN_AT", "1");
    let keyrite = env!("CARGO_BIN_EXE_keyrite");
    let ledger = "Ann's $HOME; touch pasted";
    let answers = support::repository().join("ceremony/answers-accept.toml");
    let answers = ["--answers", answers.to_str().unwrap(), "--pin-file", "pin"];
    let run = ["ceremony", "run", "root.toml", "--hsm", "hsm.toml", "--ledger", ledger, "--out", "out"];
    let ran = lab.run(keyrite, &[&run[..], &answers].concat());
    let printed = |ran: &support::Ran, command: &str| {
        let mut lines = ran.err.lines().filter_map(|line| line.strip_prefix("  keyrite "));
        lines.find(|line| line.starts_with(command)).unwrap_or_else(|| panic!("{ran:?}")).to_owned()
    };
    assert_eq!(ran.code, 3, "{ran:?}");
    let resume = printed(&ran, "ceremony resume");
    // A second ceremony is refused, with both commands.
    let again = lab.run(keyrite, &[&run[..], &answers].concat());
    assert_eq!(printed(&again, "ceremony resume"), resume);
    let abandon = printed(&again, "ceremony abandon");
    let refused = lab.run("sh", &["-c", &format!("{keyrite} {abandon}")]);
    assert_eq!(printed(&refused, "ceremony resume"), resume);
    lab.set("FAULTY_TOKEN_MODE", "none");
    lab.run("sh", &["-c", &format!("{keyrite} {resume} {}", answers.join(" "))]).ok();
    assert!(!lab.path("pasted").exists());
}
