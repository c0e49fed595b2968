//! The threads in which guests write.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::guest::{Gate, Writer};
use super::state::Power;
use super::world::{World, WorldError};

/// Guests at work.
#[derive(Debug, Default)]
pub struct Guests {
    stopped: Arc<AtomicBool>,
    /// VMs whose guest has a thread.
    at_work: Arc<Mutex<HashSet<String>>>,
}

impl Guests {
    /// Puts the guest of a VM to work, if the VM runs and has one that is switched on.
    ///
    /// # Errors
    /// [`WorldError::Image`] when its disk cannot be written to.
    pub fn wake(&self, world: &World, name: &str) -> Result<(), WorldError> {
        let gate = world.gate(name);
        let mut inner = gate.lock();
        let Some((ip, vm)) = world.vm(name) else {
            return Ok(());
        };
        let Some(plan) = vm.guest.filter(|plan| plan.enabled && vm.power == Power::On) else {
            return Ok(());
        };
        if inner.has_guest() || self.stopped.load(Ordering::SeqCst) {
            return Ok(());
        }
        let disk = vm.disks.iter().find(|disk| disk.stem() == plan.stem);
        let file = disk.and_then(|disk| world.disk_file(&ip, disk));
        let file = file.ok_or_else(|| WorldError::Unknown(format!("no disk {} at {name}", plan.stem)))?;
        inner.employ(Writer::open(name, &plan, &file, &world.ledger(name))?);
        drop(inner);
        self.begin(name, gate, Duration::from_micros(plan.interval_us));
        Ok(())
    }

    /// Starts a thread for a guest that has none.
    fn begin(&self, name: &str, gate: Arc<Gate>, interval: Duration) {
        let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        if !at_work.insert(name.to_owned()) {
            return;
        }
        let name = name.to_owned();
        let stopped = Arc::clone(&self.stopped);
        let workers = Arc::clone(&self.at_work);
        thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                {
                    // The list is held while deciding to end, so that a guest put to work at this
                    // moment either finds no thread listed or is seen here.
                    let mut inner = gate.lock();
                    if !inner.write_next() {
                        drop(inner);
                        let mut workers = workers.lock().unwrap_or_else(PoisonError::into_inner);
                        if !gate.lock().has_guest() {
                            workers.remove(&name);
                            return;
                        }
                    }
                }
                thread::sleep(interval);
            }
        });
    }

    /// Lets no guest write any more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }
}
