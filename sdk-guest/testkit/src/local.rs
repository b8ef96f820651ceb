//! Local activities: run within the task that asks for them, as the worker does it.

use std::time::Duration;

use temporalio_protos::{
    coresdk::{
        activity_result::{DoBackoff, Failure as Failed, Success, activity_resolution::Status},
        common::build_local_activity_marker_details,
        external_data::LocalActivityMarkerData,
        workflow_commands::ScheduleLocalActivity,
    },
    temporal::api::{
        common::v1::Payload,
        enums::v1::{RetryState, TimeoutType},
        failure::v1::{Failure, failure::FailureInfo},
    },
};

use crate::{
    activities::resolved,
    agenda::RunKey,
    attempt::INJECTED,
    command::{Held, LocalEnd},
    failure::{self, Place},
    fault::FaultKind,
    journal::StepKind,
    mock::Facts,
    payload,
    real::Real,
    retry,
    task::Task,
    world::World,
};

/// Longest pause that a worker waits for itself, where the activity says no other: a workflow task is no timer.
const THRESHOLD: Duration = Duration::from_secs(60);

impl World {
    /// Runs a local activity to its end, or to a pause that is too long for a worker. Pauses pass.
    pub(crate) fn run_locally(
        &mut self,
        run: RunKey,
        order: ScheduleLocalActivity,
        task: &mut Task,
    ) {
        let name = self.setup.short(&order.activity_type).to_owned();
        let workflow_id = self.workflow_id(run);
        let input = payload::json(order.arguments.first());
        let step = self
            .journal
            .begin(StepKind::LocalActivity, &name, workflow_id, input, self.now);
        self.disturb(run, step);
        let threshold = payload::span(order.local_retry_threshold).unwrap_or(THRESHOLD);
        let whole = payload::span(order.schedule_to_close_timeout);
        let begun = self.now;
        let mut attempt = order.attempt.max(1);
        let mut last = None;
        let status = loop {
            let failure = match self.attempt_locally(run, &order, attempt, step) {
                Ok(result) => {
                    break Status::Completed(Success {
                        result: Some(result),
                    });
                }
                Err(failure) => failure,
            };
            let next = retry::Failed {
                policy: order.retry_policy.as_ref(),
                failure: &failure,
                attempt,
                left: whole.map(|whole| (begun + whole).saturating_sub(self.now)),
            }
            .next();
            match next {
                Err(_) => {
                    last = Some((*failure).clone());
                    break failed(&order, *failure);
                }
                Ok(pause) if pause > threshold => {
                    last = Some((*failure).clone());
                    break Status::Backoff(DoBackoff {
                        attempt: attempt + 1,
                        backoff_duration: pause.try_into().ok(),
                        original_schedule_time: order
                            .original_schedule_time
                            .or(Some((std::time::UNIX_EPOCH + begun).into())),
                    });
                }
                Ok(pause) => self.now += pause,
            }
            attempt += 1;
        };
        let end = self.local_end(&order, attempt, begun, &status, last);
        task.held.push(Held::Local(Box::new(end)));
        task.next.push(resolved(order.seq, status, true));
        self.step_ended(step);
    }

    fn attempt_locally(
        &mut self,
        run: RunKey,
        order: &ScheduleLocalActivity,
        attempt: u32,
        step: usize,
    ) -> Result<Payload, Box<Failure>> {
        let attempts_max = order.retry_policy.as_ref().map_or(0, |policy| {
            u32::try_from(policy.maximum_attempts).unwrap_or(0)
        });
        let fault = self
            .setup
            .faults
            .iter()
            .find(|fault| fault.step == step && fault.kind.spoils(attempt, attempts_max));
        let message = format!("a fault at step {step}, attempt {attempt}");
        let late = || Box::new(failure::timeout(TimeoutType::StartToClose, None));
        match fault.map(|fault| fault.kind) {
            Some(FaultKind::FailsOnce | FaultKind::Fails) => {
                let failure = failure::Failure::retryable(INJECTED, message);
                return Err(Box::new(failure.into_proto()));
            }
            Some(FaultKind::FailsFinally) => {
                let failure = failure::Failure::permanent(INJECTED, message);
                return Err(Box::new(failure.into_proto()));
            }
            Some(FaultKind::LostOnce | FaultKind::Lost) => return Err(late()),
            Some(FaultKind::AnswerLostOnce | FaultKind::AnswerLost) => {
                // It had its effect.
                let _ = self.perform_locally(run, order, attempt, step);
                return Err(late());
            }
            _ => {}
        }
        self.perform_locally(run, order, attempt, step)
    }

