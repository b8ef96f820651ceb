//! A pull: the manifest by its digest, then its one layer, each within its bound and held against its digest.

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol},
    errors::{DigestError, OciDistributionError, OciErrorCode},
    manifest::{OCI_IMAGE_MEDIA_TYPE, OciImageManifest},
    secrets::RegistryAuth,
};
use tenterhook_domain::{
    Code, Digest, Error, Result, TenantId,
    component::COMPONENT_BYTES_MAX,
    origin::{OciReference, Registries},
};
use tokio::time::timeout;

use crate::{AllowedPlace, credentials};

/// How long a pull may take, with everything.
pub const PULL_TIMEOUT: Duration = Duration::from_secs(120);
/// Largest manifest, in bytes; registries take no larger ones.
pub const MANIFEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing may come before a registry counts as silent.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// What the CNCF's Wasm layout says that an artifact's configuration is.
const CONFIG_MEDIA_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// And its one layer.
const LAYER_MEDIA_TYPE: &str = "application/wasm";

/// The registries that an operator allows.
#[derive(Debug, Clone, Default)]
pub struct OciRegistries {
    places: Vec<AllowedPlace>,
    credentials: Option<PathBuf>,
}

impl OciRegistries {
    /// Allows `places`, with the credentials of a Docker configuration file where one is given.
    pub fn new(places: Vec<AllowedPlace>, credentials: Option<PathBuf>) -> Self {
        Self {
            places,
            credentials,
        }
    }

    fn check_allowed(&self, tenant: &TenantId, reference: &OciReference) -> Result<()> {
        if self
            .places
            .iter()
            .any(|place| place.allows(tenant, reference))
        {
            return Ok(());
        }
        let what = if self.places.is_empty() {
            "this host pulls from no registry".to_owned()
        } else {
            format!(
                "this host does not pull {}/{} for tenant {tenant}",
                reference.registry(),
                reference.repository()
            )
        };
        Err(Error::new(
            Code::RegistryDenied,
            format!("{what}: upload the component, or ask the host's operator for --oci-registry"),
        ))
    }

    async fn fetch(&self, reference: &OciReference) -> Result<Bytes> {
        let registry = reference.registry();
        let auth = match &self.credentials {
            Some(file) => credentials::of_file(file, registry).await?,
            None => RegistryAuth::Anonymous,
        };
        let unreadable = |error: oci_client::ParseError| {
            let detail = format!("{reference} is no reference of a registry");
            Error::new(Code::OriginInvalid, detail).caused_by(error)
        };
        let image: Reference = reference.to_string().parse().map_err(unreadable)?;
        // A client a pull: tokens are of one repository, and certificates may be renewed.
        let client = Client::try_from(self.client_config()).map_err(failure(reference))?;
        let accepted = [OCI_IMAGE_MEDIA_TYPE];
        let (bytes, _) = client
            .pull_manifest_raw(&image, &auth, &accepted)
            .await
            .map_err(failure(reference))?;
        check_digest(reference.digest(), &bytes, "manifest")?;
        let (layer, size) = layer(reference, &bytes)?;
        read_layer(&client, &image, reference, &layer, size).await
    }

