//! What is mounted into a container: `--mount` with its options, and `--volumes-from`.

use std::fs;

use e2e::case;
use e2e::case::Case;
use e2e::lab::Lab;
use e2e::need::Need;
use serde_json::Value;

pub const CASES: &[Case] = &[
    case!(a_mount_is_a_folder_a_volume_or_memory),
    case!(a_volume_is_filled_from_the_image_unless_it_was_asked_not_to),
    case!(a_container_has_the_volumes_of_another),
    case!(what_is_mounted_on_the_host_later_appears_inside_only_if_it_was_asked_for).needs(&[Need::Root]),
    case!(what_lies_below_a_folder_comes_along_unless_it_was_asked_not_to).needs(&[Need::Root]),
    case!(mounts_that_make_no_sense_are_refused_and_leave_no_volume),
    case!(docker_mounts_all_of_this).needs(&[Need::Tool("docker")]),
];

/// The line of a mount point in what the kernel shows of a container.
fn line(lab: &Lab, name: &str, place: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/mountinfo", lab.pid(name))).unwrap();
    let found = text.lines().find(|line| line.split(' ').nth(4) == Some(place));
    found.unwrap_or_else(|| panic!("nothing is mounted on {place}:\n{text}")).to_owned()
}

fn point(lab: &Lab, name: &str, place: &str) -> Value {
    let all = lab.inspect(name)["Mounts"].as_array().unwrap().clone();
    all.into_iter().find(|point| point["Destination"] == place).unwrap_or_default()
}

fn a_mount_is_a_folder_a_volume_or_memory(lab: &Lab) {
    let folder = lab.folder.join("tmp/shared");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("note"), "from the host").unwrap();
    let bind = format!("type=bind,source={},target=/bind,readonly", folder.display());
    let run = ["run", "-d", "--name", "box", "--mount", &bind, "--mount", "source=data,target=/volume"];
    let memory = "type=tmpfs,target=/memory,tmpfs-size=1m,tmpfs-mode=1770";
    lab.canoa(&[&run[..], &["--mount", memory, "base", "sleep", "1000"]].concat()).ok();
    lab.canoa(&["exec", "box", "cat", "/bind/note"]).ok().says("from the host");
    lab.canoa(&["exec", "box", "touch", "/bind/x"]).exits(1).complains_about("Read-only");
    lab.canoa(&["exec", "box", "touch", "/volume/x"]).ok();
    let in_memory = line(lab, "box", "/memory");
    assert!(in_memory.contains("tmpfs") && in_memory.contains("size=1024k"), "{in_memory}");
    assert!(in_memory.contains("mode=1770") && in_memory.contains("noexec"), "{in_memory}");
    assert!(line(lab, "box", "/bind").contains(" ro,"));
    let bound = point(lab, "box", "/bind");
    assert_eq!((&bound["Type"], &bound["RW"]), (&"bind".into(), &false.into()));
    assert_eq!(bound["Propagation"], "rprivate");
    assert_eq!(point(lab, "box", "/volume")["Name"], "data");
    assert_eq!(lab.inspect("box")["HostConfig"]["Mounts"].as_array().unwrap().len(), 3);
}

fn a_volume_is_filled_from_the_image_unless_it_was_asked_not_to(lab: &Lab) {
    let count = |words: &[&str]| {
        let script = ["base", "sh", "-c", "ls /etc | grep -c passwd"];
        lab.canoa(&[&["run", "--rm"], words, &script].concat()).stdout.trim().to_owned()
    };
    assert_eq!(count(&["--mount", "source=filled,target=/etc"]), "1");
    assert_eq!(count(&["--mount", "source=empty,target=/etc,volume-nocopy"]), "0");
    assert_eq!(count(&["-v", "empty2:/etc:nocopy"]), "0");
    let labelled = ["create", "--mount", "source=labelled,target=/x,volume-label=a=b", "base"];
    lab.canoa(&labelled).ok();
    let volume = lab.canoa(&["volume", "inspect", "labelled"]).ok();
    volume.mentions("\"a\": \"b\"");
}

