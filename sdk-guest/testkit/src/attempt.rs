//! One attempt of an activity: a mock's answer, the real code's, or what a fault makes of it.

use std::time::Duration;

use temporalio_protos::temporal::api::{
    common::v1::Payload, enums::v1::TimeoutType, failure::v1::Failure as Proto,
};

use crate::{
    activities::{Outcome, shorter},
    agenda::{Due, RunKey},
    failure::Failure,
    fault::FaultKind,
    message::Message,
    mock::Facts,
    payload,
    real::Real,
    world::World,
};

/// The kind of failures that faults make.
pub(crate) const INJECTED: &str = "InjectedFault";

/// What came of running an attempt.
pub(crate) struct Ran {
    pub(crate) outcome: Result<Payload, Box<Proto>>,
    pub(crate) heartbeat: Option<serde_json::Value>,
    pub(crate) takes: Duration,
}

/// How an attempt goes.
enum Course {
    Runs,
    Fails(Failure),
    /// It is lost before, or after it did its work.
    Lost {
        works: bool,
    },
}

impl World {
    /// An attempt of an activity begins.
    pub(crate) fn attempt(&mut self, run: RunKey, seq: u32) {
        if !self.runs[run].is_open() {
            return;
        }
        let now = self.now;
        let is_done = self.done.contains(&self.idempotency_key(run, seq));
        let Some(activity) = self.runs[run].activities.get_mut(&seq) else {
            return;
        };
        activity.attempt += 1;
        activity.is_running = true;
        let (attempt, step) = (activity.attempt, activity.step);
        let own = payload::span(activity.order.start_to_close_timeout);
        let whole = payload::span(activity.order.schedule_to_close_timeout)
            .map(|whole| (activity.scheduled_at + whole).saturating_sub(now));
        let silent = payload::span(activity.order.heartbeat_timeout);
        let attempts_max = activity.order.retry_policy.as_ref().map_or(0, |policy| {
            u32::try_from(policy.maximum_attempts).unwrap_or(0)
        });
        let course = self.course(step, attempt, attempts_max, is_done);
        if attempt == 1 {
            self.disturb(run, step);
        }
        let late = |agenda: &mut crate::agenda::Agenda, silent: Option<Duration>| {
            let (after, kind) = match (own, silent) {
                (own, Some(silent)) if own.is_none_or(|own| silent < own) => {
                    (silent, TimeoutType::Heartbeat)
                }
                (Some(own), _) => (own, TimeoutType::StartToClose),
                (None, _) => return,
            };
            agenda.plan(now + after, Due::Late(run, seq, kind, attempt));
        };
        let ran = match course {
            Course::Fails(failure) => {
                let outcome = Outcome::Failed(Box::new(failure.into_proto()));
                self.agenda.plan(now, Due::Answer(run, seq, outcome));
                return;
            }
            Course::Lost { works } => {
                if works {
                    self.run_attempt(run, seq);
                }
                late(&mut self.agenda, silent);
                return;
            }
            Course::Runs => self.run_attempt(run, seq),
        };
        if shorter(own, whole).is_some_and(|time| ran.takes >= time) {
            // It goes on beating, so only its own time ends it.
            late(&mut self.agenda, None);
            return;
        }
        let outcome = match ran.outcome {
            Ok(result) => Outcome::Completed(result),
            Err(failure) if failure.failure_info.as_ref().is_some_and(is_cancelled) => {
                Outcome::Cancelled
            }
            Err(failure) => Outcome::Failed(failure),
        };
        self.agenda
            .plan(now + ran.takes, Due::Answer(run, seq, outcome));
    }

    fn course(&self, step: usize, attempt: u32, attempts_max: u32, is_done: bool) -> Course {
        let faults = self.setup.faults.iter().filter(|fault| fault.step == step);
        let mut spoilt = faults.filter(|fault| fault.kind.spoils(attempt, attempts_max));
        let message = || format!("a fault at step {step}, attempt {attempt}");
        match spoilt.next().map(|fault| fault.kind) {
            Some(FaultKind::FailsOnce | FaultKind::Fails) => {
                Course::Fails(Failure::retryable(INJECTED, message()))
            }
            // A provider that did it would answer so again, not refuse it.
            Some(FaultKind::FailsFinally) if is_done => {
                Course::Fails(Failure::retryable(INJECTED, message()))
            }
            Some(FaultKind::FailsFinally) => Course::Fails(Failure::permanent(INJECTED, message())),
            Some(FaultKind::LostOnce | FaultKind::Lost) => Course::Lost { works: false },
            Some(FaultKind::AnswerLostOnce | FaultKind::AnswerLost) => Course::Lost { works: true },
            _ => Course::Runs,
        }
    }

