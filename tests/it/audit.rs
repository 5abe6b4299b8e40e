//! `keyrite audit` detects edited, removed, reordered, truncated, exchanged and omitted data in
//! ledgers, transcripts and releases.

use crate::support::security_key::SecurityKey;
use crate::support::{Lab, P256, Ran};

const ROOT: &str = "--root root/authorities/root-ca.crt";

/// Creates a root and two releases, with one refused request.
fn released() -> Lab {
    let lab = Lab::signing();
    for name in ["a", "b"] {
        let (path, san) = (format!("in/web/{name}.csr"), format!("DNS:{name}.example.test"));
        lab.csr(&path, &format!("/CN={name}"), &san, P256);
    }
    lab.csr("in/web/bad.csr", "/CN=b", "DNS:b.example.org", P256);
    lab.csr("more/web/c.csr", "/CN=c", "DNS:c.example.test", P256);
    lab.sign("in", "first").ok();
    lab.sign("more", "second.tar").ok();
    lab
}

#[track_caller]
fn fails(ran: &Ran, claim: &str) {
    assert_eq!(ran.code, 1, "{}\n{}", ran.out, ran.err);
    let found = ran.out.lines().any(|line| line.contains("FAILS") && line.contains(claim));
    assert!(found, "no failure of {claim}:\n{}", ran.out);
    assert!(ran.err.contains("THE RECORD DOES NOT HOLD"), "{}", ran.err);
}

/// A claim about people that cannot be told because a file answered.
fn unattended_claim(line: &str) -> bool {
    line.trim_start().starts_with("cannot be told") && line.contains("does not prove that anyone was present")
}

#[test]
fn intact_record_holds_in_any_combination() {
    let lab = released();
    let before = lab.run("sh", &["-c", "cd ledger && stat -c '%n %s %Y %Z' . * && sha256sum *"]).ok().out;
    let ran = lab.keyrite(&format!("audit second.tar first ledger root {ROOT} --script sign.toml")).ok();
    assert!(ran.out.contains("THE RECORD HOLDS AS FAR AS IT WAS GIVEN: "), "{}", ran.out);
    for told in ["ceremony 3: all 7 steps ran", "releases 1, 2, 3 follow", "key manifest signed as release 3"]
    {
        assert!(ran.out.contains(told), "no {told:?} in:\n{}", ran.out);
    }
    assert!(ran.out.lines().all(|line| !line.trim_start().starts_with("FAILS")
        && (!line.trim_start().starts_with("cannot be told") || unattended_claim(line))));
    // A file answered, so claims that people were present and confirmed do not hold.
    for claim in ["AUDIT-PEOPLE", "AUDIT-CONFIRMED"] {
        let lines: Vec<&str> = ran.out.lines().filter(|line| line.contains(claim)).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| unattended_claim(line)), "{claim}: {lines:?}");
    }
    // Each source alone.
    let alone = lab.keyrite("audit first").ok();
    for untold in ["AUDIT-ORDER", "AUDIT-ROOT", "AUDIT-SEQUENCE"] {
        let line = alone.out.lines().find(|line| line.contains("cannot be told") && line.contains(untold));
        assert!(line.is_some(), "{untold}:\n{}", alone.out);
    }
    lab.keyrite("audit first --script sign.toml").ok();
    let transcript = lab.keyrite("audit first/transcript.jsonl --script sign.toml").ok();
    assert!(transcript.out.contains("no given release seals it"), "{}", transcript.out);
    let sealed = lab.keyrite("audit first/transcript.jsonl first").ok();
    assert!(sealed.out.contains("is the one that first seals"), "{}", sealed.out);
    // JSON.
    let json = lab.keyrite(&format!("audit ledger {ROOT} --json")).ok().out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["holds"], true);
    let claims: Vec<&serde_json::Value> =
        json["sections"].as_array().unwrap().iter().flat_map(|s| s["claims"].as_array().unwrap()).collect();
    let holds = |claim: &&serde_json::Value| {
        let people = ["AUDIT-PEOPLE", "AUDIT-CONFIRMED"].iter().any(|id| claim["id"] == **id);
        claim["outcome"] == if people { "cannot-be-told" } else { "holds" }
    };
    assert!(claims.len() > 30 && claims.iter().all(holds), "{claims:?}");
    let after = lab.run("sh", &["-c", "cd ledger && stat -c '%n %s %Y %Z' . * && sha256sum *"]).ok().out;
    assert_eq!(before, after, "the ledger was changed");
}

