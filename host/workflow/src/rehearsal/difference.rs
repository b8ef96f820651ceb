//! Where two runs part, in words.

use temporalio_protos::{
    coresdk::workflow_commands::{WorkflowCommand, workflow_command::Variant as Command},
    temporal::api::common::v1::Payload,
};

use super::Outcome;
use crate::outbound;

/// Longest rendering of one command's contents, in characters.
const CONTENTS_CHARS_MAX: usize = 200;

/// The number of the first command that is another, counted from 0.
pub(crate) fn place(once: &[WorkflowCommand], again: &[WorkflowCommand]) -> Option<usize> {
    let shorter = once.len().min(again.len());
    let differs = once
        .iter()
        .zip(again)
        .position(|(once, again)| once != again);
    differs.or_else(|| (once.len() != again.len()).then_some(shorter))
}

/// The first place where the repetition is not what was done `once`.
pub(super) fn in_words(once: &[WorkflowCommand], again: &Outcome) -> Option<String> {
    let again = match again {
        Ok(again) => again,
        Err(failure) => {
            return Some(format!(
                "the task fails only when it is repeated: {}",
                failure.message
            ));
        }
    };
    let place = place(once, again)?;
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
    match command {
        Command::ScheduleActivity(it) => {
            format!("{}({})", titled(command), payloads(&it.arguments))
        }
        Command::ScheduleLocalActivity(it) => {
            format!("{}({})", titled(command), payloads(&it.arguments))
        }
        Command::StartChildWorkflowExecution(it) => format!(
            "{} {} {}({})",
            outbound::name(command),
            it.workflow_id,
            it.workflow_type,
            payloads(&it.input)
        ),
        Command::CompleteWorkflowExecution(it) => {
            format!("{} {}", titled(command), payloads(it.result.as_slice()))
        }
        Command::FailWorkflowExecution(it) => {
            let message = it.failure.as_ref().map(|failure| failure.message.as_str());
            let message = cut(message.unwrap_or_default());
            format!("{} {message:?}", titled(command))
        }
        _ => titled(command),
    }
}

/// The kind of a command and the names and times in it that its author chose: nothing of what payloads say.
pub(crate) fn title(command: &WorkflowCommand) -> String {
    let variant = command.variant.as_ref();
    variant.map_or_else(|| "missing".to_owned(), titled)
}

fn titled(command: &Command) -> String {
    let kind = outbound::name(command);
    let name = match command {
        Command::StartTimer(it) => {
            let time = it.start_to_fire_timeout.unwrap_or_default();
            return format!("{kind} {}.{:03} s", time.seconds, time.nanos / 1_000_000);
        }
        Command::SetPatchMarker(it) => return format!("{kind} {:?}", cut(&it.patch_id)),
        Command::ScheduleActivity(it) => &it.activity_type,
        Command::ScheduleLocalActivity(it) => &it.activity_type,
        Command::StartChildWorkflowExecution(it) => &it.workflow_type,
        _ => return kind.to_owned(),
    };
    // A repetition's commands were not looked at by the firewall.
    let name = cut(name).replace(char::is_control, "\u{fffd}");
    format!("{kind} {name}")
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
