//! Rotations of the keys that sign contexts, while hosts run.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use temporalio_client::grpc::WorkflowService;
use temporalio_protos::temporal::api::{
    common::v1::Payload,
    history::v1::{History, history_event::Attributes},
};
use tenterhook_domain::{
    audit::Author,
    clock::{Clock as _, SystemClock},
    context::{
        CONTEXT_KEY_GRACE_MILLIS, Context, ContextKeySet, ContextKeys, HEADER, ScheduleContext,
    },
};
use tenterhook_store::Store;
use tenterhook_tests::{
    cluster::Cluster,
    dev_server,
    host::{Api, Host, World, guest},
    raw::{context, failed_tasks, history, temporal},
};

use crate::{
    lanes::{refusal, start_around_the_host},
    schedules::{
        every_second, put,
        signed::{self, key_of},
        started, until,
    },
};

/// How long a test waits for what must come.
const SOON: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Seconds after which a key signs of which two hosts have to hear, on a busy machine.
const SIGNS_AFTER: u64 = 4;

type Service = Box<dyn WorkflowService>;

fn temporal_id(id: &str) -> String {
    format!("acme/production/{id}")
}

/// Ids of all keys with what they do, the newest first.
fn keys(list: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|key| (text(&key["id"]), text(&key["state"])))
        .collect()
}

/// Makes a new key. Answers the ids of the key before and of the new one.
async fn rotate(api: &Api, signs_after: u64) -> [String; 2] {
    let body = json!({ "signs_after_seconds": signs_after });
    let rotated = api.post("/v1/context-keys/rotate", &body).await;
    let list = keys(&rotated.unwrap().ok().unwrap());
    let [(new, new_state), (old, old_state), ..] = &list[..] else {
        panic!("{list:?}");
    };
    assert_eq!(
        [new_state.as_str(), old_state.as_str()],
        ["coming", "signing"]
    );
    [old.clone(), new.clone()]
}

/// The key that signed the start of an execution.
async fn key_of_start(service: &mut Service, id: &str) -> String {
    let began = history(service, &temporal_id(id)).await.unwrap();
    key_of(&context(&began).unwrap())
}

/// The keys that signed the activities of an execution.
fn keys_of_activities(history: &History) -> Vec<String> {
    let scheduled = history
        .events
        .iter()
        .filter_map(|event| match &event.attributes {
            Some(Attributes::ActivityTaskScheduledEventAttributes(it)) => it.header.as_ref(),
            _ => None,
        });
    scheduled
        .map(|header| key_of(&header.fields[HEADER]))
        .collect()
}

/// Starts executions in `world` until one is signed with `key`; none may be refused.
async fn until_signed_with(service: &mut Service, world: &World, prefix: &str, key: &str) {
    let deadline = Instant::now() + SOON;
    for number in 0.. {
        let id = format!("{prefix}-{number}");
        let run = world.execute("bench.OneActivity", &id, json!(number));
        assert_eq!(run.await.unwrap()["status"], "completed");
        let ran = history(service, &temporal_id(&id)).await.unwrap();
        assert_eq!(failed_tasks(&ran), Vec::<String>::new(), "{id}");
        if key_of(&context(&ran).unwrap()) == key {
            return;
        }
        assert!(Instant::now() < deadline, "{id} is not signed with {key}");
    }
}

