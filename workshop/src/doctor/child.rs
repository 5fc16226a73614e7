//! A forked child in which something is tried, and its answer.

use std::fs::{self, DirEntry, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork, pipe};

/// What the kernel refused: the step, what it was done on, and the errno.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was being done: `write`, `mount overlay`.
    pub step: String,
    /// What it was done on: a file, a folder. May be empty.
    pub on: String,
    /// The kernel's answer; 0 where it wasn't the kernel.
    pub errno: i32,
}

/// What came of a trial: a word on how it went (may be empty), or the refusal.
pub type Outcome = Result<String, Refusal>;

impl Refusal {
    /// The kernel's refusal with the step around it.
    pub fn new(step: &str, on: impl ToString, error: impl Into<io::Error>) -> Refusal {
        let errno = error.into().raw_os_error().unwrap_or(0);
        Refusal { step: step.to_owned(), on: on.to_string(), errno }
    }

    /// As one line, such as `write /proc/self/uid_map: Operation not permitted (os error 1)`.
    pub fn line(&self) -> String {
        let space = if self.on.is_empty() { "" } else { " " };
        let head = format!("{}{space}{}", self.step, self.on);
        match self.errno {
            0 => head,
            errno => format!("{head}: {}", io::Error::from_raw_os_error(errno)),
        }
    }
}

/// Forks, and runs `attempt` in the child, whose namespaces and mounts end with it. This process must
/// have a single thread.
pub fn in_child(attempt: impl FnOnce() -> Outcome) -> Outcome {
    let (read, write) = pipe().map_err(|errno| Refusal::new("pipe", "", errno))?;
    // SAFETY: this program never starts a thread, so the child may go on as usual: no lock can be held
    // by a thread that is gone.
    match unsafe { fork() }.map_err(|errno| Refusal::new("fork", "", errno))? {
        ForkResult::Child => {
            drop(read);
            // Should the parent be killed, nothing that was begun goes on.
            let _ = prctl::set_pdeathsig(Signal::SIGKILL);
            let told = File::from(write).write_all(encode(&attempt()).as_bytes());
            // SAFETY: _exit only ends the process. (exit would run the parent's handlers a second time.)
            unsafe { libc::_exit(i32::from(told.is_err())) }
        }
        ForkResult::Parent { child } => {
            drop(write);
            let mut answer = String::new();
            let read = File::from(read).read_to_string(&mut answer);
            let ended = waitpid(child, None);
            match (read, ended) {
                (Ok(_), Ok(WaitStatus::Exited(_, 0))) => decode(&answer),
                (_, Ok(WaitStatus::Signaled(_, signal, _))) => Err(Refusal {
                    step: format!("the child was ended by {signal}"),
                    on: String::new(),
                    errno: 0,
                }),
                _ => {
                    Err(Refusal { step: "the child gave no answer".to_owned(), on: String::new(), errno: 0 })
                }
            }
        }
    }
}

/// What earlier doctors, which were killed half-way, left in `folder`: everything called `prefix` and the
/// number of a process that is gone.
pub fn leftovers(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let left = |entry: &DirEntry| {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(prefix)).unwrap_or_default();
        let is_number = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
        is_number && !Path::new("/proc").join(pid).exists()
    };
    fs::read_dir(folder).into_iter().flatten().flatten().filter(left).map(|entry| entry.path()).collect()
}

/// No step, path or word on how it went has a NUL byte.
fn encode(outcome: &Outcome) -> String {
    match outcome {
        Ok(word) => format!("ok\0{word}"),
        Err(Refusal { step, on, errno }) => format!("{errno}\0{step}\0{on}"),
    }
}

fn decode(answer: &str) -> Outcome {
    let parts: Vec<&str> = answer.split('\0').collect();
    match parts[..] {
        ["ok", word] => Ok(word.to_owned()),
        [errno, step, on] => {
            Err(Refusal { step: step.to_owned(), on: on.to_owned(), errno: errno.parse().unwrap_or(0) })
        }
        _ => Err(Refusal { step: "the child gave no answer".to_owned(), on: String::new(), errno: 0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_dead_doctors_left_is_swept() {
        let folder = std::env::temp_dir().join(format!("doctor-sweep-{}", std::process::id()));
        let mine = format!("canoa-doctor-{}", std::process::id());
        // 4194304 is the largest pid_max there is, and never a pid itself.
        for name in ["canoa-doctor-4194304", &mine, "canoa-doctor-", "canoa-doctor-x", "another-4194304"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        assert_eq!(leftovers(&folder, "canoa-doctor-"), [folder.join("canoa-doctor-4194304")]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_answer_crosses_from_the_child_as_it_was() {
        let refusal = Refusal { step: "write".into(), on: "/proc/self/uid_map".into(), errno: libc::EPERM };
        assert_eq!(decode(&encode(&Err(refusal.clone()))), Err(refusal.clone()));
        assert_eq!(decode(&encode(&Ok("v1".into()))), Ok("v1".into()));
        assert!(decode("").is_err(), "silence is no success");
        assert_eq!(refusal.line(), "write /proc/self/uid_map: Operation not permitted (os error 1)");
    }
}
