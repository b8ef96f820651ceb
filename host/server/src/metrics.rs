//! What the host counts, and how Prometheus reads it.
//!
//! Counted is where a refusal is told, so that none is told and not counted. The number of series is bounded: tenants and
//! plugins above the bound are counted together, under [`OTHERS`].

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prometheus::{
    CounterVec, Encoder as _, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
    proto::MetricFamily,
};
use tenterhook_domain::{
    Code, Error, PluginName, Result, TenantId,
    circuit::{CircuitState, Circuits},
    double_run::Outcome,
    memory::{InstanceMemory, MemoryReading},
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

const CONNECTION_REFUSALS: Row = Row {
    name: "tenterhook_outbound_connection_refusals_total",
    help: "Outbound requests that were not sent because their tenant had its share of connections and no other was free.",
    labels: &["tenant"],
};
const LINES_DROPPED: Row = Row {
    name: "tenterhook_log_lines_dropped_total",
    help: "Log lines of a plugin that were dropped because it wrote more than it may.",
    labels: &["tenant", "plugin"],
};
const COMPONENT_REFUSALS: Row = Row {
    name: "tenterhook_component_refusals_total",
    help: "Uploaded components that a check refused on this host, by the code of the refusal.",
    labels: &["tenant", "code"],
};
const DOUBLE_RUNS: Row = Row {
    name: "tenterhook_double_runs_total",
    help: "Runs of a plugin that this host was to repeat on a fresh instance, by what came of it: same, differs, unknown or dropped.",
    labels: &["tenant", "plugin", "outcome"],
};
const DOUBLE_RUN_TIME: Row = Row {
    name: "tenterhook_double_run_cpu_seconds_total",
    help: "Processor time that this host took to repeat runs.",
    labels: &[],
};
const POLLING_HOLDS: Row = Row {
    name: "tenterhook_polling_holds_total",
    help: "Times that this host stopped to poll for new work because its instances held too much memory.",
    labels: &[],
};
const POLLING_HELD: Row = Row {
    name: "tenterhook_polling_held",
    help: "1 while this host does not poll for new work because its instances hold too much memory, else 0.",
    labels: &[],
};
const MEMORY: Row = Row {
    name: "tenterhook_instance_memory_bytes",
    help: "Linear memory that this host's instances hold (now), held at most since it began (most), and may hold (budget).",
    labels: &["what"],
};

impl Row {
    fn counter(&self) -> prometheus::Result<IntCounterVec> {
        IntCounterVec::new(Opts::new(self.name, self.help), self.labels)
    }

    fn time(&self, registry: &Registry) -> prometheus::Result<CounterVec> {
        let counter = CounterVec::new(Opts::new(self.name, self.help), self.labels)?;
        registry.register(Box::new(counter.clone()))?;
        Ok(counter)
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
        self.add(who, what, 1);
    }

    /// The same for several.
    fn add(&self, who: &[&str], what: &[&str], number: u64) {
        let all = [who, what].concat();
        if self.knows(&all) {
            return self.series.with_label_values(&all).inc_by(number);
        }
        let others = vec![OTHERS; who.len()];
        let all = [&others, what].concat();
        self.series.with_label_values(&all).inc_by(number);
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
    connection_refusals: Counter,
    lines_dropped: Counter,
    component_refusals: Counter,
    polling_holds: Counter,
    double_runs: Counter,
    double_run_time: CounterVec,
}

impl Metrics {
    /// Nothing was counted yet.
    ///
    /// # Errors
    /// `internal`, for a table of metrics that Prometheus would not take.
    pub fn new() -> Result<Self> {
        let registry = Registry::new();
        let counter = |row| Counter::new(row, &registry).map_err(broken);
        let double_run_time = DOUBLE_RUN_TIME.time(&registry).map_err(broken)?;
        Ok(Self {
            double_run_time,
            double_runs: counter(&DOUBLE_RUNS)?,
            limit_hits: counter(&LIMIT_HITS)?,
            quota_refusals: counter(&QUOTA_REFUSALS)?,
            circuit_refusals: counter(&CIRCUIT_REFUSALS)?,
            connection_refusals: counter(&CONNECTION_REFUSALS)?,
            lines_dropped: counter(&LINES_DROPPED)?,
            component_refusals: counter(&COMPONENT_REFUSALS)?,
            polling_holds: counter(&POLLING_HOLDS)?,
            registry,
        })
    }

    /// All of it in Prometheus' text format, with what `circuits` and `memory` are now.
    ///
    /// # Errors
    /// `internal`, as for [`Metrics::new`].
    pub fn text(&self, circuits: &dyn Circuits, memory: &dyn InstanceMemory) -> Result<String> {
        let mut families = self.registry.gather();
        families.extend(states(circuits).map_err(broken)?);
        families.extend(held(memory.reading()).map_err(broken)?);
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

/// What instances hold, as it was read.
fn held(reading: MemoryReading) -> prometheus::Result<Vec<MetricFamily>> {
    let registry = Registry::new();
    let gauge = |row: &Row| -> prometheus::Result<IntGaugeVec> {
        let gauge = IntGaugeVec::new(Opts::new(row.name, row.help), row.labels)?;
        registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    };
    let (bytes, is_held) = (gauge(&MEMORY)?, gauge(&POLLING_HELD)?);
    let values = [
        ("now", reading.bytes),
        ("most", reading.most_bytes),
        ("budget", reading.budget_bytes),
    ];
    for (what, value) in values {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        bytes.with_label_values(&[what]).set(value);
    }
    let none: [&str; 0] = [];
    is_held
        .with_label_values(&none)
        .set(i64::from(reading.is_short));
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

    fn connection_refused(&self, tenant: &TenantId) {
        self.connection_refusals.count(&[tenant.as_str()], &[]);
    }

    fn lines_dropped(&self, tenant: &TenantId, plugin: &PluginName, lines: u64) {
        let who = [tenant.as_str(), plugin.as_str()];
        self.lines_dropped.add(&who, &[], lines);
    }

    fn component_refused(&self, tenant: &TenantId, code: Code) {
        self.component_refusals
            .count(&[tenant.as_str()], &[code.as_str()]);
    }

    fn double_run(&self, tenant: &TenantId, plugin: &PluginName, outcome: Outcome) {
        let who = [tenant.as_str(), plugin.as_str()];
        self.double_runs.count(&who, &[outcome.as_str()]);
    }

    fn double_runs_took(&self, cpu: Duration) {
        let none: [&str; 0] = [];
        let time = self.double_run_time.with_label_values(&none);
        time.inc_by(cpu.as_secs_f64());
    }

    fn polling_held(&self) {
        self.polling_holds.count(&[], &[]);
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

    impl InstanceMemory for None {
        fn reading(&self) -> MemoryReading {
            MemoryReading::default()
        }
    }

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
        let text = metrics.text(&None, &None).unwrap();
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
