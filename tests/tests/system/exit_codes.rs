//! Exit codes are Docker's: the program's own, or 125, 126, 127, 128 + n.

use e2e::case;
use e2e::case::Case;
use e2e::lab::Lab;
use e2e::need::Need;

pub const CASES: &[Case] = &[
    case!(the_exit_code_is_the_programs_own).in_both_forms(),
    case!(a_program_that_a_signal_ends_exits_with_128_and_the_signal),
    case!(a_command_that_is_not_there_is_127),
    case!(exec_of_a_command_that_is_not_there_is_127).needs(&[Need::Canoa]),
    case!(a_command_that_is_not_executable_is_126),
    case!(a_flag_that_there_is_not_is_125),
];

fn the_exit_code_is_the_programs_own(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    lab.canoa(&["run", "--rm", "base", "false"]).exits(1);
    lab.canoa(&["run", "--rm", "base", "sh", "-c", "exit 42"]).exits(42);
}

fn a_program_that_a_signal_ends_exits_with_128_and_the_signal(lab: &Lab) {
    // PID 1 has no default actions for signals from inside: its child is what is killed.
    lab.canoa(&["run", "--rm", "base", "sh", "-c", "sleep 9 & kill -TERM $!; wait $!"]).exits(143);
    lab.runs("killed", &["sleep", "1000"]);
    lab.canoa(&["kill", "killed"]).ok();
    lab.canoa(&["wait", "killed"]).ok().says("137");
}

fn a_command_that_is_not_there_is_127(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "no-such-command"]).exits(127);
}

/// Docker 20.10 says 126 here; the newer ones 127, as for a run.
fn exec_of_a_command_that_is_not_there_is_127(lab: &Lab) {
    lab.runs("sleeper", &["sleep", "1000"]);
    lab.canoa(&["exec", "sleeper", "no-such-command"]).exits(127);
}

fn a_command_that_is_not_executable_is_126(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "/etc/passwd"]).exits(126);
    lab.runs("sleeper", &["sleep", "1000"]);
    lab.canoa(&["exec", "sleeper", "/etc/passwd"]).exits(126);
}

fn a_flag_that_there_is_not_is_125(lab: &Lab) {
    lab.canoa(&["run", "--no-such-flag", "base", "true"]).exits(125);
}
