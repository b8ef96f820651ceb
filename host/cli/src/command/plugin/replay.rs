//! `plugin replay`: exported histories on a component, without a host.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use tenterhook_domain::{
    Code, EnvironmentName, PluginName, Scope, TenantId,
    check::Severity,
    limit::Limits,
    replay::{ReplayReport, Replayed, Verdict},
};
use tenterhook_worker::{Candidate, EXPORT_BYTES_MAX, Recorded, Replayer};

use super::component::{self, Workbench};
use crate::{
    column::Column,
    failure::{Failure, Result},
    input,
    output::Console,
};

/// The namespace that replayed code is told where the history does not say it.
const NAMESPACE: &str = "default";

const COLUMNS: &[Column] = &[
    Column::new("WORKFLOW", "/workflow_id"),
    Column::new("TYPE", "/type"),
    Column::new("EVENTS", "/events"),
    Column::new("VERDICT", "/verdict"),
    Column::new("WHY", "/detail"),
];

/// `plugin replay FILE HISTORY…`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// The component (a .wasm file for wasm32-wasip2)
    file: PathBuf,
    /// Histories as `temporal workflow show --output json` and Temporal's UI export them
    #[arg(required = true, value_name = "HISTORY")]
    histories: Vec<PathBuf>,
    /// The plugin [default: the component's file name without .wasm, with - for _]
    #[arg(long, value_name = "PLUGIN")]
    name: Option<String>,
}

impl ReplayArguments {
    /// Replays each and shows the verdicts. Fails if one diverges or fails its task.
    pub(crate) async fn run(&self, console: &Console) -> Result<()> {
        let plugin = component::plugin(&self.file, self.name.as_deref())?;
        // What cannot be read is told before anything is compiled.
        let recorded = self
            .histories
            .iter()
            .map(|file| read(file))
            .collect::<Result<Vec<_>>>()?;
        let replayed = self.replay(&plugin, &recorded).await?;
        let report = ReplayReport {
            histories: replayed,
            left_out: 0,
        };
        show(&report, console)?;
        match report.broken() {
            0 => Ok(()),
            broken => Err(Failure::new(
                Code::ReplayDiverges.as_str(),
                format!(
                    "{broken} of {} histories do not replay on {}",
                    report.histories.len(),
                    self.file.display()
                ),
            )
            .with_hint("patch the changed code, or let running executions stay on the release they began on")),
        }
    }

    async fn replay(&self, plugin: &PluginName, recorded: &[Recorded]) -> Result<Vec<Replayed>> {
        let bytes = component::read(&self.file)?;
        let bench = Workbench::new()?;
        let inspection = bench.inspect(plugin, bytes.clone()).await?;
        let refusal = inspection
            .checks
            .iter()
            .find(|check| check.severity == Severity::Refused);
        if let Some(check) = refusal {
            let code = check
                .code
                .clone()
                .unwrap_or_else(|| Code::ComponentInvalid.as_str().to_owned());
            return Err(Failure::new(code, check.detail.clone()));
        }
        let loaded = bench.load(bytes).await?;
        let replayer = Replayer::start(NAMESPACE)?;
        let mut replayed = Vec::with_capacity(recorded.len());
        for recorded in recorded {
            let scope = match Scope::of_temporal_id(recorded.workflow_id()) {
                Some((scope, _)) => scope,
                None => nowhere()?,
            };
            let candidate = Candidate::new(
                scope,
                plugin.clone(),
                loaded.clone(),
                &inspection.metadata,
                Limits::default(),
            );
            replayed.push(replayer.replay(&candidate, recorded).await?);
        }
        Ok(replayed)
    }
}

/// The scope of a history that says none.
fn nowhere() -> Result<Scope> {
    let tenant: TenantId = "local".parse()?;
    let environment: EnvironmentName = "replay".parse()?;
    Ok(Scope::new(tenant, environment))
}

fn read(file: &Path) -> Result<Recorded> {
    let bytes = input::file_bytes(file, EXPORT_BYTES_MAX)?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    Recorded::of_export(&name, &bytes).map_err(|error| {
        Failure::new(
            error.code().as_str(),
            format!("{}: {}", file.display(), error.detail()),
        )
        .with_hint("export it with `temporal workflow show --workflow-id ID --output json`")
    })
}

/// Writes the verdicts of `report`.
pub(super) fn show(report: &ReplayReport, console: &Console) -> Result<()> {
    let json = |value: &ReplayReport| {
        serde_json::to_value(value)
            .map_err(|error| Failure::internal("the report is no JSON").caused_by(&error))
    };
    if !console.is_table() {
        return console.json(&json(report)?);
    }
    let rows: Result<Vec<Value>> = report.histories.iter().map(row).collect();
    console.list(&json!({ "items": rows? }), COLUMNS)
}

fn row(replayed: &Replayed) -> Result<Value> {
    let mut row = serde_json::to_value(replayed)
        .map_err(|error| Failure::internal("a verdict is no JSON").caused_by(&error))?;
    if let Some(object) = row.as_object_mut() {
        object.insert("detail".to_owned(), detail(&replayed.verdict).into());
    }
    Ok(row)
}

fn detail(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Same => String::new(),
        Verdict::Diverges {
            event,
            expected,
            actual,
        } => format!("at event {event} the history has {expected}, the component {actual}"),
        Verdict::TaskFailed { code, message } => format!("{code}: {message}"),
        Verdict::NotApplicable { why } => why.clone(),
    }
}
