//! Scripted misfortune: which requests go wrong, and how.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use super::host::Process;
use super::motion::{Interruption, JOB_ERROR, Motion};

/// How long what stands still sleeps before it looks whether it is released.
const NAP: Duration = Duration::from_millis(2);
/// How often a feigned copy says that it is further.
const FEIGNED: Duration = Duration::from_secs(1);

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Fault {
    /// The agent answers false with this text; nothing is done.
    Refuse {
        /// The text.
        details: String,
    },
    /// Hyper-V refuses the call with this code (`contract/hyperv-wire.md` 5.4); nothing is done.
    WmiReturn {
        /// The code, for instance 32774.
        code: u32,
    },
    /// The agent answers this status; nothing is done.
    HttpStatus {
        /// For instance 500.
        status: u16,
    },
    /// The job fails when this share of the bytes is copied; the target is removed.
    FailAt {
        /// 0 to 1.
        fraction: f64,
        /// The job's whole text, if not the usual one.
        #[serde(default)]
        description: Option<String>,
    },
    /// The agent dies when this share of the bytes is copied: connection closed without an answer,
    /// half a file left at the target, everything in memory forgotten.
    DieAt {
        /// 0 to 1.
        fraction: f64,
    },
    /// The copy stands still at this share of the bytes until the fault is released.
    Stall {
        /// 0 to 1.
        fraction: f64,
    },
    /// The move only says that it copies, at a pace of its own, until the fault is released; then it is made. It takes neither
    /// thread nor disk meanwhile, so that thousands can be under way.
    Feign {
        /// What it says that it has to copy.
        bytes: u64,
        /// How much of it in a second.
        bytes_per_second: u64,
    },
    /// The move stands still when it is past its point of no return, before the sources are removed, until the fault is
    /// released. Then it comes to its end, whatever happened meanwhile.
    StallAfterSwitch,
    /// The request lies unread for a while: nobody knows of it, then it is done as if it had come just now, also when
    /// whoever sent it is gone.
    StartLate {
        /// After this time; when absent, when the fault is released.
        #[serde(default)]
        ms: Option<u64>,
    },
    /// The work is done, and the answer comes later.
    AnswerLate {
        /// After this time; when absent, when the fault is released.
        #[serde(default)]
        ms: Option<u64>,
    },
    /// The work is done, and the answer comes twice, one right behind the other, on a connection that stays open.
    AnswerTwice,
    /// The connection is closed without an answer before anything is done.
    DropBefore,
    /// The work is done, and the connection is closed without an answer.
    DropAfter,
    /// The work is done, and the answer names another volume path.
    WrongPath {
        /// The path to answer.
        path: String,
    },
    /// One disk is not moved, but answered as if it had been.
    SkipDisk {
        /// Stem of the disk.
        stem: String,
    },
    /// Nothing is moved, but the answer says so.
    LieAboutVm,
    /// The agent is started anew: the start-up exchange and all motions are forgotten, and the
    /// connection is closed without an answer.
    RestartAndForget {
        /// Whether the work is done before.
        after: bool,
    },
}

/// Which requests a fault strikes. Absent members match everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultRule {
    /// Address of the host.
    #[serde(default)]
    pub host: Option<String>,
    /// Name of the VM in the request.
    #[serde(default)]
    pub vm: Option<String>,
    /// Class of the command, in full or its last part; letter case does not matter.
    #[serde(default)]
    pub command: Option<String>,
    /// Strikes the n-th matching request only, counted from 1.
    #[serde(default)]
    pub nth: Option<u64>,
    /// What goes wrong.
    pub fault: Fault,
}

impl FaultRule {
    /// A fault for every request of a class.
    pub fn on(command: &str, fault: Fault) -> Self {
        Self { host: None, vm: None, command: Some(command.to_owned()), nth: None, fault }
    }

    /// Limits the rule to the n-th matching request, counted from 1.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = Some(nth);
        self
    }

    /// Limits the rule to one host.
    #[must_use]
    pub fn at_host(mut self, ip: &str) -> Self {
        self.host = Some(ip.to_owned());
        self
    }

    /// Limits the rule to one VM.
    #[must_use]
    pub fn for_vm(mut self, name: &str) -> Self {
        self.vm = Some(name.to_owned());
        self
    }

    fn matches(&self, host: &str, class: &str, vm: Option<&str>) -> bool {
        let is_command = |wanted: &str| {
            let last = class.rsplit('.').next().unwrap_or(class);
            wanted.eq_ignore_ascii_case(class) || wanted.eq_ignore_ascii_case(last)
        };
        self.host.as_deref().is_none_or(|wanted| wanted == host)
            && self.vm.as_deref().is_none_or(|wanted| Some(wanted) == vm)
            && self.command.as_deref().is_none_or(is_command)
    }
}

/// A rule in force.
#[derive(Debug)]
struct Armed {
    id: u64,
    rule: FaultRule,
    seen: u64,
    struck: u64,
    released: watch::Sender<bool>,
}

/// A rule as the control listener shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultView {
    /// Number to release or remove it by.
    pub id: u64,
    /// The rule.
    pub rule: FaultRule,
    /// Matching requests so far.
    pub seen: u64,
    /// How often it struck.
    pub struck: u64,
    /// Whether it was released.
    pub released: bool,
}

/// A fault that strikes a request.
#[derive(Debug, Clone)]
pub struct Strike {
    /// What goes wrong.
    pub fault: Fault,
    released: watch::Receiver<bool>,
}

