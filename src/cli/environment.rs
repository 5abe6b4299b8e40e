//! Environment of a ceremony: clock, randomness, machine and program. Lower modules do not ask the
//! system for them.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use der::DateTime;
use rustix::rand::{GetRandomFlags, getrandom};

use super::stop;
use super::system::{now, processors};
use crate::ceremony::Environment;
use crate::digest::Digest;
use crate::record::MachineFacts;

/// Date of these sources, which a release sets. Not that of the build, so that builds are reproducible.
const DATE: &str = "2026-11-24T00:00:00Z";

/// Returns 32 random octets from the system's generator (getrandom).
fn random() -> Result<[u8; 32], String> {
    let mut octets = [0; 32];
    // The call blocks until the generator is seeded; up to 256 octets are then never cut short.
    match getrandom(&mut octets, GetRandomFlags::empty()) {
        Ok(32) => Ok(octets),
        Ok(_) => Err("the system's random generator returned too few octets".to_owned()),
        Err(error) => Err(format!("the system's random generator: {error}")),
    }
}

pub fn environment() -> Environment<'static> {
    // First, because it takes longest and runs in its own thread.
    let tool_digest = tool_digest();
    Environment {
        now: &now,
        random: &random,
        stopped: &stop::requested,
        processors: processors(),
        machine: machine(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        tool_date: DATE.parse().unwrap_or(DateTime::INFINITY),
        tool_digest,
    }
}

/// Starts computing the program's digest in a thread, in parallel to the search for the token.
fn tool_digest() -> Arc<OnceLock<Result<Digest, String>>> {
    let digest = Arc::new(OnceLock::new());
    let result = Arc::clone(&digest);
    let hash = move || result.get_or_init(own_digest).is_ok();
    if std::thread::Builder::new().spawn(hash).is_err() {
        let _ = digest.get_or_init(own_digest);
    }
    digest
}

fn own_digest() -> Result<Digest, String> {
    let program = std::env::current_exe().map_err(|e| format!("own executable: {e}"))?;
    let digest = std::fs::File::open(&program).and_then(Digest::of_all);
    digest.map_err(|e| format!("{}: {e}", program.display()))
}

fn machine() -> MachineFacts {
    let name = rustix::system::uname();
    let swaps = std::fs::read_to_string("/proc/swaps").unwrap_or_default();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let locked = status.lines().any(|line| line.starts_with("VmLck:") && !line.contains(" 0 kB"));
    MachineFacts {
        kernel: format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy()),
        network_up: network_up(Path::new("/sys/class/net")),
        swap: swaps
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .collect(),
        memory_locked: locked,
        loader_variables: std::env::vars_os()
            .map(|(key, _)| key.to_string_lossy().into_owned())
            .filter(|key| ["LD_", "PKCS11SPY", "P11_KIT_"].iter().any(|begin| key.starts_with(begin)))
            .collect(),
    }
}

/// Returns the interfaces with IFF_UP, without the loopback. An interface with an unreadable state
/// counts as up. So does an empty list, since the loopback always exists.
fn network_up(folder: &Path) -> Vec<String> {
    let entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
    if entries.is_empty() {
        return vec![format!("unknown ({} cannot be read)", folder.display())];
    }
    let mut up: Vec<String> = entries
        .iter()
        .filter(|entry| entry.path().is_dir())
        .filter(|entry| {
            let flags = std::fs::read_to_string(entry.path().join("flags")).unwrap_or_default();
            let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap_or(0x1);
            let (is_up, is_loopback) = (flags & 0x1 != 0, flags & 0x8 != 0);
            is_up && !is_loopback
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    up.sort();
    up
}
