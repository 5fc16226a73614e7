//! Our command line and the stock client's, side by side on one engine: the same words, the same exit status.

use e2e::case;
use e2e::case::Case;
use e2e::lab::Lab;
use e2e::need::Need;
use e2e::program::Ran;

const DOCKER: &[Need] = &[Need::Canoa, Need::Tool("docker")];

pub const CASES: &[Case] = &[
    case!(templates_print_what_the_stock_client_prints).needs(DOCKER).within(300),
    case!(lists_and_tables_are_the_stock_clients).needs(DOCKER).within(300),
    case!(mistakes_end_as_the_stock_clients_do).needs(DOCKER).within(300),
    case!(flags_may_have_a_value_as_gos_flags).needs(&[Need::Canoa]),
    case!(bash_completes_commands_and_names).needs(&[Need::Canoa, Need::Tool("bash")]),
    case!(manual_pages_are_written_for_every_command).needs(&[Need::Canoa]),
];

fn docker(lab: &Lab, arguments: &[&str]) -> Ran {
    let mut command = lab.program("docker");
    command.env("DOCKER_HOST", format!("unix://{}", lab.socket().display())).args(arguments);
    lab.finish(&mut command)
}

/// Some things to look at.
fn furnish(lab: &Lab) {
    lab.canoa(&["volume", "create", "--label", "of=me", "data"]).ok();
    lab.canoa(&["network", "create", "--label", "of=me", "sea"]).ok();
    let box_ = [
        "run",
        "-d",
        "--name",
        "box",
        "-l",
        "com.example.role=db",
        "-l",
        "a=1",
        "-e",
        "X=y z",
        "-v",
        "data:/d",
        "-v",
        "/tmp:/t:ro",
        "--device",
        "/dev/null",
        "--mount",
        "type=tmpfs,target=/mnt",
    ];
    let more = ["-p", "127.0.0.1:0:80", "--network", "sea", "base", "sh", "-c", "echo said; sleep 1000"];
    lab.canoa(&[&box_[..], &more].concat()).ok();
    lab.canoa(&["create", "--name", "idle", "--entrypoint", "sleep", "base", "1"]).ok();
}

/// Ages change between one question and the next.
fn without_age(text: &str) -> String {
    let mut kept = Vec::new();
    for line in text.lines() {
        let line = line.replace('"', " \" ").replace("Less than a second", "0 seconds");
        let line = line.replace("1 second ", "1 seconds ");
        let words: Vec<&str> = line.split_whitespace().collect();
        let some = |at: usize| words.get(at + 1) == Some(&"seconds");
        kept.push(
            (0..words.len())
                .map(|at| if some(at) { "some" } else { words[at] })
                .collect::<Vec<_>>()
                .join(" "),
        );
    }
    kept.join("\n")
}

/// Where the two differ: all of it at once, at the end.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    /// Asks both the same, and compares what `what` makes of the two outputs.
    fn look(&mut self, lab: &Lab, arguments: &[&str], what: impl Fn(&Ran) -> String) {
        let (ours, theirs) = (lab.canoa(arguments), docker(lab, arguments));
        if what(&ours) != what(&theirs) || ours.code != theirs.code {
            self.0.push(format!("{arguments:?}\nours: {ours}\ntheirs: {theirs}"));
        }
    }

    fn none(self) {
        assert!(self.0.is_empty(), "{} differ:\n{}", self.0.len(), self.0.join("\n\n"));
    }
}

fn output(ran: &Ran) -> String {
    ran.stdout.clone()
}

