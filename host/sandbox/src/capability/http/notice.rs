//! Where it is told that a request of one attempt is refused: to the guest, in the plugin's log, in the host's metrics.

use std::{
    fmt,
    sync::{Arc, PoisonError},
};

use tenterhook_domain::{Code, circuit::Refused, tally::Tally};
use tokio::time::Instant;
use tracing::Level;
use wasmtime_wasi_http::Error;

use super::super::SharedLog;
use crate::owner::Owner;

/// Tells what is refused to one attempt.
pub(super) struct Notices {
    owner: Arc<Owner>,
    log: SharedLog,
    tally: Arc<dyn Tally>,
}

impl Notices {
    pub(super) fn new(owner: Arc<Owner>, log: SharedLog, tally: Arc<dyn Tally>) -> Self {
        Self { owner, log, tally }
    }

    /// Writes a line into the plugin's log.
    pub(super) fn say(&self, message: &str) {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .line(Level::WARN, "host", message);
    }

    /// What the guest is told of what goes over the limit `name`.
    pub(super) fn over_limit(&self, what: &str, name: &'static str, limit: u64) -> Error {
        let Owner { scope, plugin, .. } = &*self.owner;
        self.tally.limit_hit(&scope.tenant, plugin, name);
        self.refuse(
            Code::OutboundLimitExceeded,
            format_args!(
                "{what}, its limit {name} is {limit}: send less, or have an operator raise {name} in the plugin's grants"
            ),
        )
    }

    /// What the guest is told of a request that failed: which limit it was, where no time was left of `limit` milliseconds.
    /// A time-out of the guest's own stays what it is.
    pub(super) fn failed(&self, error: Error, deadline: Instant, limit: u64) -> Error {
        match error {
            Error::ConnectionTimeout | Error::ConnectionReadTimeout | Error::DnsTimeout
                if Instant::now() >= deadline =>
            {
                let what = "a request took longer than it may";
                self.over_limit(what, "outbound_millis", limit)
            }
            error => error,
        }
    }

    /// What the guest is told of a request to a destination that is left alone.
    pub(super) fn circuit_open(&self, destination: &dyn fmt::Display, refused: Refused) -> Error {
        self.tally.circuit_refused(&self.owner.scope.tenant);
        let when = match refused.after_millis {
            Some(millis) => format!("it is tried again in {millis} ms"),
            None => "it is being tried with one request now".to_owned(),
        };
        self.refuse(
            Code::OutboundCircuitOpen,
            format_args!(
                "{destination} keeps failing, so nothing is sent there for a while; {when}"
            ),
        )
    }

    /// What the guest is told where no connection is to be had.
    pub(super) fn no_connection(&self, host: &str, port: u16) -> Error {
        let tenant = &self.owner.scope.tenant;
        self.tally.connection_refused(tenant);
        self.refuse(
            Code::OutboundConnectionsTaken,
            format_args!(
                "{host}:{port}: tenant {tenant} has more than its share of this host's outbound connections, and no other \
                 became free; try again later, or keep fewer open"
            ),
        )
    }

    fn refuse(&self, code: Code, detail: fmt::Arguments<'_>) -> Error {
        let words = format!("{code}: {detail}");
        self.say(&words);
        Error::InternalError(Some(words))
    }
}
