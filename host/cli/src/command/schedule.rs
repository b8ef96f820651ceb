//! `schedule`: executions that are started by themselves, at stated times.

mod put;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use self::put::PutArguments;
use super::page::{self, PageArguments};
use crate::{
    client::{Call, Client},
    column::{Column, Field},
    failure::Result,
    output::Console,
};

const COLUMNS: &[Column] = &[
    Column::new("ID", "/id"),
    Column::new("TYPE", "/type"),
    Column::new("PAUSED", "/paused"),
    Column::time("NEXT", "/next"),
    Column::time("LAST", "/last/at"),
    Column::new("LAST STATUS", "/last/status"),
    Column::new("NOTE", "/note"),
];
const FIELDS: &[Field] = &[
    Field::new("Id", "/id"),
    Field::new("Type", "/schedule/action/type"),
    Field::new("Cron", "/schedule/cron"),
    Field::new("Intervals", "/schedule/intervals"),
    Field::new("Calendars", "/schedule/calendars"),
    Field::new("Time zone", "/schedule/time_zone"),
    Field::new("Jitter", "/schedule/jitter"),
    Field::new("Overlap", "/schedule/overlap"),
    Field::new("Catch-up", "/schedule/catch_up"),
    Field::new("Paused", "/schedule/paused"),
    Field::new("Note", "/schedule/note"),
    Field::new("Starts left", "/schedule/remaining_starts"),
    Field::time("Next", "/next/0"),
    Field::new("Started", "/started"),
    Field::new("Skipped", "/skipped"),
    Field::new("Missed", "/missed"),
    Field::new("Running", "/running"),
];
const START_COLUMNS: &[Column] = &[
    Column::time("TIME", "/at"),
    Column::new("EXECUTION", "/id"),
    Column::new("STATUS", "/status"),
];

/// `schedule …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Make or replace a schedule
    Put(Box<PutArguments>),
    /// Show a schedule: what it starts and when, and what it started last
    Show {
        /// The schedule's id
        id: String,
    },
    /// List schedules; a new one is listed within seconds
    List {
        #[command(flatten)]
        page: PageArguments,
    },
    /// Have a schedule start nothing by itself
    Pause(NoteArguments),
    /// Let a paused schedule go on
    Resume(NoteArguments),
    /// Start what a schedule starts now, besides its times
    Trigger {
        /// The schedule's id
        id: String,
        /// What happens when the execution of before still runs [default: what the schedule says]
        #[arg(long, value_enum, value_name = "POLICY")]
        overlap: Option<Overlap>,
    },
    /// Make up for past times of a schedule
    Backfill {
        /// The schedule's id
        id: String,
        /// Times after this one: 2026-11-22T04:00:00Z
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: u64,
        /// Times up to this one
        #[arg(long, value_name = "TIME", value_parser = time)]
        to: u64,
        /// What happens when the execution of before still runs [default: what the schedule says]
        #[arg(long, value_enum, value_name = "POLICY")]
        overlap: Option<Overlap>,
    },
    /// Take a schedule away; what it started goes on
    Delete {
        /// The schedule's id
        id: String,
    },
}

/// A schedule, and a note for whoever looks at it.
#[derive(Debug, Args)]
pub(crate) struct NoteArguments {
    /// The schedule's id
    id: String,
    /// Why, for whoever looks at the schedule
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// What happens when the execution of before still runs.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Overlap {
    /// This start is left out
    Skip,
    /// One start waits for the end, others are left out
    BufferOne,
    /// All starts wait, and come one after the other
    BufferAll,
    /// The running one is asked to end, and the start waits for that
    CancelOther,
    /// The running one is ended by force
    TerminateOther,
    /// They run beside each other
    AllowAll,
}

impl Overlap {
    fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::BufferOne => "buffer_one",
            Self::BufferAll => "buffer_all",
            Self::CancelOther => "cancel_other",
            Self::TerminateOther => "terminate_other",
            Self::AllowAll => "allow_all",
        }
    }
}

/// A time as the API reads it, of one with its date and offset.
fn time(text: &str) -> Result<u64, String> {
    let time: Option<Timestamp> = text.parse().ok();
    let millis = time.and_then(|time| u64::try_from(time.as_millisecond()).ok());
    millis.ok_or_else(|| {
        format!("{text:?} is no time: write 2026-11-22T04:00:00Z or 2026-11-22T04:00:00+01:00")
    })
}

impl ScheduleCommand {
    /// Does it, for the scope at `scope`.
    pub(crate) async fn run(
        &self,
        client: &Client,
        scope: &[&str],
        console: &Console,
    ) -> Result<()> {
        match self {
            Self::Put(arguments) => {
                let call = Call::put(path(scope, &[arguments.id()])).json(arguments.body()?);
                show(&client.call(call).await?, console)
            }
            Self::Show { id } => {
                let schedule = client.call(Call::get(path(scope, &[id]))).await?;
                show(&schedule, console)
            }
            Self::List { page } => {
                let schedules = client.call(page.of(Call::get(path(scope, &[])))).await?;
                console.list(&schedules, COLUMNS)?;
                page::tell_next(&schedules, "--cursor", console);
                Ok(())
            }
            Self::Pause(note) => {
                client.call(note.call(scope, "pause")).await?;
                console.note(&format!("{} starts nothing by itself", note.id));
                Ok(())
            }
            Self::Resume(note) => {
                client.call(note.call(scope, "resume")).await?;
                console.note(&format!("{} goes on", note.id));
                Ok(())
            }
            Self::Trigger { id, overlap } => {
                let call = Call::post(path(scope, &[id, "trigger"]));
                client
                    .call(call.json(with_overlap(json!({}), *overlap)))
                    .await?;
                console.note(&format!(
                    "{id} starts one now: `tenterhook schedule show {id}` tells its id"
                ));
                Ok(())
            }
            Self::Backfill {
                id,
                from,
                to,
                overlap,
            } => {
                let range = with_overlap(json!({"from": from, "to": to}), *overlap);
                let call = Call::post(path(scope, &[id, "backfill"]));
                client.call(call.json(range)).await?;
                console.note(&format!("{id} makes up for those times now"));
                Ok(())
            }
            Self::Delete { id } => {
                client.call(Call::delete(path(scope, &[id]))).await?;
                console.note(&format!("{id} is deleted"));
                Ok(())
            }
        }
    }
}

impl NoteArguments {
    fn call(&self, scope: &[&str], what: &str) -> Call {
        let mut body = Map::new();
        body.extend(self.note.clone().map(|note| ("note".into(), note.into())));
        Call::post(path(scope, &[&self.id, what])).json(Value::Object(body))
    }
}

fn with_overlap(mut body: Value, overlap: Option<Overlap>) -> Value {
    if let Some(overlap) = overlap {
        body["overlap"] = overlap.as_str().into();
    }
    body
}

/// The path of something below the scope's schedules.
fn path<'a>(scope: &[&'a str], below: &[&'a str]) -> Vec<&'a str> {
    [scope, &["schedules"], below].concat()
}

fn show(schedule: &Value, console: &Console) -> Result<()> {
    console.record(schedule, FIELDS)?;
    match schedule.get("recent") {
        Some(Value::Array(recent)) if !recent.is_empty() && console.is_table() => {
            console.list(&Value::Array(recent.clone()), START_COLUMNS)
        }
        _ => Ok(()),
    }
}
