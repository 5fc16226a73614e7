//! Cases: sentences about canoa that must be true.

use crate::lab::Lab;
use crate::need::Need;

/// One sentence, and the function that panics if it isn't so.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// The function's name, which is the sentence: `a_container_has_a_name`.
    pub name: &'static str,
    /// Tries it.
    pub run: fn(&Lab),
    /// What the machine must have for it.
    pub needs: &'static [Need],
    /// Whether each command is tried in its long form, too (`container run` for `run`): the case then
    /// runs twice.
    pub both_forms: bool,
    /// How long it may take, in seconds; then everything in its lab is killed.
    pub seconds: u64,
}

impl Case {
    /// A case that every machine can run. Write [`case!`](crate::case!) instead.
    pub const fn new(name: &'static str, run: fn(&Lab)) -> Self {
        Case { name, run, needs: &[], both_forms: false, seconds: 120 }
    }

    /// … that needs these.
    pub const fn needs(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    /// … that is tried with the short and with the long form of each command.
    pub const fn in_both_forms(mut self) -> Self {
        self.both_forms = true;
        self
    }

    /// … that may take this many seconds.
    pub const fn within(mut self, seconds: u64) -> Self {
        self.seconds = seconds;
        self
    }
}

/// `case!(a_container_has_a_name)`: the case whose sentence is the name of its function.
#[macro_export]
macro_rules! case {
    ($function:ident) => {
        $crate::case::Case::new(stringify!($function), $function)
    };
}
