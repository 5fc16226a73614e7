//! What a container may do, and what it may not.

use e2e::case;
use e2e::case::Case;
use e2e::lab::Lab;
use e2e::need::Need;

pub const CASES: &[Case] = &[
    case!(a_container_has_dockers_default_capabilities),
    case!(another_user_than_root_has_none).needs(&[Need::Users]),
    case!(a_container_can_not_mount_nor_leave),
    case!(a_container_has_namespaces_of_its_own),
    case!(an_exec_has_the_containers_capabilities),
    case!(what_proc_shows_of_the_host_is_masked),
    case!(a_container_sees_only_its_own_processes),
    case!(a_container_makes_no_user_namespace_in_which_it_would_have_all_capabilities),
    case!(an_init_holds_nothing_of_the_host).needs(&[Need::Canoa, Need::Root]),
    case!(a_volume_on_dev_gets_no_devices_of_ours),
    case!(the_engine_s_own_program_can_not_be_written_from_a_container).needs(&[Need::Canoa, Need::Root]),
];

/// CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW,
/// SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP: Docker's fourteen, as bits.
const DEFAULT: &str = "00000000a80425fb";

fn a_container_has_dockers_default_capabilities(lab: &Lab) {
    let status = lab.canoa(&["run", "--rm", "base", "grep", "Cap", "/proc/self/status"]).ok();
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert!(status.lines().contains(&format!("{set}:\t{DEFAULT}").as_str()), "{set}:\n{status}");
    }
}

fn another_user_than_root_has_none(lab: &Lab) {
    let status = lab.canoa(&["run", "--rm", "-u", "1000", "base", "grep", "Cap", "/proc/self/status"]).ok();
    for line in ["CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", &format!("CapBnd:\t{DEFAULT}")] {
        assert!(status.lines().contains(&line), "{line} is missing:\n{status}");
    }
}

fn a_container_can_not_mount_nor_leave(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "mount", "-t", "tmpfs", "none", "/etc"]).exits(1);
    let script = "echo 1 > /proc/sys/net/ipv4/ip_forward";
    let ran = lab.canoa(&["run", "--rm", "base", "sh", "-c", script]);
    assert_ne!(ran.code, 0, "{ran}");
    // The way out of a bare chroot (lesson 2) leads nowhere.
    let script = "mkdir -p /deep; for i in 1 2 3 4 5 6 7 8 9; do cd ..; done; pwd; ls -d proc etc";
    lab.canoa(&["run", "--rm", "base", "sh", "-c", script]).ok().says("/\netc\nproc");
}

fn a_container_has_namespaces_of_its_own(lab: &Lab) {
    let script = "cd /proc/self/ns; for n in mnt pid net ipc uts; do readlink $n; done";
    let ran = lab.canoa(&["run", "--rm", "base", "sh", "-c", script]).ok();
    let own = ["mnt", "pid", "net", "ipc", "uts"].map(|name| {
        std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap().to_string_lossy().into_owned()
    });
    assert_eq!(ran.lines().len(), 5, "{ran}");
    for (inside, outside) in ran.lines().iter().zip(&own) {
        assert_ne!(inside, outside);
    }
}

fn an_exec_has_the_containers_capabilities(lab: &Lab) {
    lab.runs("box", &["sleep", "1000"]);
    let status = lab.canoa(&["exec", "box", "grep", "CapEff", "/proc/self/status"]).ok();
    status.says(&format!("CapEff:\t{DEFAULT}"));
}

fn what_proc_shows_of_the_host_is_masked(lab: &Lab) {
    let script =
        "for f in kcore keys timer_list; do test -e /proc/$f && head -c 1 /proc/$f | wc -c; done; true";
    let ran = lab.canoa(&["run", "--rm", "base", "sh", "-c", script]).ok();
    assert!(ran.lines().iter().all(|line| *line == "0"), "{ran}");
    let write = lab.canoa(&["run", "--rm", "base", "sh", "-c", "echo h > /proc/sysrq-trigger"]);
    assert_ne!(write.code, 0, "{write}");
}

fn a_container_sees_only_its_own_processes(lab: &Lab) {
    lab.runs("other", &["sleep", "1000"]);
    let ran = lab.canoa(&["run", "--rm", "base", "sh", "-c", "ls /proc | grep -c '^[0-9]'"]).ok();
    // The shell, ls, grep.
    assert!(ran.text().parse::<u32>().unwrap() <= 3, "{ran}");
    lab.canoa(&["run", "--rm", "base", "ps"]).ok().is_silent_on("sleep 1000");
}

/// With `--init` PID 1 is our own program, and `/proc/1/exe` inside is its file (CVE-2019-5736). While
/// it runs the kernel refuses to write to it anyhow; what counts is the mount through which it is seen.
fn the_engine_s_own_program_can_not_be_written_from_a_container(lab: &Lab) {
    lab.canoa(&["run", "-d", "--init", "--name", "box", "base", "sleep", "1000"]).ok();
    let seen = nix::sys::statvfs::statvfs(format!("/proc/{}/exe", lab.pid("box")).as_str()).unwrap();
    assert!(seen.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY), "{seen:?}");
}

/// Capabilities don't stop it, and in there the container would have them all: the filter of system
/// calls does. Docker answers the same.
fn a_container_makes_no_user_namespace_in_which_it_would_have_all_capabilities(lab: &Lab) {
    let refused = lab.canoa(&["run", "--rm", "base", "unshare", "-U", "true"]).exits(1);
    refused.complains_about("Operation not permitted");
    lab.runs("box", &["sleep", "1000"]);
    lab.canoa(&["exec", "box", "unshare", "-U", "true"]).exits(1);
    let status = lab.canoa(&["exec", "box", "grep", "Seccomp:", "/proc/self/status"]).ok();
    assert_eq!(status.lines(), ["Seccomp:\t2"], "2 is SECCOMP_MODE_FILTER");
}

/// PID 1 is a copy of the monitor then, which has the log open, and sockets, and control groups.
fn an_init_holds_nothing_of_the_host(lab: &Lab) {
    lab.canoa(&["run", "-d", "--init", "--name", "box", "base", "sleep", "1000"]).ok();
    let pid = lab.pid("box");
    let open = |fd: std::io::Result<std::fs::DirEntry>| std::fs::read_link(fd.unwrap().path()).unwrap();
    let held: Vec<_> = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(open).collect();
    assert_eq!(held, ["/dev/null"; 3].map(std::path::PathBuf::from));
    assert_eq!(std::fs::read(format!("/proc/{pid}/environ")).unwrap(), b"", "the daemon's environment");
    // Nor does it keep a pipe open whose end somebody waits for.
    lab.canoa(&["run", "--rm", "-i", "--init", "base", "cat"]).ok();
}

fn a_volume_on_dev_gets_no_devices_of_ours(lab: &Lab) {
    let folder = lab.folder.join("devices");
    std::fs::create_dir(&folder).unwrap();
    let volume = format!("{}:/dev", folder.display());
    lab.canoa(&["run", "--rm", "-v", &volume, "base", "true"]);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}
