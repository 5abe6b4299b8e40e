//! The ledger's files, after somebody else had them: what is not keyrite's, or cannot be, is refused
//! before anything is written or signed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use support::{Lab, P256, WEB};

/// A root, and a bundle that waits to be signed.
fn ready() -> Lab {
    let lab = Lab::new();
    lab.root("ecdsa-p256");
    lab.sign_script(WEB);
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.run("cp", &["-r", "ledger", "kept"]).ok();
    lab
}

/// Python on the database of a fresh copy of the ledger, as `q`.
fn edit(lab: &Lab, python: &str) {
    lab.run("sh", &["-c", "rm -rf ledger && cp -r kept ledger"]).ok();
    let script = format!(
        "import sqlite3; db = sqlite3.connect('ledger/ledger.sqlite'); q = db.execute; {python}; db.commit()"
    );
    lab.run("python3", &["-c", &script]).ok();
}

/// When something was written stands in the records alone, and a line that is none tells no time.
#[test]
fn last_line_that_is_no_record() {
    let lab = ready();
    let lines =
        ["'gone'", r#"replace(line, '"time":', '"when":')"#, r#"replace(line, '"time":"2', '"time":"x')"#];
    for line in lines {
        edit(
            &lab,
            &format!(
                "q('''UPDATE transcript SET line = {line} WHERE number = (SELECT max(number) FROM transcript)''')"
            ),
        );
        lab.sign("in", "out").fails(3, &["a line of a transcript is no record with a time"]);
        assert!(!lab.path("out").exists());
    }
    edit(&lab, "0");
    lab.sign("in", "out").ok();
}
