//! The API of a host as a test's client sees it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{LOOK_AGAIN, guest};

/// A host that says nothing for so long does not answer: longer than it waits for a result, or for an upload's checks.
const SILENT_MAX: Duration = Duration::from_secs(180);

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body; null when there is none or it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The code of a problem, or nothing.
    pub fn code(&self) -> Option<&str> {
        self.body["code"].as_str()
    }

    /// The body of a success.
    ///
    /// # Errors
    /// Any other answer, in full.
    pub fn ok(self) -> anyhow::Result<Value> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        bail!("{}: {}", self.status, self.body)
    }
}

/// A client of one host's API, as whoever its token says.
#[derive(Debug, Clone)]
pub struct Api {
    client: reqwest::Client,
    address: String,
    token: String,
}

impl Api {
    /// A client of the host at `address`.
    ///
    /// # Panics
    /// When this machine's TLS cannot be used.
    pub fn new(address: &str, token: &str) -> Self {
        crate::install_tls();
        let client = reqwest::Client::builder().read_timeout(SILENT_MAX).build();
        Self {
            client: client.expect("TLS that can be used"),
            address: address.to_owned(),
            token: token.to_owned(),
        }
    }

    /// The same host and token, with connections of its own.
    #[must_use]
    pub fn reconnected(&self) -> Self {
        Self::new(&self.address, &self.token)
    }

    /// The same host, as somebody else.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The token that it sends.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The host's address, `http://…`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request with a JSON body, if any.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.address))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(request).await
    }

    /// `GET`.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.call(Method::GET, path, None).await
    }

    /// `PUT`.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// `POST`.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn upload(&self, path: &str, bytes: Vec<u8>) -> anyhow::Result<Answer> {
        let request = self
            .client
            .post(format!("{}{path}", self.address))
            .bearer_auth(&self.token);
        answer(
            request
                .header("content-type", "application/wasm")
                .body(bytes),
        )
        .await
    }
}

async fn answer(request: reqwest::RequestBuilder) -> anyhow::Result<Answer> {
    let response = request.send().await?;
    let status = response.status();
    let bytes = response.bytes().await?;
    // What is no JSON is text.
    let text = || match bytes.is_empty() {
        true => Value::Null,
        false => String::from_utf8_lossy(&bytes).into(),
    };
    Ok(Answer {
        status,
        body: serde_json::from_slice(&bytes).unwrap_or_else(|_| text()),
    })
}

/// A tenant's environment on a host.
#[derive(Debug, Clone)]
pub struct World {
    /// Who asks.
    pub api: Api,
    base: String,
}

