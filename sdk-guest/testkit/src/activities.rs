//! Activities: scheduled, tried, tried again, late, cancelled, ended.

use std::time::Duration;

use temporalio_protos::{
    coresdk::{
        activity_result::{
            ActivityResolution, Cancellation, Failure as Failed, Success,
            activity_resolution::Status,
        },
        workflow_activation::{ResolveActivity, workflow_activation_job::Variant as Job},
        workflow_commands::{
            ActivityCancellationType, RequestCancelActivity, ScheduleActivity,
            workflow_command::Variant as Command,
        },
    },
    temporal::api::{
        common::v1::Payload,
        enums::v1::{RetryState, TimeoutType},
        failure::v1::Failure,
        history::v1::{
            ActivityTaskCanceledEventAttributes, ActivityTaskCompletedEventAttributes,
            ActivityTaskFailedEventAttributes, ActivityTaskStartedEventAttributes,
            ActivityTaskTimedOutEventAttributes, history_event::Attributes,
        },
    },
};

use crate::{
    agenda::{Due, RunKey},
    command::Held,
    episode::Activity,
    failure::{self, Place},
    journal::StepKind,
    payload, retry,
    task::Task,
    world::{WORKER, World, callers_id},
};

/// How an attempt ended, where it did not time out.
pub(crate) enum Outcome {
    Completed(Payload),
    Failed(Box<Failure>),
    Cancelled,
}

impl World {
    /// An activity is scheduled: `scheduled` is the event that says so.
    pub(crate) fn schedule(&mut self, run: RunKey, order: Box<ScheduleActivity>, scheduled: i64) {
        let name = self.setup.short(&order.activity_type).to_owned();
        let workflow_id = self.workflow_id(run);
        let input = payload::json(order.arguments.first());
        let step = self
            .journal
            .begin(StepKind::Activity, &name, workflow_id, input, self.now);
        let seq = order.seq;
        self.agenda.plan(self.now, Due::Attempt(run, seq));
        if let Some(whole) = payload::span(order.schedule_to_close_timeout) {
            let late = Due::Late(run, seq, TimeoutType::ScheduleToClose, 0);
            self.agenda.plan(self.now + whole, late);
        }
        let activity = Activity {
            order,
            scheduled,
            scheduled_at: self.now,
            attempt: 0,
            is_running: false,
            last_failure: None,
            heartbeat: None,
            cancel_requested: None,
            is_told: false,
            step,
        };
        self.runs[run].activities.insert(seq, activity);
    }

    /// The id by which the run's caller knows its execution.
    pub(crate) fn workflow_id(&self, run: RunKey) -> String {
        let identity = self.runs[run].run.identity();
        callers_id(&self.setup.scope, &identity.temporal_id)
    }

    /// An attempt has ended.
    pub(crate) fn answered(&mut self, run: RunKey, seq: u32, outcome: Outcome) {
        if !self.runs[run].is_open() || !self.runs[run].activities.contains_key(&seq) {
            return;
        }
        match outcome {
            Outcome::Completed(result) => self.completed(run, seq, result),
            Outcome::Cancelled => self.cancelled(run, seq),
            Outcome::Failed(failure) => self.failed(run, seq, *failure),
        }
    }

    fn failed(&mut self, run: RunKey, seq: u32, failure: Failure) {
        let state = match self.try_again(run, seq, &failure) {
            Ok(()) => return,
            Err(state) => state,
        };
        let Some((activity, started)) = self.take(run, seq) else {
            return;
        };
        let event = ActivityTaskFailedEventAttributes {
            failure: Some(failure.clone()),
            scheduled_event_id: activity.scheduled,
            started_event_id: started,
            identity: WORKER.to_owned(),
            retry_state: state.into(),
            ..Default::default()
        };
        self.event(run, Attributes::ActivityTaskFailedEventAttributes(event));
        let place = place(&activity, started);
        let told = failure::of_activity("Activity task failed", &place, state, failure);
        let status = Status::Failed(Failed {
            failure: Some(told),
            ..Default::default()
        });
        self.tell(run, seq, &activity, status);
    }

