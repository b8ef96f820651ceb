//! The conversation with the host over `wasi:http`.

use super::address::{Address, shown};
use super::request::{Method, Request};
use super::response::Response;
use crate::error::ActivityError;
use crate::generated::wasi::http::outgoing_handler;
use crate::generated::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse,
    Method as WireMethod, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use crate::generated::wasi::io::streams::StreamError;

/// The host's code for a destination that it leaves alone for a while, at the beginning of its words.
const CIRCUIT_OPEN: &str = "outbound-circuit-open";
/// The most bytes that one blocking write may carry (`wasi:io/streams`).
const WRITE_BYTES: usize = 4096;
/// How many bytes are asked for at once.
const READ_BYTES: u64 = 64 * 1024;

/// Sends and waits.
pub(super) fn send(request: Request, address: &Address) -> Result<Response, ActivityError> {
    let asked = format!("{} {}", request.method.name(), shown(&request.url));
    let outgoing = build(&request, address, &asked)?;
    let body = outgoing
        .body()
        .map_err(|()| ActivityError::validation(format!("{asked} cannot have a body")))?;
    let options = options(&request);
    let answer =
        outgoing_handler::handle(outgoing, Some(options)).map_err(|code| failure(&asked, &code))?;
    // A request that is refused, or whose connection breaks, is not read to its end: the answer says why.
    write(body, &request.body);
    let incoming = wait(&answer, &asked)?;
    let status = incoming.status();
    let headers = incoming.headers().entries();
    let body = read(&incoming, request.response_bytes_max, &asked)?;
    Ok(Response {
        method: request.method,
        url: shown(&request.url).to_owned(),
        status,
        headers,
        body,
    })
}

fn build(
    request: &Request,
    address: &Address,
    asked: &str,
) -> Result<OutgoingRequest, ActivityError> {
    let unfit = |what: &str| ActivityError::validation(format!("{asked} has an invalid {what}"));
    let entries: Vec<(String, Vec<u8>)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
        .chain(content_length(request))
        .collect();
    let headers = Fields::from_list(&entries).map_err(|_| unfit("header"))?;
    let outgoing = OutgoingRequest::new(headers);
    let method = match request.method {
        Method::Get => WireMethod::Get,
        Method::Head => WireMethod::Head,
        Method::Post => WireMethod::Post,
        Method::Put => WireMethod::Put,
        Method::Patch => WireMethod::Patch,
        Method::Delete => WireMethod::Delete,
    };
    let scheme = if address.secure {
        Scheme::Https
    } else {
        Scheme::Http
    };
    outgoing.set_method(&method).map_err(|()| unfit("method"))?;
    outgoing
        .set_scheme(Some(&scheme))
        .map_err(|()| unfit("scheme"))?;
    outgoing
        .set_authority(Some(&address.authority))
        .map_err(|()| unfit("host"))?;
    outgoing
        .set_path_with_query(Some(&address.path_with_query))
        .map_err(|()| unfit("path"))?;
    Ok(outgoing)
}

/// The body's length, so that it is not sent in chunks; methods that usually have none send none.
fn content_length(request: &Request) -> Option<(String, Vec<u8>)> {
    let reads = matches!(request.method, Method::Get | Method::Head | Method::Delete);
    (!request.body.is_empty() || !reads).then(|| {
        (
            "content-length".to_owned(),
            request.body.len().to_string().into_bytes(),
        )
    })
}

fn options(request: &Request) -> RequestOptions {
    let nanos = |duration: std::time::Duration| u64::try_from(duration.as_nanos()).ok();
    let options = RequestOptions::new();
    // A host may not support one of them; then its own limits hold.
    let _ = options.set_connect_timeout(nanos(request.connect_timeout));
    let _ = options.set_first_byte_timeout(nanos(request.answer_timeout));
    let _ = options.set_between_bytes_timeout(nanos(request.answer_timeout));
    options
}

/// Sends a body, as far as it is taken. Whatever goes wrong is told by the answer, which knows more: a broken stream
/// says that the request failed, and not why.
fn write(body: OutgoingBody, bytes: &[u8]) {
    if !bytes.is_empty() {
        let Ok(stream) = body.write() else {
            return;
        };
        for chunk in bytes.chunks(WRITE_BYTES) {
            if stream.blocking_write_and_flush(chunk).is_err() {
                break;
            }
        }
    }
    // Refused for what was not taken: the answer is there.
    let _ = OutgoingBody::finish(body, None);
}

fn wait(answer: &FutureIncomingResponse, asked: &str) -> Result<IncomingResponse, ActivityError> {
    loop {
        match answer.get() {
            Some(Ok(result)) => return result.map_err(|code| failure(asked, &code)),
            // Taken twice: cannot happen, for the first time returns.
            Some(Err(())) => {
                return Err(ActivityError::network(format!(
                    "{asked}: the answer is gone"
                )));
            }
            None => answer.subscribe().block(),
        }
    }
}

fn read(
    incoming: &IncomingResponse,
    bytes_max: usize,
    asked: &str,
) -> Result<Vec<u8>, ActivityError> {
    let broken =
        || ActivityError::network(format!("{asked}: the connection broke while answering"));
    let body: IncomingBody = incoming.consume().map_err(|()| broken())?;
    let stream = body.stream().map_err(|()| broken())?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(broken().with_reason(&error.to_debug_string()));
            }
        }
        if bytes.len() > bytes_max {
            return Err(ActivityError::external_service(format!(
                "{asked} answered with more than {bytes_max} bytes"
            )));
        }
    }
}

/// What the host's error code means in the taxonomy.
fn failure(asked: &str, code: &ErrorCode) -> ActivityError {
    let message = format!("{asked} failed: {code:?}");
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            ActivityError::authorization(message)
        }
        ErrorCode::HttpRequestLengthRequired
        | ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_) => ActivityError::validation(message),
        ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_)
        | ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_)
        | ErrorCode::HttpResponseTransferCoding(_)
        | ErrorCode::HttpResponseContentCoding(_)
        | ErrorCode::HttpUpgradeFailed
        | ErrorCode::HttpProtocolError
        | ErrorCode::LoopDetected => ActivityError::external_service(message),
        // The other side is broken, and was not even asked.
        ErrorCode::InternalError(Some(words)) if words.starts_with(CIRCUIT_OPEN) => {
            ActivityError::external_service(message)
        }
        _ => ActivityError::network(message),
    }
}
