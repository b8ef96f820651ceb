//! The gate: samples a plugin's histories and replays them on a release before it takes traffic.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tenterhook_domain::{
    Digest, PluginName, Result, Scope, TypeName,
    clock::Clock,
    component::Metadata,
    limit::{LimitOverrides, Limits},
    policy::ReleasePolicy,
    replay::{ReplayGate, ReplayReport, Replayed, Verdict},
};
use tenterhook_sandbox::{LoadedComponent, Sandbox};
use tenterhook_store::Store;

use super::{
    Candidate, REPLAYS_AT_ONCE, Replayer, TOO_LONG,
    sample::{Seen, choose},
    source::{Listed, Source, quoted, time},
};
use crate::{
    codec::Codec,
    connection::Temporal,
    directory::{Directory, Listing},
};

/// So many times the sample are looked at to find its paths.
const LOOKED_AT: usize = 4;
/// Most histories of one list that are looked at.
const LOOKED_AT_MAX: usize = 2_000;
/// Workflow types that the release no longer has and that are sampled all the same.
const GONE_TYPES_MAX: usize = 100;
/// How long one gate takes histories; what it has not come to by then is left out.
const GATE_TIME: Duration = Duration::from_secs(240);

/// [`ReplayGate`] on Temporal.
pub struct Gate {
    directory: Arc<Directory>,
    store: Store,
    sandbox: Arc<Sandbox>,
    replayer: Replayer,
    clock: Arc<dyn Clock>,
    codec: Arc<Codec>,
}

impl Gate {
    /// A gate over the executions of the lanes of `directory`, which replays as in the namespace of `temporal`.
    ///
    /// # Errors
    /// `internal` when the system gives no threads.
    pub fn new(
        temporal: &Temporal,
        directory: Arc<Directory>,
        store: Store,
        sandbox: Arc<Sandbox>,
        clock: Arc<dyn Clock>,
        codec: Arc<Codec>,
    ) -> Result<Self> {
        Ok(Self {
            replayer: Replayer::start(temporal.namespace())?,
            directory,
            store,
            sandbox,
            clock,
            codec,
        })
    }

    async fn report(&self, candidate: &Candidate, policy: &ReleasePolicy) -> Result<ReplayReport> {
        let until = Instant::now() + GATE_TIME;
        let oldest = time(
            self.clock
                .now_millis()
                .saturating_sub(policy.sample_age_seconds.saturating_mul(1_000)),
        );
        let mut report = ReplayReport::default();
        let (scope, plugin) = (&candidate.scope, &candidate.plugin);
        for listing in self.directory.listings_of(scope, plugin).await? {
            let source = Source::of(&listing.temporal, &self.codec, &scope.tenant).await?;
            // One question instead of two a type, and somebody waits for the first release of a new plugin.
            if source.count(&listing.query).await? == 0 {
                continue;
            }
            for workflow_type in types(&source, &listing, candidate).await? {
                let of_type = format!(
                    "{} AND WorkflowType = {}",
                    listing.query,
                    quoted(&workflow_type)
                );
                let open = format!("{of_type} AND ExecutionStatus = 'Running'");
                let closed =
                    format!("{of_type} AND ExecutionStatus != 'Running' AND CloseTime > {oldest}");
                for (query, most) in [(open, policy.sample_open), (closed, policy.sample_closed)] {
                    let total = source.count(&query).await?;
                    let most = usize::try_from(most).unwrap_or(usize::MAX);
                    let chosen = choose_of(&source, &query, total, most).await?;
                    let replayed = self.replay_all(&source, candidate, chosen, until).await?;
                    report.left_out += total.saturating_sub(replayed.len() as u64);
                    report.histories.extend(replayed);
                }
            }
        }
        Ok(report)
    }

    async fn replay_all(
        &self,
        source: &Source<'_>,
        candidate: &Candidate,
        chosen: Vec<Listed>,
        until: Instant,
    ) -> Result<Vec<Replayed>> {
        let replayed = stream::iter(chosen)
            .map(|listed| async move {
                if Instant::now() > until {
                    return Ok(None);
                }
                let Some(recorded) = source.fetch(&listed).await? else {
                    return Ok(None);
                };
                let mut replayed = self.replayer.replay(candidate, &recorded).await?;
                // After a reset the history itself names the run that it was copied from.
                replayed.run_id = listed.run_id;
                Ok(Some(replayed))
            })
            .buffered(REPLAYS_AT_ONCE)
            .try_collect::<Vec<Option<Replayed>>>()
            .await?;
        Ok(replayed.into_iter().flatten().collect())
    }

