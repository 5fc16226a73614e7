//! `create`: from an image and flags to a record.

use std::ffi::OsString;

use anyhow::{Context, Result, bail};
use clap::Args;
use images::{Image, Progress, PullOptions, Store, find_or_pull};
use lifecycle::log::Bounds;
use lifecycle::record::{Record, State, VERSION, is_name, new_id, now};
use network::Publish;
use rootfs::Mount;

use super::{Config, Tool, short};

/// What a container is asked to be.
#[derive(Args)]
pub struct Create {
    /// Its name
    #[arg(long)]
    name: Option<String>,
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,
    /// NAME=value, for its environment
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Its working directory
    #[arg(short, long)]
    workdir: Option<String>,
    /// As whom: name, uid, name:group
    #[arg(short, long)]
    user: Option<String>,
    /// /on/the/host:/inside[:ro]
    #[arg(short, long)]
    volume: Vec<String>,
    /// A port of the host's that leads to one of its own: [[ADDRESS:][PORT]:]PORT[/udp]
    #[arg(short, long, value_name = "PORTS")]
    publish: Vec<Publish>,
    /// Memory, such as 64m
    #[arg(short, long, value_parser = cgroups::parse_size)]
    memory: Option<u64>,
    /// Processors, such as 0.5
    #[arg(long, value_parser = nano_cpus)]
    cpus: Option<u64>,
    /// Processes and threads
    #[arg(long)]
    pids_limit: Option<u64>,
    /// max-size=10m, max-file=3: how much of its log is kept
    #[arg(long, value_name = "NAME=VALUE")]
    log_opt: Vec<String>,
    /// An init as PID 1, which reaps and forwards signals
    #[arg(long)]
    init: bool,
    /// A name such as debian:bookworm, or `base`, which needs no network
    image: String,
    /// The program and its arguments; else the image's own
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Tool {
    /// Makes a container, which doesn't run yet, and gives its id.
    pub fn create(&self, wanted: Create, remove: bool) -> Result<String> {
        self.become_root()?;
        let image = self.image(&wanted.image)?;
        let mut command = image.config.command(&wanted.command);
        command.env.extend(wanted.env.into_iter().map(OsString::from));
        if let Some(folder) = wanted.workdir {
            command.directory = folder.into();
        }
        if let Some(name) = wanted.name.as_deref().filter(|name| !is_name(name)) {
            bail!("no container can be named {name:?}: write two or more of a-z, A-Z, 0-9, _ . -");
        }
        for text in &wanted.volume {
            Mount::volume(text)?;
        }
        let log = Bounds::from_options(&wanted.log_opt)?;
        // What a crash left half made.
        self.records.sweep()?;
        let id = new_id()?;
        let record = Record {
            version: VERSION,
            name: wanted.name.unwrap_or_else(|| short(&id).to_owned()),
            id: id.clone(),
            created_at: now(),
            state: State::default(),
            config: Config {
                image: wanted.image,
                layers: image.layers,
                args: text(command.args),
                env: text(command.env),
                directory: command.directory,
                user: wanted.user.unwrap_or(image.config.config.user),
                interactive: wanted.interactive,
                tty: wanted.tty,
                volumes: wanted.volume,
                ports: wanted.publish.iter().flat_map(Publish::bindings).collect(),
                memory: wanted.memory,
                nano_cpus: wanted.cpus,
                pids: wanted.pids_limit,
                log,
                init: wanted.init,
                remove,
            },
        };
        self.records.create(&record)?;
        Ok(id)
    }

    /// The image of this name; pulled, or borrowed from the host, if it isn't here.
    fn image(&self, name: &str) -> Result<Image> {
        let store = Store::open(&self.root.join("images"))?;
        find_or_pull(&store, name, &PullOptions::default(), &Progress::tell)
            .with_context(|| format!("finding image {name}"))
    }
}

/// How many processors, in billionths of one. Less than a hundredth of one the kernel can't give.
fn nano_cpus(text: &str) -> Result<u64, String> {
    match text.parse::<f64>() {
        Ok(cpus) if (0.01..1e9).contains(&cpus) => Ok((cpus * 1e9) as u64),
        _ => Err("write how many processors, 0.01 at least, as in 0.5".to_owned()),
    }
}

/// For the record, which is JSON. Nothing is lost: image and command line are text.
fn text(words: Vec<OsString>) -> Vec<String> {
    words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect()
}