#[test]
fn unauditable_sources_are_reported() {
    let lab = released();
    lab.keyrite("audit").fails(2, &["LEDGER|TRANSCRIPT|RELEASE"]);
    lab.keyrite("audit absent").fails(3, &["absent"]);
    lab.keyrite("audit /dev/null").fails(2, &["neither a folder nor a file"]);
    lab.keyrite("audit ledger --script absent.toml").fails(2, &["absent.toml"]);
    lab.write("empty.jsonl", "");
    lab.keyrite("audit empty.jsonl").fails(2, &["empty.jsonl"]);
    // A pipe in place of the database does not block.
    lab.run("sh", &["-c", "mkdir pipe && mkfifo pipe/ledger.sqlite"]).ok();
    for command in [
        "audit pipe",
        "ceremony report pipe --out r.html",
        "ledger due --ledger pipe",
        "ceremony abandon --ledger pipe --by Anna --reason none",
    ] {
        lab.keyrite(command).fails(2, &["ledger.sqlite", "is not a regular file"]);
    }
    let held = lab.hold("ledger");
    let told = ["in use by another program; wait until its ceremony is done"];
    lab.keyrite("audit ledger").fails(2, &told);
    drop(held);
    // Overwrites a page of the database.
    lab.run("sh", &["-c", "cp -r ledger hurt && dd if=/dev/zero of=hurt/ledger.sqlite bs=8192 seek=6 count=1 conv=notrunc 2>/dev/null"]).ok();
    fails(&lab.keyrite("audit hurt"), "AUDIT-LEDGER");
}