fn templates_print_what_the_stock_client_prints(lab: &Lab) {
    furnish(lab);
    let mut found = Differences::default();
    for template in [
        "json",
        "{{.Id}}\\t{{.Name}}",
        "{{.State.Status}} {{.State.Running}} {{.State.Pid}} {{.State.Health}}",
        "{{json .State}}",
        "{{json .Config.Labels}} {{.ID}}",
        "{{json .NetworkSettings.Networks.sea.IPAddress}}",
        "{{range .Mounts}}{{.Type}}:{{.Destination}} {{end}}",
        "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}",
        "{{range $p, $c := .NetworkSettings.Ports}}{{$p}} -> {{(index $c 0).HostPort}}{{println}}{{end}}",
        "{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostIp}}",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        "{{index .Config.Labels \"com.example.role\"}}[{{index .Config.Labels \"none\"}}]{{.Config.Labels.none}}",
        "{{.Config.Cmd}} {{.Config.Entrypoint}} {{.Config.Env}} {{.HostConfig.CapAdd}}",
        "{{join .Config.Cmd \"|\"}} {{upper .Name}} {{title \"ab\"}} {{len .Mounts}} {{split .Name \"b\"}}",
        "{{if and .State.Running (eq .Name \"/box\")}}yes{{else}}no{{end}}{{with .State.Health}}{{.Status}}{{else}}none{{end}}",
        "{{printf \"%-8s|%.12s|%5v|\" .Name .Id .State.Pid}}{{truncate .Id 4}}{{pad .Name 1 2}}|",
        "{{- .Name -}}  {{/* nothing */}}  {{ .Path }}",
        "{{$n := .Name}}{{range .Mounts}}{{$n}}{{$.Path}}{{end}}",
        "{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.NetworkMode}}",
        "{{.Mounts}} {{range .Mounts}}{{.Name}}|{{.RW}}{{end}} {{json .Mounts}}",
        "{{.HostConfig.RestartPolicy}} {{.HostConfig.LogConfig}} {{.HostConfig.PortBindings}}",
        "{{.NetworkSettings.Ports}} {{.Config.ExposedPorts}} {{.HostConfig.Init}} {{.HostConfig.Devices}}",
        "{{json .HostConfig}}",
        "{{json .Config}} {{json .NetworkSettings}}",
        "{{.Nope}}",
        "{{.State.Nope}}",
        "{{index .Args 99}}",
        "{{.A",
        "{{nope .}}",
        "{{range .Mounts}}",
    ] {
        found.look(lab, &["inspect", "-f", template, "box"], output);
    }
    for template in [
        "{{.Names}} {{.ID}} {{.Image}} {{.Command}} {{.State}} {{.Ports}} {{.Networks}} {{.Mounts}}",
        "{{.Label \"com.example.role\"}}|{{.Label \"none\"}}",
        "table {{.Names}}\\t{{.Label \"com.example.my-role\"}}\\t{{upper .Image}}",
        "table {{.ID}}\\t{{.Names}}\\t{{.State}}\\t{{.LocalVolumes}}",
        "{{if eq .State \"running\"}}{{.Names}}{{end}}",
        "{{json .Names}} {{len .ID}}",
        "{{.Nope}}",
        "{{.A",
    ] {
        found.look(lab, &["ps", "-a", "--format", template], output);
    }
    for arguments in [
        &[
            "network",
            "ls",
            "--format",
            "{{.Name}} {{.Driver}} {{.Scope}} {{.ID}} {{.IPv6}} {{.Internal}} {{.Label \"of\"}}",
        ][..],
        &["network", "ls", "--format", "table {{.Name}}\\t{{.Scope}}"],
        &[
            "network",
            "inspect",
            "-f",
            "{{range .IPAM.Config}}{{.Subnet}}{{end}} {{len .Containers}} {{.Labels}}",
            "sea",
        ],
        &["volume", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}} {{.Mountpoint}} {{.Labels}}"],
        &["volume", "ls", "--format", "json"],
        &["volume", "inspect", "-f", "{{json .}}", "data"],
        &["images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}} {{.VirtualSize}}"],
        &["network", "ls", "--format", "json"],
        &["images", "--format", "table {{.ID}}\\t{{.Repository}}"],
        &["info", "-f", "{{.Driver}} {{.CgroupVersion}} {{.NCPU}} {{json .SecurityOptions}}"],
        &["info", "-f", "{{range .Plugins.Network}}{{.}} {{end}}{{.Swarm.LocalNodeState}}"],
        &[
            "version",
            "-f",
            "{{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}} {{.Server.APIVersion}} {{.Client.Os}}",
        ],
    ] {
        found.look(lab, arguments, output);
    }
    found.none();
}

