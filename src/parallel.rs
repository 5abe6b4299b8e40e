//! An ordered parallel map in bounded memory.
//!
//! A source produces items, worker threads map them, and a sink consumes the results in source
//! order. Only a few items per worker are in flight, so a fast source waits for a slow sink.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::Builder;

use crossbeam_channel::bounded;

use crate::failure::Failure;

/// Why a parallel map ended, other than by an error of source or sink.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sink or every worker has stopped, so the source stops too. Callers never see it.
    #[error("stopped")]
    Closed,
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::fault(error.to_string())
    }
}

/// Items in flight per worker: one being mapped, the others queued before or after it.
const IN_FLIGHT: usize = 4;

/// Maps the items of `source` in up to `workers` threads; `source` runs in a separate thread, `sink`
/// in the caller's.
///
/// # Errors
/// The sink's first error, or else the source's; [`Error::Thread`] when neither the source nor the
/// first worker can be started. One worker is enough.
pub fn ordered<In, Out, E>(
    workers: usize,
    source: impl FnOnce(&mut dyn FnMut(In) -> Result<(), E>) -> Result<(), E> + Send,
    map: impl Fn(In) -> Out + Sync,
    mut sink: impl FnMut(Out) -> Result<(), E>,
) -> Result<(), E>
where
    In: Send,
    Out: Send,
    E: From<Error> + Send,
{
    let workers = workers.max(1);
    let capacity = workers * IN_FLIGHT;
    let (permit, permits) = bounded::<()>(capacity);
    (0..capacity).for_each(|_| _ = permit.try_send(()));
    let (job, jobs) = bounded::<(u64, In)>(capacity);
    let (done, results) = bounded::<(u64, std::thread::Result<Out>)>(capacity);
    std::thread::scope(|scope| {
        let map = &map;
        let source = Builder::new().spawn_scoped(scope, move || {
            let mut number = 0;
            source(&mut |item| {
                permits.recv().map_err(|_| Error::Closed)?;
                // Each of the first items starts a worker: little work needs few threads.
                if number < workers as u64 {
                    let (jobs, done) = (jobs.clone(), done.clone());
                    let worker = Builder::new().spawn_scoped(scope, move || {
                        jobs.iter().try_for_each(|(number, item)| {
                            done.send((number, catch_unwind(AssertUnwindSafe(|| map(item)))))
                        })
                    });
                    if let (0, Err(error)) = (number, worker) {
                        return Err(Error::Thread(error).into());
                    }
                }
                job.send((number, item)).map_err(|_| Error::Closed)?;
                number += 1;
                Ok(())
            })
        });
        let source = source.map_err(Error::Thread)?;
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        let mut outcome = Ok(());
        for (number, result) in &results {
            // A panic ends all threads; otherwise the loop would wait for its result forever.
            waiting.insert(number, result.unwrap_or_else(|panic| resume_unwind(panic)));
            while let Some(result) = waiting.remove(&next) {
                next += 1;
                outcome = outcome.and_then(|()| sink(result));
                _ = permit.try_send(());
            }
            if outcome.is_err() {
                break;
            }
        }
        drop((permit, results));
        let source_outcome = source.join().unwrap_or_else(|panic| resume_unwind(panic));
        outcome.and(source_outcome)
    })
}

#[cfg(test)]
mod tests {
    use super::{Error, ordered};

    #[derive(Debug, PartialEq)]
    enum Ended {
        Closed,
        Sink(u64),
        Source,
    }

    impl From<Error> for Ended {
        fn from(_: Error) -> Self {
            Self::Closed
        }
    }

    fn count(each: &mut dyn FnMut(u64) -> Result<(), Ended>) -> Result<(), Ended> {
        (0..10_000).try_for_each(each)
    }

    #[test]
    fn results_are_in_source_order() {
        let mut next = 0;
        let slow_at_times = |number: u64| {
            (0..if number.is_multiple_of(97) { 50_000 } else { 1 })
                .fold(number, |n, _| std::hint::black_box(n))
        };
        let sink = |number: u64| {
            assert_eq!(number, next);
            next += 1;
            Ok(())
        };
        assert_eq!(ordered(3, count, slow_at_times, sink), Ok(()));
        assert_eq!(next, 10_000);
    }

    #[test]
    fn the_first_error_ends_all_threads() {
        let sink = |number: u64| if number == 500 { Err(Ended::Sink(number)) } else { Ok(()) };
        assert_eq!(ordered(2, count, |number| number, sink), Err(Ended::Sink(500)));
        let source = |each: &mut dyn FnMut(u64) -> Result<(), Ended>| {
            each(1)?;
            Err(Ended::Source)
        };
        assert_eq!(ordered(2, source, |number| number, |_| Ok(())), Err(Ended::Source));
    }

    #[test]
    fn a_panic_does_not_hang() {
        let ended = std::panic::catch_unwind(|| {
            ordered(2, count, |number| assert_ne!(number, 700), |()| Ok::<(), Ended>(()))
        });
        assert!(ended.is_err());
    }
}
