//! Payloads the host makes, and the size of those a guest makes.

use prost::Message as _;
use temporalio_protos::{
    coresdk::workflow_commands::{WorkflowCommand, workflow_command::Variant as Command},
    temporal::api::{
        common::v1::{Payload, SearchAttributes},
        sdk::v1::event_group_marker,
    },
};
use tenterhook_domain::Code;

use crate::failure::TaskFailure;

/// Encoded size of all commands of one activation together: what Temporal's server takes in one message.
/// It also bounds what reading them can cost, for a few bytes can stand for a much larger value.
pub(crate) const COMMANDS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// `text` as a JSON string.
pub(crate) fn of_text(text: &str) -> Payload {
    Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data: serde_json::Value::from(text).to_string().into_bytes(),
        ..Default::default()
    }
}

/// The payload that says that there is no value.
pub(crate) fn of_nothing() -> Payload {
    Payload {
        metadata: [("encoding".to_owned(), b"binary/null".to_vec())].into(),
        ..Default::default()
    }
}

/// `text` as a search attribute of type Keyword.
pub(crate) fn of_keyword(text: &str) -> Payload {
    let mut payload = of_text(text);
    payload
        .metadata
        .insert("type".to_owned(), b"Keyword".to_vec());
    payload
}

/// Refuses `command`, encoded in `encoded` bytes, if one of its payloads has more than `limit` bytes.
pub(crate) fn check(
    command: &WorkflowCommand,
    what: &str,
    encoded: usize,
    limit: u64,
) -> Result<(), TaskFailure> {
    let limit_bytes = usize::try_from(limit).unwrap_or(usize::MAX);
    // No payload is larger than the command that holds it.
    if encoded <= limit_bytes {
        return Ok(());
    }
    let largest = largest(command);
    if largest <= limit_bytes {
        return Ok(());
    }
    Err(TaskFailure::too_large(
        &format!("a payload of command {what}"),
        largest,
        limit,
    ))
}

/// Refuses more than `limit` pushed commands, and commands of more than [`COMMANDS_BYTES_MAX`] together, a
/// continue-as-new that ends the run included.
pub(crate) fn check_commands(
    pushed: &[Vec<u8>],
    as_new: Option<&[u8]>,
    limit: u64,
) -> Result<(), TaskFailure> {
    let count = pushed.len();
    if u64::try_from(count).unwrap_or(u64::MAX) > limit {
        return Err(TaskFailure::new(
            Code::GuestTooManyCommands,
            format!(
                "{count} commands in one activation are more than activation_commands = {limit}: start fewer things at once"
            ),
        ));
    }
    let bytes = pushed.iter().map(Vec::len).sum::<usize>() + as_new.map_or(0, <[u8]>::len);
    if bytes > COMMANDS_BYTES_MAX {
        return Err(TaskFailure::new(
            Code::GuestPayloadTooLarge,
            format!(
                "the commands of one activation have {bytes} bytes together, more than the {COMMANDS_BYTES_MAX} that Temporal takes in one message: pass references to large values"
            ),
        ));
    }
    Ok(())
}

/// Encoded size of the largest payload of a command a guest may push or end with.
fn largest(command: &WorkflowCommand) -> usize {
    let mut found: Vec<&Payload> = Vec::new();
    if let Some(metadata) = &command.user_metadata {
        found.extend(&metadata.summary);
        found.extend(&metadata.details);
    }
    for marker in &command.event_group_markers {
        if let Some(event_group_marker::Variant::Label(label)) = &marker.variant {
            found.extend(&label.label);
        }
    }
    match &command.variant {
        Some(Command::ScheduleActivity(it)) => {
            found.extend(&it.arguments);
            found.extend(it.headers.values());
        }
        Some(Command::ScheduleLocalActivity(it)) => {
            found.extend(&it.arguments);
            found.extend(it.headers.values());
        }
        Some(Command::StartChildWorkflowExecution(it)) => {
            found.extend(&it.input);
            found.extend(it.headers.values().chain(it.memo.values()));
            found.extend(values(it.search_attributes.as_ref()));
        }
        Some(Command::ContinueAsNewWorkflowExecution(it)) => {
            found.extend(&it.arguments);
            found.extend(it.headers.values().chain(it.memo.values()));
            found.extend(values(it.search_attributes.as_ref()));
        }
        Some(Command::SignalExternalWorkflowExecution(it)) => {
            found.extend(&it.args);
            found.extend(it.headers.values());
        }
        Some(Command::UpsertWorkflowSearchAttributes(it)) => {
            found.extend(values(it.search_attributes.as_ref()));
        }
        Some(Command::ModifyWorkflowProperties(it)) => {
            let memo = it.upserted_memo.iter();
            found.extend(memo.flat_map(|all| all.fields.values()));
        }
        // Results and failures are measured where they are read; Nexus is refused before this; the rest
        // carries no payload.
        Some(
            Command::RespondToQuery(_)
            | Command::CompleteWorkflowExecution(_)
            | Command::FailWorkflowExecution(_)
            | Command::CancelWorkflowExecution(_)
            | Command::UpdateResponse(_)
            | Command::ScheduleNexusOperation(_)
            | Command::RequestCancelNexusOperation(_)
            | Command::StartTimer(_)
            | Command::CancelTimer(_)
            | Command::RequestCancelActivity(_)
            | Command::RequestCancelLocalActivity(_)
            | Command::CancelChildWorkflowExecution(_)
            | Command::RequestCancelExternalWorkflowExecution(_)
            | Command::CancelSignalWorkflow(_)
            | Command::SetPatchMarker(_),
        )
        | None => {}
    }
    found
        .into_iter()
        .map(Payload::encoded_len)
        .max()
        .unwrap_or(0)
}

fn values(attributes: Option<&SearchAttributes>) -> impl Iterator<Item = &Payload> {
    attributes
        .into_iter()
        .flat_map(|all| all.indexed_fields.values())
}
