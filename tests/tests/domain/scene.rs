//! A tenant with one plugin of the domain, and providers of its own.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tenterhook_tests::{
    host::{Answer, Api, Host, World, guest},
    standin::{Book, Operation, StandIn, Switch},
};
use tokio::sync::OnceCell;

/// The book of every scene: each has a stand-in of its own.
const BOOK: &str = "book";
/// The providers' configuration keys, and where each is in the stand-in. A plugin reads those that it asks for.
const PROVIDERS: &[(&str, &str)] = &[
    ("gateway_url", "gateway"),
    ("inventory_url", "inventory"),
    ("orders_url", "orders"),
    ("fulfillment_url", "fulfillment"),
    ("subscriptions_url", "subscriptions"),
    ("users_url", "users"),
    ("mail_url", "mail"),
    ("push_url", "push"),
    ("inbox_url", "inbox"),
    ("listings_url", "listings"),
    ("checks_url", "checks"),
    ("reviewers_url", "reviewers"),
    ("search_url", "search"),
    ("analytics_url", "analytics"),
    ("objects_url", "objects"),
    ("log_url", "log"),
    ("items_url", "items"),
    ("reminders_url", "reminders"),
    ("contracts_url", "contracts"),
    ("plans_url", "plans"),
    ("usage_url", "usage"),
    ("invoices_url", "invoices"),
    ("imports_url", "imports"),
    ("tenants_url", "tenants"),
    ("sessions_url", "sessions"),
];
/// How long something may take that only another process can tell.
const SOON: Duration = Duration::from_secs(60);
/// Between two looks at it.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The host that the tests of this program share. It is a process of its own and ends with this one.
pub(crate) async fn api() -> Api {
    static HOST: OnceCell<(Host, tempfile::TempDir)> = OnceCell::const_new();
    let (host, _) = HOST
        .get_or_init(|| async {
            let data = tempfile::tempdir().unwrap();
            (Host::start(data.path()).await.unwrap(), data)
        })
        .await;
    // A client of its own: pooled connections belong to the runtime of the test that opened them.
    host.api.reconnected()
}

/// A tenant with one plugin, and the providers that it is configured with.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) standin: StandIn,
    /// The plugin's release.
    pub(crate) digest: String,
    plugin: &'static str,
}

impl Scene {
    /// A tenant `tenant` of the shared host, with `plugin`.
    pub(crate) async fn open(plugin: &'static str, tenant: &str) -> Self {
        Self::on(&api().await, plugin, tenant).await
    }

