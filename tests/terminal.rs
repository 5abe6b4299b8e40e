//! At a real terminal: confirmations are typed, the PIN is not echoed, and a wrong word stops.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use support::typist::{ROOT, typed};
use support::{Lab, PIN};

const RUN: &str = "ceremony run root.toml --hsm hsm.toml --ledger ledger --out out";

const RUN_AGAIN: &str =
    "ceremony run root.toml --hsm hsm.toml --ledger ledger --out out --answers accept.toml --pin-file pin";

fn ready() -> Lab {
    let lab = Lab::new();
    lab.write(
        "accept.toml",
        std::fs::read(support::repository().join("ceremony/answers-accept.toml")).unwrap(),
    );
    lab.write("profiles.toml", support::PROFILES);
    lab.write("root.toml", support::root_script("ecdsa-p256"));
    lab
}

#[test]
fn typed_ceremony_is_attended_and_keeps_the_pin_to_itself() {
    let lab = ready();
    let mut steps = ROOT.to_vec();
    steps.insert(1, ("type words", "not these words"));
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(!ran.out.contains(PIN), "the PIN was echoed:\n{}", ran.out);
    assert_eq!(lab.manifest("out")["unattended"], false);
    for file in support::walk(lab.dir.path()) {
        let octets = std::fs::read(&file).unwrap();
        let own = ["pin", "driver.py", "steps.json"].contains(&file.file_name().unwrap().to_str().unwrap());
        assert!(
            own || !octets.windows(PIN.len()).any(|w| w == PIN.as_bytes()),
            "{}: holds the PIN",
            file.display()
        );
    }
    lab.keyrite("verify out --root out/authorities/root-ca.crt").ok();
}

#[test]
fn saying_stop_stops() {
    let lab = ready();
    let mut steps = ROOT[..3].to_vec();
    steps[2].1 = "stop";
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("stopped at the prompt"), "{}", ran.out);
    assert!(!lab.path("out").exists());
    // People who confirmed the plan go on, or give it up.
    lab.keyrite(RUN_AGAIN).fails(2, &["ceremony 1 was not finished"]);
    lab.keyrite("ceremony abandon --ledger ledger --by Ann --reason wrong").ok();
    lab.resume().fails(2, &["nothing to resume"]);
    // Stopped after something was signed: the ledger goes on from there.
    let mut steps = ROOT[..6].to_vec();
    steps[5].1 = "stop";
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 4, "{}", ran.out);
    assert!(ran.out.contains("keyrite ceremony resume --ledger ledger"), "{}", ran.out);
    lab.keyrite("ceremony abandon --ledger ledger --by Ann --reason wrong")
        .fails(2, &["1 keys were begun", "it can only be resumed"]);
    lab.resume().ok();
    lab.keyrite("verify out --root out/authorities/root-ca.crt").ok();
    assert_eq!(lab.manifest("out")["unattended"], true, "the second run was answered by a file");
}

#[test]
fn pin_from_a_descriptor() {
    let lab = ready();
    let command = format!(
        "{} {RUN} --answers {}/ceremony/answers-accept.toml --pin-fd 3 3<pin",
        env!("CARGO_BIN_EXE_keyrite"),
        support::repository().display()
    );
    lab.run("sh", &["-c", &command]).ok();
}
