//! Activity attempts: each runs in a fresh instance, in a task of its own, and always answers.

mod attempt;
mod failure;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use temporalio_protos::coresdk::{
    ActivityHeartbeat, ActivityTaskCompletion,
    activity_result::{ActivityExecutionResult, activity_execution_result::Status},
    activity_task::{ActivityCancelReason, ActivityTask, Cancel, Start, activity_task::Variant},
};
use temporalio_sdk_core::{CompleteActivityError, Worker as CoreWorker};
use tenterhook_domain::Code;
use tenterhook_sandbox::{ActivityHost, Cancellation, Payload, Places};
use tokio::{sync::watch, time::Instant};
use tokio_util::task::TaskTracker;

use self::attempt::Claim;
use crate::{executor::Executor, lane::Home, lanes::Rooms, resolver::Resolver};

/// How long an attempt that nobody waits for any more may go on before it is dropped. Less where the lane's
/// drain time is short.
const ABANDONED_GRACE_MAX: Duration = Duration::from_secs(5);

/// Core is told of so many times the places that a lane has: one tenant's attempts that wait for a place must not keep
/// those of others from arriving.
pub(crate) const TASKS_PER_PLACE: usize = 4;
/// So many attempts of one tenant wait, for each place that there is. Those above are handed back.
const WAITING_PER_PLACE: usize = 2;
/// So many of what Core is told of stay free for whoever comes, as a part of the places: all attempts that wait, and
/// those that have a place, are less by this.
const ARRIVALS: usize = 4;

type Token = Vec<u8>;

/// Room for `places` attempts at once.
pub(crate) fn places(places: usize) -> Places {
    Places::new(
        places,
        WAITING_PER_PLACE * places,
        (TASKS_PER_PLACE - 1) * places - places / ARRIVALS,
    )
}

/// The attempts under way on one lane.
#[derive(Clone)]
pub(crate) struct Activities {
    core: Arc<CoreWorker>,
    resolver: Arc<Resolver>,
    home: Arc<Home>,
    tasks: TaskTracker,
    executor: Arc<Executor>,
    places: Places,
    grace: Duration,
    running: Arc<Mutex<HashMap<Token, watch::Sender<Option<Cancellation>>>>>,
}

