//! What the kernel does to processes that lesson 3 has put within limits.
//!
//! The attack comes first: what lesson 2 can't stop. Then the same attack, stopped; and then every
//! statement of the lesson, against the kernel's own files.
//!
//! They need a machine that lets this user make control groups. Where it doesn't, each is shown as
//! ignored with the reason; with `WORKSHOP_REQUIRE=all` it fails instead.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attack;
mod clean;
mod lab;
mod limits;
mod living;
mod statistics;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Its name, and the test.
type Test = (&'static str, fn());

/// `tests![a_sentence, another]`: the name is the function's.
macro_rules! tests {
    ($($function:ident),* $(,)?) => { &[$((stringify!($function), $function as fn())),*] };
}
pub(crate) use tests;

fn main() -> ExitCode {
    // The test program is lesson 2's container, too: see `attack`.
    if std::env::args().nth(1).as_deref() == Some(attack::IN_LESSON_2) {
        return attack::in_lesson_2();
    }
    let why_not = lab::why_not();
    // With the first version there is nothing that an ordinary user could be handed: no lack of the machine.
    let lack = lab::is_v2() || nix::unistd::geteuid().is_root();
    let required = std::env::var("WORKSHOP_REQUIRE").is_ok_and(|value| value == "all");
    let all = [attack::TESTS, limits::TESTS, living::TESTS, statistics::TESTS, clean::TESTS].concat();
    let trials = all.into_iter().map(|(name, test)| {
        let run = move || {
            std::panic::catch_unwind(test).map_err(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                Failed::from(
                    text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default(),
                )
            })
        };
        match why_not.clone() {
            Some(reason) if required && lack => Trial::test(name, move || Err(Failed::from(reason))),
            Some(reason) => Trial::ignorable_test(name, move || Ok(Completion::ignored_with(reason))),
            None => Trial::test(name, run),
        }
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
