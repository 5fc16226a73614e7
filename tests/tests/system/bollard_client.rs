//! The crate `bollard`: a client whose types are strict. What we answer must be of the types that Docker's own
//! description of the API names, or reading it is an error.

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::StartExecResults;
use bollard::models::{
    ContainerCreateBody, ExecConfig, HealthConfig, HostConfig, NetworkCreateRequest, VolumeCreateRequest,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, EventsOptionsBuilder,
    ListContainersOptionsBuilder, ListImagesOptions, ListVolumesOptions, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveVolumeOptions, StatsOptionsBuilder, WaitContainerOptions,
};
use e2e::case;
use e2e::case::Case;
use e2e::lab::Lab;
use futures_util::{Stream, StreamExt, TryStreamExt};
use tokio::io::AsyncWriteExt;

pub const CASES: &[Case] = &[
    case!(bollard_leads_a_container_through_its_life),
    case!(bollard_reads_all_that_is_told_of_the_engine),
    case!(bollard_runs_programs_and_speaks_to_them),
    case!(bollard_reads_errors),
];

/// Lets a story happen with a client of the lab's engine.
#[track_caller]
fn with<F: Future<Output = Result<(), Error>>>(lab: &Lab, story: impl FnOnce(Docker) -> F) {
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let told = runtime.block_on(async {
        let socket = lab.socket();
        let docker = Docker::connect_with_unix(&socket.to_string_lossy(), 60, bollard::API_DEFAULT_VERSION)?;
        story(docker.negotiate_version().await?).await
    });
    if let Err(error) = told {
        panic!("{error}: {error:?}");
    }
}

fn words(words: &[&str]) -> Option<Vec<String>> {
    Some(words.iter().map(ToString::to_string).collect())
}

fn base(command: &[&str]) -> ContainerCreateBody {
    ContainerCreateBody { image: Some("base".into()), cmd: words(command), ..Default::default() }
}

/// All that a stream of output brings: what was said, and on which stream.
async fn heard(output: impl Stream<Item = Result<LogOutput, Error>>) -> Result<(String, String), Error> {
    let (mut out, mut err) = (String::new(), String::new());
    let parts: Vec<LogOutput> = output.try_collect().await?;
    for part in parts {
        match part {
            LogOutput::StdErr { .. } => err += &part.to_string(),
            _ => out += &part.to_string(),
        }
    }
    Ok((out, err))
}

async fn create(docker: &Docker, name: &str, body: ContainerCreateBody) -> Result<String, Error> {
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    Ok(docker.create_container(Some(options), body).await?.id)
}

fn bollard_leads_a_container_through_its_life(lab: &Lab) {
    with(lab, |docker| async move {
        let body = ContainerCreateBody {
            healthcheck: Some(HealthConfig {
                test: words(&["CMD", "true"]),
                interval: Some(100_000_000),
                ..Default::default()
            }),
            exposed_ports: words(&["80/tcp"]),
            host_config: Some(HostConfig { publish_all_ports: Some(true), ..Default::default() }),
            ..base(&["sh", "-c", "echo out; echo err >&2; sleep 1000"])
        };
        let id = create(&docker, "box", body).await?;
        let told = docker.inspect_container("box", None).await?;
        assert_eq!(told.id.as_deref(), Some(id.as_str()));
        docker.start_container("box", None).await?;

        let options = ListContainersOptionsBuilder::default().all(true).size(true).build();
        let list = docker.list_containers(Some(options)).await?;
        assert_eq!(list[0].names.as_deref(), Some(&["/box".to_owned()][..]));
        let told = docker.inspect_container("box", None).await?;
        let state = told.state.unwrap();
        assert_eq!((state.running, state.exit_code), (Some(true), Some(0)));
        assert!(state.health.is_some());
        assert!(told.network_settings.unwrap().networks.unwrap().contains_key("bridge"));

        let logs = LogsOptionsBuilder::default().stdout(true).stderr(true).follow(true).build();
        let mut logs = docker.logs("box", Some(logs));
        logs.next().await.unwrap()?;
        logs.next().await.unwrap()?;
        let stats = StatsOptionsBuilder::default().stream(false).build();
        let stats: Vec<_> = docker.stats("box", Some(stats)).try_collect().await?;
        // Without a control group there is nothing to count: that it can be read is what this is about.
        assert!(stats[0].cpu_stats.as_ref().unwrap().cpu_usage.as_ref().unwrap().total_usage.is_some());
        let two: Vec<_> = docker.stats("box", None).take(2).try_collect().await?;
        assert_eq!(two[1].name.as_deref(), Some("/box"));
        assert_eq!(docker.top_processes("box", None).await?.titles.unwrap()[1], "PID");
        docker.container_changes("box").await?;
        docker.kill_container("box", None).await?;
        // That it ended with something else than 0 is an error of its own here.
        let ended: Result<Vec<_>, Error> =
            docker.wait_container("box", None::<WaitContainerOptions>).try_collect().await;
        assert!(
            matches!(ended, Err(Error::DockerContainerWaitError { code: 137, .. })),
            "{ended:?} should say 137"
        );
        docker.remove_container("box", None).await?;
        assert!(docker.prune_containers(None).await?.containers_deleted.unwrap_or_default().is_empty());

        // All of its life, as events.
        let filters = [("container".to_owned(), vec![id])].into();
        let until = lab_now();
        let options = EventsOptionsBuilder::default().since("0").until(&until).filters(&filters).build();
        let events: Vec<_> = docker.events(Some(options)).try_collect().await?;
        let actions: Vec<String> = events.into_iter().filter_map(|event| event.action).collect();
        for action in ["create", "start", "kill", "die", "destroy"] {
            assert!(actions.iter().any(|one| one == action), "{action} should be in {actions:?}");
        }
        Ok(())
    });
}

