//! Messages on their way between Temporal and the host.

use std::{collections::HashMap, future::ready};

use futures_util::{FutureExt as _, future::BoxFuture};
use prost::Message as _;
use temporalio_common::{
    data_converters::PayloadConversionError,
    payload_visitor::{AsyncPayloadVisitor, PayloadField, PayloadFieldData, PayloadVisitable},
};
use temporalio_protos::{
    coresdk::{
        activity_result::{ActivityExecutionResult, activity_execution_result},
        workflow_activation::WorkflowActivation,
        workflow_commands::workflow_command::Variant as Command,
        workflow_completion::{
            WorkflowActivationCompletion, workflow_activation_completion::Status,
        },
    },
    temporal::api::common::v1::Payload,
};
use tenterhook_domain::{
    Code, Error, Result,
    context::HEADER,
    payload_key::{PAYLOAD_KEY_PREFIX, PayloadRing},
};

use super::words;

/// What Temporal's own samples of codecs call it, so that its tools know such a payload.
const ENCODING: &str = "encoding";
const ENCRYPTED: &[u8] = b"binary/encrypted";
const KEY: &str = "encryption-key-id";
/// Where a field's path has this, the server has to read it.
const READ_BY_SERVER: &str = "SearchAttributes.indexed_fields";

/// True for a payload that a host encrypted.
pub(super) fn is_ours(payload: &Payload) -> bool {
    key_of(payload).is_some()
}

fn key_of(payload: &Payload) -> Option<&str> {
    if payload.metadata.get(ENCODING).map(Vec::as_slice) != Some(ENCRYPTED) {
        return None;
    }
    let key = std::str::from_utf8(payload.metadata.get(KEY)?).ok()?;
    key.starts_with(PAYLOAD_KEY_PREFIX).then_some(key)
}

fn seal_one(ring: &PayloadRing, payload: &mut Payload) -> Result<()> {
    let sealed = ring.seal(&payload.encode_to_vec())?;
    *payload = Payload {
        metadata: HashMap::from([
            (ENCODING.to_owned(), ENCRYPTED.to_vec()),
            (KEY.to_owned(), sealed.key.into_bytes()),
        ]),
        data: sealed.data,
        ..Default::default()
    };
    Ok(())
}

fn open_one(ring: &PayloadRing, payload: &mut Payload) -> Result<()> {
    let Some(key) = key_of(payload) else {
        return Ok(());
    };
    let plain = ring.open(key, &payload.data)?;
    *payload = Payload::decode(plain.as_slice()).map_err(|_| ring.unreadable())?;
    Ok(())
}

/// Seals the payloads of a message, where the tenant's are encrypted.
///
/// # Errors
/// `payload-key-gone` after the tenant's keys were deleted.
pub(crate) fn seal(ring: &PayloadRing, message: &mut impl PayloadVisitable) -> Result<()> {
    let plain = ring.leaves_plain()?;
    if plain && !ring.has_keys() {
        return Ok(());
    }
    // What only looks as if it were sealed is sealed in any case: whoever wrote it must not have it opened when it
    // comes back.
    visit(message, |payload| match plain && !is_ours(payload) {
        true => Ok(()),
        false => seal_one(ring, payload),
    })
}

/// Opens the payloads of a message.
///
/// # Errors
/// `payload-key-gone`, `payload-unreadable`.
pub(crate) fn open(ring: &PayloadRing, message: &mut impl PayloadVisitable) -> Result<()> {
    visit(message, |payload| open_one(ring, payload))
}

/// Opens those that can be opened: for descriptions, which are worth something without them.
pub(crate) fn open_what_opens(ring: &PayloadRing, message: &mut impl PayloadVisitable) {
    // It refuses nothing, so neither does the visit.
    let _ = visit(message, |payload| {
        let _ = open_one(ring, payload);
        Ok(())
    });
}

/// Opens an activation, the words of its failures too.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_activation(
    ring: &PayloadRing,
    activation: &mut WorkflowActivation,
) -> Result<()> {
    open(ring, activation)?;
    words::restore_all(activation);
    Ok(())
}

