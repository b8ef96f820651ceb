//! `workflow start`.

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::outcome;
use crate::{
    client::{Call, Client},
    column::Field,
    duration,
    failure::{Failure, Result, code},
    input,
    output::Console,
};

const FIELDS: &[Field] = &[Field::new("Id", "/id"), Field::new("Run", "/run_id")];

/// `workflow start TYPE`.
#[derive(Debug, Args)]
pub(crate) struct StartArguments {
    /// The workflow type: plugin.Name
    #[arg(value_name = "TYPE")]
    workflow_type: String,
    /// The execution's id, unique among open ones [default: one that the host makes]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Its input: a JSON value, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-")]
    input: Option<String>,
    /// Wait so long for its end and show how it ended; exits with 1 where it ended without a result
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    wait: Option<Duration>,
    /// How long the whole execution may take
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    execution_timeout: Option<Duration>,
    /// How long one run of it may take
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    run_timeout: Option<Duration>,
    /// How long one workflow task may take
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    task_timeout: Option<Duration>,
    /// Begin so much later
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    start_delay: Option<Duration>,
    /// A note kept with the execution; once for each
    #[arg(long, value_name = "KEY=JSON")]
    memo: Vec<String>,
    /// What to do when a closed execution has the id [default: allow-duplicate]
    #[arg(long, value_enum, value_name = "POLICY")]
    reuse: Option<Reuse>,
}

/// What to do when a closed execution has the id.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Reuse {
    /// Start another
    AllowDuplicate,
    /// Start another only if the last one failed
    AllowDuplicateFailedOnly,
    /// Refuse
    RejectDuplicate,
}

impl StartArguments {
    /// Starts it and shows what it is, or how it ended.
    pub(super) async fn run(
        &self,
        client: &Client,
        scope: &[&str],
        console: &Console,
    ) -> Result<()> {
        let body = Value::Object(self.body()?);
        let until = Instant::now() + self.wait.unwrap_or_default();
        let first_wait = self.wait.map(|wait| wait.min(outcome::WAIT_MAX));
        let started = client
            .call(
                Call::post(super::path(scope, &[]))
                    .json(body)
                    .wait(first_wait),
            )
            .await?;
        let Some(id) = started.get("id").and_then(Value::as_str) else {
            return Err(Failure::new(
                code::ANSWER_INVALID,
                "the host's answer has no id",
            ));
        };
        if self.wait.is_none() {
            return console.record(&started, FIELDS);
        }
        let ended = outcome::is_over(&started);
        let rest = until.saturating_duration_since(Instant::now());
        if !ended && rest.is_zero() {
            console.note(&format!(
                "{id} goes on: `tenterhook workflow result {id} --wait 60s` waits for it"
            ));
            return console.record(&started, FIELDS);
        }
        let outcome = if ended {
            started
        } else {
            outcome::fetch(client, scope, id, rest).await?
        };
        outcome::show(&outcome, console)?;
        if outcome::is_over(&outcome) {
            outcome::require_completed(&outcome)
        } else {
            Ok(())
        }
    }

    fn body(&self) -> Result<Map<String, Value>> {
        let mut body = Map::new();
        body.insert("type".into(), self.workflow_type.clone().into());
        if let Some(id) = &self.id {
            body.insert("id".into(), id.clone().into());
        }
        if let Some(input) = &self.input {
            body.insert("input".into(), input::json(input)?);
        }
        let durations = [
            ("execution_timeout", self.execution_timeout),
            ("run_timeout", self.run_timeout),
            ("task_timeout", self.task_timeout),
            ("start_delay", self.start_delay),
        ];
        for (key, value) in durations {
            if let Some(value) = value {
                body.insert(key.into(), duration::write(value).into());
            }
        }
        if !self.memo.is_empty() {
            body.insert(
                "memo".into(),
                Value::Object(
                    self.memo
                        .iter()
                        .map(|text| memo(text))
                        .collect::<Result<_>>()?,
                ),
            );
        }
        if let Some(reuse) = self.reuse {
            let policy = match reuse {
                Reuse::AllowDuplicate => "allow_duplicate",
                Reuse::AllowDuplicateFailedOnly => "allow_duplicate_failed_only",
                Reuse::RejectDuplicate => "reject_duplicate",
            };
            body.insert("reuse".into(), policy.into());
        }
        Ok(body)
    }
}

/// A note kept with an execution, as it is given on the command line.
pub(crate) fn memo(text: &str) -> Result<(String, Value)> {
    let pair = text
        .split_once('=')
        .and_then(|(key, value)| Some((key.to_owned(), serde_json::from_str(value).ok()?)));
    pair.ok_or_else(|| {
        Failure::usage(format!("{text:?} is no memo"))
            .with_hint("write KEY=JSON, as in --memo 'order=\"o-1\"'")
    })
}
