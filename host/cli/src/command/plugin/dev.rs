//! `plugin dev`: built and pushed at each change, while a host runs.

use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use tenterhook_domain::{Digest, PluginName};

use super::{
    cargo::{Build, Crate, CrateArgument},
    changes::Changes,
    component, push,
    runs::Runs,
};
use crate::{client::Client, failure::Result, output::Console};

/// How often the host is asked what the plugin's executions do.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// `plugin dev`.
#[derive(Debug, Args)]
pub(crate) struct DevArguments {
    #[command(flatten)]
    source: CrateArgument,
    /// The plugin [default: the component's file name without .wasm, with - for _]
    #[arg(long, value_name = "PLUGIN")]
    name: Option<String>,
}

/// What goes round.
struct Round<'a> {
    source: Crate,
    name: Option<&'a str>,
    client: &'a Client,
    scope: &'a [&'a str],
    console: &'a Console,
    /// What was pushed last, and passed: the same bytes are not pushed again.
    serving: Option<Digest>,
}

impl DevArguments {
    /// Goes round until it is ended. A build or a push that fails is told, and the next change tries again.
    pub(super) async fn run(
        &self,
        client: &Client,
        scope: &[&str],
        console: &Console,
    ) -> Result<()> {
        let source = self.source.find()?;
        // Before the first build, so that a change during it counts.
        let mut changes = Changes::of(source.folder())?;
        let mut round = Round {
            source,
            name: self.name.as_deref(),
            client,
            scope,
            console,
            serving: None,
        };
        let mut runs = None;
        let mut changed = Instant::now();
        loop {
            match round.go(changed).await {
                Ok(plugin) => {
                    runs.get_or_insert_with(|| Runs::of(client, scope, plugin, console));
                }
                Err(failure) => {
                    console.fail(&failure);
                    console.note("waiting for the next change");
                }
            }
            loop {
                tokio::select! {
                    at = changes.next() => {
                        changed = at?;
                        break;
                    }
                    () = tokio::time::sleep(LOOK_EVERY) => {
                        if let Some(runs) = &mut runs {
                            runs.tell().await;
                        }
                    }
                }
            }
        }
    }
}

impl Round<'_> {
    /// Builds, and pushes what is new. `changed` is when the change was seen.
    async fn go(&mut self, changed: Instant) -> Result<PluginName> {
        let file = self.source.build(Build::Quick).await?;
        let built = changed.elapsed();
        let plugin = component::plugin(&file, self.name)?;
        let bytes = component::read(&file)?;
        let digest = Digest::of(&bytes);
        if self.serving == Some(digest) {
            self.console.note(&format!("nothing changed in {plugin}"));
            return Ok(plugin);
        }
        self.push(&plugin, bytes).await?;
        self.serving = Some(digest);
        self.console.note(&format!(
            "{plugin} runs {digest}, {:.1} s after the change ({:.1} s of it the build)",
            changed.elapsed().as_secs_f32(),
            built.as_secs_f32(),
        ));
        Ok(plugin)
    }

    async fn push(&self, plugin: &PluginName, component: Bytes) -> Result<()> {
        push::make_current(self.client, self.scope, plugin, component, self.console).await
    }
}
