//! Processor time, which code takes whether or not the machine is busy with others. Wall time would blame a guest for
//! its neighbours.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time that the calling thread has taken since it began.
pub fn time_taken() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos))
}
