//! The flags of `run`.

use e2e::case;
use e2e::case::Case;
use e2e::lab::Lab;
use e2e::need::Need;

pub const CASES: &[Case] = &[
    case!(standard_output_and_standard_error_stay_apart).in_both_forms(),
    case!(a_container_in_the_background_is_known_by_its_id),
    case!(rm_removes_the_container_at_its_end),
    case!(the_environment_is_what_was_asked_for),
    case!(the_working_folder_is_what_was_asked_for_and_is_made),
    case!(the_user_is_what_was_asked_for).needs(&[Need::Users]),
    case!(the_entrypoint_replaces_the_images_own),
    case!(the_host_name_is_what_was_asked_for),
    case!(with_init_pid_1_reaps_and_passes_signals_on),
    case!(a_container_without_a_network_has_only_loopback),
    case!(a_container_on_the_hosts_network_sees_the_hosts_interfaces),
    case!(an_image_that_is_here_is_not_pulled),
    case!(arguments_reach_the_program_as_they_are),
    case!(a_container_has_the_devices_of_every_unix),
    case!(a_log_with_bounds_is_rotated_while_somebody_reads_on),
    case!(a_log_option_that_makes_no_sense_is_an_error_and_makes_nothing),
];

fn standard_output_and_standard_error_stay_apart(lab: &Lab) {
    let ran = lab.canoa(&["run", "--rm", "base", "sh", "-c", "echo out; echo err >&2"]).ok();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", "err\n"));
}

fn a_container_in_the_background_is_known_by_its_id(lab: &Lab) {
    let id = lab.canoa(&["run", "-d", "base", "sleep", "1000"]).ok().text().to_owned();
    assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    lab.canoa(&["ps", "-q"]).ok().says(&id[..12]);
    lab.canoa(&["ps", "-q", "--no-trunc"]).ok().says(&id);
    // By any beginning of the id that is only one container's.
    lab.canoa(&["exec", &id[..4], "true"]).ok();
}

fn rm_removes_the_container_at_its_end(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    lab.canoa(&["run", "--rm", "base", "false"]).exits(1);
    lab.canoa(&["run", "--rm", "base", "no-such-command"]).exits(127);
    lab.canoa(&["ps", "-aq"]).ok().says("");
}

fn the_environment_is_what_was_asked_for(lab: &Lab) {
    let ran = lab.canoa(&[
        "run",
        "--rm",
        "-e",
        "ONE=1",
        "-e",
        "EMPTY=",
        "-e",
        "TWO=a b=c",
        "-h",
        "boat",
        "base",
        "env",
    ]);
    let ran = ran.ok();
    for expected in ["ONE=1", "EMPTY=", "TWO=a b=c", "HOSTNAME=boat"] {
        assert!(ran.lines().contains(&expected), "{expected} is missing:\n{ran}");
    }
    assert!(ran.lines().iter().any(|line| line.starts_with("PATH=")), "a path is missing:\n{ran}");
    ran.is_silent_on("CANOA_LAB");
    // A name alone: its value comes from where the command is given.
    lab.canoa(&["run", "--rm", "-e", "LANG", "base", "sh", "-c", "echo $LANG"]).ok().says("C.UTF-8");
}

fn the_working_folder_is_what_was_asked_for_and_is_made(lab: &Lab) {
    lab.canoa(&["run", "--rm", "-w", "/etc", "base", "pwd"]).ok().says("/etc");
    lab.canoa(&["run", "--rm", "-w", "/not/yet/there", "base", "pwd"]).ok().says("/not/yet/there");
    lab.canoa(&["run", "--rm", "base", "pwd"]).ok().says("/");
}

fn the_user_is_what_was_asked_for(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "id", "-u"]).ok().says("0");
    let script = "id -u; id -g";
    lab.canoa(&["run", "--rm", "-u", "1234", "base", "sh", "-c", script]).ok().says("1234\n0");
    lab.canoa(&["run", "--rm", "-u", "1234:567", "base", "sh", "-c", script]).ok().says("1234\n567");
    lab.canoa(&["run", "--rm", "-u", "root", "base", "id", "-u"]).ok().says("0");
    lab.canoa(&["run", "--rm", "-u", "nobody-of-that-name", "base", "id"]).exits(125);
}

fn the_entrypoint_replaces_the_images_own(lab: &Lab) {
    lab.canoa(&["run", "--rm", "--entrypoint", "echo", "base", "said", "this"]).ok().says("said this");
}

fn the_host_name_is_what_was_asked_for(lab: &Lab) {
    lab.canoa(&["run", "--rm", "--hostname", "boat", "base", "hostname"]).ok().says("boat");
    // And it can be looked up.
    lab.canoa(&["run", "--rm", "--hostname", "boat", "base", "cat", "/etc/hostname"]).ok().says("boat");
    lab.canoa(&["run", "--rm", "--hostname", "boat", "base", "cat", "/etc/hosts"]).ok().mentions("boat");
}