    fn perform_locally(
        &mut self,
        run: RunKey,
        order: &ScheduleLocalActivity,
        attempt: u32,
        step: usize,
    ) -> Result<Payload, Box<Failure>> {
        let episode = &self.runs[run];
        let identity = episode.run.identity();
        let facts = Facts {
            input: payload::json(order.arguments.first()),
            attempt,
            activity_id: order.activity_id.clone(),
            workflow_id: self.workflow_id(run),
            idempotency_key: format!(
                "{}/{}/{}",
                identity.temporal_id, identity.run_id, order.activity_id
            ),
            at: self.elapsed(),
            heartbeat_details: serde_json::Value::Null,
        };
        let real = Real {
            arguments: &order.arguments,
            run_id: &identity.run_id,
            workflow_type: &episode.type_name.name,
            is_cancelled: false,
            time: payload::span(order.start_to_close_timeout),
            heartbeat_timeout: None,
            scheduled_at: self.now,
            is_local: true,
        };
        let ran = self.perform(&order.activity_type, facts, real);
        let said = match &ran.outcome {
            Ok(result) => Ok(payload::json(Some(result))),
            Err(failure) => Err(failure::Failure::of_proto(failure)),
        };
        self.journal.attempt(step, said, self.now);
        let own = payload::span(order.start_to_close_timeout);
        match own.filter(|own| ran.takes >= *own) {
            Some(own) => {
                self.now += own;
                Err(Box::new(failure::timeout(TimeoutType::StartToClose, None)))
            }
            None => {
                self.now += ran.takes;
                ran.outcome
            }
        }
    }

    fn local_end(
        &self,
        order: &ScheduleLocalActivity,
        attempt: u32,
        begun: Duration,
        status: &Status,
        failure: Option<Failure>,
    ) -> LocalEnd {
        let (result, backoff) = match status {
            Status::Completed(it) => (it.result.clone(), None),
            Status::Backoff(it) => (None, it.backoff_duration),
            Status::Failed(_) | Status::Cancelled(_) => (None, None),
        };
        let data = LocalActivityMarkerData {
            seq: order.seq,
            attempt,
            activity_id: order.activity_id.clone(),
            activity_type: order.activity_type.clone(),
            complete_time: Some((std::time::UNIX_EPOCH + self.now).into()),
            backoff,
            original_schedule_time: order
                .original_schedule_time
                .or(Some((std::time::UNIX_EPOCH + begun).into())),
            ..Default::default()
        };
        LocalEnd {
            details: build_local_activity_marker_details(data, result),
            failure,
        }
    }
}

/// As Core tells it: a failure as it is, a time-out in Temporal's wrapping.
fn failed(order: &ScheduleLocalActivity, cause: Failure) -> Status {
    let is_late = matches!(cause.failure_info, Some(FailureInfo::TimeoutFailureInfo(_)));
    let told = if is_late {
        let place = Place {
            activity_type: &order.activity_type,
            activity_id: &order.activity_id,
            scheduled: 0,
            started: 0,
        };
        // The state that Core gives to all of these.
        let state = RetryState::CancelRequested;
        failure::of_activity("Local Activity timed out", &place, state, cause)
    } else {
        cause
    };
    Status::Failed(Failed {
        failure: Some(told),
        ..Default::default()
    })
}