/// The next second, as Docker writes times.
fn lab_now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    (now.as_secs() + 1).to_string()
}

fn bollard_reads_all_that_is_told_of_the_engine(lab: &Lab) {
    with(lab, |docker| async move {
        assert_eq!(docker.ping().await?, "OK");
        assert!(docker.version().await?.api_version.is_some());
        assert_eq!(docker.info().await?.os_type.as_deref(), Some("linux"));
        let images = docker.list_images(None::<ListImagesOptions>).await?;
        assert!(images.iter().any(|image| image.repo_tags.contains(&"base:latest".to_owned())));
        assert_eq!(docker.inspect_image("base").await?.os.as_deref(), Some("linux"));
        docker.image_history("base").await?;

        let request = NetworkCreateRequest { name: "net".into(), ..Default::default() };
        docker.create_network(request).await?;
        assert!(docker.list_networks(None).await?.len() >= 4);
        let net = docker.inspect_network("net", None).await?;
        assert!(net.ipam.unwrap().config.unwrap()[0].subnet.is_some());
        docker.remove_network("net").await?;
        let request = VolumeCreateRequest { name: Some("hold".into()), ..Default::default() };
        assert_eq!(docker.create_volume(request).await?.name, "hold");
        let volumes = docker.list_volumes(None::<ListVolumesOptions>).await?;
        assert_eq!(volumes.volumes.unwrap().len(), 1);
        docker.remove_volume("hold", None::<RemoveVolumeOptions>).await
    });
}

fn bollard_runs_programs_and_speaks_to_them(lab: &Lab) {
    with(lab, |docker| async move {
        // Attached before the start, with something to read.
        let body = ContainerCreateBody {
            open_stdin: Some(true),
            stdin_once: Some(true),
            attach_stdin: Some(true),
            ..base(&["sh", "-c", "cat; echo done >&2"])
        };
        create(&docker, "cat", body).await?;
        let options = AttachContainerOptionsBuilder::default().stdin(true).stdout(true).stderr(true);
        let mut attached = docker.attach_container("cat", Some(options.stream(true).build())).await?;
        docker.start_container("cat", None).await?;
        attached.input.write_all(b"through\n").await?;
        attached.input.shutdown().await?;
        assert_eq!(heard(attached.output).await?, ("through\n".to_owned(), "done\n".to_owned()));

        create(&docker, "box", base(&["sleep", "1000"])).await?;
        docker.start_container("box", None).await?;
        let exec = ExecConfig {
            cmd: words(&["sh", "-c", "echo out; echo err >&2; exit 5"]),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let exec = docker.create_exec("box", exec).await?.id;
        let StartExecResults::Attached { output, .. } = docker.start_exec(&exec, None).await? else {
            panic!("it should be attached");
        };
        assert_eq!(heard(output).await?, ("out\n".to_owned(), "err\n".to_owned()));
        let told = docker.inspect_exec(&exec).await?;
        assert_eq!((told.running, told.exit_code), (Some(false), Some(5)));
        let force = RemoveContainerOptionsBuilder::default().force(true).build();
        docker.remove_container("box", Some(force)).await
    });
}

fn bollard_reads_errors(lab: &Lab) {
    with(lab, |docker| async move {
        let missing = docker.inspect_container("nobody", None).await.unwrap_err();
        let Error::DockerResponseServerError { status_code: 404, message } = &missing else {
            panic!("{missing:?}");
        };
        assert_eq!(message, "No such container: nobody");
        create(&docker, "taken", base(&["true"])).await?;
        let taken = create(&docker, "taken", base(&["true"])).await.unwrap_err();
        let is_conflict = matches!(taken, Error::DockerResponseServerError { status_code: 409, .. });
        assert!(is_conflict, "{taken:?}");
        Ok(())
    });
}
