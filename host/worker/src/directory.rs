//! Which lane a scope's executions are on, and where to look for them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use temporalio_client::{
    grpc::WorkflowService as _,
    tonic::{Code as GrpcCode, Request},
};
use temporalio_protos::temporal::api::{
    common::v1::WorkflowExecution, workflowservice::v1::DescribeNamespaceRequest,
};
use tenterhook_domain::{
    Code, Error, PluginName, Result, Scope, TenantId,
    lane::{Ids, LaneGround, LaneSettings},
};
use tenterhook_store::Store;
use tokio::sync::watch;

use crate::{
    connection::{Temporal, refusal},
    gateway,
};

/// How old may be what is known of the lanes: other hosts change them too.
pub(crate) const KNOWN_FOR: Duration = Duration::from_secs(1);

type Known = HashMap<Scope, LaneSettings>;

struct Remembered {
    lanes: Arc<Known>,
    read: Option<Instant>,
    changes: watch::Receiver<()>,
}

/// The lanes of all scopes.
pub struct Directory {
    store: Store,
    temporal: Temporal,
    task_queue: String,
    remembered: Mutex<Remembered>,
}

/// Where new executions of a scope begin.
pub(crate) struct Site {
    pub(crate) temporal: Temporal,
    pub(crate) task_queue: String,
    pub(crate) ids: Ids,
}

/// Where an execution is.
pub(crate) struct Found {
    pub(crate) temporal: Temporal,
    pub(crate) execution: WorkflowExecution,
}

/// Executions of a scope, as a query finds them.
pub(crate) struct Listing {
    pub(crate) temporal: Temporal,
    /// Can be followed by `AND …`.
    pub(crate) query: String,
    /// The scope's lane, where the listing looks at it.
    pub(crate) lane: Option<LaneSettings>,
}

impl Listing {
    /// What the caller calls the execution `temporal_id` of this listing.
    pub(crate) fn caller_id(&self, scope: &Scope, temporal_id: &str) -> Option<String> {
        let ids = self.lane.as_ref().map(|it| it.ids_of(scope, temporal_id));
        ids.unwrap_or_default().caller_id(scope, temporal_id)
    }
}

impl Directory {
    /// The lanes that `store` knows, beside the pooled one: the queue `task_queue` in the namespace of `temporal`.
    pub fn new(store: Store, temporal: Temporal, task_queue: impl Into<String>) -> Self {
        let changes = store.changes.lanes();
        Self {
            store,
            temporal,
            task_queue: task_queue.into(),
            remembered: Mutex::new(Remembered {
                lanes: Arc::default(),
                read: None,
                changes,
            }),
        }
    }

