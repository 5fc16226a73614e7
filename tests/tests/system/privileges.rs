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
    case!(capabilities_are_added_and_dropped).in_both_forms(),
    case!(a_profile_of_ones_own_decides_about_system_calls),
    case!(an_exec_takes_on_filter_and_no_new_privileges),
    case!(no_new_privileges_holds_for_setuid_programs).needs(&[Need::Root]),
    case!(a_runtime_of_others_filters_by_our_bundle).needs(&[Need::Canoa, Need::Root, Need::Tool("runc")]),
    case!(security_options_that_do_not_exist_are_refused),
    case!(a_privileged_container_has_all_that_the_engine_could_give),
    case!(a_privileged_exec_has_all_capabilities_in_a_container_that_has_not),
    case!(a_device_of_the_host_is_there_and_can_be_opened).needs(&[Need::Root]),
    case!(a_device_is_seen_by_an_ordinary_user_too).needs(&[Need::OrdinaryUser]),
    case!(a_device_that_was_not_given_can_not_be_opened_even_if_it_is_made).needs(&[Need::Root]),
    case!(devices_that_make_no_sense_are_refused_by_their_names),
    case!(a_user_gets_further_groups).needs(&[Need::Users]),
    case!(parameters_of_the_kernel_are_set_where_they_are_the_containers_own),
    case!(a_users_program_may_open_any_port_of_its_own_network).needs(&[Need::Users]),
    case!(limits_of_a_process_are_set),
    case!(host_name_and_ipc_are_the_hosts_if_it_was_asked_for),
    case!(a_file_system_in_memory_has_the_options_that_were_asked_for),
    case!(the_attack_a_file_handle_leads_out_with_one_capability_more).needs(&[Need::Root]),
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

/// One line of a running container's /proc/PID/status, seen from outside.
fn status(pid: i32, key: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {key}:\n{status}")).trim().to_owned()
}

/// Those that the engine can give: what it was left itself; or all, in a user namespace of its own.
fn all_capabilities(lab: &Lab) -> u64 {
    if lab.is_root() {
        return u64::from_str_radix(&status(1, "CapBnd"), 16).unwrap();
    }
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap();
    u64::MAX >> (63 - last.trim().parse::<u32>().unwrap())
}

/// Starts a container with these flags, and reads its first process's status.
fn status_with(lab: &Lab, flags: &[&str], keys: &[&str]) -> Vec<String> {
    lab.canoa(&[&["run", "-d", "--name", "box"], flags, &["base", "sleep", "1000"]].concat()).ok();
    let pid = lab.pid("box");
    let found = keys.iter().map(|key| status(pid, key)).collect();
    lab.canoa(&["rm", "-f", "box"]).ok();
    found
}

fn capabilities_are_added_and_dropped(lab: &Lab) {
    let bits = |bits: &[u32]| format!("{:016x}", bits.iter().fold(0_u64, |mask, bit| mask | 1 << bit));
    let default = u64::from_str_radix(DEFAULT, 16).unwrap();
    let (chown, kill, net_admin, sys_time) = (0, 5, 12, 25);
    for (flags, expected) in [
        (&["--cap-drop", "ALL"][..], bits(&[])),
        (&["--cap-drop", "all", "--cap-add", "cap_net_admin"], bits(&[net_admin])),
        (&["--cap-drop", "ALL", "--cap-add", "Chown", "--cap-add", "CAP_KILL"], bits(&[chown, kill])),
        (&["--cap-add", "SYS_TIME"], format!("{:016x}", default | 1 << sys_time)),
        (&["--cap-drop", "chown"], format!("{:016x}", default & !(1 << chown))),
    ] {
        let seen = status_with(lab, flags, &["CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb"]);
        let none = bits(&[]);
        assert_eq!(seen, [&expected, &expected, &expected, &none, &none].map(String::as_str), "{flags:?}");
    }
    let all = status_with(lab, &["--cap-add", "ALL", "--cap-drop", "KILL"], &["CapBnd"]);
    assert_eq!(all, [format!("{:016x}", all_capabilities(lab) & !(1 << kill))]);
    let refused = lab.canoa(&["create", "--cap-add", "PRAY", "base"]);
    assert_ne!(refused.code, 0);
    refused.complains_about("CAP_PRAY");
}

