//! A schedule as Temporal takes it.

use std::time::Duration;

use prost_wkt_types::{Duration as ProtoDuration, Timestamp};
use temporalio_protos::temporal::api::{
    common::v1::{Header, Memo, Priority, SearchAttributes, WorkflowType},
    enums::v1::{ScheduleOverlapPolicy, TaskQueueKind},
    schedule::v1::{
        CalendarSpec, IntervalSpec, Schedule as ProtoSchedule, ScheduleAction, SchedulePolicies,
        ScheduleSpec, ScheduleState, schedule_action::Action as ProtoAction,
    },
    taskqueue::v1::TaskQueue,
    workflow::v1::NewWorkflowExecutionInfo,
};
use tenterhook_domain::{
    Result, ScheduleId, Scope,
    context::{HEADER, ScheduleContext},
    payload_key::PayloadRing,
    schedule::{Calendar, Interval, Overlap, Schedule, Span},
};

use super::super::Gateway;
use crate::{codec, connection::SEARCH_ATTRIBUTES, directory::Site, payload};

impl Gateway {
    /// What Temporal keeps of a schedule, its payloads sealed and its context signed. What it starts has so many shares.
    ///
    /// # Errors
    /// `payload-key-gone` after the tenant's keys were deleted.
    pub(super) fn schedule_request(
        &self,
        site: &Site,
        scope: &Scope,
        id: &ScheduleId,
        (schedule, weight): (&Schedule, u16),
        ring: &PayloadRing,
    ) -> Result<ProtoSchedule> {
        let starts = self.started_by(site, scope, id, (schedule, weight), ring)?;
        Ok(ProtoSchedule {
            spec: Some(spec(schedule)),
            action: Some(ScheduleAction {
                action: Some(ProtoAction::StartWorkflow(starts)),
            }),
            policies: Some(SchedulePolicies {
                overlap_policy: overlap_policy(schedule.overlap).into(),
                catchup_window: proto(schedule.catch_up),
                pause_on_failure: schedule.pause_on_failure,
                // One id for all would leave of each execution only what Temporal keeps by its run.
                keep_original_workflow_id: false,
            }),
            state: Some(ScheduleState {
                notes: schedule.note.clone(),
                paused: schedule.paused,
                limited_actions: schedule.remaining_starts.is_some(),
                remaining_actions: schedule
                    .remaining_starts
                    .map_or(0, |left| i64::try_from(left).unwrap_or(i64::MAX)),
            }),
        })
    }

    fn started_by(
        &self,
        site: &Site,
        scope: &Scope,
        id: &ScheduleId,
        (schedule, weight): (&Schedule, u16),
        ring: &PayloadRing,
    ) -> Result<NewWorkflowExecutionInfo> {
        let action = &schedule.action;
        let workflow_id = site.ids.temporal_id(scope, id.as_str())?;
        let token = self.keys.sign_schedule(&ScheduleContext {
            scope: scope.clone(),
            workflow_type: action.workflow_type.clone(),
            workflow_id: workflow_id.clone(),
        })?;
        let memo = action.memo.iter();
        let mut starts = NewWorkflowExecutionInfo {
            workflow_id,
            workflow_type: Some(WorkflowType {
                name: action.workflow_type.to_string(),
            }),
            task_queue: Some(TaskQueue {
                name: site.task_queue.clone(),
                kind: TaskQueueKind::Normal.into(),
                ..Default::default()
            }),
            input: payload::of_input(action.input.as_ref()),
            workflow_execution_timeout: proto(action.execution_timeout),
            workflow_run_timeout: proto(action.run_timeout),
            workflow_task_timeout: proto(action.task_timeout),
            memo: Some(Memo {
                fields: memo
                    .map(|(key, value)| (key.clone(), payload::of_json(value)))
                    .collect(),
            }),
            search_attributes: Some(attributes(scope, schedule)),
            priority: Some(Priority {
                fairness_key: scope.tenant.to_string(),
                fairness_weight: f32::from(weight),
                ..Default::default()
            }),
            ..Default::default()
        };
        codec::seal(ring, &mut starts)?;
        // Whoever runs it learns from the context whose keys it needs.
        starts.header = Some(Header {
            fields: [(HEADER.to_owned(), payload::of_json(&token.into()))].into(),
        });
        Ok(starts)
    }
}

/// What every execution of a schedule carries, and the schedule itself.
pub(super) fn attributes(scope: &Scope, schedule: &Schedule) -> SearchAttributes {
    let values = [
        scope.tenant.as_str(),
        scope.environment.as_str(),
        schedule.action.workflow_type.plugin.as_str(),
    ];
    let names = SEARCH_ATTRIBUTES.iter().zip(values);
    SearchAttributes {
        indexed_fields: names
            .map(|(name, value)| ((*name).to_owned(), payload::of_keyword(value)))
            .collect(),
    }
}

fn spec(schedule: &Schedule) -> ScheduleSpec {
    // Temporal keeps the times that an expression means and its comment, not the expression: so it is its own comment.
    let cron = schedule.cron.iter().map(|text| format!("{text} # {text}"));
    ScheduleSpec {
        cron_string: cron.collect(),
        calendar: schedule.calendars.iter().map(calendar).collect(),
        interval: schedule.intervals.iter().map(interval).collect(),
        start_time: schedule.starts_at.map(timestamp),
        end_time: schedule.ends_at.map(timestamp),
        jitter: proto(schedule.jitter),
        timezone_name: schedule.time_zone.clone().unwrap_or_default(),
        ..Default::default()
    }
}

fn calendar(calendar: &Calendar) -> CalendarSpec {
    CalendarSpec {
        second: calendar.second.clone(),
        minute: calendar.minute.clone(),
        hour: calendar.hour.clone(),
        day_of_month: calendar.day_of_month.clone(),
        month: calendar.month.clone(),
        year: calendar.year.clone(),
        day_of_week: calendar.day_of_week.clone(),
        comment: String::new(),
    }
}

fn interval(interval: &Interval) -> IntervalSpec {
    IntervalSpec {
        interval: proto(Some(interval.every)),
        phase: proto(interval.offset),
    }
}

pub(super) fn overlap_policy(overlap: Overlap) -> ScheduleOverlapPolicy {
    match overlap {
        Overlap::Skip => ScheduleOverlapPolicy::Skip,
        Overlap::BufferOne => ScheduleOverlapPolicy::BufferOne,
        Overlap::BufferAll => ScheduleOverlapPolicy::BufferAll,
        Overlap::CancelOther => ScheduleOverlapPolicy::CancelOther,
        Overlap::TerminateOther => ScheduleOverlapPolicy::TerminateOther,
        Overlap::AllowAll => ScheduleOverlapPolicy::AllowAll,
    }
}

/// Milliseconds since the Unix epoch as Temporal writes a time.
pub(super) fn timestamp(millis: u64) -> Timestamp {
    let nanos = (millis % 1_000) * 1_000_000;
    Timestamp {
        seconds: i64::try_from(millis / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(nanos).unwrap_or(0),
    }
}

fn proto(span: Option<Span>) -> Option<ProtoDuration> {
    span.and_then(|Span(duration): Span| Duration::try_into(duration).ok())
}
