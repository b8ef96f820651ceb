//! The plugin `billing`: a module a workflow, and what its tests share.

mod billing_cycle;
mod calculate_charges;
mod price_sync;
mod subscription_change;
mod subscription_creation;
mod task_processing;
mod tenant_switch;

use serde_json::{Value, json};
use tenterhook_tests::standin::{Contract, Days, Plan, Terms, UsagePrice};

use crate::scene::Scene;

/// The period that is over, and the one that comes next. In this zone the first is an hour short of its days.
const MARCH: (&str, &str) = ("2026-03-01", "2026-04-01");
const APRIL: (&str, &str) = ("2026-04-01", "2026-05-01");
/// When March is over in Berlin.
const MARCH_IS_OVER: &str = "2026-04-01T00:00:00+02:00";
/// Some time after.
pub(crate) const DUE_AT: &str = "2026-04-01T02:00:00Z";

/// A tenant with plans: `basic` at EUR 10.00, `pro` at EUR 42.00 with 100 calls, and further ones at 5 cents.
pub(crate) async fn scene(tenant: &str) -> Scene {
    let scene = Scene::open("billing", tenant).await;
    furnish(&scene);
    scene
}

/// The plans of every scene.
fn furnish(scene: &Scene) {
    scene.edit(|book| {
        for (plan_id, price) in [("basic", 1_000), ("pro", 4_200)] {
            let calls = UsagePrice {
                metric: "calls".to_owned(),
                included: 100,
                unit_price: 5,
            };
            let plan = Plan {
                plan_id: plan_id.to_owned(),
                price,
                currency: "EUR".to_owned(),
                price_version: 1,
                usage: vec![calls],
            };
            book.plans.insert(plan_id.to_owned(), plan);
        }
    });
}

/// An active subscription of plan `pro`, whose March is paid for and over.
pub(crate) fn contract(id: &str) -> Contract {
    Contract {
        subscription_id: id.to_owned(),
        customer_id: format!("customer of {id}"),
        terms: Terms {
            plan_id: "pro".to_owned(),
            quantity: 1,
            status: "active".to_owned(),
        },
        price: 4_200,
        price_version: 1,
        currency: "EUR".to_owned(),
        period: Days::berlin(MARCH.0, MARCH.1),
        renews_to: Some(Days::berlin(APRIL.0, APRIL.1)),
        due_at: Some(MARCH_IS_OVER.to_owned()),
        renewed_from: None,
        history: Vec::new(),
    }
}

/// A period as inputs have it.
fn period((starts_on, ends_on): (&str, &str)) -> Value {
    json!({ "starts_on": starts_on, "ends_on": ends_on, "zone": "Europe/Berlin" })
}
