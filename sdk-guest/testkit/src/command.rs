//! What commands lead to on the server: an event each, and what comes of it.

use temporalio_protos::coresdk::workflow_activation::{
    FireTimer, workflow_activation_job::Variant as Job,
};
use temporalio_protos::{
    constants::{LOCAL_ACTIVITY_MARKER_NAME, PATCH_MARKER_NAME},
    coresdk::{
        common::build_has_change_marker_details,
        workflow_commands::{
            ScheduleActivity, StartTimer, signal_external_workflow_execution::Target,
            update_response::Response, workflow_command::Variant as Command,
        },
    },
    temporal::api::{
        common::v1::{ActivityType, Header, Memo, Payloads, SearchAttributes, WorkflowExecution},
        failure::v1::Failure,
        history::v1::{
            ActivityTaskCancelRequestedEventAttributes, ActivityTaskScheduledEventAttributes,
            MarkerRecordedEventAttributes,
            RequestCancelExternalWorkflowExecutionInitiatedEventAttributes,
            SignalExternalWorkflowExecutionInitiatedEventAttributes, TimerCanceledEventAttributes,
            TimerFiredEventAttributes, TimerStartedEventAttributes,
            UpsertWorkflowSearchAttributesEventAttributes,
            WorkflowPropertiesModifiedEventAttributes, history_event::Attributes,
        },
        sdk::v1::UserMetadata,
    },
};

use crate::{
    agenda::{Due, RunKey},
    journal::StepKind,
    payload,
    world::{NAMESPACE, World, queue},
};

/// Names of patches are listed where executions are searched for.
const CHANGE_VERSION: &str = "TemporalChangeVersion";

/// What a task led to.
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are commands, and few are held at once"
)]
pub(crate) enum Held {
    Command(Command, Option<UserMetadata>),
    /// The answer to an update, by Core's id.
    Update(String, Option<Response>),
    /// The end of a local activity.
    Local(Box<LocalEnd>),
}

pub(crate) struct LocalEnd {
    pub(crate) details: std::collections::HashMap<String, Payloads>,
    pub(crate) failure: Option<Failure>,
}

impl World {
    /// Does what a task said, which the event `completed` ended.
    pub(crate) fn apply(&mut self, run: RunKey, held: Held, completed: i64) {
        match held {
            Held::Update(id, response) => self.answer_update(run, id, response, completed),
            Held::Local(end) => {
                let marker = MarkerRecordedEventAttributes {
                    marker_name: LOCAL_ACTIVITY_MARKER_NAME.to_owned(),
                    details: end.details,
                    workflow_task_completed_event_id: completed,
                    failure: end.failure,
                    ..Default::default()
                };
                self.event(run, Attributes::MarkerRecordedEventAttributes(marker));
            }
            Held::Command(command, metadata) => {
                self.apply_command(run, command, metadata, completed)
            }
        }
    }

