//! Becoming another program.

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, execve};

use crate::step::{Error, Result, step};

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments. A name without a slash is looked up in `PATH`.
    pub args: Vec<OsString>,
    /// The whole environment, as `NAME=value`.
    pub env: Vec<OsString>,
    /// The working directory.
    pub directory: PathBuf,
}

impl Command {
    /// These words, with the caller's own environment, in the root directory.
    pub fn new<S: Into<OsString>>(args: impl IntoIterator<Item = S>) -> Self {
        Command {
            args: args.into_iter().map(Into::into).collect(),
            env: std::env::vars_os()
                .map(|(mut line, value)| {
                    line.push("=");
                    line.push(value);
                    line
                })
                .collect(),
            directory: PathBuf::from("/"),
        }
    }

    fn variable(&self, name: &str) -> Option<&OsStr> {
        self.env.iter().find_map(|line| {
            let value = line.as_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(OsStr::from_bytes(value))
        })
    }
}

/// Becomes that program, and never comes back; or says why it couldn't.
///
/// # Errors
/// `exec` with `ENOENT` (no such program: exit code 127), `EACCES` (not executable: 126) and the
/// like; `change directory to`.
// ANCHOR: exec
pub fn exec(command: &Command) -> Result<Infallible> {
    // ANCHOR: ex-01-5
    // 1. The working directory, by its name *inside*.
    step("change directory to", command.directory.display(), || chdir(&command.directory))?;
    //    A directory that leads out of the root (through a descriptor that somebody left open, as
    //    in CVE-2024-21626) has no name inside: ask for it (`getcwd`), the kernel says so, and here
    //    it ends.
    step("find the working directory", "", nix::unistd::getcwd)?;

    // 2. The program begins with the signals, the umask (022) and the descriptors of a new one.
    //    What is ignored or blocked stays so across execve: Rust programs ignore SIGPIPE, `nohup`
    //    SIGHUP. Descriptors from 3 on are marked, to be closed by execve, and not closed at once:
    //    the socket to the parent has to live until it has worked.
    step("restore signals", "", restore_signals)?;
    step("unblock signals", "", || SigSet::all().thread_unblock())?;
    umask(Mode::from_bits_truncate(0o022));
    step("close descriptors", "from 3", || close_range(3, libc::CLOSE_RANGE_CLOEXEC))?;

    // 3. Try to become each of the candidates in turn; whoever comes back from that has failed.
    //    Not there (ENOENT, ENOTDIR): the next one may be.
    //    There, but not for us (EACCES): keep looking, and say this if nothing better turns up.
    //    Anything else: say it at once. And if none was there: `not_found`.
    let mut last = not_found(command);
    for path in candidates(command) {
        let error = become_program(&path, command);
        match error.errno {
            libc::ENOENT | libc::ENOTDIR => continue,
            libc::EACCES => last = error,
            _ => return Err(error),
        }
    }
    Err(last)
    // ANCHOR_END: ex-01-5
}
// ANCHOR_END: exec

/// Where the program may be: in each folder of `PATH`, or, named with a slash, only there.
fn candidates(command: &Command) -> Vec<PathBuf> {
    const DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    // (With no name, the folders themselves would be tried.)
    let Some(program) = command.args.first().filter(|name| !name.is_empty()) else { return vec![] };
    if has_slash(program) {
        return vec![program.into()];
    }
    let path = command.variable("PATH").unwrap_or(OsStr::new(DEFAULT));
    // An empty entry would mean the working directory: nobody wants that of a container.
    path.as_bytes()
        .split(|byte| *byte == b':')
        .filter(|folder| !folder.is_empty())
        .map(|folder| Path::new(OsStr::from_bytes(folder)).join(program))
        .collect()
}

fn become_program(path: &Path, command: &Command) -> Error {
    let strings = |list: &[OsString]| list.iter().map(|word| string(word)).collect::<Result<Vec<_>>>();
    let (file, args, env) = match (string(path.as_os_str()), strings(&command.args), strings(&command.env)) {
        (Ok(file), Ok(args), Ok(env)) => (file, args, env),
        (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => return error,
    };
    let Err(error) = step("exec", path.display(), || execve(&file, &args, &env));
    error
}

/// As the kernel wants it: ended by a NUL, so without one inside.
fn string(word: &OsStr) -> Result<CString> {
    CString::new(word.as_bytes())
        .map_err(|_| Error::new("exec", format!("{word:?}"), "a NUL byte inside a word"))
}

fn not_found(command: &Command) -> Error {
    let program = command.args.first().map_or(OsStr::new(""), OsString::as_os_str);
    let hint = if has_slash(program) { "" } else { "executable file not found in $PATH" };
    Error { step: "exec".into(), on: program.display().to_string(), errno: libc::ENOENT, hint: hint.into() }
}

fn has_slash(program: &OsStr) -> bool {
    program.as_bytes().contains(&b'/')
}

/// Gives every signal its default action back.
fn restore_signals() -> nix::Result<()> {
    for number in Signal::iterator().filter(|s| !matches!(s, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: the default action is no handler of ours, which could do harm when it runs.
        unsafe { signal(number, SigHandler::SigDfl) }?;
    }
    Ok(())
}

/// Does to every descriptor from this one on what the flags say; without any it closes them:
/// [close_range(2)](https://man7.org/linux/man-pages/man2/close_range.2.html).
pub(crate) fn close_range(first: libc::c_uint, flags: libc::c_uint) -> nix::Result<()> {
    // SAFETY: no pointers. Whoever closes (and doesn't only mark) knows that no code of this process
    // uses these descriptors any more.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, flags) };
    Errno::result(result).map(drop)
}