/// Database edits by an attacker with write access.
#[test]
fn ledger_edits_are_detected() {
    let lab = released();
    let edit = |sql: &str| {
        lab.edit_copy("ledger", "bad", sql);
        lab.keyrite("audit bad")
    };
    let cases = [
        (
            r#"UPDATE transcript SET line = replace(line, '"unattended":true', '"unattended":false')"#,
            "AUDIT-CHAIN",
        ),
        ("DELETE FROM transcript WHERE ceremony = 2 AND number = 5", "AUDIT-CHAIN"),
        (
            "UPDATE transcript SET number = 99 WHERE ceremony = 2 AND number = 7; UPDATE transcript SET number = 7 WHERE ceremony = 2 AND number = 8; UPDATE transcript SET number = 8 WHERE ceremony = 2 AND number = 99",
            "AUDIT-CHAIN",
        ),
        (
            "DELETE FROM transcript WHERE ceremony = 2 AND number = (SELECT max(number) FROM transcript WHERE ceremony = 2)",
            "AUDIT-HISTORY",
        ),
        (
            "DELETE FROM transcript WHERE ceremony = 3 AND number = (SELECT max(number) FROM transcript WHERE ceremony = 3)",
            "AUDIT-END",
        ),
        (
            "DELETE FROM transcript WHERE ceremony = 2; DELETE FROM release WHERE ceremony = 2; DELETE FROM request WHERE ceremony = 2; DELETE FROM ceremony WHERE id = 2",
            "AUDIT-HISTORY",
        ),
        ("DELETE FROM release WHERE sequence = 2", "AUDIT-SEQUENCE"),
        ("DELETE FROM release WHERE sequence = 3", "AUDIT-MANIFEST"),
        ("UPDATE ceremony SET plan = replace(plan, 'dns = ', 'dns  = ') WHERE id = 2", "AUDIT-PLAN"),
        ("UPDATE ceremony SET done = 0 WHERE id = 3", "AUDIT-END"),
        (
            "UPDATE request SET octets = CAST(octets || x'0a' AS BLOB) WHERE path = 'web/a.csr'",
            "AUDIT-REQUESTS",
        ),
        ("UPDATE request SET path = 'web/z.csr' WHERE path = 'web/c.csr'", "AUDIT-SIGNATURE"),
        ("UPDATE request SET refusal = replace(refusal, 'NAME-DNS', 'NAME-IP')", "AUDIT-REFUSALS"),
        ("DELETE FROM request WHERE refusal IS NOT NULL", "AUDIT-REFUSALS"),
        (
            "UPDATE request SET approval = replace(approval, '365', '364'); UPDATE request SET approval = replace(approval, 'a.example', 'z.example')",
            "AUDIT-SIGNATURE",
        ),
        (
            "UPDATE issued SET signature = (SELECT signature FROM issued i WHERE i.id > issued.id) WHERE id = (SELECT id FROM request WHERE path = 'web/a.csr')",
            "AUDIT-REQUESTS",
        ),
        ("DELETE FROM issued WHERE id = (SELECT id FROM request WHERE path = 'web/a.csr')", "AUDIT-REQUESTS"),
        (
            "DELETE FROM certificate WHERE id = (SELECT id FROM request WHERE path = 'web/a.csr')",
            "AUDIT-LEDGER",
        ),
        (
            "UPDATE certificate SET serial = x'0101010101010101010101010101010101010101' WHERE id = (SELECT id FROM request WHERE path = 'web/a.csr')",
            "AUDIT-REQUESTS",
        ),
        (
            "INSERT INTO request (id, ceremony, path, sha256, spki_sha256, spki, octets, approval) SELECT 1000, ceremony, 'web/x.csr', sha256, spki_sha256, spki, octets, approval FROM request WHERE path = 'web/c.csr'; INSERT INTO certificate SELECT 1000, authority, serial, tbs, not_after FROM certificate JOIN request USING (id) WHERE path = 'web/c.csr'; INSERT INTO issued SELECT 1000, signature FROM issued JOIN request USING (id) WHERE path = 'web/c.csr'",
            "AUDIT-SERIALS",
        ),
        (
            "UPDATE certificate SET not_after = not_after + 1 WHERE id = (SELECT id FROM request WHERE path = 'web/a.csr')",
            "AUDIT-REQUESTS",
        ),
        (
            r#"UPDATE request SET approval = replace(approval, 'seconds":', 'seconds":1') WHERE path = 'web/a.csr'"#,
            "AUDIT-REQUESTS",
        ),
        ("UPDATE request SET refusal = replace(refusal, 'NAME-DNS', 'KEY-REUSE')", "AUDIT-REQUESTS"),
        (
            "UPDATE request SET approval = (SELECT approval FROM request WHERE path = 'web/b.csr'), refusal = NULL WHERE refusal IS NOT NULL",
            "AUDIT-REQUESTS",
        ),
        ("UPDATE request SET spki_sha256 = zeroblob(32) WHERE path = 'web/a.csr'", "AUDIT-REQUESTS"),
        ("UPDATE ceremony SET refused = refused + 1 WHERE id = 2", "AUDIT-REQUESTS"),
        ("DELETE FROM request_key WHERE request = (SELECT max(id) FROM request)", "AUDIT-LEDGER"),
        ("DELETE FROM place WHERE request = (SELECT max(id) FROM request)", "AUDIT-LEDGER"),
        ("INSERT INTO renewal SELECT max(id), min(id) FROM issued", "AUDIT-LEDGER"),
        (
            "UPDATE token_key SET certificate = (SELECT certificate FROM token_key WHERE name = 'root-ca') WHERE name = 'manifest'",
            "AUDIT-KEYS",
        ),
        ("DELETE FROM token_key WHERE name = 'manifest'", "AUDIT-KEYS"),
        (
            "UPDATE release SET manifest_sha256 = (SELECT manifest_sha256 FROM release WHERE sequence = 2) WHERE sequence = 3",
            "AUDIT-SIGNATURE",
        ),
        (
            "UPDATE release SET signature = (SELECT signature FROM release WHERE sequence = 2) WHERE sequence = 3",
            "AUDIT-SIGNATURE",
        ),
        (
            "UPDATE release SET head = replace(head, 'production', 'rehearsal') WHERE sequence = 3",
            "AUDIT-MANIFEST",
        ),
        ("UPDATE release SET head = replace(head, '0.1.0', '0.0.9') WHERE sequence = 3", "AUDIT-SIGNATURE"),
        ("UPDATE request SET ceremony = 3 WHERE path = 'web/a.csr'", "AUDIT-REQUESTS"),
        ("UPDATE request SET spki = x'00' WHERE refusal IS NOT NULL", "AUDIT-REQUESTS"),
        ("UPDATE request SET bundle = 0 WHERE path = 'web/a.csr'", "AUDIT-LEDGER"),
        ("UPDATE request SET octets = x'00' WHERE path = 'token-key:root-ca'", "AUDIT-REQUESTS"),
        ("UPDATE request SET sha256 = zeroblob(32) WHERE path = 'token-key:root-ca'", "AUDIT-REQUESTS"),
        ("UPDATE request SET spki_sha256 = zeroblob(32) WHERE path = 'token-key:root-ca'", "AUDIT-REQUESTS"),
        ("UPDATE request SET refusal = '[]' WHERE path = 'token-key:root-ca'", "AUDIT-REQUESTS"),
        ("UPDATE certificate SET not_after = -not_after", "AUDIT-REQUESTS"),
        ("UPDATE ceremony SET approved = 1 WHERE id = 1", "AUDIT-REQUESTS"),
        ("UPDATE ceremony SET first_request = 0 WHERE id = 1", "AUDIT-REQUESTS"),
        ("UPDATE ceremony SET first_request = first_request - 1 WHERE id = 3", "AUDIT-REQUESTS"),
        ("UPDATE ceremony SET first_request = 1 WHERE id = 3", "AUDIT-LEDGER"),
        ("UPDATE ceremony SET cluster = 'x' WHERE id = 2", "AUDIT-PLAN"),
        ("UPDATE ceremony SET done = 2 WHERE id = 3", "AUDIT-LEDGER"),
        ("UPDATE ceremony SET done = 0 WHERE id = 2", "AUDIT-LEDGER"),
        (
            r#"UPDATE ceremony SET plan = replace(plan, '"token_serial', '"more":1,"token_serial') WHERE id = 2"#,
            "AUDIT-PLAN",
        ),
        ("UPDATE transcript SET number = number + 1000 WHERE ceremony = 3", "AUDIT-LEDGER"),
        ("INSERT INTO ledger VALUES (0)", "AUDIT-LEDGER"),
        ("UPDATE token_key SET certificate = NULL WHERE name = 'manifest'", "AUDIT-KEYS"),
        ("UPDATE token_key SET role = 'authority' WHERE name = 'manifest'", "AUDIT-KEYS"),
        ("UPDATE token_key SET role = 'witness' WHERE name = 'manifest'", "AUDIT-LEDGER"),
        (
            "INSERT INTO request_key SELECT k.spki_sha256, (SELECT id FROM request WHERE path = 'web/a.csr') FROM request_key k JOIN request r ON r.id = k.request WHERE r.path = 'web/c.csr'",
            "AUDIT-REQUESTS",
        ),
        (
            r#"UPDATE request SET refusal = replace(refusal, ']', ',{"control":"KEY-REUSE","message":"x"}]')"#,
            "AUDIT-REQUESTS",
        ),
        ("UPDATE token_key SET key_id = zeroblob(16) WHERE rowid = 1", "AUDIT-KEYS"),
        ("UPDATE token_key SET token_serial = 'x' WHERE name = 'root-ca'", "AUDIT-KEYS"),
        ("UPDATE token_key SET profile = 'x' WHERE name = 'root-ca'", "AUDIT-KEYS"),
        ("UPDATE token_key SET issuer = 'manifest' WHERE name = 'manifest'", "AUDIT-KEYS"),
        (r#"UPDATE ceremony SET plan = replace(plan, 'token_serial":"', 'token_serial":"x')"#, "AUDIT-PLAN"),
        (r#"UPDATE ceremony SET plan = replace(plan, 'out":"', 'out":"x')"#, "AUDIT-PLAN"),
        ("INSERT INTO bundle VALUES (3, 0, 'c', '', 1, zeroblob(32), x'00')", "AUDIT-LEDGER"),
        ("UPDATE token_key SET ceremony = 2 WHERE name = 'root-ca'", "AUDIT-KEYS"),
        ("UPDATE token_key SET rowid = 9 WHERE name = 'root-ca'", "AUDIT-KEYS"),
    ];
    for (sql, claim) in cases {
        fails(&edit(sql), claim);
    }
    // Only keyrite's own tables are queried.
    let view = "ALTER TABLE transcript RENAME TO kept; CREATE VIEW transcript AS WITH RECURSIVE t(ceremony, number, line) AS (SELECT 1, 1, 1 UNION ALL SELECT ceremony, number + 1, line FROM t) SELECT * FROM t";
    fails(&edit(view), "AUDIT-LEDGER");
    fails(&edit("CREATE TRIGGER t AFTER INSERT ON issued BEGIN DELETE FROM request; END"), "AUDIT-LEDGER");
    let hidden = "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES ('trigger', 'sqlite_t', 'issued', 0, 'CREATE TRIGGER sqlite_t AFTER INSERT ON issued BEGIN DELETE FROM request; END')";
    fails(&edit(hidden), "AUDIT-LEDGER");
    // The whole last ceremony is cut off: the ledger alone cannot show it, the release does.
    let cut = "DELETE FROM transcript WHERE ceremony = 3; DELETE FROM release WHERE ceremony = 3; DELETE FROM issued WHERE id IN (SELECT id FROM request WHERE ceremony = 3); DELETE FROM certificate WHERE id IN (SELECT id FROM request WHERE ceremony = 3); DELETE FROM place WHERE request IN (SELECT id FROM request WHERE ceremony = 3); DELETE FROM request_key WHERE request IN (SELECT id FROM request WHERE ceremony = 3); DELETE FROM request WHERE ceremony = 3; DELETE FROM ceremony WHERE id = 3";
    edit(cut).ok();
    let ran = lab.keyrite("audit bad root first second.tar");
    fails(&ran, "AUDIT-SEQUENCE");
    fails(&ran, "AUDIT-HISTORY");
}

/// Rewritten history with a valid chain.
#[test]
fn rewritten_chains_are_detected() {
    let lab = released();
    let ledger = |ceremony: u32, edit: &str| {
        lab.rewrite(ceremony, edit);
        lab.keyrite("audit bad")
    };
    fails(&ledger(2, "r[0]['data']['unattended'] = False"), "AUDIT-SEAL");
    fails(&ledger(2, "del r[4]"), "AUDIT-SEAL");
    fails(&ledger(2, "r[-1]['time'] = '2031-01-01T00:00:00Z'"), "AUDIT-HISTORY");
    fails(
        &ledger(3, "[x for x in r if x['event'] == 'signed'][0]['data']['listing_sha256'] = '0' * 64"),
        "AUDIT-CERTIFICATES",
    );
    fails(&ledger(3, "del r[-2:]"), "AUDIT-END");
    fails(&ledger(3, "r[-1]['event'] = 'abandoned'"), "AUDIT-END");
    // One begin with constant facts, and nothing after the end.
    fails(&ledger(3, "r.insert(1, r[0].copy())"), "AUDIT-CHAIN");
    fails(&ledger(3, "r[0]['event'] = 'resume'"), "AUDIT-CHAIN");
    fails(&ledger(3, "r.append(dict(r[-1], event='exception', data={}))"), "AUDIT-CHAIN");
    let resume = |more: &str| {
        ledger(3, &format!("r.insert(1, dict(r[0], event='resume', data=dict(r[0]['data'], {more})))"))
    };
    for fact in ["title='t'", "rehearsal=True", "bundle_sha256=None", "module={}"] {
        fails(&resume(fact), "AUDIT-CHAIN");
    }
    let tool = resume("tool={'version': '9', 'sha256': '0' * 64}");
    assert!(
        tool.out.contains("another program continued the ceremony; record 2: the program is 9 0000"),
        "{}",
        tool.out
    );
    // Results and reservations.
    for edit in [
        "del r[[x['event'] for x in r].index('done')]",
        "[x for x in r if x['event'] == 'done'][1]['data']['number'] = 3",
        "r.insert([x['event'] for x in r].index('done') + 1, r[[x['data'].get('act') for x in r].index('machine')].copy())",
    ] {
        let found = ledger(3, edit);
        found.fails(1, &["THE RECORD DOES NOT HOLD"]);
    }
    fails(&ledger(3, "r[:] = [x for x in r if x['event'] != 'reserved']"), "AUDIT-CERTIFICATES");
    fails(
        &ledger(3, "[x for x in r if x['event'] == 'reserved'][0]['data']['listing_sha256'] = '0' * 64"),
        "AUDIT-CERTIFICATES",
    );
    fails(&ledger(1, "r[:] = [x for x in r if x['event'] != 'key-reserved']"), "AUDIT-REQUESTS");
    fails(
        &ledger(1, "[x for x in r if x['event'] == 'key-reserved'][0]['data']['tbs_sha256'] = '0' * 64"),
        "AUDIT-REQUESTS",
    );
    fails(
        &ledger(
            1,
            "k = [x for x in r if x['event'] == 'key-reserved'][0]; r.insert(r.index(k), dict(k, data=dict(k['data'], name='x')))",
        ),
        "AUDIT-REQUESTS",
    );
    for (field, value) in
        [("subject", "CN=x"), ("serial", "01"), ("not_after", "2031-01-01T00:00:00Z"), ("key_id", "00")]
    {
        let edit = format!("[x for x in r if x['event'] == 'certificate'][0]['data']['{field}'] = '{value}'");
        fails(&ledger(1, &edit), "AUDIT-KEYS");
    }
    let serials = "t = [x for x in r if x['event'] == 'token-open'][0]['data']['token_serial']; r[:] = json.loads(json.dumps(r).replace(t, 'other'))";
    fails(&ledger(3, serials), "AUDIT-MANIFEST");
    fails(&ledger(3, "r[3]['time'] = '2001-01-01T00:00:00Z'"), "AUDIT-TIME");
    // A transcript alone with its script: order, confirmations and keys are compared.
    let transcript = |from: &str, script: &str, edit: &str| {
        lab.run("python3", &["rewrite.py", from, "bad.jsonl", edit]).ok();
        lab.keyrite(&format!("audit bad.jsonl --script {script}"))
    };
    let step = |edit: &str| transcript("first/transcript.jsonl", "sign.toml", edit);
    lab.write("whole.jsonl", lab.transcript("ledger", 2));
    transcript("whole.jsonl", "sign.toml", "pass").ok();
    fails(
        &step(
            "s = [x for x in r if x['event'] == 'step']; s[2]['data'], s[3]['data'] = s[3]['data'], s[2]['data']",
        ),
        "AUDIT-ORDER",
    );
    fails(&step("r[:] = [x for x in r if x['data'].get('act') != 'inventory']"), "AUDIT-ORDER");
    fails(
        &step("r[:] = [x for x in r if x['data'].get('asked', {}).get('prompt') != 'review']"),
        "AUDIT-CONFIRMED",
    );
    fails(
        &step("r[:] = [x for x in r if x['data'].get('asked', {}).get('prompt') != 'plan']"),
        "AUDIT-CONFIRMED",
    );
    for prompt in ["plan", "clock", "bundle", "review", "manifest"] {
        let asked = match prompt {
            "clock" => "['asked']['time'] = '2001-01-01T00:00:00Z'",
            "review" => "['asked']['issue'] = 77",
            _ => "['asked']['sha256'] = '0' * 64",
        };
        for change in ["['answer'] = 'some other words'", asked] {
            let said = format!(
                "[x for x in r if x['data'].get('asked', {{}}).get('prompt') == '{prompt}'][-1]['data']{change}"
            );
            // The question about the manifest follows the seal.
            let from = if prompt == "manifest" { "whole.jsonl" } else { "first/transcript.jsonl" };
            fails(&transcript(from, "sign.toml", &said), "AUDIT-CONFIRMED");
        }
    }
    fails(
        &step(
            "[x for x in r if x['data'].get('asked', {}).get('prompt') == 'clock'][0]['time'] = '2001-01-01T00:00:00Z'",
        ),
        "AUDIT-CONFIRMED",
    );
    for event in ["login", "token-open", "inventory"] {
        let other = format!(
            "d = [x for x in r if x['event'] == '{event}'][-1]['data']; d['token'].update(serial='other') if 'token' in d else d.update(token_serial='other')"
        );
        fails(&step(&other), "AUDIT-OBJECTS");
    }
    fails(
        &step(
            "r.insert(3, dict(r[1], event='statement', data={'kind': 'seal', 'label': 'x', 'value': '1', 'by': r[1]['data']['name'], 'role': r[1]['data']['role']}))",
        ),
        "AUDIT-CONFIRMED",
    );
    // Excessive numbers, reported quickly.
    let crowd = step(
        "r[1:2] = [dict(r[1], data={'role': 'operator', 'name': f'Somebody Whoever {n}'}) for n in range(60000)]",
    );
    fails(&crowd, "AUDIT-PEOPLE");
    fails(&step("r[:] = [x for x in r if x['event'] != 'present']"), "AUDIT-PEOPLE");
    fails(&step("r.insert(2, r[1])"), "AUDIT-PEOPLE");
    fails(
        &step("[x for x in r if x['event'] == 'confirmed'][2]['data']['by'] = 'Somebody Else'"),
        "AUDIT-CONFIRMED",
    );
    fails(
        &step("[x for x in r if x['event'] == 'inventory'][-1]['data']['accepted'] = False"),
        "AUDIT-OBJECTS",
    );
    let root = |edit: &str| transcript("root/transcript.jsonl", "root.toml", edit);
    root("pass").ok();
    fails(
        &root(
            "[x for x in r if x['data'].get('asked', {}).get('prompt') == 'create'][0]['data']['answer'] = 'other'",
        ),
        "AUDIT-CONFIRMED",
    );
    fails(
        &root(
            "[x for x in r if x['event'] == 'key-generated'][0]['data']['attributes']['CKA_EXTRACTABLE'] = True",
        ),
        "AUDIT-KEYS",
    );
    fails(&root("r[:] = [x for x in r if x['event'] != 'certificate']"), "AUDIT-KEYS");
    fails(&root("[x for x in r if x['event'] == 'certificate'][0]['data']['name'] = 'other'"), "AUDIT-KEYS");
    // The text of questions is not compared.
    let reworded = "for x in r: 'question' in x['data'] and x['data'].update(question='Ask in other words')";
    root(reworded).ok();
    transcript("whole.jsonl", "sign.toml", reworded).ok();
    // More than any ceremony has, reported quickly.
    let many = root(
        "c = [x for x in r if x['event'] == 'certificate'][0]; r[-1:] = [{**c, 'data': {**c['data'], 'name': f'key-{n}'}} for n in range(60000)]",
    );
    fails(&many, "AUDIT-CHAIN");
    assert!(many.out.contains("more than 1000 keys"), "{}", many.out);
    // Exchanged scripts.
    fails(&lab.keyrite("audit root/transcript.jsonl --script sign.toml"), "AUDIT-SCRIPT");
    fails(&lab.keyrite("audit ledger bad.jsonl"), "AUDIT-HISTORY");
}

#[test]
fn edited_and_missing_releases_are_detected() {
    let lab = released();
    lab.run("sh", &["-c", "mkdir second && tar -xf second.tar -C second"]).ok();
    let bad = |change: &str, more: &str| {
        lab.run("sh", &["-c", &format!("rm -rf bad && cp -r first bad && cd bad && {change}")]).ok();
        lab.keyrite(&format!("audit bad {more}"))
    };
    fails(&bad("rm certificates/web/a.crt", ""), "AUDIT-RELEASE");
    fails(&bad("cp certificates/web/a.crt certificates/web/b.crt", ""), "AUDIT-RELEASE");
    fails(&bad("sed -i s/NAME-DNS/NAME-IP/ manifest.json", ""), "AUDIT-REFUSALS");
    fails(&bad("sed -i '5d' transcript.jsonl", ""), "AUDIT-CHAIN");
    fails(&bad("truncate -s -9 transcript.jsonl", ""), "AUDIT-CHAIN");
    fails(&bad("sed -i '$d' transcript.jsonl", ""), "AUDIT-SEAL");
    fails(&bad("rm transcript.jsonl", ""), "AUDIT-RELEASE");
    fails(&bad("rm manifest.json", ""), "AUDIT-RELEASE");
    fails(&bad("cp ../second/manifest.json* .", ""), "AUDIT-SEAL");
    fails(&bad("cp ../root/transcript.jsonl .", "first ledger"), "AUDIT-SEAL");
    // A release in between is missing; the ledger has one that was not given; one was given that it
    // does not have.
    let gap = lab.keyrite("audit root second.tar");
    fails(&gap, "AUDIT-SEQUENCE");
    assert!(
        gap.out.contains("keyrite release again --ledger LEDGER --out RELEASE --sequence 2"),
        "{}",
        gap.out
    );
    let untold = lab.keyrite("audit ledger root first").ok();
    assert!(untold.out.contains("releases 3 are intact: the ledger has them"), "{}", untold.out);
    let other = released();
    let theirs = other.path("first");
    fails(&lab.keyrite(&format!("audit ledger {}", theirs.display())), "AUDIT-HISTORY");
    fails(
        &lab.keyrite(
            "audit first --root-sha256 1111111111111111111111111111111111111111111111111111111111111111",
        ),
        "AUDIT-ROOT",
    );
    // A ledger may have several roots: each release must chain to a trusted one.
    let none = "11".repeat(32);
    let both = format!("audit first --root-sha256 {none} --root root/authorities/root-ca.crt");
    assert!(lab.keyrite(&both).ok().out.contains("chains to the root you trust, root-ca"));
}

/// Witnesses sign with ssh-keygen; signers and the validity of their signatures are reported.
#[test]
fn witnesses_sign_transcripts() {
    let lab = released();
    for (who, kind) in [("anna", "ed25519"), ("bert", "ecdsa"), ("eve", "ed25519")] {
        lab.run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-C", who, "-f", who]).ok();
    }
    let sign = |who: &str, namespace: &str, file: &str, to: &str| {
        let line = format!("ssh-keygen -q -Y sign -n {namespace} -f {who} < {file} > {to}");
        lab.run("sh", &["-c", &line]).ok();
    };
    let key = |who: &str| lab.read(&format!("{who}.pub")).trim().to_owned();
    lab.write(
        "allowed",
        format!(
            "# witnesses\nanna@example {}\nbert@example namespaces=\"keyrite-transcript\" {}\n",
            key("anna"),
            key("bert")
        ),
    );
    sign("anna", "keyrite-transcript", "first/transcript.jsonl", "first.anna.sig");
    sign("bert", "keyrite-transcript", "first/transcript.jsonl", "first.bert.sig");
    let ran = lab.keyrite(&format!("audit first ledger {ROOT} --allowed-signers allowed")).ok();
    for who in ["anna@example signed the transcript of first", "bert@example signed the transcript of first"]
    {
        assert!(ran.out.contains(who), "no {who:?} in:\n{}", ran.out);
    }
    // The printed command succeeds.
    let line = "ssh-keygen -Y verify -f allowed -I anna@example -n keyrite-transcript -s first.anna.sig < first/transcript.jsonl";
    lab.run("sh", &["-c", line]).ok();
    // Without a list the key is reported; over a copy of the transcript, named explicitly.
    let unknown = lab.keyrite("audit first").ok();
    assert!(unknown.out.contains("name its owner with --allowed-signers"), "{}", unknown.out);
    lab.run("cp", &["first/transcript.jsonl", "t.jsonl"]).ok();
    lab.keyrite("audit t.jsonl --witness-signature first.anna.sig --allowed-signers allowed").ok();
    // Another signer, other content, another namespace, no signature at all.
    sign("eve", "keyrite-transcript", "first/transcript.jsonl", "eve.sig");
    let with = |signature: &str| {
        lab.keyrite(&format!("audit first --allowed-signers allowed --witness-signature {signature}"))
    };
    fails(&with("eve.sig"), "AUDIT-WITNESS");
    sign("anna", "keyrite-transcript", "root/transcript.jsonl", "other.sig");
    fails(&with("other.sig"), "AUDIT-WITNESS");
    sign("anna", "keyrite-bundle", "first/transcript.jsonl", "bundle.sig");
    fails(&with("bundle.sig"), "AUDIT-WITNESS");
    fails(&with("allowed"), "AUDIT-WITNESS");
    let dora = SecurityKey::generate();
    lab.write("allowed", format!("{}dora@example {}\n", lab.read("allowed"), dora.line()));
    let transcript = lab.read("first/transcript.jsonl");
    lab.write("dora.sig", dora.sign("keyrite-transcript", transcript.as_bytes(), true));
    assert!(with("dora.sig").ok().out.contains("dora@example signed the transcript of first"));
    lab.write("dora.sig", dora.sign("keyrite-transcript", transcript.as_bytes(), false));
    let untouched = with("dora.sig");
    fails(&untouched, "AUDIT-WITNESS");
    assert!(untouched.out.contains("without touching the security key"), "{}", untouched.out);
    with("absent.sig").fails(2, &["absent.sig"]);
    lab.write("odd", format!("anna@example valid-after=\"20200101\" {}\n", key("anna")));
    lab.keyrite("audit first --allowed-signers odd").fails(2, &["odd: line 1: option"]);
    for pattern in ["!eve@example,*@example", "anna@*", "ann?@example"] {
        lab.write("odd", format!("{pattern} {}\n", key("anna")));
        lab.keyrite("audit first --allowed-signers odd").fails(2, &["odd: line 1: ", "is a pattern"]);
    }
}

/// A source that is not a ledger, transcript or release is reported as such, without a verdict.
#[test]
fn invalid_sources() {
    let lab = Lab::without_token();
    std::fs::create_dir(lab.path("folder")).unwrap();
    lab.write("empty", "");
    for (source, why) in [
        ("folder", "a folder with neither a ledger nor a release"),
        ("empty", "empty"),
        ("pin", "neither a transcript (JSON Lines) nor a tar of a release"),
        ("hsm.toml", "neither a transcript (JSON Lines) nor a tar of a release"),
        ("/dev/null", "neither a folder nor a file"),
    ] {
        for command in ["audit", "ceremony report --out report.html"] {
            let ran =
                lab.keyrite(&format!("{command} {source}")).fails(2, &[why, "name ledgers, transcripts"]);
            assert!(!ran.err.contains("RECORD"), "{}", ran.err);
        }
    }
    assert!(!lab.path("report.html").exists());
}

/// Decisions about key objects found after an interruption are those typed in that run about
/// exactly these objects: chains rewritten to say otherwise do not hold.
#[test]
fn decisions_about_found_keys_are_audited() {
    let lab = |decision: &str| {
        let mut lab = Lab::new();
        lab.write_root_script();
        lab.faulty();
        lab.set("FAULTY_TOKEN_MODE", "generror");
        lab.ceremony("root.toml", "--out root").fails(3, &["CKR_DEVICE_ERROR"]);
        lab.set("FAULTY_TOKEN_MODE", "none");
        let accepting = lab.read_shipped("answers-accept.toml");
        let answers = accepting.replace("found-key = \"accept\"", &format!("found-key = \"{decision}\""));
        lab.write("answers.toml", answers);
        lab.keyrite("ceremony resume --ledger ledger --answers answers.toml --pin-file pin").ok();
        lab
    };
    let found = "f = [x for x in r if x['event'] == 'key-found'][0]";
    let said =
        "c = [x for x in r if x['event'] == 'confirmed' and x['data']['asked']['prompt'] == 'found-key'][0]";
    let made = "g = [x for x in r if x['event'] == 'key-generated'][0]";
    let gone = "w = [x for x in r if x['event'] == 'key-withdrawn'][0]";
    let edits = [
        ("keep", format!("{said}; r.remove(c)")),
        ("keep", format!("{found}; {said}; r.remove(f); r.remove(c)")),
        ("keep", format!("{said}; c['data']['answer'] = 'destroy root-ca'")),
        ("keep", format!("{found}; f['data']['spki_sha256'] = '0' * 64")),
        ("keep", format!("{found}; f['data']['key_id'] = '00' * 16")),
        ("keep", format!("{found}; f['data']['reason'] = 'is half a pair'")),
        ("keep", format!("{made}; g['data']['spki_sha256'] = '0' * 64")),
        ("destroy", format!("{said}; r.remove(c)")),
        ("destroy", format!("{found}; {said}; r.remove(f); r.remove(c)")),
        ("destroy", format!("{gone}; w['data']['destroyed'][0]['label'] = 'other'")),
        ("destroy", format!("{gone}; w['data']['destroyed'].pop()")),
        // A new run decides again.
        (
            "destroy",
            format!("{gone}; n = [x for x in r if x['event'] == 'resume'][0]; r.insert(r.index(w), dict(n))"),
        ),
        // A key that was not asked about.
        ("destroy", format!("{made}; i = [x for x in r if x['event'] == 'key-intended'][-2]; r.remove(i)")),
    ];
    for decision in ["keep", "destroy"] {
        let lab = lab(decision);
        lab.keyrite("audit ledger").ok();
        for (_, edit) in edits.iter().filter(|(of, _)| *of == decision) {
            lab.rewrite(1, edit);
            let ran = lab.keyrite("audit bad");
            let failed = |line: &str| line.contains("FAILS") && line.contains("AUDIT-CONFIRMED");
            assert!(ran.code == 1 && ran.out.lines().any(failed), "{edit}:\n{}", ran.out);
        }
    }
}
