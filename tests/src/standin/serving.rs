//! Serving connections, with the one thing `axum::serve` cannot do: hang up instead of answering.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Connections served at once; one more waits in the listener's backlog.
const CONNECTIONS_MAX: usize = 1_024;
/// How long a client may take to send a request's headers, or idle between requests.
const HEADERS_WITHIN: Duration = Duration::from_secs(60);
/// Pause after a failed accept (no file handles left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeepAlive {
    /// It waits for the next request.
    Kept,
    /// It ends.
    Closed,
}

/// Marks a response that must never reach the client.
#[derive(Clone, Copy, Debug)]
pub(super) struct CutConnection;

impl CutConnection {
    /// A response that closes its connection without a byte.
    pub(super) fn response() -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Self);
        response
    }
}

/// Serves until `stop`, then closes every connection at once.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    keep_alive: KeepAlive,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        let room = connections.len() < CONNECTIONS_MAX;
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if room => match accepted {
                Ok((stream, _)) => { connections.spawn(serve_connection(stream, router.clone(), keep_alive)); }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    connections.shutdown().await;
}

async fn serve_connection(stream: TcpStream, router: Router, keep_alive: KeepAlive) {
    stream.set_nodelay(true).ok();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move { answer(router, request.map(Body::new)).await }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.keep_alive(keep_alive == KeepAlive::Kept)
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN);
    // It ends with an error when the client went away or the connection was cut on purpose.
    http.serve_connection(TokioIo::new(stream), service)
        .await
        .ok();
}

/// hyper closes the connection without an answer when the service errs.
async fn answer(router: Router, request: Request) -> io::Result<Response> {
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if response.extensions().get::<CutConnection>().is_some() {
        return Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "cut by a switch",
        ));
    }
    Ok(response)
}
