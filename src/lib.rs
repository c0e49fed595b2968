//! stackmotion: a CloudStack-compatible gateway that moves running Hyper-V machines and their disks.

pub mod api;
pub mod app;
pub mod auth;
pub mod commands;
pub mod hypervisors;
pub mod model;
pub mod motion;
pub mod store;
pub mod views;
