//! The hypervisors that the gateway can drive. One room each; today it is Hyper-V.

pub mod hyperv;
