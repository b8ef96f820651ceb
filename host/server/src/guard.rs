//! What every request passes before its handler: a name for the log, room, a token that may, and a time-out.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRequestParts as _, MatchedPath, RawPathParams, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use tenterhook_domain::{
    Code, Error, Result, TenantId,
    audit::Author,
    token::{self, Principal},
};
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::{
    Access, Api, Operation, Route,
    problem::{Answer, Problem},
    request::path_invalid,
};

/// Requests under way at once, those that wait included.
pub const REQUESTS_MAX: usize = 1_024;
/// How long a request waits for its turn while [`REQUESTS_MAX`] others are under way.
pub const ROOM_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a request may take; longer than any wait that a caller may ask for.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// How long the upload and check of a component may take.
pub const UPLOAD_TIMEOUT: Duration = Duration::from_secs(300);
/// Longest `Authorization` header that is looked at, in bytes.
const AUTHORIZATION_BYTES_MAX: usize = 512;

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
    guarded(&api, route, request, next)
        .await
        .unwrap_or_else(|problem| problem.into_response())
}

/// Who calls: the token and what it speaks for.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) token: String,
    pub(crate) principal: Principal,
}

impl Caller {
    /// The caller as the audit log names it.
    pub(crate) fn author(&self) -> Author {
        Author {
            who: format!("token:{}", self.token),
            from: String::new(),
            why: String::new(),
        }
    }
}

async fn guarded(api: &Api, route: &Route, request: Request, next: Next) -> Answer {
    // An overloaded host still says that it lives.
    if route.access == Access::Open {
        return Ok(next.run(request).await);
    }
    let room = timeout(ROOM_TIMEOUT, api.requests.clone().acquire_owned()).await;
    let Ok(Ok(_room)) = room else {
        return Err(Problem::from(Error::new(
            Code::RequestTimeout,
            format!("the host has {REQUESTS_MAX} requests under way: try again"),
        )));
    };
    let limit = match route.operation {
        Operation::PushRelease | Operation::CheckComponent => UPLOAD_TIMEOUT,
        _ => REQUEST_TIMEOUT,
    };
    let admitted = async {
        let (mut parts, body) = request.into_parts();
        let caller = authenticate(api, &parts.headers).await?;
        authorize(route.access, &caller.principal, &mut parts).await?;
        parts.extensions.insert(caller.principal.clone());
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

async fn authenticate(api: &Api, headers: &HeaderMap) -> Result<Caller> {
    let refused = |why: &str| {
        Error::new(
            Code::TokenInvalid,
            format!("{why}: send the header Authorization: Bearer tth_…"),
        )
    };
    let value = headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| refused("there is no token"))?;
    let text = value
        .to_str()
        .ok()
        .filter(|text| text.len() <= AUTHORIZATION_BYTES_MAX)
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let (id, secret) = text
        .and_then(token::parse)
        .ok_or_else(|| refused("the token cannot be read"))?;
    match api.state.store.tokens.find(id).await? {
        Some(record)
            if record.matches(secret) && record.is_valid_at(api.state.clock.now_millis()) =>
        {
            Ok(Caller {
                token: record.id,
                principal: record.principal,
            })
        }
        _ => Err(refused("the token is not valid")),
    }
}

async fn authorize(access: Access, principal: &Principal, parts: &mut Parts) -> Result<()> {
    match (access, principal) {
        (Access::Open | Access::Authenticated, _) | (_, Principal::Admin) => Ok(()),
        // Said before anything is looked up, so that it tells nothing of what is there.
        (Access::Admin, _) => Err(Error::new(
            Code::PermissionDenied,
            "only an admin's token may do this",
        )),
        (Access::Tenant, _) => {
            let tenant = tenant_in_path(parts).await?;
            if principal.sees(&tenant) {
                return Ok(());
            }
            // In the very words of the store for a tenant that does not exist.
            Err(Error::new(
                Code::TenantNotFound,
                format!("there is no tenant {tenant}"),
            ))
        }
    }
}

async fn tenant_in_path(parts: &mut Parts) -> Result<TenantId> {
    let params = RawPathParams::from_request_parts(parts, &())
        .await
        .map_err(|rejection| path_invalid(&rejection.body_text()))?;
    params
        .iter()
        .find(|(name, _)| *name == "tenant")
        .ok_or_else(|| {
            Error::new(
                Code::Internal,
                "a route for tenants has no tenant in its path",
            )
        })?
        .1
        .parse()
}