const PROFILE: &str = r#"{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28 },
    { "names": ["rmdir"], "action": "SCMP_ACT_ERRNO", "excludes": { "caps": ["CAP_SYS_TIME"] } } ] }"#;

fn profile(lab: &Lab) -> String {
    let path = lab.folder.join("profile.json");
    std::fs::write(&path, PROFILE).unwrap();
    format!("seccomp={}", path.display())
}

fn a_profile_of_ones_own_decides_about_system_calls(lab: &Lab) {
    let option = profile(lab);
    let run = |flags: &[&str], script: &str| {
        let words = [&["run", "--rm", "--security-opt", &option], flags, &["base", "sh", "-c", script]];
        lab.canoa(&words.concat())
    };
    // 28 is ENOSPC: nobody else would say that.
    run(&[], "mkdir /new").exits(1).complains_about("No space left on device");
    run(&[], "rmdir /tmp").exits(1).complains_about("Operation not permitted");
    run(&["--cap-add", "SYS_TIME"], "rmdir /tmp || unlink /tmp 2>/dev/null; test ! -e /tmp").ok();
    // Nor does it forbid what it doesn't name: the usual filter is not there.
    run(&[], "unshare -U true").ok();
    // A slip of the pen would be a hole.
    let path = lab.folder.join("wrong.json");
    std::fs::write(&path, PROFILE.replace("rmdir", "rmdirr")).unwrap();
    let wrong = format!("seccomp={}", path.display());
    let refused = lab.canoa(&["create", "--security-opt", &wrong, "base"]);
    assert_ne!(refused.code, 0, "{refused}");
    refused.complains_about("rmdirr");
    lab.canoa(&["ps", "-aq"]).ok().says("");
}

fn an_exec_takes_on_filter_and_no_new_privileges(lab: &Lab) {
    let option = profile(lab);
    let words =
        ["run", "-d", "--name", "box", "--security-opt", &option, "--security-opt", "no-new-privileges"];
    lab.canoa(&[&words[..], &["--cap-drop", "KILL", "base", "sleep", "1000"]].concat()).ok();
    let keys = ["Seccomp", "NoNewPrivs", "CapBnd", "CapEff", "CapPrm"];
    let first: Vec<String> = keys.iter().map(|key| status(lab.pid("box"), key)).collect();
    assert_eq!(first[..2], ["2", "1"]);
    let said = lab.canoa(&["exec", "box", "cat", "/proc/self/status"]).ok();
    for (key, value) in keys.iter().zip(&first) {
        assert!(said.lines().contains(&format!("{key}:\t{value}").as_str()), "{key}: {value}\n{said}");
    }
    lab.canoa(&["exec", "box", "mkdir", "/new"]).exits(1).complains_about("No space left on device");
}

/// A program of this code: an ELF file of one segment (elf(5)).
fn program(lab: &Lab, name: &str, code: &[u8]) -> String {
    use std::os::unix::fs::PermissionsExt;
    let machine: u16 = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
    let size = 120 + code.len() as u64;
    let place = 0x40_0000_u64;
    let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
    file.extend(machine.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    // Where it begins, where the table of segments is; no table of sections.
    file.extend(words(&[place + 120, 64, 0]));
    file.extend(b"\0\0\0\0\x40\0\x38\0\x01\0\0\0\0\0\0\0");
    // To be loaded: all of the file, to be read and executed.
    file.extend(b"\x01\0\0\0\x05\0\0\0");
    file.extend(words(&[0, place, place, size, size, 4096]));
    file.extend(code);
    let path = lab.folder.join(name);
    std::fs::write(&path, file).unwrap();
    // With the set-uid bit.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o4755)).unwrap();
    format!("{}:/{name}", path.display())
}

/// Ends with its effective user as exit code.
fn whoami() -> &'static [u8] {
    match cfg!(target_arch = "x86_64") {
        // mov eax, 107 (geteuid); syscall; mov edi, eax; mov eax, 60 (exit); syscall
        true => b"\xb8\x6b\0\0\0\x0f\x05\x89\xc7\xb8\x3c\0\0\0\x0f\x05",
        // mov x8, 175; svc 0; mov x8, 93; svc 0
        false => b"\xe8\x15\x80\xd2\x01\0\0\xd4\xa8\x0b\x80\xd2\x01\0\0\xd4",
    }
}

