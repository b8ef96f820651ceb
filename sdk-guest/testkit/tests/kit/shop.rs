//! The providers that payments deal with, as a small model behind mocks: what is charged, reserved, shipped.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tenterhook_testkit::{Failure, Kit};

/// The books of all providers.
#[derive(Debug, Default)]
pub struct Books {
    /// Charges that stand, by the key that made them.
    pub charges: BTreeMap<String, i64>,
    pub refunded: BTreeSet<String>,
    pub reservations: BTreeSet<String>,
    pub released: BTreeSet<String>,
    pub shipped: BTreeSet<String>,
    pub order: Option<String>,
}

#[derive(Clone, Default)]
pub struct Shop {
    books: Arc<Mutex<Books>>,
}

impl Shop {
    /// A shop whose providers stand in for all activities of the payment plugin.
    pub fn open(kit: &mut Kit) -> Self {
        let shop = Self::default();
        kit.mock("ValidatePayment", |_: Value| Ok(()));
        shop.stand_in(kit, "ReserveInventory", |books, key, _| {
            books.reservations.insert(key.to_owned());
            Ok(json!({ "reservation_id": key }))
        });
        shop.stand_in(kit, "ReleaseInventory", |books, _, input| {
            books.released.insert(text(input, "reservation_id"));
            Ok(json!(null))
        });
        shop.stand_in(kit, "ProcessPaymentGateway", |books, key, input| {
            let amount = input["amount"].as_i64().unwrap();
            books.charges.insert(key.to_owned(), amount);
            Ok(json!({ "charge_id": key }))
        });
        shop.stand_in(kit, "RefundPayment", |books, key, input| {
            books.refunded.insert(text(input, "charge_id"));
            Ok(json!({ "refund_id": key }))
        });
        shop.stand_in(kit, "UpdateOrderStatus", |books, _, input| {
            books.order = Some(text(input, "status"));
            Ok(input.clone())
        });
        shop.stand_in(kit, "TriggerFulfillment", |books, key, input| {
            books.shipped.insert(text(input, "order_id"));
            Ok(json!({ "shipment_id": key }))
        });
        shop
    }

    fn stand_in(
        &self,
        kit: &mut Kit,
        name: &str,
        act: impl Fn(&mut Books, &str, &Value) -> Result<Value, Failure> + Send + Sync + 'static,
    ) {
        let books = self.books.clone();
        kit.mock_call(name, move |call: &tenterhook_testkit::Call<Value>| {
            act(
                &mut books.lock().unwrap(),
                &call.idempotency_key,
                &call.input,
            )
        });
    }

    pub fn read<T>(&self, read: impl FnOnce(&Books) -> T) -> T {
        read(&self.books.lock().unwrap())
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}

/// The payment that tests make.
pub fn request() -> Value {
    json!({
        "payment_id": "p-1",
        "order_id": "o-1",
        "customer_id": "c-1",
        "amount": 4200,
        "currency": "EUR",
        "method": "card-1",
        "items": [{ "sku": "tea", "quantity": 2 }],
    })
}
