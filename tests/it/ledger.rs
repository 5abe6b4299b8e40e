//! Modified ledger files: foreign or impossible data is refused before anything is written or
//! signed.

use crate::support::{Lab, P256};

/// Creates a root, and a bundle to be signed.
fn ready() -> Lab {
    let lab = Lab::signing();
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.run("cp", &["-r", "ledger", "kept"]).ok();
    lab
}

/// Executes these statements on a fresh copy of the ledger.
fn edit(lab: &Lab, sql: &str) {
    lab.edit_copy("kept", "ledger", sql);
}

/// Times are only in the records, and an invalid line has none.
#[test]
fn invalid_last_record() {
    let lab = ready();
    let lines =
        ["'gone'", r#"replace(line, '"time":', '"when":')"#, r#"replace(line, '"time":"2', '"time":"x')"#];
    for line in lines {
        let last = "WHERE number = (SELECT max(number) FROM transcript)";
        edit(&lab, &format!("UPDATE transcript SET line = {line} {last}"));
        let told = ["AUDIT-CHAIN", "The ledger was modified"];
        lab.sign("in", "out").fails(3, &told);
        lab.keyrite("ceremony check sign.toml --ledger ledger").fails(3, &told);
        assert!(!lab.path("out").exists());
    }
    edit(&lab, "");
    lab.sign("in", "out").ok();
}

/// A journal that SQLite would replay, other files, and a database that is not a regular file.
#[test]
fn foreign_files_in_the_ledger_folder() {
    let lab = ready();
    // Pages of an older ledger, in SQLite's own format.
    let old = rusqlite::Connection::open(lab.path("old.sqlite")).unwrap();
    let pages = "INSERT INTO t VALUES (zeroblob(9000));".repeat(50);
    old.execute_batch(&format!(
        "PRAGMA page_size = 8192; CREATE TABLE t (x); PRAGMA cache_size = 1; BEGIN; {pages}"
    ))
    .unwrap();
    std::fs::copy(lab.path("old.sqlite-journal"), lab.path("journal")).unwrap();
    let cases = [
        (
            "cp journal ledger/ledger.sqlite-journal",
            "ledger/ledger.sqlite-journal: SQLite would apply this journal",
        ),
        ("touch ledger/ledger.sqlite-journal", "ledger/ledger.sqlite-journal: "),
        ("touch ledger/ledger.sqlite.bak", "ledger/ledger.sqlite.bak: does not belong to the ledger"),
        (
            "mkdir ledger/notes",
            "ledger/notes: does not belong to the ledger, whose folder must have no other files",
        ),
        ("touch \"$(printf 'ledger/\\033[2J')\"", "ledger/\\u{1b}[2J: does not belong to the ledger"),
        ("ln -s /etc/hostname ledger/ledger.sqlite-wal", "ledger/ledger.sqlite-wal: is not a regular file"),
        (
            "rm ledger/ledger.sqlite; mkfifo ledger/ledger.sqlite",
            "ledger/ledger.sqlite: is not a regular file",
        ),
        (
            "mv ledger/ledger.sqlite other; ln -s ../other ledger/ledger.sqlite",
            "ledger/ledger.sqlite: is not a regular file",
        ),
    ];
    for (change, told) in cases {
        lab.run("sh", &["-c", &format!("rm -rf ledger && cp -r kept ledger && {change}")]).ok();
        let listing = || {
            lab.run(
                "sh",
                &["-c", "ls -la --time-style=full-iso ledger; find ledger -type f -exec sha256sum {} +"],
            )
            .ok()
            .out
        };
        let before = listing();
        lab.sign("in", "out").fails(2, &[told]);
        lab.resume().fails(2, &[told]);
        lab.keyrite("ceremony abandon --ledger ledger --by Ada --reason ended").fails(2, &[told]);
        lab.keyrite("ceremony check sign.toml --ledger ledger").fails(2, &[told]);
        lab.keyrite("ceremony report ledger --out report.html").fails(2, &[told]);
        lab.keyrite("ledger due --ledger ledger").fails(2, &[told]);
        lab.keyrite("release again --ledger ledger --out out").fails(2, &[told]);
        lab.keyrite("audit ledger root").fails(2, &[told]);
        assert_eq!(before, listing(), "{change}");
        assert!(!lab.path("out").exists() && !lab.path("report.html").exists());
    }
    edit(&lab, "");
    // keyrite itself creates no other files.
    let told = ["is in the ledger's folder, which must have no other files"];
    lab.sign("in", "ledger/out.tar").fails(2, &told);
    lab.run("ln", &["-s", "ledger", "link"]).ok();
    lab.keyrite("release again --ledger ledger --out link/out").fails(2, &told);
    lab.sign("in", "out").ok();
}

/// A row that exists in a full scan, but not in an index lookup.
#[test]
fn indexes_are_compared_with_their_tables() {
    let lab = ready();
    lab.csr("in/web/b.csr", "/CN=b", "DNS:b.example.test", P256);
    lab.sign("in", "out").ok();
    lab.run("sh", &["-c", "rm -rf kept && cp -r ledger kept"]).ok();
    lab.csr("more/web/c.csr", "/CN=c", "DNS:c.example.test", P256);
    let damaged = |name: &str, change: fn(&mut [u8])| {
        edit(&lab, "");
        let root = format!("SELECT CAST(rootpage AS TEXT) FROM sqlite_schema WHERE name = '{name}'");
        let at = (lab.query("ledger", &root)[0].parse::<usize>().unwrap() - 1) * 8192;
        let mut file = std::fs::read(lab.path("ledger/ledger.sqlite")).unwrap();
        let before = file.clone();
        change(&mut file[at..at + 8192]);
        assert_ne!(before, file);
        lab.write("ledger/ledger.sqlite", file);
        lab.sign("more", "next").fails(3, &["ledger.sqlite is damaged"]);
        let audit = lab.keyrite("audit ledger").fails(1, &["THE RECORD DOES NOT HOLD"]);
        assert!(audit.out.contains("ledger.sqlite is damaged"), "{}", audit.out);
        assert!(!lab.path("next").exists());
    };
    damaged("sqlite_autoindex_token_key_1", |page| {
        let at = page.windows(7).position(|octets| octets == b"root-ca").unwrap();
        page[at + 6] = b'b';
    });
    // Swaps the first two rows.
    damaged("request_key", |page| page[8..12].rotate_left(2));
    damaged("place", |page| page[8..12].rotate_left(2));
    edit(&lab, "");
    lab.sign("more", "next").ok();
}

/// Values, lines and logs that would fill memory or disk.
#[test]
fn oversized_data_is_not_read() {
    let mut lab = ready();
    let line = |length: u32| {
        format!("UPDATE transcript SET line = format('%{length}s', line) WHERE ceremony = 1 AND number = 3")
    };
    let cases = [
        (line(9 << 20), "ceremony 1: a transcript line has"),
        (line(65 << 20), "a value exceeds the maximum of 64 MiB"),
        (format!("UPDATE ceremony SET plan = format('%{}s', 'x')", 65 << 20), "a value exceeds the maximum"),
    ];
    for (sql, told) in &cases {
        edit(&lab, sql);
        let audit = lab.keyrite("audit ledger").fails(1, &["THE RECORD DOES NOT HOLD"]);
        assert!(audit.out.contains(told), "{told}:\n{}", audit.out);
        lab.keyrite("release again --ledger ledger --out out").fails(3, &[told]);
        assert!(!lab.path("out/manifest.json").exists(), "{told}");
        lab.run("rm", &["-rf", "out"]).ok();
    }
    edit(&lab, "");
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "kill");
    lab.set("FAULTY_TOKEN_AT", "3");
    assert_eq!(lab.sign("in", "out").code, -1);
    lab.set("FAULTY_TOKEN_MODE", "none");
    // An interrupted ledger is read from a copy, for which there must be room.
    let due = |size: &str| {
        std::fs::create_dir_all(lab.path("temporary")).unwrap();
        let command = format!(
            "mount -t tmpfs -o size={size} tmpfs temporary && TMPDIR=temporary {} ledger due --ledger ledger; code=$?; ls temporary; exit $code",
            env!("CARGO_BIN_EXE_keyrite")
        );
        lab.run("unshare", &["--mount", "sh", "-c", &command])
    };
    due("16m").fails(
        2,
        &["temporary: has 16 MiB free, but a copy of the ledger needs 17 MiB", "set TMPDIR to a folder"],
    );
    assert!(!due("24m").ok().out.contains("keyrite-reading"));
    lab.run("truncate", &["-s", "65G", "ledger/ledger.sqlite-wal"]).ok();
    let told = ["ledger/ledger.sqlite-wal: is longer than 64 GiB"];
    lab.keyrite("audit ledger").fails(2, &told);
    lab.resume().fails(2, &told);
    // SQLite reads it as before.
    lab.run("truncate", &["-s", "1G", "ledger/ledger.sqlite-wal"]).ok();
    lab.resume().ok();
    lab.keyrite("audit ledger").ok();
}