/// A set-uid program takes effect, or it doesn't.
fn no_new_privileges_holds_for_setuid_programs(lab: &Lab) {
    let volume = program(lab, "whoami", whoami());
    let run = |flags: &[&str]| {
        lab.canoa(&[&["run", "--rm", "-u", "77", "-v", &volume], flags, &["base", "/whoami"]].concat())
    };
    run(&[]).exits(0);
    run(&["--security-opt", "no-new-privileges:false"]).exits(0);
    run(&["--security-opt", "no-new-privileges"]).exits(77);
}

fn security_options_that_do_not_exist_are_refused(lab: &Lab) {
    for (option, words) in [
        ("magic=1", "invalid --security-opt 2: \"magic=1\""),
        ("no-new-privileges=maybe", "invalid --security-opt 2: \"no-new-privileges=maybe\""),
        ("nothing", "--security-opt: \"nothing\""),
        ("seccomp=/not/there.json", "opening seccomp profile (/not/there.json) failed"),
    ] {
        lab.canoa(&["run", "--rm", "--security-opt", option, "base"]).exits(125).complains_about(words);
    }
    for option in ["apparmor=unconfined", "label=disable", "no-new-privileges:false"] {
        lab.canoa(&["run", "--rm", "--security-opt", option, "base", "true"]).ok();
    }
}

/// The low-level half of our bundle is the OCI runtime specification's: with a root, runc runs it, and
/// its process is filtered as ours is.
fn a_runtime_of_others_filters_by_our_bundle(lab: &Lab) {
    let id = lab.canoa(&["run", "-d", "--network", "none", "--name", "box", "base", "sleep", "1000"]).ok();
    let ours = lab.data_root().join("containers").join(id.text());
    let bundle = lab.folder.join("bundle");
    std::fs::create_dir_all(bundle.join("rootfs")).unwrap();
    let mut config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(ours.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["linux"]["seccomp"]["defaultAction"], "SCMP_ACT_ERRNO");
    // Control groups are another story: the lab's are not where runc would look for them.
    config["linux"]["cgroupsPath"] = serde_json::Value::Null;
    config["linux"]["resources"] = serde_json::json!({});
    let script = "grep -E '^(Seccomp|CapEff|NoNewPrivs):' /proc/self/status; unshare -U true";
    config["process"]["args"] = serde_json::json!(["sh", "-c", script]);
    std::fs::write(bundle.join("config.json"), config.to_string()).unwrap();
    let tar = lab.folder.join("root.tar");
    let output =
        lab.command(&["export", "box"]).stdout(std::fs::File::create(&tar).unwrap()).status().unwrap();
    assert!(output.success());
    lab.host(&["tar", "-xf", &tar.to_string_lossy(), "-C", &bundle.join("rootfs").to_string_lossy()]).ok();
    let mut runc = lab.program("runc");
    runc.args(["--root", "/run/runc", "run", "--bundle"]).arg(&bundle).arg("borrowed");
    let ran = lab.finish(&mut runc);
    let ran = ran.mentions("Seccomp:\t2").mentions(&format!("CapEff:\t{DEFAULT}"));
    ran.mentions("NoNewPrivs:\t0").complains_about("Operation not permitted");
}

