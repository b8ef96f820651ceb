//! The words of failures. Temporal keeps a failure's message and stack trace as they are, so they are moved into its
//! encoded attributes, as Temporal's SDKs do, and those are a payload like any other.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use prost::Message as _;
use serde_json::{Value, json};
use temporalio_protos::{
    coresdk::{
        activity_result::{activity_execution_result, activity_resolution},
        child_workflow::child_workflow_result,
        workflow_activation::{
            WorkflowActivation, resolve_child_workflow_execution_start,
            workflow_activation_job::Variant as Job,
        },
        workflow_commands::{update_response, workflow_command::Variant as Command},
        workflow_completion::{
            WorkflowActivationCompletion, workflow_activation_completion::Status,
        },
    },
    temporal::api::{common::v1::Payload, failure::v1::Failure},
};

use super::crossing::is_ours;
use crate::payload;

/// What stands where the words were; Temporal's SDKs write the same.
const HIDDEN: &str = "Encoded failure";
/// Marks attributes that this host made, and takes apart again.
const MARK: &str = "tenterhook";
const MARK_WORDS: &[u8] = b"words";

/// What a failure says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// As it stands in the failure.
    Plain,
    /// As it was before it was hidden.
    Hidden {
        message: String,
        stack_trace: String,
    },
    /// It is encrypted, and was not opened.
    Gone,
}

/// What `failure` says, once its payloads were opened.
pub(crate) fn words(failure: &Failure) -> Words {
    let Some(attributes) = &failure.encoded_attributes else {
        return Words::Plain;
    };
    if is_ours(attributes) {
        return Words::Gone;
    }
    read(attributes).map_or(Words::Plain, |(message, stack_trace, _)| Words::Hidden {
        message,
        stack_trace,
    })
}

/// Message, stack trace, and the attributes that the failure had of its own.
fn read(attributes: &Payload) -> Option<(String, String, Option<Payload>)> {
    if attributes.metadata.get(MARK).map(Vec::as_slice) != Some(MARK_WORDS) {
        return None;
    }
    let said: Value = serde_json::from_slice(&attributes.data).ok()?;
    let word = |name: &str| said.get(name)?.as_str().map(str::to_owned);
    let own = word("encoded_attributes")
        .and_then(|own| BASE64.decode(own).ok())
        .and_then(|own| Payload::decode(own.as_slice()).ok());
    Some((word("message")?, word("stack_trace")?, own))
}

/// Hides the words of a failure and of its causes.
fn hide(failure: &mut Failure) {
    let mut next = Some(failure);
    while let Some(link) = next {
        let own = link.encoded_attributes.take();
        let own = own.map(|own| BASE64.encode(own.encode_to_vec()));
        let message = std::mem::replace(&mut link.message, HIDDEN.to_owned());
        let stack_trace = std::mem::take(&mut link.stack_trace);
        let mut attributes = payload::of_json(&json!({
            "message": message,
            "stack_trace": stack_trace,
            "encoded_attributes": own,
        }));
        attributes
            .metadata
            .insert(MARK.to_owned(), MARK_WORDS.to_vec());
        link.encoded_attributes = Some(attributes);
        next = link.cause.as_deref_mut();
    }
}

/// Puts the words of a failure and of its causes back.
fn restore(failure: &mut Failure) {
    let mut next = Some(failure);
    while let Some(link) = next {
        if let Some((message, stack_trace, own)) = link.encoded_attributes.as_ref().and_then(read) {
            link.message = message;
            link.stack_trace = stack_trace;
            link.encoded_attributes = own;
        }
        next = link.cause.as_deref_mut();
    }
}

/// Hides the words of all failures that Temporal stores of a completion. Those of a query are not stored.
pub(super) fn hide_all(completion: &mut WorkflowActivationCompletion) {
    match &mut completion.status {
        Some(Status::Failed(failed)) => failed.failure.iter_mut().for_each(hide),
        Some(Status::Successful(success)) => {
            for command in &mut success.commands {
                match &mut command.variant {
                    Some(Command::FailWorkflowExecution(it)) => {
                        it.failure.iter_mut().for_each(hide);
                    }
                    Some(Command::UpdateResponse(it)) => {
                        if let Some(update_response::Response::Rejected(failure)) = &mut it.response
                        {
                            hide(failure);
                        }
                    }
                    _ => {}
                }
            }
        }
        None => {}
    }
}

/// Hides the words of what an attempt ended with.
pub(super) fn hide_of_attempt(status: &mut activity_execution_result::Status) {
    use activity_execution_result::Status as Attempt;
    match status {
        Attempt::Failed(it) => it.failure.iter_mut().for_each(hide),
        Attempt::Cancelled(it) => it.failure.iter_mut().for_each(hide),
        Attempt::Completed(_) | Attempt::WillCompleteAsync(_) => {}
    }
}

/// Puts the words of all failures of an activation back.
pub(crate) fn restore_all(activation: &mut WorkflowActivation) {
    for job in &mut activation.jobs {
        if let Some(failure) = job.variant.as_mut().and_then(failure_of) {
            restore(failure);
        }
    }
}

fn failure_of(job: &mut Job) -> Option<&mut Failure> {
    match job {
        Job::InitializeWorkflow(it) => it.continued_failure.as_mut(),
        Job::ResolveActivity(it) => match it.result.as_mut()?.status.as_mut()? {
            activity_resolution::Status::Failed(it) => it.failure.as_mut(),
            activity_resolution::Status::Cancelled(it) => it.failure.as_mut(),
            _ => None,
        },
        Job::ResolveChildWorkflowExecutionStart(it) => match it.status.as_mut()? {
            resolve_child_workflow_execution_start::Status::Cancelled(it) => it.failure.as_mut(),
            _ => None,
        },
        Job::ResolveChildWorkflowExecution(it) => match it.result.as_mut()?.status.as_mut()? {
            child_workflow_result::Status::Failed(it) => it.failure.as_mut(),
            child_workflow_result::Status::Cancelled(it) => it.failure.as_mut(),
            child_workflow_result::Status::Completed(_) => None,
        },
        Job::ResolveSignalExternalWorkflow(it) => it.failure.as_mut(),
        Job::ResolveRequestCancelExternalWorkflow(it) => it.failure.as_mut(),
        _ => None,
    }
}
