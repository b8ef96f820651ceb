//! `plugin check`: what a push would find, without a push.

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use serde_json::{Value, json};
use tenterhook_domain::{Code, PluginName, check::Severity, replay::Rehearsed};

use super::{
    component::{self, Workbench},
    replay,
};
use crate::{
    arguments::ScopeArguments,
    client::{Call, Client},
    column::Column,
    connection::ConnectionArguments,
    failure::{Failure, Result, code},
    output::Console,
    upload::{Progress, Upload},
};

const COLUMNS: &[Column] = &[
    Column::new("CHECK", "/name"),
    Column::new("FOUND", "/severity"),
    Column::new("DETAIL", "/detail"),
];

/// `plugin check FILE`.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The component (a .wasm file for wasm32-wasip2); - is standard input
    file: PathBuf,
    /// The plugin [default: the file's name without .wasm, with - for _]
    #[arg(long, value_name = "PLUGIN")]
    name: Option<String>,
    /// Also let this host look at it and replay the plugin's histories on it; nothing is kept there
    #[arg(long, value_name = "URL")]
    against: Vec<String>,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
}

impl CheckArguments {
    /// Checks it here, then on each host. Fails if a check refuses it.
    pub(crate) async fn run(
        &self,
        connection: &ConnectionArguments,
        scope: &ScopeArguments,
        console: &Console,
    ) -> Result<()> {
        let plugin = component::plugin(&self.file, self.name.as_deref())?;
        let bytes = component::read(&self.file)?;
        let inspection = Workbench::new()?.inspect(&plugin, bytes.clone()).await?;
        let mut found = vec![(
            None,
            Rehearsed {
                metadata: inspection.metadata,
                checks: inspection.checks,
                replay: None,
            },
        )];
        if worst(&found[0].1) < Severity::Refused {
            for url in &self.against {
                let client = Client::new(connection.at(url).resolve(console)?)?;
                let answer = ask(&client, &scope.path()?, &plugin, bytes.clone()).await?;
                found.push((Some(url.as_str()), answer));
            }
        }
        show(&found, console)?;
        let most = if self.strict {
            Severity::Passed
        } else {
            Severity::Warning
        };
        found
            .iter()
            .try_for_each(|(url, found)| judge(*url, found, most))
    }
}

async fn ask(
    client: &Client,
    scope: &[&str],
    plugin: &PluginName,
    component: Bytes,
) -> Result<Rehearsed> {
    let progress = Progress::new(plugin.as_str());
    let path = [scope, &["plugins", plugin.as_str(), "checks"]].concat();
    let call = Call::post(path).upload(Upload::new(component, None), &progress);
    let answer = client.call(call).await?;
    serde_json::from_value(answer).map_err(|error| {
        Failure::new(code::ANSWER_INVALID, "the host's answer is no report").caused_by(&error)
    })
}

fn worst(found: &Rehearsed) -> Severity {
    let severities = found.checks.iter().map(|check| check.severity);
    severities.max().unwrap_or(Severity::Passed)
}

/// Fails with the worst check that weighs more than `most`; of equals with the last, for it was looked at the closest.
fn judge(url: Option<&str>, found: &Rehearsed, most: Severity) -> Result<()> {
    let findings = found.checks.iter().filter(|check| check.severity > most);
    let Some(check) = findings.max_by_key(|check| check.severity) else {
        return Ok(());
    };
    let code = check.code.clone();
    let code = code.unwrap_or_else(|| Code::ComponentInvalid.as_str().to_owned());
    let place = url.map_or_else(String::new, |url| format!("{url}: "));
    Err(Failure::new(code, format!("{place}{}", check.detail)))
}

fn show(found: &[(Option<&str>, Rehearsed)], console: &Console) -> Result<()> {
    let to_json = |found: &Rehearsed| {
        serde_json::to_value(found)
            .map_err(|error| Failure::internal("the report is no JSON").caused_by(&error))
    };
    if !console.is_table() {
        let mut all = Vec::new();
        for (url, found) in found {
            let mut one = to_json(found)?;
            one["against"] = url.map_or(Value::Null, Value::from);
            all.push(one);
        }
        return console.json(&Value::Array(all));
    }
    for (url, found) in found {
        if let Some(url) = url {
            console.note(&format!("against {url}:"));
        }
        console.list(&json!({ "items": to_json(found)?["checks"] }), COLUMNS)?;
        if let Some(report) = found
            .replay
            .as_ref()
            .filter(|report| !report.histories.is_empty())
        {
            replay::show(report, console)?;
            console.note(&format!(
                "{} further histories were not sampled",
                report.left_out
            ));
        }
    }
    Ok(())
}
