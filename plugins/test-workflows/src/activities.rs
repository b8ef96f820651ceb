//! Small activities, one for each thing that an activity can do.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use tenterhook_sdk::{ActivityContext, ActivityError, activity, config, http, info, payload, warn};

/// How often [`WaitForCancel`] heartbeats.
const HEARTBEAT_EVERY: Duration = Duration::from_millis(50);

/// What [`Fail`] fails with.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Failing {
    /// The failure's type.
    pub(crate) kind: String,
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) non_retryable: bool,
    #[serde(default)]
    pub(crate) benign: bool,
    #[serde(default)]
    pub(crate) next_retry_delay_ms: Option<u64>,
    #[serde(default)]
    pub(crate) details: Vec<Value>,
    /// `type: message`, the nearest first.
    #[serde(default)]
    pub(crate) causes: Vec<String>,
    /// From this attempt on it succeeds.
    #[serde(default)]
    pub(crate) succeeds_at: Option<u32>,
}

/// What [`Count`] counts.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    /// Counts up to this, a heartbeat each.
    pub(crate) to: u32,
    /// Fails, retryably, when the first attempt comes here.
    #[serde(default)]
    pub(crate) fails_at: Option<u32>,
}

/// What [`Count`] tells.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    /// Where the last attempt began: what the attempt before had kept by heartbeat.
    pub(crate) resumed_from: u32,
    pub(crate) attempt: u32,
}

/// What an attempt knows of itself.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) activity_id: String,
    pub(crate) workflow_id: String,
    pub(crate) run_id: String,
    pub(crate) workflow_type: String,
    pub(crate) tenant: String,
    pub(crate) environment: String,
    pub(crate) plugin: String,
    pub(crate) attempt: u32,
    pub(crate) idempotency_key: String,
    pub(crate) local: bool,
    /// Milliseconds until the deadline.
    pub(crate) remaining_ms: u64,
    pub(crate) heartbeat_timeout_ms: Option<u64>,
}

/// A request that [`Fetch`] makes.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Fetching {
    /// The whole URL; without it the configuration key `fetch_url`.
    #[serde(default)]
    pub(crate) url: Option<String>,
    /// How long to wait for the answer.
    #[serde(default)]
    pub(crate) answer_timeout_ms: Option<u64>,
    /// Headers to send, beside those that it always has.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// Posts this instead of reading.
    #[serde(default)]
    pub(crate) post: Option<String>,
    /// A header of the answer to tell.
    #[serde(default)]
    pub(crate) tell: String,
    /// Fails after the answer came.
    #[serde(default)]
    pub(crate) fails: bool,
}

/// What [`Fetch`] got.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) status: u16,
    pub(crate) bytes: usize,
    /// The beginning of the body.
    pub(crate) text: String,
    /// The header that was asked for.
    pub(crate) told: Option<String>,
}

/// Answers with its input.
#[activity]
pub(crate) fn echo(_: &ActivityContext, input: Value) -> Result<Value, ActivityError> {
    Ok(input)
}

/// Fails as its input says.
#[activity]
pub(crate) fn fail(ctx: &ActivityContext, input: Failing) -> Result<u32, ActivityError> {
    if input.succeeds_at.is_some_and(|at| ctx.attempt() >= at) {
        return Ok(ctx.attempt());
    }
    let mut error = ActivityError::custom(input.kind, input.message);
    if input.non_retryable {
        error = error.non_retryable();
    }
    if input.benign {
        error = error.benign();
    }
    if let Some(millis) = input.next_retry_delay_ms {
        error = error.retry_after(Duration::from_millis(millis));
    }
    for detail in &input.details {
        error = error.with_detail(detail);
    }
    let chain = input.causes.into_iter().rev().fold(None, |behind, cause| {
        let (kind, message) = cause.split_once(": ").unwrap_or(("Error", &cause));
        let link = ActivityError::custom(kind.to_owned(), message);
        Some(match behind {
            Some(behind) => link.caused_by(behind),
            None => link,
        })
    });
    Err(match chain {
        Some(cause) => error.caused_by(cause),
        None => error,
    })
}

/// Counts with heartbeats, and goes on where the attempt before stopped.
#[activity]
pub(crate) fn count(ctx: &ActivityContext, input: Counting) -> Result<Counted, ActivityError> {
    let resumed_from = ctx.heartbeat_details::<u32>()?.unwrap_or(0);
    for number in resumed_from + 1..=input.to {
        if ctx.attempt() == 1 && input.fails_at == Some(number) {
            return Err(ActivityError::external_service(format!(
                "stopped at {number}"
            )));
        }
        ctx.heartbeat(&number)?;
    }
    Ok(Counted {
        resumed_from,
        attempt: ctx.attempt(),
    })
}

/// Heartbeats until it is cancelled.
///
/// Heartbeats until it is cancelled, or until the given milliseconds are over.
#[activity]
pub(crate) fn wait_for_cancel(ctx: &ActivityContext, millis: u64) -> Result<String, ActivityError> {
    let mut waited = Duration::ZERO;
    while waited < Duration::from_millis(millis) {
        let elapsed = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        ctx.heartbeat(&elapsed)?;
        ctx.check_cancelled()?;
        std::thread::sleep(HEARTBEAT_EVERY);
        waited += HEARTBEAT_EVERY;
    }
    Ok("nobody cancelled".to_owned())
}

/// Tells what an attempt knows of itself.
#[activity]
pub(crate) fn task_facts(ctx: &ActivityContext, _input: ()) -> Result<Facts, ActivityError> {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let info = ctx.info();
    Ok(Facts {
        activity_id: info.activity_id.clone(),
        workflow_id: info.workflow_id.clone(),
        run_id: info.run_id.clone(),
        workflow_type: info.workflow_type.clone(),
        tenant: info.tenant.clone(),
        environment: info.environment.clone(),
        plugin: info.plugin.clone(),
        attempt: info.attempt,
        idempotency_key: info.idempotency_key.clone(),
        local: info.local,
        remaining_ms: millis(ctx.remaining()),
        heartbeat_timeout_ms: info.heartbeat_timeout.map(millis),
    })
}

/// Makes an HTTP request.
#[activity]
pub(crate) fn fetch(ctx: &ActivityContext, input: Fetching) -> Result<Fetched, ActivityError> {
    let url = match input.url {
        Some(url) => url,
        None => config::require("fetch_url")?,
    };
    let mut request = match input.post {
        Some(body) => http::post(&url).body("text/plain", body.into_bytes()),
        None => http::get(&url),
    }
    .idempotency_key(ctx.idempotency_key());
    for (name, value) in &input.headers {
        request = request.header(name, value);
    }
    if let Some(millis) = input.answer_timeout_ms {
        request = request.answer_timeout(Duration::from_millis(millis));
    }
    let response = request.send()?.ok()?;
    let text = String::from_utf8_lossy(response.body());
    info!("{url} answered {text}");
    if input.fails {
        return Err(ActivityError::external_service(text));
    }
    Ok(Fetched {
        status: response.status(),
        bytes: response.body().len(),
        text: text.chars().take(4_000).collect(),
        told: response.header(&input.tell).map(str::to_owned),
    })
}

/// Reads a configuration key.
#[activity]
pub(crate) fn read_config(
    _: &ActivityContext,
    key: String,
) -> Result<Option<String>, ActivityError> {
    config::get(&key)
}

/// Writes to the plugin's log.
#[activity]
pub(crate) fn write_log(_: &ActivityContext, text: String) -> Result<(), ActivityError> {
    info!("{text}");
    warn!("{text}");
    Ok(())
}
