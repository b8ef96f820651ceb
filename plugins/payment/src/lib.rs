//! Payments for orders, as a saga: what a team starts from when money, stock and shipping must agree.
//!
//! [`process`] holds the workflow, [`steps`] its steps and their compensations; [`gateway`], [`inventory`],
//! [`orders`] and [`validation`] the activities, one file a provider; [`model`] what goes in and comes out.

mod gateway;
mod inventory;
mod model;
mod orders;
mod process;
mod provider;
mod steps;
mod validation;

use tenterhook_sdk::{activities, plugin};

use gateway::{ChargeRequest, Charged, RefundRequest, Refunded};
use inventory::{ReleaseRequest, ReservationRequest, Reserved};
use model::PaymentRequest;
use orders::{OrderStatus, OrderStatusRequest, ShipmentRequest, Shipped};
use process::ProcessPayment;

activities! {
    /// Checks what can be checked without asking a provider.
    pub(crate) ValidatePayment(PaymentRequest) -> () = validation::validate;
    /// Charges the customer. A declined charge is a failure of type `PaymentDeclined`, which is not retried.
    pub(crate) ProcessPaymentGateway(ChargeRequest) -> Charged = gateway::charge;
    /// Gives a charge back.
    pub(crate) RefundPayment(RefundRequest) -> Refunded = gateway::refund;
    /// Reserves the order's items.
    pub(crate) ReserveInventory(ReservationRequest) -> Reserved = inventory::reserve;
    /// Gives a reservation back; one that is gone already is no error.
    pub(crate) ReleaseInventory(ReleaseRequest) -> () = inventory::release;
    /// Sets the order's status.
    pub(crate) UpdateOrderStatus(OrderStatusRequest) -> OrderStatus = orders::update_status;
    /// Has the order shipped.
    pub(crate) TriggerFulfillment(ShipmentRequest) -> Shipped = orders::ship;
}

plugin! {
    workflows: [
        /// Takes the payment for an order: validates, reserves the items, charges, confirms the order, ships. When a
        /// step fails, or the payment is cancelled, what was done is undone in reverse.
        ProcessPayment { queries: [status], updates: [cancel] },
    ],
    activities: [
        ValidatePayment,
        ProcessPaymentGateway,
        RefundPayment,
        ReserveInventory,
        ReleaseInventory,
        UpdateOrderStatus,
        TriggerFulfillment,
    ],
    wants: {
        http: [
            "config:gateway_url",
            "config:inventory_url",
            "config:orders_url",
            "config:fulfillment_url",
        ],
        config: ["gateway_url", "inventory_url", "orders_url", "fulfillment_url"],
    },
}
