//! What the doctor says: each lesson, what was tried for it, the kernel's answer, and the ways out.

use super::advice::Advice;
use super::child::Outcome;
use super::machine::Machine;
use super::trial::Trial;
use crate::language::Language;
use crate::lessons::LESSONS;

/// The whole report.
pub fn report(language: Language, machine: &Machine, results: &[(Trial, Outcome)]) -> String {
    let say = |english, spanish| language.pick(english, spanish);
    let mut text = match language {
        Language::English => format!("What this machine can do, tried just now as {}:\n\n", machine.user),
        Language::Spanish => {
            format!("Lo que esta máquina puede hacer, recién probado como {}:\n\n", machine.user)
        }
    };
    for lesson in &LESSONS {
        text.push_str(&format!(
            "{}  {:<32}{}\n",
            lesson.number,
            lesson.title(language),
            verdict(language, lesson.number, results)
        ));
        for (trial, outcome) in results.iter().filter(|(trial, _)| trial.lesson() == lesson.number) {
            let (mark, answer) = match outcome {
                Ok(word) if word.is_empty() => ("✓", String::new()),
                Ok(word) => ("✓", format!("\n       {word}")),
                Err(refusal) => {
                    (if trial.required() { "✗" } else { "–" }, format!("\n       {}", refusal.line()))
                }
            };
            text.push_str(&format!("     {mark} {}{answer}\n", trial.text(language)));
        }
    }
    text.push('\n');
    let advices = advices(machine, results);
    if results.iter().all(|(_, outcome)| outcome.is_ok()) {
        text.push_str(say(
            "Everything works. Next: cargo workshop start 1\n",
            "Todo funciona. Sigue: cargo taller start 1\n",
        ));
    } else if advices.is_empty() {
        text.push_str(say(
            "There is no certain remedy here for this answer of the kernel; the manual page of the call explains it.\n",
            "Para esta respuesta del kernel no hay aquí un remedio seguro; la página de manual de la llamada la explica.\n",
        ));
    } else {
        text.push_str(say("The way out:\n", "La solución:\n"));
        for (number, advice) in (1..).zip(advices) {
            let advice = advice.text(language, machine).replace('\n', "\n   ").replace("\n   \n", "\n\n");
            text.push_str(&format!("\n{number}. {advice}\n"));
        }
    }
    text
}

/// Whether a lesson can be done. The last one needs what all before it do, and gets along without limits.
fn verdict(language: Language, number: u8, results: &[(Trial, Outcome)]) -> &'static str {
    let failed = || {
        let mine = move |trial: &Trial| trial.lesson() == number || number == 6;
        results.iter().filter(move |(trial, outcome)| mine(trial) && outcome.is_err())
    };
    let stops = |trial: &Trial| trial.required() && (number == 3 || trial.lesson() != 3);
    if failed().any(|(trial, _)| stops(trial)) {
        language.pick("cannot", "no se puede")
    } else if failed().next().is_some() {
        language.pick("can, in part", "se puede, en parte")
    } else {
        language.pick("can", "se puede")
    }
}

/// The remedies, each once, in the order of the lessons.
fn advices(machine: &Machine, results: &[(Trial, Outcome)]) -> Vec<Advice> {
    let mut advices = Vec::new();
    for (trial, outcome) in results {
        let advice = outcome.as_ref().err().and_then(|refusal| Advice::of(*trial, refusal, machine));
        advices.extend(advice.filter(|advice| !advices.contains(advice)));
    }
    advices
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::doctor::child::Refusal;

    /// A machine that exists nowhere.
    pub(crate) fn machine() -> Machine {
        Machine {
            root: false,
            user: "ana".to_owned(),
            repository: "/src/canoa".into(),
            container: false,
            apparmor: false,
            userns_off: false,
            userns_none: false,
            wsl1: false,
            systemd: true,
            v2: true,
        }
    }

    fn results(refused: &[(Trial, Refusal)]) -> Vec<(Trial, Outcome)> {
        Trial::for_user(false)
            .map(|trial| match refused.iter().find(|(t, _)| *t == trial) {
                Some((_, refusal)) => (trial, Err(refusal.clone())),
                None => (trial, Ok(String::new())),
            })
            .collect()
    }

    fn some_refused() -> Vec<(Trial, Outcome)> {
        let refusal = |step: &str, on: &str, errno| Refusal { step: step.into(), on: on.into(), errno };
        results(&[
            (Trial::IdRange, refusal("look for", "newuidmap", libc::ENOENT)),
            (Trial::Memory, refusal("mkdir", "/sys/fs/cgroup/x", libc::EACCES)),
            (Trial::Cpu, refusal("mkdir", "/sys/fs/cgroup/x", libc::EACCES)),
        ])
    }

    #[test]
    fn a_machine_that_lacks_some_is_told_so_in_english() {
        assert_eq!(report(Language::English, &machine(), &some_refused()), include_str!("report.en.txt"));
    }

    #[test]
    fn a_machine_that_lacks_some_is_told_so_in_spanish() {
        assert_eq!(report(Language::Spanish, &machine(), &some_refused()), include_str!("report.es.txt"));
    }

    #[test]
    fn a_machine_that_can_do_everything_is_sent_on() {
        let text = report(Language::Spanish, &machine(), &results(&[]));
        assert!(text.ends_with("\nTodo funciona. Sigue: cargo taller start 1\n"), "{text}");
        assert!(!text.contains('✗') && !text.contains("no se puede"), "{text}");
    }

    #[test]
    fn a_refusal_without_a_known_remedy_is_still_shown() {
        let refusal =
            Refusal { step: "socket".into(), on: "NETLINK_ROUTE".into(), errno: libc::EAFNOSUPPORT };
        let text = report(Language::English, &machine(), &results(&[(Trial::Network, refusal)]));
        assert!(text.contains("socket NETLINK_ROUTE: Address family not supported by protocol"), "{text}");
        assert!(text.contains("no certain remedy"), "{text}");
    }
}
