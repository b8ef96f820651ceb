//! `wasi:http`: outbound requests to hosts that are both wanted and granted, over connections of the host's own.
//!
//! A request passes three gates: the plugin wants the host and the operator grants it (before anything is sent);
//! the address that the name resolves to may be reached (before connecting, and it is that address that is
//! connected to); and the limits on number, time and size. On its way between the first two, secrets are put in, and
//! what comes back is searched for them.

mod address;
mod body;
mod connect;
mod mask;
mod pool;
mod request_body;
mod secret;

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use ::http::{Method, Request, Response, Uri, uri::Scheme};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use tenterhook_domain::{
    Code, Error as Refused, SecretName,
    grant::{Grants, HostPattern},
    limit::Limits,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tracing::Level;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
};

use super::{Capability, Shared, SharedLog};
use crate::{
    activity::{ActivityAccess, ActivityState, Ending},
    fault::Refusal,
    owner::Owner,
};

pub(crate) use self::pool::Outbound;
pub use self::secret::Secrets;
use self::{
    body::AnswerBody,
    connect::ConnectError,
    request_body::bounded,
    secret::{Handled, Vault},
};

/// Marks a wanted host that is given by the URL in a configuration key.
const WANTED_BY_CONFIG: &str = "config:";
/// Longest URI that is sent, in bytes.
const URI_BYTES_MAX: usize = 8 * 1024;

type Sent = (
    Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
);

/// Outbound HTTP of one attempt.
pub(crate) struct Http {
    ctx: WasiHttpCtx,
    hooks: Hooks,
}

impl Http {
    pub(crate) fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiHttpCtxView<'a> {
        WasiHttpCtxView {
            ctx: &mut self.ctx,
            table,
            hooks: &mut self.hooks,
        }
    }

    /// Where a request with a secret that may not be sent ends the attempt.
    pub(crate) fn ending(&self) -> Arc<Ending> {
        self.hooks.gate.ending.clone()
    }
}

impl Capability for Http {
    fn link(linker: &mut Linker<ActivityState>) -> wasmtime::Result<()> {
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
    }

    fn instance_state(access: &ActivityAccess, shared: &Arc<Shared>, log: &SharedLog) -> Self {
        let slots = usize::try_from(access.limits.outbound_concurrency)
            .unwrap_or(Semaphore::MAX_PERMITS)
            .min(Semaphore::MAX_PERMITS);
        Self {
            ctx: WasiHttpCtx::new(),
            hooks: Hooks {
                sent: 0,
                gate: Arc::new(Gate {
                    owner: access.owner.clone(),
                    limits: access.limits.clone(),
                    grants: access.grants.clone(),
                    wanted: wanted_hosts(access),
                    shared: shared.clone(),
                    log: log.clone(),
                    slots: Arc::new(Semaphore::new(slots)),
                    vault: Vault::new(
                        access.owner.clone(),
                        access.grants.clone(),
                        shared.secrets.clone(),
                    ),
                    ending: Arc::default(),
                }),
            },
        }
    }
}

/// The hosts that the plugin asks for, with those that its configuration names.
fn wanted_hosts(access: &ActivityAccess) -> Vec<HostPattern> {
    let resolve = |wanted: &String| {
        let Some(key) = wanted.strip_prefix(WANTED_BY_CONFIG) else {
            return HostPattern::parse(wanted).ok();
        };
        let url: url::Url = access.config.get(key)?.parse().ok()?;
        let (host, port) = (url.host_str()?, url.port_or_known_default()?);
        HostPattern::parse(&format!("{host}:{port}")).ok()
    };
    access.wants.http.iter().filter_map(resolve).collect()
}

/// What `wasmtime-wasi-http` calls for each request.
struct Hooks {
    sent: u64,
    gate: Arc<Gate>,
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        self.sent = self.sent.saturating_add(1);
        let admitted = self
            .gate
            .check_count(self.sent)
            .and_then(|()| self.gate.check(request.method(), request.uri()));
        let gate = self.gate.clone();
        Box::new(async move {
            admitted?;
            gate.send(request, options.unwrap_or_default()).await
        })
    }
}

