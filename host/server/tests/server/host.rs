//! A host of these tests: the API on a free port over a store in a temporary folder.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tempfile::TempDir;
use tenterhook_domain::{
    Result, Scope,
    clock::Clock,
    limit::LimitOverrides,
    token::{self, Principal},
};
use tenterhook_registry::OciRegistries;
use tenterhook_release::{Checks, Rehearsals};
use tenterhook_server::{ApiState, Metrics, Server};
use tenterhook_signature::SigstoreSignatures;
use tenterhook_store::Store;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    encryption::FakeCodec,
    fake::{FakeCensus, FakeExecutions, FakeGate, FakeInspector, FakeReadiness, MAGIC},
    schedules::{DAILY, FakeSchedules, SCHEDULES},
    secrets::FakeKeys,
};

/// The scope that tests work in.
pub(crate) const SCOPE: &str = "/v1/tenants/acme/environments/production";
/// The plugin in it.
pub(crate) const PLUGIN: &str = "/v1/tenants/acme/environments/production/plugins/payment";
/// Its executions.
pub(crate) const WORKFLOWS: &str = "/v1/tenants/acme/environments/production/workflows";
/// When every release of these tests is uploaded.
pub(crate) const NOW: u64 = 1_700_000_000_000;

/// Stands still unless a test moves it.
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn forward(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_millis(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

pub(crate) struct Host {
    pub(crate) store: Store,
    pub(crate) executions: Arc<FakeExecutions>,
    pub(crate) schedules: Arc<FakeSchedules>,
    pub(crate) census: Arc<FakeCensus>,
    pub(crate) metrics: Arc<Metrics>,
    /// What secrets are encrypted under; a key from the start.
    pub(crate) secret_keys: Arc<FakeKeys>,
    pub(crate) clock: Arc<TestClock>,
    /// Lets the checks of slow components end.
    pub(crate) go_on: Arc<Notify>,
    pub(crate) not_ready: Arc<Mutex<bool>>,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: JoinHandle<Result<()>>,
    pub(crate) address: std::net::SocketAddr,
    http: HttpClient<HttpConnector, Full<Bytes>>,
    _folder: TempDir,
}

/// A running host that knows nothing yet.
pub(crate) async fn host() -> Host {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let executions = Arc::new(FakeExecutions::default());
    let schedules = Arc::new(FakeSchedules::default());
    let census = Arc::new(FakeCensus::default());
    let inspector = Arc::new(FakeInspector::default());
    let go_on = inspector.go_on.clone();
    let gate = Arc::new(FakeGate);
    let readiness = FakeReadiness::default();
    let not_ready = readiness.failing.clone();
    let secret_keys = Arc::new(FakeKeys::default());
    let clock = Arc::new(TestClock(AtomicU64::new(NOW)));
    let signatures = Arc::new(SigstoreSignatures::new(None).unwrap());
    let metrics = Arc::new(Metrics::new().unwrap());
    let state = ApiState {
        store: store.clone(),
        executions: executions.clone(),
        schedules: schedules.clone(),
        census: Some(census.clone()),
        lanes: Arc::new(crate::lanes::FakeGround),
        ceilings: LimitOverrides([("outbound_requests".to_owned(), 500)].into()),
        rehearsal: Arc::new(Rehearsals::new(
            store.clone(),
            inspector.clone(),
            gate.clone(),
        )),
        registries: Arc::new(OciRegistries::default()),
        signatures: signatures.clone(),
        secret_keys: secret_keys.clone(),
        codec: Arc::new(FakeCodec),
        codec_origins: vec!["https://temporal.example".to_owned()],
        circuits: Arc::new(crate::circuits::FakeCircuits),
        memory: Arc::new(crate::metrics::FakeMemory),
        metrics: metrics.clone(),
        clock: clock.clone(),
        readiness: Arc::new(readiness),
    };
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.local_addr();
    let stop = CancellationToken::new();
    let checks = Checks::new(
        store.clone(),
        inspector,
        Some(gate),
        signatures,
        clock.clone(),
        Arc::new(()),
        "test",
    );
    tokio::spawn(checks.run(stop.clone()));
    Host {
        store,
        executions,
        schedules,
        census,
        metrics,
        secret_keys,
        clock,
        go_on,
        not_ready,
        serving: tokio::spawn(server.serve(state, stop.clone())),
        stop,
        address,
        http: HttpClient::builder(TokioExecutor::new()).build_http(),
        _folder: folder,
    }
}

/// A running host with the tenants `acme` and `globex`, the plugin `payment` in acme's `production`, a
/// running execution `order/1` and a schedule `daily` of it.
pub(crate) async fn furnished() -> Host {
    let host = host().await;
    for scope in ["acme/production", "globex/production"] {
        let scope: Scope = scope.parse().unwrap();
        host.store.tenants.put(&scope.tenant).await.unwrap();
        host.store.environments.put(&scope).await.unwrap();
    }
    let admin = host.admin().await;
    let pushed = admin.push(PLUGIN, &component("1.0.0")).await;
    assert_eq!(pushed.status, 201, "{:?}", pushed.json);
    let start = r#"{"type": "payment.Pay", "id": "order/1", "input": {"amount": 1}}"#;
    let started = admin.post(WORKFLOWS, start).await;
    assert_eq!(started.status, 202, "{:?}", started.json);
    let made = admin.put(&format!("{SCHEDULES}/daily"), DAILY).await;
    assert_eq!(made.status, 201, "{:?}", made.json);
    host
}

/// A component that the inspector of these tests accepts.
pub(crate) fn component(version: &str) -> Vec<u8> {
    [MAGIC, version.as_bytes()].concat()
}

impl Host {
    /// A caller without a token.
    pub(crate) fn nobody(&self) -> Caller<'_> {
        Caller {
            host: self,
            token: None,
            headers: HeaderMap::new(),
        }
    }

    /// A caller with a new token for `principal`.
    pub(crate) async fn caller(&self, principal: Principal) -> Caller<'_> {
        let token = token::issue(principal, "of a test", NOW, None).unwrap();
        self.store.tokens.insert(&token.record).await.unwrap();
        Caller {
            host: self,
            token: Some(token.text),
            headers: HeaderMap::new(),
        }
    }

    pub(crate) async fn admin(&self) -> Caller<'_> {
        self.caller(Principal::Admin).await
    }

    /// An operator of the tenant.
    pub(crate) async fn tenant(&self, name: &str) -> Caller<'_> {
        let tenant = name.parse().unwrap();
        self.caller(Principal::Operator { tenant }).await
    }

    /// An author of a plugin, given as `acme/production` and `payment`.
    pub(crate) async fn author(&self, scope: &str, plugin: &str) -> Caller<'_> {
        let (scope, plugin) = (scope.parse().unwrap(), plugin.parse().unwrap());
        self.caller(Principal::Author { scope, plugin }).await
    }

    /// A caller of workflows of `acme/production` or the like.
    pub(crate) async fn client(&self, scope: &str) -> Caller<'_> {
        let scope = scope.parse().unwrap();
        self.caller(Principal::Caller { scope }).await
    }
}

