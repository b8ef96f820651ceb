//! Lists come in pages.

use clap::Args;
use serde_json::Value;

use crate::{client::Call, output::Console};

/// Which page of a list.
#[derive(Debug, Args)]
pub(crate) struct PageArguments {
    /// Most entries to show
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
    /// Go on where the last page ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl PageArguments {
    /// `call` for this page.
    pub(crate) fn of(&self, call: Call) -> Call {
        call.query("limit", Some(self.limit))
            .query("cursor", self.cursor.as_deref())
    }
}

/// Says on stderr that there are more entries, and how to get them: `flag` takes the page's `next`.
pub(crate) fn tell_next(answer: &Value, flag: &str, console: &Console) {
    match answer.get("next") {
        Some(Value::String(next)) => console.note(&format!("there are more: {flag} {next}")),
        Some(Value::Number(next)) => console.note(&format!("there are more: {flag} {next}")),
        _ => {}
    }
}
