//! Clock, processors and process limits. Only the command line asks the system for them.

use std::time::SystemTime;

use der::DateTime;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// Keeps PINs out of core files and, where the limits allow, out of swap.
pub fn harden() {
    // Best effort: the step `machine` reports memory that is not locked.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if may_lock_memory() {
        let _ = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE);
    }
}

/// Returns whether memory can be locked: under a limit, later allocations would fail.
fn may_lock_memory() -> bool {
    getrlimit(Resource::Memlock).current.is_none()
}

/// Returns the time in UTC, to the second.
pub fn now() -> DateTime {
    // A clock before 1970 reads as 1970, and one after 9999 as the end of 9999; no ledger and no
    // authority accepts either.
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    DateTime::from_unix_duration(std::time::Duration::from_secs(elapsed.as_secs()))
        .unwrap_or(DateTime::INFINITY)
}

/// Returns the number of threads that can run in parallel.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub fn temporary() -> std::path::PathBuf {
    std::env::temp_dir()
}
