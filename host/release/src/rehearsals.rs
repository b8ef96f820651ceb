//! Checks of components that are not kept: what authors and their CI ask before they push.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tenterhook_domain::{
    Code, Error, PluginName, Result, Scope,
    component::{InspectionContext, Inspector},
    grant::Grants,
    policy::ReleasePolicy,
    replay::{Rehearsal, Rehearsed, ReplayGate},
};
use tenterhook_store::Store;
use tokio::sync::Semaphore;

use crate::checks::replay_check;

/// Components that one host rehearses at once: releases go before.
pub const REHEARSALS_MAX: usize = 1;

/// [`Rehearsal`] by the same inspector and gate as releases are checked by.
pub struct Rehearsals {
    store: Store,
    inspector: Arc<dyn Inspector>,
    gate: Arc<dyn ReplayGate>,
    turns: Semaphore,
}

impl Rehearsals {
    /// Rehearsals by `inspector` and `gate`.
    pub fn new(store: Store, inspector: Arc<dyn Inspector>, gate: Arc<dyn ReplayGate>) -> Self {
        Self {
            store,
            inspector,
            gate,
            turns: Semaphore::new(REHEARSALS_MAX),
        }
    }

    /// What the plugin may do and how its releases are handled; of one that is not there, what a new one gets.
    async fn terms(&self, scope: &Scope, plugin: &PluginName) -> Result<(Grants, ReleasePolicy)> {
        match self.store.plugins.snapshot(scope, plugin).await {
            Ok(snapshot) => Ok((snapshot.bounded_grants(), snapshot.policy)),
            Err(error) if error.code() == Code::PluginNotFound => Ok(Default::default()),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Rehearsal for Rehearsals {
    async fn rehearse(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        component: Bytes,
    ) -> Result<Rehearsed> {
        let _turn = self.turns.acquire().await.map_err(|error| {
            Error::new(Code::Internal, "rehearsals have no turns").caused_by(error)
        })?;
        let (grants, policy) = self.terms(scope, plugin).await?;
        let current = match self.store.releases.current(scope, plugin).await {
            Err(error) if error.code() == Code::PluginNotFound => None,
            current => current?,
        };
        let context = InspectionContext {
            plugin,
            grants: &grants,
            current: current.as_ref().map(|release| &release.metadata),
        };
        let inspection = self
            .inspector
            .inspect(context, component.clone(), &|_| {})
            .await?;
        let refused = inspection.refusal().is_some();
        let mut rehearsed = Rehearsed {
            metadata: inspection.metadata,
            checks: inspection.checks,
            replay: None,
        };
        if !refused {
            let metadata = &rehearsed.metadata;
            let report = self
                .gate
                .rehearse(scope, plugin, component, metadata, &policy)
                .await?;
            rehearsed.checks.push(replay_check(&report, &policy));
            rehearsed.replay = Some(report);
        }
        Ok(rehearsed)
    }
}
