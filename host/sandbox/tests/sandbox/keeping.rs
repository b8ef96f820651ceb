//! What the guest SDK gives activities to keep and to know: key-value state with compare-and-set, batches that resume,
//! configuration as a struct. Through the real component.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use serde_json::{Value, json};
use tenterhook_domain::{PluginName, Result, Scope, component::WantedGrants, grant::Grants};
use tenterhook_sandbox::{
    ActivityAccess, ActivityModule, ActivityResult, ActivityTask, KeyPage, KeyRoom, KeySwap,
    KeyValue, Payload, SandboxConfig,
};

use crate::{
    Place,
    activity::{Host, LONG, access, task},
    config, guest,
};

/// One bucket in memory. Who else writes does so just before the next change.
#[derive(Default)]
pub(crate) struct Memory {
    keys: Mutex<BTreeMap<String, Vec<u8>>>,
    /// What others set before each of the next changes.
    others: Mutex<Vec<(String, Vec<u8>)>>,
    /// The buckets and keys that it was asked for.
    asked: Mutex<Vec<(String, String)>>,
}

impl Memory {
    /// The buckets and keys that it was asked for since this was called last.
    pub(crate) fn take_asked(&self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn ask(&self, bucket: &str, key: &str) {
        let asked = (bucket.to_owned(), key.to_owned());
        self.asked.lock().unwrap().push(asked);
    }

    fn text(&self, key: &str) -> Option<String> {
        let value = self.keys.lock().unwrap().get(key).cloned();
        value.map(|value| String::from_utf8(value).unwrap())
    }
}

#[async_trait]
impl KeyValue for Memory {
    async fn get(
        &self,
        _: &Scope,
        _: &PluginName,
        bucket: &str,
        key: &str,
    ) -> Result<Option<Vec<u8>>> {
        self.ask(bucket, key);
        Ok(self.keys.lock().unwrap().get(key).cloned())
    }

    async fn set(
        &self,
        _: &Scope,
        _: &PluginName,
        bucket: &str,
        key: &str,
        value: Vec<u8>,
        _: KeyRoom,
    ) -> Result<()> {
        self.ask(bucket, key);
        self.keys.lock().unwrap().insert(key.to_owned(), value);
        Ok(())
    }

    async fn delete(&self, _: &Scope, _: &PluginName, _: &str, key: &str) -> Result<()> {
        self.keys.lock().unwrap().remove(key);
        Ok(())
    }

    async fn exists(&self, _: &Scope, _: &PluginName, _: &str, key: &str) -> Result<bool> {
        Ok(self.keys.lock().unwrap().contains_key(key))
    }

    async fn list(&self, _: &Scope, _: &PluginName, _: &str, _: u64, _: usize) -> Result<KeyPage> {
        Ok(KeyPage::default())
    }

    async fn increment(
        &self,
        _: &Scope,
        _: &PluginName,
        _: &str,
        key: &str,
        delta: u64,
        _: KeyRoom,
    ) -> Result<u64> {
        let mut keys = self.keys.lock().unwrap();
        let before = keys.get(key).map_or(0, |value| {
            String::from_utf8_lossy(value).parse::<u64>().unwrap()
        });
        keys.insert(key.to_owned(), (before + delta).to_string().into_bytes());
        Ok(before + delta)
    }

    async fn compare_and_set(
        &self,
        _: &Scope,
        _: &PluginName,
        _: &str,
        key: &str,
        swap: KeySwap,
        _: KeyRoom,
    ) -> Result<bool> {
        let mut keys = self.keys.lock().unwrap();
        keys.extend(self.others.lock().unwrap().pop());
        if keys.get(key) != swap.expected.as_ref() {
            return Ok(false);
        }
        match swap.new {
            Some(new) => keys.insert(key.to_owned(), new),
            None => keys.remove(key),
        };
        Ok(true)
    }
}

/// The test plugin, with a store.
struct Stage {
    _place: Place,
    module: Arc<ActivityModule>,
    memory: Arc<Memory>,
}

impl Stage {
    async fn new() -> Self {
        let memory = Arc::new(Memory::default());
        let aot_dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox-aot");
        let place = Place::of(SandboxConfig {
            keyvalue: Some(memory.clone()),
            ..config(&aot_dir)
        });
        let loaded = place.load(&guest("test-workflows")).await;
        Self {
            module: loaded.activities().unwrap(),
            _place: place,
            memory,
        }
    }

    async fn run(
        &self,
        task: ActivityTask,
        access: ActivityAccess,
        host: Arc<Host>,
    ) -> ActivityResult {
        let ended = self.module.execute(task, access, host, LONG).await;
        ended.unwrap()
    }

