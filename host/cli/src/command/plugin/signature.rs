//! A signature that is pushed with a component: a sigstore bundle in a file.

use std::path::Path;

use serde_json::Value;
use tenterhook_domain::trust::SIGNATURE_BYTES_MAX;

use crate::{
    failure::{Failure, Result},
    input,
};

/// The bundle in `file`, if it is JSON; whether it holds, the host says.
pub(super) fn read(file: &Path) -> Result<Value> {
    let bytes = input::file_bytes(file, SIGNATURE_BYTES_MAX)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::usage(format!("{} is not JSON", file.display()))
            .caused_by(&error)
            .with_hint("give the file that `cosign sign-blob --bundle FILE` wrote")
    })
}
