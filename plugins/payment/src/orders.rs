//! The order: its status, and its shipment.

use serde::Serialize;
use tenterhook_sdk::http::{Method, encode_segment};
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload};

use crate::finding::OfPayments as _;
use crate::model::TEXT_CHARS_MAX;
use crate::provider;

const ORDERS_URL_KEY: &str = "orders_url";
const FULFILLMENT_URL_KEY: &str = "fulfillment_url";

/// The status of an order that is paid.
pub(crate) const PAID: &str = "paid";
/// The status of an order whose payment failed or was cancelled.
pub(crate) const FAILED: &str = "failed";

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct OrderStatusRequest {
    pub(crate) order_id: String,
    pub(crate) status: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct OrderStatus {
    pub(crate) order_id: String,
    pub(crate) status: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ShipmentRequest {
    pub(crate) order_id: String,
    pub(crate) reservation_id: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Shipped {
    pub(crate) shipment_id: String,
}

impl OrderStatusRequest {
    fn check(&self) -> Result<(), ActivityError> {
        let mut findings = Findings::default();
        findings.text("order_id", &self.order_id, TEXT_CHARS_MAX);
        findings.text("status", &self.status, TEXT_CHARS_MAX);
        findings.verdict("the order's status cannot be set")
    }
}

impl ShipmentRequest {
    fn check(&self) -> Result<(), ActivityError> {
        let mut findings = Findings::default();
        findings.text("order_id", &self.order_id, TEXT_CHARS_MAX);
        findings.present("reservation_id", &self.reservation_id);
        findings.verdict("the order cannot be shipped")
    }
}

#[derive(Serialize)]
struct StatusBody<'a> {
    status: &'a str,
}

/// Sets the order's status.
#[activity(timeout = Short, retry = Aggressive)]
pub(crate) fn update_order_status(
    ctx: &ActivityContext,
    input: OrderStatusRequest,
) -> Result<OrderStatus, ActivityError> {
    input.check()?;
    let path = format!("orders/{}/status", encode_segment(&input.order_id));
    let status: OrderStatus = provider::request(ctx, ORDERS_URL_KEY, Method::Put, &path)?
        .json(&StatusBody {
            status: &input.status,
        })?
        .send()?
        .ok()?
        .json()?;
    info!("order {} is {}", status.order_id, status.status);
    Ok(status)
}

/// Has the order shipped.
#[activity(timeout = Short, retry = Aggressive)]
pub(crate) fn trigger_fulfillment(
    ctx: &ActivityContext,
    input: ShipmentRequest,
) -> Result<Shipped, ActivityError> {
    input.check()?;
    let shipped: Shipped = provider::request(ctx, FULFILLMENT_URL_KEY, Method::Post, "shipments")?
        .json(&input)?
        .send()?
        .ok()?
        .json()?;
    info!("order {} ships as {}", input.order_id, shipped.shipment_id);
    Ok(shipped)
}
