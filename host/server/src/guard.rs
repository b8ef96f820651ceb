//! What every request passes before its handler: a name for the log, room, a token that may, and a time-out.

mod caller;
mod permit;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderName, HeaderValue};
use tenterhook_domain::{Code, Error, tally::Tally as _};
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::{
    Access, Api, Operation, Route,
    problem::{Answer, Problem, QuotaRefused},
};

pub(crate) use caller::{Caller, Peer, REASON};

/// Requests under way at once, those that wait included.
pub const REQUESTS_MAX: usize = 1_024;
/// How long a request waits for its turn while [`REQUESTS_MAX`] others are under way.
pub const ROOM_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a request may take; longer than any wait that a caller may ask for.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// How long the upload and check of a component may take.
pub const UPLOAD_TIMEOUT: Duration = Duration::from_secs(300);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id that stands in its answer and in every log line of it.
pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let id = uuid::Uuid::now_v7().to_string();
    // The pattern and not the path: ids of executions are the tenants' own data.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("-", MatchedPath::as_str);
    let span = tracing::info_span!("request", id, method = %request.method(), route);
    let mut response = async {
        let response = next.run(request).await;
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Lets a request of `route` through if there is room and its token may; bounds its time.
pub(crate) async fn guard(
    State((api, route)): State<(Arc<Api>, &'static Route)>,
    request: Request,
    next: Next,
) -> Response {
    let response = guarded(&api, route, request, next)
        .await
        .unwrap_or_else(|problem| problem.into_response());
    if let Some(QuotaRefused(tenant, quota)) = response.extensions().get() {
        api.state.metrics.quota_refused(tenant, quota);
    }
    response
}

async fn guarded(api: &Api, route: &Route, request: Request, next: Next) -> Answer {
    // An overloaded host still says that it lives.
    if route.access == Access::Open {
        return Ok(next.run(request).await);
    }
    let room = timeout(ROOM_TIMEOUT, api.requests.clone().acquire_owned()).await;
    let Ok(Ok(_room)) = room else {
        return Err(Problem::from(Error::new(
            Code::HostBusy,
            format!("the host has {REQUESTS_MAX} requests under way: try again"),
        )));
    };
    let limit = match route.operation {
        Operation::PushRelease | Operation::PullRelease | Operation::CheckComponent => {
            UPLOAD_TIMEOUT
        }
        _ => REQUEST_TIMEOUT,
    };
    let admitted = async {
        let (mut parts, body) = request.into_parts();
        let caller = caller::authenticate(api, &parts).await?;
        // Whoever looks after the host gets in however busy a tenant is.
        let _place = match caller.principal.tenant() {
            Some(tenant) => Some(api.door.enter(&api.state, tenant).await?),
            None => None,
        };
        permit::permit(route.access, &caller.principal, &mut parts).await?;
        parts.extensions.insert(caller);
        Ok(next.run(Request::from_parts(parts, body)).await)
    };
    timeout(limit, admitted).await.unwrap_or_else(|_| {
        Err(Problem::from(Error::new(
            Code::RequestTimeout,
            format!("the request took longer than {} s", limit.as_secs()),
        )))
    })
}