fn a_privileged_container_has_all_that_the_engine_could_give(lab: &Lab) {
    lab.canoa(&["run", "-d", "--privileged", "--name", "box", "base", "sleep", "1000"]).ok();
    let pid = lab.pid("box");
    let ours = format!("{:016x}", all_capabilities(lab));
    let seen = ["CapBnd", "CapEff", "Seccomp", "NoNewPrivs"].map(|key| status(pid, key));
    assert_eq!(seen, [&ours, &ours, "0", "0"]);
    // Nothing is covered or read-only.
    let mounts = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
    let over = |place: &str| mounts.lines().filter(|line| line.split(' ').nth(4) == Some(place)).count();
    for place in rootfs_paths() {
        assert_eq!(over(place), 0, "{place} is covered:\n{mounts}");
    }
    let sys = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/sys")).unwrap();
    assert!(sys.split(' ').nth(5).unwrap().starts_with("rw,"), "{sys}");
    lab.canoa(&["exec", "box", "mount", "-t", "tmpfs", "none", "/tmp"]).ok();
    let host = std::fs::read_dir("/dev").unwrap().flatten().filter(|entry| {
        use std::os::unix::fs::FileTypeExt;
        let kind = entry.file_type().unwrap();
        kind.is_char_device() || kind.is_block_device()
    });
    // An ordinary user's kernel makes no devices.
    if lab.is_root() {
        for entry in host.filter(|entry| entry.file_name() != "console") {
            let name = entry.file_name();
            let found = std::fs::symlink_metadata(format!("/proc/{pid}/root/dev/{}", name.to_string_lossy()));
            assert!(found.is_ok(), "{name:?} is missing");
        }
        lab.canoa(&["exec", "box", "sh", "-c", "mknod /loop b 7 0 && head -c 0 /loop"]).ok();
    }
    let flag = lab.inspect("box")["HostConfig"]["Privileged"].clone();
    assert_eq!(flag, true);
}

fn rootfs_paths() -> [&'static str; 6] {
    ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/sys", "/proc/sysrq-trigger"]
}

fn a_privileged_exec_has_all_capabilities_in_a_container_that_has_not(lab: &Lab) {
    lab.runs("box", &["sleep", "1000"]);
    let said =
        lab.canoa(&["exec", "--privileged", "box", "grep", "-E", "CapEff|Seccomp:", "/proc/self/status"]);
    // As with Docker the filter stays: it is the container's.
    said.ok().says(&format!("CapEff:\t{:016x}\nSeccomp:\t2", all_capabilities(lab)));
    lab.canoa(&["exec", "box", "grep", "CapEff", "/proc/self/status"])
        .ok()
        .says(&format!("CapEff:\t{DEFAULT}"));
}

fn a_device_of_the_host_is_there_and_can_be_opened(lab: &Lab) {
    // /dev/kmsg, 1:11, is in no container by itself. To read it asks for a capability, too.
    let run = |flags: &[&str], script: &str| {
        lab.canoa(&[&["run", "--rm", "--cap-add", "SYSLOG"], flags, &["base", "sh", "-c", script]].concat())
    };
    run(&[], "test -e /dev/kmsg").exits(1);
    let look = "stat -c '%F %t:%T' /dev/inside/log && head -c 0 /dev/inside/log";
    run(&["--device", "/dev/kmsg:/dev/inside/log:r"], look).ok().says("character special file 1:b");
    run(&["--device", "/dev/kmsg"], "stat -c %t:%T /dev/kmsg").ok().says("1:b");
}

fn a_device_is_seen_by_an_ordinary_user_too(lab: &Lab) {
    let script = "head -c 2 /dev/mine | od -An -tx1";
    lab.canoa(&["run", "--rm", "--device", "/dev/zero:/dev/mine", "base", "sh", "-c", script])
        .ok()
        .says("00 00");
}

