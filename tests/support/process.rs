//! Servers of a test, on free ports of the loopback, terminated with the test.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use super::Lab;

/// A server that runs until it is dropped, or until the thread that started it ends.
pub struct Running(Child);

impl Running {
    /// Starts a program; its output goes to the file `NAME.log`.
    pub fn start(lab: &Lab, name: &str, command: &str) -> Self {
        let log = File::create(lab.path(&format!("{name}.log"))).unwrap();
        let mut words = vec!["--pdeathsig", "KILL"];
        words.extend(command.split_whitespace());
        let mut command = lab.command("setpriv", &words);
        command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// Returns whether it exited by itself.
    pub fn ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns a free port that no other test uses.
pub fn free_port(address: &str) -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
        if GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

/// Retries until the condition holds, a bounded number of times.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..300 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what}: not in 300 tries");
}
