//! The host that most tests share, and a world of providers for payments.

use serde_json::{Value, json};
use tenterhook_tests::{
    host::{Api, Host, World},
    standin::StandIn,
};
use tokio::sync::OnceCell;

/// The host every test of this binary may use. It runs on the first test's runtime's account, but as a process of
/// its own, so it outlives that test and ends with this process.
pub(crate) async fn api() -> Api {
    static HOST: OnceCell<(Host, tempfile::TempDir)> = OnceCell::const_new();
    let (host, _) = HOST
        .get_or_init(|| async {
            let data = tempfile::tempdir().unwrap();
            (Host::start(data.path()).await.unwrap(), data)
        })
        .await;
    // A client of its own: pooled connections belong to the runtime of the test that opened them.
    host.api.reconnected()
}

/// A tenant of the shared host for one test.
pub(crate) async fn world(tenant: &str) -> World {
    World::make(&api().await, tenant).await.unwrap()
}

/// The component with a section that nobody reads: the same code under another digest.
pub(crate) fn variant(mut component: Vec<u8>, number: u8) -> Vec<u8> {
    component.extend([0, 2, 1, number]);
    component
}

/// A tenant with the payment plugin, and providers of its own.
pub(crate) struct Shop {
    pub(crate) world: World,
    pub(crate) standin: StandIn,
    pub(crate) digest: String,
    book: String,
}

impl Shop {
    pub(crate) async fn open(world: World, book: &str) -> Self {
        let standin = StandIn::start("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let digest = world.push_guest("payment").await.unwrap();
        let shop = Self {
            world,
            standin,
            digest,
            book: book.to_owned(),
        };
        shop.connect().await;
        shop
    }

    /// Tells the plugin where the providers are, and lets it go there.
    async fn connect(&self) {
        let address = self.standin.address();
        let grants = json!({
            "http": [{ "host": address.to_string() }],
            "private_network": true,
            "keyvalue": true,
            "config": true,
        });
        self.world.grant("payment", &grants).await.unwrap();
        let base = format!("http://{address}/{}", self.book);
        let config = json!({
            "gateway_url": format!("{base}/gateway"),
            "inventory_url": format!("{base}/inventory"),
            "orders_url": format!("{base}/orders"),
            "fulfillment_url": format!("{base}/fulfillment"),
        });
        self.world.configure("payment", &config).await.unwrap();
    }

    /// The providers' books.
    pub(crate) async fn books(&self) -> Value {
        let url = format!("http://{}/{}/books", self.standin.address(), self.book);
        reqwest::get(url).await.unwrap().json().await.unwrap()
    }

    /// Sets the providers' switches.
    pub(crate) async fn switch(&self, switches: &Value) {
        let url = format!("http://{}/{}/switches", self.standin.address(), self.book);
        let set = reqwest::Client::new()
            .put(url)
            .json(switches)
            .send()
            .await
            .unwrap();
        assert!(set.status().is_success(), "{}", set.text().await.unwrap());
    }
}

/// A payment's input. Retries come quickly, so that tests do not wait for them.
pub(crate) fn payment(number: u32, method: &str) -> Value {
    json!({
        "payment_id": format!("p-{number}"),
        "order_id": format!("o-{number}"),
        "customer_id": "c-1",
        "amount": 4_200,
        "currency": "EUR",
        "method": method,
        "items": [{ "sku": "sku-1", "quantity": 1 }],
        "retry_initial_ms": 50,
    })
}
