//! Every write, sync and rename of a ceremony fails or is the last call before a kill. Each time
//! `resume` or a new `run` continues, with every serial number and key accounted for.
//!
//! Every n-th call is tried, to keep the suite short; `KEYRITE_SWEEP=1` tries each.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{self, Lab, Ran, repository};

const KILL: &str = "signal=SIGKILL";
const FULL: &str = "error=ENOSPC";
const FAILING: &str = "error=EIO";

/// A ceremony on a new ledger.
struct Ceremony {
    prepare: fn() -> Lab,
    run: &'static str,
    resume: &'static str,
    /// Whether the ceremony is complete if there is nothing to resume.
    done: fn(&Lab) -> bool,
    holds: fn(&Lab),
}

fn traced(lab: &Lab, inject: &str, call: &str, arguments: &str) -> Ran {
    let accept = repository().join("ceremony/answers-accept.toml");
    let words = format!(
        "-f -o trace -e trace={call} {inject} {} {arguments} --answers {} --pin-file pin",
        env!("CARGO_BIN_EXE_keyrite"),
        accept.display()
    );
    lab.run("strace", &words.split_whitespace().collect::<Vec<_>>())
}

fn keyrite(lab: &Lab, arguments: &str) -> Ran {
    let accept = repository().join("ceremony/answers-accept.toml");
    lab.keyrite(&format!("{arguments} --answers {} --pin-file pin", accept.display()))
}

impl Ceremony {
    /// Tries a fault at every `stride`-th call, starting with the first.
    fn sweep(&self, call: &str, fault: &str, stride: usize) {
        let lab = (self.prepare)();
        traced(&lab, "", call, self.run).ok();
        let count = lab.read("trace").matches(&format!("{call}(")).count();
        assert!(count > 0, "{call} is never made");
        let stride = if std::env::var_os("KEYRITE_SWEEP").is_some() { 1 } else { stride };
        let (next, hit) = (AtomicUsize::new(1), AtomicUsize::new(0));
        let stuck = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(stride, Ordering::Relaxed);
                        if at > count {
                            return;
                        }
                        match self.try_one(call, fault, at) {
                            Ok(was_hit) => _ = hit.fetch_add(usize::from(was_hit), Ordering::Relaxed),
                            Err(why) => stuck.lock().unwrap().push(why),
                        }
                    }
                });
            }
        });
        let stuck = stuck.into_inner().unwrap();
        assert!(stuck.is_empty(), "{} of {count} stuck: {}", stuck.len(), stuck[0]);
        assert!(hit.into_inner() > 0, "no fault at {call} was met");
    }

    /// Tries one fault; returns whether the run reached it.
    fn try_one(&self, call: &str, fault: &str, at: usize) -> Result<bool, String> {
        let lab = (self.prepare)();
        let ran = traced(&lab, &format!("-e inject={call}:{fault}:when={at}"), call, self.run);
        let was_hit = ran.code != 0;
        let mut last = ran;
        for _ in 0..3 {
            if last.code == 0 {
                (self.holds)(&lab);
                return Ok(was_hit);
            }
            last = keyrite(&lab, self.resume);
            if last.err.contains("found-key") {
                // Half a key: nothing is destroyed without a decision.
                let accepting = lab.read_shipped("answers-accept.toml");
                lab.write(
                    "answers.toml",
                    accepting.replace("found-key = \"accept\"", "found-key = \"destroy\""),
                );
                last = lab.keyrite(&format!("{} --answers answers.toml --pin-file pin", self.resume));
            }
            let none = last.err.contains("nothing to resume") || last.err.contains("has no ledger");
            if last.code == 2 && none {
                last = match (self.done)(&lab) {
                    true => Ran { code: 0, ..last },
                    false => keyrite(&lab, self.run),
                };
            }
        }
        Err(format!("{call} {fault} {at}: {last:?}"))
    }
}

const ROOTS: Ceremony = Ceremony {
    prepare: || {
        let lab = Lab::new();
        lab.write_root_script();
        lab
    },
    run: "ceremony run root.toml --hsm hsm.toml --ledger ledger --out root",
    resume: "ceremony resume --ledger ledger",
    done: |lab| lab.path("root/manifest.json.p7s").exists(),
    holds: |lab| {
        lab.keyrite("verify root --root root/authorities/root-ca.crt").ok();
        lab.keyrite("audit ledger root --root root/authorities/root-ca.crt").ok();
        let inspect = lab.keyrite("token inspect --hsm hsm.toml --pin-file pin").ok().out;
        assert_eq!(inspect.matches("private key").count(), 2, "{inspect}");
        assert_eq!(inspect.matches("public key").count(), 2, "{inspect}");
        assert!(!lab.path("ledger/ledger.sqlite.partial").exists());
    },
};

const CUSTODY: Ceremony = Ceremony {
    prepare: || {
        let lab = Lab::new();
        let script = |pin: &str, act: &str| {
            format!(
                "title = \"custody\"\npurpose = \"test\"\n[people]\noperator = 1\ncustodian = 3\n[[step]]\nact = \"machine\"\n[[step]]\nact = \"open-token\"\npin = \"{pin}\"\n{act}"
            )
        };
        lab.write("split.toml", script("typed", "[[step]]\nact = \"custody\"\nthreshold = 2\nshares = 3\n"));
        lab.write("open.toml", script("shares", ""));
        lab
    },
    run: "ceremony run split.toml --hsm hsm.toml --ledger ledger --rehearsal --new-share-file shares",
    resume: "ceremony resume --ledger ledger --share-file shares --new-share-file more",
    done: |lab| {
        let opens = opens(lab);
        if !opens {
            // A new run names a new file for the shares.
            let _ = std::fs::remove_file(lab.path("shares"));
        }
        opens
    },
    holds: |lab| {
        assert!(opens(lab), "no shares open the token");
        lab.keyrite("audit ledger").ok();
    },
};

