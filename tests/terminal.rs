//! At a real terminal: confirmations are typed, the PIN is not echoed, and a wrong word stops.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use support::{Lab, PIN};

/// Drives keyrite behind a pseudo-terminal: each answer is typed once its question stands there.
/// A step is a text to wait for and the line to type; `{words}` and `{date}` are read off the screen.
const DRIVER: &str = r#"
import os, pty, re, sys, json, select, termios
steps, command = json.loads(sys.argv[1]), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(command[0], command)
screen = ""
def until(text):
    global screen
    start = len(screen)
    while text not in screen[until.at:]:
        ready, _, _ = select.select([fd], [], [], 60)
        try:
            data = os.read(fd, 4096) if ready else b""
        except OSError:
            data = b""
        if not data:
            return False
        screen += data.decode(errors="replace")
    until.at = screen.index(text, until.at) + len(text)
    return True
until.at = 0
for wait, line in steps:
    if not until(wait):
        break
    if "{words}" in line:
        block = re.search(r"Plan digest:\s+[0-9a-f ]+\r?\n((?:\s+(?:[a-z]+ ?){6}\r?\n)+)", screen).group(1)
        line = line.replace("{words}", " ".join(block.split()[:6]))
    if "{date}" in line:
        line = line.replace("{date}", re.search(r"The clock says (\d{4}-\d\d-\d\d)T", screen).group(1))
    while "PIN" in wait and termios.tcgetattr(fd)[3] & termios.ECHO:
        pass  # the question stands there a moment before the echo is off
    os.write(fd, (line + "\n").encode())
until("\0never")
_, status = os.waitpid(pid, 0)
print(screen)
sys.exit(os.waitstatus_to_exitcode(status))
"#;

fn typed(lab: &Lab, steps: &[(&str, &str)], arguments: &str) -> support::Ran {
    lab.write("driver.py", DRIVER);
    let steps = serde_json::to_string(steps).unwrap();
    let mut words = vec!["driver.py", &steps, env!("CARGO_BIN_EXE_keyrite")];
    words.extend(arguments.split_whitespace());
    lab.run("python3", &words)
}

const RUN: &str = "ceremony run root.toml --hsm hsm.toml --ledger ledger --out out";

fn ready() -> Lab {
    let lab = Lab::new();
    lab.write("profiles.toml", support::PROFILES);
    lab.write("root.toml", support::root_script("ecdsa-p256"));
    lab
}

#[test]
fn typed_ceremony_is_attended_and_keeps_the_pin_to_itself() {
    let lab = ready();
    let ran = typed(
        &lab,
        &[
            ("first six words", "not these words"),
            ("Type it again", "{words}"),
            ("type the date in UTC", "{date}"),
            ("User PIN of token lab: ", PIN),
            ("type: root-ca", "root-ca"),
            ("type: manifest", "manifest"),
        ],
        RUN,
    );
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(!ran.out.contains(PIN), "the PIN was echoed:\n{}", ran.out);
    assert_eq!(lab.manifest("out")["unattended"], false);
    for file in support::walk(lab.dir.path()) {
        let octets = std::fs::read(&file).unwrap();
        let own = ["pin", "driver.py"].contains(&file.file_name().unwrap().to_str().unwrap());
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
    let ran = typed(&lab, &[("first six words", "{words}"), ("type the date in UTC", "stop")], RUN);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("stopped at the prompt"), "{}", ran.out);
    assert!(!lab.path("out").exists());
    // Stopped after something was signed: the ledger goes on from there.
    let steps = [
        ("first six words", "{words}"),
        ("type the date in UTC", "{date}"),
        ("User PIN of token lab: ", PIN),
        ("type: root-ca", "root-ca"),
        ("type: manifest", "stop"),
    ];
    let ran = typed(&lab, &steps, RUN);
    assert_eq!(ran.code, 4, "{}", ran.out);
    assert!(ran.out.contains("keyrite ceremony resume --ledger ledger"), "{}", ran.out);
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