fn a_container_has_the_volumes_of_another(lab: &Lab) {
    let folder = lab.folder.join("tmp/shared");
    fs::create_dir_all(&folder).unwrap();
    let bind = format!("{}:/bind", folder.display());
    let first = ["run", "-d", "--name", "first", "-v", "named:/named", "-v", "/own", "-v", &bind];
    lab.canoa(&[&first[..], &["base", "sleep", "1000"]].concat()).ok();
    lab.canoa(&["exec", "first", "sh", "-c", "echo 1 > /named/a; echo 2 > /own/a; echo 3 > /bind/a"]).ok();
    let read = "cat /named/a /own/a /bind/a";
    lab.canoa(&["run", "--rm", "--volumes-from", "first", "base", "sh", "-c", read]).ok().says("1\n2\n3");
    lab.canoa(&["run", "--rm", "--volumes-from", "first:ro", "base", "touch", "/own/b"])
        .exits(1)
        .complains_about("Read-only");
    // What is said for the container itself goes before.
    let words = ["--volumes-from", "first", "-v", "other:/named"];
    let ran = lab.canoa(&[&["run", "--rm"], &words[..], &["base", "ls", "/named"]].concat()).ok();
    ran.says("");
    // The volume without a name is still the first one's, also after `--rm`.
    lab.canoa(&["exec", "first", "cat", "/own/a"]).ok().says("2");
    let own = point(lab, "first", "/own")["Name"].as_str().unwrap().to_owned();
    lab.canoa(&["create", "--name", "second", "--volumes-from", "first", "base"]).ok();
    assert_eq!(point(lab, "second", "/own")["Name"], own.as_str());
    lab.canoa(&["rm", "-f", "-v", "first"]).ok();
    lab.canoa(&["volume", "inspect", &own]).ok();
    lab.canoa(&["create", "--name", "third", "--volumes-from", "nobody", "base"])
        .exits(1)
        .complains_in_one_line_about("No such container: nobody");
    lab.canoa(&["create", "--volumes-from", "second:rx", "base"]).exits(1).complains_about("invalid mode");
}

/// A folder that is a mount of its own, which tells others of what is mounted below it.
fn shared_mount(lab: &Lab) -> std::path::PathBuf {
    let folder = lab.folder.join("tmp/tells");
    fs::create_dir_all(&folder).unwrap();
    let place = folder.display().to_string();
    lab.host(&["mount", "-t", "tmpfs", "none", &place]).ok();
    lab.host(&["mount", "--make-shared", &place]).ok();
    fs::create_dir_all(folder.join("sub")).unwrap();
    folder
}

fn what_is_mounted_on_the_host_later_appears_inside_only_if_it_was_asked_for(lab: &Lab) {
    // Before the engine starts, which must see it as we do.
    let folder = shared_mount(lab);
    let place = folder.display().to_string();
    lab.canoa(&["run", "-d", "--name", "private", "-v", &format!("{place}:/in"), "base", "sleep", "1000"])
        .ok();
    let slave = format!("type=bind,source={place},target=/in,bind-propagation=rslave");
    lab.canoa(&["run", "-d", "--name", "slave", "--mount", &slave, "base", "sleep", "1000"]).ok();
    let short = ["run", "-d", "--name", "short", "-v", &format!("{place}:/in:rslave")];
    lab.canoa(&[&short[..], &["base", "sleep", "1000"]].concat()).ok();
    lab.host(&["mount", "-t", "tmpfs", "none", &format!("{place}/sub")]).ok();
    fs::write(folder.join("sub/later"), "").unwrap();
    lab.canoa(&["exec", "slave", "ls", "/in/sub"]).ok().says("later");
    lab.canoa(&["exec", "short", "ls", "/in/sub"]).ok().says("later");
    lab.canoa(&["exec", "private", "ls", "/in/sub"]).ok().says("");
    assert!(line(lab, "slave", "/in").contains(" master:"), "{}", line(lab, "slave", "/in"));
    assert!(!line(lab, "private", "/in").contains(" master:"), "{}", line(lab, "private", "/in"));
    assert_eq!(point(lab, "slave", "/in")["Propagation"], "rslave");
    // From where nothing is told nobody can hear.
    lab.host(&["mount", "--make-private", &place]).ok();
    let refused = lab.canoa(&["create", "--mount", &slave, "base"]).exits(1);
    refused.complains_in_one_line_about("but it is not a shared or slave mount");
    lab.canoa(&["create", "-v", &format!("{place}:/in:rshared"), "base"]).exits(1);
    for _ in ["sub", ""] {
        lab.host(&["umount", "-R", "-l", &place]);
    }
}