/// Returns whether the shares of either file open the token, in a ceremony on a separate ledger.
fn opens(lab: &Lab) -> bool {
    ["more", "shares"].iter().any(|shares| {
        let _ = std::fs::remove_dir_all(lab.path("other"));
        let open =
            format!("ceremony run open.toml --hsm hsm.toml --ledger other --rehearsal --share-file {shares}");
        lab.path(shares).exists() && keyrite(lab, &open).code == 0
    })
}

#[test]
fn root_ceremony_killed_at_any_call() {
    ROOTS.sweep("pwrite64", KILL, 2);
    ROOTS.sweep("fsync", KILL, 2);
}

#[test]
fn ledger_creation_killed_at_any_call() {
    for call in ["mkdir", "unlink", "renameat2"] {
        for fault in [KILL, FULL, FAILING] {
            ROOTS.sweep(call, fault, 1);
        }
    }
}

/// SoftHSM writes objects with ftruncate and write: a key pair is incomplete, or has no label and
/// ID.
#[test]
fn token_killed_while_writing_a_key() {
    ROOTS.sweep("ftruncate", KILL, 3);
    ROOTS.sweep("ftruncate", FAILING, 5);
}

/// Data objects of other programs have no ID either, and are kept.
#[test]
fn token_with_other_objects_killed_while_writing_a_key() {
    let beside = Ceremony {
        prepare: || {
            let lab = (ROOTS.prepare)();
            let script =
                lab.read("root.toml").replace("\"inventory\"", "\"inventory\"\nstrangers = \"report\"");
            lab.write("root.toml", script);
            let write = format!(
                "pkcs11-tool --module {} --login --pin $(cat pin) --write-object pin --type data --private --label d",
                support::SOFTHSM
            );
            lab.run("sh", &["-c", &write]).ok();
            lab
        },
        holds: |lab| {
            (ROOTS.holds)(lab);
            let inspect = lab.keyrite("token inspect --hsm hsm.toml --pin-file pin").ok().out;
            assert!(inspect.contains("data"), "{inspect}");
        },
        ..ROOTS
    };
    beside.sweep("ftruncate", KILL, 9);
}

#[test]
fn root_ceremony_with_full_or_failing_disk() {
    for fault in [FULL, FAILING] {
        ROOTS.sweep("pwrite64", fault, 5);
        ROOTS.sweep("fsync", fault, 3);
    }
}

#[test]
fn custody_ceremony_killed_at_any_call() {
    CUSTODY.sweep("pwrite64", KILL, 4);
    CUSTODY.sweep("fsync", KILL, 2);
}

#[test]
fn custody_ceremony_with_full_or_failing_disk() {
    for fault in [FULL, FAILING] {
        CUSTODY.sweep("pwrite64", fault, 9);
        CUSTODY.sweep("fsync", fault, 5);
    }
}

/// A system that cannot start threads is reported or worked around, without a panic.
#[test]
fn threads_that_cannot_be_started() {
    let lab = Lab::signing();
    for name in ["a", "b", "c"] {
        let (subject, san) = (format!("/CN={name}"), format!("DNS:{name}.example.test"));
        lab.csr(&format!("in/web/{name}.csr"), &subject, &san, support::P256);
    }
    let root = "--root root/authorities/root-ca.crt";
    let without = |at: usize, arguments: &str| {
        let words = format!(
            "-f -o trace -e trace=clone3 -e inject=clone3:error=EAGAIN:when={at} {} {arguments}",
            env!("CARGO_BIN_EXE_keyrite")
        );
        let ran = lab.run("strace", &words.split_whitespace().collect::<Vec<_>>());
        assert!(
            [0, 1, 3, 4].contains(&ran.code) && !ran.err.contains("panicked"),
            "{at} {arguments}: {ran:?}"
        );
        let told = |text| ran.err.contains(text) || ran.out.contains(text);
        assert!(ran.code == 0 || told("cannot start a thread") || told("unavailable"), "{ran:?}");
        (lab.read("trace").contains("INJECTED"), ran.code)
    };
    let accept = repository().join("ceremony/answers-accept.toml");
    lab.run("cp", &["-r", "ledger", "kept"]).ok();
    for out in ["out", "out.tar"] {
        let (mut at, mut met) = (1, 0);
        loop {
            lab.run("sh", &["-c", "rm -rf ledger out out.tar && cp -r kept ledger"]).ok();
            let run = format!(
                "ceremony run sign.toml --hsm hsm.toml --ledger ledger --in in --out {out} --answers {} --pin-file pin",
                accept.display()
            );
            let (hit, code) = without(at, &run);
            if code != 0 && lab.resume().err.contains("nothing to resume") {
                lab.sign("in", out).ok();
            }
            lab.keyrite(&format!("verify {out} {root}")).ok();
            if !hit {
                break;
            }
            (at, met) = (at + 1, met + 1);
        }
        assert!(met > 3, "{out}: {met} threads");
        for command in [format!("verify {out} {root}"), format!("audit ledger {out} {root}")] {
            let (mut at, mut met) = (1, 0);
            while without(at, &command).0 {
                (at, met) = (at + 1, met + 1);
            }
            assert!(met > 0, "{command}: no thread");
        }
    }
}