/// Somebody who calls the API.
#[derive(Clone)]
pub(crate) struct Caller<'a> {
    pub(crate) host: &'a Host,
    pub(crate) token: Option<String>,
    /// Sent with every request.
    pub(crate) headers: HeaderMap,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or("none")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Caller<'_> {
    /// The same caller, who sends this header too.
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut caller = self.clone();
        caller.headers.insert(name, value.parse().unwrap());
        caller
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Body<'_>) -> Answer {
        let mut request = Request::builder()
            .method(method.parse::<Method>().unwrap())
            .uri(format!("http://{}{path}", self.host.address));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let (media_type, bytes) = match body {
            Body::None => (None, Bytes::new()),
            Body::Json(text) => (
                Some("application/json"),
                Bytes::copy_from_slice(text.as_bytes()),
            ),
            Body::Component(bytes) => (Some("application/wasm"), Bytes::copy_from_slice(bytes)),
            Body::Form(bytes) => (
                Some("multipart/form-data; boundary=X"),
                Bytes::copy_from_slice(bytes),
            ),
        };
        if let Some(media_type) = media_type {
            request = request.header(header::CONTENT_TYPE, media_type);
        }
        let mut request = request.body(Full::new(bytes)).unwrap();
        request.headers_mut().extend(self.headers.clone());
        let (parts, body) = self.host.http.request(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            // What is no JSON is a page, kept as text.
            json: if bytes.is_empty() {
                Value::Null
            } else {
                let text = String::from_utf8_lossy(&bytes);
                serde_json::from_str(&text).unwrap_or_else(|_| text.into())
            },
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, Body::None).await
    }

    pub(crate) async fn put(&self, path: &str, json: &str) -> Answer {
        self.send("PUT", path, Body::Json(json)).await
    }

    pub(crate) async fn post(&self, path: &str, json: &str) -> Answer {
        self.send("POST", path, Body::Json(json)).await
    }

    pub(crate) async fn push(&self, plugin: &str, component: &[u8]) -> Answer {
        let path = format!("{plugin}/releases");
        self.send("POST", &path, Body::Component(component)).await
    }
}

/// What is sent along.
#[derive(Clone, Copy)]
pub(crate) enum Body<'a> {
    None,
    Json(&'a str),
    Component(&'a [u8]),
    /// The parts of a form, parted by `--X`.
    Form(&'a [u8]),
}