    /// What the history of one run, by Temporal's workflow id and its own, comes to on the release `digest`.
    ///
    /// # Errors
    /// When history or release cannot be read, or the host fails.
    pub(crate) async fn replay_one(
        &self,
        (scope, plugin, digest): (&Scope, &PluginName, Digest),
        temporal: &Temporal,
        (workflow_id, run_id): (&str, &str),
    ) -> Result<Verdict> {
        let stored = self.store.component(scope, plugin, &digest);
        let component = self.sandbox.load(digest, stored).await?;
        let release = self.store.releases.get(scope, plugin, &digest).await?;
        let candidate = self
            .candidate(scope, plugin, component, &release.metadata)
            .await?;
        let source = Source::of(temporal, &self.codec, &scope.tenant).await?;
        match source.one(workflow_id, run_id).await? {
            Some(recorded) => Ok(self.replayer.replay(&candidate, &recorded).await?.verdict),
            None => Ok(Verdict::NotApplicable {
                why: TOO_LONG.to_owned(),
            }),
        }
    }

    async fn candidate(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        component: Arc<LoadedComponent>,
        metadata: &Metadata,
    ) -> Result<Candidate> {
        let limits = match self.store.plugins.snapshot(scope, plugin).await {
            // Not held against one host's ceilings: the verdict is for all hosts.
            Ok(snapshot) => snapshot.limits(&LimitOverrides::default()),
            // Nothing was ever said of a plugin that is only being tried.
            Err(error) if error.code() == tenterhook_domain::Code::PluginNotFound => {
                Limits::default()
            }
            Err(error) => return Err(error),
        };
        let (scope, plugin) = (scope.clone(), plugin.clone());
        Ok(Candidate::new(scope, plugin, component, metadata, limits))
    }
}

/// The workflow types of the release, and those that it no longer has and that still run.
async fn types(
    source: &Source<'_>,
    listing: &Listing,
    candidate: &Candidate,
) -> Result<Vec<String>> {
    let default = listing
        .lane
        .as_ref()
        .and_then(|it| it.default_plugin.as_ref());
    let of_default = default == Some(&candidate.plugin);
    let names = candidate.workflows.iter();
    let mut own: Vec<String> = names
        .map(|name| format!("{}.{name}", candidate.plugin))
        .collect();
    if of_default {
        own.extend(candidate.workflows.iter().cloned());
    }
    let mut gone = BTreeMap::new();
    let mut query = format!("{} AND ExecutionStatus = 'Running'", listing.query);
    for name in &own {
        query.push_str(&format!(" AND WorkflowType != {}", quoted(name)));
    }
    for listed in source.list(&query).await? {
        // Those on a lane may be another plugin's.
        let of_plugin = match listed.workflow_type.parse::<TypeName>() {
            Ok(name) => name.plugin == candidate.plugin,
            Err(_) => of_default,
        };
        if of_plugin && gone.len() < GONE_TYPES_MAX {
            gone.insert(listed.workflow_type, ());
        }
    }
    Ok(own.into_iter().chain(gone.into_keys()).collect())
}

/// Looks through some of the executions that match and chooses `most` of them, each way at least once.
async fn choose_of(
    source: &Source<'_>,
    query: &str,
    total: u64,
    most: usize,
) -> Result<Vec<Listed>> {
    if total == 0 || most == 0 {
        return Ok(Vec::new());
    }
    let looked_at = most.saturating_mul(LOOKED_AT).min(LOOKED_AT_MAX.max(most));
    let listed = source.some(query, total, looked_at).await?;
    if listed.len() <= most {
        return Ok(listed);
    }
    let seen: Vec<Option<Seen>> = stream::iter(listed.clone())
        .map(|listed| async move {
            let recorded = source.fetch(&listed).await?;
            Ok::<_, tenterhook_domain::Error>(recorded.map(|recorded| Seen {
                path: recorded.path(),
                events: recorded.events(),
            }))
        })
        .buffered(REPLAYS_AT_ONCE)
        .try_collect()
        .await?;
    let (listed, seen): (Vec<Listed>, Vec<Seen>) = listed
        .into_iter()
        .zip(seen)
        .filter_map(|(listed, seen)| Some((listed, seen?)))
        .unzip();
    let places = choose(&seen, most);
    Ok(places.into_iter().map(|at| listed[at].clone()).collect())
}

#[async_trait]
impl ReplayGate for Gate {
    async fn replay(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        digest: Digest,
        metadata: &Metadata,
        policy: &ReleasePolicy,
    ) -> Result<ReplayReport> {
        let stored = self.store.component(scope, plugin, &digest);
        let component = self.sandbox.load(digest, stored).await?;
        let candidate = self.candidate(scope, plugin, component, metadata).await?;
        self.report(&candidate, policy).await
    }

    async fn rehearse(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        component: Bytes,
        metadata: &Metadata,
        policy: &ReleasePolicy,
    ) -> Result<ReplayReport> {
        let digest = Digest::of(&component);
        let component = self.sandbox.load(digest, async { Ok(component) }).await?;
        let candidate = self.candidate(scope, plugin, component, metadata).await?;
        self.report(&candidate, policy).await
    }
}
