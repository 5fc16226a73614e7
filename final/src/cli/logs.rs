//! `canoa logs`: what a container has said.

use clap::Args as ClapArgs;
use hyper::Method;
use hyper::header::HeaderMap;
use serde_json::Value;

use super::failure::Outcome;
use super::parse;
use super::session::Writer;
use crate::client::hijack::Frames;
use crate::client::{Client, Path};
use crate::moment;

/// Show what a container has written
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa logs -f --tail 20 web")]
pub struct Args {
    /// Go on as it comes
    #[arg(short, long)]
    follow: bool,
    /// With the time of each line
    #[arg(short, long)]
    timestamps: bool,
    /// Only so many lines from the end, or all
    #[arg(short = 'n', long, default_value = "all", value_name = "LINES")]
    tail: String,
    /// Only from this moment on: 10m (ago), a date, seconds since 1970
    #[arg(long, value_name = "MOMENT", value_parser = moment::moment)]
    since: Option<String>,
    /// Only up to this moment
    #[arg(long, value_name = "MOMENT", value_parser = moment::moment)]
    until: Option<String>,
    /// With extra attributes
    #[arg(long)]
    details: bool,
    /// Container
    #[arg(value_parser = parse::name)]
    container: String,
}

/// Runs the command.
///
/// # Errors
/// There is none, or its log cannot be read.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let container = Path::new("/containers").name(&args.container);
    let inspected: Value = client.get(container.clone().end("/json")).await?;
    let tty = inspected["Config"]["Tty"] == true;
    let path = container
        .end("/logs")
        .query("stdout", 1)
        .query("stderr", 1)
        .query("tail", &args.tail)
        .flag("follow", args.follow)
        .flag("timestamps", args.timestamps)
        .flag("details", args.details)
        .maybe("since", args.since.as_ref())
        .maybe("until", args.until.as_ref());
    let mut stream = client.stream(Method::GET, path, HeaderMap::new()).await?;
    let (mut out, mut err) = (tokio::io::stdout(), tokio::io::stderr());
    let mut writer = Writer { frames: (!tty).then(Frames::new), out: &mut out, err: &mut err };
    while let Some(bytes) = stream.next().await? {
        writer.write(&bytes).await?;
    }
    Ok(0)
}