fn lists_and_tables_are_the_stock_clients(lab: &Lab) {
    furnish(lab);
    let mut found = Differences::default();
    for arguments in [
        &["ps", "-a", "-q"][..],
        &["ps", "-a", "-q", "--no-trunc"],
        &["images", "-q"],
        &["images", "-q", "--no-trunc"],
        &["network", "ls"],
        &["network", "ls", "-q"],
        &["network", "ls", "--no-trunc"],
        &["volume", "ls"],
        &["volume", "ls", "-q"],
        &["inspect", "box"],
        &["inspect", "box", "idle"],
        &["inspect", "-s", "box"],
        &["inspect", "data", "bridge", "base", "box"],
        &["inspect", "base"],
        &["inspect", "sea"],
        &["inspect", "--type", "volume", "data"],
        &["container", "inspect", "idle"],
        &["image", "inspect", "base"],
        &["network", "inspect", "sea", "bridge"],
        &["volume", "inspect", "data"],
        &["port", "box"],
        &["port", "box", "80"],
        &["port", "box", "80/tcp"],
        &["port", "idle"],
        &["logs", "box"],
    ] {
        found.look(lab, arguments, output);
    }
    for arguments in [
        &["ps"][..],
        &["ps", "-a"],
        &["ps", "-a", "--no-trunc"],
        &["ps", "-n", "1"],
        &["ps", "-l"],
        &["ps", "-a", "-s"],
        &["ps", "-a", "--format", "table"],
        &["ps", "-a", "--format", "json"],
        &["ps", "-a", "--format", "{{json .}}|{{.Platform}}|{{.Size}}"],
        &["top", "box", "aux"],
        &["images"],
        &["images", "--digests"],
        &["images", "--format", "json"],
        &["images", "--no-trunc"],
        &["images", "base"],
        &["top", "box"],
        &["top", "box", "-o", "pid,comm"],
    ] {
        found.look(lab, arguments, |ran| without_age(&ran.stdout));
    }
    found.none();
    // Of info what is about the engine, line by line.
    let (ours, theirs) = (lab.canoa(&["info"]).ok(), docker(lab, &["info"]).ok());
    let server =
        |text: &str| text.split_once("\nServer:\n").unwrap().1.lines().map(str::to_owned).collect::<Vec<_>>();
    let theirs = server(&theirs.stdout);
    for line in server(&ours.stdout) {
        assert!(theirs.contains(&line), "{line:?} is not among\n{}", theirs.join("\n"));
    }
}

fn mistakes_end_as_the_stock_clients_do(lab: &Lab) {
    furnish(lab);
    let mut found = Differences::default();
    // Those whose words come from the engine, or begin with "Error": word by word, at a line's beginning.
    for arguments in [
        &["rm", "nope"][..],
        &["rm", "box"],
        &["rm", "nope", "none"],
        &["start", "nope"],
        &["stop", "nope"],
        &["kill", "idle"],
        &["pause", "idle"],
        &["logs", "nope"],
        &["exec", "nope", "ls"],
        &["exec", "idle", "ls"],
        &["top", "idle"],
        &["rename", "box", "idle"],
        &["wait", "nope"],
        &["inspect", "nope"],
        &["inspect", "--type", "container", "base"],
        &["container", "inspect", "nope"],
        &["image", "inspect", "nope"],
        &["network", "inspect", "nope"],
        &["network", "rm", "nope"],
        &["network", "rm", "sea"],
        &["network", "create", "sea"],
        &["network", "create", "--ipv6", "other"],
        &["network", "create", "--ipv4=false", "other"],
        &["network", "create", "--config-only", "other"],
        &["network", "create", "--scope", "swarm", "other"],
        &["network", "create", "--ipam-driver", "x", "other"],
        &["network", "create", "--ipam-opt", "x=y", "other"],
        &["network", "create", "--subnet", "10.5.0.0/24", "--subnet", "10.6.0.0/24", "other"],
        &["network", "create", "--subnet", "10.5.0.0/24", "--aux-address", "a=10.5.0.9", "other"],
        &["network", "connect", "--link", "idle:i", "bridge", "box"],
        &["network", "connect", "--ip6", "fd00::9", "bridge", "box"],
        &["network", "connect", "--driver-opt", "a=b", "bridge", "box"],
        &["volume", "inspect", "nope"],
        &["volume", "rm", "nope"],
        &["volume", "rm", "data"],
        &["rmi", "nope"],
        &["port", "box", "81"],
    ] {
        found.look(lab, arguments, |ran| {
            let errors = ran.stderr.lines().filter(|line| line.starts_with("Error"));
            format!("{}\n{}", ran.stdout, errors.collect::<Vec<_>>().join("\n"))
        });
    }
    // The rest are mistakes of the command line: our own words, and its exit status.
    for arguments in [
        &["nope"][..],
        &["container", "nope"],
        &["rm"],
        &["run"],
        &["exec"],
        &["exec", "box"],
        &["exec", "--env-file", "/nope", "box", "true"],
        &["exec", "-w", "nope", "box", "true"],
        &["ps", "--nope"],
        &["ps", "--filter", "nope"],
        &["images", "-f", "nope"],
        &["run", "--nope", "base"],
        &["run", "-m", "x", "base"],
        &["run", "base", "no-such-program"],
        &["run", "base", "/etc/passwd"],
        &["run", "--name", "box", "base"],
        &["create", "--nope", "base"],
        &["network", "create"],
        &["network", "connect", "sea"],
        &["volume", "rm"],
        &["inspect"],
        &["attach", "idle"],
        &["logs"],
        &["port", "nope"],
    ] {
        found.look(lab, arguments, |ran| ran.stderr.is_empty().to_string());
    }
    found.none();
}