    fn client_config(&self) -> ClientConfig {
        let local = self.places.iter().filter_map(AllowedPlace::of_this_machine);
        ClientConfig {
            protocol: ClientProtocol::HttpsExcept(local.map(str::to_owned).collect()),
            platform_resolver: None,
            connect_timeout: Some(CONNECT_TIMEOUT),
            read_timeout: Some(READ_TIMEOUT),
            user_agent: concat!("tenterhook/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        }
    }
}

#[async_trait]
impl Registries for OciRegistries {
    async fn pull(&self, tenant: &TenantId, reference: &OciReference) -> Result<Bytes> {
        self.check_allowed(tenant, reference)?;
        timeout(PULL_TIMEOUT, self.fetch(reference))
            .await
            .unwrap_or_else(|_| {
                Err(Error::new(
                    Code::RegistryFailed,
                    format!(
                        "{} did not hand over {reference} within {} s: try again",
                        reference.registry(),
                        PULL_TIMEOUT.as_secs()
                    ),
                ))
            })
    }
}

/// The digest and the announced size of the one layer that the manifest has.
fn layer(reference: &OciReference, manifest: &[u8]) -> Result<(Digest, usize)> {
    let not = |why: &str| {
        Error::new(
            Code::ArtifactInvalid,
            format!(
                "{reference} is no component in the CNCF Wasm layout: {why}; push it with `wkg oci push`, or as one \
                 {LAYER_MEDIA_TYPE} layer with the config type {CONFIG_MEDIA_TYPE}"
            ),
        )
    };
    if manifest.len() > MANIFEST_BYTES_MAX {
        return Err(not(&format!(
            "its manifest is larger than {MANIFEST_BYTES_MAX} bytes"
        )));
    }
    let manifest: OciImageManifest = serde_json::from_slice(manifest)
        .map_err(|error| not("its manifest cannot be read").caused_by(error))?;
    let config = manifest.config.media_type.as_str();
    if config != CONFIG_MEDIA_TYPE {
        return Err(not(&format!("its config is {config:?}")));
    }
    let [layer] = manifest.layers.as_slice() else {
        return Err(not(&format!("it has {} layers", manifest.layers.len())));
    };
    if layer.media_type != LAYER_MEDIA_TYPE {
        return Err(not(&format!("its layer is {:?}", layer.media_type)));
    }
    // Comes into an address: nothing but a digest may.
    let digest = layer
        .digest
        .parse()
        .map_err(|_| not("its layer has no sha256 digest"))?;
    let size = usize::try_from(layer.size).map_err(|_| not("its layer has no size"))?;
    Ok((digest, size))
}

async fn read_layer(
    client: &Client,
    image: &Reference,
    reference: &OciReference,
    digest: &Digest,
    size: usize,
) -> Result<Bytes> {
    let too_large = || {
        Error::new(
            Code::ComponentTooLarge,
            format!("the component is larger than {COMPONENT_BYTES_MAX} bytes"),
        )
    };
    if size > COMPONENT_BYTES_MAX {
        return Err(too_large());
    }
    // By the digest alone: a descriptor may also name addresses elsewhere, and those nobody allowed.
    let name = digest.to_string();
    let mut stream = client
        .pull_blob_stream(image, name.as_str())
        .await
        .map_err(failure(reference))?;
    let mut component = BytesMut::with_capacity(size);
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| failure(reference)(error.into()))?;
        if component.len().saturating_add(piece.len()) > COMPONENT_BYTES_MAX {
            return Err(too_large());
        }
        component.extend_from_slice(&piece);
    }
    check_digest(digest, &component, "layer")?;
    Ok(component.freeze())
}

fn check_digest(expected: &Digest, bytes: &[u8], what: &str) -> Result<()> {
    let found = Digest::of(bytes);
    if found == *expected {
        return Ok(());
    }
    Err(mismatch(&format!(
        "the {what} that came is {found}, but {expected} was asked for"
    )))
}

fn mismatch(what: &str) -> Error {
    Error::new(
        Code::DigestMismatch,
        format!("{what}: the registry is damaged, or not to be trusted"),
    )
}

/// What a registry's answer means here. What it says in words goes to the log alone, for it may tell of places that the
/// caller does not see.
fn failure(reference: &OciReference) -> impl Fn(OciDistributionError) -> Error {
    use OciDistributionError as E;
    move |error| {
        let registry = reference.registry();
        if is_digest_error(&error) {
            let what = format!("what {registry} sent for {reference} is something else");
            return mismatch(&what).caused_by(error);
        }
        let missing = || {
            Error::new(
                Code::ArtifactNotFound,
                format!("{registry} has no {reference}: check repository and digest"),
            )
        };
        let refused = || {
            Error::new(
                Code::RegistryFailed,
                format!(
                    "{registry} does not let this host read {}: its operator gives credentials with --oci-credentials",
                    reference.repository()
                ),
            )
        };
        let known = match &error {
            E::ImageManifestNotFoundError(_) | E::ServerError { code: 404, .. } => missing(),
            E::RegistryError { envelope, .. } => match envelope.errors.first().map(|e| &e.code) {
                Some(
                    OciErrorCode::ManifestUnknown
                    | OciErrorCode::NameUnknown
                    | OciErrorCode::BlobUnknown
                    | OciErrorCode::NotFound,
                ) => missing(),
                Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => refused(),
                _ => silent(registry),
            },
            E::UnauthorizedError { .. } | E::AuthenticationFailure(_) => refused(),
            E::ServerError {
                code: 401 | 403, ..
            } => refused(),
            _ => silent(registry),
        };
        known.caused_by(error)
    }
}

fn silent(registry: &str) -> Error {
    Error::new(
        Code::RegistryFailed,
        format!(
            "{registry} does not answer as a registry does: try again; the host's log says more"
        ),
    )
}

/// True if bytes were not those of their digest; the client tells so in two ways.
fn is_digest_error(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::DigestError(_) => true,
        OciDistributionError::IoError(error) => error
            .get_ref()
            .is_some_and(|cause| cause.is::<DigestError>()),
        _ => false,
    }
}
