//! Components on their way in: uploaded, or pulled from a registry.

use std::{sync::Arc, time::Duration};

use axum::{Extension, extract::State};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use tenterhook_domain::{
    Code, Digest, Error, Result,
    check::Severity,
    origin::OciReference,
    release::{Release, ReleaseState},
    trust::SIGNATURE_BYTES_MAX,
};
use tenterhook_store::{NewRelease, Written};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{release::watch, scope_path};
use crate::{
    Api,
    answer::{Located, put_status},
    guard::Caller,
    problem::Answer,
    request::{AtPlugin, Json, Query, SignedUpload, WaitQuery, signature_too_large},
};

/// How long a push waits for its checks unless the request says otherwise.
const CHECKS_WAIT: Duration = Duration::from_secs(50);

/// Which component becomes a release.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PullRequest {
    /// `registry/repository[:tag]@sha256:…`: a component in the CNCF Wasm layout, by its manifest's digest.
    oci: String,
    /// A sigstore bundle of the component.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    signature: Option<Map<String, Value>>,
}

impl PullRequest {
    fn signature(self) -> Result<Option<String>> {
        let Some(signature) = self.signature else {
            return Ok(None);
        };
        let text = Value::from(signature).to_string();
        if text.len() > SIGNATURE_BYTES_MAX {
            return Err(signature_too_large());
        }
        Ok(Some(text))
    }
}

/// A component that is here, as a whole.
struct Arrived {
    component: Bytes,
    digest: Digest,
    signature: Option<String>,
    origin: String,
}

/// Receives and stores a component, and waits for its checks. 201 when it is a new release that passed, 200 when it
/// was there, 202 when its checks still run, and the problem of the check that refuses it.
pub(crate) async fn push(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Extension(caller): Extension<Caller>,
    Query(query): Query<WaitQuery>,
    upload: SignedUpload,
) -> Answer<Located<Release>> {
    let wait = query.wait()?;
    // Nobody sends megabytes to learn that there is no such place. Whether there is room for a further release is
    // asked once its digest is known: the bytes may be there already.
    api.state.store.environments.require(&at.scope).await?;
    let turn = turn(&api.uploads).await?;
    let received = upload.receive().await?;
    let arrived = Arrived {
        component: received.component,
        digest: received.digest,
        signature: received.signature,
        origin: "upload".to_owned(),
    };
    release(&api, &at, &caller, arrived, turn, wait).await
}

/// The same for a component that the host itself gets from a registry.
pub(crate) async fn pull(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Extension(caller): Extension<Caller>,
    Query(query): Query<WaitQuery>,
    Json(request): Json<PullRequest>,
) -> Answer<Located<Release>> {
    let wait = query.wait()?;
    let reference: OciReference = request.oci.parse()?;
    let signature = request.signature()?;
    api.state.store.environments.require(&at.scope).await?;
    // Turns of their own: a registry that is slow holds up no uploads.
    let turn = turn(&api.pulls).await?;
    let registries = &api.state.registries;
    let component = registries.pull(&at.scope.tenant, &reference).await?;
    let arrived = Arrived {
        digest: Digest::of(&component),
        component,
        signature,
        origin: reference.to_string(),
    };
    release(&api, &at, &caller, arrived, turn, wait).await
}

async fn turn(turns: &Semaphore) -> Result<SemaphorePermit<'_>> {
    turns
        .acquire()
        .await
        .map_err(|error| Error::new(Code::Internal, "components have no turns").caused_by(error))
}

/// Stores what arrived, lets the next have its turn, and waits for the checks.
async fn release(
    api: &Api,
    at: &AtPlugin,
    caller: &Caller,
    arrived: Arrived,
    turn: SemaphorePermit<'_>,
    wait: Option<Duration>,
) -> Answer<Located<Release>> {
    let changes = api.state.store.changes.subscribe();
    let (written, release) = publish(api, at, arrived, caller).await?;
    drop(turn);
    let (digest, scope, plugin) = (release.digest, &at.scope, &at.plugin);
    tracing::info!(
        %scope, %plugin, %digest, origin = release.origin, new = written == Written::Created, "a release was pushed"
    );
    let checked = |release: &Release| release.state.is_checked();
    let wait = wait.unwrap_or(CHECKS_WAIT);
    let release = watch(api, (scope, plugin), changes, release, wait, checked).await?;
    let status = if release.state.is_checked() {
        if let Some(refusal) = refusal(&release) {
            return Err(refusal.into());
        }
        put_status(written)
    } else {
        StatusCode::ACCEPTED
    };
    let path = format!("{}/plugins/{plugin}/releases/{digest}", scope_path(scope));
    Ok(Located {
        status,
        path,
        body: release,
    })
}

async fn publish(
    api: &Api,
    at: &AtPlugin,
    arrived: Arrived,
    caller: &Caller,
) -> Result<(Written, Release)> {
    let release = NewRelease {
        digest: arrived.digest,
        bytes: arrived.component.len() as u64,
        uploaded_at: api.state.clock.now_millis(),
        origin: arrived.origin,
        signature: arrived.signature,
    };
    let (store, author) = (&api.state.store, caller.author());
    store
        .publish(&at.scope, &at.plugin, &release, arrived.component, &author)
        .await
}

/// Why the release is refused, in the words and under the code of the check that refused it.
fn refusal(release: &Release) -> Option<Error> {
    if release.state != ReleaseState::Refused {
        return None;
    }
    let check = release
        .checks
        .iter()
        .find(|check| check.severity == Severity::Refused)?;
    let code = check.code.as_deref().and_then(Code::of_text);
    Some(Error::new(
        code.unwrap_or(Code::ComponentInvalid),
        check.detail.clone(),
    ))
}