fn flags_may_have_a_value_as_gos_flags(lab: &Lab) {
    lab.canoa(&["run", "--rm=false", "--name=kept", "base", "true"]).ok();
    lab.canoa(&["ps", "--all=false", "-q"]).ok().says("");
    lab.canoa(&["ps", "-a=true", "--format", "{{.Names}}"]).ok().says("kept");
    lab.canoa(&["run", "--rm=1", "-i=false", "-t=0", "base", "echo", "--rm=false"]).ok().says("--rm=false");
    lab.canoa(&["ps", "-aq", "--no-trunc=no"]).ok();
    lab.canoa(&["run", "--rm=perhaps", "base", "true"]).exits(125).complains_about("--rm");
    lab.canoa(&["ps", "--help"]).ok().mentions("-a, --all    ").mentions("Example: canoa ps -a");
}

/// What Tab would offer after these words.
fn completed(lab: &Lab, words: &[&str]) -> Vec<String> {
    let folder = lab.folder.join("bin");
    if !folder.exists() {
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(&lab.binary, folder.join("canoa")).unwrap();
    }
    let last = words.last().unwrap();
    let script = format!(
        "source <(canoa completion bash); COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9; \
         _clap_complete_canoa canoa '{last}' 2>/dev/null; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
        words.len() - 1
    );
    let mut bash = lab.program("bash");
    bash.args(["-c", &script]).env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    bash.env("CANOA_HOST", format!("unix://{}", lab.socket().display()));
    lab.finish(&mut bash).ok().stdout.lines().map(|line| line.trim().to_owned()).collect()
}

fn bash_completes_commands_and_names(lab: &Lab) {
    furnish(lab);
    assert_eq!(completed(lab, &["canoa", "ren"]), ["rename"]);
    assert_eq!(completed(lab, &["canoa", "ps", "--no-"]), ["--no-trunc"]);
    assert_eq!(completed(lab, &["canoa", "rm", ""])[..2], ["box", "idle"]);
    assert_eq!(completed(lab, &["canoa", "rm", "i"]), ["idle"]);
    // Into one that doesn't run there is no exec.
    assert!(completed(lab, &["canoa", "exec", "i"]).iter().all(|word| word != "idle"));
    assert_eq!(completed(lab, &["canoa", "network", "rm", "se"]), ["sea"]);
    assert_eq!(completed(lab, &["canoa", "volume", "rm", "d"]), ["data"]);
    assert!(completed(lab, &["canoa", "run", "ba"]).iter().any(|word| word.starts_with("base")));
    lab.canoa_alone(&["completion", "tcsh"]).exits(1).complains_about("bash");
    for (shell, word) in [("zsh", "#compdef canoa"), ("fish", "complete ")] {
        lab.canoa_alone(&["completion", shell]).ok().mentions(word);
    }
}

fn manual_pages_are_written_for_every_command(lab: &Lab) {
    let folder = lab.folder.join("man");
    let name = folder.to_string_lossy().into_owned();
    lab.canoa_alone(&["man", &name]).ok();
    for (page, word) in [
        ("canoa.1", "canoa run \\-it \\-\\-rm base sh"),
        ("canoa-run.1", "\\-\\-publish"),
        ("canoa-network-create.1", "\\-\\-subnet"),
        ("canoa-daemon.1", "\\-\\-tlsverify"),
        ("canoa-system-reset.1", "\\-\\-force"),
    ] {
        let text =
            std::fs::read_to_string(folder.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(word), "{page}: {text}");
    }
    lab.canoa_alone(&["man", "/proc/none"]).exits(1).complains_about("writing manual pages to /proc/none");
}