    /// The result of an activity that succeeds, with the grant of key-value state.
    async fn answer(&self, activity_type: &str, input: Value) -> Value {
        let done = self
            .run(
                task(activity_type, &input.to_string()),
                granted(),
                Arc::default(),
            )
            .await;
        read(&done.unwrap().unwrap())
    }
}

/// What an attempt has that may keep state.
pub(crate) fn granted() -> ActivityAccess {
    let grants = Grants {
        keyvalue: true,
        ..Grants::default()
    };
    ActivityAccess {
        wants: Arc::new(WantedGrants {
            keyvalue: true,
            ..WantedGrants::default()
        }),
        ..access(Arc::default(), grants)
    }
}

fn read(payload: &Payload) -> Value {
    serde_json::from_slice(&payload.data).unwrap()
}

#[tokio::test]
async fn a_key_is_changed_only_from_the_value_that_was_expected() {
    let stage = Stage::new().await;
    let swap = |expected: Option<&str>, new: Option<&str>| {
        let input = json!({"key": "k", "expected": expected, "new": new});
        stage.answer("CompareAndSet", input)
    };
    assert_eq!(swap(None, Some("one")).await, json!(true));
    assert_eq!(swap(None, Some("two")).await, json!(false));
    assert_eq!(swap(Some("one"), Some("two")).await, json!(true));
    assert_eq!(stage.memory.text("k").as_deref(), Some("two"));
    assert_eq!(swap(Some("two"), None).await, json!(true));
    assert_eq!(stage.memory.text("k"), None);
}

#[tokio::test]
async fn compare_and_set_needs_the_grant_of_key_value_state() {
    let stage = Stage::new().await;
    let input = json!({"key": "k", "expected": null, "new": "one"});
    let refused = stage
        .run(
            task("CompareAndSet", &input.to_string()),
            access(Arc::default(), Grants::default()),
            Arc::default(),
        )
        .await
        .unwrap_err();
    assert_eq!(refused.error.kind, "AuthorizationError");
    assert_eq!(stage.memory.text("k"), None);
}

#[tokio::test]
async fn an_update_that_others_overtake_is_made_again() {
    let stage = Stage::new().await;
    let word = |list: &str| ("words".to_owned(), list.as_bytes().to_vec());
    // Taken from the end: two others were faster, one after the other.
    *stage.memory.others.lock().unwrap() = vec![word(r#"["a","b"]"#), word(r#"["a"]"#)];
    let words = stage.answer("Remember", json!("mine")).await;
    assert_eq!(words, json!(["a", "b", "mine"]));
    assert_eq!(
        stage.memory.text("words").as_deref(),
        Some(r#"["a","b","mine"]"#)
    );

    // Who is never the first leaves the rest to the retries.
    *stage.memory.others.lock().unwrap() = (0..40).map(|n| word(&format!(r#"["{n}"]"#))).collect();
    let late = stage
        .run(task("Remember", "\"late\""), granted(), Arc::default())
        .await
        .unwrap_err();
    assert_eq!(late.error.kind, "DatabaseError");
    assert!(!late.non_retryable);
    assert!(!stage.memory.text("words").unwrap().contains("late"));
}

#[tokio::test]
async fn a_walk_goes_on_after_the_last_batch_that_was_done() {
    let stage = Stage::new().await;
    let input = json!({"items": 10, "size": 3, "fails_at": 7}).to_string();
    let host = Arc::new(Host::default());
    let cut = stage
        .run(task("Walk", &input), granted(), host.clone())
        .await
        .unwrap_err();
    assert_eq!(cut.error.kind, "NetworkError");

    let mut again = task("Walk", &input);
    again.info.attempt = 2;
    again.heartbeat_details = host.last_heartbeat();
    let done = stage.run(again, granted(), Arc::default()).await;
    let walked = read(&done.unwrap().unwrap());
    assert_eq!(walked["resumed_from"], json!(6));
    // Nothing twice, nothing left out: item 6 was begun and not kept, so it is made again.
    assert_eq!(walked["items"], json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    assert_eq!(walked["last_key"], json!("key-1/9"));
}

#[tokio::test]
async fn a_walk_stops_between_batches_when_it_is_cancelled() {
    let stage = Stage::new().await;
    let host = Arc::new(Host::cancelled_after(3));
    let input = json!({"items": 100, "size": 10}).to_string();
    let ended = stage
        .run(task("Walk", &input), granted(), host.clone())
        .await;
    assert_eq!(ended.unwrap_err().error.kind, "Canceled");
    let last = read(&host.last_heartbeat()[0]);
    assert_eq!(last["done"], json!(20), "{last}");
}

#[tokio::test]
async fn configuration_comes_as_a_struct() {
    let stage = Stage::new().await;
    let configured = Grants {
        config: true,
        ..Grants::default()
    };
    let with = |keys: &[(&str, &str)]| {
        let wanted = ["greeting", "fetch_url"].map(str::to_owned);
        let keys = keys
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ActivityAccess {
            config: Arc::new(keys.collect()),
            wants: Arc::new(WantedGrants {
                config: wanted.to_vec(),
                ..WantedGrants::default()
            }),
            ..access(Arc::default(), configured.clone())
        }
    };
    let read_settings = || task("ReadSettings", "null");
    let missing = stage.run(read_settings(), with(&[]), Arc::default()).await;
    let missing = missing.unwrap_err();
    assert_eq!(missing.error.kind, "ValidationError");
    assert!(
        missing
            .error
            .message
            .contains("key \"greeting\" is not set"),
        "{missing:?}"
    );
    let place = missing.error.stack_trace.unwrap_or_default();
    assert!(place.contains("keeping.rs:"), "{place}");

    let keys = [("greeting", "Hello"), ("unasked", "x")];
    let settings = stage
        .run(read_settings(), with(&keys), Arc::default())
        .await;
    let settings = read(&settings.unwrap().unwrap());
    assert_eq!(settings, json!({"greeting": "Hello", "fetch_url": null}));
}
