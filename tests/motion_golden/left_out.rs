//! Which of the cases with real agents are not replayed here, and why.

use std::collections::BTreeSet;

use stackmotion::commands;

use super::cases;

/// Why a case is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Hosts are emptied in another way here (`docs/api-compat.md`); `tests/maintenance` does it.
    Maintenance,
    /// No motion but the making of the estate, which `tests/estate/recorded.rs` replays.
    Estate,
    /// Nobody called anything: rows were put in, or were looked at later.
    NoCall,
    /// The server was killed on the way. Here a gateway is killed in `tests/run` and `tests/motion/crash.rs`.
    Killed,
    /// It is about a setting. `tests/lists/settings.rs` compares the one that the gateway goes by.
    Setting,
}

/// All that are left out.
const LEFT_OUT: [(&str, Why); 24] = [
    ("hv-add-cluster-hv0", Why::Estate),
    ("hv-add-host-4", Why::Estate),
    ("hv-add-host-cidr-mismatch", Why::Estate),
    ("hv-add-host-no-agent", Why::Estate),
    ("hv-crash-ha-work", Why::NoCall),
    ("hv-crash-server-killed", Why::Killed),
    ("hv-create-pod", Why::Estate),
    ("hv-create-pool-hv-smb1", Why::Estate),
    ("hv-create-pool-hv-smb3", Why::Estate),
    ("hv-delete-cluster", Why::Estate),
    ("hv-maint-error-cancel", Why::Maintenance),
    ("hv-maint-error-strategy", Why::Maintenance),
    ("hv-maint-migration-barred", Why::Maintenance),
    ("hv-maint-migration-cancel-1", Why::Maintenance),
    ("hv-maint-migration-reconnect-meanwhile", Why::Maintenance),
    ("hv-mws-job-error", Why::Maintenance),
    ("hv-mws-ok", Why::Maintenance),
    ("hv-pool-query-in-url", Why::Estate),
    ("hv-seed-rows", Why::NoCall),
    ("hv-seed-rows-2", Why::NoCall),
    ("hv-seed-rows-3", Why::NoCall),
    ("hv-setting-hypervisor-list", Why::Setting),
    ("hv-setting-strategy", Why::Setting),
    ("hv-zone-local-storage", Why::Estate),
];

#[test]
fn every_case_with_real_agents_is_replayed_or_left_out_for_a_reason_that_holds() {
    let real = cases::real_agents();
    let replayed = real.cases.iter().flat_map(|case| [&case.name].into_iter().chain(&case.includes));
    let mut met: Vec<&str> = replayed.map(String::as_str).collect();
    met.extend(LEFT_OUT.map(|(name, _)| name));
    assert_eq!(met.len(), real.recorded.len(), "a case is both replayed and left out, or neither");
    assert_eq!(met.into_iter().collect::<BTreeSet<_>>(), real.recorded.keys().map(String::as_str).collect());
    for (name, why) in LEFT_OUT {
        let called = &real.recorded[name].called;
        let served = called.iter().all(|command| commands::find(command).is_some());
        let holds = match why {
            Why::Maintenance => served && called[0].ends_with("Maintenance"),
            Why::Estate => served && crate::estate::recorded::names().iter().any(|replayed| replayed == name),
            Why::NoCall => called.is_empty(),
            Why::Setting => called == &["listConfigurations"],
            Why::Killed => served && name.ends_with("killed"),
        };
        assert!(holds, "{name} is left out because of {why:?}, which is not so: {called:?}");
    }
}
