//! `workflow`: executions, started, looked at and talked to.

mod outcome;
pub(crate) mod start;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::start::StartArguments;
use super::page::{self, PageArguments};
use crate::{
    client::{Call, Client},
    column::{Column, Field, text},
    duration,
    failure::Result,
    input,
    output::Console,
};

const COLUMNS: &[Column] = &[
    Column::new("ID", "/id"),
    Column::new("TYPE", "/type"),
    Column::new("STATUS", "/status"),
    Column::short("RELEASE", "/digest"),
    Column::time("STARTED", "/started_at"),
    Column::time("CLOSED", "/closed_at"),
];
const FIELDS: &[Field] = &[
    Field::new("Id", "/id"),
    Field::new("Run", "/run_id"),
    Field::new("Type", "/type"),
    Field::new("Status", "/status"),
    Field::new("Release", "/digest"),
    Field::time("Started", "/started_at"),
    Field::time("Closed", "/closed_at"),
    Field::new("Events", "/history_length"),
    Field::count("Pending activities", "/pending_activities"),
    Field::new("Task fails", "/task_failure/message"),
];
const PENDING_COLUMNS: &[Column] = &[
    Column::new("ACTIVITY", "/id"),
    Column::new("TYPE", "/type"),
    Column::new("ATTEMPT", "/attempt"),
    Column::new("LAST FAILURE", "/last_failure/message"),
];
const EVENT_COLUMNS: &[Column] = &[
    Column::new("EVENT", "/id"),
    Column::time("TIME", "/time"),
    Column::new("TYPE", "/type"),
    Column::new("NAME", "/name"),
    Column::new("ATTEMPT", "/attempt"),
    Column::new("FAILURE", "/failure"),
];

/// `workflow …`.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkflowCommand {
    /// Start an execution
    Start(StartArguments),
    /// Show an execution
    Show {
        /// The execution's id
        id: String,
    },
    /// Show how an execution ended; exits with 1 unless it completed
    Result {
        /// The execution's id
        id: String,
        /// Wait so long for its end
        #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
        wait: Option<Duration>,
    },
    /// Show an execution's history in short
    History {
        /// The execution's id
        id: String,
        /// Most events to show
        #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        /// Only events after this number
        #[arg(long, value_name = "EVENT")]
        after: Option<u64>,
    },
    /// List executions, newest first
    List {
        /// Only those that no release is written down for: begun without this host, or without a first task yet
        #[arg(long)]
        unpinned: bool,
        #[command(flatten)]
        page: PageArguments,
    },
    /// Send a signal; the execution handles it when it comes to it
    Signal(MessageArguments),
    /// Ask a query and show the answer
    Query(MessageArguments),
    /// Send an update and show what it answers when it is done
    Update {
        #[command(flatten)]
        message: MessageArguments,
        /// How long the answer may take
        #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration::parse)]
        timeout: Duration,
    },
    /// Ask an execution to end; it may clean up first
    Cancel(EndArguments),
    /// End an execution by force, without a chance to clean up
    Terminate(EndArguments),
}

/// A message to an execution.
#[derive(Debug, Args)]
pub(crate) struct MessageArguments {
    /// The execution's id
    id: String,
    /// The message's name
    name: String,
    /// Its input: a JSON value, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-")]
    input: Option<String>,
}

/// The end of an execution.
#[derive(Debug, Args)]
pub(crate) struct EndArguments {
    /// The execution's id
    id: String,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl WorkflowCommand {
    /// Does it, for the scope at `scope`.
    pub(crate) async fn run(
        &self,
        client: &Client,
        scope: &[&str],
        console: &Console,
    ) -> Result<()> {
        match self {
            Self::Start(arguments) => arguments.run(client, scope, console).await,
            Self::Show { id } => show(client, &path(scope, &[id]), console).await,
            Self::Result { id, wait } => {
                let outcome = outcome::fetch(client, scope, id, wait.unwrap_or_default()).await?;
                outcome::show(&outcome, console)?;
                outcome::require_completed(&outcome)
            }
            Self::History { id, limit, after } => {
                let call = Call::get(path(scope, &[id, "history"]))
                    .query("limit", Some(*limit))
                    .query("after", *after);
                let history = client.call(call).await?;
                console.list(&history, EVENT_COLUMNS)?;
                page::tell_next(&history, "--after", console);
                Ok(())
            }
            Self::List { unpinned, page } => {
                let call = Call::get(path(scope, &[])).query("unpinned", unpinned.then_some(true));
                let executions = client.call(page.of(call)).await?;
                console.list(&executions, COLUMNS)?;
                page::tell_next(&executions, "--cursor", console);
                Ok(())
            }
            Self::Signal(message) => {
                client.call(message.call(scope, "signals")?).await?;
                console.note(&format!(
                    "signal {} is sent to {}",
                    message.name, message.id
                ));
                Ok(())
            }
            Self::Query(message) => answer(
                &client.call(message.call(scope, "queries")?).await?,
                console,
            ),
            Self::Update { message, timeout } => {
                let call = message.call(scope, "updates")?.timeout(*timeout);
                answer(&client.call(call).await?, console)
            }
            Self::Cancel(end) => {
                client.call(end.call(scope, "cancel")).await?;
                console.note(&format!("{} is asked to end", end.id));
                Ok(())
            }
            Self::Terminate(end) => {
                client.call(end.call(scope, "terminate")).await?;
                console.note(&format!("{} is terminated", end.id));
                Ok(())
            }
        }
    }
}

impl MessageArguments {
    fn call(&self, scope: &[&str], kind: &str) -> Result<Call> {
        let body = match &self.input {
            Some(input) => json!({"input": input::json(input)?}),
            None => json!({}),
        };
        Ok(Call::post(path(scope, &[&self.id, kind, &self.name])).json(body))
    }
}

impl EndArguments {
    fn call(&self, scope: &[&str], kind: &str) -> Call {
        let body = match &self.reason {
            Some(reason) => json!({"reason": reason}),
            None => json!({}),
        };
        Call::post(path(scope, &[&self.id, kind])).json(body)
    }
}

/// The path of something below the scope's workflows.
fn path<'a>(scope: &[&'a str], below: &[&'a str]) -> Vec<&'a str> {
    [scope, &["workflows"], below].concat()
}

async fn show(client: &Client, path: &[&str], console: &Console) -> Result<()> {
    let execution = client.call(Call::get(path)).await?;
    console.record(&execution, FIELDS)?;
    match execution.get("pending_activities") {
        Some(Value::Array(pending)) if !pending.is_empty() && console.is_table() => {
            console.list(&Value::Array(pending.clone()), PENDING_COLUMNS)
        }
        _ => Ok(()),
    }
}

/// Writes what a query or update answered: its result alone, as JSON unless it is text.
fn answer(answer: &Value, console: &Console) -> Result<()> {
    let result = answer.get("result").unwrap_or(&Value::Null);
    console.value(answer, &text(result))
}
