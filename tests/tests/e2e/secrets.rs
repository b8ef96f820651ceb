//! A secret's whole way: stored encrypted, put into a request, never seen by the guest, and nowhere on the host's disk.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tenterhook_domain::secret_key::{SecretKeys, SecretPlace};
use tenterhook_store::Store;
use tenterhook_tests::{
    echo::Echo,
    host::{Host, World, target_dir},
};

use crate::features::{PLUGIN, once, type_of};

const VALUE: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";

/// A host that trusts the certificate of an echo and says all it can say.
struct Stage {
    host: Host,
    data: tempfile::TempDir,
    plain: Echo,
    tls: Echo,
}

impl Stage {
    async fn new() -> Self {
        let (plain, tls) = (
            Echo::start().await.unwrap(),
            Echo::start_tls().await.unwrap(),
        );
        let data = tempfile::tempdir().unwrap();
        let certificate = data.path().join("echo.pem");
        fs::write(&certificate, tls.certificate.as_ref().unwrap()).unwrap();
        let certificate = certificate.to_str().unwrap().to_owned();
        let variables = vec![
            ("SSL_CERT_FILE", certificate),
            (
                "TENTERHOOK_LOG",
                "debug,tenterhook=trace,hyper=trace,hyper_util=trace,sqlx=trace,wasmtime_wasi_http=trace".to_owned(),
            ),
        ];
        Self {
            host: Host::start_in(data.path(), variables).await.unwrap(),
            data,
            plain,
            tls,
        }
    }

    /// A tenant with the plugin, its secret, and leave to send it to both.
    async fn tenant(&self, name: &str) -> World {
        let world = World::make(&self.host.api, name).await.unwrap();
        world.push_guest(PLUGIN).await.unwrap();
        set(&world, VALUE).await;
        world.grant(PLUGIN, &self.grants(true)).await.unwrap();
        world
    }

    fn hosts(&self) -> [String; 2] {
        let port = self.tls.address.port();
        [self.plain.address.to_string(), format!("localhost:{port}")]
    }

    fn grants(&self, secrets: bool) -> Value {
        let hosts = self.hosts();
        let http: Vec<_> = hosts.iter().map(|host| json!({ "host": host })).collect();
        let secret = |host| json!({ "name": "api-key", "host": host });
        let secrets: Vec<_> = hosts.iter().filter(|_| secrets).map(secret).collect();
        json!({ "http": http, "secrets": secrets, "private_network": true, "config": true })
    }

    /// Every file of the host with these bytes in it.
    fn files_with(&self, words: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.data.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                // What is gone meanwhile has nothing in it.
                let bytes = fs::read(&path).unwrap_or_default();
                let words = words.as_bytes();
                if bytes.windows(words.len()).any(|window| window == words) {
                    found.push(path);
                }
            }
        }
        found
    }
}

async fn set(world: &World, value: &str) {
    let path = world.path(&format!("plugins/{PLUGIN}/secrets/api-key"));
    let body = json!({ "value": value });
    world.api.put(&path, &body).await.unwrap().ok().unwrap();
}

/// Has the plugin make a request with its secret.
async fn fetch(world: &World, id: &str, url: &str, further: &Value) -> Value {
    let config = json!({ "fetch_url": url });
    world.configure(PLUGIN, &config).await.unwrap();
    let mut input = json!({
        "url": url,
        "headers": { "authorization": "Bearer {{secret:api-key}}" },
        "tell": "x-echo",
    });
    for (key, value) in further.as_object().unwrap() {
        input[key] = value.clone();
    }
    let run = once("Fetch", input);
    let ended = world
        .execute(&type_of("RunsActivity"), id, run)
        .await
        .unwrap();
    assert_eq!(ended["status"], "completed", "{ended:#}");
    ended["result"].clone()
}

