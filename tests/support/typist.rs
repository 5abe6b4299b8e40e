//! A person at a real terminal: each answer is typed once its prompt appears.

use super::{Lab, Ran};

/// A step is a text to wait for and the line to type. `{words}` are the words of the digest in the
/// last question, `{date}` the date of the clock, `{share N}` the N-th share shown; `{kill}` kills
/// the program instead.
const DRIVER: &str = r#"
import os, pty, re, sys, json, select, signal, struct, termios, fcntl
steps, command = json.loads(open(sys.argv[1]).read()), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    # Not before the terminal has its size.
    while os.get_terminal_size(0).lines != 24:
        pass
    os.execvp(command[0], command)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
screen = ""
def until(text):
    global screen
    # Where a line is folded is no matter.
    wanted = re.compile(r"\s+".join(re.escape(word) for word in text.split(" ")))
    while not wanted.search(screen, until.at):
        ready, _, _ = select.select([fd], [], [], 20)
        try:
            data = os.read(fd, 4096) if ready else b""
        except OSError:
            data = b""
        if not data:
            return False
        screen += data.decode(errors="replace")
    until.at = wanted.search(screen, until.at).end()
    return True
until.at = 0
def flat(text):
    return re.sub(r"\s+", " ", text)
def words():
    asked = re.findall(r"type words (\d+), (\d+) and (\d+)", flat(screen))[-1]
    rows = re.findall(r"(?m)^ *\d+ [a-z]+(?: +\d+ [a-z]+){5}\s*$", screen)
    shown = dict(re.findall(r"(\d+) ([a-z]+)", " ".join(rows)))
    return " ".join(shown[number] for number in asked)
for wait, line in steps:
    if not until(wait):
        break
    if line == "{interrupt}":
        if not wait.endswith(": ") and not until("> "):
            break
        while wait.endswith(": ") and termios.tcgetattr(fd)[3] & termios.ECHO:
            pass
        os.write(fd, b"\x03")
        until("\0never")
        screen += "echo is on" if termios.tcgetattr(fd)[3] & termios.ECHO else "echo is off"
        break
    if line == "{kill}":
        os.kill(pid, signal.SIGKILL)
        break
    shell = re.match(r"\{sh (.*?)\}(.*)", line)
    if shell:
        assert os.system(shell.group(1)) == 0
        line = shell.group(2)
    # The question is whole when the prompt stands there.
    if not wait.endswith(": ") and not until("> "):
        break
    line = line.replace("{words}", words() if "{words}" in line else "")
    if "{date}" in line:
        line = line.replace("{date}", re.search(r"clock says (\d{4}-\d\d-\d\d)T", flat(screen)).group(1))
    for number in re.findall(r"\{share (\d+)\}", line):
        shares = list(dict.fromkeys(re.findall(r"ms1(?: [a-z0-9]{5}){9}", screen)))
        line = line.replace("{share %s}" % number, shares[int(number) - 1])
    if line == "{pin}":
        line = re.findall(r"set pin [a-z0-9]{4}", flat(screen))[-1]
    # The question stands there a moment before the echo is off.
    while wait.endswith(": ") and termios.tcgetattr(fd)[3] & termios.ECHO:
        pass
    os.write(fd, line.encode() if line == "\x04" else (line + "\n").encode())
if until("\0never") is False and select.select([fd], [], [], 0) == ([], [], []):
    # Whoever still waits for an answer is not waited for.
    os.kill(pid, signal.SIGKILL)
_, status = os.waitpid(pid, 0)
print(screen)
sys.exit(max(os.waitstatus_to_exitcode(status), -1) % 256)
"#;

/// Types these answers to a run of keyrite; the exit code of a killed program is 255.
pub fn typed<W: AsRef<str>, L: AsRef<str>>(lab: &Lab, steps: &[(W, L)], arguments: &str) -> Ran {
    typed_under(lab, steps, "", arguments)
}

/// As [`typed`], but run by another program.
pub fn typed_under<W: AsRef<str>, L: AsRef<str>>(
    lab: &Lab,
    steps: &[(W, L)],
    under: &str,
    arguments: &str,
) -> Ran {
    let steps: Vec<(&str, &str)> = steps.iter().map(|(wait, line)| (wait.as_ref(), line.as_ref())).collect();
    lab.write("driver.py", DRIVER);
    lab.write("steps.json", serde_json::to_string(&steps).unwrap());
    let mut words = vec!["driver.py", "steps.json"];
    words.extend(under.split_whitespace());
    words.push(env!("CARGO_BIN_EXE_keyrite"));
    words.extend(arguments.split_whitespace());
    lab.run("python3", &words)
}

/// Returns every share that was shown, in order.
pub fn shares(screen: &str) -> Vec<String> {
    let group = |word: &&str| word.len() == 5 && word.bytes().all(|b| b.is_ascii_alphanumeric());
    let lines = screen.lines().filter_map(|line| line.trim().strip_prefix("ms1 "));
    lines
        .map(|rest| rest.split(' ').collect::<Vec<_>>())
        .filter(|groups| groups.len() == 9 && groups.iter().all(&group))
        .map(|groups| format!("ms1 {}", groups.join(" ")))
        .collect()
}

/// Answers of one operator to the small root script.
pub const ROOT: [(&str, &str); 8] = [
    ("operator: type your name", "Ann Example"),
    ("Are the names right?", "yes"),
    ("type words", "{words}"),
    ("type the date in UTC", "{date}"),
    ("User PIN of token lab: ", super::PIN),
    ("type: root-ca", "root-ca"),
    ("type: manifest", "manifest"),
    ("type words", "{words}"),
];
