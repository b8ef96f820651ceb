//! Connections: taken one by one, bounded, and ended in order.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tenterhook_domain::{Code, Error, Result};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Api, ApiState,
    guard::Peer,
    route::{health_router, router},
};

/// Connections at once; further ones wait in the system's queue.
pub const CONNECTIONS_MAX: usize = 4_096;
/// How long a client may take to send a request's head, and how long a connection may lie idle.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests under way may go on once the host stops.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Header lines of one request.
const HEADERS_MAX: usize = 64;
/// Head of one request, in bytes; also what is read ahead of one connection.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Pause after the system refused a connection, most likely for want of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listening socket that serves the API.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens on `address`; port 0 takes a free one. Nobody is answered before [`Server::serve`].
    ///
    /// # Errors
    /// `host-config-invalid` when the address cannot be had.
    pub async fn bind(address: SocketAddr) -> Result<Self> {
        let refused = |error: std::io::Error| {
            Error::new(
                Code::HostConfigInvalid,
                format!("the API cannot listen on {address}: {error}"),
            )
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stopping`. Then no connection is taken any more, waits are cut short, and what is under
    /// way has [`STOP_TIMEOUT`] to end.
    ///
    /// # Errors
    /// None today; the sockets' own failures end one connection only.
    pub async fn serve(self, state: ApiState, stopping: CancellationToken) -> Result<()> {
        let router = router(Arc::new(Api::new(state, stopping.clone())));
        self.serve_router(router, stopping).await
    }

    /// The same for a host without an API: of all operations it has `/livez`, `/readyz` and `/metrics`.
    ///
    /// # Errors
    /// As [`Server::serve`].
    pub async fn serve_health(self, state: ApiState, stopping: CancellationToken) -> Result<()> {
        let router = health_router(Arc::new(Api::new(state, stopping.clone())));
        self.serve_router(router, stopping).await
    }

    async fn serve_router(self, router: Router, stopping: CancellationToken) -> Result<()> {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stopping.cancelled() => break,
                Some(_) = connections.join_next() => continue,
                accepted = accept(&self.listener, &room) => accepted,
            };
            let (stream, peer, place) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection was not taken");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let connection = graceful.watch(connection(stream, peer, router.clone()));
            connections.spawn(async move {
                let _place = place;
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection ended early");
                }
            });
        }
        drop(self.listener);
        if timeout(STOP_TIMEOUT, graceful.shutdown()).await.is_err() {
            tracing::warn!(open = connections.len(), "requests were cut off");
        }
        connections.shutdown().await;
        Ok(())
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = room
        .clone()
        .acquire_owned()
        .await
        .map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, place))
}

type Connection = http1::Connection<TokioIo<TcpStream>, OfPeer>;

/// The router, for the requests of one connection: each says where it comes from.
struct OfPeer {
    peer: Peer,
    router: TowerToHyperService<Router>,
}

impl Service<Request<Incoming>> for OfPeer {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.router.call(request)
    }
}

fn connection(stream: TcpStream, peer: SocketAddr, router: Router) -> Connection {
    let service = OfPeer {
        peer: Peer(peer),
        router: TowerToHyperService::new(router),
    };
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
}
