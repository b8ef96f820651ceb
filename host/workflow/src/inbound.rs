//! What a guest is shown: its own names and ids, and nothing of the host's or of other scopes.

use temporalio_protos::{
    coresdk::{
        activity_result::activity_resolution::Status as ActivityStatus,
        child_workflow::child_workflow_result::Status as ChildStatus,
        nexus::nexus_operation_result::Status as NexusStatus,
        workflow_activation::{
            InitializeWorkflow, resolve_child_workflow_execution_start::Status as ChildStart,
            resolve_nexus_operation_start::Status as NexusStart,
            workflow_activation_job::Variant as Job,
        },
    },
    temporal::api::{
        common::v1::Payload,
        failure::v1::{Failure, failure::FailureInfo},
    },
};
use tenterhook_domain::{Code, TypeName};

use crate::{failure::TaskFailure, identity::RunIdentity, reserved};

type Headers = std::collections::HashMap<String, Payload>;

/// True for a job that is between Core and the host: the guest is not given it.
pub(crate) fn is_hidden(job: &Job) -> bool {
    matches!(job, Job::NotifyHasPatch(patch) if reserved::is_prefixed(&patch.patch_id))
}

impl RunIdentity {
    /// Rewrites `job` to the guest's own names and ids.
    ///
    /// # Errors
    /// A job that lacks its result or is of another execution: a fault of Core or the host, not of the guest.
    pub(crate) fn show(&self, job: &mut Job) -> Result<(), TaskFailure> {
        match job {
            Job::InitializeWorkflow(it) => self.show_start(it)?,
            Job::SignalWorkflow(it) => hide_headers(&mut it.headers),
            Job::DoUpdate(it) => hide_headers(&mut it.headers),
            Job::QueryWorkflow(it) => hide_headers(&mut it.headers),
            Job::ResolveActivity(it) => {
                let result = it.result.as_mut().and_then(|result| result.status.as_mut());
                match result.ok_or_else(|| incomplete("ResolveActivity"))? {
                    ActivityStatus::Failed(it) => self.show_failure(it.failure.as_mut()),
                    ActivityStatus::Cancelled(it) => self.show_failure(it.failure.as_mut()),
                    ActivityStatus::Completed(_) | ActivityStatus::Backoff(_) => {}
                }
            }
            Job::ResolveChildWorkflowExecutionStart(it) => {
                let status = it.status.as_mut();
                match status.ok_or_else(|| incomplete("ResolveChildWorkflowExecutionStart"))? {
                    ChildStart::Failed(it) => {
                        self.show_id(&mut it.workflow_id);
                        self.show_type(&mut it.workflow_type);
                    }
                    ChildStart::Cancelled(it) => self.show_failure(it.failure.as_mut()),
                    ChildStart::Succeeded(_) => {}
                }
            }
            Job::ResolveChildWorkflowExecution(it) => {
                let result = it.result.as_mut().and_then(|result| result.status.as_mut());
                match result.ok_or_else(|| incomplete("ResolveChildWorkflowExecution"))? {
                    ChildStatus::Failed(it) => self.show_failure(it.failure.as_mut()),
                    ChildStatus::Cancelled(it) => self.show_failure(it.failure.as_mut()),
                    ChildStatus::Completed(_) => {}
                }
            }
            Job::ResolveSignalExternalWorkflow(it) => self.show_failure(it.failure.as_mut()),
            Job::ResolveRequestCancelExternalWorkflow(it) => self.show_failure(it.failure.as_mut()),
            Job::ResolveNexusOperationStart(it) => {
                let status = it.status.as_mut();
                match status.ok_or_else(|| incomplete("ResolveNexusOperationStart"))? {
                    NexusStart::Failed(failure) => self.show_failure(Some(failure)),
                    NexusStart::OperationToken(_) | NexusStart::StartedSync(_) => {}
                }
            }
            Job::ResolveNexusOperation(it) => {
                let result = it.result.as_mut().and_then(|result| result.status.as_mut());
                match result.ok_or_else(|| incomplete("ResolveNexusOperation"))? {
                    NexusStatus::Failed(failure)
                    | NexusStatus::Cancelled(failure)
                    | NexusStatus::TimedOut(failure) => self.show_failure(Some(failure)),
                    NexusStatus::Completed(_) => {}
                }
            }
            Job::FireTimer(_)
            | Job::UpdateRandomSeed(_)
            | Job::CancelWorkflow(_)
            | Job::NotifyHasPatch(_)
            | Job::RemoveFromCache(_) => {}
        }
        Ok(())
    }

    fn show_start(&self, start: &mut InitializeWorkflow) -> Result<(), TaskFailure> {
        if start.workflow_id != self.temporal_id {
            return Err(TaskFailure::new(
                Code::Internal,
                format!(
                    "the activation is of workflow {:?}, the run of {:?}",
                    start.workflow_id, self.temporal_id
                ),
            ));
        }
        self.show_id(&mut start.workflow_id);
        if let Some(name) = self.own_name(&start.workflow_type) {
            start.workflow_type = name.to_owned();
        }
        hide_headers(&mut start.headers);
        // Whoever started it from another scope stays unknown to it.
        start.parent_workflow_info = start.parent_workflow_info.take().and_then(|mut parent| {
            parent.workflow_id = self.caller_id_of(&parent.workflow_id)?;
            Some(parent)
        });
        start.root_workflow = start.root_workflow.take().and_then(|mut root| {
            root.workflow_id = self.caller_id_of(&root.workflow_id)?;
            Some(root)
        });
        if let Some(memo) = &mut start.memo {
            memo.fields.retain(|key, _| !reserved::is_prefixed(key));
        }
        if let Some(attributes) = &mut start.search_attributes {
            let fields = &mut attributes.indexed_fields;
            fields.retain(|name, _| {
                name == reserved::SCHEDULED_START || !reserved::is_search_attribute(name)
            });
        }
        self.show_failure(start.continued_failure.as_mut());
        Ok(())
    }

    fn show_failure(&self, failure: Option<&mut Failure>) {
        let mut next = failure;
        while let Some(failure) = next {
            match &mut failure.failure_info {
                Some(FailureInfo::ActivityFailureInfo(it)) => {
                    if let Some(activity) = &mut it.activity_type {
                        self.show_type(&mut activity.name);
                    }
                }
                Some(FailureInfo::ChildWorkflowExecutionFailureInfo(it)) => {
                    if let Some(execution) = &mut it.workflow_execution {
                        self.show_id(&mut execution.workflow_id);
                    }
                    if let Some(workflow) = &mut it.workflow_type {
                        self.show_type(&mut workflow.name);
                    }
                }
                _ => {}
            }
            next = failure.cause.as_deref_mut();
        }
    }

    fn show_id(&self, id: &mut String) {
        if let Some(own) = self.caller_id_of(id) {
            *id = own;
        }
    }

    /// A bare name only where it reads back as the same type: `payment.billing.X` stays whole, for a bare
    /// `billing.X` would be another plugin's.
    fn show_type(&self, name: &mut String) {
        if let Some(own) = self.own_name(name)
            && TypeName::of_guest(&self.plugin, own).is_ok_and(|read| read.to_string() == *name)
        {
            *name = own.to_owned();
        }
    }

    fn own_name<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(self.plugin.as_str())?.strip_prefix('.')
    }
}

fn hide_headers(headers: &mut Headers) {
    headers.retain(|name, _| !reserved::is_header(name));
}

fn incomplete(job: &str) -> TaskFailure {
    TaskFailure::new(
        Code::Internal,
        format!("Temporal's worker core handed over a {job} job without its result"),
    )
}
