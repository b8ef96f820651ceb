//! What the host counts, and how Prometheus reads it.
//!
//! Counted is where a refusal is told, so that none is told and not counted. The number of series is bounded: tenants and
//! plugins above the bound are counted together, under [`OTHERS`].

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
};

use prometheus::{
    Encoder as _, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder, proto::MetricFamily,
};
use tenterhook_domain::{
    Code, Error, PluginName, Result, TenantId,
    circuit::{CircuitState, Circuits},
    tally::Tally,
};

/// Most series of one metric, without those of [`OTHERS`].
pub const SERIES_MAX: usize = 10_000;
/// Whom the tenants and plugins above [`SERIES_MAX`] are counted as. No tenant can have this name.
pub const OTHERS: &str = "_others";

/// One row of the table of metrics.
struct Row {
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
}

const LIMIT_HITS: Row = Row {
    name: "tenterhook_limit_hits_total",
    help: "Times that a plugin went over a limit on this host.",
    labels: &["tenant", "plugin", "limit"],
};
const QUOTA_REFUSALS: Row = Row {
    name: "tenterhook_quota_refusals_total",
    help: "Times that a tenant was refused something on this host for a quota.",
    labels: &["tenant", "quota"],
};
const CIRCUIT_REFUSALS: Row = Row {
    name: "tenterhook_circuit_refusals_total",
    help: "Outbound requests that were not sent because the circuit of their destination was open.",
    labels: &["tenant"],
};
const CIRCUITS: Row = Row {
    name: "tenterhook_circuits",
    help: "Destinations that fail, by the state of their circuit: open or half-open.",
    labels: &["tenant", "state"],
};

impl Row {
    fn counter(&self) -> prometheus::Result<IntCounterVec> {
        IntCounterVec::new(Opts::new(self.name, self.help), self.labels)
    }
}

/// A counter whose series are bounded.
struct Counter {
    series: IntCounterVec,
    known: Mutex<HashSet<Vec<String>>>,
}

impl Counter {
    fn new(row: &Row, registry: &Registry) -> prometheus::Result<Self> {
        let series = row.counter()?;
        registry.register(Box::new(series.clone()))?;
        Ok(Self {
            series,
            known: Mutex::default(),
        })
    }

    /// Counts one for `who`, whose number is bounded by nobody, and `what`, which is one of a few.
    fn count(&self, who: &[&str], what: &[&str]) {
        let all = [who, what].concat();
        if self.knows(&all) {
            return self.series.with_label_values(&all).inc();
        }
        let others = vec![OTHERS; who.len()];
        let all = [&others, what].concat();
        self.series.with_label_values(&all).inc();
    }

    /// True if there is a series of these labels, or room for one.
    fn knows(&self, labels: &[&str]) -> bool {
        let labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&labels) {
            return true;
        }
        known.len() < SERIES_MAX && known.insert(labels)
    }
}

/// What one host counts.
pub struct Metrics {
    registry: Registry,
    limit_hits: Counter,
    quota_refusals: Counter,
    circuit_refusals: Counter,
}

impl Metrics {
    /// Nothing was counted yet.
    ///
    /// # Errors
    /// `internal`, for a table of metrics that Prometheus would not take.
    pub fn new() -> Result<Self> {
        let registry = Registry::new();
        let counter = |row| Counter::new(row, &registry).map_err(broken);
        let (limit_hits, quota_refusals, circuit_refusals) = (
            counter(&LIMIT_HITS)?,
            counter(&QUOTA_REFUSALS)?,
            counter(&CIRCUIT_REFUSALS)?,
        );
        Ok(Self {
            registry,
            limit_hits,
            quota_refusals,
            circuit_refusals,
        })
    }

    /// All of it in Prometheus' text format, with what `circuits` are now.
    ///
    /// # Errors
    /// `internal`, as for [`Metrics::new`].
    pub fn text(&self, circuits: &dyn Circuits) -> Result<String> {
        let mut families = self.registry.gather();
        families.extend(states(circuits).map_err(broken)?);
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&families, &mut text)
            .map_err(broken)?;
        String::from_utf8(text)
            .map_err(|error| Error::new(Code::Internal, "the metrics are no text").caused_by(error))
    }
}

/// The circuits by state: looked at when somebody asks, so that none is left behind that is no more.
fn states(circuits: &dyn Circuits) -> prometheus::Result<Vec<MetricFamily>> {
    let gauge = IntGaugeVec::new(Opts::new(CIRCUITS.name, CIRCUITS.help), CIRCUITS.labels)?;
    let mut sums: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for (tenant, state, number) in circuits.counts() {
        let state = match state {
            CircuitState::Open => "open",
            CircuitState::HalfOpen => "half-open",
            CircuitState::Closed => continue,
        };
        let tenant = match sums.len() < SERIES_MAX {
            true => tenant.to_string(),
            false => OTHERS.to_owned(),
        };
        *sums.entry((tenant, state)).or_default() += number;
    }
    for ((tenant, state), number) in sums {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        gauge.with_label_values(&[&*tenant, state]).set(number);
    }
    // A registry leaves out what has no series.
    let registry = Registry::new();
    registry.register(Box::new(gauge))?;
    Ok(registry.gather())
}

fn broken(error: prometheus::Error) -> Error {
    Error::new(Code::Internal, "the metrics cannot be written").caused_by(error)
}

impl Tally for Metrics {
    fn limit_hit(&self, tenant: &TenantId, plugin: &PluginName, limit: &'static str) {
        let who = [tenant.as_str(), plugin.as_str()];
        self.limit_hits.count(&who, &[limit]);
    }

    fn quota_refused(&self, tenant: &TenantId, quota: &'static str) {
        self.quota_refusals.count(&[tenant.as_str()], &[quota]);
    }

    fn circuit_refused(&self, tenant: &TenantId) {
        self.circuit_refusals.count(&[tenant.as_str()], &[]);
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct None;

    impl Circuits for None {
        fn of_tenant(&self, _: &TenantId) -> Vec<tenterhook_domain::circuit::CircuitReport> {
            Vec::new()
        }

        fn counts(&self) -> Vec<(TenantId, CircuitState, usize)> {
            Vec::new()
        }
    }

    #[test]
    fn who_comes_above_the_bound_is_counted_with_the_others() {
        let metrics = Metrics::new().unwrap();
        let quota = "starts_per_second";
        for number in 0..SERIES_MAX + 5 {
            let tenant = format!("tenant-{number}").parse().unwrap();
            metrics.quota_refused(&tenant, quota);
        }
        metrics.quota_refused(&"tenant-7".parse().unwrap(), quota);
        let text = metrics.text(&None).unwrap();
        let series = text.lines().filter(|line| line.contains("tenant=")).count();
        assert_eq!(series, SERIES_MAX + 1);
        for line in [
            "tenterhook_quota_refusals_total{quota=\"starts_per_second\",tenant=\"_others\"} 5",
            "tenterhook_quota_refusals_total{quota=\"starts_per_second\",tenant=\"tenant-7\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
        assert!(OTHERS.parse::<TenantId>().is_err());
    }
}
