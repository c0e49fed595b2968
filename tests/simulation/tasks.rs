//! Runs one task at a time, from one point to the next. A task that waits for the database is waited for: the schedule alone
//! says who is next, not how fast a thread is.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use stackmotion::store::Store;
use tokio::sync::Notify;
use tokio::task::coop::unconstrained;

use super::points::Sim;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Flag {
    is_woken: AtomicBool,
    anyone: Arc<Notify>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        self.anyone.notify_one();
    }
}

struct Task {
    node: usize,
    job: Option<usize>,
    work: Work,
    flag: Arc<Flag>,
}

/// All tasks of one course of events, by number.
#[derive(Default)]
pub struct Tasks {
    list: Vec<Option<Task>>,
    frozen: Vec<usize>,
    anyone: Arc<Notify>,
}

impl Tasks {
    /// Begins a task of a node; a job's when it has one.
    pub fn begin(&mut self, node: usize, job: Option<usize>, work: impl Future<Output = ()> + Send + 'static) {
        let flag = Arc::new(Flag { is_woken: AtomicBool::new(true), anyone: Arc::clone(&self.anyone) });
        // A budget would make a task wait for nothing.
        self.list.push(Some(Task { node, job, work: Box::pin(unconstrained(work)), flag }));
    }

    /// Ends the tasks of a node where they stand.
    pub fn kill(&mut self, node: usize) {
        for task in &mut self.list {
            if task.as_ref().is_some_and(|task| task.node == node) {
                *task = None;
            }
        }
    }

    /// Lets the tasks of a node stand still, or go on.
    pub fn freeze(&mut self, node: usize, frozen: bool) {
        self.frozen.retain(|other| *other != node);
        if frozen {
            self.frozen.push(node);
        }
    }

    pub fn is_frozen(&self, node: usize) -> bool {
        self.frozen.contains(&node)
    }

    /// The nodes that have a task.
    pub fn node_of(&self, task: usize) -> Option<usize> {
        self.list.get(task)?.as_ref().map(|task| task.node)
    }

    /// Whether a node runs a job.
    pub fn runs(&self, node: usize, job: usize) -> bool {
        self.list.iter().flatten().any(|task| task.node == node && task.job == Some(job))
    }

    /// The task is to be looked at again: a point of it was passed.
    pub fn wake(&self, task: usize) {
        if let Some(Some(task)) = self.list.get(task) {
            task.flag.is_woken.store(true, Ordering::SeqCst);
        }
    }

    fn woken(&self) -> Option<usize> {
        self.list.iter().position(|task| {
            task.as_ref()
                .is_some_and(|task| !self.frozen.contains(&task.node) && task.flag.is_woken.load(Ordering::SeqCst))
        })
    }

    fn poll_woken(&mut self, sim: &Sim) -> bool {
        let mut has_polled = false;
        while let Some(number) = self.woken() {
            has_polled = true;
            sim.state().task = number;
            let Some(task) = &mut self.list[number] else { continue };
            task.flag.is_woken.store(false, Ordering::SeqCst);
            let waker = Waker::from(Arc::clone(&task.flag));
            if let Poll::Ready(()) = task.work.as_mut().poll(&mut Context::from_waker(&waker)) {
                self.list[number] = None;
            }
        }
        has_polled
    }

    /// Runs everybody who can go on until all of them stand at a point. Whoever asks the database stands in the queue before
    /// the question asked here: when it is answered and nobody went on meanwhile, nobody waits for the database.
    pub async fn settle(&mut self, sim: &Sim, store: &Store) {
        loop {
            self.poll_woken(sim);
            let anyone = Arc::clone(&self.anyone);
            let mut has_polled = false;
            let mut fence = pin!(store.db().row("SELECT 1", vec![]));
            loop {
                tokio::select! {
                    biased;
                    answer = &mut fence => {
                        answer.expect("the database");
                        break;
                    }
                    () = anyone.notified() => has_polled |= self.poll_woken(sim),
                }
            }
            if !has_polled && self.woken().is_none() {
                return;
            }
        }
    }
}
