//! Lesson 4's program: lesson 3's, with an image for its root.
//!
//! ```text
//! cargo run -p lesson-04 -- run [--store FOLDER] [lesson 3's flags] IMAGE [PROGRAM [ARGUMENT]…]
//! cargo run -p lesson-04 -- pull [--store FOLDER] [--platform OS/ARCH] IMAGE
//! cargo run -p lesson-04 -- images [--store FOLDER]
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use cgroups::{Cgroup, Cpu, DeviceRule, Limits, own_namespace, parse_size, remove_parent};
use images::{Image, Overlay, PullOptions, Reference, Status as Stage, Store, base};
use namespaces::flags::{Flags, finish};
use namespaces::{Command, Error, Isolation, Result, Status, exec, set_hostname, step};
use rootfs::{Mount, Privileges, Rootfs, User};

/// The groups of all lessons' programs are in this one.
const PARENT: &str = "/canoa-lessons";

fn main() {
    let mut words = std::env::args().skip(1);
    let known = ["hostname", "volume", "user", "memory", "cpus", "pids", "store", "platform"];
    let outcome = match words.next().as_deref() {
        Some("run") => Flags::parse(words, &known).map(run),
        Some("pull") => Flags::parse(words, &known).map(pull),
        Some("images") => Flags::parse(words, &known).map(list),
        _ => Err("usage: lesson-04 run [FLAGS] IMAGE [PROGRAM …] | pull IMAGE | images".into()),
    };
    finish("lesson-04", outcome)
}

fn run(flags: Flags) -> Result<Status> {
    let store = open(&flags)?;
    let image = find_or_pull(&store, &flags)?;
    let layer = WritableLayer::new(store.root())?;
    let overlay =
        Overlay { lower: image.layers.clone(), upper: layer.0.join("upper"), work: layer.0.join("work") };
    let volume = flags.value("volume").and_then(|volume| volume.split_once(':'));
    let privileges = Privileges::docker()?;
    let command = command(&image, &flags.rest[1..]);
    let user = flags.value("user").unwrap_or(&image.config.config.user);

    let cgroup = Cgroup::create(PARENT, &std::process::id().to_string(), &limits(&flags)?)?;
    let status = Isolation::container().born_in(cgroup.birthplace()).spawn(|| {
        cgroup.enter()?;
        own_namespace()?;
        set_hostname(flags.value("hostname").unwrap_or("container"))?;
        let mut rootfs = Rootfs::mount(overlay.mount()?, layer.0.join("rootfs")).with_defaults()?;
        if let Some((from, to)) = volume {
            rootfs = rootfs.with(Mount::bind(from, to.trim_end_matches(":ro"), to.ends_with(":ro")));
        }
        rootfs.enter()?;
        privileges.drop_to(&User::look_up(user)?)?;
        exec(&command)
    });
    let status = status.and_then(|child| child.release()?.wait());
    if cgroup.oom_kills()? > 0 {
        eprintln!("lesson-04: out of memory: the kernel killed a process of this container");
    }
    cgroup.remove()?;
    remove_parent(PARENT)?;
    status
}

fn pull(flags: Flags) -> Result<Status> {
    let (store, reference) = (open(&flags)?, reference(&flags)?);
    let image = fetch(&store, &reference, &flags)?;
    println!("{} {reference}", image.id);
    Ok(Status::Exited(0))
}

fn list(flags: Flags) -> Result<Status> {
    for image in open(&flags)?.list().map_err(plain)? {
        let names: Vec<String> = image.tags.iter().map(Reference::familiar).collect();
        println!("{}  {:>12} bytes  {}", image.id.short(), image.size, names.join(" "));
    }
    Ok(Status::Exited(0))
}

fn find_or_pull(store: &Store, flags: &Flags) -> Result<Image> {
    let name = flags.rest.first().map_or("", String::as_str);
    match store.resolve(name) {
        Err(images::Error::NoSuchImage(_)) => fetch(store, &reference(flags)?, flags),
        other => other.map_err(plain),
    }
}

fn fetch(store: &Store, reference: &Reference, flags: &Flags) -> Result<Image> {
    if base::is_base(reference) {
        return base::base(store).map_err(plain);
    }
    let platform = flags.value("platform").map(str::parse).transpose().map_err(plain)?;
    let options = PullOptions { platform, credentials: None };
    let pulled = images::pull(store, reference, &options, &|progress| {
        if !matches!(progress.status, Stage::Downloading { .. } | Stage::Extracting { .. }) {
            eprintln!("{}: {}", progress.id, progress.status);
        }
    });
    Ok(pulled.map_err(plain)?.image)
}

/// The image's program and arguments, or ours in place of `Cmd`; its environment; its folder.
fn command(image: &Image, ours: &[String]) -> Command {
    let config = &image.config.config;
    let entrypoint = config.entrypoint.clone().unwrap_or_default();
    let arguments = if ours.is_empty() { config.cmd.clone().unwrap_or_default() } else { ours.to_vec() };
    let directory = if config.working_dir.is_empty() { "/" } else { &config.working_dir };
    let args = entrypoint.into_iter().chain(arguments).collect();
    Command { args, env: config.env.clone(), directory: PathBuf::from(directory) }
}

fn reference(flags: &Flags) -> Result<Reference> {
    flags.rest.first().map_or("", String::as_str).parse().map_err(plain)
}

/// Where images are kept: `--store`, or a folder of one's own.
fn open(flags: &Flags) -> Result<Store> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")));
    let own = data.unwrap_or_else(|| "/var/lib".into()).join("canoa-lesson-04");
    Store::open(flags.value("store").map_or(&own, Path::new)).map_err(plain)
}

/// In the words of the lessons before.
fn plain(error: images::Error) -> Error {
    match error {
        images::Error::Kernel(error) => error,
        other => Error::new("images", "", other),
    }
}

fn limits(flags: &Flags) -> Result<Limits> {
    let wrong = |flag: &'static str| move |reason: String| Error::new("set limit", flag, reason);
    let memory = flags.value("memory").map(parse_size).transpose().map_err(wrong("--memory"))?;
    let cpus =
        flags.value("cpus").map(|text| text.parse::<f64>().map_err(|e| wrong("--cpus")(e.to_string())));
    let pids =
        flags.value("pids").map(|text| text.parse::<u64>().map_err(|e| wrong("--pids")(e.to_string())));
    Ok(Limits {
        memory,
        memory_and_swap: memory.map(|bytes| bytes.saturating_mul(2)),
        cpu: cpus.transpose()?.map(|cpus| Cpu::from_nano((cpus * 1e9) as u64)),
        pids: pids.transpose()?,
        devices: DeviceRule::docker(),
    })
}

/// The folders of one container's overlay, gone again when it is.
struct WritableLayer(PathBuf);

impl WritableLayer {
    fn new(store: &Path) -> Result<Self> {
        let layer = WritableLayer(store.join(format!("container-{}", std::process::id())));
        for name in ["upper", "work", "rootfs"] {
            let path = layer.0.join(name);
            step("make folder", path.display(), || fs::create_dir_all(&path))?;
        }
        Ok(layer)
    }
}

impl Drop for WritableLayer {
    fn drop(&mut self) {
        // The overlay's own folder in `work` has no permissions, and not everybody is root.
        let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o700);
        let _ = fs::set_permissions(self.0.join("work/work"), open);
        let _ = fs::remove_dir_all(&self.0);
    }
}
