//! One that misbehaves, with all that its misdeeds need: plugins, grants, and far sides to send to.

use std::net::TcpListener;

use serde_json::{Value, json};
use tenterhook_tests::{
    echo::Echo,
    host::{Host, World, guest},
};

/// A tenant of a besieger. Limits hold for a plugin of a tenant, so misdeeds that need others are at home elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Most.
    Plain,
    /// Where sizes and numbers are low.
    Sized,
    /// Where little may be done in a second.
    Paced,
    /// Where little may be done at once, and not for long.
    Hurried,
}

const PLACES: [Place; 4] = [Place::Plain, Place::Sized, Place::Paced, Place::Hurried];
const HOSTILE: &str = "test-hostile";
/// The execution of another plugin that is reached for.
pub(crate) const VICTIM: &str = "victim";
/// Bytes of a log line of the hostile plugin.
pub(crate) const LINE_BYTES: usize = 1_024;

/// Where requests go.
#[derive(Debug)]
pub(crate) struct FarSides {
    echo: Echo,
    /// Nobody takes what comes here.
    silent: TcpListener,
}

/// Nobody listens there.
const DEAD: &str = "127.0.0.1:1";

impl FarSides {
    pub(crate) async fn start() -> Self {
        Self {
            echo: Echo::start().await.unwrap(),
            silent: TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    fn echo(&self) -> String {
        self.echo.address.to_string()
    }

    fn silent(&self) -> String {
        self.silent.local_addr().unwrap().to_string()
    }

    /// What the hostile plugin may do there.
    fn grants(&self, place: Place) -> Value {
        let echo = json!({ "host": self.echo(), "methods": ["GET", "POST"] });
        let (http, limits) = match place {
            Place::Plain => (
                json!([echo]),
                json!({
                    "activity_millis": 2_000, "pending_timers": 20, "pending_activities": 8,
                    "pending_children": 2, "history_events": 100, "history_bytes": 65_536,
                    "log_line_bytes": LINE_BYTES,
                }),
            ),
            Place::Sized => (
                json!([echo, { "host": DEAD }, { "host": "169.254.169.254" }]),
                json!({
                    "keyvalue_keys": 5, "keyvalue_key_bytes": 64, "keyvalue_value_bytes": 4_000,
                    "keyvalue_bytes": 3_000, "outbound_requests": 20,
                    "outbound_request_body_bytes": 10_000, "outbound_body_bytes": 1_024,
                }),
            ),
            Place::Paced => (
                json!([echo]),
                json!({ "keyvalue_per_second": 1, "outbound_per_second": 1 }),
            ),
            Place::Hurried => (
                json!([echo, { "host": self.silent() }]),
                json!({
                    "outbound_concurrency": 1, "outbound_millis": 500,
                    "activation_millis": 500, "activation_fuel": 100_000_000_000_u64,
                }),
            ),
        };
        let inside = place != Place::Plain;
        json!({
            "http": http, "private_network": inside, "keyvalue": inside, "config": true, "limits": limits,
        })
    }
}

/// One that misbehaves.
#[derive(Debug)]
pub(crate) struct Besieger {
    name: String,
    worlds: [World; PLACES.len()],
}

impl Besieger {
    /// On `host`, ready to misbehave.
    pub(crate) async fn make(host: &Host, name: &str, far: &FarSides) -> Self {
        let mut worlds = Vec::new();
        for place in PLACES {
            let world = World::make(&host.api, &tenant(name, place)).await.unwrap();
            world.push_guest(HOSTILE).await.unwrap();
            world.grant(HOSTILE, &far.grants(place)).await.unwrap();
            let urls = json!({
                "echo_url": format!("http://{}", far.echo()),
                "silent_url": format!("http://{}", far.silent()),
                "dead_url": format!("http://{DEAD}"),
            });
            world.configure(HOSTILE, &urls).await.unwrap();
            worlds.push(world);
        }
        furnish(&worlds[0]).await;
        Self {
            name: name.to_owned(),
            worlds: worlds.try_into().unwrap(),
        }
    }

    /// Its environment there.
    pub(crate) fn world(&self, place: Place) -> &World {
        &self.worlds[place as usize]
    }

    /// Its tenant there.
    pub(crate) fn tenant(&self, place: Place) -> String {
        tenant(&self.name, place)
    }
}

fn tenant(name: &str, place: Place) -> String {
    format!("{name}-{place:?}").to_lowercase()
}

/// What only the plain tenant has: further plugins, and the execution of one of them that is reached for.
async fn furnish(world: &World) {
    let limits = [
        ("test-garbage", json!({ "activation_millis": 500 })),
        ("test-std", json!({ "activation_fuel": 100_000_000 })),
        ("test-languages", json!({ "table_elements": 1_000 })),
    ];
    for (plugin, limits) in limits {
        world.push_guest(plugin).await.unwrap();
        let grants = json!({ "limits": limits });
        world.grant(plugin, &grants).await.unwrap();
    }
    make_victim(world).await;
}

/// Starts an execution that nobody who reaches for it may disturb.
pub(crate) async fn make_victim(world: &World) {
    let pin = guest("test-pin-v1").unwrap();
    world.push("test-pin", pin).await.unwrap();
    world.start_pinned(VICTIM).await.unwrap();
}

/// Holds that nobody disturbed it.
pub(crate) async fn check_victim(world: &World) {
    let seen = world.describe(VICTIM).await.unwrap();
    assert_eq!(seen["status"], "running", "{seen:#}");
    let events = world.events(VICTIM).await.unwrap();
    let reached = |event: &&Value| {
        let name = event["type"].as_str().unwrap_or_default();
        name.ends_with("Signaled") || name.ends_with("CancelRequested")
    };
    assert_eq!(events.iter().find(reached), None);
}
