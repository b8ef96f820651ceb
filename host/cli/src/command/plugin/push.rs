//! `plugin push`: a component becomes a release.

use std::{
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use clap::Args;
use serde_json::Value;
use tenterhook_domain::{Code, Digest, PluginName, component::COMPONENT_BYTES_MAX};

use crate::{
    client::{Call, Client},
    command::release,
    failure::{Failure, Result, code},
    input,
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
        let plugin = self.plugin()?;
        let component = self.component()?;
        let digest = Digest::of(&component);
        let mut release = upload(client, scope, &plugin, component, &digest).await?;
        if self.current && release.get("state").and_then(Value::as_str) != Some("current") {
            release = super::set_current(client, scope, plugin.as_str(), &digest).await?;
        }
        console.note(&format!("pushed as plugin {plugin}"));
        console.record(&release, release::FIELDS)
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