impl Strike {
    /// Waits until the fault is released or removed.
    pub async fn wait_released(&self) {
        // An error means that the rule was removed, which releases it as well.
        let _ = self.released.clone().wait_for(|released| *released).await;
    }

    fn is_released(&self) -> bool {
        *self.released.borrow() || self.released.has_changed().is_err()
    }
}

/// All rules of a world.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<(u64, Vec<Armed>)>,
}

impl Faults {
    /// Puts a rule in force; the number that comes back releases and removes it.
    pub fn add(&self, rule: FaultRule) -> u64 {
        let mut rules = self.lock();
        rules.0 += 1;
        let id = rules.0;
        rules.1.push(Armed { id, rule, seen: 0, struck: 0, released: watch::Sender::new(false) });
        id
    }

    /// Lets go what a rule holds, or all rules. False when there is no such rule.
    pub fn release(&self, id: Option<u64>) -> bool {
        let rules = self.lock();
        let mut found = id.is_none();
        for armed in rules.1.iter().filter(|armed| id.is_none_or(|id| id == armed.id)) {
            armed.released.send_replace(true);
            found = true;
        }
        found
    }

    /// Takes a rule out of force, or all; what they hold is let go.
    pub fn remove(&self, id: Option<u64>) {
        self.release(id);
        self.lock().1.retain(|armed| id.is_some_and(|id| id != armed.id));
    }

    /// The rules in force.
    pub fn view(&self) -> Vec<FaultView> {
        let rules = self.lock();
        let view = |armed: &Armed| FaultView {
            id: armed.id,
            rule: armed.rule.clone(),
            seen: armed.seen,
            struck: armed.struck,
            released: *armed.released.borrow(),
        };
        rules.1.iter().map(view).collect()
    }

    /// Counts a request and says what strikes it.
    pub fn strike(&self, host: &str, class: &str, body: &Value) -> Vec<Strike> {
        let vm = vm_of(body);
        let mut strikes = Vec::new();
        for armed in &mut self.lock().1 {
            if !armed.rule.matches(host, class, vm) {
                continue;
            }
            armed.seen += 1;
            if armed.rule.nth.is_none_or(|nth| nth == armed.seen) {
                armed.struck += 1;
                strikes.push(Strike { fault: armed.rule.fault.clone(), released: armed.released.subscribe() });
            }
        }
        strikes
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Vec<Armed>)> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The VM that a request is about.
pub fn vm_of(body: &Value) -> Option<&str> {
    let named = ["vmName", "attachedVmName"].into_iter();
    named.filter_map(|member| body.get(member)).chain(body.pointer("/vm/name")).find_map(Value::as_str)
}

/// The faults that strike a copy on its way.
#[derive(Debug, Clone, Default)]
pub struct Mishaps(pub Vec<Strike>);

impl Mishaps {
    /// Lets happen what is due at the motion's present share of copied bytes.
    ///
    /// # Errors
    /// The interruption that it is.
    pub fn happen(&self, motion: &Motion, process: &Process) -> Result<(), Interruption> {
        let reached = motion.fraction();
        for strike in &self.0 {
            match &strike.fault {
                Fault::FailAt { fraction, description } if reached >= *fraction => {
                    return Err(match description {
                        None => Interruption::job("Injected failure."),
                        Some(description) => Interruption::Job { code: JOB_ERROR, description: description.clone() },
                    });
                }
                Fault::DieAt { fraction } if reached >= *fraction => {
                    process.kill();
                    return Err(Interruption::Killed);
                }
                Fault::Stall { fraction } if reached >= *fraction => {
                    stand_still(strike, motion, process)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets happen what is due when nothing can be taken back any more. A world that is shut down waits for nobody.
    pub fn happen_after_switch(&self, process: &Process) {
        for strike in self.0.iter().filter(|strike| strike.fault == Fault::StallAfterSwitch) {
            while !strike.is_released() && process.is_alive() {
                std::thread::sleep(NAP);
            }
        }
    }

    /// Says that a copy is made, as long as a fault wants that.
    ///
    /// # Errors
    /// The interruption that came meanwhile.
    pub async fn feign(&self, motion: &Motion, process: &Process) -> Result<(), Interruption> {
        for strike in &self.0 {
            let Fault::Feign { bytes, bytes_per_second } = strike.fault else { continue };
            motion.expect(bytes);
            motion.enter("copy");
            while tokio::time::timeout(FEIGNED, strike.wait_released()).await.is_err() {
                if !process.is_alive() {
                    return Err(Interruption::Killed);
                }
                if motion.is_cancelled() {
                    return Err(Interruption::Cancelled);
                }
                motion.advance(bytes_per_second);
            }
        }
        Ok(())
    }

    /// Whether a disk is to be passed over.
    pub fn skips(&self, stem: &str) -> bool {
        let is_it = |strike: &Strike| matches!(&strike.fault, Fault::SkipDisk { stem: skipped } if skipped == stem);
        self.0.iter().any(is_it)
    }
}

fn stand_still(strike: &Strike, motion: &Motion, process: &Process) -> Result<(), Interruption> {
    while !strike.is_released() {
        if !process.is_alive() {
            return Err(Interruption::Killed);
        }
        if motion.is_cancelled() {
            return Err(Interruption::Cancelled);
        }
        std::thread::sleep(NAP);
    }
    Ok(())
}
