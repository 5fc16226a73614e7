//! What is left of a process's power, as the kernel shows it in /proc/self/status.

use libc::sock_filter;
use namespaces::{Error, Result};
use rootfs::{Privileges, User, capabilities};

use crate::container::inside;

fn docker_s(no_new_privileges: bool) -> Privileges {
    let capabilities = capabilities::by_name(&capabilities::DEFAULT).unwrap();
    // A filter that refuses nothing: one instruction.
    let allow = sock_filter { code: 6, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
    Privileges { capabilities, no_new_privileges, seccomp: Some(vec![allow]) }
}

fn root() -> User {
    User { home: "/".into(), ..User::default() }
}

/// Some lines of the status, with one blank between the words.
fn status(privileges: &Privileges, user: &User, lines: &str) -> String {
    let script = format!("grep -E '^({lines}):' /proc/self/status");
    let text = inside(|| privileges.drop_to(user), &script);
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

#[test]
fn root_keeps_the_capabilities_that_are_allowed_and_can_get_no_others() {
    for no_new_privileges in [false, true] {
        let seen = status(&docker_s(no_new_privileges), &root(), "Cap.*");
        let expected = "CapInh: 0000000000000000\nCapPrm: 00000000a80425fb\nCapEff: 00000000a80425fb\n\
                        CapBnd: 00000000a80425fb\nCapAmb: 0000000000000000\n";
        assert_eq!(
            seen, expected,
            "ex-02-6: root's capabilities. What is still in CapBnd, the bounding set, comes back at the next \
             execve"
        );
    }
}

#[test]
fn another_user_has_its_own_groups_and_no_capabilities() {
    let user = User { uid: 7, gid: 8, groups: vec![9, 10], home: "/".into() };
    let seen = status(&docker_s(false), &user, "Uid|Gid|Groups|CapEff|CapPrm");
    if inside(|| Ok(()), "cat /proc/self/uid_map").split_whitespace().last() == Some("1") {
        // There is one user in this namespace; the error says how to get more.
        assert!(seen.contains("uidmap"), "ex-02-6: {seen}");
        return;
    }
    assert_eq!(
        seen,
        "Uid: 7 7 7 7\nGid: 8 8 8 8\nGroups: 9 10\nCapPrm: 0000000000000000\nCapEff: 0000000000000000\n",
        "ex-02-6: all ids of the user, no capability. Who has become an ordinary user may not set groups any more"
    );
}

#[test]
fn a_filter_is_put_on_and_no_new_privileges_only_where_they_are_wanted() {
    for (no_new_privileges, line) in [(false, "0"), (true, "1")] {
        let seen = status(&docker_s(no_new_privileges), &root(), "NoNewPrivs|Seccomp");
        assert_eq!(seen, format!("NoNewPrivs: {line}\nSeccomp: 2\n"), "ex-02-6: (2: there is a filter)");
    }
}

#[test]
fn what_the_change_of_user_took_back_is_said_again() {
    let look = || -> Result<()> {
        docker_s(false).drop_to(&root())?;
        let (dumpable, signal) = (nix::sys::prctl::get_dumpable(), nix::sys::prctl::get_pdeathsig());
        Err(Error::new("look", "", format!("dumpable: {dumpable:?}, signal: {signal:?}")))
    };
    assert_eq!(
        inside(look, ""),
        "look: dumpable: Ok(false), signal: Ok(Some(SIGKILL))",
        "ex-02-6: hidden from others, and to die with its parent"
    );
}
