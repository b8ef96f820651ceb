//! A bucket of S3, or of what speaks its protocol.

use std::{sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    path::Path,
    prefix::PrefixStore,
};
use tenterhook_domain::{Code, Error, Result};
use url::Url;

/// How long a connection to the bucket may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one request may take, a component's bytes included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a request is tried again.
const RETRIES_MAX: usize = 4;
/// No try begins later than this after the first.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

/// The bucket and prefix of `url`.
pub(super) fn open(url: &Url, aws: &[(String, String)]) -> Result<Arc<dyn ObjectStore>> {
    let refused = |error: object_store::Error| {
        Error::new(
            Code::HostConfigInvalid,
            format!("the bucket {url} cannot be used with these AWS_* settings"),
        )
        .caused_by(error)
    };
    // A password in the URL would be quoted in errors, and is no way to sign in to a bucket.
    let Some(bucket) = url.host_str().filter(|_| url.username().is_empty()) else {
        return Err(Error::new(
            Code::HostConfigInvalid,
            "components are kept at s3://BUCKET/PREFIX, with what signs in given by AWS_*",
        ));
    };
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(REQUEST_TIMEOUT);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_client_options(client);
    for (name, value) in aws {
        let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() else {
            continue;
        };
        // Who names an endpoint without TLS means it.
        if key == AmazonS3ConfigKey::Endpoint && value.starts_with("http://") {
            builder = builder.with_allow_http(true);
        }
        builder = builder.with_config(key, value);
    }
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_TIMEOUT,
    };
    let bucket = builder.with_retry(retry).build().map_err(refused)?;
    let prefix = Path::from_url_path(url.path()).map_err(|error| refused(error.into()))?;
    if prefix.as_ref().is_empty() {
        return Ok(Arc::new(bucket));
    }
    Ok(Arc::new(PrefixStore::new(bucket, prefix)))
}