/// What decides on the requests of one attempt.
struct Gate {
    owner: Arc<Owner>,
    limits: Arc<Limits>,
    grants: Arc<Grants>,
    wanted: Vec<HostPattern>,
    shared: Arc<Shared>,
    log: SharedLog,
    slots: Arc<Semaphore>,
    vault: Vault,
    ending: Arc<Ending>,
}

impl Gate {
    fn check_count(&self, sent: u64) -> Result<(), Error> {
        let limit = self.limits.outbound_requests;
        if sent > limit {
            let what = format!("this would be request {sent} of one attempt");
            return Err(over_limit(&what, "outbound_requests", limit));
        }
        let limit = self.limits.outbound_per_second;
        if self.shared.outbound_rates.take(&self.owner, limit) {
            return Ok(());
        }
        let what = "the plugin sends requests faster than it may on one host";
        Err(over_limit(what, "outbound_per_second", limit))
    }

    /// Checks that `method` on `uri` is well formed, wanted and granted.
    fn check(&self, method: &Method, uri: &Uri) -> Result<(), Error> {
        if method == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        if uri.to_string().len() > URI_BYTES_MAX {
            return Err(Error::HttpRequestUriTooLong);
        }
        // `user:password@` would stand in the Host header.
        let plain = uri
            .authority()
            .is_some_and(|authority| !authority.as_str().contains('@'));
        let Some(host) = uri.host().filter(|host| plain && !host.is_empty()) else {
            return Err(Error::HttpRequestUriInvalid);
        };
        let port = port_of(uri);
        if !self
            .wanted
            .iter()
            .any(|pattern| pattern.matches(host, port))
        {
            self.say(&format!(
                "{}: {method} to {host}:{port}: the plugin's metadata does not ask for this host (wants.http)",
                Code::OutboundDenied
            ));
            return Err(Error::HttpRequestDenied);
        }
        if !self.grants.allows(method.as_str(), host, port) {
            self.say(&format!(
                "{}: {method} to {host}:{port}: not granted; an operator adds the host to the plugin's grants (http)",
                Code::OutboundDenied
            ));
            return Err(Error::HttpRequestDenied);
        }
        Ok(())
    }

    /// Sends a request that was admitted, and answers as soon as the answer's head is there.
    async fn send(
        self: Arc<Self>,
        mut request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Sent, Error> {
        let total = Duration::from_millis(self.limits.outbound_millis);
        let deadline = Instant::now() + total;
        let slot = timeout_at(deadline, self.slots.clone().acquire_owned())
            .await
            .map_err(|_| Error::ConnectionLimitReached)?
            .map_err(|_| Error::ConnectionLimitReached)?;
        let secrets = timeout_at(deadline, self.vault.put(&mut request))
            .await
            .map_err(|_| Error::ConnectionTimeout)?
            .map_err(|refused| self.end(&refused))?;
        let request = bounded(request, self.limits.outbound_request_body_bytes)?;
        let answer = self.head(request, &options, deadline, &secrets).await?;
        let limit = self.limits.outbound_body_bytes;
        let between = options.between_bytes_timeout.unwrap_or(total);
        let answer =
            answer.map(|incoming| AnswerBody::new(incoming, limit, between, deadline, slot));
        let answer = match secrets.masks {
            None => answer.map(AnswerBody::boxed_unsync),
            Some(masks) => masks
                .answer(answer)
                .map_err(|coding| self.unsearchable(coding))?
                .map(http_body_util::BodyExt::boxed_unsync),
        };
        Ok((answer, Box::new(async { Ok(()) })))
    }

    /// Ends the attempt: the guest cannot mend what is wrong with a secret.
    fn end(&self, refused: &Refused) -> Error {
        self.say(&format!("{}: {}", refused.code(), refused.detail()));
        if !refused.source_text().is_empty() {
            tracing::warn!(
                code = %refused.code(), cause = refused.source_text(), scope = %self.owner.scope,
                plugin = %self.owner.plugin, "a secret could not be read"
            );
        }
        self.ending
            .end(Refusal::new(refused.code(), refused.detail()));
        Error::HttpRequestDenied
    }

    /// The far side compressed its answer though it was asked not to.
    fn unsearchable(&self, coding: String) -> Error {
        self.say(&format!(
            "an answer with content-encoding {coding:?} is refused: a secret is granted for the host, and could not be \
             found in it"
        ));
        Error::HttpResponseContentCoding(Some(coding))
    }

    /// The answer's head. Connecting and waiting for it each have the time that the guest gives them, if it does.
    async fn head(
        &self,
        mut request: Request<WasiBody>,
        options: &RequestOptions,
        deadline: Instant,
        secrets: &Handled,
    ) -> Result<Response<Incoming>, Error> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let port = port_of(request.uri());
        let within = |given: Option<Duration>| {
            let given = given.and_then(|given| Instant::now().checked_add(given));
            given.map_or(deadline, |given| given.min(deadline))
        };
        let mut connection = capture_connection(&mut request);
        let reach = Reach {
            private_network: self.grants.private_network,
            inside_only: secrets.stays_inside(request.uri()),
        };
        let client = self.shared.outbound.client(&self.owner, reach);
        let mut answer = client.request(request);
        let connected = async {
            connection.wait_for_connection_metadata().await;
        };
        let answer = tokio::select! {
            biased;
            answer = &mut answer => answer,
            connected = timeout_at(within(options.connect_timeout), connected) => {
                connected.map_err(|_| Error::ConnectionTimeout)?;
                timeout_at(within(options.first_byte_timeout), answer)
                    .await
                    .map_err(|_| Error::ConnectionReadTimeout)?
            }
        };
        answer.map_err(|error| self.failed(&error, &host, port, secrets.carries.as_ref()))
    }

