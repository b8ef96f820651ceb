//! The circuits of this host: one for each tenant and destination that fails. No tenant sees another's failures.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ::http::{Response, Uri, uri::Scheme};
use tenterhook_domain::{
    TenantId,
    circuit::{Circuit, CircuitReport, CircuitState, Circuits, Outcome, Pass, Refused},
    clock::millis,
};
use wasmtime_wasi_http::Error;

use super::port_of;

/// Most circuits of one tenant. Of more, a closed one goes first, and of those the one used longest ago.
const CIRCUITS_MAX: usize = 256;
/// Most tenants with circuits. What fails for more of them is not counted.
const TENANTS_MAX: usize = 10_000;
/// A circuit that nobody asked for so long is forgotten.
const IDLE_MAX: Duration = Duration::from_secs(3600);
/// Whoever waits less than this for an answer learns nothing of the destination. Guests choose their time-outs.
const PATIENCE_MIN: Duration = Duration::from_secs(1);

/// Where requests go: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Destination {
    plain: bool,
    host: String,
    port: u16,
}

impl Destination {
    pub(super) fn of(uri: &Uri) -> Self {
        Self {
            plain: uri.scheme() == Some(&Scheme::HTTP),
            host: uri.host().unwrap_or_default().to_ascii_lowercase(),
            port: port_of(uri),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.plain { "http" } else { "https" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

#[derive(Default)]
struct Entry {
    circuit: Circuit,
    used: u64,
}

type Tenants = HashMap<TenantId, HashMap<Destination, Entry>>;

/// The circuits of all tenants. What is as new is not kept.
pub(crate) struct Breakers {
    since: Instant,
    tenants: Mutex<Tenants>,
}

impl Default for Breakers {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            tenants: Mutex::default(),
        }
    }
}

impl Breakers {
    fn now(&self) -> u64 {
        millis(self.since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, Tenants> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request of `tenant` to `to` would be let through now.
    pub(super) fn look(&self, tenant: &TenantId, to: &Destination) -> Result<(), Refused> {
        let tenants = self.lock();
        let entry = tenants.get(tenant).and_then(|of| of.get(to));
        entry.map_or(Ok(()), |entry| entry.circuit.look(self.now()))
    }

    /// Lets a request of `tenant` to `to` through.
    pub(super) fn admit(
        self: &Arc<Self>,
        tenant: &TenantId,
        to: &Destination,
    ) -> Result<Ticket, Refused> {
        let now = self.now();
        let mut tenants = self.lock();
        let pass = match tenants.get_mut(tenant).and_then(|of| of.get_mut(to)) {
            Some(entry) => {
                entry.used = now;
                entry.circuit.admit(now)?
            }
            None => Circuit::default().admit(now)?,
        };
        Ok(Ticket {
            breakers: self.clone(),
            tenant: tenant.clone(),
            to: to.clone(),
            pass: Some(pass),
            sent: Instant::now(),
        })
    }

    fn report(&self, tenant: &TenantId, to: &Destination, pass: Pass, outcome: Outcome) {
        let now = self.now();
        let mut tenants = self.lock();
        let is_known =
            |tenants: &Tenants| tenants.get(tenant).is_some_and(|of| of.contains_key(to));
        if !is_known(&tenants) && (outcome != Outcome::Failure || !room(&mut tenants, tenant, now))
        {
            return;
        }
        let of = tenants.entry(tenant.clone()).or_default();
        let entry = of.entry(to.clone()).or_default();
        entry.used = now;
        let before = entry.circuit.state(now);
        entry.circuit.report(pass, outcome, now, fastrand::f64());
        let (after, pristine) = (entry.circuit.state(now), entry.circuit.is_pristine());
        if pristine {
            forget(&mut tenants, tenant, to);
        }
        drop(tenants);
        if before != after {
            tracing::warn!(%tenant, destination = %to, ?after, "a circuit changed");
        }
    }
}

/// Makes room for one more circuit of `tenant`; false where there are too many tenants.
fn room(tenants: &mut Tenants, tenant: &TenantId, now: u64) -> bool {
    let known = tenants.len();
    match tenants.get_mut(tenant) {
        None if known >= TENANTS_MAX => {
            sweep(tenants, now);
            tenants.len() < TENANTS_MAX
        }
        Some(of) if of.len() >= CIRCUITS_MAX => {
            let last = of.iter().min_by_key(|(_, entry)| {
                (entry.circuit.state(now) != CircuitState::Closed, entry.used)
            });
            if let Some(last) = last.map(|(to, _)| to.clone()) {
                of.remove(&last);
            }
            true
        }
        _ => true,
    }
}

fn forget(tenants: &mut Tenants, tenant: &TenantId, to: &Destination) {
    if let Some(of) = tenants.get_mut(tenant) {
        of.remove(to);
        if of.is_empty() {
            tenants.remove(tenant);
        }
    }
}

/// Forgets what nobody uses any more.
fn sweep(tenants: &mut Tenants, now: u64) {
    let horizon = now.saturating_sub(millis(IDLE_MAX));
    tenants.retain(|_, of| {
        of.retain(|_, entry| entry.used >= horizon);
        !of.is_empty()
    });
}

impl Circuits for Breakers {
    fn of_tenant(&self, tenant: &TenantId) -> Vec<CircuitReport> {
        let now = self.now();
        let mut tenants = self.lock();
        sweep(&mut tenants, now);
        let entries = tenants.get(tenant).into_iter().flatten();
        let mut reports: Vec<_> = entries
            .map(|(to, Entry { circuit, .. })| CircuitReport {
                destination: to.to_string(),
                state: circuit.state(now),
                failures: circuit.failures(),
                retry_after_millis: circuit
                    .look(now)
                    .err()
                    .and_then(|refused| refused.after_millis),
            })
            .collect();
        reports.sort_by(|one, other| one.destination.cmp(&other.destination));
        reports
    }

    fn counts(&self) -> Vec<(TenantId, CircuitState, usize)> {
        let now = self.now();
        let mut tenants = self.lock();
        sweep(&mut tenants, now);
        let mut counts = Vec::new();
        for (tenant, of) in &*tenants {
            for state in [CircuitState::Open, CircuitState::HalfOpen] {
                let these = of
                    .values()
                    .filter(|entry| entry.circuit.state(now) == state);
                counts.push((tenant.clone(), state, these.count()));
            }
        }
        counts
    }
}

/// A request under way. Whatever becomes of it is told to its circuit.
pub(super) struct Ticket {
    breakers: Arc<Breakers>,
    tenant: TenantId,
    to: Destination,
    pass: Option<Pass>,
    sent: Instant,
}

impl Ticket {
    /// Tells what came, which is known once an answer's head is there.
    pub(super) fn tell<B>(mut self, head: &Result<Response<B>, Error>) {
        let outcome = match head {
            Ok(answer) if answer.status().is_server_error() => Outcome::Failure,
            Ok(_) => Outcome::Success,
            Err(Error::ConnectionTimeout | Error::ConnectionReadTimeout) => self.given_up(),
            Err(
                Error::DnsTimeout
                | Error::DnsError { .. }
                | Error::ConnectionRefused
                | Error::ConnectionTerminated
                | Error::DestinationUnavailable
                | Error::TlsProtocolError
                | Error::TlsCertificateError,
            ) => Outcome::Failure,
            // The host's own refusals, and what the guest sent.
            Err(_) => Outcome::Unknown,
        };
        self.report(outcome);
    }

    fn given_up(&self) -> Outcome {
        match self.sent.elapsed() >= PATIENCE_MIN {
            true => Outcome::Failure,
            false => Outcome::Unknown,
        }
    }

    fn report(&mut self, outcome: Outcome) {
        if let Some(pass) = self.pass.take() {
            self.breakers.report(&self.tenant, &self.to, pass, outcome);
        }
    }
}

/// Nobody waits any more: the attempt's time is over, or the guest lost patience.
impl Drop for Ticket {
    fn drop(&mut self) {
        let outcome = self.given_up();
        self.report(outcome);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tenterhook_domain::circuit::FAILURES_TO_OPEN;

    use super::*;

    fn to(host: &str) -> Destination {
        Destination::of(&format!("https://{host}/path").parse().unwrap())
    }

    fn answered(status: u16) -> Result<Response<()>, Error> {
        Ok(Response::builder().status(status).body(()).unwrap())
    }

    fn fail(breakers: &Arc<Breakers>, tenant: &TenantId, to: &Destination) {
        breakers.admit(tenant, to).unwrap().tell(&answered(503));
    }

    #[test]
    fn a_tenant_sees_its_own_failures_and_no_others() {
        let breakers = Arc::<Breakers>::default();
        let (acme, globex): (TenantId, TenantId) =
            ("acme".parse().unwrap(), "globex".parse().unwrap());
        let api = to("API.example.com");
        (0..FAILURES_TO_OPEN).for_each(|_| fail(&breakers, &acme, &api));
        assert!(breakers.look(&acme, &to("api.example.com:443")).is_err());
        assert!(breakers.look(&acme, &to("api.example.com:8443")).is_ok());
        assert!(breakers.look(&globex, &api).is_ok());
        assert!(breakers.of_tenant(&globex).is_empty());
        let reports = breakers.of_tenant(&acme);
        assert_eq!(reports.len(), 1);
        assert_eq!(reports[0].destination, "https://api.example.com:443");
        assert_eq!(reports[0].state, CircuitState::Open);
        assert!(reports[0].retry_after_millis.is_some());
        assert_eq!(breakers.counts()[0], (acme, CircuitState::Open, 1));
    }

    #[test]
    fn what_says_nothing_of_the_destination_does_not_count() {
        let breakers = Arc::<Breakers>::default();
        let acme = "acme".parse().unwrap();
        let api = to("api.example.com");
        for head in [
            answered(200),
            answered(404),
            answered(429),
            Err(Error::DestinationIpProhibited),
            Err(Error::HttpRequestDenied),
            Err(Error::InternalError(None)),
            // Given up after no time at all.
            Err(Error::ConnectionReadTimeout),
        ] {
            (0..20).for_each(|_| breakers.admit(&acme, &api).unwrap().tell(&head));
            drop(breakers.admit(&acme, &api).unwrap());
        }
        assert!(breakers.lock().is_empty());
        fail(&breakers, &acme, &api);
        assert_eq!(breakers.of_tenant(&acme)[0].failures, 1);
        breakers.admit(&acme, &api).unwrap().tell(&answered(200));
        assert!(breakers.lock().is_empty(), "what is as new is not kept");
    }

    #[test]
    fn a_tenants_circuits_are_bounded_and_an_open_one_stays() {
        let breakers = Arc::<Breakers>::default();
        let acme = "acme".parse().unwrap();
        let api = to("api.example.com");
        (0..FAILURES_TO_OPEN).for_each(|_| fail(&breakers, &acme, &api));
        for number in 0..CIRCUITS_MAX + 20 {
            fail(&breakers, &acme, &to(&format!("host-{number}.example.com")));
        }
        assert_eq!(breakers.of_tenant(&acme).len(), CIRCUITS_MAX);
        assert!(breakers.look(&acme, &api).is_err());
        sweep(&mut breakers.lock(), millis(IDLE_MAX) * 2);
        assert!(breakers.lock().is_empty());
    }
}
