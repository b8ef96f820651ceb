//! How an execution ended.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{
    client::{Call, Client},
    column::Field,
    failure::{Failure, Result, code},
    output::Console,
};

/// The longest single wait that a host is asked for; longer ones are made of several.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(20);
/// Most causes of a failure that are told.
const CAUSES_MAX: usize = 16;

const FIELDS: &[Field] = &[
    Field::new("Id", "/id"),
    Field::new("Run", "/run_id"),
    Field::new("Status", "/status"),
    Field::new("Result", "/result"),
];

/// The outcome of the execution `id`, waiting up to `wait` for its end.
pub(super) async fn fetch(
    client: &Client,
    scope: &[&str],
    id: &str,
    wait: Duration,
) -> Result<Value> {
    let until = Instant::now() + wait;
    loop {
        let rest = until.saturating_duration_since(Instant::now());
        let call = Call::get(super::path(scope, &[id, "result"]));
        let step = (!rest.is_zero()).then(|| rest.min(WAIT_MAX));
        let asked = Instant::now();
        let outcome = client.call(call.wait(step)).await?;
        if is_over(&outcome) || until.saturating_duration_since(Instant::now()).is_zero() {
            return Ok(outcome);
        }
        // A host that answers before its time is not asked without pause.
        tokio::time::sleep_until((asked + ASK_EVERY).into()).await;
    }
}

/// How often a host is asked at most.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// True if `outcome` is of an execution that has ended.
pub(super) fn is_over(outcome: &Value) -> bool {
    let status = outcome.get("status").and_then(Value::as_str);
    status.is_some_and(|status| !matches!(status, "running" | "paused"))
}

/// Writes `outcome`; its failure is not data for a table, see [`require_completed`].
pub(super) fn show(outcome: &Value, console: &Console) -> Result<()> {
    console.record(outcome, FIELDS)
}

/// Nothing, if the execution completed.
///
/// # Errors
/// `workflow-running` when it has not ended, `workflow-failed` with its failure when it ended otherwise.
pub(super) fn require_completed(outcome: &Value) -> Result<()> {
    let field = |name: &str| outcome.get(name).and_then(Value::as_str).unwrap_or("?");
    let (id, status) = (field("id"), field("status"));
    if status == "completed" {
        return Ok(());
    }
    if !is_over(outcome) {
        return Err(Failure::new(
            code::WORKFLOW_RUNNING,
            format!("{id} has not ended: it is {status}"),
        )
        .with_hint("--wait DURATION waits for its end"));
    }
    let told: Vec<String> =
        std::iter::successors(outcome.get("failure"), |failure| failure.get("cause"))
            .filter(|failure| failure.is_object())
            .take(CAUSES_MAX)
            .map(sentence)
            .collect();
    let detail = match told.first() {
        Some(first) => format!("{id} is {}: {first}", status.replace('_', " ")),
        None => format!("{id} is {}", status.replace('_', " ")),
    };
    Err(Failure::new(code::WORKFLOW_FAILED, detail)
        .with_causes(told.into_iter().skip(1))
        .with_hint(format!(
            "`tenterhook workflow history {id}` shows how it came to that"
        )))
}

fn sentence(failure: &Value) -> String {
    let field = |name: &str| {
        failure
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    match (field("message"), field("type")) {
        (Some(message), Some(kind)) => format!("{message} ({kind})"),
        (Some(text), None) | (None, Some(text)) => text.to_owned(),
        (None, None) => "no message".to_owned(),
    }
}