/// The code and the words of the failure that an activity ended with.
fn refused(ran: &Value) -> (&str, &str) {
    let chain = ran["failure"].as_array().unwrap();
    let last = chain
        .last()
        .unwrap_or_else(|| panic!("it did not fail: {ran:#}"));
    (
        last["kind"].as_str().unwrap(),
        last["message"].as_str().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_reaches_the_far_side_and_nothing_else() {
    let stage = Stage::new().await;
    let acme = stage.tenant("acme").await;
    let [plain, tls] = stage.hosts();
    for (id, url, echo) in [
        ("plain", format!("http://{plain}/"), &stage.plain),
        ("tls", format!("https://{tls}/"), &stage.tls),
    ] {
        let ran = fetch(&acme, id, &url, &json!({})).await;
        let fetched = &ran["result"];
        assert_eq!(fetched["told"], "Bearer [secret api-key]", "{ran:#}");
        let text = fetched["text"].as_str().unwrap();
        assert!(
            text.contains("authorization: Bearer [secret api-key]"),
            "{text}"
        );
        let requests = echo.requests();
        assert!(
            requests[0].contains(&format!("authorization: Bearer {VALUE}")),
            "{id}"
        );
        // What the guest makes of the answer, a failure or a line in the log, has the name in it.
        let failed = fetch(
            &acme,
            &format!("{id}-failed"),
            &url,
            &json!({ "fails": true }),
        )
        .await;
        let (_, message) = refused(&failed);
        assert!(message.contains("Bearer [secret api-key]"), "{message}");
    }

    acme.grant(PLUGIN, &stage.grants(false)).await.unwrap();
    let ran = fetch(&acme, "not-granted", &format!("https://{tls}/"), &json!({})).await;
    let (code, message) = refused(&ran);
    assert_eq!(code, "secret-not-granted", "{ran:#}");
    assert!(
        message.contains("api-key") && message.contains(&tls),
        "{message}"
    );
    assert_eq!(stage.tls.requests().len(), 2);

    let log = stage.host.log();
    assert!(log.contains("[secret api-key]") && log.contains("secret-not-granted"));
    assert_eq!(stage.files_with(VALUE), Vec::<PathBuf>::new());
    // The same search finds what is there.
    let database = stage.files_with("api-key");
    assert!(
        database.iter().any(|file| is_database(file)),
        "{database:?}"
    );
}

/// The file or the one beside it that changes wait in.
fn is_database(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("tenterhook.db")
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_and_rows_stay_where_they_belong() {
    let stage = Stage::new().await;
    let (acme, globex) = (stage.tenant("acme").await, stage.tenant("globex").await);
    let [plain, _] = stage.hosts();
    let url = format!("http://{plain}/");
    let file = stage.data.path().join("secret-keys");
    let old = SecretKeys::parse(&fs::read_to_string(&file).unwrap()).unwrap();

    // As somebody does who writes to the database: a row of acme's in globex's place.
    let store = Store::open(stage.data.path()).await.unwrap();
    let place = |scope: &str| SecretPlace {
        scope: scope.parse().unwrap(),
        plugin: PLUGIN.parse().unwrap(),
        name: "api-key".parse().unwrap(),
    };
    let own = place("acme/production");
    let row = store.secrets.get(&own).await.unwrap().unwrap();
    assert_eq!(old.open(&own, &row).unwrap().reveal(), VALUE);
    let author = tenterhook_domain::audit::Author {
        who: "nobody".to_owned(),
        from: String::new(),
        why: String::new(),
    };
    let theirs = place("globex/production");
    let copied = store.secrets.put(&theirs, &row, &author, 0).await;
    copied.unwrap();
    let ran = fetch(&globex, "copied", &url, &json!({})).await;
    assert_eq!(refused(&ran).0, "secret-unreadable", "{ran:#}");
    assert!(stage.plain.requests().is_empty());
    set(&globex, "a value of globex").await;

    let rotated = tenterhook(&stage, &["secret-key", "rotate", file.to_str().unwrap()]).await;
    assert_eq!(
        (&rotated["resealed"], &rotated["left"]),
        (&json!(2), &json!(0)),
        "{rotated}"
    );
    let both = SecretKeys::parse(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(rotated["key"], both.first());
    assert_eq!(both.ids().collect::<Vec<_>>(), [both.first(), old.first()]);
    let row = store.secrets.get(&own).await.unwrap().unwrap();
    assert_eq!(row.key, both.first());
    let ran = fetch(&acme, "rotated", &url, &json!({})).await;
    assert_eq!(ran["result"]["told"], "Bearer [secret api-key]", "{ran:#}");
    assert!(stage.plain.requests()[0].contains(VALUE));

    // The older key can go.
    let text = fs::read_to_string(&file).unwrap();
    let newest: Vec<&str> = text.lines().take(2).collect();
    fs::write(&file, newest.join("\n")).unwrap();
    set(&globex, "a newer value of globex").await;
    let ran = fetch(&globex, "newest", &url, &json!({})).await;
    assert_eq!(ran["result"]["told"], "Bearer [secret api-key]", "{ran:#}");
    assert!(stage.plain.requests()[1].contains("a newer value of globex"));
    store.database.close().await;
}

/// Runs the program beside the host; its answer as JSON.
async fn tenterhook(stage: &Stage, arguments: &[&str]) -> Value {
    let mut command = Command::new(target_dir().join("debug").join("tenterhook"));
    command
        .args(arguments)
        .args(["--output", "json", "--data-dir"])
        .arg(stage.host.data_dir())
        .env_remove("TENTERHOOK_URL")
        .env_remove("TENTERHOOK_TOKEN");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}
