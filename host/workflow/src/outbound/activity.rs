//! Activities, ordinary and local.

use std::collections::HashMap;

use temporalio_protos::{
    coresdk::{
        common::VersioningIntent,
        workflow_commands::{ScheduleActivity, ScheduleLocalActivity},
    },
    temporal::api::common::v1::Payload,
};

use super::{Firewall, Refusal, refused};

/// Longest time-out of a local activity, in seconds: 100 years. Core keeps these clocks itself.
const TIMEOUT_SECONDS_MAX: i64 = 100 * 366 * 86_400;

impl Firewall<'_> {
    pub(super) fn complete_activity(&self, it: &mut ScheduleActivity) -> Result<(), Refusal> {
        bounded(
            it.start_to_close_timeout.is_some() || it.schedule_to_close_timeout.is_some(),
            &it.activity_type,
        )?;
        self.complete_task(&mut it.activity_type, &mut it.headers)?;
        it.task_queue.clone_from(&self.identity.task_queue);
        it.versioning_intent = VersioningIntent::Unspecified.into();
        self.tame(&mut it.priority);
        Ok(())
    }

    pub(super) fn complete_local_activity(
        &self,
        it: &mut ScheduleLocalActivity,
    ) -> Result<(), Refusal> {
        bounded(
            it.start_to_close_timeout.is_some() || it.schedule_to_close_timeout.is_some(),
            &it.activity_type,
        )?;
        let policy = it.retry_policy.as_ref();
        let spans = [
            it.start_to_close_timeout,
            it.schedule_to_close_timeout,
            it.schedule_to_start_timeout,
            it.local_retry_threshold,
            policy.and_then(|policy| policy.initial_interval),
            policy.and_then(|policy| policy.maximum_interval),
        ];
        for span in spans.into_iter().flatten() {
            let whole = (0..1_000_000_000).contains(&span.nanos);
            if !whole || !(0..=TIMEOUT_SECONDS_MAX).contains(&span.seconds) {
                return refused(format!(
                    "activity {:?} has a time of {} s and {} ns: use 0 to {TIMEOUT_SECONDS_MAX} s",
                    it.activity_type, span.seconds, span.nanos
                ));
            }
        }
        self.complete_task(&mut it.activity_type, &mut it.headers)
    }

    /// An activity runs for this execution, on this run's release if it is of the same plugin.
    fn complete_task(
        &self,
        activity_type: &mut String,
        headers: &mut HashMap<String, Payload>,
    ) -> Result<(), Refusal> {
        let name = self.type_name(activity_type)?;
        let digest = self.digest_for(&name.plugin);
        self.sign(headers, &name.plugin, &self.identity.temporal_id, digest)?;
        *activity_type = self.identity.spell(&name);
        Ok(())
    }
}

/// Temporal wants one of the two, and a missing one would fail the task without saying where.
fn bounded(has_timeout: bool, activity_type: &str) -> Result<(), Refusal> {
    if has_timeout {
        return Ok(());
    }
    refused(format!(
        "activity {activity_type:?} has no time-out: set start_to_close_timeout or schedule_to_close_timeout"
    ))
}