fn a_device_that_was_not_given_can_not_be_opened_even_if_it_is_made(lab: &Lab) {
    let script = "mknod /log c 1 11 && head -c 0 /log";
    let run = |flags: &[&str]| {
        lab.canoa(&[&["run", "--rm", "--cap-add", "SYSLOG"], flags, &["base", "sh", "-c", script]].concat())
    };
    run(&[]).exits(1).complains_about("Operation not permitted");
    run(&["--device-cgroup-rule", "c 1:11 w"]).exits(1);
    run(&["--device-cgroup-rule", "c 1:* r"]).ok();
    // To read was given, to write was not.
    let script = "echo 1 > /dev/kmsg";
    let ran = lab.canoa(&["run", "--rm", "--device", "/dev/kmsg:r", "base", "sh", "-c", script]);
    ran.exits(1).complains_about("Operation not permitted");
}

fn devices_that_make_no_sense_are_refused_by_their_names(lab: &Lab) {
    // Docker's command takes the words for a missing program's.
    let ran = lab.canoa(&["run", "--rm", "--device", "/dev/not-there", "base"]).exits(127);
    ran.complains_about("adding custom device \"/dev/not-there\": no such file or directory");
    for (flags, words) in [
        (["--device", "/etc/passwd"], "not a device node"),
        (["--device", "dev/null"], "dev/null is not an absolute path"),
        (["--device", "/dev/null:/x:rwx"], "bad mode specified: rwx"),
        (["--device-cgroup-rule", "c 1 r"], "c 1 r"),
    ] {
        let ran = lab.canoa(&[&["run", "--rm"], &flags[..], &["base"]].concat());
        ran.exits(125).complains_about(words);
    }
    lab.canoa(&["ps", "-aq"]).ok().says("");
}

fn a_user_gets_further_groups(lab: &Lab) {
    let words = ["run", "-d", "--name", "box", "-u", "1000:1000", "--group-add", "7", "--group-add", "root"];
    lab.canoa(&[&words[..], &["base", "sleep", "1000"]].concat()).ok();
    lab.canoa(&["exec", "box", "id", "-G"]).ok().says("1000 0 7");
    if lab.is_root() {
        assert_eq!(status(lab.pid("box"), "Groups"), "0 7");
    }
    let ran = lab.canoa(&["run", "--rm", "--group-add", "no-such-group", "base", "true"]);
    ran.exits(125).complains_about("no-such-group");
}

fn parameters_of_the_kernel_are_set_where_they_are_the_containers_own(lab: &Lab) {
    let host = std::fs::read_to_string("/proc/sys/kernel/msgmax").unwrap();
    let flags = ["run", "--rm", "--sysctl", "kernel.msgmax=12345", "--sysctl", "net/ipv4/ip_default_ttl=77"];
    let script = "cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_default_ttl";
    lab.canoa(&[&flags[..], &["base", "sh", "-c", script]].concat()).ok().says("12345\n77");
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/msgmax").unwrap(), host);
    for (sysctl, words) in [
        ("kernel.panic=1", "sysctl \"kernel.panic\" is not in a separate kernel namespace"),
        ("net/../kernel/panic=1", "is not in a separate kernel namespace"),
        ("net.ipv4.no_such=1", "net.ipv4.no_such"),
        ("kernel.msgmax=many", "kernel.msgmax"),
    ] {
        lab.canoa(&["run", "--rm", "--sysctl", sysctl, "base"]).exits(125).complains_about(words);
    }
    let ran = lab.canoa(&["run", "--rm", "--network", "host", "--sysctl", "net.ipv4.ip_forward=1", "base"]);
    ran.exits(125).complains_about("not allowed in host network namespace");
}

fn a_users_program_may_open_any_port_of_its_own_network(lab: &Lab) {
    let script = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start";
    lab.canoa(&["run", "--rm", "base", "sh", "-c", script]).ok().says("0");
    let flags = ["run", "--rm", "--sysctl", "net.ipv4.ip_unprivileged_port_start=1024"];
    lab.canoa(&[&flags[..], &["base", "sh", "-c", script]].concat()).ok().says("1024");
}

