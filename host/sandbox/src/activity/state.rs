//! The host's side of one attempt.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use tenterhook_domain::{component::WantedGrants, grant::Grants, limit::Limits};
use tokio::io::AsyncWrite;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{
    WasiCtx, WasiCtxView, WasiView,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use super::task::ActivityHost;
use crate::{
    capability::{Capabilities, Shared},
    guest_log::{GuestLog, Stream},
    memory::MemoryHold,
    meter::Meter,
    owner::Owner,
};

/// Most streams, requests, bodies and buckets that one attempt may hold.
const RESOURCES_MAX: usize = 10_000;
/// Most random bytes in one call.
const RANDOM_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes a guest may write to stdout or stderr at once.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// What an attempt may do: what its plugin asks for, and what is granted.
#[derive(Debug, Clone)]
pub struct ActivityAccess {
    /// Whose code it is.
    pub owner: Arc<Owner>,
    /// The limits in force.
    pub limits: Arc<Limits>,
    /// What the operator grants.
    pub grants: Arc<Grants>,
    /// What the plugin's metadata asks for.
    pub wants: Arc<WantedGrants>,
    /// The plugin's configuration as it is now.
    pub config: Arc<BTreeMap<String, String>>,
    /// The tenant's shares of outbound connections beside others.
    pub weight: u16,
}

/// A log that the store, its streams and its capabilities write to.
pub(crate) type SharedLog = Arc<Mutex<GuestLog>>;

/// What host functions of an activity instance work on.
pub(crate) struct ActivityState {
    pub(crate) meter: Meter,
    pub(crate) table: ResourceTable,
    pub(crate) capabilities: Capabilities,
    pub(crate) host: Arc<dyn ActivityHost>,
    pub(crate) log: SharedLog,
    pub(crate) payload_bytes_max: u64,
    wasi: WasiCtx,
}

impl ActivityState {
    pub(crate) fn new(
        access: &ActivityAccess,
        shared: &Arc<Shared>,
        log: GuestLog,
        host: Arc<dyn ActivityHost>,
        held: MemoryHold,
    ) -> Self {
        let log = Arc::new(Mutex::new(log));
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Self {
            meter: Meter::new(access.limits.clone(), held),
            table,
            capabilities: Capabilities::new(access, shared, &log),
            host,
            payload_bytes_max: access.limits.payload_bytes,
            wasi: wasi(&log),
            log,
        }
    }
}

/// Clocks, randomness and output; no arguments, environment, files or sockets.
fn wasi(log: &SharedLog) -> WasiCtx {
    let output = |stream| GuestOutput {
        log: log.clone(),
        stream,
    };
    WasiCtx::builder()
        .stdout(output(Stream::Stdout))
        .stderr(output(Stream::Stderr))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(RANDOM_BYTES_MAX)
        .build()
}

impl WasiView for ActivityState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for ActivityState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.capabilities.http.view(&mut self.table)
    }
}

/// stdout or stderr of an attempt.
#[derive(Clone)]
struct GuestOutput {
    log: SharedLog,
    stream: Stream,
}

impl GuestOutput {
    fn take(&self, bytes: &[u8]) {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(self.stream, bytes);
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for GuestOutput {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
