//! `release`: the components that were pushed for a plugin, and which of them new executions start on.

mod compare;
mod ramp;

use clap::Subcommand;
use serde_json::{Value, json};
use tenterhook_domain::{Digest, double_run::DoubleRunFinding};

use self::ramp::RampArguments;
use super::page::{self, PageArguments};
use crate::{
    client::{Call, Client},
    column::{Column, Field},
    failure::Result,
    output::Console,
    reason::ReasonArgument,
};

const COLUMNS: &[Column] = &[
    Column::new("DIGEST", "/digest"),
    Column::new("VERSION", "/version"),
    Column::new("STATE", "/state"),
    Column::new("BYTES", "/bytes"),
    Column::time("UPLOADED", "/uploaded_at"),
];
const AUDIT: &[Column] = &[
    Column::time("WHEN", "/at"),
    Column::new("WHO", "/who"),
    Column::new("FROM", "/from"),
    Column::new("WHAT", "/action"),
    Column::short("RELEASE", "/digest"),
    Column::new("DETAIL", "/detail"),
    Column::new("WHY", "/why"),
];
/// What is shown of one release.
pub(super) const FIELDS: &[Field] = &[
    Field::new("Digest", "/digest"),
    Field::new("Version", "/version"),
    Field::new("State", "/state"),
    Field::new("Bytes", "/bytes"),
    Field::time("Uploaded", "/uploaded_at"),
    Field::new("Origin", "/origin"),
    Field::names("Workflows", "/metadata/workflows"),
    Field::names("Activities", "/metadata/activities"),
    Field::names("Checked", "/checks"),
    Field::new("Not deterministic", "/double_run/workflow_type"),
];
const ROLLOUT: &[Field] = &[
    Field::new("Current", "/current"),
    Field::new("Previous", "/previous"),
    Field::new("Ramping", "/rollout/plan/digest"),
    Field::new("Percentage", "/percentage"),
    Field::new("Paused", "/rollout/paused"),
    Field::time("Step ends", "/step_ends_at"),
    Field::new("Halted", "/rollout/halted"),
];

/// `release …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ReleaseCommand {
    /// List a plugin's releases, newest first
    List {
        /// The plugin
        plugin: String,
        #[command(flatten)]
        page: PageArguments,
    },
    /// Show a release
    Show {
        /// The plugin
        plugin: String,
        /// sha256:… as `release list` shows it
        digest: String,
    },
    /// Show what is another in a release than in one before
    Diff {
        /// The plugin
        plugin: String,
        /// The release to compare with
        from: String,
        /// The release that is compared
        to: String,
    },
    /// Show which release new executions start on, and the ramp under way
    Rollout {
        /// The plugin
        plugin: String,
    },
    /// Let all new executions start on a release; those under way stay on theirs
    Promote {
        /// The plugin
        plugin: String,
        /// sha256:… as `release list` shows it
        digest: String,
        #[command(flatten)]
        reason: ReasonArgument,
    },
    /// Let a growing share of the new executions start on a release
    Ramp(RampArguments),
    /// Take the ramp to its next step, or after the last to its end
    Advance(OfPlugin),
    /// Hold the ramp at its step
    Pause(OfPlugin),
    /// Let a ramp that was paused go on
    Resume(OfPlugin),
    /// Stop the ramp, or without one go back to the release before the current one
    RollBack(OfPlugin),
    /// Retire a release that nothing runs on any more; its component is removed
    Retire {
        /// The plugin
        plugin: String,
        /// sha256:… as `release list` shows it
        digest: String,
        #[command(flatten)]
        reason: ReasonArgument,
    },
    /// Show who did what to a plugin's releases, newest first
    Audit {
        /// The plugin
        plugin: String,
        /// Of this release only
        #[arg(long, value_name = "DIGEST")]
        digest: Option<String>,
        #[command(flatten)]
        page: PageArguments,
    },
}

/// A change that needs no more than to say of which plugin.
#[derive(Debug, clap::Args)]
pub(crate) struct OfPlugin {
    /// The plugin
    plugin: String,
    #[command(flatten)]
    reason: ReasonArgument,
}

