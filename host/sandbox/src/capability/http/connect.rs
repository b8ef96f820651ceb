//! From a name to a connection: resolve, check, connect to exactly the address that was checked.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ::http::{Uri, uri::Scheme};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tenterhook_domain::TenantId;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::Error;

use super::{
    Reach,
    pool::{GIVE_WAY, IDLE_TIMEOUT, Neighbours},
    port_of,
    resolve::{Resolver, resolve},
    transport::{Stream, Transport},
};
use crate::places::{Place, Places};

/// Longest time to wait for a place: idle connections that are used now and then give theirs back in it too.
const PLACE_TIMEOUT: Duration = IDLE_TIMEOUT.saturating_add(Duration::from_secs(5));
/// Longest time to connect to one address, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

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
    #[error("{address} may not be reached without TLS by a request with a secret")]
    Outside { address: IpAddr },
    #[error("as many connections wait as may, or none became free in time")]
    NoPlace,
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
            Self::Prohibited { .. } | Self::Outside { .. } => Error::DestinationIpProhibited,
            Self::NoPlace => Error::ConnectionLimitReached,
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
    pub(super) resolver: Arc<dyn Resolver>,
    /// Those of all tenants.
    pub(super) places: Places,
    pub(super) neighbours: Neighbours,
    pub(super) tenant: TenantId,
    pub(super) weight: u16,
    pub(super) reach: Reach,
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
        let plain = uri.scheme() == Some(&Scheme::HTTP);
        let place = tokio::time::timeout(PLACE_TIMEOUT, self.place()).await;
        let Ok(Some(place)) = place else {
            return Err(ConnectError::NoPlace);
        };
        // Once, and it is these addresses that are connected to: see `resolve`.
        let addresses = resolve(&*self.resolver, host, port_of(uri), self.reach, plain).await?;
        let mut failed = ConnectError::NotFound;
        for address in addresses {
            let attempt = self.connect_to(address, host, plain);
            match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
                Ok(Ok(stream)) => return Ok(Transport::new(stream, place)),
                Ok(Err(error)) => failed = error,
                Err(_) => failed = ConnectError::Timeout,
            }
        }
        Err(failed)
    }

    /// A place, which idle connections give up where none is free: the tenant's own, and those of all where it has
    /// fewer than are its own.
    async fn place(&self) -> Option<Place> {
        let mut place = pin!(self.places.take(&self.tenant, self.weight));
        let mut patience = Duration::ZERO;
        loop {
            if let Ok(place) = tokio::time::timeout(patience, place.as_mut()).await {
                return place;
            }
            let is_owed = self.places.owes(&self.tenant, self.weight);
            self.neighbours.give_way(&self.tenant, is_owed);
            patience = GIVE_WAY;
        }
    }

    async fn connect_to(
        &self,
        address: SocketAddr,
        host: &str,
        plain: bool,
    ) -> Result<Stream, ConnectError> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| ConnectError::of_io(&error))?;
        stream
            .set_nodelay(true)
            .map_err(|error| ConnectError::of_io(&error))?;
        if plain {
            return Ok(Stream::Plain(stream));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::NoHost)?;
        let stream = TlsConnector::from(self.tls.clone())
            .connect(name, stream)
            .await
            .map_err(|error| ConnectError::of_tls(&error))?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
    };
    use tokio::net::TcpListener;

    use super::{super::resolve::System, *};

    /// A TLS server on a free port that shows a certificate for `name`; answers its port and certificate.
    async fn serve(name: &str) -> (u16, CertificateDer<'static>) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that does not trust the certificate goes away.
                drop(acceptor.accept(stream).await);
            }
        });
        (port, certificate)
    }

    fn connector(trusted: Option<CertificateDer<'static>>) -> Connector {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted);
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Connector {
            tls: Arc::new(tls),
            resolver: Arc::new(System),
            places: Places::new(8, 8, 8),
            neighbours: Neighbours::default(),
            tenant: "acme".parse().unwrap(),
            weight: 1,
            reach: Reach {
                private_network: true,
                inside_only: false,
            },
        }
    }

    #[tokio::test]
    async fn certificates_are_verified_for_the_name_that_was_asked_for() {
        let (port, certificate) = serve("localhost").await;
        let uri = |host: &str| format!("https://{host}:{port}/").parse::<Uri>().unwrap();
        let trusting = connector(Some(certificate));
        assert!(trusting.connect(&uri("localhost")).await.is_ok());
        let other_name = trusting.connect(&uri("127.0.0.1")).await;
        assert!(matches!(other_name, Err(ConnectError::Certificate)));
        let unknown = connector(None).connect(&uri("localhost")).await;
        assert!(matches!(unknown, Err(ConnectError::Certificate)));
    }

    #[tokio::test]
    async fn what_does_not_connect_says_why() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = closed.local_addr().unwrap().port();
        drop(closed);
        let connector = connector(None);
        let uri = |text: String| text.parse::<Uri>().unwrap();
        let refused = connector
            .connect(&uri(format!("http://127.0.0.1:{port}/")))
            .await;
        assert!(matches!(refused, Err(ConnectError::Refused)));
        let unknown = connector
            .connect(&uri("http://nobody.invalid/".to_owned()))
            .await;
        assert!(matches!(unknown, Err(ConnectError::NotFound)));
        let reaching = |private_network, inside_only| Connector {
            reach: Reach {
                private_network,
                inside_only,
            },
            ..connector.clone()
        };
        // Another way to write 127.0.0.1.
        let disguised = uri(format!("http://127.1:{port}/"));
        let disguised = reaching(false, false).connect(&disguised).await;
        assert!(matches!(disguised, Err(ConnectError::Prohibited { .. })));
        // Nothing is sent to an address outside; with TLS, it would be.
        let outside = async |plain| {
            let reach = reaching(true, true).reach;
            resolve(&System, "1.1.1.1", 80, reach, plain).await
        };
        assert!(matches!(
            outside(true).await,
            Err(ConnectError::Outside { .. })
        ));
        assert!(outside(false).await.is_ok());
        let reach = reaching(true, true).reach;
        let loopback = resolve(&System, "127.0.0.1", 80, reach, true).await;
        assert!(loopback.is_ok());
    }
}