    /// What the guest is told of a request that could not be sent or answered.
    fn failed(
        &self,
        error: &hyper_util::client::legacy::Error,
        host: &str,
        port: u16,
        carries: Option<&SecretName>,
    ) -> Error {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(cause) = source {
            if let Some(refused) = cause.downcast_ref::<ConnectError>() {
                if let ConnectError::Prohibited { address, why } = refused {
                    self.say(&format!(
                        "{}: {host}:{port} is at {address}, which is {why}; an operator may grant private_network",
                        Code::OutboundDenied
                    ));
                }
                if let (ConnectError::Outside { address }, Some(name)) = (refused, carries) {
                    let Owner { scope, plugin, .. } = &*self.owner;
                    return self.end(&Refused::new(
                        Code::SecretNotGranted,
                        format!(
                            "plugin {plugin} of {scope} may not send secret {name} to {host}:{port}: without TLS it \
                             stays inside, and {address} is outside; use https"
                        ),
                    ));
                }
                return refused.to_wasi();
            }
            if let Some(Error::InternalError(Some(words))) = cause.downcast_ref::<Error>() {
                return Error::InternalError(Some(words.clone()));
            }
            if let Some(io) = cause.downcast_ref::<std::io::Error>() {
                return match io.kind() {
                    std::io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
                    _ => Error::ConnectionTerminated,
                };
            }
            source = cause.source();
        }
        tracing::debug!(%error, host, port, "an outbound request failed");
        Error::ConnectionTerminated
    }

    fn say(&self, message: &str) {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .line(Level::WARN, "host", message);
    }
}

/// Which addresses connections may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Reach {
    /// True: private, loopback and link-local ones too.
    pub(crate) private_network: bool,
    /// True: without TLS, none but those.
    pub(crate) inside_only: bool,
}

/// What the guest is told of a request that goes over the limit `name`.
fn over_limit(what: &str, name: &str, limit: u64) -> Error {
    Error::InternalError(Some(format!(
        "{}: {what}, its limit {name} is {limit}: send less, or have an operator raise {name} in the plugin's grants",
        Code::OutboundLimitExceeded
    )))
}

/// The port that a request goes to.
fn port_of(uri: &Uri) -> u16 {
    uri.port_u16()
        .unwrap_or(if uri.scheme() == Some(&Scheme::HTTP) {
            80
        } else {
            443
        })
}