#[tokio::test]
async fn a_rotation_is_heard_by_every_host_and_stops_nothing() {
    let cluster = Cluster::start().await.unwrap();
    let (here, there) = tokio::join!(cluster.host("here", "all"), cluster.host("there", "all"));
    let (here, there) = (here.unwrap(), there.unwrap());
    let ours = World::make(&here.api, "acme").await.unwrap();
    let theirs = World::of(&there.api, "acme");
    let pin = guest("test-pin-v1").unwrap();
    ours.push("test-pin", pin).await.unwrap();
    ours.push_guest("bench").await.unwrap();
    ours.start_pinned("before").await.unwrap();
    put(&ours, "tick", &every_second(1)).await;

    let mut service = temporal(&cluster.temporal()).await.unwrap();
    let [old, new] = rotate(&here.api, SIGNS_AFTER).await;
    assert_eq!(key_of_start(&mut service, "before").await, old);
    until_signed_with(&mut service, &ours, "ours", &new).await;
    until_signed_with(&mut service, &theirs, "theirs", &new).await;
    let listed = there.api.get("/v1/context-keys").await.unwrap();
    let states = [
        (new.clone(), "signing".to_owned()),
        (old, "retired".to_owned()),
    ];
    assert_eq!(keys(&listed.ok().unwrap()), states);

    // What began under the old key goes on, and what it begins is signed with the new one.
    theirs.signal("before", "go", Value::Null).await.unwrap();
    let outcome = theirs.outcome("before").await.unwrap();
    assert_eq!(outcome["result"], "v1 with activity v1", "{outcome:#}");
    let ran = history(&mut service, &temporal_id("before")).await.unwrap();
    assert_eq!(failed_tasks(&ran), Vec::<String>::new());
    assert_eq!(keys_of_activities(&ran), [new.as_str()]);

    // So does the schedule, which is signed anew by itself.
    let deadline = Instant::now() + SOON;
    while key_of(&signed::context(&mut service, &temporal_id("tick")).await) != new {
        assert!(
            Instant::now() < deadline,
            "the schedule is signed with the old key"
        );
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let before = until(&ours, "tick", |_| true).await["started"].as_u64();
    let seen = until(&ours, "tick", |seen| seen["started"].as_u64() > before).await;
    let last = started(&seen).pop().unwrap();
    assert_eq!(ours.outcome(&last).await.unwrap()["status"], "completed");
    assert_eq!(key_of_start(&mut service, &last).await, new);
}

/// The keys of the host at `data`; `retired_at`, with another one that signs since then.
async fn keys_at(data: &std::path::Path, retired_at: Option<u64>) -> ContextKeySet {
    let (store, now) = (Store::open(data).await.unwrap(), SystemClock.now_millis());
    let author = Author {
        who: "a test".into(),
        from: "here".into(),
        why: String::new(),
    };
    let set = match retired_at {
        Some(at) => store.context_keys.rotate(at, &author, at).await,
        None => store.context_keys.load_or_create(now).await,
    };
    store.database.close().await;
    set.unwrap()
}

fn header(token: &str) -> Option<Payload> {
    Some(Payload {
        data: json!(token).to_string().into_bytes(),
        ..Default::default()
    })
}

/// What somebody writes who has the secrets of `keys`, for the execution `id`.
fn forged(keys: &ContextKeys, id: &str) -> Option<Payload> {
    let token = keys.sign(&Context {
        scope: "acme/production".parse().unwrap(),
        plugin: "test-pin".parse().unwrap(),
        workflow_id: temporal_id(id),
        digest: None,
        begins_by: None,
    });
    header(&token.unwrap())
}

/// The same, for the executions of a schedule `id`.
fn forged_schedule(keys: &ContextKeys, id: &str) -> Option<Payload> {
    let token = keys.sign_schedule(&ScheduleContext {
        scope: "acme/production".parse().unwrap(),
        workflow_type: "test-pin.Versioned".parse().unwrap(),
        workflow_id: temporal_id(id),
    });
    header(&token.unwrap())
}

#[tokio::test]
async fn a_retired_key_begins_nothing_new() {
    let (server_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = dev_server::start(server_data.path()).await.unwrap();
    let address = server.address().to_string();
    let host = Host::serve(data.path(), &address).await.unwrap();
    let world = World::make(&host.api, "acme").await.unwrap();
    let pin = guest("test-pin-v1").unwrap();
    world.push("test-pin", pin).await.unwrap();
    world.push_guest("bench").await.unwrap();
    let mut service = temporal(&address).await.unwrap();
    let now = SystemClock.now_millis();
    let leaked = keys_at(data.path(), None).await.at(now);
    // While it signs, whoever has it can do what a host can.
    let early = forged(&leaked, "early");
    start_around_the_host(&mut service, &temporal_id("early"), early).await;
    let runs = world.until("early", |seen| seen["digest"].is_string());
    runs.await.unwrap();

    // As if its successor were twice as old as a retired key begins things.
    let long_ago = now - 2 * CONTEXT_KEY_GRACE_MILLIS;
    let set = keys_at(data.path(), Some(long_ago)).await;
    let new = set.at(now).signing_id();
    // Before, what the host signs would be refused too.
    let deadline = Instant::now() + SOON;
    while !host.log().contains(&new) {
        assert!(Instant::now() < deadline, "the host has not heard of {new}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    until_signed_with(&mut service, &world, "own", &new).await;
    let scheduled = "daily-2026-01-10T03:00:00Z";
    for (id, context) in [
        ("late", forged(&leaked, "late")),
        (scheduled, forged_schedule(&leaked, "daily")),
    ] {
        start_around_the_host(&mut service, &temporal_id(id), context).await;
        let message = refusal(&mut service, &temporal_id(id)).await;
        let told = ["context-invalid", "its key was retired"];
        assert!(
            told.iter().all(|word| message.contains(word)),
            "{id}: {message}"
        );
    }
}
