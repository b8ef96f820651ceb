//! Processor time, which code takes whether or not the machine is busy with others. Wall time would blame a guest for
//! its neighbours.

use std::{io, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// How much work gives way that no execution waits for (`nice`). At the lowest priority, 19, a busy machine leaves it a
/// hundredth of a core, and pushes take minutes; this is a tenth.
const NICE: i32 = 10;

/// Has the calling thread, and those that it starts, give way to all others from now on.
///
/// # Errors
/// The system's.
pub(crate) fn give_way() -> io::Result<()> {
    rustix::process::nice(NICE)?;
    Ok(())
}

/// Processor time that the calling thread has taken since it began.
pub fn time_taken() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos))
}
