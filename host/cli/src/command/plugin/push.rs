//! `plugin push`: a component becomes a release.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use bytes::Bytes;
use clap::{ArgGroup, Args};
use serde_json::{Value, json};
use tenterhook_domain::{Digest, PluginName, origin::OciReference};

use super::{component, signature};
use crate::{
    client::{Call, Client},
    command::release,
    duration,
    failure::{Failure, Result, code},
    output::Console,
    reason::ReasonArgument,
    upload::{Progress, UPLOAD_TIMEOUT, Upload},
};

/// How long a single look at the checks waits for the release to go on.
const LOOK: Duration = Duration::from_secs(2);
/// How long the checks may take before the command no longer waits for them.
const CHECKS_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// `plugin push FILE`, `plugin push --oci REFERENCE`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true))]
pub(crate) struct PushArguments {
    /// The component (a .wasm file for wasm32-wasip2); - is standard input
    #[arg(group = "source")]
    file: Option<PathBuf>,
    /// The component in a registry that the host pulls from, registry/repository:tag@sha256:…
    #[arg(long, value_name = "REFERENCE", group = "source")]
    oci: Option<OciReference>,
    /// A sigstore bundle of the component, as `cosign sign-blob --bundle` writes it
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// The plugin [default: the file's name without .wasm, with - for _, or the repository's last part]
    #[arg(long, value_name = "PLUGIN")]
    name: Option<String>,
    /// Let new executions start on this release
    #[arg(long)]
    current: bool,
    #[command(flatten)]
    reason: ReasonArgument,
}

/// A component on its way to a host.
struct Push<'a> {
    client: &'a Client,
    releases: Vec<&'a str>,
    progress: Progress,
}

impl PushArguments {
    /// Pushes the component and shows the release.
    pub(super) async fn run(
        &self,
        client: &Client,
        scope: &[&str],
        console: &Console,
    ) -> Result<()> {
        let plugin = self.plugin()?;
        let name = plugin.as_str();
        let signature = self.signature.as_deref().map(signature::read).transpose()?;
        let push = Push::of(client, scope, name);
        let pushed = match (&self.file, &self.oci) {
            (Some(file), _) => {
                push.upload(component::read(file)?, signature, &self.reason)
                    .await?
            }
            (_, Some(reference)) => self.pull(&push, scope, name, reference, signature).await?,
            _ => return Err(Failure::usage("neither a file nor --oci is given")),
        };
        let mut release = push.checked(pushed).await?;
        drop(push);
        release::warn(&release, console);
        if self.current && state(&release) != "current" {
            let digest = digest(&release).parse()?;
            release = release::promote(client, scope, name, &digest, &self.reason).await?;
        }
        console.note(&format!("pushed as plugin {plugin}"));
        console.record(&release, release::FIELDS)
    }

    fn plugin(&self) -> Result<PluginName> {
        let of_repository = |reference: &OciReference| {
            let last = reference.repository().rsplit('/').next();
            PathBuf::from(last.unwrap_or_default())
        };
        let named_after = match (&self.file, &self.oci) {
            (Some(file), _) => file.clone(),
            (None, reference) => reference.as_ref().map(of_repository).unwrap_or_default(),
        };
        component::plugin(&named_after, self.name.as_deref())
    }

    /// Has the host get the component.
    async fn pull(
        &self,
        push: &Push<'_>,
        scope: &[&str],
        plugin: &str,
        reference: &OciReference,
        signature: Option<Value>,
    ) -> Result<Value> {
        let mut body = json!({ "oci": reference.to_string() });
        if let Some(signature) = signature {
            body["signature"] = signature;
        }
        push.progress.pulling(reference.registry());
        let call = Call::post([scope, &["plugins", plugin, "pulls"]].concat())
            .json(body)
            .timeout(UPLOAD_TIMEOUT)
            .wait(Some(Duration::ZERO))
            .reason(&self.reason);
        push.client.call(call).await
    }
}

/// Pushes `component`, waits for its checks, and lets new executions start on it.
///
/// # Errors
/// What a push is refused for.
pub(super) async fn make_current(
    client: &Client,
    scope: &[&str],
    plugin: &PluginName,
    component: Bytes,
    console: &Console,
) -> Result<()> {
    let reason = ReasonArgument::default();
    let push = Push::of(client, scope, plugin.as_str());
    let pushed = push.upload(component, None, &reason).await?;
    let release = push.checked(pushed).await?;
    drop(push);
    release::warn(&release, console);
    if state(&release) != "current" {
        let digest = digest(&release).parse()?;
        release::promote(client, scope, plugin.as_str(), &digest, &reason).await?;
    }
    Ok(())
}

impl<'a> Push<'a> {
    fn of(client: &'a Client, scope: &[&'a str], plugin: &'a str) -> Self {
        Self {
            client,
            releases: [scope, &["plugins", plugin, "releases"]].concat(),
            progress: Progress::new(plugin),
        }
    }

    /// Sends the component.
    async fn upload(
        &self,
        component: Bytes,
        signature: Option<Value>,
        reason: &ReasonArgument,
    ) -> Result<Value> {
        let digest = Digest::of(&component);
        let upload = Upload::new(component, signature.as_ref());
        let call = Call::post(&self.releases)
            .upload(upload, &self.progress)
            .wait(Some(Duration::ZERO))
            .reason(reason);
        let release = self.client.call(call).await?;
        let stored = self::digest(&release);
        if stored != digest.to_string() {
            return Err(Failure::new(
                code::ANSWER_INVALID,
                format!("the host stored {stored:?}, but {digest} was sent"),
            )
            .with_hint("the component was changed on its way: push it again"));
        }
        Ok(release)
    }

    /// Waits until the checks are over, telling which runs.
    async fn checked(&self, mut release: Value) -> Result<Value> {
        let digest = digest(&release).to_owned();
        let path = [&self.releases[..], &[digest.as_str()]].concat();
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
            self.progress.checking(release.get("progress"));
            release = self.client.call(Call::get(&path).wait(Some(LOOK))).await?;
        }
        passed(release)
    }
}

/// The release's name, as the host answers it.
fn digest(release: &Value) -> &str {
    let digest = release.get("digest").and_then(Value::as_str);
    digest.unwrap_or_default()
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
