//! The hosts of the recorded simulator: they say yes, no or something else as the case wants it, and not before the test
//! lets them. Like a stock agent they know whether a machine is there, and nothing of disks.

use std::collections::HashMap;
use std::sync::Mutex;

use futures_util::future::BoxFuture;
use stackmotion::motion::hypervisor::{
    AgentError, Answer, DiskRef, Effect, FileFact, HostRef, Hypervisor, MotionStatus, PoolRef, Stopping, Told, VmDisk,
    VmMove, VmPresence, VolumeCopy, VolumeMove,
};
use tokio::sync::watch;

use super::cases::Order;

/// What is heard of an agent whose connection broke while it worked.
pub fn silence() -> Answer<()> {
    Err(AgentError { effect: Effect::Unknown, text: "The connection broke.".to_owned() })
}

/// The hosts, all in one.
#[derive(Debug)]
pub struct Agents {
    answer: Mutex<Answer<()>>,
    /// Where machines that were told to move are.
    places: Mutex<HashMap<String, i64>>,
    orders: Mutex<Vec<Order>>,
    reached: watch::Sender<bool>,
    released: watch::Sender<bool>,
}

impl Default for Agents {
    fn default() -> Self {
        Self {
            answer: Mutex::new(Ok(())),
            places: Mutex::default(),
            orders: Mutex::default(),
            reached: watch::Sender::new(false),
            released: watch::Sender::new(false),
        }
    }
}

/// What an agent says that was told to refuse.
pub fn refusal(text: &str) -> Answer<()> {
    Err(AgentError { effect: Effect::None, text: text.to_owned() })
}

/// What is heard of an agent whose answer makes no sense.
pub fn nonsense() -> Answer<()> {
    Err(AgentError { effect: Effect::Unknown, text: "The answer is of another kind than the command.".to_owned() })
}

impl Agents {
    /// Holds the next command until [`Agents::release`], and answers it like this.
    pub fn expect(&self, answer: Answer<()>) {
        *self.answer.lock().unwrap() = answer;
        self.places.lock().unwrap().clear();
        self.orders.lock().unwrap().clear();
        self.reached.send_replace(false);
        self.released.send_replace(false);
    }

    /// What came since [`Agents::expect`].
    pub fn orders(&self) -> Vec<Order> {
        self.orders.lock().unwrap().clone()
    }

    /// True when a command has come.
    pub fn is_reached(&self) -> bool {
        *self.reached.borrow()
    }

    /// Lets commands be answered.
    pub fn release(&self) {
        self.released.send_replace(true);
    }

    async fn carry_out(&self, command: &str, host: &HostRef, what: &str, to: &str) -> Answer<Told> {
        self.orders.lock().unwrap().push(Order {
            command: command.to_owned(),
            host: host.ip.clone(),
            what: what.to_owned(),
            to: Some(to.to_owned()),
        });
        self.reached.send_replace(true);
        let mut released = self.released.subscribe();
        released.wait_for(|released| *released).await.expect("the test lives");
        self.answer.lock().unwrap().clone().map(|()| Told::default())
    }
}

impl Hypervisor for Agents {
    fn vm_presence<'a>(&'a self, host: &'a HostRef, vm: &'a str) -> BoxFuture<'a, Answer<VmPresence>> {
        let here = self.places.lock().unwrap().get(vm) == Some(&host.id);
        Box::pin(async move { Ok(if here { VmPresence::Running } else { VmPresence::Absent }) })
    }

    fn vm_disks<'a>(&'a self, _: &'a HostRef, _: &'a str) -> BoxFuture<'a, Answer<Option<Vec<VmDisk>>>> {
        Box::pin(async { Ok(None) })
    }

    fn files<'a>(&'a self, _: &'a HostRef, _: &'a PoolRef, _: &'a str) -> BoxFuture<'a, Answer<Option<Vec<FileFact>>>> {
        Box::pin(async { Ok(None) })
    }

    fn motion_status<'a>(&'a self, _: &'a HostRef, _: &'a str) -> BoxFuture<'a, Answer<Option<MotionStatus>>> {
        Box::pin(async { Ok(None) })
    }

    fn stop_motion<'a>(&'a self, _: &'a HostRef, _: &'a str) -> BoxFuture<'a, Answer<Option<Stopping>>> {
        Box::pin(async { Ok(None) })
    }

    fn folder(&self, pool: &PoolRef) -> String {
        pool.path.clone()
    }

    fn move_volume<'a>(&'a self, host: &'a HostRef, order: &'a VolumeMove) -> BoxFuture<'a, Answer<Told>> {
        Box::pin(self.carry_out("MigrateVolumeCommand", host, &order.disk.stem, &order.target.uuid))
    }

    fn move_vm<'a>(&'a self, host: &'a HostRef, order: &'a VmMove) -> BoxFuture<'a, Answer<Told>> {
        Box::pin(async move {
            self.places.lock().unwrap().insert(order.vm.name.clone(), host.id);
            let command = if order.disks.is_empty() { "MigrateCommand" } else { "MigrateWithStorageCommand" };
            let told = self.carry_out(command, host, &order.vm.name, &order.target_host.ip).await?;
            self.places.lock().unwrap().insert(order.vm.name.clone(), order.target_host.id);
            Ok(told)
        })
    }

    fn copy_volume<'a>(&'a self, host: &'a HostRef, order: &'a VolumeCopy) -> BoxFuture<'a, Answer<Told>> {
        Box::pin(self.carry_out("CopyCommand", host, &order.disk.stem, &order.copy.pool.uuid))
    }

    fn delete_volume<'a>(&'a self, _: &'a HostRef, _: &'a DiskRef) -> BoxFuture<'a, Answer<()>> {
        Box::pin(async { Ok(()) })
    }
}
