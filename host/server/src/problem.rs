//! Every refusal as an RFC 9457 problem.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use tenterhook_domain::{Code, Error, TenantId, error::Kind};

/// What stands before the code in a problem's `type`.
pub const PROBLEM_TYPE: &str = "urn:tenterhook:problem:";
/// Seconds after which a caller may try again what is limited or unavailable, where nothing better is known.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// The status that answers `code`.
///
/// Each kind has one, but for two sorts of `Invalid`: 400 says that a request cannot be read, 422 that it was
/// read and what it carries breaks a rule.
pub fn status(code: Code) -> StatusCode {
    match code {
        Code::MethodNotAllowed => return StatusCode::METHOD_NOT_ALLOWED,
        Code::InputInvalid
        | Code::GrantInvalid
        | Code::ConfigInvalid
        | Code::PolicyInvalid
        | Code::QuotaInvalid
        | Code::LimitInvalid
        | Code::ScheduleInvalid
        | Code::RolloutInvalid
        | Code::DigestMismatch
        | Code::SignatureInvalid
        | Code::SignatureMissing
        | Code::TrustInvalid
        | Code::OriginInvalid
        | Code::ArtifactInvalid
        | Code::ReplayDiverges
        | Code::HistoryInvalid
        | Code::ComponentNotDeterministic
        | Code::ComponentInvalid
        | Code::ComponentIsCoreModule
        | Code::ComponentImportUnknown
        | Code::ComponentExportInvalid
        | Code::ComponentMetadataInvalid
        | Code::LaneInvalid
        | Code::ComponentCompileFailed => return StatusCode::UNPROCESSABLE_ENTITY,
        _ => {}
    }
    match code.kind() {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Precondition => StatusCode::PRECONDITION_FAILED,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Limited => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Plugin => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An error on its way out. Causes go to the log, never into the answer.
#[derive(Debug)]
pub(crate) struct Problem(Error);

/// Goes with an answer that refuses something for a quota, to be counted: whose it is, and which.
#[derive(Debug, Clone)]
pub(crate) struct QuotaRefused(pub(crate) TenantId, pub(crate) &'static str);

/// What a handler answers.
pub(crate) type Answer<T = Response> = std::result::Result<T, Problem>;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// Why something was not done (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ProblemDocument<'a> {
    /// `urn:tenterhook:problem:` and the code.
    r#type: String,
    /// What the code says, in a sentence.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// Stable: once released, it never changes its meaning.
    code: &'static str,
    /// What happened here, and what to do.
    detail: &'a str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let (code, status) = (error.code(), status(error.code()));
        let title = code.summary().trim();
        let detail = if code.kind() == Kind::Internal {
            // The sentence may name the host's own parts, which are no caller's business.
            tracing::error!(%code, error = causes(&error), "a request failed");
            title
        } else {
            tracing::debug!(%code, error = causes(&error), "a request is refused");
            error.detail()
        };
        let document = ProblemDocument {
            r#type: format!("{PROBLEM_TYPE}{code}"),
            title,
            status: status.as_u16(),
            code: code.as_str(),
            detail,
        };
        // Plain strings and a number always serialise.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        if let Some((tenant, quota)) = error.quota() {
            let refused = QuotaRefused(tenant.clone(), quota);
            response.extensions_mut().insert(refused);
        }
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        match code.kind() {
            Kind::Unauthenticated => {
                let challenge = HeaderValue::from_static("Bearer realm=\"tenterhook\"");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            Kind::Limited | Kind::Unavailable => {
                headers.insert(header::RETRY_AFTER, retry_after(&error));
            }
            _ => {}
        }
        response
    }
}

/// After how many whole seconds a caller may try again.
fn retry_after(error: &Error) -> HeaderValue {
    match error.after() {
        Some(after) => {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            HeaderValue::from(seconds.max(1))
        }
        None => RETRY_AFTER_SECONDS,
    }
}

/// An error and its causes in one line.
fn causes(error: &Error) -> String {
    let mut line = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        line = format!("{line}: {cause}");
        source = cause.source();
    }
    line
}

/// The answer to a path that is not in the table.
pub(crate) async fn no_route() -> Problem {
    Problem(Error::new(
        Code::RouteNotFound,
        "there is nothing under this path",
    ))
}

/// The answer to a method that the path does not have.
pub(crate) async fn no_method() -> Problem {
    Problem(Error::new(
        Code::MethodNotAllowed,
        "this path does not have this method: see the Allow header",
    ))
}

/// The answer when a handler panicked: a fault of the host that ends one request only.
#[allow(
    clippy::needless_pass_by_value,
    reason = "the signature is the layer's"
)]
pub(crate) fn after_panic(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Problem(Error::new(
        Code::Internal,
        format!("a handler panicked: {message}"),
    ))
    .into_response()
}
