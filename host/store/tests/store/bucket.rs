//! An S3 server of the test process, and components in its buckets.

use std::{
    net::{SocketAddr, TcpListener},
    sync::OnceLock,
    thread,
};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use tenterhook_domain::{Code, Digest};
use tenterhook_store::{Blobs as _, ObjectBlobs, Written};

use crate::component;

const BUCKET: &str = "components";
const KEY: &str = "tests";
const SECRET: &str = "not-a-secret";

/// The server that all tests share; it ends with the process.
fn server() -> SocketAddr {
    static SERVER: OnceLock<(SocketAddr, tempfile::TempDir)> = OnceLock::new();
    let (address, _) = SERVER.get_or_init(|| {
        // What an HTTP client of the process needs, as `main` of the host does it; a second time is harmless.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let files = s3s_fs::FileSystem::new(folder.path()).unwrap();
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = service.build();
        // A runtime of its own, for a test's ends with the test.
        thread::spawn(move || serve(listener, service));
        (address, folder)
    });
    *address
}

fn serve(listener: TcpListener, service: s3s::service::S3Service) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async move {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let service = service.clone();
            tokio::spawn(async move {
                let server = Builder::new(TokioExecutor::new());
                // A client that goes away is its own affair.
                let _ = server.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
}

/// A place of its own in the bucket.
pub(crate) fn url(prefix: &str) -> String {
    format!("s3://{BUCKET}/hosts/{prefix}")
}

/// What signs in to the server.
pub(crate) fn settings() -> Vec<(String, String)> {
    let endpoint = format!("http://{}", server());
    [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        // Other programs' words among the variables are passed over.
        ("AWS_PAGER", ""),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[tokio::test]
async fn prefixes_of_a_bucket_are_apart() {
    let one = ObjectBlobs::at(&url("one"), &settings()).unwrap();
    let other = ObjectBlobs::at(&url("other"), &settings()).unwrap();
    let digest = Digest::of(b"one");
    assert_eq!(
        one.put(&digest, component("one")).await.unwrap(),
        Written::Created
    );
    assert!(one.contains(&digest).await.unwrap());
    assert!(!other.contains(&digest).await.unwrap());
}

#[tokio::test]
async fn a_bucket_that_does_not_let_in_is_an_error_of_the_store() {
    let mut wrong = settings();
    wrong.retain(|(name, _)| name != "AWS_SECRET_ACCESS_KEY");
    wrong.push(("AWS_SECRET_ACCESS_KEY".to_owned(), "wrong".to_owned()));
    let blobs = ObjectBlobs::at(&url("locked"), &wrong).unwrap();
    let digest = Digest::of(b"one");
    let refused = blobs.put(&digest, component("one")).await.unwrap_err();
    assert_eq!(refused.code(), Code::StoreFailed);
    // Not there and not to be known are two things: a component that cannot be read is not missing.
    let refused = blobs.get(&digest).await.unwrap_err();
    assert_eq!(refused.code(), Code::StoreFailed);
}

#[test]
fn places_that_cannot_hold_components_are_named() {
    for url in [
        "",
        "components",
        "http://bucket",
        "s3:bucket",
        "s3://user@bucket/x",
    ] {
        let Err(error) = ObjectBlobs::at(url, &[]) else {
            panic!("{url:?} is taken");
        };
        assert_eq!(error.code(), Code::HostConfigInvalid, "{url:?}");
    }
}
