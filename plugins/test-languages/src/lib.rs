//! The plugin `test-languages`: a workflow whose activities are another plugin's, written in another language.
//!
//! An activity of another plugin is known by its name and by what goes in and comes out, as its metadata says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use temporalio_workflow::common::ActivityDefinition;
use temporalio_workflow::{WorkflowContext, WorkflowResult, workflow, workflow_methods};
use tenterhook_sdk::plugin;
use tenterhook_sdk::presets::{Retry, Timeout, activity_options};

/// A line of an order.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Line {
    name: String,
    quantity: i64,
    unit_amount: i64,
}

/// What `receipts.RenderReceipt` takes.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Order {
    order: String,
    currency: String,
    lines: Vec<Line>,
}

/// What it answers.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Receipt {
    text: String,
    total: i64,
}

/// What `forecast.ForecastDemand` takes.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Sales {
    history: Vec<i64>,
    periods: u32,
}

/// What it answers.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Demand {
    forecast: Vec<i64>,
    slope: f64,
}

/// `receipts.RenderReceipt`, written in TypeScript.
struct RenderReceipt;

impl ActivityDefinition for RenderReceipt {
    type Input = Order;
    type Output = Receipt;

    fn name(&self) -> &str {
        "receipts.RenderReceipt"
    }
}

/// `forecast.ForecastDemand`, written in Python.
struct ForecastDemand;

impl ActivityDefinition for ForecastDemand {
    type Input = Sales;
    type Output = Demand;

    fn name(&self) -> &str {
        "forecast.ForecastDemand"
    }
}

/// What was sold, and what was ordered of it now.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Sale {
    order: Order,
    sales: Sales,
}

/// What came of it.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Restock {
    receipt: Receipt,
    demand: Demand,
}

/// Writes a receipt, and says how much to buy.
#[workflow]
#[derive(Default)]
pub(crate) struct Sells;

#[workflow_methods]
impl Sells {
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        sale: Sale,
    ) -> WorkflowResult<Restock> {
        let options = || activity_options(Timeout::Medium, Retry::Standard);
        let receipt = ctx.execute_activity(RenderReceipt, sale.order, options());
        let demand = ctx.execute_activity(ForecastDemand, sale.sales, options());
        Ok(Restock {
            receipt: receipt.await?,
            demand: demand.await?,
        })
    }
}

plugin! {
    workflows: [
        /// Writes a receipt, and says how much to buy.
        Sells {},
    ],
    activities: [],
}
