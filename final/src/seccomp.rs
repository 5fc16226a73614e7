//! Which system calls a container may make, as the OCI runtime specification writes it.
//!
//! Lesson 2 has the policy and makes the kernel's program of it; here its rules become the words of
//! `config.json`, and back. So a bundle says all, and another runtime that gets it filters the same.
//!
//! <https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp>

use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder, LinuxSeccompBuilder,
    LinuxSeccompOperator, LinuxSyscall, LinuxSyscallBuilder,
};
use rootfs::architecture::{Architecture, HERE};
use rootfs::seccomp::{Answer, Compare, Condition, Policy, Rule};

/// The largest errno that a call can fail with (`MAX_ERRNO`).
const LARGEST_ERRNO: u32 = 4095;

/// The policy in the specification's words.
pub fn describe(policy: &Policy) -> Result<LinuxSeccomp, OciSpecError> {
    let (action, errno) = words_of(policy.otherwise);
    let mut seccomp = LinuxSeccompBuilder::default()
        .default_action(action)
        .architectures(policy.architectures.iter().filter_map(|one| arch(one)).collect::<Vec<_>>())
        .syscalls(policy.rules.iter().map(describe_rule).collect::<Result<Vec<_>, _>>()?)
        .build()?;
    seccomp.set_default_errno_ret(errno);
    Ok(seccomp)
}

fn describe_rule(rule: &Rule) -> Result<LinuxSyscall, OciSpecError> {
    let (action, errno) = words_of(rule.answer);
    let args = rule.when.iter().map(describe_condition).collect::<Result<Vec<_>, _>>()?;
    let mut described = LinuxSyscallBuilder::default().names(rule.calls.clone()).action(action).build()?;
    described.set_errno_ret(errno);
    described.set_args((!args.is_empty()).then_some(args));
    Ok(described)
}

fn describe_condition(condition: &Condition) -> Result<LinuxSeccompArg, OciSpecError> {
    use LinuxSeccompOperator as Op;
    let (op, value, second) = match condition.compare {
        Compare::Equal => (Op::ScmpCmpEq, condition.value, None),
        Compare::NotEqual => (Op::ScmpCmpNe, condition.value, None),
        Compare::Less => (Op::ScmpCmpLt, condition.value, None),
        Compare::LessOrEqual => (Op::ScmpCmpLe, condition.value, None),
        Compare::Greater => (Op::ScmpCmpGt, condition.value, None),
        Compare::GreaterOrEqual => (Op::ScmpCmpGe, condition.value, None),
        Compare::Masked(mask) => (Op::ScmpCmpMaskedEq, mask, Some(condition.value)),
    };
    let mut described = LinuxSeccompArgBuilder::default().index(condition.argument).value(value).op(op);
    if let Some(second) = second {
        described = described.value_two(second);
    }
    described.build()
}

fn words_of(answer: Answer) -> (LinuxSeccompAction, Option<u32>) {
    use LinuxSeccompAction as Action;
    match answer {
        Answer::Allow => (Action::ScmpActAllow, None),
        Answer::Log => (Action::ScmpActLog, None),
        Answer::Errno(errno) => (Action::ScmpActErrno, Some(errno.into())),
        Answer::Trap => (Action::ScmpActTrap, None),
        Answer::KillThread => (Action::ScmpActKillThread, None),
        Answer::Kill => (Action::ScmpActKillProcess, None),
    }
}