    /// A time-out of an activity. `attempt` is 0 for that of the whole.
    pub(crate) fn late(&mut self, run: RunKey, seq: u32, kind: TimeoutType, attempt: u32) {
        let Some(activity) = self.runs[run].activities.get(&seq) else {
            return;
        };
        let is_current = attempt == 0 || (activity.is_running && activity.attempt == attempt);
        if !self.runs[run].is_open() || !is_current {
            return;
        }
        let heartbeat = activity.heartbeat.as_ref().map(payload::of);
        let heartbeat = payload::payloads(heartbeat.into_iter().collect());
        let mut failure = failure::timeout(kind, heartbeat);
        let state = if attempt == 0 {
            failure.cause = activity.last_failure.clone().map(Box::new);
            RetryState::Timeout
        } else {
            match self.try_again(run, seq, &failure) {
                Ok(()) => return,
                Err(state) => state,
            }
        };
        let Some((activity, started)) = self.take(run, seq) else {
            return;
        };
        let event = ActivityTaskTimedOutEventAttributes {
            failure: Some(failure.clone()),
            scheduled_event_id: activity.scheduled,
            started_event_id: started,
            retry_state: state.into(),
        };
        self.event(run, Attributes::ActivityTaskTimedOutEventAttributes(event));
        let place = place(&activity, started);
        let told = failure::of_activity("Activity task timed out", &place, state, failure);
        let status = Status::Failed(Failed {
            failure: Some(told),
            ..Default::default()
        });
        self.tell(run, seq, &activity, status);
    }

    /// Plans the next attempt, or says why there is none.
    fn try_again(&mut self, run: RunKey, seq: u32, failure: &Failure) -> Result<(), RetryState> {
        let now = self.now;
        let Some(activity) = self.runs[run].activities.get_mut(&seq) else {
            return Ok(());
        };
        if activity.cancel_requested.is_some() {
            return Err(RetryState::CancelRequested);
        }
        let whole = payload::span(activity.order.schedule_to_close_timeout);
        let pause = retry::Failed {
            policy: activity.order.retry_policy.as_ref(),
            failure,
            attempt: activity.attempt,
            left: whole.map(|whole| (activity.scheduled_at + whole).saturating_sub(now)),
        }
        .next()?;
        activity.is_running = false;
        activity.last_failure = Some(failure.clone());
        self.agenda.plan(now + pause, Due::Attempt(run, seq));
        Ok(())
    }

    fn completed(&mut self, run: RunKey, seq: u32, result: Payload) {
        let Some((activity, started)) = self.take(run, seq) else {
            return;
        };
        self.runs[run].history.weigh(std::slice::from_ref(&result));
        let event = ActivityTaskCompletedEventAttributes {
            result: payload::payloads(vec![result.clone()]),
            scheduled_event_id: activity.scheduled,
            started_event_id: started,
            identity: WORKER.to_owned(),
            ..Default::default()
        };
        self.event(run, Attributes::ActivityTaskCompletedEventAttributes(event));
        let status = Status::Completed(Success {
            result: Some(result),
        });
        self.tell(run, seq, &activity, status);
    }

    /// The workflow has asked for the end of an activity: `event` says so.
    pub(crate) fn cancel_activity(&mut self, run: RunKey, seq: u32, event: i64) {
        let Some(activity) = self.runs[run].activities.get_mut(&seq) else {
            return;
        };
        activity.cancel_requested = Some(event);
        let heeds = payload::span(activity.order.heartbeat_timeout).is_some();
        if !activity.is_running || heeds {
            let cancelled = Due::Answer(run, seq, Outcome::Cancelled);
            self.agenda.plan(self.now, cancelled);
        }
    }

    fn cancelled(&mut self, run: RunKey, seq: u32) {
        let Some((activity, started)) = self.take(run, seq) else {
            return;
        };
        let event = ActivityTaskCanceledEventAttributes {
            latest_cancel_requested_event_id: activity.cancel_requested.unwrap_or_default(),
            scheduled_event_id: activity.scheduled,
            started_event_id: started,
            identity: WORKER.to_owned(),
            ..Default::default()
        };
        self.event(run, Attributes::ActivityTaskCanceledEventAttributes(event));
        let status = cancellation(&activity, started);
        self.tell(run, seq, &activity, status);
    }