    /// Has what faults do to an execution while a step of it is under way.
    pub(crate) fn disturb(&mut self, run: RunKey, step: usize) {
        let setup = self.setup.clone();
        for fault in setup.faults.iter().filter(|fault| fault.step == step) {
            match fault.kind {
                FaultKind::Cancelled => {
                    self.agenda.plan(self.now, Due::Say(0, Message::cancel()));
                }
                FaultKind::Crash => self.runs[run].is_lost = true,
                _ => {}
            }
        }
    }

    /// A step has ended, and its workflow knows.
    pub(crate) fn step_ended(&mut self, step: usize) {
        let mut faults = self.setup.faults.iter();
        let after = |kind| kind == FaultKind::CancelledAfter;
        if faults.any(|fault| fault.step == step && after(fault.kind)) {
            self.agenda.plan(self.now, Due::Say(0, Message::cancel()));
        }
        let name = self.journal.name(step).to_owned();
        let due = self.planned_after.remove(&name);
        for (key, message) in due.into_iter().flatten() {
            self.agenda.plan(self.now, Due::Say(key, message));
        }
    }

    fn idempotency_key(&self, run: RunKey, seq: u32) -> String {
        let identity = self.runs[run].run.identity();
        let activity = self.runs[run].activities.get(&seq);
        let id = activity.map_or("", |activity| activity.order.activity_id.as_str());
        format!("{}/{}/{id}", identity.temporal_id, identity.run_id)
    }

    fn run_attempt(&mut self, run: RunKey, seq: u32) -> Ran {
        let episode = &self.runs[run];
        let Some(activity) = episode.activities.get(&seq) else {
            panic!("an activity runs that is not there");
        };
        let order = &activity.order;
        let identity = episode.run.identity();
        let key = self.idempotency_key(run, seq);
        let facts = Facts {
            input: payload::json(order.arguments.first()),
            attempt: activity.attempt,
            activity_id: order.activity_id.clone(),
            workflow_id: self.workflow_id(run),
            idempotency_key: key.clone(),
            at: self.elapsed(),
            heartbeat_details: activity.heartbeat.clone().unwrap_or_default(),
        };
        let real = Real {
            arguments: &order.arguments,
            run_id: &identity.run_id,
            workflow_type: &episode.type_name.name,
            is_cancelled: activity.cancel_requested.is_some(),
            time: shorter(
                payload::span(order.start_to_close_timeout),
                payload::span(order.schedule_to_close_timeout),
            ),
            heartbeat_timeout: payload::span(order.heartbeat_timeout),
            scheduled_at: activity.scheduled_at,
            is_local: false,
        };
        let ran = self.perform(&order.activity_type, facts, real);
        let step = activity.step;
        let said = match &ran.outcome {
            Ok(result) => Ok(payload::json(Some(result))),
            Err(failure) => Err(Failure::of_proto(failure)),
        };
        if said.is_ok() {
            self.done.insert(key);
        }
        self.journal.attempt(step, said, self.now);
        if ran.heartbeat.is_some()
            && let Some(activity) = self.runs[run].activities.get_mut(&seq)
        {
            activity.heartbeat.clone_from(&ran.heartbeat);
        }
        ran
    }

    /// Runs one attempt: its mock, or its code.
    pub(crate) fn perform(&self, activity_type: &str, facts: Facts, real: Real<'_>) -> Ran {
        if let Some(mock) = self.setup.mocks.get(activity_type) {
            let (answer, heartbeat) = mock.call(facts);
            return Ran {
                outcome: answer
                    .map(|value| payload::of(&value))
                    .map_err(|failure| Box::new(failure.into_proto())),
                heartbeat,
                takes: mock.time(),
            };
        }
        if self.setup.all_real || self.setup.real.contains(activity_type) {
            return self.perform_really(activity_type, facts, real);
        }
        let name = self.setup.short(activity_type);
        panic!(
            "activity {name} has no mock: write kit.mock({name:?}, …), or have its code run with kit.real({name:?})"
        );
    }
}

fn is_cancelled(
    info: &temporalio_protos::temporal::api::failure::v1::failure::FailureInfo,
) -> bool {
    matches!(
        info,
        temporalio_protos::temporal::api::failure::v1::failure::FailureInfo::CanceledFailureInfo(_)
    )
}
