//! Secrets in requests: the guest writes a placeholder, the host puts the value there on the way out, and what comes
//! back is searched for it.
//!
//! A secret goes to hosts that it is granted for, over TLS; over plain HTTP only to addresses inside, and only where
//! those are granted. Whatever is wrong with one ends the attempt under its code: no guest can mend it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ::http::{HeaderMap, HeaderValue, Request, Uri, header, uri::Scheme};
use tenterhook_domain::{
    Code, Error, Result, SecretName,
    grant::Grants,
    secret::{Placeholder, SecretValue, placeholders},
    secret_key::SecretPlace,
};
use tokio::sync::Mutex;

use super::{mask::Masks, port_of};
use crate::{owner::Owner, sandbox::blocking};

/// Most bytes of secrets in one request: servers take no larger heads anyway.
const INSERTED_BYTES_MAX: usize = 64 * 1024;
/// Most searches that one attempt keeps: one for each set of secrets that some host may get.
const MASKS_MAX: usize = 16;

/// Where the values of secrets are. Every call names whose secret it is; a guest can name no other's.
#[async_trait::async_trait]
pub trait Secrets: Send + Sync + 'static {
    /// The value of a secret; none where there is no such.
    ///
    /// # Errors
    /// `secret-key-missing`, `secret-unreadable` or `store-failed`.
    async fn reveal(&self, place: &SecretPlace) -> Result<Option<SecretValue>>;
}

/// What one request and its answer have to do with secrets.
#[derive(Default)]
pub(super) struct Handled {
    /// What must not come back; none where no secret is granted for the host.
    pub(super) masks: Option<Arc<Masks>>,
    /// A secret that the request carries.
    pub(super) carries: Option<SecretName>,
}

impl Handled {
    /// True if the request may be sent without TLS to addresses inside alone.
    pub(super) fn stays_inside(&self, uri: &Uri) -> bool {
        self.carries.is_some() && uri.scheme() == Some(&Scheme::HTTP)
    }
}

/// The secrets of one attempt. A value is read when it is first needed, and kept as long as the attempt.
pub(super) struct Vault {
    owner: Arc<Owner>,
    grants: Arc<Grants>,
    source: Option<Arc<dyn Secrets>>,
    revealed: Mutex<BTreeMap<SecretName, Option<Arc<SecretValue>>>>,
    /// What was made to search for which secrets.
    masks: Mutex<BTreeMap<BTreeSet<SecretName>, Arc<Masks>>>,
}

impl Vault {
    pub(super) fn new(
        owner: Arc<Owner>,
        grants: Arc<Grants>,
        source: Option<Arc<dyn Secrets>>,
    ) -> Self {
        Self {
            owner,
            grants,
            source,
            revealed: Mutex::default(),
            masks: Mutex::default(),
        }
    }

    /// Puts values in place of the placeholders in the headers of `request`, and says what must not come back: every
    /// secret that is granted for the host, whether this request carries it or one before did.
    ///
    /// # Errors
    /// `secret-not-granted`, `secret-not-found`, `secret-invalid`; those of [`Secrets::reveal`].
    pub(super) async fn put<B>(&self, request: &mut Request<B>) -> Result<Handled> {
        let uri = request.uri();
        let (host, port) = (uri.host().unwrap_or_default().to_owned(), port_of(uri));
        let plain = uri.scheme() == Some(&Scheme::HTTP);
        let granted: BTreeSet<SecretName> = self.grants.secrets_for(&host, port).cloned().collect();
        let mut handled = Handled::default();
        let mut left = INSERTED_BYTES_MAX;
        for value in request.headers_mut().values_mut() {
            let found = placeholders(value.as_bytes())?;
            if found.is_empty() {
                continue;
            }
            for Placeholder { name, .. } in &found {
                self.check(
                    name,
                    granted.contains(name),
                    plain,
                    &format!("{host}:{port}"),
                )?;
                handled.carries = Some(name.clone());
            }
            *value = self.filled(value.as_bytes(), &found, &mut left).await?;
        }
        if granted.is_empty() {
            return Ok(handled);
        }
        handled.masks = self.masks(granted).await?;
        if handled.masks.is_some() {
            ask_for_plain_answer(request.headers_mut());
        }
        Ok(handled)
    }

