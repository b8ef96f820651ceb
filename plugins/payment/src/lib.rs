//! Payments for orders, as a saga: what a team starts from when money, stock and shipping must agree.
//!
//! [`process`] holds the workflow, [`steps`] its steps and their compensations; [`gateway`], [`inventory`],
//! [`orders`] and [`validation`] the activities, one file a provider; [`model`] what goes in and comes out, [`finding`]
//! what may be wrong with it.
//! [`subscription`] takes the payments of a subscription, period by period.

mod finding;
mod gateway;
mod inventory;
mod model;
mod orders;
mod process;
mod provider;
mod steps;
mod subscription;
mod validation;

use tenterhook_sdk::plugin;

use gateway::{ProcessPaymentGateway, RefundPayment};
use inventory::{ReleaseInventory, ReserveInventory};
use orders::{TriggerFulfillment, UpdateOrderStatus};
use process::ProcessPayment;
use subscription::SubscriptionPayment;
use subscription::record::{GetSubscriptionDetails, UpdateSubscription};
use validation::ValidatePayment;

plugin! {
    workflows: [
        /// Takes the payment for an order: validates, reserves the items, charges, confirms the order, ships. When a
        /// step fails, or the payment is cancelled, what was done is undone in reverse.
        ProcessPayment { queries: [status], updates: [cancel] },
        /// Takes the payments for a subscription, period by period: charges, books, sleeps, continues as new. What is
        /// declined is tried again, then the subscription is past due, then it is cancelled.
        SubscriptionPayment { signals: [cancel, change_plan], queries: [status] },
    ],
    activities: [
        ValidatePayment,
        ProcessPaymentGateway,
        RefundPayment,
        ReserveInventory,
        ReleaseInventory,
        UpdateOrderStatus,
        TriggerFulfillment,
        GetSubscriptionDetails,
        UpdateSubscription,
    ],
    wants: {
        http: [
            "config:gateway_url",
            "config:inventory_url",
            "config:orders_url",
            "config:fulfillment_url",
            "config:subscriptions_url",
        ],
        config: [
            "gateway_url",
            "inventory_url",
            "orders_url",
            "fulfillment_url",
            "subscriptions_url",
        ],
    },
}
