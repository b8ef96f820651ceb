//! `plugin push`: a component becomes a release.

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use serde_json::Value;
use tenterhook_domain::{Digest, PluginName};

use super::component;
use crate::{
    client::{Call, Client},
    command::release,
    failure::{Failure, Result, code},
    output::Console,
    upload::{Progress, UPLOAD_TIMEOUT},
};

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
        let mut release = upload(client, scope, &plugin, component, &digest).await?;
        if self.current && release.get("state").and_then(Value::as_str) != Some("current") {
            release = super::set_current(client, scope, plugin.as_str(), &digest).await?;
        }
        console.note(&format!("pushed as plugin {plugin}"));
        console.record(&release, release::FIELDS)
    }
}

async fn upload(
    client: &Client,
    scope: &[&str],
    plugin: &PluginName,
    component: Bytes,
    digest: &Digest,
) -> Result<Value> {
    let bytes = u64::try_from(component.len()).unwrap_or(u64::MAX);
    let progress = Progress::new(plugin.as_str(), bytes);
    let path = [scope, &["plugins", plugin.as_str(), "releases"]].concat();
    let call = Call::post(path).component(progress.body(component), bytes, UPLOAD_TIMEOUT);
    let release = client.call(call).await?;
    let stored = release
        .get("digest")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if stored == digest.to_string() {
        return Ok(release);
    }
    Err(Failure::new(
        code::ANSWER_INVALID,
        format!("the host stored {stored:?}, but {digest} was sent"),
    )
    .with_hint("the component was changed on its way: push it again"))
}
