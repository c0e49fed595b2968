//! stackmotion: a CloudStack-compatible gateway that moves running Hyper-V machines and their disks.

pub mod agent;
pub mod api;
pub mod app;
pub mod auth;
pub mod client;
pub mod commands;
pub mod dispatch;
pub mod http;
pub mod hypervisors;
pub mod jobs;
pub mod model;
pub mod motion;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod views;
