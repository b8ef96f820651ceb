//! What every implementation of the store keeps: each test runs on SQLite with a folder, and on PostgreSQL with a
//! bucket.

#![allow(clippy::unwrap_used)]

mod allowances;
mod audit;
mod blobs;
mod bucket;
mod context_keys;
mod encryption;
mod fixture;
mod hosts;
mod lanes;
mod moves;
mod plugins;
#[allow(dead_code, unreachable_pub)]
#[path = "../../../../tests/src/postgres.rs"]
mod postgres;
mod releases;
mod scopes;
mod sealed;
mod secrets;
mod state;
mod trust;

pub(crate) use fixture::{
    Fixture, NOW, Place, admit, author, component, payment, promote, publish, release, scope,
};

/// Makes a test of each function for each place that a store can be at.
macro_rules! on_every_store {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(crate::Fixture::new(crate::Place::Folder).await).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(crate::Fixture::new(crate::Place::Servers).await).await;
            })+
        }
    };
}
pub(crate) use on_every_store;
