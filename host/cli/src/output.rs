//! Where everything is written: data to stdout as tables or JSON, all else to stderr.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use crate::{
    column::{Column, Field, text},
    failure::{Failure, Result, code},
    plain,
};

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For a person
    #[default]
    Table,
    /// For a machine: what the host answered, whole
    Json,
}

/// The two streams.
#[derive(Debug, Default)]
pub(crate) struct Console {
    format: Format,
}

impl Console {
    /// Writes data as `format`.
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// True if data is for a person.
    pub(crate) fn is_table(&self) -> bool {
        self.format == Format::Table
    }

    /// Writes the list in `answer` (an array, the `items` of a page, the `events` of a history), a row an entry.
    pub(crate) fn list(&self, answer: &Value, columns: &[Column]) -> Result<()> {
        if self.format == Format::Json {
            return self.json(answer);
        }
        let items = answer
            .get("items")
            .or_else(|| answer.get("events"))
            .unwrap_or(answer);
        let Some(items) = items.as_array() else {
            return Err(Failure::new(
                code::ANSWER_INVALID,
                "the host's answer is not a list",
            ));
        };
        let mut table = table();
        table.set_header(columns.iter().map(|column| column.title));
        for item in items {
            table.add_row(columns.iter().map(|column| plain::line(&column.text(item))));
        }
        write(&laid_out(table))
    }

    /// Writes one thing, a line a field; fields that are not there are left out.
    pub(crate) fn record(&self, answer: &Value, fields: &[Field]) -> Result<()> {
        if self.format == Format::Json {
            return self.json(answer);
        }
        let mut table = table();
        for field in fields {
            let value = field.text(answer);
            if !value.is_empty() {
                table.add_row([field.title.to_owned(), plain::lines(&value)]);
            }
        }
        write(&laid_out(table))
    }

    /// Writes a flat object, a row a key.
    pub(crate) fn pairs(&self, answer: &Value, titles: [&str; 2]) -> Result<()> {
        if self.format == Format::Json {
            return self.json(answer);
        }
        let Some(object) = answer.as_object() else {
            return Err(Failure::new(
                code::ANSWER_INVALID,
                "the host's answer is not an object",
            ));
        };
        let mut table = table();
        table.set_header(titles);
        for (key, value) in object {
            table.add_row([plain::line(key), plain::lines(&text(value))]);
        }
        write(&laid_out(table))
    }

    /// Writes a value as JSON, whatever the format.
    pub(crate) fn json(&self, value: &Value) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(|error| {
            Failure::internal("the answer cannot be written as JSON").caused_by(&error)
        })?;
        write(&text)
    }

    /// Writes a line of text as data; as JSON where that is asked for.
    pub(crate) fn value(&self, answer: &Value, text: &str) -> Result<()> {
        match self.format {
            Format::Json => self.json(answer),
            Format::Table => write(text),
        }
    }

    /// Tells what was done, on stderr.
    pub(crate) fn note(&self, text: &str) {
        write_error(&format!("{}\n", plain::lines(text)));
    }

    /// Tells what looks wrong, on stderr.
    pub(crate) fn warn(&self, text: &str) {
        write_error(&format!(
            "{}: {}\n",
            painted("warning", YELLOW),
            plain::lines(text)
        ));
    }

    /// Tells what went wrong, on stderr, and gives the exit code.
    pub(crate) fn fail(&self, failure: &Failure) -> ExitCode {
        let mut text = format!(
            "{}: {}\n",
            painted(&format!("error[{}]", plain::line(failure.code())), RED),
            plain::lines(failure.detail())
        );
        for cause in failure.causes() {
            // Writing to a String does not fail.
            let _ = writeln!(text, "  caused by: {}", plain::lines(cause));
        }
        if let Some(hint) = failure.hint() {
            let _ = writeln!(text, "{}: {}", painted("hint", CYAN), plain::lines(hint));
        }
        write_error(&text);
        ExitCode::from(failure.exit_code())
    }
}

const RED: &str = "1;31";
const YELLOW: &str = "1;33";
const CYAN: &str = "36";

fn painted(text: &str, colour: &str) -> String {
    if colours_stderr() {
        format!("\u{1b}[{colour}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// True if stderr may have colours: it is a terminal, and `NO_COLOR` (<https://no-color.org>) is not set.
pub(crate) fn colours_stderr() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Spaces between columns.
const COLUMN_GAP: u16 = 2;

/// Columns without lines: readable, and as easily cut by `awk`.
fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        // A pipe has no width, and wants every value on its line.
        table.force_no_tty();
    }
    table
}

/// Without the space that stands before each column: lines begin with their first word.
fn laid_out(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, COLUMN_GAP));
    }
    table.trim_fmt()
}

fn write(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    match written {
        // A reader that went away (`| head`) has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(
            Failure::new(code::OUTPUT_FAILED, "standard output cannot be written")
                .caused_by(&error),
        ),
        Ok(()) => Ok(()),
    }
}

fn write_error(text: &str) {
    // There is nowhere left to tell that stderr cannot be written.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