    /// What searches for those of `granted` that there are; made once an attempt, and on a thread that may compute.
    async fn masks(&self, granted: BTreeSet<SecretName>) -> Result<Option<Arc<Masks>>> {
        let mut values = Vec::new();
        for name in &granted {
            if let Some(value) = self.reveal(name).await? {
                values.push((name.clone(), value));
            }
        }
        if values.is_empty() {
            return Ok(None);
        }
        let mut made = self.masks.lock().await;
        if let Some(masks) = made.get(&granted) {
            return Ok(Some(masks.clone()));
        }
        let masks = Arc::new(blocking(move || Masks::new(&values)).await?);
        if made.len() >= MASKS_MAX {
            made.clear();
        }
        made.insert(granted, masks.clone());
        Ok(Some(masks))
    }

    fn check(&self, name: &SecretName, granted: bool, plain: bool, to: &str) -> Result<()> {
        let refused = |why: &str| {
            let Owner { scope, plugin, .. } = &*self.owner;
            let what = format!("plugin {plugin} of {scope} may not send secret {name} to {to}");
            Err(Error::new(Code::SecretNotGranted, format!("{what}: {why}")))
        };
        if !granted {
            return refused("an operator adds the pair to the plugin's grants (secrets)");
        }
        if plain && !self.grants.private_network {
            return refused("secrets go over TLS; use https");
        }
        Ok(())
    }

    /// A header's value with its placeholders filled.
    async fn filled(
        &self,
        text: &[u8],
        found: &[Placeholder],
        left: &mut usize,
    ) -> Result<HeaderValue> {
        let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(text.len()));
        let mut from = 0;
        for Placeholder { at, name } in found {
            let secret = self.reveal(name).await?.ok_or_else(|| self.missing(name))?;
            let secret = secret.reveal().as_bytes();
            *left = left.checked_sub(secret.len()).ok_or_else(|| {
                Error::new(
                    Code::SecretInvalid,
                    format!("a request has more than {INSERTED_BYTES_MAX} bytes of secrets: name each once"),
                )
            })?;
            bytes.extend_from_slice(&text[from..at.start]);
            bytes.extend_from_slice(secret);
            from = at.end;
        }
        bytes.extend_from_slice(&text[from..]);
        let mut value = HeaderValue::from_bytes(&bytes).map_err(|_| {
            Error::new(
                Code::SecretInvalid,
                "a header with a secret in it cannot be sent",
            )
        })?;
        // No log and no table of headers shows it.
        value.set_sensitive(true);
        Ok(value)
    }

    fn missing(&self, name: &SecretName) -> Error {
        let Owner { scope, plugin, .. } = &*self.owner;
        Error::new(
            Code::SecretNotFound,
            format!(
                "plugin {plugin} of {scope} has no secret {name}: an operator sets it with `tenterhook plugin secret \
                 set {plugin} {name}`"
            ),
        )
    }

    async fn reveal(&self, name: &SecretName) -> Result<Option<Arc<SecretValue>>> {
        let mut revealed = self.revealed.lock().await;
        if let Some(known) = revealed.get(name) {
            return Ok(known.clone());
        }
        let source = self
            .source
            .as_ref()
            .ok_or_else(|| Error::new(Code::SecretKeyMissing, "nothing here keeps secrets"))?;
        let place = SecretPlace {
            scope: self.owner.scope.clone(),
            plugin: self.owner.plugin.clone(),
            name: name.clone(),
        };
        let value = source.reveal(&place).await?.map(Arc::new);
        revealed.insert(name.clone(), value.clone());
        Ok(value)
    }
}

/// What is compressed, or comes in pieces that the guest chooses, could not be searched.
fn ask_for_plain_answer(headers: &mut HeaderMap) {
    for name in [header::RANGE, header::IF_RANGE, header::TE] {
        headers.remove(name);
    }
    headers.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
}
