//! A moment without Temporal is nobody's failure.

use serde_json::json;
use tenterhook_tests::{
    dev_server,
    host::{Host, World},
    proxy::Proxy,
};

/// Connections that break before Temporal is there again: enough for what is asked meanwhile to meet one.
const BROKEN: usize = 5;

#[tokio::test]
async fn what_is_asked_in_a_moment_without_temporal_is_done_after_it() {
    let data = tempfile::tempdir().unwrap();
    let temporal = dev_server::start(&data.path().join("temporal"))
        .await
        .unwrap();
    let proxy = Proxy::start(temporal.address()).await.unwrap();
    let address = proxy.address().to_string();
    let host = Host::serve(&data.path().join("host"), &address)
        .await
        .unwrap();
    let world = World::make(&host.api, "acme").await.unwrap();
    world.push_guest("bench").await.unwrap();

    proxy.cut();
    proxy.turned_away(1).await;
    let asked = world.start("bench.OneActivity", "meanwhile", json!(7));
    let (started, ()) = tokio::join!(asked, async {
        proxy.turned_away(BROKEN).await;
        proxy.mend();
    });
    started.unwrap();
    let outcome = world.outcome("meanwhile").await.unwrap();
    assert_eq!(outcome["result"], 7, "{outcome:#}");
}
