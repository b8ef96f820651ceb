//! Where a store's parts are.

use std::path::Path;

/// Which database and which place for components. Hosts with the same two are one system.
///
/// It may hold passwords, and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE` with PostgreSQL's own parameters, or `sqlite:FILE`.
    pub database: String,
    /// `s3://BUCKET/PREFIX`, or `file:///FOLDER`.
    pub blobs: String,
    /// The variables `AWS_*` by name: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID` and so on. Others are passed
    /// over. Only for `s3`.
    pub aws: Vec<(String, String)>,
}

impl StoreConfig {
    pub(crate) fn sqlite_file(&self) -> Option<&Path> {
        self.database.strip_prefix("sqlite:").map(Path::new)
    }
}
