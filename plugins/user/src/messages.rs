//! The providers that carry messages: mail, push, and the inbox inside the product.

use serde::Serialize;
use tenterhook_sdk::http::Method;
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload};

use crate::model::{BODY_CHARS_MAX, Channel, NAME_CHARS_MAX};
use crate::provider;

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct MessageRequest {
    pub(crate) user_id: String,
    /// How it goes.
    pub(crate) channel: Channel,
    /// The address, the device, or the user whose inbox it is.
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) body: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) message_id: String,
}

/// What the providers are told.
#[derive(Serialize)]
struct Message<'a> {
    user_id: &'a str,
    to: &'a str,
    subject: &'a str,
    body: &'a str,
}

/// Sends a message by mail. An address that takes none is a `ValidationError`.
#[activity(timeout = Short, retry = ExternalService)]
pub(crate) fn send_email(
    ctx: &ActivityContext,
    input: MessageRequest,
) -> Result<Sent, ActivityError> {
    if input.channel != Channel::Email {
        return Err(ActivityError::validation("channel is not email"));
    }
    send(ctx, "mail_url", &input)
}

/// Sends a message to a device, or into the inbox inside the product. A device that is gone is `NotFound`.
#[activity(timeout = Short, retry = ExternalService)]
pub(crate) fn send_notification(
    ctx: &ActivityContext,
    input: MessageRequest,
) -> Result<Sent, ActivityError> {
    let url_key = match input.channel {
        Channel::Push => "push_url",
        Channel::InApp => "inbox_url",
        Channel::Email => {
            return Err(ActivityError::validation(
                "channel is email: use SendEmail for that",
            ));
        }
    };
    send(ctx, url_key, &input)
}

fn send(
    ctx: &ActivityContext,
    url_key: &str,
    input: &MessageRequest,
) -> Result<Sent, ActivityError> {
    let mut findings = Findings::default();
    findings.text("user_id", &input.user_id, NAME_CHARS_MAX);
    findings.text("to", &input.to, NAME_CHARS_MAX);
    findings.text("subject", &input.subject, NAME_CHARS_MAX);
    findings.text("body", &input.body, BODY_CHARS_MAX);
    findings.verdict("the message cannot be sent")?;
    let message = Message {
        user_id: &input.user_id,
        to: &input.to,
        subject: &input.subject,
        body: &input.body,
    };
    let sent: Sent = provider::request(ctx, url_key, Method::Post, "messages")?
        .json(&message)?
        .send()?
        .ok()?
        .json()?;
    info!(
        "user {}: {:?} sent as {} (attempt {})",
        input.user_id,
        input.channel,
        sent.message_id,
        ctx.attempt()
    );
    Ok(sent)
}
