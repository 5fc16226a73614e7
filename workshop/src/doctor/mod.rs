//! `doctor`: tries what the lessons need, instead of reading version numbers.
//!
//! Everything is tried in a forked child, in namespaces that vanish with it; what namespaces don't take
//! along (a cgroup, a folder) is removed by the child, and once more by its parent.

#[cfg(target_os = "linux")]
mod advice;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod overlay;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod trial;

use std::process::ExitCode;

use crate::language::Language;

/// Tries everything; the report, and success only where every lesson can be done.
#[cfg(target_os = "linux")]
pub fn doctor(language: Language) -> (String, ExitCode) {
    let machine = machine::Machine::look();
    let results: Vec<_> = trial::Trial::for_user(machine.root).map(|trial| (trial, trial.run())).collect();
    let whole = results.iter().all(|(trial, outcome)| outcome.is_ok() || !trial.required());
    (report::report(language, &machine, &results), if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether an ordinary user can't run all of this lesson's tests on this machine, and root perhaps can.
#[cfg(target_os = "linux")]
pub fn needs_root(lesson: u8) -> bool {
    let stops = |trial: &trial::Trial| trial.required() && trial.lesson() == lesson;
    !machine::Machine::look().root
        && trial::Trial::for_user(false).filter(stops).any(|trial| trial.run().is_err())
}

/// There is nothing to try.
#[cfg(not(target_os = "linux"))]
pub fn needs_root(_: u8) -> bool {
    false
}

/// Containers are made of the Linux kernel: elsewhere there is nothing to try.
#[cfg(not(target_os = "linux"))]
pub fn doctor(language: Language) -> (String, ExitCode) {
    let text = language.pick(
        "The lessons need a Linux kernel, and this is not Linux. Open the repository in the dev container (.devcontainer/), or in a virtual machine such as Lima's or WSL2's.\n",
        "Las lecciones necesitan un kernel de Linux, y esto no es Linux. Abre el repositorio en el dev container (.devcontainer/), o en una máquina virtual como las de Lima o WSL2.\n",
    );
    (text.to_owned(), ExitCode::FAILURE)
}
