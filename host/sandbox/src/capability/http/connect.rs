//! From a name to a connection: resolve, check, connect to exactly the address that was checked.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ::http::{Uri, uri::Scheme};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use wasmtime_wasi_http::Error;

use super::{address, port_of};

/// Longest time to resolve a name.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time to connect to one address, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("the URI has no host")]
    NoHost,
    #[error("the name cannot be resolved")]
    NotFound,
    #[error("the name was not resolved in time")]
    ResolveTimeout,
    #[error("{address} may not be reached: it is {why}")]
    Prohibited { address: IpAddr, why: &'static str },
    #[error("the connection was not made in time")]
    Timeout,
    #[error("the connection was refused")]
    Refused,
    #[error("the host cannot be reached")]
    Unreachable,
    #[error("the TLS certificate is not trusted")]
    Certificate,
    #[error("TLS failed")]
    Tls,
}

impl ConnectError {
    /// What the guest is told.
    pub(super) fn to_wasi(&self) -> Error {
        match self {
            Self::NoHost => Error::HttpRequestUriInvalid,
            Self::NotFound => Error::DnsError {
                rcode: Some("NXDOMAIN".to_owned()),
                info_code: None,
            },
            Self::ResolveTimeout => Error::DnsTimeout,
            Self::Prohibited { .. } => Error::DestinationIpProhibited,
            Self::Timeout => Error::ConnectionTimeout,
            Self::Refused => Error::ConnectionRefused,
            Self::Unreachable => Error::DestinationUnavailable,
            Self::Certificate => Error::TlsCertificateError,
            Self::Tls => Error::TlsProtocolError,
        }
    }

    fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::Timeout,
            _ => Self::Unreachable,
        }
    }

    fn of_tls(error: &io::Error) -> Self {
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidCertificate(_)) => Self::Certificate,
            _ => Self::Tls,
        }
    }
}

/// Makes connections for one pool.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) private_network: bool,
}

/// What a connector's call answers with.
pub(super) type Connecting =
    Pin<Box<dyn Future<Output = Result<TokioIo<Transport>, ConnectError>> + Send>>;

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Transport>;
    type Error = ConnectError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&uri).await.map(TokioIo::new) })
    }
}

impl Connector {
    async fn connect(&self, uri: &Uri) -> Result<Transport, ConnectError> {
        let host = uri.host().ok_or(ConnectError::NoHost)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = self.resolve(host, port_of(uri)).await?;
        let mut failed = ConnectError::NotFound;
        for address in addresses {
            let attempt = self.connect_to(address, host, uri.scheme() == Some(&Scheme::HTTP));
            match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
                Ok(Ok(transport)) => return Ok(transport),
                Ok(Err(error)) => failed = error,
                Err(_) => failed = ConnectError::Timeout,
            }
        }
        Err(failed)
    }

    /// The addresses of `host` that may be reached.
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        let lookup = tokio::net::lookup_host((host, port));
        let found: Vec<SocketAddr> = tokio::time::timeout(RESOLVE_TIMEOUT, lookup)
            .await
            .map_err(|_| ConnectError::ResolveTimeout)?
            .map_err(|_| ConnectError::NotFound)?
            .collect();
        let mut allowed = Vec::new();
        let mut refused = None;
        for found in found {
            match address::prohibited(found.ip(), self.private_network) {
                None => allowed.push(found),
                Some(why) => {
                    refused = Some(ConnectError::Prohibited {
                        address: found.ip(),
                        why,
                    });
                }
            }
        }
        allowed.truncate(ADDRESSES_MAX);
        match refused {
            Some(refused) if allowed.is_empty() => Err(refused),
            _ => Ok(allowed),
        }
    }

    async fn connect_to(
        &self,
        address: SocketAddr,
        host: &str,
        plain: bool,
    ) -> Result<Transport, ConnectError> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| ConnectError::of_io(&error))?;
        stream
            .set_nodelay(true)
            .map_err(|error| ConnectError::of_io(&error))?;
        if plain {
            return Ok(Transport::Plain(stream));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::NoHost)?;
        let stream = TlsConnector::from(self.tls.clone())
            .connect(name, stream)
            .await
            .map_err(|error| ConnectError::of_tls(&error))?;
        Ok(Transport::Tls(Box::new(stream)))
    }
}

/// A connection, with TLS or without.
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection for Transport {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
