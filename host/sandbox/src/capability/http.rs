//! `wasi:http`: outbound requests to hosts that are both wanted and granted, over connections of the host's own.
//!
//! A request passes three gates: the plugin wants the host and the operator grants it (before anything is sent);
//! the address that the name resolves to may be reached (before connecting, and it is that address that is
//! connected to); and the limits on number, time and size. On its way between the first two, secrets are put in, and
//! what comes back is searched for them. A destination that keeps failing is left alone for a while (`breaker`).

mod address;
mod body;
mod breaker;
mod connect;
mod gate;
mod mask;
mod notice;
mod pool;
mod request_body;
mod resolve;
mod secret;
mod transport;

use std::sync::Arc;

use ::http::{Request, Response, Uri, uri::Scheme};
use tenterhook_domain::grant::HostPattern;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
};

use super::{Capability, Shared, SharedLog};
use crate::activity::{ActivityAccess, ActivityState, Ending};

use self::gate::Gate;
pub(crate) use self::{breaker::Breakers, pool::Outbound};
pub use self::{resolve::Resolver, secret::Secrets};

/// Marks a wanted host that is given by the URL in a configuration key.
const WANTED_BY_CONFIG: &str = "config:";

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
        self.hooks.gate.ending()
    }
}

impl Capability for Http {
    fn link(linker: &mut Linker<ActivityState>) -> wasmtime::Result<()> {
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
    }

    fn instance_state(access: &ActivityAccess, shared: &Arc<Shared>, log: &SharedLog) -> Self {
        let gate = Gate::new(access, wanted_hosts(access), shared, log);
        Self {
            ctx: WasiHttpCtx::new(),
            hooks: Hooks {
                sent: 0,
                gate: Arc::new(gate),
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

/// Which addresses connections may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Reach {
    /// True: private, loopback and link-local ones too.
    pub(crate) private_network: bool,
    /// True: without TLS, none but those.
    pub(crate) inside_only: bool,
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
