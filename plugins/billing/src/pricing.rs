//! The activity `SyncPlanPrices`: a plan's price goes to some of its subscriptions.

use serde::{Deserialize, Serialize};
use tenterhook_sdk::http::{Method, encode_segment};
use tenterhook_sdk::{
    ActivityContext, ActivityError, ErrorKind, Findings, activity, info, payload, warn,
};

use crate::model::{Plan, name};
use crate::provider;

/// The most subscriptions of one batch: each is a request of one attempt, of which a plugin has a thousand.
pub(crate) const BATCH_MAX: u64 = 500;

/// Some of the subscriptions of a plan, which are counted in the order in which they were made.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct PriceBatch {
    pub(crate) plan_id: String,
    /// So many subscriptions stand before the batch.
    pub(crate) offset: u64,
    pub(crate) limit: u64,
}

/// What became of the batch.
#[payload]
#[derive(Clone, Debug, Default)]
pub(crate) struct BatchSynced {
    /// All subscriptions of the plan.
    pub(crate) total: u64,
    pub(crate) synced: u64,
    /// Had that price already, or are cancelled.
    pub(crate) skipped: u64,
    pub(crate) failed: Vec<Unsynced>,
}

/// A subscription that the price did not get to.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Unsynced {
    pub(crate) subscription_id: String,
    pub(crate) reason: String,
}

/// A page of a plan's subscriptions, as the plans service answers it.
#[derive(Deserialize)]
struct Members {
    total: u64,
    subscription_ids: Vec<String>,
}

#[derive(Serialize)]
struct NewPrice<'a> {
    price: u64,
    currency: &'a str,
    price_version: u64,
}

/// Whether the price was another one before.
#[derive(Deserialize)]
struct PriceSet {
    changed: bool,
}

/// Brings a plan's price of now to a batch of its subscriptions, one by one.
#[activity(timeout = Long, retry = Patient)]
pub(crate) fn sync_plan_prices(
    ctx: &ActivityContext,
    batch: PriceBatch,
) -> Result<BatchSynced, ActivityError> {
    let PriceBatch {
        plan_id,
        offset,
        limit,
    } = &batch;
    let mut findings = Findings::default();
    name(&mut findings, "plan_id", plan_id);
    let bounded = (1..=BATCH_MAX).contains(limit);
    findings.check(bounded, &format!("limit is not of 1 to {BATCH_MAX}"));
    findings.verdict("the batch is wrong")?;
    let path = format!("plans/{}", encode_segment(plan_id));
    let plan: Plan = provider::read(provider::PLANS, &path)?;
    let members = format!("{path}/subscriptions?offset={offset}&limit={limit}");
    let members: Members = provider::read(provider::PLANS, &members)?;
    let mut done = BatchSynced {
        total: members.total,
        ..BatchSynced::default()
    };
    for id in members.subscription_ids {
        ctx.check_cancelled()?;
        match set_price(ctx, &id, &plan) {
            Ok(PriceSet { changed: true }) => done.synced += 1,
            Ok(PriceSet { changed: false }) => done.skipped += 1,
            // The service may yet answer: the batch is tried again, and what is done is answered as before.
            Err(error) if error.is_retryable() => return Err(error),
            // No other subscription gets a price that this one may not have.
            Err(error) if *error.kind() == ErrorKind::Authorization => return Err(error),
            Err(error) => {
                warn!("subscription {id} keeps its price: {error}");
                done.failed.push(Unsynced {
                    subscription_id: id,
                    reason: error.message().to_owned(),
                });
            }
        }
        ctx.heartbeat(&())?;
    }
    info!(
        "plan {plan_id} from {offset}: {} synced, {} skipped, {} failed",
        done.synced,
        done.skipped,
        done.failed.len()
    );
    Ok(done)
}

/// The key is the batch's and the subscription's: a repetition counts as it counted the first time.
fn set_price(ctx: &ActivityContext, id: &str, plan: &Plan) -> Result<PriceSet, ActivityError> {
    let path = format!("subscriptions/{}/price", encode_segment(id));
    let price = NewPrice {
        price: plan.price,
        currency: &plan.currency,
        price_version: plan.price_version,
    };
    let to = (Method::Put, path.as_str());
    provider::change_part(ctx, id, provider::CONTRACTS, to, &price)
}
