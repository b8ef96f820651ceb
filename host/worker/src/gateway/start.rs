//! The request that starts an execution.

use std::time::Duration;

use prost_wkt_types::Duration as ProtoDuration;
use temporalio_protos::temporal::api::{
    common::v1::{Header, Memo, Priority, SearchAttributes, WorkflowType},
    enums::v1::{TaskQueueKind, WorkflowIdConflictPolicy, WorkflowIdReusePolicy},
    taskqueue::v1::TaskQueue,
    workflowservice::v1::StartWorkflowExecutionRequest,
};
use tenterhook_domain::{
    Result, Scope,
    clock::{Clock as _, SystemClock},
    context::{CONTEXT_LIFE_MILLIS, Context, HEADER},
    execution::{ReusePolicy, Start},
    payload_key::PayloadRing,
};

use super::Gateway;
use crate::{codec, connection::SEARCH_ATTRIBUTES, directory::Site, payload};

impl Gateway {
    /// What starts an execution, its payloads sealed.
    ///
    /// # Errors
    /// `workflow-id-invalid`; `payload-key-gone` after the tenant's keys were deleted.
    pub(super) fn start_request(
        &self,
        site: &Site,
        scope: &Scope,
        start: &Start,
        ring: &PayloadRing,
    ) -> Result<StartWorkflowExecutionRequest> {
        let workflow_id = site.ids.temporal_id(scope, &start.id)?;
        let context = Context {
            scope: scope.clone(),
            plugin: start.workflow_type.plugin.clone(),
            workflow_id: workflow_id.clone(),
            digest: None,
            begins_by: Some(SystemClock.now_millis().saturating_add(CONTEXT_LIFE_MILLIS)),
        };
        let token = payload::of_json(&self.keys.sign(&context)?.into());
        let attributes = [
            scope.tenant.as_str(),
            scope.environment.as_str(),
            start.workflow_type.plugin.as_str(),
        ];
        let indexed_fields = SEARCH_ATTRIBUTES
            .iter()
            .zip(attributes)
            .map(|(name, value)| ((*name).to_owned(), payload::of_keyword(value)));
        let memo = start
            .memo
            .iter()
            .map(|(key, value)| (key.clone(), payload::of_json(value)))
            .collect();
        let mut request = StartWorkflowExecutionRequest {
            namespace: site.temporal.namespace().to_owned(),
            workflow_id,
            workflow_type: Some(WorkflowType {
                name: start.workflow_type.to_string(),
            }),
            task_queue: Some(TaskQueue {
                name: site.task_queue.clone(),
                kind: TaskQueueKind::Normal.into(),
                ..Default::default()
            }),
            input: payload::of_input(start.input.as_ref()),
            workflow_execution_timeout: start.execution_timeout.and_then(proto_duration),
            workflow_run_timeout: start.run_timeout.and_then(proto_duration),
            workflow_task_timeout: start.task_timeout.and_then(proto_duration),
            workflow_start_delay: start.start_delay.and_then(proto_duration),
            identity: site.temporal.identity().to_owned(),
            request_id: uuid::Uuid::new_v4().to_string(),
            workflow_id_reuse_policy: reuse_policy(start.reuse).into(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::Fail.into(),
            // The first task comes with the answer, where this host works the queue and has a slot free; Core asks for
            // nothing where it has none.
            request_eager_execution: true,
            memo: Some(Memo { fields: memo }),
            search_attributes: Some(SearchAttributes {
                indexed_fields: indexed_fields.collect(),
            }),
            priority: Some(Priority {
                fairness_key: scope.tenant.to_string(),
                fairness_weight: f32::from(start.weight),
                ..Default::default()
            }),
            ..Default::default()
        };
        codec::seal(ring, &mut request)?;
        // Whoever runs it learns from the context whose keys it needs.
        request.header = Some(Header {
            fields: [(HEADER.to_owned(), token)].into(),
        });
        Ok(request)
    }
}

fn reuse_policy(policy: ReusePolicy) -> WorkflowIdReusePolicy {
    match policy {
        ReusePolicy::AllowDuplicate => WorkflowIdReusePolicy::AllowDuplicate,
        ReusePolicy::AllowDuplicateFailedOnly => WorkflowIdReusePolicy::AllowDuplicateFailedOnly,
        ReusePolicy::RejectDuplicate => WorkflowIdReusePolicy::RejectDuplicate,
    }
}

fn proto_duration(duration: Duration) -> Option<ProtoDuration> {
    duration.try_into().ok()
}
