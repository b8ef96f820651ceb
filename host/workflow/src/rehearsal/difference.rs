//! Where two runs part, in words.

use temporalio_protos::{
    coresdk::workflow_commands::{WorkflowCommand, workflow_command::Variant as Command},
    temporal::api::common::v1::Payload,
};

use super::Outcome;
use crate::outbound;

/// Longest rendering of one command's contents, in characters.
const CONTENTS_CHARS_MAX: usize = 200;

/// The first place where the repetition is not what was done `once`.
pub(super) fn between(once: &[WorkflowCommand], again: &Outcome) -> Option<String> {
    let again = match again {
        Ok(again) if again.as_slice() == once => return None,
        Ok(again) => again,
        Err(failure) => {
            return Some(format!(
                "the task fails only when it is repeated: {}",
                failure.message
            ));
        }
    };
    let place = once
        .iter()
        .zip(again)
        .position(|(once, again)| once != again)
        .unwrap_or(once.len().min(again.len()));
    let (first, second) = (short(once.get(place)), short(again.get(place)));
    let (first, second) = if first == second {
        (whole(once.get(place)), whole(again.get(place)))
    } else {
        (first, second)
    };
    Some(format!(
        "command {} is {first} the first time and {second} when it is repeated",
        place + 1
    ))
}

/// The kind of a command and what tells it from others of its kind.
pub(super) fn short(command: Option<&WorkflowCommand>) -> String {
    let Some(command) = command.and_then(|command| command.variant.as_ref()) else {
        return "missing".to_owned();
    };
    let kind = outbound::name(command);
    match command {
        Command::StartTimer(it) => {
            let time = it.start_to_fire_timeout.unwrap_or_default();
            format!("{kind} {}.{:03} s", time.seconds, time.nanos / 1_000_000)
        }
        Command::ScheduleActivity(it) => {
            format!("{kind} {}({})", it.activity_type, payloads(&it.arguments))
        }
        Command::ScheduleLocalActivity(it) => {
            format!("{kind} {}({})", it.activity_type, payloads(&it.arguments))
        }
        Command::StartChildWorkflowExecution(it) => format!(
            "{kind} {} {}({})",
            it.workflow_id,
            it.workflow_type,
            payloads(&it.input)
        ),
        Command::SetPatchMarker(it) => format!("{kind} {:?}", it.patch_id),
        Command::CompleteWorkflowExecution(it) => {
            format!("{kind} {}", payloads(it.result.as_slice()))
        }
        Command::FailWorkflowExecution(it) => {
            let message = it.failure.as_ref().map(|failure| failure.message.as_str());
            format!("{kind} {:?}", cut(message.unwrap_or_default()))
        }
        _ => kind.to_owned(),
    }
}

fn whole(command: Option<&WorkflowCommand>) -> String {
    command.map_or_else(
        || "missing".to_owned(),
        |command| cut(&format!("{:?}", command.variant)),
    )
}

fn payloads(payloads: &[Payload]) -> String {
    let texts: Vec<String> = payloads
        .iter()
        .map(|payload| String::from_utf8_lossy(&payload.data).into_owned())
        .collect();
    cut(&texts.join(", "))
}

fn cut(text: &str) -> String {
    text.chars().take(CONTENTS_CHARS_MAX).collect()
}
