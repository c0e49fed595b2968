//! stackmotion: a CloudStack-compatible gateway that moves running Hyper-V machines and their disks.
//!
//! The rooms, from the inside out: a room imports only what stands above it.
//!
//! | room | what it is |
//! | --- | --- |
//! | [`model`] | the nouns and their state machines |
//! | [`api`] | the language clients speak: declarations, decoding, answers, errors |
//! | [`store`] | the database: the only room with SQL |
//! | [`auth`] | who calls, and what they may do |
//! | [`jobs`] | jobs: submitted once, run by a bounded pool, ended once |
//! | [`motion`] | what is moved where, in which steps, and how it is settled |
//! | [`estate`] | hosts and pools: added, looked after, taken away |
//! | [`drift`] | database and hosts compared; what differs, and who decided about it |
//! | [`evacuation`] | hosts and pools that are to be worked on are emptied |
//! | [`views`] | rows as clients see them |
//! | [`hypervisors`] | the clients of the hosts' agents |
//! | [`upstream`] | the management server that other commands are passed on to |
//! | [`commands`] | one file per API command |
//! | [`dispatch`] | the conductor: from a request's parameters to its answer |
//! | [`http`] | the listener |
//! | [`settings`], [`telemetry`] | what the operator decides, and what is logged |
//! | [`app`] | puts all of it together |
//! | [`import`] | takes over what a CloudStack database knows |
//! | [`secrets`] | the keys of the secrets in the database: checked, changed, given up |
//! | [`client`] | the signed client of `stackmotion call` |
//! | [`agent`] | the simulated Hyper-V agent, which stands in for Windows |
//! | [`demo`] | estates of simulated hosts, and the demonstration |
//! | [`bench`] | how fast it is, beside what could be reached at the most |

pub mod agent;
pub mod api;
pub mod app;
pub mod auth;
pub mod bench;
pub mod client;
pub mod commands;
pub mod demo;
pub mod dispatch;
pub mod drift;
pub mod estate;
pub mod evacuation;
pub mod feed;
pub mod http;
pub mod hypervisors;
pub mod import;
pub mod jobs;
pub mod model;
pub mod motion;
pub mod secrets;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod upstream;
pub mod views;
