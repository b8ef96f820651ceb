//! The plugin `payment`.

mod process_payment;
mod subscription_payment;
