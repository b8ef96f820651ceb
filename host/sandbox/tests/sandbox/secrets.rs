//! Secrets in real guests' requests: the far side gets them, the guest never does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tenterhook_domain::{
    Code, Digest, Error, Result,
    component::WantedGrants,
    grant::{Grants, HttpGrant, SecretGrant},
    limit::Limits,
    secret::SecretValue,
    secret_key::SecretPlace,
};
use tenterhook_sandbox::{ActivityAccess, ActivityModule, ActivityResult, Owner, Secrets};
use tenterhook_workflow::guest::Fault;

use crate::{
    Place,
    activity::{Host, LONG, task},
    echo::Echo,
    guest, plugin,
};

const VALUE: &str = "sk_live_0123456789abcdef";
const OTHER: &str = "another value of acme";

/// Secrets by `scope/plugin/name`, and what was asked for.
#[derive(Default)]
struct Kept {
    values: BTreeMap<String, String>,
    fails: Option<Code>,
    asked: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl Secrets for Kept {
    async fn reveal(&self, place: &SecretPlace) -> Result<Option<SecretValue>> {
        let key = format!("{}/{}/{}", place.scope, place.plugin, place.name);
        self.asked.lock().unwrap().push(key.clone());
        if let Some(code) = self.fails {
            return Err(Error::new(code, format!("{key} cannot be read")));
        }
        let value = self.values.get(&key).cloned();
        value.map(SecretValue::new).transpose()
    }
}

/// A guest with secrets of acme's, and an echo that it may talk to.
struct Stage {
    echo: Echo,
    kept: Arc<Kept>,
    module: Arc<ActivityModule>,
    _place: Place,
}

impl Stage {
    async fn new(fails: Option<Code>) -> Self {
        let owned = |name: &str| format!("acme/production/test-workflows/{name}");
        let kept = Arc::new(Kept {
            values: [
                (owned("api-key"), VALUE.to_owned()),
                (owned("other"), OTHER.to_owned()),
            ]
            .into(),
            fails,
            ..Kept::default()
        });
        let place = Place::with_secrets(kept.clone());
        let module = place.load(&guest("test-workflows")).await;
        Self {
            echo: Echo::start().await.unwrap(),
            kept,
            module: module.activities().unwrap(),
            _place: place,
        }
    }

    fn grants(&self) -> Grants {
        let host = self.echo.address.to_string();
        Grants {
            http: vec![HttpGrant {
                host: host.clone(),
                methods: Vec::new(),
            }],
            private_network: true,
            config: true,
            secrets: vec![SecretGrant {
                name: "api-key".parse().unwrap(),
                host,
            }],
            ..Grants::default()
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.echo.address)
    }

    /// Has the guest make a request in `scope`.
    async fn fetch(
        &self,
        scope: &str,
        grants: Grants,
        input: &Value,
    ) -> Result<ActivityResult, Fault> {
        let url = input["url"].as_str().unwrap().to_owned();
        let access = ActivityAccess {
            owner: Arc::new(Owner {
                scope: scope.parse().unwrap(),
                plugin: plugin("test-workflows"),
                digest: Digest::of(b""),
            }),
            limits: Arc::<Limits>::default(),
            grants: Arc::new(grants),
            wants: Arc::new(WantedGrants {
                http: vec!["config:fetch_url".to_owned()],
                keyvalue: false,
                config: vec!["fetch_url".to_owned()],
            }),
            config: Arc::new(BTreeMap::from([("fetch_url".to_owned(), url)])),
            weight: 1,
        };
        let task = task("Fetch", &input.to_string());
        let host = Arc::<Host>::default();
        self.module.execute(task, access, host, LONG).await
    }

    /// What the guest made of an answer, as a whole.
    async fn told(&self, grants: Grants, input: &Value) -> Value {
        let ended = self.fetch("acme/production", grants, input).await;
        let payload = ended.unwrap().unwrap().unwrap();
        serde_json::from_slice(&payload.data).unwrap()
    }

