//! `plugin build`: a crate becomes a component.

use clap::Args;
use serde_json::json;
use tenterhook_domain::Digest;

use super::{
    cargo::{Build, CrateArgument},
    component,
};
use crate::{column::Field, failure::Result, output::Console};

const FIELDS: &[Field] = &[
    Field::new("Component", "/component"),
    Field::new("Bytes", "/bytes"),
    Field::new("Digest", "/digest"),
];

/// `plugin build`.
#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    #[command(flatten)]
    source: CrateArgument,
}

impl BuildArguments {
    /// Builds it for release, and shows where the component is and by which digest hosts know it.
    pub(super) async fn run(&self, console: &Console) -> Result<()> {
        let file = self.source.find()?.build(Build::Release).await?;
        let bytes = component::read(&file)?;
        let built = json!({
            "component": file.display().to_string(),
            "bytes": bytes.len(),
            "digest": Digest::of(&bytes).to_string(),
        });
        console.record(&built, FIELDS)
    }
}
