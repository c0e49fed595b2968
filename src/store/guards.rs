//! Conditions that let a statement write only to rows in which the state machine allows it.

use crate::model::{Machine, MotionEvent, MotionState};

/// `column IN (...)` with the states in which `event` applies.
pub(super) fn accepting<S: Machine>(column: &str, event: S::Event) -> String {
    among(column, &S::before(event))
}

/// `column IN (...)` with the states that `event` changes to another one.
pub(super) fn changing<S: Machine>(column: &str, event: S::Event) -> String {
    among(column, &S::changed_by(event))
}

// The words are the program's own, so none needs to be bound.
fn among<S: Machine>(column: &str, states: &[S]) -> String {
    let words: Vec<String> = states.iter().map(|state| format!("'{}'", state.as_str())).collect();
    format!("{column} IN ({})", words.join(", "))
}

/// The rows of the journal to which `event` applies, by phase and outcome.
pub(super) fn motions_accepting(event: MotionEvent) -> String {
    let states = MotionState::before(event).into_iter().map(MotionState::words);
    let rows: Vec<String> = states
        .map(|(phase, outcome)| match outcome {
            Some(outcome) => format!("(phase = '{phase}' AND outcome = '{outcome}')"),
            None => format!("phase = '{phase}'"),
        })
        .collect();
    format!("({})", rows.join(" OR "))
}

/// The rows of the journal whose motion has not ended. In an index they are found by it, and not by "everything but what is
/// settled".
pub(super) fn unsettled() -> String {
    format!("phase IN ('{}')", unsettled_phases().join("', '"))
}

/// The rows of the journal of which it is not known where everything is, or will be: the hosts may still show that it was done.
pub(super) fn unsure() -> String {
    motions_accepting(MotionEvent::FoundDone)
}

/// The number of the oldest row of the journal whose motion has not ended, as an expression; NULL when all have. Rows that belong
/// to a motion under way are found from there on, without those of the long history before it.
pub(super) fn oldest_unsettled() -> String {
    let oldest =
        unsettled_phases().map(|phase| format!("SELECT MIN(id) AS id FROM motion_migration WHERE phase = '{phase}'"));
    format!("(SELECT MIN(oldest.id) FROM ({}) oldest)", oldest.join(" UNION ALL "))
}

fn unsettled_phases() -> [&'static str; 2] {
    [MotionState::Marked.words().0, MotionState::Sent.words().0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PoolEvent, PoolState};

    #[test]
    fn conditions_name_the_states() {
        assert_eq!(accepting::<PoolState>("status", PoolEvent::Enable), "status IN ('Up', 'Disabled')");
        assert_eq!(changing::<PoolState>("status", PoolEvent::Enable), "status IN ('Disabled')");
        assert_eq!(motions_accepting(MotionEvent::Announce), "(phase = 'marked')");
        let open = "(phase = 'marked' OR phase = 'sent' OR (phase = 'settled' AND outcome = 'unknown'))";
        assert_eq!(motions_accepting(MotionEvent::FoundDone), open);
    }

    #[test]
    fn what_is_unsettled_is_all_but_what_is_settled() {
        let others = MotionState::ALL.iter().map(|state| state.words().0).filter(|phase| *phase != "settled");
        assert_eq!(others.collect::<Vec<_>>(), unsettled_phases());
        assert_eq!(unsettled(), "phase IN ('marked', 'sent')");
    }
}
