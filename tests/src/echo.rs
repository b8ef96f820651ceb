//! A server that answers every request with the request itself: what the far side saw, and what it might tell.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// Bytes of each piece of an answer's body: most words lie across two.
const PIECE_BYTES: usize = 7;
/// Longest request that is read, in bytes.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// A server on a free port of 127.0.0.1; it ends with its runtime. The body of an answer is the request, head and body,
/// its header `x-echo` what the request had as `authorization`. A path that begins with `/packed` is answered as if it
/// was compressed.
#[derive(Debug)]
pub struct Echo {
    /// Where it is.
    pub address: SocketAddr,
    /// For `https://localhost`: its own certificate, as PEM.
    pub certificate: Option<String>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    /// One that speaks plain HTTP.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> std::io::Result<Self> {
        Self::start_with(None, None).await
    }

    /// One that speaks TLS, as `localhost`.
    ///
    /// # Errors
    /// When no port is free, or no certificate can be made.
    pub async fn start_tls() -> std::io::Result<Self> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])
            .map_err(std::io::Error::other)?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())
            .map_err(std::io::Error::other)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config
                    .with_no_client_auth()
                    .with_single_cert(vec![made.cert.der().clone()], key)
            })
            .map_err(std::io::Error::other)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::start_with(Some(acceptor), Some(pem(made.cert.der()))).await
    }

    async fn start_with(
        tls: Option<TlsAcceptor>,
        certificate: Option<String>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let echo = Self {
            address: listener.local_addr()?,
            certificate,
            seen: Arc::default(),
        };
        let seen = echo.seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, seen) = (tls.clone(), seen.clone());
                tokio::spawn(async move {
                    // Whoever goes away has seen enough.
                    let _ = match tls {
                        None => serve(stream, &seen).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &seen).await,
                            Err(error) => Err(error),
                        },
                    };
                });
            }
        });
        Ok(echo)
    }

    /// The requests that came, head and body.
    pub fn requests(&self) -> Vec<String> {
        let seen = self.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    while bytes.len() < REQUEST_BYTES_MAX {
        if stream.read_buf(&mut bytes).await? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if !is_whole(&text) {
            continue;
        }
        bytes.clear();
        seen.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text.clone());
        answer(&mut stream, &text).await?;
    }
    Ok(())
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    if header(head, "transfer-encoding").is_some() {
        return body.ends_with("0\r\n\r\n");
    }
    let length = header(head, "content-length").and_then(|length| length.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

async fn answer(stream: &mut (impl AsyncWrite + Unpin), request: &str) -> std::io::Result<()> {
    let path = request.split(' ').nth(1).unwrap_or_default();
    let coding = match path.starts_with("/packed") {
        true => "content-encoding: gzip\r\n",
        false => "",
    };
    let echo = header(request, "authorization").unwrap_or_default();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n{coding}x-echo: {echo}\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    for piece in request.as_bytes().chunks(PIECE_BYTES) {
        let size = format!("{:x}\r\n", piece.len());
        stream
            .write_all(&[size.as_bytes(), piece, b"\r\n"].concat())
            .await?;
        stream.flush().await?;
    }
    stream.write_all(b"0\r\n\r\n").await?;
    stream.flush().await
}
