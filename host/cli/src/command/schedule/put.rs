//! `schedule put`.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Overlap, time};
use crate::{command::workflow::start::memo, duration, failure::Result, input};

/// `schedule put ID TYPE`.
#[derive(Debug, Args)]
pub(crate) struct PutArguments {
    /// The schedule's id; what it starts has this id with the time behind
    id: String,
    /// The workflow type: plugin.Name
    #[arg(value_name = "TYPE")]
    workflow_type: String,
    #[command(flatten)]
    times: Times,
    /// The time zone of --cron and --calendar, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "NAME")]
    time_zone: Option<String>,
    /// Spread starts over so long, at random
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    jitter: Option<Duration>,
    /// Start nothing before: 2026-11-22T04:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    starts_at: Option<u64>,
    /// Start nothing after
    #[arg(long, value_name = "TIME", value_parser = time)]
    ends_at: Option<u64>,
    /// What happens when the execution of before still runs [default: skip]
    #[arg(long, value_enum, value_name = "POLICY")]
    overlap: Option<Overlap>,
    /// Make up for a missed start within so long [default: a year]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    catch_up: Option<Duration>,
    /// Pause when an execution fails or times out
    #[arg(long)]
    pause_on_failure: bool,
    /// Start nothing until it is resumed
    #[arg(long)]
    paused: bool,
    /// A note for whoever looks at the schedule
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// So many starts and no more
    #[arg(long, value_name = "COUNT")]
    remaining_starts: Option<u64>,
    /// The executions' input: a JSON value, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-")]
    input: Option<String>,
    /// How long a whole execution may take
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    execution_timeout: Option<Duration>,
    /// How long one run of it may take
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    run_timeout: Option<Duration>,
    /// How long one workflow task may take
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    task_timeout: Option<Duration>,
    /// A note kept with each execution; once for each
    #[arg(long, value_name = "KEY=JSON")]
    memo: Vec<String>,
}

/// When it starts something.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Times {
    /// A cron expression: minute, hour, day of month, month, day of week; once for each
    #[arg(long, value_name = "EXPRESSION")]
    cron: Vec<String>,
    /// An interval, with an offset into it where there is one; once for each
    #[arg(long, value_name = "DURATION[+OFFSET]", value_parser = interval)]
    every: Vec<Value>,
    /// Fields of the calendar, as in 'hour=4 day_of_week=mon,thu'; once for each
    #[arg(long, value_name = "FIELD=VALUE …", value_parser = calendar)]
    calendar: Vec<Value>,
}

impl PutArguments {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn body(&self) -> Result<Value> {
        let mut body = Map::new();
        let mut set = |key: &str, value: Option<Value>| {
            body.extend(value.map(|value| (key.to_owned(), value)));
        };
        let span = |duration: Option<Duration>| duration.map(|it| duration::write(it).into());
        set("action", Some(self.action()?));
        set("cron", some(self.times.cron.clone()));
        set("intervals", some(self.times.every.clone()));
        set("calendars", some(self.times.calendar.clone()));
        set("time_zone", self.time_zone.clone().map(Value::from));
        set("jitter", span(self.jitter));
        set("starts_at", self.starts_at.map(Value::from));
        set("ends_at", self.ends_at.map(Value::from));
        set("overlap", self.overlap.map(|it| it.as_str().into()));
        set("catch_up", span(self.catch_up));
        set(
            "pause_on_failure",
            self.pause_on_failure.then(|| true.into()),
        );
        set("paused", self.paused.then(|| true.into()));
        set("note", self.note.clone().map(Value::from));
        set("remaining_starts", self.remaining_starts.map(Value::from));
        Ok(Value::Object(body))
    }

    fn action(&self) -> Result<Value> {
        let mut action = json!({"type": self.workflow_type});
        if let Some(input) = &self.input {
            action["input"] = input::json(input)?;
        }
        let durations = [
            ("execution_timeout", self.execution_timeout),
            ("run_timeout", self.run_timeout),
            ("task_timeout", self.task_timeout),
        ];
        for (key, value) in durations {
            if let Some(value) = value {
                action[key] = duration::write(value).into();
            }
        }
        if !self.memo.is_empty() {
            let notes = self.memo.iter().map(|text| memo(text));
            action["memo"] = Value::Object(notes.collect::<Result<_>>()?);
        }
        Ok(action)
    }
}

/// A list that has something.
fn some<T: Into<Value>>(list: Vec<T>) -> Option<Value> {
    (!list.is_empty()).then(|| list.into_iter().map(Into::into).collect())
}

fn interval(text: &str) -> Result<Value, String> {
    let wrong = |why: String| format!("{text:?} is no interval ({why}): write 1h, or 1h+5m");
    let (every, offset) = match text.split_once('+') {
        Some((every, offset)) => (every, Some(offset)),
        None => (text, None),
    };
    let read = |text: &str| duration::parse(text).map(duration::write).map_err(wrong);
    let mut interval = json!({"every": read(every)?});
    if let Some(offset) = offset {
        interval["offset"] = read(offset)?.into();
    }
    Ok(interval)
}

fn calendar(text: &str) -> Result<Value, String> {
    let fields = text.split_whitespace().map(|field| {
        let (name, value) = field.split_once('=')?;
        Some((name.to_owned(), value.into()))
    });
    let fields: Option<Map<String, Value>> = fields.collect();
    let fields = fields.filter(|fields| !fields.is_empty());
    fields.map(Value::Object).ok_or_else(|| {
        format!("{text:?} is no calendar: write fields, as in 'hour=4 day_of_week=mon,thu'")
    })
}