/// The specification's words as lesson 2's policy.
///
/// # Errors
/// What this engine doesn't have, by its name: a supervisor that answers (`SCMP_ACT_NOTIFY`), a
/// tracer (`SCMP_ACT_TRACE`), an argument or an errno that doesn't exist, a call to be forbidden that
/// nobody knows.
pub fn understand(seccomp: &LinuxSeccomp) -> Result<Policy, String> {
    // This machine's own programs are always meant; others by name, if it runs them at all.
    let named = seccomp.architectures().iter().flatten();
    let mut architectures = vec![HERE[0]];
    architectures.extend(named.filter_map(here).filter(|one| *one != HERE[0]));
    architectures.dedup();
    let mut rules = vec![];
    for described in seccomp.syscalls().iter().flatten() {
        let name = described.names().first().map_or("", String::as_str);
        let answer = answer(described.action(), described.errno_ret())
            .map_err(|reason| format!("system call {name:?}: {reason}"))?;
        let conditions = described.args().iter().flatten();
        let when = conditions.map(|arg| condition(arg, name)).collect::<Result<_, _>>()?;
        // A name that no machine here has is often one of another architecture, or of a later kernel:
        // to allow it means nothing. But to forbid it may be a slip of the pen.
        if answer != Answer::Allow
            && let Some(unknown) = described.names().iter().find(|name| !is_known(name))
        {
            return Err(format!("unknown system call {unknown:?}"));
        }
        rules.push(Rule { calls: described.names().clone(), when, answer });
    }
    let otherwise = answer(seccomp.default_action(), seccomp.default_errno_ret())
        .map_err(|reason| format!("the default action: {reason}"))?;
    Ok(Policy { architectures, rules, otherwise })
}

fn is_known(name: &str) -> bool {
    ["x86_64", "x86", "aarch64", "arm"]
        .iter()
        .filter_map(|name| Architecture::by_name(name))
        .any(|one| one.number(name).is_some())
}

fn answer(action: LinuxSeccompAction, errno: Option<u32>) -> Result<Answer, String> {
    use LinuxSeccompAction as Action;
    Ok(match action {
        Action::ScmpActAllow => Answer::Allow,
        Action::ScmpActLog => Answer::Log,
        Action::ScmpActErrno => match errno.unwrap_or(libc::EPERM as u32) {
            errno if errno <= LARGEST_ERRNO => Answer::Errno(errno as u16),
            errno => return Err(format!("there is no errno {errno}")),
        },
        Action::ScmpActTrap => Answer::Trap,
        Action::ScmpActKill | Action::ScmpActKillThread => Answer::KillThread,
        Action::ScmpActKillProcess => Answer::Kill,
        Action::ScmpActNotify => return Err("SCMP_ACT_NOTIFY: there is nobody here to be asked".into()),
        Action::ScmpActTrace => return Err("SCMP_ACT_TRACE: there is no tracer here".into()),
    })
}

fn condition(arg: &LinuxSeccompArg, name: &str) -> Result<Condition, String> {
    use LinuxSeccompOperator as Op;
    let argument = match u8::try_from(arg.index()) {
        Ok(index) if index < 6 => index,
        _ => return Err(format!("system call {name:?}: argument {} of 0 to 5", arg.index())),
    };
    let (compare, value) = match arg.op() {
        Op::ScmpCmpEq => (Compare::Equal, arg.value()),
        Op::ScmpCmpNe => (Compare::NotEqual, arg.value()),
        Op::ScmpCmpLt => (Compare::Less, arg.value()),
        Op::ScmpCmpLe => (Compare::LessOrEqual, arg.value()),
        Op::ScmpCmpGt => (Compare::Greater, arg.value()),
        Op::ScmpCmpGe => (Compare::GreaterOrEqual, arg.value()),
        Op::ScmpCmpMaskedEq => (Compare::Masked(arg.value()), arg.value_two().unwrap_or(0)),
    };
    Ok(Condition { argument, compare, value })
}

fn arch(architecture: &Architecture) -> Option<Arch> {
    Some(match architecture.name {
        "x86_64" => Arch::ScmpArchX86_64,
        "x86" => Arch::ScmpArchX86,
        "aarch64" => Arch::ScmpArchAarch64,
        "arm" => Arch::ScmpArchArm,
        _ => return None,
    })
}

/// The architecture of this name, if this machine runs its programs. (Of x32 it has no program:
/// lesson 2's filter answers it that there are no such calls.)
fn here(named: &Arch) -> Option<&'static Architecture> {
    HERE.into_iter().find(|one| arch(one).as_ref() == Some(named))
}

#[cfg(test)]
mod tests {
    use super::*;
    use caps::CapsHashSet;

    #[test]
    fn a_policy_says_the_same_after_its_way_through_config_json() {
        for capabilities in [CapsHashSet::new(), caps::all()] {
            let policy = Policy::docker(&capabilities);
            let text = serde_json::to_string(&describe(&policy).unwrap()).unwrap();
            let back = understand(&serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(back, policy);
        }
    }
}