    /// Why the attempt was ended, before anything was sent.
    async fn refused(&self, scope: &str, grants: Grants, input: &Value) -> (Code, String) {
        let ended = self.fetch(scope, grants, input).await;
        let Err(Fault::Dead { code, message }) = ended else {
            panic!("{ended:?}")
        };
        assert_eq!(self.echo.requests(), Vec::<String>::new(), "{message}");
        assert!(!message.contains(VALUE), "{message}");
        (code, message)
    }
}

#[tokio::test]
async fn the_far_side_gets_a_secret_and_the_guest_its_name() {
    let stage = Stage::new(None).await;
    let input = json!({
        "url": stage.url("/path"),
        "headers": {
            "authorization": "Bearer {{secret:api-key}}",
            "x-twice": "{{secret:api-key}}, {{secret:api-key}}",
            "accept-encoding": "gzip",
            "range": "bytes=0-3",
        },
        "tell": "x-echo",
    });
    let told = stage.told(stage.grants(), &input).await;
    let [request] = &stage.echo.requests()[..] else {
        panic!("{:?}", stage.echo.requests())
    };
    assert!(
        request.contains(&format!("authorization: Bearer {VALUE}\r\n")),
        "{request}"
    );
    assert!(
        request.contains(&format!("x-twice: {VALUE}, {VALUE}\r\n")),
        "{request}"
    );
    // What is compressed or cut could not be searched.
    assert!(
        request.contains("accept-encoding: identity\r\n"),
        "{request}"
    );
    assert!(!request.contains("range"), "{request}");

    assert_eq!(told["told"], "Bearer [secret api-key]");
    let text = told["text"].as_str().unwrap();
    assert!(
        text.contains("authorization: Bearer [secret api-key]\r\n"),
        "{text}"
    );
    assert!(
        text.contains("x-twice: [secret api-key], [secret api-key]\r\n"),
        "{text}"
    );
    assert!(!told.to_string().contains(VALUE), "{told}");
    assert_eq!(stage.kept.asked.lock().unwrap().len(), 1, "once an attempt");
}

#[tokio::test]
async fn placeholders_elsewhere_stay_as_they_are_written() {
    let stage = Stage::new(None).await;
    let input = json!({
        "url": stage.url("/path?key={{secret:api-key}}"),
        "post": "{\"key\": \"{{secret:api-key}}\"}",
    });
    let told = stage.told(stage.grants(), &input).await;
    let requests = stage.echo.requests();
    assert!(
        requests[0].ends_with("\r\n\r\n{\"key\": \"{{secret:api-key}}\"}"),
        "{requests:?}"
    );
    assert!(!requests[0].contains(VALUE), "{requests:?}");
    assert!(
        told["text"]
            .as_str()
            .unwrap()
            .contains("{{secret:api-key}}")
    );
}

#[tokio::test]
async fn a_host_that_once_got_a_secret_tells_it_to_no_later_request() {
    let stage = Stage::new(None).await;
    // It answers with what it has: here, what the test puts there.
    let input = json!({
        "url": stage.url("/"),
        "headers": { "authorization": VALUE },
        "post": format!("it was {VALUE}, and {OTHER}"),
        "tell": "x-echo",
    });
    let told = stage.told(stage.grants(), &input).await;
    assert_eq!(told["told"], "[secret api-key]");
    let text = told["text"].as_str().unwrap();
    assert!(
        text.ends_with(&format!("it was [secret api-key], and {OTHER}")),
        "{text}"
    );

    // A host that no secret is granted for has none to tell.
    let mut grants = stage.grants();
    grants.secrets.clear();
    let told = stage.told(grants, &input).await;
    assert_eq!(told["told"], VALUE);
    assert_eq!(stage.kept.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_that_cannot_be_searched_is_refused() {
    let stage = Stage::new(None).await;
    let input = json!({
        "url": stage.url("/packed"),
        "headers": { "authorization": "{{secret:api-key}}" },
    });
    let ended = stage.fetch("acme/production", stage.grants(), &input).await;
    let failure = ended.unwrap().unwrap_err();
    assert!(
        failure.error.message.contains("ContentCoding"),
        "{failure:?}"
    );
    let mut grants = stage.grants();
    grants.secrets.clear();
    let without = json!({ "url": stage.url("/packed") });
    stage.told(grants, &without).await;
}

#[tokio::test]
async fn a_secret_that_may_not_go_there_ends_the_attempt() {
    let stage = Stage::new(None).await;
    let host = stage.echo.address.to_string();
    let input = |url: &str, header: &str| json!({ "url": url, "headers": { "x-key": header } });
    let here = stage.url("/");
    let ours = input(&here, "{{secret:api-key}}");
    let change = |change: fn(&mut Grants)| {
        let mut grants = stage.grants();
        change(&mut grants);
        grants
    };
    let outside = |grants: &mut Grants| {
        grants.http[0].host = "1.1.1.1:80".to_owned();
        grants.secrets[0].host = "1.1.1.1:80".to_owned();
    };
    let not_granted = Code::SecretNotGranted;
    let cases = [
        (
            change(|grants| grants.secrets.clear()),
            ours.clone(),
            not_granted,
            ["api-key", &*host],
        ),
        (
            change(|grants| grants.secrets[0].host = "127.0.0.1:1".to_owned()),
            ours.clone(),
            not_granted,
            ["api-key", &host],
        ),
        (
            stage.grants(),
            input(&here, "{{secret:api-key}} {{secret:other}}"),
            not_granted,
            ["other", &host],
        ),
        // Another spelling is no way around.
        (
            stage.grants(),
            input(&here, "{{secret:API-KEY}}"),
            Code::SecretInvalid,
            ["{{secret:", ""],
        ),
        (
            stage.grants(),
            input(&here, "{{secret:api-key"),
            Code::SecretInvalid,
            ["{{secret:", ""],
        ),
        (
            change(|grants| grants.private_network = false),
            ours.clone(),
            not_granted,
            ["api-key", "https"],
        ),
        (
            change(outside),
            input("http://1.1.1.1/", "{{secret:api-key}}"),
            not_granted,
            ["api-key", "1.1.1.1:80"],
        ),
        (
            change(|grants| grants.secrets[0].name = "unset".parse().unwrap()),
            input(&here, "{{secret:unset}}"),
            Code::SecretNotFound,
            ["unset", "plugin secret set"],
        ),
    ];
    for (grants, input, expected, says) in cases {
        let (code, message) = stage.refused("acme/production", grants, &input).await;
        assert_eq!(code, expected, "{input}: {message}");
        for part in says {
            assert!(message.contains(part), "{part} in {message}");
        }
    }
}

#[tokio::test]
async fn nobody_gets_at_another_scopes_secret() {
    let stage = Stage::new(None).await;
    let input = json!({ "url": stage.url("/"), "headers": { "x-key": "{{secret:api-key}}" } });
    for scope in ["globex/production", "acme/test"] {
        let (code, _) = stage.refused(scope, stage.grants(), &input).await;
        assert_eq!(code, Code::SecretNotFound, "{scope}");
    }
    assert_eq!(
        *stage.kept.asked.lock().unwrap(),
        [
            "globex/production/test-workflows/api-key",
            "acme/test/test-workflows/api-key"
        ]
    );
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_ends_the_attempt_with_the_reason() {
    for code in [
        Code::SecretKeyMissing,
        Code::SecretUnreadable,
        Code::StoreFailed,
    ] {
        let stage = Stage::new(Some(code)).await;
        let url = stage.url("/");
        // Also where the request names none: what comes back could not be searched.
        for headers in [json!({ "x-key": "{{secret:api-key}}" }), json!({})] {
            let input = json!({ "url": url, "headers": headers });
            let (ended, _) = stage
                .refused("acme/production", stage.grants(), &input)
                .await;
            assert_eq!(ended, code);
        }
    }
}
