//! The simulated Hyper-V agent.
