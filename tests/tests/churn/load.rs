//! Executions that run while everything else changes, and what must hold of each in the end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use temporalio_client::grpc::WorkflowService;
use tenterhook_tests::{
    host::Fleet,
    raw::{failed_tasks, history, pins},
};

use super::{line::Line, variant::workflow};

/// Between two executions of one line.
const PAUSE: Duration = Duration::from_millis(300);
/// One of so many sleeps until the changes are over.
const SLEEPER_OF: usize = 4;
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long an execution may take to its first task or to its end, hosts that die on the way included.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// An execution that was started.
pub(crate) struct Execution {
    line: Arc<Line>,
    id: String,
    /// The release that it was on when it was first seen on one.
    digest: String,
    asked: Instant,
    chosen: Instant,
}

/// Starts executions of `line` one after another until `over`, then lets those that sleep end.
pub(crate) async fn run(
    fleet: Fleet,
    line: Arc<Line>,
    over: Arc<AtomicBool>,
) -> anyhow::Result<Vec<Execution>> {
    let (mut all, mut sleepers) = (Vec::new(), Vec::new());
    while !over.load(Ordering::Relaxed) {
        let sleeps = all.len() % SLEEPER_OF == 1;
        let (execution, waits) = start(&fleet, &line, all.len(), sleeps).await?;
        if waits && sleeps {
            sleepers.push(execution.id.clone());
        } else if waits {
            signal(&fleet, &line, &execution.id).await?;
        }
        all.push(execution);
        tokio::time::sleep(PAUSE).await;
    }
    for id in sleepers {
        signal(&fleet, &line, &id).await?;
    }
    Ok(all)
}

async fn start(
    fleet: &Fleet,
    line: &Arc<Line>,
    number: usize,
    sleeps: bool,
) -> anyhow::Result<(Execution, bool)> {
    let (workflow_type, input, waits) = workflow(line.plugin, sleeps);
    let id = format!("{}-{number}", line.plugin);
    // With this a start whose answer was lost can be repeated: it is not started twice.
    let body =
        json!({ "type": workflow_type, "id": id, "input": input, "reuse": "reject_duplicate" });
    let asked = Instant::now();
    let path = format!("{}/workflows", line.scope);
    let answer = fleet.call(Method::POST, &path, Some(&body)).await?;
    if answer.code() != Some("workflow-already-started") {
        answer.ok()?;
    }
    let seen = |seen: &Value| seen["digest"].is_string();
    let description = until(fleet, line, &id, seen).await?;
    let execution = Execution {
        line: line.clone(),
        digest: description["digest"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        id,
        asked,
        chosen: Instant::now(),
    };
    Ok((execution, waits))
}

async fn signal(fleet: &Fleet, line: &Line, id: &str) -> anyhow::Result<()> {
    let path = format!("{}/workflows/{id}/signals/go", line.scope);
    let answer = fleet.call(Method::POST, &path, Some(&json!({}))).await?;
    // One whose answer was lost may have been heard: then it is over already.
    if answer.code() != Some("workflow-closed") {
        answer.ok()?;
    }
    Ok(())
}

async fn until(
    fleet: &Fleet,
    line: &Line,
    id: &str,
    seen: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    let deadline = Instant::now() + ENDS_WITHIN;
    let path = format!("{}/workflows/{id}", line.scope);
    loop {
        let description = fleet.call(Method::GET, &path, None).await?.ok()?;
        if seen(&description) {
            return Ok(description);
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "{id} stands still: {description:#}"
        );
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

impl Execution {
    /// It ended well, with the result of the release that it began on, which was one that it could begin on; its
    /// history is pinned to that release once; and no task of it was failed by a host.
    pub(crate) async fn check(
        &self,
        fleet: &Fleet,
        temporal: &mut Box<dyn WorkflowService>,
    ) -> anyhow::Result<()> {
        let (line, id) = (&self.line, &self.id);
        let description = until(fleet, line, id, |seen| seen["status"] != json!("running")).await?;
        anyhow::ensure!(
            description["digest"] == json!(self.digest),
            "{description:#}"
        );
        let path = format!("{}/workflows/{id}/result", line.scope);
        let outcome = fleet.call(Method::GET, &path, None).await?.ok()?;
        anyhow::ensure!(outcome["status"] == "completed", "{outcome:#}");
        let expected = line.result(&self.digest);
        anyhow::ensure!(
            Some(&outcome["result"]) == expected.as_ref(),
            "{id} on {} answers {}, not {expected:?}",
            self.digest,
            outcome["result"]
        );
        anyhow::ensure!(
            line.may_have_chosen(&self.digest, self.asked, self.chosen),
            "{id} began on {}, which took no executions then",
            self.digest
        );
        let tenant = line.scope.split('/').nth(3).unwrap_or_default();
        let history = history(temporal, &format!("{tenant}/production/{id}")).await?;
        anyhow::ensure!(
            pins(&history) == [self.digest.clone()],
            "{id} is pinned to {:?}",
            pins(&history)
        );
        let failed = failed_tasks(&history);
        anyhow::ensure!(failed.is_empty(), "{id}: {failed:?}");
        Ok(())
    }
}
