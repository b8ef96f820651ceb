//! The kit: a plugin, what stands in for the world, and what goes wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use tenterhook_domain::{
    PluginName, Scope,
    grant::{Grants, HttpGrant, SecretGrant},
    limit::Limits,
};

use crate::{
    ended::Ended,
    execution::Execution,
    failure::Failure,
    fault::Fault,
    lab::lab,
    mock::{Call, Mock, Mocks},
    payload,
    plugin::Plugin,
    setup::{BEGINS, Setup},
    sweep::Seen,
};

/// Whom guests see.
const SCOPE: &str = "acme/test";
/// The id of an execution for which a test gives none.
const WORKFLOW_ID: &str = "test";

/// A plugin under test, and the world around it.
pub struct Kit {
    setup: Setup,
}

impl Kit {
    /// For `plugin`, with no mock, no grant and no fault.
    pub fn new(plugin: &Plugin) -> Self {
        static KITS: AtomicU64 = AtomicU64::new(0);
        let number = KITS.fetch_add(1, Ordering::Relaxed);
        let scope = |text: &str| -> Scope {
            text.parse()
                .unwrap_or_else(|error| panic!("{text:?} is no scope: {error}"))
        };
        Self {
            setup: Setup {
                plugin: plugin.clone(),
                others: BTreeMap::new(),
                mocks: Mocks::new(),
                child_mocks: Mocks::new(),
                real: BTreeSet::new(),
                all_real: false,
                grants: Grants::default(),
                config: BTreeMap::new(),
                scope: scope(SCOPE),
                outside: scope(&format!("kit-{number}/test")),
                limits: Arc::new(Limits::default()),
                begins: BEGINS,
                faults: Vec::new(),
                repeats: true,
                execution_timeout: None,
                seen: None,
            },
        }
    }

    /// Has another plugin of the same tenant, for its activities and child workflows.
    pub fn with(&mut self, plugin: &Plugin) -> &mut Self {
        let name = plugin.plugin_name().clone();
        self.setup.others.insert(name, plugin.clone());
        self
    }

    /// Has `answer` stand in for the activity `name`; of another plugin where `name` is `plugin.Name`.
    ///
    /// Inputs and results are typed by what the closure takes and answers. It is run again for each attempt, and when it
    /// cannot read its input, the test panics.
    pub fn mock<I, O>(
        &mut self,
        name: &str,
        answer: impl Fn(I) -> Result<O, Failure> + Send + Sync + 'static,
    ) -> &mut Mock
    where
        I: DeserializeOwned + Clone,
        O: Serialize,
    {
        self.mock_call(name, move |call: &Call<I>| answer(call.input.clone()))
    }

    /// The same, for a closure that looks at the attempt, the idempotency key or the time too.
    pub fn mock_call<I, O>(
        &mut self,
        name: &str,
        answer: impl Fn(&Call<I>) -> Result<O, Failure> + Send + Sync + 'static,
    ) -> &mut Mock
    where
        I: DeserializeOwned,
        O: Serialize,
    {
        let name = self.setup.type_name(name).to_string();
        let mock = Mock::new(&name, answer);
        self.setup.mocks.entry(name).insert_entry(mock).into_mut()
    }

    /// Has `answer` stand in for the child workflow `name`. Without it, children run for real.
    pub fn mock_child<I, O>(
        &mut self,
        name: &str,
        answer: impl Fn(&Call<I>) -> Result<O, Failure> + Send + Sync + 'static,
    ) -> &mut Mock
    where
        I: DeserializeOwned,
        O: Serialize,
    {
        let name = self.setup.type_name(name).to_string();
        let mock = Mock::new(&name, answer);
        self.setup
            .child_mocks
            .entry(name)
            .insert_entry(mock)
            .into_mut()
    }

    /// Has the code of the activity `name` run in the sandbox, with what is granted and configured here.
    pub fn real(&mut self, name: &str) -> &mut Self {
        let name = self.setup.type_name(name).to_string();
        self.setup.real.insert(name);
        self
    }

    /// Has the code of every activity run that has no mock.
    pub fn all_real(&mut self) -> &mut Self {
        self.setup.all_real = true;
        self
    }

    /// Sets a value of the plugin's configuration, which it may read from then on.
    pub fn configure(&mut self, key: &str, value: &str) -> &mut Self {
        let plugin = self.setup.plugin.plugin_name().clone();
        self.configure_plugin(plugin, key, value)
    }

    fn configure_plugin(&mut self, plugin: PluginName, key: &str, value: &str) -> &mut Self {
        self.setup.grants.config = true;
        let config = self.setup.config.entry(plugin).or_default();
        Arc::make_mut(config).insert(key.to_owned(), value.to_owned());
        self
    }

    /// Grants requests to `host` (`host`, `host:port` or `*.domain`), at addresses of this machine and its network too.
    pub fn grant_http(&mut self, host: &str) -> &mut Self {
        self.setup.grants.private_network = true;
        self.setup.grants.http.push(HttpGrant {
            host: host.to_owned(),
            methods: Vec::new(),
        });
        self
    }

    /// Grants key-value state, which is in memory and this kit's own.
    pub fn grant_keyvalue(&mut self) -> &mut Self {
        self.setup.grants.keyvalue = true;
        self
    }

    /// Stores the secret `name`, and grants it for `host`.
    pub fn secret(&mut self, name: &str, value: &str, host: &str) -> &mut Self {
        let plugin = self.setup.plugin.plugin_name();
        lab()
            .outsides
            .give(&self.setup.outside, plugin, name, value);
        self.setup.grants.secrets.push(SecretGrant {
            name: name
                .parse()
                .unwrap_or_else(|error| panic!("{name:?} names no secret: {error}")),
            host: host.to_owned(),
        });
        self
    }

    /// Begins at `time`, since the Unix epoch, instead of at noon of 1 January 2026, UTC.
    pub fn begin_at(&mut self, time: Duration) -> &mut Self {
        self.setup.begins = time;
        self
    }

    /// Gives executions of the test this time to live.
    pub fn execution_timeout(&mut self, time: Duration) -> &mut Self {
        self.setup.execution_timeout = Some(time);
        self
    }

    /// Puts a fault into what runs: at the step of that number, which [`Ended::steps`] tells.
    pub fn inject(&mut self, fault: Fault) -> &mut Self {
        self.setup.faults.push(fault);
        self
    }

    pub(crate) fn watch(&mut self, seen: Seen) {
        self.setup.seen = Some(seen);
    }

    /// Leaves out the second run of everything that shows whether the code is deterministic.
    pub fn once(&mut self) -> &mut Self {
        self.setup.repeats = false;
        self
    }

    /// Starts the workflow `name`. Nothing happens until something is asked of the execution.
    pub fn start(&self, name: &str, input: &(impl Serialize + ?Sized)) -> Execution {
        self.start_as(WORKFLOW_ID, name, input)
    }

    /// The same, under the workflow id `id`.
    pub fn start_as(&self, id: &str, name: &str, input: &(impl Serialize + ?Sized)) -> Execution {
        let input = payload::argument(input);
        Execution::start(Arc::new(self.setup.clone()), name, id, input)
    }

    /// Runs the workflow `name` to its end, skipping all the time in which nothing happens.
    ///
    /// # Panics
    /// As [`Execution::finish`].
    pub fn run(&self, name: &str, input: &(impl Serialize + ?Sized)) -> Ended {
        self.start(name, input).finish()
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        lab().outsides.forget(&self.setup.outside);
    }
}

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kit")
            .field("plugin", &self.setup.plugin)
            .finish_non_exhaustive()
    }
}