fn what_lies_below_a_folder_comes_along_unless_it_was_asked_not_to(lab: &Lab) {
    let folder = lab.folder.join("tmp/above");
    fs::create_dir_all(folder.join("sub")).unwrap();
    let place = folder.display().to_string();
    lab.host(&["mount", "-t", "tmpfs", "none", &format!("{place}/sub")]).ok();
    fs::write(folder.join("sub/inner"), "").unwrap();
    let ls = |more: &str| {
        let mount = format!("type=bind,source={place},target=/in{more}");
        lab.canoa(&["run", "--rm", "--mount", &mount, "base", "ls", "/in/sub"]).ok().text().to_owned()
    };
    assert_eq!((ls("").as_str(), ls(",bind-recursive=disabled").as_str()), ("inner", ""));
    // Read-only is all of it.
    let mount = format!("type=bind,source={place},target=/in,readonly");
    lab.canoa(&["run", "--rm", "--mount", &mount, "base", "touch", "/in/sub/x"]).exits(1);
    lab.host(&["umount", &format!("{place}/sub")]).ok();
}

fn mounts_that_make_no_sense_are_refused_and_leave_no_volume(lab: &Lab) {
    for (words, complaint) in [
        (&["--mount", "type=bind,source=/etc"][..], "target is required"),
        (&["--mount", "type=floppy,target=/x"], "invalid value for type: floppy"),
        (&["--mount", "type=bind,source=/etc,target=/x,volume-nocopy"], "cannot mix 'volume-*' options"),
        (&["--mount", "type=bind,source=/no/such/folder,target=/x"], "bind source path does not exist"),
        (&["--mount", "type=tmpfs,source=/etc,target=/x"], "field Source must not be specified"),
        (&["--mount", "type=volume,target=x"], "mount path must be absolute"),
        (&["--mount", "type=volume,target=/"], "destination can't be '/'"),
        (&["--mount", "target=/x", "--mount", "target=/x"], "Duplicate mount point: /x"),
        (&["--mount", "target=/x", "--mount", "type=tmpfs,target=/x"], "Duplicate mount point: /x"),
        (&["--mount", "target=/x,volume-driver=cloud"], "canoa can't do that yet"),
        (&["--mount", "target=/x,volume-subpath=y"], "canoa can't do that yet"),
        (&["-v", "/x", "--volumes-from", "nobody"], "No such container: nobody"),
        (&["-v", "/etc:/x:nocopy"], "invalid mode: nocopy"),
    ] {
        let ran = lab.canoa(&[&["create"], words, &["base", "true"]].concat());
        assert_ne!(ran.code, 0, "{words:?}");
        ran.complains_about(complaint);
    }
    lab.canoa(&["volume", "ls", "-q"]).ok().says("");
    lab.canoa(&["ps", "-aq"]).ok().says("");
}

fn docker_mounts_all_of_this(lab: &Lab) {
    lab.with_daemon();
    let docker = |arguments: &[&str]| {
        let mut command = lab.program("docker");
        command.env("DOCKER_HOST", format!("unix://{}", lab.socket().display())).args(arguments);
        lab.finish(&mut command)
    };
    let folder = lab.folder.join("tmp/shared");
    fs::create_dir_all(&folder).unwrap();
    let bind = format!("type=bind,source={},target=/bind,readonly", folder.display());
    let words = ["--mount", &bind, "--mount", "source=data,target=/volume,volume-nocopy"];
    let memory = ["--mount", "type=tmpfs,target=/memory,tmpfs-size=2m", "--tmpfs", "/more:size=1m"];
    docker(&[&["run", "-d", "--name", "box"], &words[..], &memory, &["base", "sleep", "1000"]].concat()).ok();
    assert!(line(lab, "box", "/memory").contains("size=2048k"));
    assert!(line(lab, "box", "/more").contains("size=1024k"));
    docker(&["exec", "box", "touch", "/bind/x"]).exits(1);
    docker(&["run", "--rm", "--volumes-from", "box:ro", "base", "touch", "/volume/x"]).exits(1);
    docker(&["run", "--rm", "--volumes-from", "box", "base", "touch", "/volume/x"]).ok();
    docker(&["exec", "box", "ls", "/volume"]).ok().says("x");
    docker(&["run", "--rm", "--read-only", "--tmpfs", "/run", "base", "touch", "/run/x"]).ok();
    docker(&["run", "--rm", "--read-only", "base", "touch", "/x"]).exits(1);
    docker(&["create", "--mount", "type=bind,source=/no/such/folder,target=/x", "base"])
        .exits(1)
        .complains_about("bind source path does not exist: /no/such/folder");
}
