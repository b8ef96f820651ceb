//! `plugin push`: a component becomes a release.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use bytes::Bytes;
use clap::Args;
use serde_json::Value;
use tenterhook_domain::{Digest, PluginName};

use super::component;
use crate::{
    client::{Call, Client},
    command::release,
    duration,
    failure::{Failure, Result, code},
    output::Console,
    reason::ReasonArgument,
    upload::{Progress, UPLOAD_TIMEOUT},
};

/// How long a single look at the checks waits for the release to go on.
const LOOK: Duration = Duration::from_secs(2);
/// How long the checks may take before the command no longer waits for them.
const CHECKS_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// `plugin push FILE`.
#[derive(Debug, Args)]
pub(crate) struct PushArguments {
    /// The component (a .wasm file for wasm32-wasip2); - is standard input
    file: PathBuf,
    /// The plugin [default: the file's name without .wasm, with - for _]
    #[arg(long, value_name = "PLUGIN")]
    name: Option<String>,
    /// Let new executions start on this release
    #[arg(long)]
    current: bool,
    #[command(flatten)]
    reason: ReasonArgument,
}

impl PushArguments {
    /// Uploads the file and shows the release.
    pub(super) async fn run(
        &self,
        client: &Client,
        scope: &[&str],
        console: &Console,
    ) -> Result<()> {
        let plugin = component::plugin(&self.file, self.name.as_deref())?;
        let component = component::read(&self.file)?;
        let digest = Digest::of(&component);
        let mut release = self
            .upload(client, scope, &plugin, component, &digest)
            .await?;
        release::warn(&release, console);
        if self.current && state(&release) != "current" {
            release =
                release::promote(client, scope, plugin.as_str(), &digest, &self.reason).await?;
        }
        console.note(&format!("pushed as plugin {plugin}"));
        console.record(&release, release::FIELDS)
    }

    /// Sends the component and waits until its checks are over, telling which runs.
    async fn upload(
        &self,
        client: &Client,
        scope: &[&str],
        plugin: &PluginName,
        component: Bytes,
        digest: &Digest,
    ) -> Result<Value> {
        let bytes = u64::try_from(component.len()).unwrap_or(u64::MAX);
        let progress = Progress::new(plugin.as_str(), bytes);
        let releases = [scope, &["plugins", plugin.as_str(), "releases"]].concat();
        let call = Call::post(&releases)
            .component(progress.body(component), bytes, UPLOAD_TIMEOUT)
            .wait(Some(Duration::ZERO))
            .reason(&self.reason);
        let mut release = client.call(call).await?;
        let stored = release.get("digest").and_then(Value::as_str);
        if stored != Some(digest.to_string().as_str()) {
            let stored = stored.unwrap_or_default();
            return Err(Failure::new(
                code::ANSWER_INVALID,
                format!("the host stored {stored:?}, but {digest} was sent"),
            )
            .with_hint("the component was changed on its way: push it again"));
        }
        let name = digest.to_string();
        let path = [&releases[..], &[name.as_str()]].concat();
        let until = Instant::now() + CHECKS_TIMEOUT;
        while matches!(state(&release), "uploaded" | "checked") {
            if Instant::now() > until {
                return Err(Failure::new(
                    code::CHECKS_RUNNING,
                    format!(
                        "the checks of {digest} are not over after {}",
                        duration::write(CHECKS_TIMEOUT)
                    ),
                )
                .with_hint("they go on: `tenterhook release show` tells how far they are"));
            }
            progress.checking(release.get("progress"));
            release = client.call(Call::get(&path).wait(Some(LOOK))).await?;
        }
        passed(release)
    }
}

/// Where a release is in its life, as the host answers it.
fn state(release: &Value) -> &str {
    let state = release.get("state").and_then(Value::as_str);
    state.unwrap_or_default()
}

/// The release, if it passed.
fn passed(release: Value) -> Result<Value> {
    if state(&release) != "refused" {
        return Ok(release);
    }
    let checks = release.get("checks").and_then(Value::as_array);
    let refusal = checks
        .into_iter()
        .flatten()
        .find(|check| check.get("severity").and_then(Value::as_str) == Some("refused"));
    let field = |name: &str| refusal.and_then(|check| check.get(name)?.as_str());
    Err(Failure::new(
        field("code").unwrap_or("component-invalid").to_owned(),
        field("detail").unwrap_or("the release is refused"),
    )
    .with_hint("`tenterhook release show` has the whole report"))
}