impl Activities {
    /// Attempts are run in `rooms`, and answered for in `tasks`. Those that the end of `drain` would cut off are
    /// answered for before it.
    pub(crate) fn new(
        core: Arc<CoreWorker>,
        resolver: Arc<Resolver>,
        home: Arc<Home>,
        tasks: TaskTracker,
        rooms: &Rooms,
        drain: Duration,
    ) -> Self {
        Self {
            core,
            resolver,
            home,
            tasks,
            executor: rooms.activities.clone(),
            places: rooms.places.clone(),
            // Core asks attempts to end at half of the drain time.
            grace: (drain / 4).min(ABANDONED_GRACE_MAX),
            running: Arc::default(),
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Token, watch::Sender<Option<Cancellation>>>> {
        // Nothing that can panic runs under the lock.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts an attempt, or tells a running one to end.
    pub(crate) fn handle(&self, task: ActivityTask) {
        match task.variant {
            Some(Variant::Start(start)) => self.start(task.task_token, start),
            Some(Variant::Cancel(cancel)) => self.cancel(&task.task_token, &cancel),
            None => {
                tracing::error!(code = %Code::Internal, "Core sent an activity task without content")
            }
        }
    }

    fn cancel(&self, token: &Token, cancel: &Cancel) {
        if let Some(cancelled) = self.running().get(token) {
            cancelled.send_replace(Some(reason(cancel.reason())));
        }
    }

    fn start(&self, token: Token, start: Start) {
        let (cancel, cancelled) = watch::channel(None);
        self.running().insert(token.clone(), cancel);
        let activities = self.clone();
        self.tasks.spawn(async move {
            let host = Arc::new(Host {
                core: activities.core.clone(),
                token: token.clone(),
                cancelled: cancelled.clone(),
            });
            let status = match attempt::claim(&activities.resolver, &activities.home, start) {
                Err(error) => attempt::failed(&error),
                Ok(claim) => tokio::select! {
                    status = activities.attempt(claim, host) => status,
                    why = abandoned(cancelled, activities.grace) => failure::dropped(why),
                },
            };
            activities.running().remove(&token);
            activities.complete(token, status).await;
        });
    }

    /// Runs an attempt once there is a place for it. Dropping the future ends it.
    async fn attempt(&self, claim: Claim, host: Arc<Host>) -> Status {
        let begun = Instant::now();
        let flow = claim.flow(&self.resolver).await;
        let Some(place) = self.places.take(&flow.tenant, flow.weight).await else {
            return failure::of_host(
                Code::ActivityPlacesTaken,
                "as many attempts of this tenant wait for a place as may: the attempt is tried again later",
            );
        };
        let resolver = self.resolver.clone();
        let attempt = async move {
            // Given back when the attempt's instance is gone, which may be after nobody waits for it any more.
            let _place = place;
            attempt::run(&resolver, claim, begun, host).await
        };
        let status = self.executor.spawn(flow, attempt).await;
        status.unwrap_or_else(|| {
            failure::of_host(Code::Internal, "the host failed while it ran this attempt")
        })
    }

    async fn complete(&self, token: Token, status: Status) {
        let completion = |status| ActivityTaskCompletion {
            task_token: token.clone(),
            result: Some(ActivityExecutionResult {
                status: Some(status),
            }),
        };
        let sent = self.core.complete_activity_task(completion(status)).await;
        if let Err(CompleteActivityError::MalformedActivityCompletion { reason, .. }) = sent {
            let refused = failure::of_host(
                Code::GuestMalformed,
                &format!("Temporal's Core refuses the result: {reason}"),
            );
            if let Err(error) = self.core.complete_activity_task(completion(refused)).await {
                tracing::error!(code = %Code::Internal, %error, "an attempt's failure was not taken");
            }
        }
    }
}

/// Resolves `grace` after the server stopped waiting for the attempt, or the host must stop. A cancel request
/// alone is the guest's to answer.
async fn abandoned(
    mut cancelled: watch::Receiver<Option<Cancellation>>,
    grace: Duration,
) -> Cancellation {
    let given_up =
        |why: &Option<Cancellation>| why.is_some_and(|why| why != Cancellation::Requested);
    let why = match cancelled.wait_for(given_up).await {
        Ok(why) => *why,
        Err(_closed) => None,
    };
    let Some(why) = why else {
        return std::future::pending().await;
    };
    tokio::time::sleep(grace).await;
    why
}

fn reason(reason: ActivityCancelReason) -> Cancellation {
    match reason {
        ActivityCancelReason::NotFound => Cancellation::NotFound,
        ActivityCancelReason::Cancelled => Cancellation::Requested,
        ActivityCancelReason::TimedOut => Cancellation::TimedOut,
        ActivityCancelReason::WorkerShutdown => Cancellation::WorkerShutdown,
        ActivityCancelReason::Paused => Cancellation::Paused,
        ActivityCancelReason::Reset => Cancellation::Reset,
    }
}

/// What a running attempt asks of Core.
struct Host {
    core: Arc<CoreWorker>,
    token: Token,
    cancelled: watch::Receiver<Option<Cancellation>>,
}

impl ActivityHost for Host {
    fn heartbeat(&self, details: Vec<Payload>) {
        self.core.record_activity_heartbeat(ActivityHeartbeat {
            task_token: self.token.clone(),
            details: details.into_iter().map(attempt::payload_to_proto).collect(),
        });
    }

    fn cancelled(&self) -> Option<Cancellation> {
        *self.cancelled.borrow()
    }
}
