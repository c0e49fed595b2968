//! The steps of the saga, declared once: what goes through them in tests goes through this list, and so does the table in
//! `docs/state-machines.md`.

use std::fmt::Write as _;

/// What may be done about a step that was begun and perhaps not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// What it did is taken back by settling the motion as not done.
    Undoable,
    /// It may be done again, and the second time changes nothing.
    Repeatable,
    /// From here on the motion is not taken back: its hosts know what became of it, and only they are believed.
    PointOfNoReturn,
}

impl Class {
    /// In words, as the table has it.
    fn words(self) -> &'static str {
        match self {
            Self::Undoable => "undoable",
            Self::Repeatable => "repeatable",
            Self::PointOfNoReturn => "point of no return",
        }
    }
}

/// Declares the steps in their order, each with its class. The comment on a step is what it does.
macro_rules! steps {
    ($($(#[doc = $effect:literal])+ $step:ident is $class:ident),+ $(,)?) => {
        /// The steps of a saga, for those who want to stand between them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Step { $($(#[doc = $effect])+ $step),+ }

        impl Step {
            /// All steps, in their order.
            pub const ALL: &'static [Self] = &[$(Self::$step),+];

            /// What may be done about it when it was begun and perhaps not ended.
            #[must_use]
            pub fn class(self) -> Class {
                match self { $(Self::$step => Class::$class),+ }
            }

            fn effect(self) -> &'static str {
                match self { $(Self::$step => concat!($($effect),+).trim_ascii()),+ }
            }
        }
    };
}

steps! {
    /// One transaction: the motion is journaled with every file that it may make, rows go to `Migrating`, the target host is charged.
    Mark is Undoable,
    /// The journal says `sent`: from here on the hosts know best.
    Announce is Undoable,
    /// The command goes out; the step ends when the host says that the motion is over.
    Send is PointOfNoReturn,
    /// The hosts are asked where everything is.
    Judge is Repeatable,
    /// One transaction: rows leave `Migrating` and say where everything is; the journal has the verdict.
    Settle is Repeatable,
    /// What was left behind is deleted or listed.
    Clean is Repeatable,
}

/// The steps as a table for `docs/state-machines.md`.
#[must_use]
pub fn saga_markdown() -> String {
    let mut text = "\n## The steps of a motion\n\nEvery motion goes through these steps (`src/motion/steps.rs`). A gateway that takes one \
        over finds in the journal which of them may have been begun.\n\n| Step | What it does | Class |\n| --- | --- | --- |\n"
        .to_owned();
    for step in Step::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {step:?} | {} | {} |", step.effect(), step.class().words());
    }
    text
}
