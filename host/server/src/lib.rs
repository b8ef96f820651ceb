//! The HTTP API: who may call what, what a request must look like, and what is answered.
//!
//! [`ROUTES`] is the one table of operations. The router is built from it, authorisation is decided by it
//! before a handler runs, and tests walk it. A handler reads its request, calls the store or the executions,
//! and answers JSON; every refusal is an RFC 9457 problem with a code of `domain`.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `route` | the table, and the router made of it |
//! | `door` | what a tenant's quotas let in |
//! | `guard` | room, token, tenant, time-out: what every request passes |
//! | `cors` | what browsers are told of the codec endpoint |
//! | `problem` | how an error is answered |
//! | `answer` | what handlers answer besides plain JSON |
//! | `document` | the OpenAPI document, made of the table and of what handlers read and answer |
//! | `request` | what handlers read: path, query, JSON, raw bodies |
//! | `schema` | a release's JSON Schemas, compiled once |
//! | `handle` | the handlers, by noun |
//! | `metrics` | what the host counts, and how Prometheus reads it |
//! | `serving` | connections, and the way they end |

mod answer;
mod cors;
mod document;
mod door;
mod guard;
mod handle;
mod metrics;
mod problem;
mod request;
mod route;
mod schema;
mod serving;

use std::sync::Arc;

use tenterhook_domain::{
    Result, circuit::Circuits, clock::Clock, execution::Executions, lane::LaneGround,
    limit::LimitOverrides, memory::InstanceMemory, origin::Registries, payload_key::PayloadCodec,
    replay::Rehearsal, rollout::Census, schedule::Schedules, secret_key::SecretKeyring,
    trust::Signatures,
};
use tenterhook_store::Store;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use document::document;
pub use guard::{REQUEST_TIMEOUT, REQUESTS_MAX, ROOM_TIMEOUT, UPLOAD_TIMEOUT};
pub use handle::{codec::CODEC_PAYLOADS_MAX, secret::RESEALED_MAX};
pub use metrics::{Metrics, OTHERS, SERIES_MAX};
pub use problem::{PROBLEM_TYPE, status};
pub use request::{JSON_BYTES_MAX, PAGE_DEFAULT, PAYLOADS_BYTES_MAX, WAIT_MAX};
pub use route::{Access, Operation, ROUTES, Route, Verb};
pub use serving::{CONNECTIONS_MAX, HEADER_TIMEOUT, STOP_TIMEOUT, Server};

/// Components that are received and checked at once; each is held in memory as a whole.
pub const UPLOADS_MAX: usize = 4;
/// Components that are pulled from registries at once; each is held in memory as a whole.
pub const PULLS_MAX: usize = 2;

/// Says if the host can do its work.
#[async_trait::async_trait]
pub trait Readiness: Send + Sync + 'static {
    /// Asks the parts that the host needs.
    ///
    /// # Errors
    /// The first part that does not answer.
    async fn check(&self) -> Result<()>;
}

/// What the API stands on. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// Tenants, plugins, releases, tokens.
    pub store: Store,
    /// Workflow executions.
    pub executions: Arc<dyn Executions>,
    /// What Temporal starts by itself.
    pub schedules: Arc<dyn Schedules>,
    /// Where lanes of environments' own are worked.
    pub lanes: Arc<dyn LaneGround>,
    /// Counts the executions of a release; none where nobody can.
    pub census: Option<Arc<dyn Census>>,
    /// What any plugin gets at most on this host, for the table of its limits.
    pub ceilings: LimitOverrides,
    /// Looks at components that are not kept.
    pub rehearsal: Arc<dyn Rehearsal>,
    /// Where components may be pulled from.
    pub registries: Arc<dyn Registries>,
    /// Says which keys and identities signatures can be verified by.
    pub signatures: Arc<dyn Signatures>,
    /// The keys that secrets are encrypted under.
    pub secret_keys: Arc<dyn SecretKeyring>,
    /// Shows payloads of a tenant as they were before they were encrypted.
    pub codec: Arc<dyn PayloadCodec>,
    /// Pages that may call the codec's endpoint from a browser, each an origin.
    pub codec_origins: Vec<String>,
    /// Which destinations of outbound requests are left alone.
    pub circuits: Arc<dyn Circuits>,
    /// What this host's instances hold of its memory.
    pub memory: Arc<dyn InstanceMemory>,
    /// What the host counts.
    pub metrics: Arc<Metrics>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// What `/readyz` asks.
    pub readiness: Arc<dyn Readiness>,
}

/// What handlers share.
struct Api {
    state: ApiState,
    schemas: schema::Schemas,
    door: door::Door,
    requests: Arc<Semaphore>,
    uploads: Semaphore,
    pulls: Semaphore,
    stopping: CancellationToken,
}

impl Api {
    fn new(state: ApiState, stopping: CancellationToken) -> Self {
        Self {
            state,
            schemas: schema::Schemas::default(),
            door: door::Door::default(),
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
            uploads: Semaphore::new(UPLOADS_MAX),
            pulls: Semaphore::new(PULLS_MAX),
            stopping,
        }
    }
}
