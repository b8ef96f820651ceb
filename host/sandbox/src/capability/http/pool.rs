//! Kept-alive connections: a pool for each plugin of each scope, so that no tenant meets another's connections.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tenterhook_domain::{Code, Error, PluginName, Result, Scope, TenantId};
use wasmtime_wasi_http::WasiBody;

use super::{
    Reach,
    connect::Connector,
    resolve::{Resolver, System},
};
use crate::{owner::Owner, places::Places};

/// Most pools; the one used longest ago goes, and with it its idle connections.
const POOLS_MAX: usize = 1000;
/// Most idle connections to one host in one pool.
const IDLE_MAX: usize = 8;
/// How long a connection is kept idle.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Where somebody waits for a place, idle connections of pools that were not used for so long give theirs.
pub(super) const GIVE_WAY: Duration = Duration::from_secs(1);
/// Most bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// So many connections of one tenant may wait for a place, for each place that there is; of all together twice as many.
const WAITING_PER_PLACE: usize = 1;

type HttpClient = Client<Connector, WasiBody>;

/// Whose connections, and to which networks.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    scope: Scope,
    plugin: PluginName,
    reach: Reach,
    /// The tenant's shares: with others it gets another pool.
    weight: u16,
}

type Pools = HashMap<Key, Pool>;

struct Pool {
    client: HttpClient,
    /// When it was used last.
    used: Instant,
}

/// The pools as the connections in them know them, which are made for who waits for places.
#[derive(Clone, Default)]
pub(super) struct Neighbours {
    pools: Weak<Mutex<Pools>>,
}

impl Neighbours {
    /// Closes idle connections of pools that nobody used of late: those of `tenant`, or those `of_all`. A connection
    /// with a request under way closes after it.
    pub(super) fn give_way(&self, tenant: &TenantId, of_all: bool) {
        let Some(pools) = self.pools.upgrade() else {
            return;
        };
        let gone: Vec<(Key, Pool)> = lock(&pools)
            .extract_if(|key, pool| {
                (of_all || key.scope.tenant == *tenant) && pool.used.elapsed() >= GIVE_WAY
            })
            .collect();
        // Not under the lock: each connection gives its place to somebody.
        drop(gone);
    }
}

fn lock(pools: &Mutex<Pools>) -> MutexGuard<'_, Pools> {
    pools.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All outbound connections of the host.
pub(crate) struct Outbound {
    tls: Arc<ClientConfig>,
    resolver: Arc<dyn Resolver>,
    places: Places,
    pools: Arc<Mutex<Pools>>,
}

impl Outbound {
    /// Reads the machine's trusted certificates. Names are resolved by `resolver`, or as the machine does it. There
    /// are at most so many `connections` at once, shared between tenants.
    ///
    /// # Errors
    /// `internal` when TLS cannot be set up.
    pub(crate) fn new(resolver: Option<Arc<dyn Resolver>>, connections: usize) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "a trusted certificate of this machine cannot be read");
        }
        let (usable, _) = roots.add_parsable_certificates(found.certs);
        if usable == 0 {
            tracing::warn!("this machine has no trusted certificates: outbound https will fail");
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new(Code::Internal, "TLS cannot be set up").caused_by(error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let waiting = WAITING_PER_PLACE * connections;
        Ok(Self {
            tls: Arc::new(tls),
            resolver: resolver.unwrap_or_else(|| Arc::new(System)),
            places: Places::new(connections, waiting, 2 * waiting),
            pools: Arc::default(),
        })
    }

    /// The pool of `owner`, whose tenant has `weight` shares of all connections.
    pub(super) fn client(&self, owner: &Owner, weight: u16, reach: Reach) -> HttpClient {
        let key = Key {
            scope: owner.scope.clone(),
            plugin: owner.plugin.clone(),
            reach,
            weight,
        };
        let mut pools = lock(&self.pools);
        if let Some(pool) = pools.get_mut(&key) {
            pool.used = Instant::now();
            return pool.client.clone();
        }
        if pools.len() >= POOLS_MAX {
            // Rare, and a thousand entries: looking at each is cheaper than keeping an order.
            let oldest = pools.iter().min_by_key(|(_, pool)| pool.used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                pools.remove(&oldest);
            }
        }
        let client = self.new_client(&owner.scope.tenant, weight, reach);
        let pool = Pool {
            client: client.clone(),
            used: Instant::now(),
        };
        pools.insert(key, pool);
        client
    }

    fn new_client(&self, tenant: &TenantId, weight: u16, reach: Reach) -> HttpClient {
        Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            // The guest's request carries its Host header already.
            .set_host(false)
            .build(Connector {
                tls: self.tls.clone(),
                resolver: self.resolver.clone(),
                places: self.places.clone(),
                neighbours: Neighbours {
                    pools: Arc::downgrade(&self.pools),
                },
                tenant: tenant.clone(),
                weight,
                reach,
            })
    }
}
