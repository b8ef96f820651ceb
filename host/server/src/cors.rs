//! What browsers are told of the codec endpoint: pages that the operator named may call it, as Temporal's UI does. Of all
//! else they are told nothing, which to a browser is no.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::{Api, Operation, ROUTES};

/// What Temporal's UI sends along.
const HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, x-namespace");
const METHODS: HeaderValue = HeaderValue::from_static("POST");
/// For how long a browser need not ask again, in seconds.
const REMEMBERED_SECONDS: HeaderValue = HeaderValue::from_static("600");

/// Answers a browser's question before a call, and says in the answer of one who may read it.
pub(crate) async fn cors(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let origin = allowed(&api, request.headers()).filter(|_| is_codec(request.uri().path()));
    let Some(origin) = origin else {
        return next.run(request).await;
    };
    let asks = request.method() == Method::OPTIONS;
    let mut response = match asks {
        true => {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    if asks {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_SECONDS);
    }
    response
}

fn allowed(api: &Api, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let origins = &api.state.codec_origins;
    let known = origins.iter().any(|known| known.as_bytes() == origin);
    known.then(|| origin.clone())
}

/// True for the path of a codec's operation, whoever's it is.
fn is_codec(path: &str) -> bool {
    let same = |pattern: &str| {
        let (mut parts, mut pattern) = (path.split('/'), pattern.split('/'));
        loop {
            match (parts.next(), pattern.next()) {
                (None, None) => return true,
                (Some(part), Some(name)) if name.starts_with('{') || name == part => {}
                _ => return false,
            }
        }
    };
    ROUTES
        .iter()
        .filter(|route| {
            matches!(
                route.operation,
                Operation::DecodePayloads | Operation::EncodePayloads
            )
        })
        .any(|route| same(route.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_codec_is_for_browsers() {
        for path in [
            "/v1/tenants/acme/codec/decode",
            "/v1/tenants/x/codec/encode",
        ] {
            assert!(is_codec(path), "{path}");
        }
        for path in [
            "/",
            "/v1/tenants/acme/codec",
            "/v1/tenants/acme/codec/decode/more",
            "/v1/tenants/acme/keys",
            "/v1/tokens",
        ] {
            assert!(!is_codec(path), "{path}");
        }
    }
}