impl ReleaseCommand {
    /// Does it, for the scope at `scope`.
    pub(crate) async fn run(
        &self,
        client: &Client,
        scope: &[&str],
        console: &Console,
    ) -> Result<()> {
        let at = |plugin: &str, rest: &[&str]| -> Vec<String> {
            let path = [scope, &["plugins", plugin], rest].concat();
            path.into_iter().map(str::to_owned).collect()
        };
        match self {
            Self::List { plugin, page } => {
                let call = page.of(Call::get(at(plugin, &["releases"])));
                list(client, call, COLUMNS, console).await
            }
            Self::Audit {
                plugin,
                digest,
                page,
            } => {
                let call = page.of(Call::get(at(plugin, &["audit"])));
                let call = call.query("digest", digest.as_deref());
                list(client, call, AUDIT, console).await
            }
            Self::Show { plugin, digest } => {
                let call = Call::get(at(plugin, &["releases", digest]));
                let release = client.call(call).await?;
                warn(&release, console);
                console.record(&release, FIELDS)
            }
            Self::Diff { plugin, from, to } => {
                let call = Call::get(at(plugin, &["releases", to, "diff"]));
                let diff = client.call(call.query("against", Some(from))).await?;
                compare::show(&diff, console)
            }
            Self::Promote {
                plugin,
                digest,
                reason,
            } => {
                let digest: Digest = digest.parse()?;
                let release = promote(client, scope, plugin, &digest, reason).await?;
                console.record(&release, FIELDS)
            }
            Self::Retire {
                plugin,
                digest,
                reason,
            } => {
                let call = Call::post(at(plugin, &["releases", digest, "retire"]));
                let release = client.call(call.reason(reason)).await?;
                console.record(&release, FIELDS)
            }
            Self::Rollout { plugin } => {
                moved(client, Call::get(at(plugin, &["rollout"])), console).await
            }
            Self::Ramp(arguments) => {
                let call = Call::put(at(arguments.plugin(), &["rollout"])).json(arguments.plan()?);
                moved(client, call.reason(arguments.reason()), console).await
            }
            Self::Advance(of) => {
                act(client, at(&of.plugin, &["rollout", "advance"]), of, console).await
            }
            Self::Pause(of) => {
                act(client, at(&of.plugin, &["rollout", "pause"]), of, console).await
            }
            Self::Resume(of) => {
                act(client, at(&of.plugin, &["rollout", "resume"]), of, console).await
            }
            Self::RollBack(of) => act(client, at(&of.plugin, &["rollback"]), of, console).await,
        }
    }
}

async fn list(client: &Client, call: Call, columns: &[Column], console: &Console) -> Result<()> {
    let answer = client.call(call).await?;
    console.list(&answer, columns)?;
    page::tell_next(&answer, "--cursor", console);
    Ok(())
}

async fn act(client: &Client, path: Vec<String>, of: &OfPlugin, console: &Console) -> Result<()> {
    moved(client, Call::post(path).reason(&of.reason), console).await
}

async fn moved(client: &Client, call: Call, console: &Console) -> Result<()> {
    let line = client.call(call).await?;
    console.record(&line, ROLLOUT)
}

/// Makes the release `digest` current.
pub(super) async fn promote(
    client: &Client,
    scope: &[&str],
    plugin: &str,
    digest: &Digest,
    reason: &ReasonArgument,
) -> Result<Value> {
    let path = [scope, &["plugins", plugin, "current"]].concat();
    let call = Call::put(path).json(json!({"digest": digest}));
    client.call(call.reason(reason)).await
}

/// Tells on stderr what is worth a look in the report of `release`.
pub(super) fn warn(release: &Value, console: &Console) {
    let checks = release.get("checks").and_then(Value::as_array);
    for check in checks.into_iter().flatten() {
        let field = |name: &str| check.get(name).and_then(Value::as_str).unwrap_or_default();
        match field("severity") {
            "warning" | "refused" => {
                console.warn(&format!("{}: {}", field("name"), field("detail")));
            }
            _ => {}
        }
    }
    let found = release.get("double_run").cloned();
    let found = found.and_then(|it| serde_json::from_value::<DoubleRunFinding>(it).ok());
    if let Some(found) = found {
        let (id, detail) = (&found.workflow_id, found.detail());
        console.warn(&format!(
            "double run of execution {id}: {detail}; a replay of such a run would fail"
        ));
    }
}
