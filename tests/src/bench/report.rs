//! The figures as Markdown: absolute ones, ratios, and whether the project's bounds hold.

mod table;

use std::{fmt, time::Duration};

use self::table::{Bound, Row, Table};
use super::{
    Plan,
    component::Component,
    load::{CONCURRENCY, Round},
    machine::{self, Cores},
    release::Releases,
    replay::{Answerer, Replays},
    sleepers::Sleepers,
    stage::Side,
    starter::Workload,
};

/// Worker CPU a workflow, host to native, that is no longer fine.
const CPU_RATIO_MAX: f64 = 1.1;
/// "No lower" allows for what two runs of the same thing differ by.
const RATE_RATIO_MIN: f64 = 0.97;
/// KiB of its own that a sleeping cached workflow may hold.
const SLEEPER_KIB_MAX: f64 = 100.0;
/// Median from start to result of one-activity workflows one after another, in ms.
const SEQUENTIAL_MILLIS_MAX: f64 = 30.0;

/// Everything that was measured.
#[derive(Debug)]
pub struct Report {
    plan: &'static str,
    machine: String,
    date: String,
    load: [String; 2],
    took: Duration,
    /// Sleeping workflows, one entry a side.
    pub sleepers: Vec<Sleepers>,
    /// Every round, in the order they ran.
    pub rounds: Vec<Round>,
    /// Workflows one after another, one entry a side.
    pub sequential: Vec<Round>,
    /// The same through the host's HTTP API.
    pub gateway: Option<Vec<Duration>>,
    /// The sandbox alone.
    pub component: Option<Component>,
    /// Every round of replays.
    pub replays: Vec<Replays>,
    /// Uploads, and hosts that start beside many releases.
    pub releases: Option<Releases>,
}

impl Report {
    /// An empty report of a run that begins now.
    pub fn begin(plan: &Plan) -> Self {
        Self {
            plan: plan.name,
            machine: machine::describe(),
            date: machine::today(),
            load: [machine::load(), String::new()],
            took: Duration::ZERO,
            sleepers: Vec::new(),
            rounds: Vec::new(),
            sequential: Vec::new(),
            gateway: None,
            component: None,
            replays: Vec::new(),
            releases: None,
        }
    }

    /// Notes how the run ended.
    pub fn end(&mut self, took: Duration) {
        self.took = took;
        self.load[1] = machine::load();
    }

    /// True if every bound holds.
    pub fn holds(&self) -> bool {
        self.compared().rows.iter().all(Row::holds)
            && self.releases.as_ref().is_none_or(Releases::holds)
    }

    fn compared(&self) -> Table {
        let mut table = Table::default();
        for cores in [Cores::Apart, Cores::Shared] {
            for workload in [Workload::One, Workload::Ten] {
                self.add_workload(&mut table, workload, cores);
            }
        }
        self.add_sleepers(&mut table);
        let latency = |rounds: &[Round], share: f64| {
            pair(
                rounds,
                |round| round.side,
                |rounds| quantile(rounds.iter().flat_map(|round| &round.latencies), share),
            )
        };
        let bound = Bound::HostBelow(SEQUENTIAL_MILLIS_MAX);
        table.bounded(
            "one after another: p50 ms",
            latency(&self.sequential, 0.5),
            bound,
        );
        table.add("one after another: p99 ms", latency(&self.sequential, 0.99));
        table
    }

    /// The bounds are for a server with a core of its own, which then is what limits both sides.
    fn add_workload(&self, table: &mut Table, workload: Workload, cores: Cores) {
        let rounds: Vec<Round> = self
            .rounds
            .iter()
            .filter(|round| round.workload == workload && round.cores == cores)
            .cloned()
            .collect();
        let sum = |of: fn(&Round) -> f64| {
            pair(
                &rounds,
                |round| round.side,
                |rounds| {
                    let workflows: usize = rounds.iter().map(|round| round.workflows).sum();
                    rounds.iter().map(|&round| of(round)).sum::<f64>() / workflows as f64
                },
            )
        };
        let latency = |share: f64| {
            pair(
                &rounds,
                |round| round.side,
                |rounds| quantile(rounds.iter().flat_map(|round| &round.latencies), share),
            )
        };
        let name = format!("{}, cores {}", workload.name(), cores.name());
        let bound = |bound| (cores == Cores::Apart).then_some(bound);
        table.bounded(
            format!("{name}: workflows/s"),
            sum(|round| round.wall.as_secs_f64()).map(f64::recip),
            bound(Bound::RatioAtLeast(RATE_RATIO_MIN)),
        );
        table.bounded(
            format!("{name}: worker CPU ms a workflow"),
            sum(|round| round.worker_cpu),
            bound(Bound::RatioAtMost(CPU_RATIO_MAX)),
        );
        table.add(
            format!("{name}: server CPU ms a workflow"),
            sum(|round| round.server_cpu),
        );
        table.add(format!("{name}: p50 ms"), latency(0.5));
        table.add(format!("{name}: p99 ms"), latency(0.99));
    }

    fn add_sleepers(&self, table: &mut Table) {
        let each = |of: fn(&Sleepers) -> f64| {
            pair(
                &self.sleepers,
                |it| it.side,
                |all| all.iter().map(|&it| of(it)).sum::<f64>() / all.len() as f64,
            )
        };
        let name = Workload::Signal.name();
        table.add(
            format!("{name}: workflows/s"),
            each(|it| it.workflows as f64 / it.wall.as_secs_f64()),
        );
        table.add(
            format!("{name}: worker CPU ms a workflow"),
            each(|it| it.worker_cpu / it.workflows as f64),
        );
        table.add(
            format!("{name}: server CPU ms a workflow"),
            each(|it| it.server_cpu / it.workflows as f64),
        );
        table.add(
            format!("{name}: signal to result p50 ms"),
            each(|it| quantile(&it.latencies, 0.5)),
        );
        table.add(
            format!("{name}: signal to result p99 ms"),
            each(|it| quantile(&it.latencies, 0.99)),
        );
        let bound = Bound::HostBelow(SLEEPER_KIB_MAX);
        table.bounded(
            "a sleeping workflow: Private_Dirty KiB",
            each(|it| it.private_dirty),
            bound,
        );
        table.add("a sleeping workflow: RSS KiB", each(|it| it.resident));
        table.add(
            "the worker before them: RSS MiB",
            each(|it| it.idle_resident / 1_024.0),
        );
    }