    /// The same on a host of the test's own.
    pub(crate) async fn on(api: &Api, plugin: &'static str, tenant: &str) -> Self {
        let standin = StandIn::start("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let world = World::make(api, tenant).await.unwrap();
        let digest = world.push_guest(plugin).await.unwrap();
        let grants = json!({
            "http": [{ "host": standin.address().to_string() }],
            "private_network": true,
            "keyvalue": true,
            "config": true,
        });
        world.grant(plugin, &grants).await.unwrap();
        let base = standin.base_url(BOOK);
        let keys = PROVIDERS
            .iter()
            .map(|(key, path)| ((*key).to_owned(), json!(format!("{base}/{path}"))));
        let config = Value::Object(keys.collect::<Map<_, _>>());
        world.configure(plugin, &config).await.unwrap();
        Self {
            world,
            standin,
            digest,
            plugin,
        }
    }

    /// Pushes the same component as another release and makes it current; answers its digest.
    pub(crate) async fn push_again(&self) -> String {
        let mut component = guest(self.plugin).unwrap();
        // A section that nobody reads: its kind, its length, its name's length, its name.
        component.extend_from_slice(b"\x00\x06\x05again");
        let digest = self.world.push(self.plugin, component).await.unwrap();
        let path = self.world.path(&format!("plugins/{}/current", self.plugin));
        let body = json!({ "digest": digest });
        let current = self.world.api.put(&path, &body).await.unwrap();
        current.ok().unwrap();
        digest
    }

    /// What the providers have on record.
    pub(crate) fn book(&self) -> Book {
        self.standin.book(BOOK)
    }

    /// Calls of an operation that wrote into the book, without a look at all of it.
    pub(crate) fn recorded(&self, operation: Operation) -> u64 {
        self.standin.counts(BOOK, operation).booked
    }

    /// Writes what the providers have before anything begins.
    pub(crate) fn edit<T>(&self, act: impl FnOnce(&mut Book) -> T) -> T {
        self.standin.edit(BOOK, act)
    }

    /// Has an operation of the providers misbehave.
    pub(crate) fn switch(&self, operation: Operation, switch: Switch) {
        self.standin.switch(BOOK, operation, switch);
    }

    /// Runs a workflow of the plugin to its end: `{status, result | failure, …}`.
    pub(crate) async fn run(&self, workflow: &str, id: &str, input: Value) -> Value {
        self.start(workflow, id, input).await;
        self.world.outcome(id).await.unwrap()
    }

    /// Starts a workflow of the plugin.
    pub(crate) async fn start(&self, workflow: &str, id: &str, input: Value) {
        let name = format!("{}.{workflow}", self.plugin);
        self.world.start(&name, id, input).await.unwrap();
    }

    /// What the host answers to a start that it must refuse.
    pub(crate) async fn refused(&self, workflow: &str, id: &str, input: Value) -> Answer {
        let name = format!("{}.{workflow}", self.plugin);
        let body = json!({ "type": name, "id": id, "input": input });
        let path = self.world.path("workflows");
        self.world.api.post(&path, &body).await.unwrap()
    }

    /// What a query answers.
    pub(crate) async fn query(&self, id: &str, name: &str) -> Value {
        let answer = self.world.query(id, name, Value::Null).await.unwrap();
        answer.ok().unwrap()["result"].clone()
    }

    /// Asks a query until its answer is as `seen` wants it.
    pub(crate) async fn until_query(
        &self,
        id: &str,
        name: &str,
        seen: impl Fn(&Value) -> bool,
    ) -> Value {
        let deadline = Instant::now() + SOON;
        loop {
            let answer = self.query(id, name).await;
            if seen(&answer) {
                return answer;
            }
            assert!(
                Instant::now() < deadline,
                "{id} does not come to it: {answer:#}"
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Looks at the providers' book until it is as `seen` wants it.
    pub(crate) async fn until_book(&self, seen: impl Fn(&Book) -> bool) -> Book {
        let deadline = Instant::now() + SOON;
        loop {
            let book = self.book();
            if seen(&book) {
                return book;
            }
            assert!(Instant::now() < deadline, "the book stays as it is");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until an event of a type is in an execution's history.
    pub(crate) async fn until_event(&self, id: &str, event_type: &str) {
        let deadline = Instant::now() + SOON;
        loop {
            let events = self.world.events(id).await.unwrap();
            if events.iter().any(|event| event["type"] == event_type) {
                return;
            }
            assert!(Instant::now() < deadline, "{id} has no {event_type}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// How an execution ends that a killed host has held up: an attempt that died is made again after its time-out.
    pub(crate) async fn end_of(&self, id: &str) -> Value {
        for _ in 0..6 {
            let path = self.world.path(&format!("workflows/{id}/result?wait=60s"));
            let outcome = self.world.api.get(&path).await.unwrap().ok().unwrap();
            if outcome["status"] != "running" {
                return outcome;
            }
        }
        panic!("{id} does not end");
    }

    /// The activities of an execution's run in the order in which they were scheduled.
    pub(crate) async fn activities(&self, id: &str) -> Vec<String> {
        let prefix = format!("{}.", self.plugin);
        let events = self.world.events(id).await.unwrap();
        events
            .iter()
            .filter(|event| event["type"] == "ActivityTaskScheduled")
            .filter_map(|event| event["name"].as_str()?.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect()
    }
}

/// Calls of an operation that arrived at the providers.
pub(crate) fn calls(book: &Book, operation: Operation) -> u64 {
    book.counts(operation).calls
}

/// The type of the failure that an execution ended with.
pub(crate) fn failure_type(outcome: &Value) -> &str {
    outcome["failure"]["type"].as_str().unwrap_or_default()
}

/// A time as the plugins write it, RFC 3339 in UTC.
pub(crate) fn text_of(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap();
    let millis = i64::try_from(since.as_millis()).unwrap();
    format!(
        "{:?}",
        chrono::DateTime::from_timestamp_millis(millis).unwrap()
    )
}
