//! Billing: subscriptions with prices, usage and invoices, changes with exact proration, imports of usage, and a user's
//! change of tenant.
//!
//! One file a workflow ([`price_sync`], [`task_processing`], [`billing_cycle`], [`calculate_charges`],
//! [`subscription_change`], [`subscription_creation`], [`tenant_switch`]) and one a provider of activities ([`pricing`],
//! [`importing`], [`subscribing`], [`charging`], [`invoicing`], [`tenancy`]). [`steps`] takes and undoes the steps of
//! those that compensate. What is worked out and not asked for is pure: [`money`], [`date`], [`proration`], [`charge`],
//! [`record`].

mod billing_cycle;
mod calculate_charges;
mod charge;
mod charging;
mod date;
mod importing;
mod invoicing;
mod model;
mod money;
mod price_sync;
mod pricing;
mod proration;
mod provider;
mod record;
mod steps;
mod subscribing;
mod subscription_change;
mod subscription_creation;
mod task_processing;
mod tenancy;
mod tenant_switch;

use tenterhook_sdk::plugin;

use billing_cycle::BillingCycle;
use calculate_charges::CalculateCharges;
use price_sync::PriceSync;
use subscription_change::SubscriptionChange;
use subscription_creation::SubscriptionCreation;
use task_processing::TaskProcessing;
use tenant_switch::TenantSwitch;

plugin! {
    workflows: [
        /// Brings a plan's price to all its subscriptions, in parallel batches; counts synced, skipped and failed.
        PriceSync { queries: [progress] },
        /// Processes an uploaded file in batches. A bad row is recorded and does not stop the rest; after a crash it goes
        /// on where it stopped.
        TaskProcessing { queries: [progress] },
        /// Invoices every subscription that is due, each by a child workflow, so many at once.
        BillingCycle { queries: [progress] },
        /// Invoices one subscription whose period is over: usage, charges, invoice, final.
        CalculateCharges { queries: [progress] },
        /// Changes a subscription in the middle of its period, with proration. What fails is undone.
        SubscriptionChange { queries: [progress] },
        /// Makes a subscription, takes the first charge, activates it. What fails is undone.
        SubscriptionCreation { queries: [progress] },
        /// Moves a user to another tenant and logs him in there. What fails is undone.
        TenantSwitch { queries: [progress] },
    ],
    activities: [
        pricing::SyncPlanPrices,
        importing::ProcessTask,
        subscribing::ListDueSubscriptions,
        invoicing::ProcessInvoice,
        charging::CalculateCharges,
        subscribing::CreateSubscription,
        subscribing::ApplySubscriptionChange,
        subscribing::RevertSubscriptionChange,
        tenancy::ValidateTenantAccess,
        tenancy::UpdateUserTenant,
        tenancy::CreateTenantSession,
    ],
    wants: {
        http: [
            "config:contracts_url",
            "config:plans_url",
            "config:usage_url",
            "config:invoices_url",
            "config:imports_url",
            "config:tenants_url",
            "config:users_url",
            "config:sessions_url",
        ],
        config: [
            "contracts_url",
            "plans_url",
            "usage_url",
            "invoices_url",
            "imports_url",
            "tenants_url",
            "users_url",
            "sessions_url",
        ],
    },
}