impl World {
    /// Makes tenant `tenant` with environment `production`.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn make(api: &Api, tenant: &str) -> anyhow::Result<Self> {
        api.put(&format!("/v1/tenants/{tenant}"), &json!({}))
            .await?
            .ok()?;
        let world = Self::of(api, tenant);
        api.put(&world.base, &json!({})).await?.ok()?;
        Ok(world)
    }

    /// The environment `production` of a tenant that is there.
    pub fn of(api: &Api, tenant: &str) -> Self {
        Self {
            api: api.clone(),
            base: format!("/v1/tenants/{tenant}/environments/production"),
        }
    }

    /// The path of something in this environment.
    pub fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.base)
    }

    /// Uploads a component as plugin `plugin`. Answers its digest.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn push(&self, plugin: &str, component: Vec<u8>) -> anyhow::Result<String> {
        let path = self.path(&format!("plugins/{plugin}/releases"));
        let release = self.api.upload(&path, component).await?.ok()?;
        Ok(release["digest"]
            .as_str()
            .context("a release has a digest")?
            .to_owned())
    }

    /// Pushes a guest under its own name, with every grant.
    ///
    /// # Errors
    /// When it is not built, or the host refuses.
    pub async fn push_guest(&self, name: &str) -> anyhow::Result<String> {
        let digest = self.push(name, guest(name)?).await?;
        self.grant(name, &json!({ "keyvalue": true, "config": true }))
            .await?;
        Ok(digest)
    }

    /// Sets a plugin's grants.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn grant(&self, plugin: &str, grants: &Value) -> anyhow::Result<()> {
        self.api
            .put(&self.path(&format!("plugins/{plugin}/grants")), grants)
            .await?
            .ok()
            .map(|_| ())
    }

    /// Grants a plugin another one of the scope, and nothing else.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn grant_plugin(&self, plugin: &str, other: &str) -> anyhow::Result<()> {
        self.grant(plugin, &json!({ "plugins": [other] })).await
    }

    /// Sets a plugin's configuration.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn configure(&self, plugin: &str, config: &Value) -> anyhow::Result<()> {
        self.api
            .put(&self.path(&format!("plugins/{plugin}/config")), config)
            .await?
            .ok()
            .map(|_| ())
    }

    /// Starts an execution.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn start(
        &self,
        workflow_type: &str,
        id: &str,
        input: Value,
    ) -> anyhow::Result<Value> {
        let body = json!({ "type": workflow_type, "id": id, "input": input });
        self.api.post(&self.path("workflows"), &body).await?.ok()
    }

    /// Starts an execution of the guest `test-pin`, which waits for its signal `go`, and waits until it is pinned:
    /// until its first task is done.
    ///
    /// # Errors
    /// When the host refuses, or it is not pinned in time.
    pub async fn start_pinned(&self, id: &str) -> anyhow::Result<Value> {
        self.start("test-pin.Versioned", id, Value::Null).await?;
        self.until(id, |seen| seen["digest"].is_string()).await
    }

    /// Starts an execution and waits for its end: `{status, result | failure, …}`.
    ///
    /// # Errors
    /// When the host refuses, or the end does not come within 60 s.
    pub async fn execute(
        &self,
        workflow_type: &str,
        id: &str,
        input: Value,
    ) -> anyhow::Result<Value> {
        self.start(workflow_type, id, input).await?;
        self.outcome(id).await
    }

    /// How an execution ended.
    ///
    /// # Errors
    /// When the host refuses, or the end does not come within 60 s.
    pub async fn outcome(&self, id: &str) -> anyhow::Result<Value> {
        let outcome = self
            .api
            .get(&self.path(&format!("workflows/{id}/result?wait=60s")))
            .await?
            .ok()?;
        if outcome["status"] == "running" {
            let description = self.describe(id).await?;
            bail!("workflow {id} has not ended within 60 s: {description:#}");
        }
        Ok(outcome)
    }

    /// What is known of an execution.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn describe(&self, id: &str) -> anyhow::Result<Value> {
        self.api
            .get(&self.path(&format!("workflows/{id}")))
            .await?
            .ok()
    }

    /// The events of an execution's history.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn events(&self, id: &str) -> anyhow::Result<Vec<Value>> {
        let history = self
            .api
            .get(&self.path(&format!("workflows/{id}/history?limit=1000")))
            .await?
            .ok()?;
        Ok(history["events"].as_array().cloned().unwrap_or_default())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn signal(&self, id: &str, name: &str, input: Value) -> anyhow::Result<()> {
        let path = self.path(&format!("workflows/{id}/signals/{name}"));
        self.api
            .post(&path, &json!({ "input": input }))
            .await?
            .ok()
            .map(|_| ())
    }

    /// Asks a query; the answer in full.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn query(&self, id: &str, name: &str, input: Value) -> anyhow::Result<Answer> {
        self.api
            .post(
                &self.path(&format!("workflows/{id}/queries/{name}")),
                &json!({ "input": input }),
            )
            .await
    }

    /// Sends an update; the answer in full.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn update(&self, id: &str, name: &str, input: Value) -> anyhow::Result<Answer> {
        self.api
            .post(
                &self.path(&format!("workflows/{id}/updates/{name}")),
                &json!({ "input": input }),
            )
            .await
    }

    /// Asks an execution to end.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn cancel(&self, id: &str) -> anyhow::Result<()> {
        self.api
            .post(&self.path(&format!("workflows/{id}/cancel")), &json!({}))
            .await?
            .ok()
            .map(|_| ())
    }

    /// Looks at an execution until `seen` says so.
    ///
    /// # Errors
    /// When it does not within 30 s; the last look is in the error.
    pub async fn until(&self, id: &str, seen: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let description = self.describe(id).await?;
            if seen(&description) {
                return Ok(description);
            }
            if Instant::now() > deadline {
                bail!("workflow {id} did not come to it within 30 s: {description:#}");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}