    fn apply_command(
        &mut self,
        run: RunKey,
        command: Command,
        _metadata: Option<UserMetadata>,
        completed: i64,
    ) {
        match command {
            Command::StartTimer(it) => self.start_timer(run, &it, completed),
            Command::CancelTimer(it) => self.cancel_timer(run, it.seq, completed),
            Command::ScheduleActivity(it) => self.schedule_activity(run, Box::new(it), completed),
            Command::RequestCancelActivity(it) => self.request_cancel(run, it.seq, completed),
            Command::SetPatchMarker(it) => {
                self.write_patch(run, it.patch_id, it.deprecated, completed);
            }
            Command::UpsertWorkflowSearchAttributes(it) => {
                self.upsert(run, it.search_attributes, completed);
            }
            Command::ModifyWorkflowProperties(it) => {
                let event = WorkflowPropertiesModifiedEventAttributes {
                    workflow_task_completed_event_id: completed,
                    upserted_memo: it.upserted_memo,
                };
                self.event(
                    run,
                    Attributes::WorkflowPropertiesModifiedEventAttributes(event),
                );
            }
            Command::StartChildWorkflowExecution(it) => {
                self.initiate_child(run, Box::new(it), completed);
            }
            Command::CancelChildWorkflowExecution(it) => {
                self.request_child_cancel(run, &it, completed);
            }
            Command::SignalExternalWorkflowExecution(it) => {
                let (target, child_only) = match &it.target {
                    Some(Target::WorkflowExecution(target)) => (
                        WorkflowExecution {
                            workflow_id: target.workflow_id.clone(),
                            run_id: target.run_id.clone(),
                        },
                        false,
                    ),
                    Some(Target::ChildWorkflowId(id)) => (
                        WorkflowExecution {
                            workflow_id: id.clone(),
                            run_id: String::new(),
                        },
                        true,
                    ),
                    None => return,
                };
                let event = SignalExternalWorkflowExecutionInitiatedEventAttributes {
                    workflow_task_completed_event_id: completed,
                    namespace: NAMESPACE.to_owned(),
                    workflow_execution: Some(target),
                    signal_name: it.signal_name.clone(),
                    input: payload::payloads(it.args.clone()),
                    child_workflow_only: child_only,
                    header: header(it.headers.clone()),
                    ..Default::default()
                };
                let initiated = self.event(
                    run,
                    Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(event),
                );
                let due = Due::Signal(run, initiated, Box::new(it));
                self.agenda.plan(self.now, due);
            }
            Command::RequestCancelExternalWorkflowExecution(it) => {
                let target = it.workflow_execution.clone().unwrap_or_default();
                let event = RequestCancelExternalWorkflowExecutionInitiatedEventAttributes {
                    workflow_task_completed_event_id: completed,
                    namespace: NAMESPACE.to_owned(),
                    workflow_execution: Some(WorkflowExecution {
                        workflow_id: target.workflow_id,
                        run_id: target.run_id,
                    }),
                    reason: it.reason.clone(),
                    ..Default::default()
                };
                let initiated = self.event(
                    run,
                    Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(
                        event,
                    ),
                );
                let due = Due::Cancel(run, initiated, Box::new(it));
                self.agenda.plan(self.now, due);
            }
            command => self.close_by(run, command, completed),
        }
    }

    fn start_timer(&mut self, run: RunKey, timer: &StartTimer, completed: i64) {
        let span = payload::span(timer.start_to_fire_timeout).unwrap_or_default();
        let event = TimerStartedEventAttributes {
            timer_id: timer.seq.to_string(),
            start_to_fire_timeout: timer.start_to_fire_timeout,
            workflow_task_completed_event_id: completed,
        };
        let started = self.event(run, Attributes::TimerStartedEventAttributes(event));
        let workflow_id = self.workflow_id(run);
        let name = format!("{span:?}");
        let input = serde_json::Value::Null;
        let step = self
            .journal
            .begin(StepKind::Timer, &name, workflow_id, input, self.now);
        self.runs[run].timers.insert(timer.seq, (started, step));
        self.agenda
            .plan(self.now + span, Due::Timer(run, timer.seq));
        self.disturb(run, step);
    }

    /// A timer fires, unless it was cancelled.
    pub(crate) fn fire(&mut self, run: RunKey, seq: u32) {
        if !self.runs[run].is_open() {
            return;
        }
        let Some((started, step)) = self.runs[run].timers.remove(&seq) else {
            return;
        };
        let event = TimerFiredEventAttributes {
            timer_id: seq.to_string(),
            started_event_id: started,
        };
        self.event(run, Attributes::TimerFiredEventAttributes(event));
        self.runs[run].jobs.push(Job::FireTimer(FireTimer { seq }));
        self.task(run);
        self.step_ended(step);
    }

