//! To kill all processes of a group when no file does it: the first version has none, and the second
//! has `cgroup.kill` since Linux 5.14.

use namespaces::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Kills them all, with what each version does in its own way: to `freeze` the group (`true`) or let it
/// go on (`false`), and to list its processes.
///
/// # Errors
/// When the list can't be read, or the group can't be let go on.
// ANCHOR: kill_all
pub(crate) fn kill_all(
    freeze: impl Fn(bool) -> Result<()>,
    processes: impl Fn() -> Result<Vec<i32>>,
) -> Result<()> {
    // ANCHOR: ex-03-5
    // 1. Freeze the group: while we go through the list, nobody can fork away from it. If it doesn't
    //    stop in time, go on all the same.
    let _ = freeze(true);
    // 2. SIGKILL for each on the list. One that has just ended is no error.
    let pids = processes();
    for pid in pids.iter().flatten() {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
    // 3. Let the group go on, whatever has failed before: a frozen process doesn't die.
    freeze(false)?;
    pids.map(drop)
    // ANCHOR_END: ex-03-5
}
// ANCHOR_END: kill_all

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command};

    use namespaces::Error;

    use super::*;

    /// Processes that are a group only to this test.
    struct Group {
        frozen: Cell<bool>,
        children: RefCell<Vec<Child>>,
    }

    impl Group {
        fn new() -> Group {
            let group = Group { frozen: Cell::new(false), children: RefCell::default() };
            (0..3).for_each(|_| group.fork());
            group
        }

        fn freeze(&self, frozen: bool) -> Result<()> {
            self.frozen.set(frozen);
            Ok(())
        }

        fn fork(&self) {
            self.children.borrow_mut().push(Command::new("sleep").arg("100").spawn().unwrap());
        }

        /// While it isn't frozen, another one is started as soon as somebody has read the list.
        fn processes(&self) -> Vec<i32> {
            let pids = self.children.borrow().iter().map(|child| child.id() as i32).collect();
            if !self.frozen.get() {
                self.fork();
            }
            pids
        }

        /// How many have not died of SIGKILL; then they are gone, too.
        fn survivors(&self) -> usize {
            // It has been sent, and may take its time.
            let died = |child: &mut Child| {
                (0..200).any(|_| {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                    child.try_wait().unwrap().is_some_and(|status| status.signal() == Some(9))
                })
            };
            let mut children = self.children.borrow_mut();
            children.iter_mut().map(died).filter(|died| !died).count()
        }
    }

    impl Drop for Group {
        fn drop(&mut self) {
            for child in self.children.borrow_mut().iter_mut() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }

    #[test]
    fn nobody_forks_away_while_all_are_killed() {
        let group = Group::new();
        kill_all(|frozen| group.freeze(frozen), || Ok(group.processes())).unwrap();
        let all = group.children.borrow().len();
        let alive = group.survivors();
        assert_eq!(all, 3, "ex-03-5: one was forked while we went through the list: freeze the group before");
        assert_eq!(alive, 0, "ex-03-5: all on the list should have died of SIGKILL");
        assert!(!group.frozen.get(), "ex-03-5: the group was left frozen, and a frozen process doesn't die");
    }

    #[test]
    fn a_group_that_does_not_freeze_is_killed_all_the_same() {
        let group = Group::new();
        let freeze = |frozen| match frozen {
            true => Err(Error::new("freeze", "", "some process doesn't stop")),
            false => Ok(()),
        };
        let listed = Cell::new(0);
        let list = || {
            let pids = group.processes();
            listed.set(pids.len());
            Ok(pids)
        };
        kill_all(freeze, list)
            .unwrap_or_else(|error| panic!("ex-03-5: a failed freeze is no reason to stop: {error}"));
        let alive = group.survivors();
        // The one that was started after the list was read isn't on it.
        assert_eq!(
            alive,
            1,
            "ex-03-5: {} were on the list, and {} died",
            listed.get(),
            listed.get() + 1 - alive
        );
    }

    #[test]
    fn whatever_fails_the_group_goes_on() {
        let group = Group::new();
        let list = || Err(Error::new("read", "cgroup.procs", "no such file"));
        let killed = kill_all(|frozen| group.freeze(frozen), list);
        assert!(killed.is_err(), "ex-03-5: that the list can't be read should be told");
        assert!(!group.frozen.get(), "ex-03-5: the group was left frozen when its list couldn't be read");
    }
}
