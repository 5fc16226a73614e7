//! Exit codes are Docker's: the program's own, or 125, 126, 127, 128 + n.

use e2e::case;
use e2e::case::Case;
use e2e::lab::Lab;

pub const CASES: &[Case] = &[
    case!(the_exit_code_is_the_programs_own).in_both_forms(),
    case!(a_program_that_a_signal_ends_exits_with_128_and_the_signal),
    case!(a_command_that_is_not_there_is_127),
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
    lab.canoa(&["run", "--rm", "base", "sh", "-c", "sh -c 'kill -TERM $$'"]).exits(143);
    lab.canoa(&["run", "-d", "--name", "c", "base", "sleep", "100"]).ok();
    lab.canoa(&["kill", "c"]).ok();
    lab.canoa(&["wait", "c"]).ok().says("137");
}

fn a_command_that_is_not_there_is_127(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "no-such-command"]).exits(127);
    lab.canoa(&["run", "-d", "--name", "c", "base", "sleep", "100"]).ok();
    lab.canoa(&["exec", "c", "no-such-command"]).exits(127);
}

fn a_command_that_is_not_executable_is_126(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "/etc/passwd"]).exits(126);
    lab.canoa(&["run", "-d", "--name", "c", "base", "sleep", "100"]).ok();
    lab.canoa(&["exec", "c", "/etc/passwd"]).exits(126);
}

fn a_flag_that_there_is_not_is_125(lab: &Lab) {
    lab.canoa(&["run", "--no-such-flag", "base", "true"]).exits(125);
}