    fn write_rounds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n## Each round\n\n| round | cores | workflows/s | worker CPU ms a workflow | server's |\n| --- | --- | --- | --- | --- |"
        )?;
        for round in &self.rounds {
            let count = round.workflows as f64;
            let rate = count / round.wall.as_secs_f64();
            let (name, side) = (round.workload.name(), round.side.name());
            let (worker, server) = (round.worker_cpu / count, round.server_cpu / count);
            writeln!(
                f,
                "| {name}, {side} | {} | {rate:.1} | {worker:.2} | {server:.1} |",
                round.cores.name()
            )?;
        }
        Ok(())
    }

    fn write_component(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(component) = &self.component else {
            return Ok(());
        };
        writeln!(f, "\n## The sandbox alone\n")?;
        writeln!(f, "| | p50 | p99 |\n| --- | --- | --- |")?;
        let load = format!("load {} KiB, cold", component.bytes / 1024);
        let millis = [
            (load.as_str(), &component.cold),
            ("load it from compiled code", &component.compiled),
        ];
        for (what, times) in millis {
            let (p50, p99) = (quantile(times, 0.5), quantile(times, 0.99));
            writeln!(f, "| {what}, ms | {p50:.1} | {p99:.1} |")?;
        }
        let micros = [
            ("start: an instance to its first command", &component.start),
            (
                "step: an activity's result to the next command",
                &component.step,
            ),
            ("end: an instance's memory is given back", &component.end),
            (
                "attempt: an activity in a fresh instance",
                &component.attempt,
            ),
        ];
        for (what, times) in micros {
            let (p50, p99) = (quantile(times, 0.5) * 1e3, quantile(times, 0.99) * 1e3);
            writeln!(f, "| {what}, µs | {p50:.1} | {p99:.1} |")?;
        }
        Ok(())
    }

    fn write_replays(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n## Replays without a server\n\nActivations a second of CPU; in brackets CPU µs an activation.\n"
        )?;
        writeln!(
            f,
            "| history | native | sandbox | sandbox / native | Core alone |\n| --- | --- | --- | --- | --- |"
        )?;
        for workload in [Workload::Ten, Workload::Many] {
            let micros = |answerer: Answerer| {
                let all = self
                    .replays
                    .iter()
                    .filter(|it| it.workload == workload && it.answerer == answerer);
                let (cpu, count) = all.fold((0.0, 0), |(cpu, count), it| {
                    (cpu + it.cpu, count + it.activations)
                });
                cpu * 1_000.0 / count as f64
            };
            let events = self
                .replays
                .iter()
                .find(|it| it.workload == workload)
                .map_or(0, |it| it.events);
            let [native, sandbox, core] =
                [Answerer::Native, Answerer::Sandbox, Answerer::Recorded].map(micros);
            let cell = |micros: f64| format!("{:.0} ({micros:.1})", 1_000_000.0 / micros);
            writeln!(
                f,
                "| {}, {events} events | {} | {} | {:.2} | {} |",
                workload.name(),
                cell(native),
                cell(sandbox),
                native / sandbox,
                cell(core)
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "- {} on {}", self.date, self.machine)?;
        writeln!(
            f,
            "- {} plan, {} s; load average {} before, {} after (a quiet machine: below 0.5 before)",
            self.plan,
            self.took.as_secs(),
            self.load[0],
            self.load[1]
        )?;
        writeln!(
            f,
            "\n## Against the native worker\n\nConcurrency {CONCURRENCY}; `/` is host to native. Cores apart: the server has one of its own; shared: all have all.\n"
        )?;
        write!(f, "{}", self.compared())?;
        if let Some(gateway) = &self.gateway {
            let (p50, p99) = (quantile(gateway, 0.5), quantile(gateway, 0.99));
            writeln!(
                f,
                "\nOne after another through the host's HTTP API: p50 {p50:.1} ms, p99 {p99:.1} ms."
            )?;
        }
        self.write_rounds(f)?;
        self.write_component(f)?;
        self.write_replays(f)?;
        match &self.releases {
            Some(releases) => write!(f, "{releases}"),
            None => Ok(()),
        }
    }
}

/// `of` all entries of the native side, and of the host's.
fn pair<T>(all: &[T], side: impl Fn(&T) -> Side, of: impl Fn(&[&T]) -> f64) -> [f64; 2] {
    [Side::Native, Side::Host].map(|wanted| {
        let own: Vec<&T> = all.iter().filter(|&it| side(it) == wanted).collect();
        of(&own)
    })
}

/// The value in ms that `share` of `times` do not exceed; not a number without any.
pub(super) fn quantile<'a>(times: impl IntoIterator<Item = &'a Duration>, share: f64) -> f64 {
    let mut millis: Vec<f64> = times
        .into_iter()
        .map(|time| time.as_secs_f64() * 1_000.0)
        .collect();
    millis.sort_by(f64::total_cmp);
    let last = millis.len().saturating_sub(1) as f64;
    // A share of an index that is in range.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let index = (last * share).round() as usize;
    millis.get(index).copied().unwrap_or(f64::NAN)
}