    /// Takes an activity that has ended out, after the event of its last attempt's start.
    fn take(&mut self, run: RunKey, seq: u32) -> Option<(Activity, i64)> {
        let activity = self.runs[run].activities.remove(&seq)?;
        let started = ActivityTaskStartedEventAttributes {
            scheduled_event_id: activity.scheduled,
            identity: WORKER.to_owned(),
            request_id: format!("{}-{}", activity.order.activity_id, activity.attempt),
            attempt: i32::try_from(activity.attempt).unwrap_or(i32::MAX),
            last_failure: activity.last_failure.clone(),
            ..Default::default()
        };
        let started = if activity.is_running {
            self.event(run, Attributes::ActivityTaskStartedEventAttributes(started))
        } else {
            0
        };
        Some((activity, started))
    }

    fn tell(&mut self, run: RunKey, seq: u32, activity: &Activity, status: Status) {
        if !activity.is_told {
            self.runs[run].jobs.push(resolved(seq, status, false));
        }
        self.task(run);
        self.step_ended(activity.step);
    }

    /// The run gives an activity up, by the kind of cancellation that it asked for when it began it.
    pub(crate) fn give_up_activity(&mut self, run: RunKey, seq: u32, task: &mut Task) {
        let is_order = |held: &Held| matches!(held, Held::Command(Command::ScheduleActivity(it), _) if it.seq == seq);
        let unsent = task.held.iter().find_map(|held| match held {
            Held::Command(Command::ScheduleActivity(it), _) if it.seq == seq => Some(it.clone()),
            _ => None,
        });
        if let Some(order) = unsent {
            task.forget(is_order);
            let place = Place {
                activity_type: &order.activity_type,
                activity_id: &order.activity_id,
                scheduled: 0,
                started: 0,
            };
            task.next
                .push(resolved(seq, cancellation_at(&place), false));
            return;
        }
        let Some(activity) = self.runs[run].activities.get_mut(&seq) else {
            return;
        };
        let how = activity.order.cancellation_type();
        if how != ActivityCancellationType::Abandon {
            let cancel = Command::RequestCancelActivity(RequestCancelActivity { seq });
            task.held.push(Held::Command(cancel, None));
        }
        if how != ActivityCancellationType::WaitCancellationCompleted && !activity.is_told {
            activity.is_told = true;
            let status = cancellation(activity, 0);
            task.next.push(resolved(seq, status, false));
        }
    }

    /// Adds an event to the history of `run`.
    pub(crate) fn event(&mut self, run: RunKey, attributes: Attributes) -> i64 {
        self.runs[run].event(self.now, attributes)
    }
}

/// What an activity whose cancellation was asked for is to its workflow.
fn cancellation(activity: &Activity, started: i64) -> Status {
    cancellation_at(&place(activity, started))
}

fn cancellation_at(place: &Place<'_>) -> Status {
    let cause = failure::canceled("", None);
    let told = failure::of_activity(
        "Activity cancelled",
        place,
        RetryState::CancelRequested,
        cause,
    );
    Status::Cancelled(Cancellation {
        failure: Some(told),
    })
}

fn place(activity: &Activity, started: i64) -> Place<'_> {
    Place {
        activity_type: &activity.order.activity_type,
        activity_id: &activity.order.activity_id,
        scheduled: activity.scheduled,
        started,
    }
}

/// The job that tells a workflow of an activity's end.
pub(crate) fn resolved(seq: u32, status: Status, is_local: bool) -> Job {
    Job::ResolveActivity(ResolveActivity {
        seq,
        result: Some(ActivityResolution {
            status: Some(status),
        }),
        is_local,
    })
}

/// The shorter one of two spans, of which either may be missing.
pub(crate) fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    [one, other].into_iter().flatten().min()
}
