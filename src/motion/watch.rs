//! Watch: the command is out; how far is it, and is it over?
//!
//! No clock ends a motion. The agent's answer ends it, or the agent's word (where it has our extension) that it is over
//! although the answer has not come.

use super::hypervisor::{Hypervisor, MotionState};
use super::order::Order;
use super::saga::Patience;
use super::strategy::Strategy;
use super::verdict::Said;
use crate::store::Store;

/// Sends the command and waits until it is over.
pub(super) async fn until_over(
    store: &Store,
    order: &Order,
    strategy: &dyn Strategy,
    hypervisor: &dyn Hypervisor,
    patience: &Patience,
) -> Said {
    let mut answer = strategy.execute(order, hypervisor);
    loop {
        let question = async {
            tokio::time::sleep(patience.poll).await;
            note_progress(store, order, hypervisor).await
        };
        // The command goes on while the host is asked: it may hold what the question waits for, such as the database's
        // writer or a row's lock.
        let is_over = tokio::select! {
            answer = &mut answer => return answer.into(),
            is_over = question => is_over,
        };
        if is_over {
            // It is over, the answer should be here at once. If not, it was lost and the facts decide.
            return match tokio::time::timeout(patience.late_answer, &mut answer).await {
                Ok(answer) => answer.into(),
                Err(_) => Said::Nothing("The host says that the motion is over, its answer did not come.".to_owned()),
            };
        }
    }
}

/// Asks how far the motion is and writes it down. True when the host says that it is over.
pub(super) async fn note_progress(store: &Store, order: &Order, hypervisor: &dyn Hypervisor) -> bool {
    let Ok(Some(status)) = hypervisor.motion_status(&order.source_ref(), &order.uuid).await else { return false };
    let (done, total) = (status.bytes_done as i64, status.bytes_total as i64);
    if status.state == MotionState::Running && total > 0 {
        let percent = (done.saturating_mul(100) / total).clamp(0, 99);
        let noted = store.motion_progress(order.id, done, total).await;
        let shown = store.job_progress(order.job_id, percent).await;
        if let Err(error) = noted.and(shown) {
            tracing::warn!(motion = %order.uuid, %error, "progress could not be noted");
        }
    }
    matches!(status.state, MotionState::Done | MotionState::Failed)
}