/// Seals a completion, the words of its failures too.
///
/// # Errors
/// As [`seal`].
pub(crate) fn seal_completion(
    ring: &PayloadRing,
    completion: &mut WorkflowActivationCompletion,
) -> Result<()> {
    if !ring.leaves_plain()? {
        words::hide_all(completion);
    }
    let contexts = take_contexts(completion);
    let sealed = seal(ring, completion);
    for (at, context) in contexts {
        if let Some(headers) = commands(completion).nth(at).and_then(headers) {
            headers.insert(HEADER.to_owned(), context);
        }
    }
    sealed
}

/// Seals what came of an attempt, the words of its failure too.
///
/// # Errors
/// As [`seal`].
pub(crate) fn seal_result(
    ring: &PayloadRing,
    status: activity_execution_result::Status,
) -> Result<activity_execution_result::Status> {
    let mut status = status;
    if !ring.leaves_plain()? {
        words::hide_of_attempt(&mut status);
    }
    let mut result = ActivityExecutionResult {
        status: Some(status),
    };
    seal(ring, &mut result)?;
    result.status.ok_or_else(never)
}

fn commands(
    completion: &mut WorkflowActivationCompletion,
) -> impl Iterator<Item = &mut Option<Command>> {
    let commands = match &mut completion.status {
        Some(Status::Successful(success)) => success.commands.as_mut_slice(),
        _ => &mut [],
    };
    commands.iter_mut().map(|command| &mut command.variant)
}

fn headers(command: &mut Option<Command>) -> Option<&mut HashMap<String, Payload>> {
    match command.as_mut()? {
        Command::ScheduleActivity(it) => Some(&mut it.headers),
        Command::ScheduleLocalActivity(it) => Some(&mut it.headers),
        Command::StartChildWorkflowExecution(it) => Some(&mut it.headers),
        Command::ContinueAsNewWorkflowExecution(it) => Some(&mut it.headers),
        Command::SignalExternalWorkflowExecution(it) => Some(&mut it.headers),
        _ => None,
    }
}

/// Takes the host's own headers out, each with the place of its command.
fn take_contexts(completion: &mut WorkflowActivationCompletion) -> Vec<(usize, Payload)> {
    commands(completion)
        .enumerate()
        .filter_map(|(at, command)| Some((at, headers(command)?.remove(HEADER)?)))
        .collect()
}

/// Does `each` to all payloads of `message` that no server reads, until one is refused.
fn visit(
    message: &mut impl PayloadVisitable,
    each: impl FnMut(&mut Payload) -> Result<()> + Send,
) -> Result<()> {
    let mut visitor = Visitor {
        each,
        refused: None,
    };
    // The visitor is never pending, so neither is the visit.
    let visited = message.visit_payloads_mut(&mut visitor).now_or_never();
    match (visitor.refused, visited) {
        (Some(error), _) => Err(error),
        (None, Some(Ok(()))) => Ok(()),
        (None, _) => Err(never()),
    }
}

fn never() -> Error {
    Error::new(Code::Internal, "a message's payloads could not be visited")
}

struct Visitor<F> {
    each: F,
    refused: Option<Error>,
}

impl<F: FnMut(&mut Payload) -> Result<()> + Send> AsyncPayloadVisitor for Visitor<F> {
    fn visit<'a>(
        &'a mut self,
        field: PayloadField<'a>,
    ) -> BoxFuture<'a, Result<(), PayloadConversionError>> {
        if field.path.contains(READ_BY_SERVER) {
            return Box::pin(ready(Ok(())));
        }
        let visited = match field.data {
            PayloadFieldData::Single(payload) => (self.each)(payload),
            PayloadFieldData::Repeated(payloads) => {
                payloads.iter_mut().try_for_each(&mut self.each)
            }
            PayloadFieldData::Payloads(payloads) => {
                payloads.payloads.iter_mut().try_for_each(&mut self.each)
            }
        };
        Box::pin(ready(visited.map_err(|error| {
            self.refused = Some(error);
            PayloadConversionError::WrongEncoding
        })))
    }
}
