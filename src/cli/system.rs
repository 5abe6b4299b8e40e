//! The system: clock, processors, limits of the process. Nothing below the command line asks it for any.

use std::time::SystemTime;

use der::DateTime;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// Keeps PINs out of core files and, where the limits allow, out of swap.
pub fn harden() {
    // Each is an addition: a system that refuses one is reported by the step machine, not here.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if may_lock_memory() {
        let _ = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE);
    }
}

/// Locking under a limit would make later allocations fail.
fn may_lock_memory() -> bool {
    getrlimit(Resource::Memlock).current.is_none()
}

/// The time in UTC, to the second.
pub fn now() -> DateTime {
    // A clock before 1970 or after 9999 shows as 1970, which no ledger and no authority accepts.
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    DateTime::from_unix_duration(std::time::Duration::from_secs(elapsed.as_secs()))
        .unwrap_or(DateTime::INFINITY)
}

/// How many threads can run side by side.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The system's folder for temporary files.
pub fn temporary() -> std::path::PathBuf {
    std::env::temp_dir()
}
