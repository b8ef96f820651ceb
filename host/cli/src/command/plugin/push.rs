//! `plugin push`: a component becomes a release.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use clap::Args;
use serde_json::Value;
use tenterhook_domain::{Code, Digest, PluginName, component::COMPONENT_BYTES_MAX};

use crate::{
    client::{Call, Client},
    command::release,
    duration,
    failure::{Failure, Result, code},
    input,
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
        let plugin = self.plugin()?;
        let component = self.component()?;
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

    fn plugin(&self) -> Result<PluginName> {
        if let Some(name) = &self.name {
            return Ok(name.parse()?);
        }
        let stem = self
            .file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .replace('_', "-");
        stem.parse().map_err(|_| {
            Failure::usage(format!("{} does not name a plugin", self.file.display()))
                .with_hint("give --name PLUGIN")
        })
    }

    fn component(&self) -> Result<Bytes> {
        // One byte more than allowed, so that what is too large is known as such and not sent at all.
        let most = COMPONENT_BYTES_MAX + 1;
        let too_large = || {
            let detail = format!(
                "{} is larger than a component may be: {COMPONENT_BYTES_MAX} bytes",
                self.file.display()
            );
            Failure::new(Code::ComponentTooLarge.as_str(), detail)
                .with_hint("build it with --release, opt-level \"s\", lto and strip")
        };
        let size = std::fs::metadata(&self.file)
            .map(|metadata| metadata.len())
            .unwrap_or_default();
        if usize::try_from(size).is_ok_and(|size| size > COMPONENT_BYTES_MAX) {
            return Err(too_large());
        }
        let component = if self.file == Path::new("-") {
            input::read(io::stdin().lock(), "standard input", most)?
        } else {
            input::file_bytes(&self.file, most)?
        };
        if component.len() > COMPONENT_BYTES_MAX {
            Err(too_large())
        } else {
            Ok(component)
        }
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