fn limits_of_a_process_are_set(lab: &Lab) {
    let flags = ["--ulimit", "nofile=123:456", "--ulimit", "core=0"];
    lab.canoa(&[&["run", "-d", "--name", "box"], &flags[..], &["base", "sleep", "1000"]].concat()).ok();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", lab.pid("box"))).unwrap();
    let line = |name: &str| limits.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace();
    assert_eq!(line("Max open files").skip(3).take(2).collect::<Vec<_>>(), ["123", "456"]);
    assert_eq!(line("Max core file size").skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    lab.canoa(&["exec", "box", "sh", "-c", "ulimit -n"]).ok().says("123");
    for (limit, words) in
        [("nofiles=1", "invalid ulimit type: nofiles"), ("nofile=2:1", "2 > 1"), ("nofile=x", "nofile=x")]
    {
        lab.canoa(&["run", "--rm", "--ulimit", limit, "base"]).exits(125).complains_about(words);
    }
}

fn a_file_system_in_memory_has_the_options_that_were_asked_for(lab: &Lab) {
    let words = ["run", "-d", "--name", "box", "--read-only", "--tmpfs", "/run/mine:size=1m,mode=1700,exec"];
    lab.canoa(&[&words[..], &["--tmpfs", "/tmp", "--shm-size", "2m", "base", "sleep", "1000"]].concat()).ok();
    let mounts = lab.canoa(&["exec", "box", "cat", "/proc/mounts"]).ok().stdout;
    let line = |place: &str| {
        let line = mounts.lines().find(|line| line.split(' ').nth(1) == Some(place));
        line.unwrap_or_else(|| panic!("no {place}:\n{mounts}"))
    };
    for word in ["tmpfs", "nosuid", "nodev", "size=1024k", "mode=1700"] {
        assert!(line("/run/mine").contains(word), "{word}: {}", line("/run/mine"));
    }
    assert!(!line("/run/mine").contains("noexec") && line("/tmp").contains("noexec"), "{mounts}");
    assert!(line("/dev/shm").contains("size=2048k"), "{}", line("/dev/shm"));
    assert!(line("/").contains(" ro,"), "{}", line("/"));
    lab.canoa(&["exec", "box", "touch", "/etc/x"]).exits(1).complains_about("Read-only file system");
    lab.canoa(&["exec", "box", "touch", "/tmp/x", "/run/mine/x"]).ok();
    let ran = lab.canoa(&["run", "--rm", "--tmpfs", "/x:magic", "base"]);
    ran.exits(125).complains_about("magic");
}

/// Prints what the file of this handle says, on the file system of the folder /data; or ends with the
/// errno.
#[cfg(target_arch = "x86_64")]
fn opens_by_handle(handle: &[u8]) -> Vec<u8> {
    // open("/data"), open_by_handle_at(…, handle), read, write, exit(0) …
    let mut code = b"\x48\x8d\x3d\0\0\0\0\x31\xf6\xb8\x02\0\0\0\x0f\x05\x89\xc7\
        \x48\x8d\x35\0\0\0\0\x31\xd2\xb8\x30\x01\0\0\x0f\x05\x85\xc0\x78\x27\
        \x89\xc7\x48\x8d\x74\x24\x80\xba\x40\0\0\0\x31\xc0\x0f\x05\
        \x89\xc2\x48\x8d\x74\x24\x80\xbf\x01\0\0\0\xb8\x01\0\0\0\x0f\x05\x31\xff\xeb\x04\
        \xf7\xd8\x89\xc7\xb8\x3c\0\0\0\x0f\x05"
        .to_vec();
    // … and its two pointers, counted from the instruction after each.
    let path = code.len() as u32;
    code[3..7].copy_from_slice(&(path - 7).to_le_bytes());
    code[21..25].copy_from_slice(&(path + 6 - 25).to_le_bytes());
    [&code[..], b"/data\0", handle].concat()
}

/// A file's name for the kernel itself: `struct file_handle` of name_to_handle_at(2).
#[cfg(target_arch = "x86_64")]
fn handle(path: &std::path::Path) -> Vec<u8> {
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    let mut handle = vec![0_u8; 8 + 128];
    handle[0] = 128;
    let mut mount = 0_i32;
    // SAFETY: a path with its null byte, a buffer of the size that its first field says, and a number
    // to write to; all live longer than the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            path.as_ptr(),
            handle.as_mut_ptr(),
            &raw mut mount,
            0,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    handle
}

/// Shocker, of 2014: who may open by handle needs no path, so no root holds him. Docker had left
/// containers the capability.
#[cfg(target_arch = "x86_64")]
fn the_attack_a_file_handle_leads_out_with_one_capability_more(lab: &Lab) {
    let secret = lab.folder.join("secret");
    let said = format!("only for the host: {}", std::process::id());
    std::fs::write(&secret, &said).unwrap();
    let folder = lab.folder.join("harmless");
    std::fs::create_dir(&folder).unwrap();
    let attack = program(lab, "attack", &opens_by_handle(&handle(&secret)));
    let data = format!("{}:/data:ro", folder.display());
    let run = |flags: &[&str]| {
        lab.canoa(&[&["run", "--rm", "-v", &attack, "-v", &data], flags, &["base", "/attack"]].concat())
    };
    run(&["--cap-add", "DAC_READ_SEARCH"]).ok().says(&said);
    // The filter doesn't let the call be made, and the kernel would not do it either.
    run(&[]).exits(1).says("");
    run(&["--security-opt", "seccomp=unconfined"]).exits(1).says("");
    run(&["--privileged"]).ok().says(&said);
}

#[cfg(not(target_arch = "x86_64"))]
fn the_attack_a_file_handle_leads_out_with_one_capability_more(_: &Lab) {
    panic!("the attacking program is written for x86-64 only");
}

fn host_name_and_ipc_are_the_hosts_if_it_was_asked_for(lab: &Lab) {
    lab.canoa(&["run", "-d", "--name", "box", "--uts", "host", "--ipc", "host", "base", "sleep", "1000"])
        .ok();
    lab.canoa(&["run", "-d", "--name", "own", "--ipc", "none", "base", "sleep", "1000"]).ok();
    for (kind, shared) in [("uts", true), ("ipc", true), ("pid", false), ("mnt", false)] {
        let of = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        let (ours, own) = (of("self"), of(&lab.pid("own").to_string()));
        assert_eq!(of(&lab.pid("box").to_string()) == ours, shared, "{kind}");
        assert_ne!(own, ours, "{kind}");
    }
    let name = nix::unistd::gethostname().unwrap();
    lab.canoa(&["exec", "box", "hostname"]).ok().says(&name.to_string_lossy());
    // What the host puts into shared memory is there, and nothing is mounted with `none`.
    let file = format!("/dev/shm/{}", lab.name);
    std::fs::write(&file, "from the host").unwrap();
    let seen = lab.canoa(&["exec", "box", "cat", &file]);
    std::fs::remove_file(&file).unwrap();
    seen.ok().says("from the host");
    lab.canoa(&["exec", "own", "grep", "/dev/shm", "/proc/mounts"]).exits(1);
    for (flags, words) in [
        (["--uts", "mine"], "invalid UTS mode: mine"),
        (["--ipc", "mine"], "invalid IPC mode: mine"),
        (["--uts=host", "--hostname=x"], "conflicting options: hostname and the UTS mode"),
    ] {
        lab.canoa(&[&["run", "--rm"], &flags[..], &["base", "true"]].concat())
            .exits(125)
            .complains_about(words);
    }
}
