//! Jobs that take longer than a slice: they lose their place to another thread, and their priority.

use std::{
    collections::HashMap,
    fs,
    sync::{Arc, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, setpriority_process};
use tenterhook_domain::TenantId;

use super::{Queue, Running, SLICE, State, spawn, work};

/// Jobs in overtime of all tenants together: each is a thread beside those that serve the queue.
const OVERTIME_MAX: usize = 64;
/// A job that takes no processor time is late after so many slices.
const WAITING_SLICES: u32 = 10;
/// Who has jobs in overtime.
#[derive(Debug, Default)]
pub(super) struct Overtime {
    by_tenant: HashMap<TenantId, usize>,
    all: usize,
    /// A tenant that has so many begins no other job: as many as it could have running if it were alone.
    of_tenant_max: usize,
}

impl Overtime {
    pub(super) fn of(threads: usize) -> Self {
        Self {
            of_tenant_max: threads,
            ..Self::default()
        }
    }

    /// True if the tenant may begin another job: one that has its fill of long ones waits until one of them ends.
    pub(super) fn allows(&self, tenant: &TenantId) -> bool {
        self.by_tenant
            .get(tenant)
            .is_none_or(|&jobs| jobs < self.of_tenant_max)
    }

    fn begin(&mut self, tenant: &TenantId) {
        *self.by_tenant.entry(tenant.clone()).or_default() += 1;
        self.all += 1;
    }

    pub(super) fn end(&mut self, tenant: &TenantId) {
        self.all -= 1;
        if let Some(jobs) = self.by_tenant.get_mut(tenant) {
            *jobs -= 1;
            if *jobs == 0 {
                self.by_tenant.remove(tenant);
            }
        }
    }
}

/// How much a thread gives way to others (`nice`).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Priority {
    /// As the host's own threads.
    Normal = 0,
    /// A thirtieth of what another thread gets, where both want the processor.
    Background = 15,
    /// Less than half of what one in the background gets: for work that nobody waits for.
    Spare = 19,
}

/// A thread as the kernel knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thread(Option<Pid>);

impl Thread {
    /// The one that calls. Where the system does not say its number, its priority stays.
    pub(crate) fn current() -> Self {
        let path = fs::read_link("/proc/thread-self").ok();
        let number = path.and_then(|path| path.file_name()?.to_str()?.parse().ok());
        Self(number.and_then(Pid::from_raw))
    }

    /// Processor time that it has taken, in nanoseconds, where the kernel says so.
    fn cpu_nanos(self) -> Option<u64> {
        let number = self.0?.as_raw_nonzero();
        let line = fs::read_to_string(format!("/proc/self/task/{number}/schedstat")).ok()?;
        let nanos = line.split_ascii_whitespace().next()?.parse().ok()?;
        (nanos > 0).then_some(nanos)
    }

    pub(crate) fn set_priority(self, priority: Priority) {
        // A thread that keeps its priority shares the processor evenly, which is worse and not wrong.
        if let Some(thread) = self.0
            && let Err(error) = setpriority_process(Some(thread), priority as i32)
        {
            tracing::debug!(%error, "the priority of a thread cannot be lowered");
        }
    }
}

/// True once a job has taken more than its slice: of the processor, for a machine with too much to do makes all jobs
/// long; or of time, many times over, for one that waits for something.
fn is_late(job: &Running) -> bool {
    let time = job.began.elapsed();
    if time < SLICE {
        return false;
    }
    let cpu = job.thread.cpu_nanos().map_or(time, |nanos| {
        Duration::from_nanos(nanos.saturating_sub(job.cpu_before))
    });
    cpu >= SLICE || time >= SLICE * WAITING_SLICES
}

/// Looks after the jobs under way until the queue is closed and nothing runs. It sleeps only after a slice in which
/// nothing ran: most jobs take a fraction of one, and to be woken for each would cost as much as the job.
pub(super) fn watch(queue: &Arc<Queue>) {
    let mut state = queue.lock();
    let mut seen = 0;
    loop {
        let is_idle = state.running.is_empty();
        if is_idle && state.closed && state.jobs.is_empty() {
            return;
        }
        if is_idle && state.started == seen {
            state.watched = false;
            let woken = queue.started.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        } else {
            seen = state.started;
            let woken = queue.started.wait_timeout(state, SLICE);
            (state, _) = woken.unwrap_or_else(PoisonError::into_inner);
            hand_over(queue, &mut state);
        }
    }
}

/// Gives each job that takes too long a thread to follow in its place.
fn hand_over(queue: &Arc<Queue>, state: &mut State) {
    let State {
        jobs,
        running,
        overtime,
        ..
    } = state;
    let late = running
        .values_mut()
        .filter(|job| !job.in_overtime && is_late(job));
    for job in late {
        if overtime.all >= OVERTIME_MAX {
            return;
        }
        if let Err(error) = spawn(queue, work) {
            tracing::warn!(code = %error.code(), cause = error.source_text(), "a long job keeps its place: {error}");
            return;
        }
        job.in_overtime = true;
        overtime.begin(job.turn.tenant());
        let nanos = u64::try_from(SLICE.as_nanos()).unwrap_or(u64::MAX);
        jobs.charge(&mut job.turn, nanos);
        job.thread.set_priority(Priority::Background);
    }
}
