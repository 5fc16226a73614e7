//! Id maps, as the kernel shows them in /proc/PID.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use namespaces::{CloneFlags, IdMap, IdMaps};
use nix::unistd::{Pid, getegid, geteuid};

/// A process in a new user namespace, without maps; it ends when this is dropped.
pub struct Unmapped(Child);

impl Unmapped {
    pub fn new() -> Unmapped {
        let mut command = Command::new("sleep");
        // SAFETY: between fork and exec, unshare(2) is one of the calls that may be made.
        unsafe {
            command.pre_exec(|| Ok(nix::sched::unshare(CloneFlags::CLONE_NEWUSER)?));
        }
        Unmapped(command.arg("60").spawn().expect("a process in a user namespace"))
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id() as i32)
    }

    /// What the kernel shows in one of its files, with one blank between the words.
    fn shows(&self, file: &str) -> String {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.pid())).unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Unmapped {
    fn drop(&mut self) {
        self.0.kill().expect("kill");
        self.0.wait().expect("wait");
    }
}

#[test]
fn root_inside_is_the_caller_outside_and_groups_stay_as_they_are() {
    let process = Unmapped::new();
    let written = IdMaps::only_me().write(process.pid());
    let (setgroups, users, groups) =
        (process.shows("setgroups"), process.shows("uid_map"), process.shows("gid_map"));
    let shown = format!("setgroups: {setgroups:?}, uid_map: {users:?}, gid_map: {groups:?}; {written:?}");
    assert!(
        setgroups == "deny" && written.is_ok(),
        "ex-01-2: is \"deny\" written to setgroups, and before gid_map? The kernel shows {shown}"
    );
    assert_eq!(users, format!("0 {} 1", geteuid()), "ex-01-2: root inside is who outside? {shown}");
    assert_eq!(groups, format!("0 {} 1", getegid()), "ex-01-2: group 0 inside is which one outside? {shown}");
}

#[test]
fn a_range_of_ids_is_written_by_newuidmap() {
    let process = Unmapped::new();
    let two = |me| {
        vec![
            IdMap { inside: 0, outside: me, count: 1 },
            IdMap { inside: 1, outside: 4_000_000_000, count: 7 },
        ]
    };
    let maps = IdMaps { users: two(geteuid().as_raw()), groups: two(getegid().as_raw()) };
    // Nobody has been granted those. Whoever writes them without asking is root, and shouldn't.
    let error = maps.write(process.pid()).expect_err("ex-01-2: nobody has granted these ids");
    assert!(
        error.to_string().contains("newuidmap"),
        "ex-01-2: more than one line is for newuidmap to write, since an ordinary user may not: {error}"
    );

    // Who has been granted some gets them; here one group less than users, so that the two differ.
    let mut maps = IdMaps::for_me();
    if let [_, groups] = &mut maps.groups[..] {
        groups.count -= 1;
        let process = Unmapped::new();
        let written = maps.write(process.pid());
        for (file, map) in [("uid_map", &maps.users), ("gid_map", &maps.groups)] {
            let wanted: Vec<_> =
                map.iter().map(|line| format!("{} {} {}", line.inside, line.outside, line.count)).collect();
            assert_eq!(process.shows(file), wanted.join(" "), "ex-01-2: {file}, of two lines. {written:?}");
        }
    }
}
