//! What a plugin's executions do, told as it is seen.

use std::collections::HashMap;

use serde_json::Value;
use tenterhook_domain::PluginName;

use crate::{
    client::{Call, Client},
    output::Console,
};

/// How many executions are looked at: the newest of the environment.
const LISTED: u32 = 50;
/// Of how many that run it is asked whether their code fails.
const ASKED_MAX: usize = 5;

/// The newest executions of a plugin, as they were last seen.
pub(super) struct Runs<'a> {
    client: &'a Client,
    workflows: Vec<&'a str>,
    /// What the names of the plugin's types begin with.
    prefix: String,
    console: &'a Console,
    /// What was told of each run last; `None` before the first look, which tells nothing.
    told: Option<HashMap<String, String>>,
}

impl<'a> Runs<'a> {
    /// Those of `plugin` in the scope at `scope`.
    pub(super) fn of(
        client: &'a Client,
        scope: &[&'a str],
        plugin: PluginName,
        console: &'a Console,
    ) -> Self {
        Self {
            client,
            workflows: [scope, &["workflows"]].concat(),
            prefix: format!("{plugin}."),
            console,
            told: None,
        }
    }

    /// Tells what is new since the last look. A host that does not answer is asked again at the next.
    pub(super) async fn tell(&mut self) {
        let call = Call::get(&self.workflows).query("limit", Some(LISTED));
        let Ok(list) = self.client.call(call).await else {
            return;
        };
        let executions = list.get("items").and_then(Value::as_array);
        let mut now = HashMap::new();
        let mut asked = 0;
        // Oldest first, as it happened.
        for execution in executions.into_iter().flatten().rev() {
            let field = |name: &str| {
                execution
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let type_name = field("type");
            if !type_name.starts_with(&self.prefix) {
                continue;
            }
            let mut status = field("status").to_owned();
            if status == "running" && asked < ASKED_MAX {
                asked += 1;
                if let Some(why) = self.task_failure(field("id")).await {
                    status = format!("running, but its task fails: {why}");
                }
            }
            let run = field("run_id").to_owned();
            let before = self.told.as_ref().and_then(|told| told.get(&run));
            if self.told.is_some() && before != Some(&status) {
                let id = field("id");
                self.console.note(&format!("{type_name} {id}: {status}"));
            }
            now.insert(run, status);
        }
        self.told = Some(now);
    }

    async fn task_failure(&self, id: &str) -> Option<String> {
        let path = [&self.workflows[..], &[id]].concat();
        let execution = self.client.call(Call::get(path)).await.ok()?;
        let message = execution.pointer("/task_failure/message")?.as_str()?;
        Some(message.to_owned())
    }
}
