//! The two engines, and the clock that interrupts them.
//!
//! Workflows must repeat exactly and are short: they run synchronously, count fuel, and have no feature whose result
//! may differ between machines. Activities wait for the network and may compute for long: they run as futures
//! and give the thread back at every tick.

mod pool;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tenterhook_domain::{Code, Error, Result, limit};
use wasmtime::{Config, Engine, EngineWeak, InstanceAllocationStrategy, OptLevel};

pub(crate) use self::pool::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLES_MAX, excess};

/// How often epochs move, and so how precisely `activation_millis` is kept.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// Stack of one guest, in bytes. Deep recursion must end at the same place on every host.
const WASM_STACK_BYTES: usize = limit::STACK_BYTES as usize;
/// Stack of a guest that runs as a future: its own, and room for the host functions it calls.
const ASYNC_STACK_BYTES: usize = 2 * 1024 * 1024;

/// What an engine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Kind {
    Workflow,
    Activity,
}

impl Kind {
    pub(crate) const ALL: [Kind; 2] = [Kind::Workflow, Kind::Activity];

    /// A stable name, part of file names.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Workflow => "workflow",
            Kind::Activity => "activity",
        }
    }
}

/// Both engines and their ticker.
pub(crate) struct Engines {
    workflow: Engine,
    activity: Engine,
    _ticker: Ticker,
}

impl Engines {
    /// Engines that can have so many instances at once.
    pub(crate) fn new(workflows: u32, activities: u32) -> Result<Self> {
        let workflow = build(workflow_config(), workflows)?;
        let activity = build(activity_config(), activities)?;
        let ticker = Ticker::start([workflow.weak(), activity.weak()])?;
        Ok(Self {
            workflow,
            activity,
            _ticker: ticker,
        })
    }

    pub(crate) fn of(&self, kind: Kind) -> &Engine {
        match kind {
            Kind::Workflow => &self.workflow,
            Kind::Activity => &self.activity,
        }
    }

    /// Changes whenever compiled code of before cannot be used any more: wasmtime's version, settings, processor.
    pub(crate) fn compatibility(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for kind in Kind::ALL {
            self.of(kind)
                .precompile_compatibility_hash()
                .hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The same as a name: engines of one name can use one another's compiled code.
    pub(crate) fn name(&self) -> String {
        format!("{:016x}", self.compatibility())
    }
}

fn build(mut config: Config, instances: u32) -> Result<Engine> {
    config.allocation_strategy(pool::of(instances));
    match Engine::new(&config) {
        Ok(engine) => return Ok(engine),
        Err(error) => tracing::warn!(
            %error,
            instances,
            "no address space can be reserved for instances ahead: each gets its own when it starts, which is slower"
        ),
    }
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    Engine::new(&config).map_err(|error| {
        Error::new(
            Code::Internal,
            "the WebAssembly engine cannot be set up on this machine",
        )
        .caused_by(error)
    })
}

/// An engine that makes code for [`Engines`] and runs none: it needs no room for instances.
pub(crate) fn compiler(kind: Kind) -> wasmtime::Result<Engine> {
    let mut config = match kind {
        Kind::Workflow => workflow_config(),
        Kind::Activity => activity_config(),
    };
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    Engine::new(&config)
}

fn common_config() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .wasm_component_model(true)
        .shared_memory(false)
        // Threads are off for good: wasmtime is built without them (see Cargo.toml).
        // Nothing here calls wasm from several tasks at once; without it each store is smaller and calls are faster.
        .concurrency_support(false);
    config
}

fn workflow_config() -> Config {
    let mut config = common_config();
    config
        .consume_fuel(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    config
}

fn activity_config() -> Config {
    let mut config = common_config();
    config.async_stack_size(ASYNC_STACK_BYTES);
    config
}

/// The number of ticks after which `millis` have surely passed.
pub(crate) fn ticks(millis: u64) -> u64 {
    let tick = u64::try_from(TICK.as_millis()).unwrap_or(1);
    // The tick under way may end at once.
    millis.div_ceil(tick).saturating_add(1)
}

/// A thread that moves the engines' epochs until it is dropped.
struct Ticker {
    stopped: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Ticker {
    fn start(engines: [EngineWeak; 2]) -> Result<Self> {
        let stopped = Arc::new((Mutex::new(false), Condvar::new()));
        let signal = stopped.clone();
        let thread = thread::Builder::new()
            .name("epoch-ticker".to_owned())
            .spawn(move || {
                // Not a channel: its receiver spins before it sleeps, a hundred times a second for ever.
                let (stopped, changed) = &*signal;
                let mut stop = stopped.lock().unwrap_or_else(PoisonError::into_inner);
                while !*stop {
                    let waited = changed.wait_timeout(stop, TICK);
                    stop = waited.unwrap_or_else(PoisonError::into_inner).0;
                    for engine in engines.iter().filter_map(EngineWeak::upgrade) {
                        engine.increment_epoch();
                    }
                }
            })
            .map_err(|error| {
                Error::new(Code::Internal, "no thread can be started").caused_by(error)
            })?;
        Ok(Self {
            stopped,
            thread: Some(thread),
        })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        let (stopped, changed) = &*self.stopped;
        *stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic; if it did, there is nothing left to stop.
            let _ = thread.join();
        }
    }
}