    fn cancel_timer(&mut self, run: RunKey, seq: u32, completed: i64) {
        let Some((started, _)) = self.runs[run].timers.remove(&seq) else {
            return;
        };
        let event = TimerCanceledEventAttributes {
            timer_id: seq.to_string(),
            started_event_id: started,
            workflow_task_completed_event_id: completed,
            ..Default::default()
        };
        self.event(run, Attributes::TimerCanceledEventAttributes(event));
    }

    fn schedule_activity(&mut self, run: RunKey, order: Box<ScheduleActivity>, completed: i64) {
        self.runs[run].history.weigh(&order.arguments);
        let event = ActivityTaskScheduledEventAttributes {
            activity_id: order.activity_id.clone(),
            activity_type: Some(ActivityType {
                name: order.activity_type.clone(),
            }),
            task_queue: queue(),
            header: header(order.headers.clone()),
            input: payload::payloads(order.arguments.clone()),
            schedule_to_close_timeout: order.schedule_to_close_timeout,
            schedule_to_start_timeout: order.schedule_to_start_timeout,
            start_to_close_timeout: order.start_to_close_timeout,
            heartbeat_timeout: order.heartbeat_timeout,
            workflow_task_completed_event_id: completed,
            retry_policy: order.retry_policy.clone(),
            priority: order.priority.clone(),
            ..Default::default()
        };
        let scheduled = self.event(run, Attributes::ActivityTaskScheduledEventAttributes(event));
        self.schedule(run, order, scheduled);
    }

    fn request_cancel(&mut self, run: RunKey, seq: u32, completed: i64) {
        let Some(activity) = self.runs[run].activities.get(&seq) else {
            return;
        };
        let event = ActivityTaskCancelRequestedEventAttributes {
            scheduled_event_id: activity.scheduled,
            workflow_task_completed_event_id: completed,
        };
        let requested = self.event(
            run,
            Attributes::ActivityTaskCancelRequestedEventAttributes(event),
        );
        self.cancel_activity(run, seq, requested);
    }

    fn write_patch(&mut self, run: RunKey, patch: String, deprecated: bool, completed: i64) {
        if self.runs[run].patches.contains(&patch) {
            return;
        }
        let marker = MarkerRecordedEventAttributes {
            marker_name: PATCH_MARKER_NAME.to_owned(),
            details: build_has_change_marker_details(patch.clone(), deprecated).unwrap_or_default(),
            workflow_task_completed_event_id: completed,
            ..Default::default()
        };
        self.event(run, Attributes::MarkerRecordedEventAttributes(marker));
        self.runs[run].patches.push(patch);
        if deprecated {
            return;
        }
        let mut listed = payload::of(&self.runs[run].patches);
        listed
            .metadata
            .insert("type".to_owned(), b"KeywordList".to_vec());
        let attributes = SearchAttributes {
            indexed_fields: [(CHANGE_VERSION.to_owned(), listed)].into(),
        };
        self.upsert(run, Some(attributes), completed);
    }

    fn upsert(&mut self, run: RunKey, attributes: Option<SearchAttributes>, completed: i64) {
        let event = UpsertWorkflowSearchAttributesEventAttributes {
            workflow_task_completed_event_id: completed,
            search_attributes: attributes,
        };
        self.event(
            run,
            Attributes::UpsertWorkflowSearchAttributesEventAttributes(event),
        );
    }
}

/// A header in Temporal's form; none for no fields.
pub(crate) fn header(
    fields: std::collections::HashMap<
        String,
        temporalio_protos::temporal::api::common::v1::Payload,
    >,
) -> Option<Header> {
    (!fields.is_empty()).then_some(Header { fields })
}

/// A memo in Temporal's form; none for no fields.
pub(crate) fn memo(
    fields: std::collections::HashMap<
        String,
        temporalio_protos::temporal::api::common::v1::Payload,
    >,
) -> Option<Memo> {
    (!fields.is_empty()).then_some(Memo { fields })
}