fn with_init_pid_1_reaps_and_passes_signals_on(lab: &Lab) {
    // An orphan that ends must not stay a zombie.
    let script = "(sleep 0.1 &) ; sleep 0.5; ps -o pid,stat,comm 2>/dev/null || ps";
    lab.canoa(&["run", "--rm", "--init", "base", "sh", "-c", script])
        .ok()
        .is_silent_on("Z")
        .is_silent_on("defunct");
    lab.canoa(&["run", "--rm", "--init", "base", "cat", "/proc/1/comm"]).ok().says("canoa");
    // `sleep` as PID 1 would not hear SIGTERM at all.
    lab.canoa(&["run", "-d", "--init", "--name", "sleeper", "base", "sleep", "1000"]).ok();
    let before = std::time::Instant::now();
    lab.canoa(&["stop", "sleeper"]).ok();
    assert!(before.elapsed().as_secs() < 8, "stopping took {:?}", before.elapsed());
    lab.canoa(&["wait", "sleeper"]).ok().says("143");
}

fn a_container_without_a_network_has_only_loopback(lab: &Lab) {
    lab.canoa(&["run", "--rm", "--network", "none", "base", "ls", "/sys/class/net"]).ok().says("lo");
}

fn a_container_on_the_hosts_network_sees_the_hosts_interfaces(lab: &Lab) {
    let arguments = ["run", "--rm", "--network", "host", "base", "readlink", "/proc/self/ns/net"];
    let seen = lab.canoa(&arguments).ok();
    if lab.is_root() {
        let host = std::fs::read_link("/proc/self/ns/net").unwrap();
        seen.says(&host.to_string_lossy());
    } else {
        // An ordinary user's host is the engine's own network namespace: the same for all.
        lab.canoa(&arguments).ok().says(seen.text());
        let own = lab.canoa(&["run", "--rm", "base", "readlink", "/proc/self/ns/net"]).ok();
        assert_ne!(own.text(), seen.text());
    }
}

fn an_image_that_is_here_is_not_pulled(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    let ran = lab.canoa(&["run", "--rm", "base", "true"]).ok();
    assert_eq!(ran.stderr, "", "{ran}");
}

fn arguments_reach_the_program_as_they_are(lab: &Lab) {
    let odd = "a  b\t'c' \"d\" $HOME * ñ";
    lab.canoa(&["run", "--rm", "base", "echo", "-n", odd, ""]).ok().says(odd);
    // What follows the image's name are the program's flags, not ours.
    lab.canoa(&["run", "--rm", "base", "echo", "--rm", "-d", "--name"]).ok().says("--rm -d --name");
}

fn a_container_has_the_devices_of_every_unix(lab: &Lab) {
    let script = "for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; done
        echo x > /dev/null && head -c 4 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c
        test -d /dev/shm && test -d /dev/pts && test -e /dev/stdin && echo all";
    lab.canoa(&["run", "--rm", "base", "sh", "-c", script]).ok().says("4\n4\nall");
}

fn a_log_with_bounds_is_rotated_while_somebody_reads_on(lab: &Lab) {
    let bounds = ["--log-opt", "max-size=20k", "--log-opt", "max-file=3"];
    let script = "for n in $(seq 1 40); do seq $((n * 100)) $((n * 100 + 99)); sleep 0.1; done";
    lab.canoa(&[&["run", "-d", "--name", "box"], &bounds[..], &["base", "sh", "-c", script]].concat()).ok();
    // The files hold about 800 lines; who reads on gets all that is said meanwhile.
    let followed = lab.canoa(&["logs", "-f", "box"]).ok();
    let lines: Vec<u32> = followed.lines().iter().map(|line| line.parse().unwrap()).collect();
    assert_eq!(lines, (100..4100).collect::<Vec<u32>>());
    // What is left is its end, within the bounds.
    let left = lab.canoa(&["logs", "box"]).ok();
    let left: Vec<u32> = left.lines().iter().map(|line| line.parse().unwrap()).collect();
    assert!((300..1200).contains(&left.len()), "{}", left.len());
    assert_eq!(left, (4100 - left.len() as u32..4100).collect::<Vec<u32>>());
    assert_eq!(lab.canoa(&["logs", "--tail", "2", "box"]).ok().lines(), ["4098", "4099"]);
}

fn a_log_option_that_makes_no_sense_is_an_error_and_makes_nothing(lab: &Lab) {
    for option in ["max-size=ten", "max-size=0", "max-file=0", "color=red"] {
        let ran = lab.canoa(&["run", "--log-opt", option, "base", "true"]).exits(125);
        ran.complains_about(option.split('=').next().unwrap());
    }
    lab.canoa(&["ps", "-aq"]).ok().says("");
}
