//! The reminder service, and the mail that reminds.

use serde::{Deserialize, Serialize};
use tenterhook_sdk::http::{Method, encode_segment};
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload, time};

use crate::model::NAME_CHARS_MAX;
use crate::provider;

const URL_KEY: &str = "reminders_url";

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ReminderRef {
    pub(crate) reminder_id: String,
}

/// Whether a reminder is to be sent, and what it says.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Validated {
    /// Why it is not to be sent, where it is not.
    pub(crate) unwanted: Option<String>,
    pub(crate) message: Message,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) user_id: String,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) body: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) message_id: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct SentRequest {
    pub(crate) reminder_id: String,
    /// RFC 3339.
    pub(crate) sent_at: String,
}

/// A reminder as the service has it.
#[derive(Deserialize)]
struct Record {
    wanted: bool,
    sent_at: Option<String>,
    #[serde(flatten)]
    message: Message,
}

#[derive(Serialize)]
struct SentBody<'a> {
    sent_at: &'a str,
}

/// Asks whether a reminder is still wanted. One that does not exist is `NotFound`.
#[activity(timeout = Short, retry = Network)]
pub(crate) fn validate_reminder(
    ctx: &ActivityContext,
    input: ReminderRef,
) -> Result<Validated, ActivityError> {
    let path = path(&input.reminder_id)?;
    let record: Record = provider::request(ctx, URL_KEY, Method::Get, &path)?
        .send()?
        .ok()?
        .json()?;
    let unwanted = match (&record.sent_at, record.wanted) {
        (Some(at), _) => Some(format!("it was sent at {at}")),
        (None, false) => Some("it is no longer wanted".to_owned()),
        (None, true) => None,
    };
    info!(
        "reminder {} is {}",
        input.reminder_id,
        unwanted.as_deref().unwrap_or("wanted")
    );
    Ok(Validated {
        unwanted,
        message: record.message,
    })
}

/// Sends a reminder by mail.
#[activity(timeout = Short, retry = ExternalService)]
pub(crate) fn send_reminder(ctx: &ActivityContext, input: Message) -> Result<Sent, ActivityError> {
    let mut findings = Findings::default();
    findings.text("to", &input.to, NAME_CHARS_MAX);
    findings.text("subject", &input.subject, NAME_CHARS_MAX);
    findings.check(!input.body.is_empty(), "body is empty");
    findings.verdict("the reminder cannot be sent")?;
    let sent: Sent = provider::request(ctx, "mail_url", Method::Post, "messages")?
        .json(&input)?
        .send()?
        .ok()?
        .json()?;
    info!("user {} is reminded by {}", input.user_id, sent.message_id);
    Ok(sent)
}

/// Marks a reminder as sent. One that somebody else has marked is a `Conflict`.
#[activity(timeout = Short, retry = Forever)]
pub(crate) fn mark_reminder_sent(
    ctx: &ActivityContext,
    input: SentRequest,
) -> Result<(), ActivityError> {
    time::parse("sent_at", &input.sent_at)?;
    let path = format!("{}/sent", path(&input.reminder_id)?);
    let body = SentBody {
        sent_at: &input.sent_at,
    };
    provider::request(ctx, URL_KEY, Method::Put, &path)?
        .json(&body)?
        .send()?
        .ok()?;
    info!("reminder {} is marked as sent", input.reminder_id);
    Ok(())
}

fn path(reminder_id: &str) -> Result<String, ActivityError> {
    let mut findings = Findings::default();
    findings.text("reminder_id", reminder_id, NAME_CHARS_MAX);
    findings.verdict("the reminder cannot be asked for")?;
    Ok(format!("reminders/{}", encode_segment(reminder_id)))
}