    /// All lanes of scopes' own, as of the last change of this host, and of others' within [`KNOWN_FOR`].
    pub(crate) async fn lanes(&self) -> Result<Arc<Known>> {
        if let Some(lanes) = self.recall() {
            return Ok(lanes);
        }
        let read = Instant::now();
        let lanes = match self.store.lanes.all().await {
            Ok(lanes) => Arc::new(lanes.into_iter().collect()),
            // Cut off from the store the host goes on with what it knows.
            Err(error) => return self.last_known().ok_or(error),
        };
        let mut remembered = self.lock();
        // Who read later may have been answered before.
        if remembered.read.is_none_or(|before| before < read) {
            remembered.lanes = Arc::clone(&lanes);
            remembered.read = Some(read);
        }
        Ok(lanes)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Remembered> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn recall(&self) -> Option<Arc<Known>> {
        let mut remembered = self.lock();
        // Marked as seen before the store is read: what changes later is read the next time.
        let changed = remembered.changes.has_changed().unwrap_or(false);
        remembered.changes.mark_unchanged();
        let fresh = remembered
            .read
            .is_some_and(|read| read.elapsed() < KNOWN_FOR);
        if changed {
            // Who reads at the same moment must not take what was known for what is.
            remembered.read = remembered.read.and_then(|read| read.checked_sub(KNOWN_FOR));
        }
        (fresh && !changed).then(|| remembered.lanes.clone())
    }

    fn last_known(&self) -> Option<Arc<Known>> {
        let remembered = self.lock();
        remembered.read.map(|_| remembered.lanes.clone())
    }

    pub(crate) async fn lane(&self, scope: &Scope) -> Result<Option<LaneSettings>> {
        Ok(self.lanes().await?.get(scope).cloned())
    }

    /// The namespace of a lane.
    pub(crate) fn temporal_of(&self, lane: &LaneSettings) -> Temporal {
        match &lane.namespace {
            Some(namespace) => self.temporal.in_namespace(namespace),
            None => self.temporal.clone(),
        }
    }

    /// Where executions of `scope` begin.
    pub(crate) async fn site(&self, scope: &Scope) -> Result<Site> {
        Ok(match self.lane(scope).await? {
            Some(lane) => Site {
                temporal: self.temporal_of(&lane),
                ids: lane.ids(),
                task_queue: lane.task_queue,
            },
            None => Site {
                temporal: self.temporal.clone(),
                ids: Ids::Scoped,
                task_queue: self.task_queue.clone(),
            },
        })
    }

    /// The namespaces that there are: the one that scopes share, and each scope's own.
    pub(crate) async fn namespaces(&self) -> Result<Vec<(Temporal, Option<Scope>)>> {
        let lanes = self.lanes().await?;
        let apart = lanes.iter().filter(|(_, lane)| lane.is_apart());
        let apart = apart.map(|(scope, lane)| (self.temporal_of(lane), Some(scope.clone())));
        Ok(std::iter::once((self.temporal.clone(), None))
            .chain(apart)
            .collect())
    }

    /// Where the execution is that callers of `scope` know as `id`. On a scope's own lane it may be called by its id
    /// alone; and it may be older than the lane.
    ///
    /// # Errors
    /// `workflow-id-invalid`, `workflow-not-found`, `temporal-unavailable`.
    pub(crate) async fn find(&self, scope: &Scope, id: &str) -> Result<Found> {
        let scoped = Found::of(self.temporal.clone(), scope.temporal_id(id)?);
        let Some(lane) = self.lane(scope).await? else {
            return Ok(scoped);
        };
        let plain = Ids::Plain {
            apart: lane.is_apart(),
        };
        let Ok(plain) = plain.temporal_id(scope, id) else {
            return Ok(scoped);
        };
        let plain = Found::of(self.temporal_of(&lane), plain);
        if lane.is_apart() {
            return match self.looks_like(&plain, id, None).await? {
                true => Ok(plain),
                false => Ok(scoped),
            };
        }
        // A plain id in a namespace that others use too is the scope's only on its queue.
        let queue = Some(lane.task_queue.as_str());
        match !self.looks_like(&scoped, id, None).await?
            && self.looks_like(&plain, id, queue).await?
        {
            true => Ok(plain),
            false => Ok(scoped),
        }
    }

    /// True if there is such an execution, on `queue` where one is given.
    async fn looks_like(&self, found: &Found, id: &str, queue: Option<&str>) -> Result<bool> {
        let asked = gateway::ask(&found.temporal, found.execution.clone(), id).await;
        let described = match asked {
            Err(error) if error.code() == Code::WorkflowNotFound => return Ok(false),
            asked => asked?,
        };
        let on = described.execution_config.and_then(|it| it.task_queue);
        Ok(queue.is_none_or(|queue| on.is_some_and(|on| on.name == queue)))
    }

    /// The executions of `scope`, its lane's first. Names have no quotes by their own rules, so they cannot leave a string.
    pub(crate) async fn listings(&self, scope: &Scope) -> Result<Vec<Listing>> {
        let of_scope = format!(
            "Tenant = '{}' AND Environment = '{}'",
            scope.tenant, scope.environment
        );
        self.queries(scope, &of_scope, "").await
    }

    /// The executions of a plugin. Of those that came onto its lane without this host's attributes nobody can tell whose
    /// plugin's they are, but by a bare name: they count for each of the scope.
    pub(crate) async fn listings_of(
        &self,
        scope: &Scope,
        plugin: &PluginName,
    ) -> Result<Vec<Listing>> {
        let of_plugin = format!(
            "Tenant = '{}' AND Environment = '{}' AND Plugin = '{plugin}'",
            scope.tenant, scope.environment
        );
        let on_lane = format!(" AND (Plugin = '{plugin}' OR Plugin IS NULL)");
        self.queries(scope, &of_plugin, &on_lane).await
    }

    async fn queries(&self, scope: &Scope, pooled: &str, on_lane: &str) -> Result<Vec<Listing>> {
        let on_pooled = |query: String, lane| Listing {
            temporal: self.temporal.clone(),
            query,
            lane,
        };
        let Some(lane) = self.lane(scope).await? else {
            return Ok(vec![on_pooled(pooled.to_owned(), None)]);
        };
        let on_lane = format!("TaskQueue = '{}'{on_lane}", lane.task_queue);
        if !lane.is_apart() {
            let query = format!("(({pooled}) OR ({on_lane}))");
            return Ok(vec![on_pooled(query, Some(lane))]);
        }
        let own = Listing {
            temporal: self.temporal_of(&lane),
            query: on_lane,
            lane: Some(lane),
        };
        Ok(vec![own, on_pooled(pooled.to_owned(), None)])
    }

    /// The executions of all scopes of `tenant`.
    pub(crate) async fn listings_of_tenant(&self, tenant: &TenantId) -> Result<Vec<Listing>> {
        let mut shared = format!("Tenant = '{tenant}'");
        let mut listings = Vec::new();
        for (scope, lane) in &*self.lanes().await? {
            if scope.tenant != *tenant {
                continue;
            }
            let on_lane = format!("TaskQueue = '{}'", lane.task_queue);
            match lane.is_apart() {
                true => listings.push(Listing {
                    temporal: self.temporal_of(lane),
                    query: on_lane,
                    lane: Some(lane.clone()),
                }),
                false => shared.push_str(&format!(" OR {on_lane}")),
            }
        }
        listings.push(Listing {
            temporal: self.temporal.clone(),
            query: format!("({shared})"),
            lane: None,
        });
        Ok(listings)
    }
}

impl Found {
    fn of(temporal: Temporal, workflow_id: String) -> Self {
        Self {
            temporal,
            execution: WorkflowExecution {
                workflow_id,
                run_id: String::new(),
            },
        }
    }
}

#[async_trait]
impl LaneGround for Directory {
    async fn prepare(&self, lane: &LaneSettings) -> Result<()> {
        lane.check()?;
        let refused = |why: String| Err(Error::new(Code::LaneInvalid, why));
        let Some(namespace) = &lane.namespace else {
            return match lane.task_queue == self.task_queue {
                true => refused(format!(
                    "the task queue {:?} is the pooled lane's: choose another",
                    lane.task_queue
                )),
                false => Ok(()),
            };
        };
        if namespace == self.temporal.namespace() {
            return refused(format!(
                "the namespace {namespace:?} is the hosts' own, which scopes share: leave it out"
            ));
        }
        let temporal = self.temporal.in_namespace(namespace);
        let request = DescribeNamespaceRequest {
            namespace: namespace.clone(),
            ..Default::default()
        };
        let described = temporal
            .service()
            .describe_namespace(Request::new(request))
            .await;
        match described {
            Ok(_) => temporal.ensure_search_attributes().await,
            Err(status) if status.code() == GrpcCode::NotFound => refused(format!(
                "there is no namespace {namespace:?}: make it with `temporal operator namespace create`"
            )),
            Err(status) => Err(refusal(&status, "")),
        }
    }
}
