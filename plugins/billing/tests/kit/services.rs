//! The services that billing asks, and what is in their books before anything begins.

use serde_json::{Value, json};
use tenterhook_testkit::Ended;
use tenterhook_tests::services::{Bench, Services};
use tenterhook_tests::standin::{Book, Contract, Days, Import, InvoiceStatus, Plan, Terms};

/// The services' configuration keys, without `_url`, and the names of the same in the stand-in.
const SERVICES: &[&str] = &[
    "contracts",
    "plans",
    "usage",
    "invoices",
    "imports",
    "tenants",
    "users",
    "sessions",
];

pub(crate) const MARCH: &str = "2026-03-01";
pub(crate) const APRIL: &str = "2026-04-01";

/// The services of one test.
pub(crate) async fn open() -> Services {
    Services::open("billing", SERVICES, furnish).await.unwrap()
}

/// Runs a workflow under an id of its own, where another ran before: keys of requests are made of the id.
pub(crate) fn run_as(bench: &Bench<'_>, id: &str, name: &str, input: &Value) -> Ended {
    bench.kit.start_as(id, name, input).finish()
}

/// Three subscriptions of `pro` whose March is over, a user in `first`, and an import of 95 rows, five of them bad.
fn furnish(book: &mut Book) {
    for (plan_id, price, price_version) in [("basic", 1_000, 1), ("pro", 4_900, 2)] {
        let plan = Plan {
            plan_id: plan_id.to_owned(),
            price,
            currency: "EUR".to_owned(),
            price_version,
            usage: Vec::new(),
        };
        book.plans.insert(plan_id.to_owned(), plan);
    }
    for id in ["s-1", "s-2", "s-3"] {
        book.agree(contract(id));
    }
    book.user_tenants
        .insert("u-1".to_owned(), "first".to_owned());
    let users = [("u-1".to_owned(), "editor".to_owned())];
    book.access.insert("second".to_owned(), users.into());
    let row = |row: u64| match row % 20 {
        7 => "nonsense".to_owned(),
        _ => format!("s-9,calls,2026-03-02,{row}"),
    };
    let rows = (0..95).map(row).collect();
    book.imports
        .insert("i-1".to_owned(), Import::new("i-1", rows));
}

fn contract(id: &str) -> Contract {
    Contract {
        subscription_id: id.to_owned(),
        customer_id: "c-1".to_owned(),
        terms: terms("pro"),
        price: 4_200,
        price_version: 1,
        currency: "EUR".to_owned(),
        period: Days::berlin(MARCH, APRIL),
        renews_to: Some(Days::berlin(APRIL, "2026-05-01")),
        due_at: Some("2026-04-01T00:00:00+02:00".to_owned()),
        renewed_from: None,
        history: Vec::new(),
    }
}

/// One of a plan, active.
pub(crate) fn terms(plan_id: &str) -> Terms {
    Terms {
        plan_id: plan_id.to_owned(),
        quantity: 1,
        status: "active".to_owned(),
    }
}

/// The final invoices of a subscription; none of anybody's is left as a draft.
pub(crate) fn finals(book: &Book, subscription_id: &str) -> usize {
    let mut all = book.invoices.iter();
    assert!(
        all.all(|it| it.status != InvoiceStatus::Draft),
        "a draft is left"
    );
    let all = book.invoices.iter();
    let of = all.filter(|it| it.subscription_id == subscription_id);
    of.filter(|it| it.status == InvoiceStatus::Final).count()
}

fn march() -> Value {
    json!({ "starts_on": MARCH, "ends_on": APRIL, "zone": "Europe/Berlin" })
}

pub(crate) fn charges() -> Value {
    json!({ "subscription_id": "s-1", "period": march() })
}

pub(crate) fn creation(method: &str) -> Value {
    json!({
        "subscription_id": "s-9",
        "customer_id": "c-1",
        "plan_id": "basic",
        "quantity": 1,
        "period": march(),
        "payment_method": method,
    })
}

pub(crate) fn change(method: &str) -> Value {
    json!({
        "subscription_id": "s-1",
        "plan_id": "basic",
        "quantity": 1,
        "effective_on": "2026-03-11",
        "payment_method": method,
    })
}

pub(crate) fn switch_to(tenant: &str) -> Value {
    json!({ "user_id": "u-1", "tenant_id": tenant })
}

pub(crate) fn import() -> Value {
    json!({ "import_id": "i-1", "chunk_rows": 40, "batch_rows": 10 })
}

pub(crate) fn sync() -> Value {
    json!({ "plan_id": "pro", "batch_size": 1, "concurrency": 2 })
}

pub(crate) fn cycle() -> Value {
    json!({ "due_at": "2026-04-01T00:00:00Z", "page_size": 2, "concurrency": 2 })
}
