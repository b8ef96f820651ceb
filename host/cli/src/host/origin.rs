//! Where this host's components may come from, and who may have signed them.

use std::sync::Arc;

use anyhow::Context as _;
use tenterhook_registry::OciRegistries;
use tenterhook_signature::SigstoreSignatures;

use crate::host_options::OriginOptions;

/// What a release may come from and be signed by.
pub(super) struct Origins {
    pub(super) registries: Arc<OciRegistries>,
    pub(super) signatures: Arc<SigstoreSignatures>,
}

impl Origins {
    /// What the operator asks for.
    pub(super) fn of(options: &OriginOptions) -> anyhow::Result<Self> {
        let OriginOptions {
            registries,
            credentials,
            trust_root,
        } = options;
        if let Some(file) = credentials {
            // What is wrong with it shows at a pull; that it is not there at all shows now.
            std::fs::metadata(file)
                .with_context(|| format!("--oci-credentials {} is not there", file.display()))?;
        }
        let root = trust_root.as_ref().map(|file| {
            std::fs::read_to_string(file)
                .with_context(|| format!("--trust-root {} cannot be read", file.display()))
        });
        let signatures = SigstoreSignatures::new(root.transpose()?.as_deref())?;
        Ok(Self {
            registries: Arc::new(OciRegistries::new(registries.clone(), credentials.clone())),
            signatures: Arc::new(signatures),
        })
    }
}
